// The charts of the monitor page and of single objects: of all nodes, or of what data-source names.
import { ask } from "./api.js";
import { lineChart } from "./chart.js";
import { onFleet, showStates } from "./fleet.js";
import { heatMap } from "./heat.js";
import { ms, put, rate } from "./numbers.js";
import { showTimes } from "./times.js";

const EVERY_MS = 2000;
const MOST_ROWS = 200;
const MARKED = new Set(["circuit", "health", "reload", "snapshot"]);

/** Begin to show what the element asks for. */
export function watchMonitor(element) {
  const { source, scope, name } = element.dataset;
  const marks = [];
  const charts = [...element.querySelectorAll("[data-monitor-chart]")].map((one) => lineChart(one, one.dataset.monitorChart, marks));
  const heat = element.querySelector("#heat");
  if (heat) charts.push(heatMap(heat));
  watchEvents(marks, scope, name);
  if (!source) {
    charts.forEach(onFleet);
    for (const table of element.querySelectorAll("table[data-busiest]")) onFleet(busiest(table));
    return;
  }
  const turn = async () => {
    if (!document.hidden) {
      try {
        const told = await ask(source);
        for (const chart of charts) chart(told, told.history);
        showPerNode(element.querySelector("#per-node"), told.nodes);
        showStates(element.querySelector("[data-states-of]"), told.merged ?? null);
        showTroubles(told.merged ?? {});
      } catch (error) {
        put(document.getElementById("fleet-state"), `No figures: ${error.message}`);
      }
    }
    setTimeout(turn, EVERY_MS);
  };
  turn();
}

let shown = "";

/** When an object gets worse or better, let the page say anew what is wrong with it. */
async function showTroubles({ circuits, health }) {
  const place = document.getElementById("troubles");
  const now = JSON.stringify([circuits?.open, circuits?.half_open, health?.down]);
  const isSame = shown ? shown === now : /\d/.test(now) === place?.children.length > 0;
  shown = now;
  if (!place || isSame) return;
  const response = await fetch(location.href);
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("troubles");
  if (fresh) place.replaceChildren(...fresh.children);
  showTimes(place);
}

/** Keep the moments of circuits, health and configuration that charts mark. */
async function watchEvents(marks, scope, name) {
  let since = 0;
  const turn = async () => {
    if (!document.hidden) {
      const told = await ask(`/events?since=${since}`).catch(() => null);
      if (told) {
        since = told.last;
        for (const event of told.events) {
          const isOurs = !["api", "server"].includes(scope) || (event.object === scope && event.name === name) || event.kind === "snapshot";
          if (MARKED.has(event.kind) && isOurs) marks.push({ at: event.time_ms / 1000, to: event.to, text: `${event.name} ${event.to}` });
        }
        marks.splice(0, Math.max(0, marks.length - 500));
      }
    }
    setTimeout(turn, EVERY_MS);
  };
  turn();
}

/** Return a listener that keeps a table of the busiest objects; rows stay the same elements while their objects stay. */
function busiest(table) {
  const plural = table.dataset.busiest;
  const window_ = document.getElementById("window");
  const rows = new Map();
  return (fleet) => {
    const shown = window_.value;
    const of = (one) => one.rates[shown === "start" ? "10m" : shown]?.requests ?? 0;
    const found = [...fleet[plural]].sort((a, b) => of(b) - of(a) || (a.name < b.name ? -1 : 1)).slice(0, MOST_ROWS);
    const body = table.tBodies[0];
    found.forEach((one, index) => {
      let row = rows.get(one.name);
      if (!row) {
        row = makeRow(one.name, `/monitor/?${plural.slice(0, -1)}=${encodeURIComponent(one.name)}`);
        rows.set(one.name, row);
      }
      fill(row, one, shown);
      if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
    });
    while (body.rows.length > found.length) {
      rows.delete(body.lastElementChild.dataset.name);
      body.lastElementChild.remove();
    }
  };
}

function showPerNode(table, nodes) {
  if (!table || Array.isArray(nodes)) return;
  const body = table.tBodies[0];
  Object.keys(nodes).sort().forEach((id, index) => {
    let row = [...body.rows].find((one) => one.dataset.name === id);
    if (!row) row = makeRow(id, `/monitor/?node=${encodeURIComponent(id)}`);
    const one = nodes[id];
    fill(row, { ...one, circuits: one.circuit ? { [one.circuit]: 1 } : {}, health: one.health ? { [one.health]: 1 } : {} }, "10s");
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
}

function makeRow(name, address) {
  const row = document.createElement("tr");
  row.dataset.name = name;
  const title = document.createElement("th");
  const link = document.createElement("a");
  link.href = address;
  link.textContent = name;
  title.append(link);
  row.append(title);
  for (let index = 0; index < 7; index += 1) {
    const cell = document.createElement("td");
    if (index < 6) cell.className = "number";
    else cell.textContent = "–";
    row.append(cell);
  }
  return row;
}

function fill(row, one, shown) {
  const rates = one.rates?.[shown] ?? {};
  const times = one.latency_ms?.[shown] ?? {};
  const cells = row.cells;
  put(cells[1], shown === "start" ? "–" : rate(rates.requests ?? 0));
  put(cells[2], shown === "start" ? "–" : rate(rates.errors ?? 0));
  put(cells[3], ms(times.p50));
  put(cells[4], ms(times.p95));
  put(cells[5], ms(times.p99));
  put(cells[6], rate(one.active));
  showStates(cells[7], one);
}
