// Begins what a page needs: every module looks for its own marks in the page and does nothing without them.
import { watchEvents } from "./events.js";
import { watchFleet } from "./fleet.js";
import { enhanceForm } from "./form.js";
import { watchMonitor } from "./monitor.js";
import { watchProxies } from "./proxies.js";
import { showTimes } from "./times.js";

const theme = document.getElementById("theme");
theme?.addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  dispatchEvent(new Event("theme"));
});

showTimes(document);
const form = document.getElementById("object-form");
if (form) enhanceForm(form);
const events = document.getElementById("events");
if (events) watchEvents(events);
const monitor = document.getElementById("monitor");
if (monitor) watchMonitor(monitor);
if (document.querySelector("section.node")) watchProxies();
if (document.getElementById("fleet-state")) watchFleet();
