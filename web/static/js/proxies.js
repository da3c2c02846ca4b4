// The nodes and their workers, kept up to date; what a worker takes of a core comes from two answers.
import { onFleet } from "./fleet.js";
import { ms, put, rate } from "./numbers.js";

const STATES = { ok: "good", slow: "warn", down: "bad" };
const before = new Map();

export function watchProxies() {
  onFleet((fleet) => {
    for (const node of fleet.nodes) {
      const section = [...document.querySelectorAll("section.node")].find((one) => one.dataset.node === node.id);
      if (!section) return location.reload(); // a node has come
      show(section, node, fleet.time_ms);
    }
  });
}

function show(section, node, now) {
  const chip = section.querySelector("[data-state]");
  if (chip.textContent !== node.state) {
    chip.textContent = node.state;
    chip.className = `chip ${STATES[node.state]}`;
  }
  section.querySelector("[data-drained]").hidden = !node.drained;
  const facts = {
    ready: node.ready === undefined ? "unknown" : node.ready ? "yes" : node.not_ready_because,
    runs: node.revision === undefined ? "" : `revision ${node.revision}, published ${age(node.snapshot_age_s)} ago; ${node.worker_restarts} workers replaced, ${node.reloads} reloads`,
    store: node.sync ? `${node.sync.state.replaceAll("_", " ")}${node.sync.state === "following" ? "" : `, last seen ${age(node.sync.store_seen_age_s)} ago`}` : "",
    version: node.version ? `${node.version}, pid ${node.pid}` : "",
    trouble: node.trouble,
  };
  for (const element of section.querySelectorAll("[data-fact]")) put(element, facts[element.dataset.fact]);
  const body = section.querySelector("tbody");
  const workers = node.workers ?? [];
  while (body.rows.length > workers.length) body.lastElementChild.remove();
  workers.forEach((worker, index) => {
    const row = body.rows[index] ?? emptyRow(body);
    const rates = worker.rates?.["10s"] ?? {};
    const times = worker.latency_ms?.["10s"] ?? {};
    const texts = [
      worker.slot, null, worker.pid, worker.revision, cpu(node.id, worker, now),
      worker.memory_bytes ? `${Math.round(worker.memory_bytes / 2 ** 20)} MB` : "–",
      worker.connections, worker.active, rate(rates.requests), ms(times.p50), ms(times.p99), `${worker.loop_lag_ms.toFixed(1)} ms`,
    ];
    texts.forEach((text, place) => text !== null && put(row.cells[place], String(text)));
    const state = row.cells[1].firstElementChild;
    put(state, worker.state);
    state.className = `chip ${worker.state === "accepting" ? "good" : "warn"}`;
  });
}

function emptyRow(body) {
  const row = body.insertRow();
  for (let place = 0; place < 12; place += 1) {
    const cell = row.insertCell();
    if (place === 1) cell.append(document.createElement("span"));
    else cell.className = "number";
  }
  return row;
}

function cpu(node, worker, now) {
  const key = `${node} ${worker.pid}`;
  const old = before.get(key);
  if (old && old.cpu === worker.cpu_s && now - old.now < 1500) return old.text;
  const text = old && worker.cpu_s !== null && now > old.now ? `${Math.max(0, (100_000 * (worker.cpu_s - old.cpu)) / (now - old.now)).toFixed(0)} %` : "–";
  before.set(key, { cpu: worker.cpu_s, now, text });
  return text;
}

function age(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) if (seconds >= 2 * length) return `${Math.round(seconds / length)} ${unit}`;
  return `${Math.round(seconds)} s`;
}
