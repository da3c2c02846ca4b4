// Moments, in the words and the time zone of the reader.
const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** Give every <time> below an element the reader's own clock as its title. */
export function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) time.title = format.format(new Date(time.dateTime));
}

/** Return milliseconds since 1970 as a clock. */
export function clock(ms) {
  return new Date(ms).toLocaleTimeString();
}
