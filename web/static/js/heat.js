// A heat map of the times of requests: seconds from left to right, half octaves of time from bottom to top.
import { colour } from "./chart.js";

const LABELS = [0.1, 1, 10, 100, 1000, 10_000];
const LEFT = 52;
const BOTTOM = 20;

/** The row of a time: row 0 is everything below 64 us, then two rows per octave. */
const rowOf = (milliseconds) => 1 + 2 * Math.log2((milliseconds * 1000) / 64);

/** Return what draws (fleet, history) on a canvas; it is drawn anew at most every second. */
export function heatMap(canvas) {
  let latest = null;
  const draw = () => {
    if (!latest) return;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const paint = canvas.getContext("2d");
    paint.scale(scale, scale);
    const seconds = latest.heat.length;
    let low = 41;
    let high = 12;
    let most = 1;
    for (const column of latest.heat) {
      for (let place = 0; place < column.length; place += 2) {
        low = Math.min(low, column[place]);
        high = Math.max(high, column[place]);
        most = Math.max(most, column[place + 1]);
      }
    }
    low = Math.max(0, Math.min(low, high - 8) - 1);
    high += 1;
    const wide = (width - LEFT) / seconds;
    const tall = (height - BOTTOM) / (high - low + 1);
    const ink = colour("--series-1");
    const base = height - BOTTOM;
    paint.fillStyle = ink;
    latest.heat.forEach((column, second) => {
      for (let place = 0; place < column.length; place += 2) {
        paint.globalAlpha = 0.12 + (0.88 * Math.log1p(column[place + 1])) / Math.log1p(most);
        paint.fillRect(LEFT + second * wide, base - (column[place] - low + 1) * tall, Math.max(1, wide), Math.max(1, tall - 0.5));
      }
    });
    paint.globalAlpha = 1;
    paint.fillStyle = colour("--muted");
    if (!latest.heat.some((column) => column.length)) {
      paint.font = "14px system-ui, sans-serif";
      paint.textAlign = "center";
      paint.fillText("No requests in the last 10 minutes", width / 2, height / 2);
    }
    paint.font = "12px system-ui, sans-serif";
    paint.textAlign = "right";
    for (const label of LABELS) {
      const y = base - (rowOf(label) - low + 0.5) * tall;
      if (y > 8 && y < base) paint.fillText(label < 1000 ? `${label} ms` : `${label / 1000} s`, LEFT - 6, y + 4);
    }
    paint.textAlign = "center";
    const step = width < 600 ? 4 : 2;
    for (let minute = 0; minute * 60 < seconds; minute += step) {
      const at = new Date((latest.end - minute * 60) * 1000);
      const text = `${String(at.getHours()).padStart(2, "0")}:${String(at.getMinutes()).padStart(2, "0")}`;
      const x = LEFT + (seconds - minute * 60) * wide;
      if (x > LEFT + 16) paint.fillText(text, Math.min(x, width - 18), height - 5);
    }
  };
  addEventListener("theme", draw);
  new ResizeObserver(draw).observe(canvas);
  return (_, history) => {
    if (!history) return;
    latest = history;
    draw();
  };
}
