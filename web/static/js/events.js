// New events come to the top of the list by themselves.
import { ask } from "./api.js";
import { figure } from "./numbers.js";
import { showTimes } from "./times.js";

const EVERY_MS = 2000;
const MOST_ROWS = 300;
const STATES = { open: "bad", down: "bad", lost: "bad", ended: "warn", half_open: "warn", closed: "good", up: "good", running: "good", followed: "good" };

export function watchEvents(table) {
  let last = Number(table.dataset.last);
  const { kind, name } = table.dataset;
  const turn = async () => {
    if (!document.hidden) {
      const told = await ask(`/events?since=${last}`).catch(() => null);
      if (told) {
        last = told.last;
        for (const event of told.events) {
          if ((!kind || event.kind === kind) && (!name || event.name.includes(name))) table.tBodies[0].prepend(rowOf(event));
        }
        while (table.tBodies[0].rows.length > MOST_ROWS) table.tBodies[0].lastElementChild.remove();
        if (told.events.length) document.getElementById("no-events")?.remove();
      }
    }
    setTimeout(turn, EVERY_MS);
  };
  turn();
}

function cell(row, className, ...parts) {
  const made = row.insertCell();
  made.className = className;
  made.append(...parts);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function rowOf(event) {
  const row = document.createElement("tr");
  const time = element("time", "", "now");
  time.dateTime = new Date(event.time_ms).toISOString();
  time.dataset.exact = "";
  cell(row, "nowrap", time);
  cell(row, "breaks", event.node);
  cell(row, "", event.kind);
  if (["server", "api"].includes(event.object)) {
    const link = element("a", "", event.name);
    link.href = `/${event.object}s/${encodeURIComponent(event.name)}`;
    cell(row, "breaks", link);
  } else cell(row, "breaks", `${event.object} ${event.name}`);
  const chip = element("span", `chip ${STATES[event.to] ?? ""}`, event.to.replace("_", " "));
  cell(row, "nowrap", ...(event.to ? [`${event.from.replace("_", " ")} → `, chip] : []));
  const figures = Object.entries(event.figures).map(([key, value]) => figure(key, value));
  cell(row, "breaks", `${event.cause.replaceAll("_", " ")} `, element("small", "", figures.join(", ")));
  showTimes(row);
  return row;
}
