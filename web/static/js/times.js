// Moments, in the words and the time zone of the reader.
const EVERY_MS = 10_000;
const UNITS = [["d", 86_400], ["h", 3600], ["min", 60]];
const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

/** Give every <time> below an element the reader's own clock with its zone as its title, or as its text if it is to be exact. */
export function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    time.title = "exact" in time.dataset ? ago(at) : format.format(at);
    time.textContent = "exact" in time.dataset ? format.format(at) : ago(at);
  }
}

/** Keep saying how long ago moments are for as long as the page is there. */
export function keepTimes() {
  showTimes(document);
  setInterval(() => showTimes(document), EVERY_MS);
}

/** Return how long ago a moment is, in the words that pages come with. */
function ago(at) {
  const passed = Math.max(0, (Date.now() - at) / 1000);
  for (const [unit, length] of UNITS) if (passed >= 2 * length) return `${Math.round(passed / length)} ${unit} ago`;
  return passed >= 1 ? `${Math.round(passed)} s ago` : "now";
}
