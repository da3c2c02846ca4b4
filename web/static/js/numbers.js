// Figures as short texts; a figure that is not there is a dash.
export function rate(value) {
  if (value === null || value === undefined) return "–";
  if (value < 10) return Number.isInteger(value) ? String(value) : value.toFixed(1);
  return value < 10_000 ? Math.round(value).toLocaleString() : `${(value / 1000).toFixed(1)} k`;
}

export function ms(value) {
  if (value === null || value === undefined) return "–";
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString();
}

export function percent(part, whole) {
  if (!whole) return "0";
  const value = (100 * part) / whole;
  return value === 0 ? "0" : value < 0.1 ? "<0.1" : value.toFixed(value < 10 ? 1 : 0);
}

/** Return bytes, with their unit. */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) if (value >= size) return `${Number((value / size).toPrecision(3))} ${unit}`;
  return `${Math.round(value)} B`;
}

const UNITS = { _ms: "ms", _s: "s", _percent: "%", _bytes: "bytes" };

/** Return a figure of an event with its name and unit. */
export function figure(name, value) {
  const suffix = Object.keys(UNITS).find((one) => name.endsWith(one)) ?? "";
  return `${name.slice(0, name.length - suffix.length).replaceAll("_", " ")} ${value} ${UNITS[suffix] ?? ""}`.trim();
}

/** Put a text into an element, only if it is another one: nothing is laid out anew for nothing. */
export function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
