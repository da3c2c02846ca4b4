// Line charts over the last ten minutes, drawn by uPlot in the colours of the design.
//   lineChart(element, "requests") returns a listener for onFleet; SETS says which columns a chart shows.
import uPlot from "../vendor/uplot.js";
import { bytes, ms, rate } from "./numbers.js";

/** Chart -> its series: label, column of the history, colour. */
const SETS = {
  requests: { unit: "/s", show: rate, series: [["Requests", "requests", "--series-1"], ["Errors", "errors", "--series-4"], ["Rejected", "rejected", "--series-3"]] },
  latency: { unit: " ms", show: ms, ticks: (value) => Number(value.toFixed(2)).toLocaleString(), series: [["p50", "p50_ms", "--series-2"], ["p95", "p95_ms", "--series-1"], ["p99", "p99_ms", "--series-5"]] },
  active: { unit: "", show: rate, series: [["In flight", "active", "--series-2"]] },
  bytes: { unit: "/s", show: bytes, series: [["In", "bytes_in", "--series-2"], ["Out", "bytes_out", "--series-1"]] },
};
const HEIGHT = 190;
/** The reader's clock, with its zone. */
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short" });

const colours = new Map();
addEventListener("theme", () => colours.clear());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours.clear();
  dispatchEvent(new Event("theme"));
});

/** Return the colour of a token, as it is in the present theme; asked of the browser once. */
export function colour(name) {
  if (!colours.has(name)) colours.set(name, ask(name));
  return colours.get(name);
}

function ask(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Return the places of values that have no neighbours: no line leads there. */
function lonely(plot, series) {
  const values = plot.data[series];
  const found = [];
  for (let index = 0; index < values.length; index += 1) {
    if (values[index] !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null) found.push(index);
  }
  return found;
}

/** Return a colour as it is below a line. */
function faint(text) {
  const [red, green, blue] = text.match(/[\d.]+/g);
  return `rgb(${red} ${green} ${blue} / 0.09)`;
}

/** Draw a line at each moment when something changed: red when it got worse, green when it got better. */
function drawMarks(plot, marks) {
  const { left, top, width, height } = plot.bbox;
  const paint = plot.ctx;
  paint.save();
  paint.lineWidth = devicePixelRatio || 1;
  paint.setLineDash([4, 4]);
  for (const mark of marks) {
    const x = plot.valToPos(mark.at, "x", true);
    if (x < left || x > left + width) continue;
    paint.strokeStyle = colour({ open: "--bad", down: "--bad", half_open: "--warn", closed: "--good", up: "--good" }[mark.to] ?? "--muted");
    paint.beginPath();
    paint.moveTo(x, top);
    paint.lineTo(x, top + height);
    paint.stroke();
  }
  paint.restore();
}

/** Draw a chart into an element; returns what takes (fleet, history). */
export function lineChart(element, name, marks = []) {
  const set = SETS[name];
  let plot = null;
  let latest = null;

  function build(data) {
    plot?.destroy();
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    plot = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        cursor: { y: false, sync: { key: "fleet" }, points: { size: 6 } },
        legend: { live: true },
        scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, name === "latency" ? 1 : 5)] } },
        axes: [
          { ...axis, space: 80, size: 32, values: [[60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
          { ...axis, size: 52, values: (_, ticks) => ticks.map((value) => String(set.ticks ? set.ticks(value) : set.show(value))) },
        ],
        hooks: { draw: [(drawn) => drawMarks(drawn, marks)], setCursor: [(moved) => moved.cursor.left < 0 && latest && showLatest(moved)] },
        series: [
          { label: "Time", value: (_, at) => (at === null ? "" : clock.format(new Date(at * 1000))) },
          ...set.series.map(([label, , stroke], index) => ({
            label,
            stroke: colour(stroke),
            width: 1.6,
            fill: index === 0 && name !== "latency" ? faint(colour(stroke)) : undefined,
            points: { show: true, size: 3, filter: lonely },
            spanGaps: false,
            value: (_, value) => (value === null || value === undefined ? "–" : `${set.show(value)}${set.unit}`),
          })),
        ],
      },
      data,
      element,
    );
  }

  /** Say in the legend what is newest, while nobody points at anything else. */
  function showLatest(shown = plot) {
    if (shown.cursor.left >= 0) return;
    const last = latest[0].findLastIndex((_, index) => latest.slice(1).some((column) => column[index] !== null));
    shown.setLegend({ idx: last < 0 ? latest[0].length - 1 : last }, false);
  }

  function draw(history) {
    const data = [history.requests.map((_, index) => history.end - history.requests.length + 1 + index)];
    for (const [, column] of set.series) data.push(history[column]);
    if (plot) plot.setData(data);
    else build(data);
    latest = data;
    showLatest();
  }

  new ResizeObserver(() => plot && plot.width !== element.clientWidth && plot.setSize({ width: element.clientWidth, height: HEIGHT })).observe(element);
  addEventListener("theme", () => {
    if (!latest) return;
    build(latest);
    showLatest();
  });
  return (_, history) => history && draw(history);
}
