// The figures of all nodes, asked for once a second while the page is seen; whoever wants them listens.
//   import { onFleet } from "./fleet.js";
//   onFleet((fleet, history) => ...);   // fleet: /api/v1/stats; history: ten minutes of columns, kept up to date
import { ask } from "./api.js";
import { lineChart } from "./chart.js";
import { ms, percent, put, rate } from "./numbers.js";

const EVERY_MS = 1000;
const SECONDS = 600;
/** Objects that are listed as not well. */
const MOST_SHOWN = 20;
const listeners = [];
let history = null;

export function onFleet(listener) {
  listeners.push(listener);
}

/** Begin to ask. What the frame of every page shows is shown here; charts and tables by their marks. */
export function watchFleet() {
  onFleet(showState);
  onFleet(showTiles);
  onFleet(showTables);
  onFleet(showAttention);
  for (const element of document.querySelectorAll("[data-chart]")) onFleet(lineChart(element, element.dataset.chart));
  turn();
}

async function turn() {
  const began = performance.now();
  if (!document.hidden) {
    try {
      const fleet = await ask(`/stats?history=${history ? "tail" : "all"}`);
      keep(fleet.history);
      const start = performance.now();
      for (const listener of listeners) listener(fleet, history);
      performance.clearMeasures("refresh"); // the tests look at how long it took
      performance.measure("refresh", { start });
    } catch (error) {
      put(document.getElementById("fleet-state"), `No figures: ${error.message}`);
    }
  }
  setTimeout(turn, Math.max(100, EVERY_MS - (performance.now() - began)));
}

/** Add the seconds of an answer to those that are known. */
function keep(tail) {
  if (!history || tail.end - tail.seconds > history.end || tail.end < history.end) {
    if (history && tail.seconds < SECONDS) {
      history = null; // a gap: all of it is asked for again
      return;
    }
    history = tail;
    return;
  }
  const fresh = tail.end - history.end;
  for (const name of Object.keys(tail)) {
    if (!Array.isArray(tail[name])) continue;
    // The last seconds may have been incomplete when they were told first.
    const old = history[name].slice(0, history[name].length - (tail.seconds - fresh));
    history[name] = old.concat(tail[name]).slice(-SECONDS);
  }
  history.end = tail.end;
}

function showState(fleet) {
  const element = document.getElementById("fleet-state");
  const count = { ok: 0, slow: 0, down: 0 };
  for (const node of fleet.nodes) count[node.state] += 1;
  const words = { ok: "good", slow: "warn", down: "bad" };
  const text = Object.keys(count)
    .filter((state) => count[state])
    .map((state) => `${count[state]} ${count[state] === 1 ? "node" : "nodes"} ${state}`);
  if (element.dataset.shown === text.join()) return;
  element.dataset.shown = text.join();
  element.replaceChildren(
    ...(text.length ? text : ["no node"]).map((part) => {
      const chip = document.createElement("span");
      chip.className = `chip ${words[part.split(" ").pop()] ?? "warn"}`;
      chip.textContent = part;
      return chip;
    }),
  );
}

function showTiles(fleet) {
  const tiles = document.getElementById("now");
  if (!tiles) return;
  const rates = fleet.rates["10s"] ?? {};
  const times = fleet.latency_ms["10s"] ?? {};
  const shown = {
    requests: rate(rates.requests ?? 0),
    errors: percent(rates.errors, rates.requests),
    p50: ms(times.p50),
    p95: ms(times.p95),
    p99: ms(times.p99),
    active: rate(fleet.totals.active ?? 0),
    connections: rate(fleet.totals.connections ?? 0),
    workers: String(fleet.workers),
  };
  for (const element of tiles.querySelectorAll("[data-figure]")) put(element, shown[element.dataset.figure]);
}

/** Fill the figures of a table whose rows name servers or APIs; quiet objects are not told of and show zero. */
function showTables(fleet) {
  for (const table of document.querySelectorAll("table[data-live]")) {
    const known = new Map((fleet[table.dataset.live] ?? []).map((one) => [one.name, one]));
    for (const row of table.tBodies[0].rows) {
      const one = known.get(row.dataset.name);
      const rates = one?.rates["10s"] ?? {};
      const times = one?.latency_ms["10s"] ?? {};
      for (const cell of row.querySelectorAll("[data-figure]")) {
        const name = cell.dataset.figure;
        const text = name.startsWith("p") ? ms(times[name]) : rate(name === "active" ? (one?.active ?? 0) : (rates[name] ?? 0));
        put(cell, text);
      }
      showStates(row.querySelector("[data-states]"), one);
    }
  }
}

/** List what is not well, on the first page. */
function showAttention(fleet) {
  const card = document.getElementById("attention");
  if (!card) return;
  const found = ["servers", "apis"].flatMap((plural) =>
    (fleet[plural] ?? []).filter((one) => Object.keys({ ...one.circuits, ...one.health }).some((state) => STATES[state])).map((one) => ({ plural, one })),
  );
  const mark = JSON.stringify(found.map(({ plural, one }) => [plural, one.name, one.circuits, one.health]));
  if (card.dataset.shown === mark) return;
  card.dataset.shown = mark;
  card.hidden = found.length === 0;
  card.querySelector("ul").replaceChildren(...found.slice(0, MOST_SHOWN).map(({ plural, one }) => attention(plural, one)));
}

function attention(plural, one) {
  const item = document.createElement("li");
  const states = document.createElement("span");
  const link = document.createElement("a");
  states.className = "row";
  showStates(states, one);
  link.href = `/${plural}/${encodeURIComponent(one.name)}`;
  link.textContent = `${plural === "apis" ? "API" : "Server"} ${one.name}`;
  item.append(states, link);
  return item;
}

const STATES = { open: "bad", half_open: "warn", down: "bad", flapping: "warn" };

/** What elements say while nothing is wrong. */
const healthy = new WeakMap();

/** Show as chips what is wrong with an object: circuits and health checks that are not well. */
export function showStates(element, one) {
  if (!element) return;
  const found = [];
  for (const [state, nodes] of Object.entries({ ...one?.circuits, ...one?.health })) {
    if (STATES[state]) found.push([state, nodes]);
  }
  const mark = found.join();
  if (element.dataset.shown === mark) return;
  element.dataset.shown = mark;
  if (!healthy.has(element)) healthy.set(element, [...element.childNodes]);
  if (!found.length) return element.replaceChildren(...healthy.get(element));
  element.replaceChildren(
    ...found.map(([state, nodes]) => {
      const chip = document.createElement("span");
      chip.className = `chip ${STATES[state]}`;
      chip.textContent = state.replace("_", "-") + (nodes > 1 ? ` on ${nodes} nodes` : "");
      return chip;
    }),
  );
}
