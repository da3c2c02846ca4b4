// Line charts over the last ten minutes, drawn by uPlot in the colours of the design.
//   lineChart(element, "requests") returns a listener for onFleet; SETS says which columns a chart shows.
import uPlot from "../vendor/uplot.js";
import { ms, rate } from "./numbers.js";

/** Chart -> its series: label, column of the history, colour. */
const SETS = {
  requests: { unit: "/s", show: rate, series: [["Requests", "requests", "--series-1"], ["Errors", "errors", "--series-4"], ["Rejected", "rejected", "--series-3"]] },
  latency: { unit: "ms", show: ms, series: [["p50", "p50_ms", "--series-2"], ["p95", "p95_ms", "--series-1"], ["p99", "p99_ms", "--series-5"]] },
  active: { unit: "", show: rate, series: [["In flight", "active", "--series-2"]] },
  bytes: { unit: "B/s", show: rate, series: [["In", "bytes_in", "--series-2"], ["Out", "bytes_out", "--series-1"]] },
};
const HEIGHT = 190;

/** Return the colour of a token, as it is in the present theme. */
export function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Draw a chart into an element; returns what takes (fleet, history). */
export function lineChart(element, name) {
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
          { ...axis, size: 52, values: (_, ticks) => ticks.map((value) => set.show(value)) },
        ],
        series: [
          { label: "Time", value: "{HH}:{mm}:{ss}" },
          ...set.series.map(([label, , stroke], index) => ({
            label,
            stroke: colour(stroke),
            width: 1.6,
            fill: set.series.length < 3 || index === 0 ? colour(stroke).replace(")", " / 0.09)").replace("rgb(", "rgb(").replace(/, /g, " ") : undefined,
            points: { show: false },
            spanGaps: false,
            value: (_, value) => (value === null || value === undefined ? "–" : `${set.show(value)} ${set.unit}`),
          })),
        ],
      },
      data,
      element,
    );
  }

  function draw(history) {
    const data = [history.requests.map((_, index) => history.end - history.requests.length + 1 + index)];
    for (const [, column] of set.series) data.push(history[column]);
    if (plot) plot.setData(data);
    else build(data);
    latest = data;
  }

  new ResizeObserver(() => plot && plot.width !== element.clientWidth && plot.setSize({ width: element.clientWidth, height: HEIGHT })).observe(element);
  addEventListener("theme", () => latest && build(latest));
  return (_, history) => history && draw(history);
}
