// Begins what a page needs: every module looks for its own marks in the page and does nothing without them.
import { watchEvents } from "./events.js";
import { watchFleet } from "./fleet.js";
import { enhanceForm } from "./form.js";
import { watchMonitor } from "./monitor.js";
import { watchProxies } from "./proxies.js";
import { keepTimes } from "./times.js";

const theme = document.getElementById("theme");
theme?.addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  dispatchEvent(new Event("theme"));
});

keepTimes();
// What cannot be undone is asked about first.
for (const risky of document.querySelectorAll("form[data-confirm]")) {
  risky.addEventListener("submit", (event) => confirm(risky.dataset.confirm) || event.preventDefault());
}

// On a phone the navigation is one line to be pushed to and fro: the present page is in sight.
const nav = document.querySelector(".sidebar nav");
const here = nav?.querySelector("[aria-current]");
if (here) new ResizeObserver(() => (nav.scrollLeft = here.offsetLeft - nav.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2)).observe(nav);
const form = document.getElementById("object-form");
if (form) enhanceForm(form);
const events = document.getElementById("events");
if (events) watchEvents(events);
const monitor = document.getElementById("monitor");
if (monitor) watchMonitor(monitor);
if (document.querySelector("section.node")) watchProxies();
if (document.getElementById("fleet-state")) watchFleet();
