// Beside a form: what would become of a request, asked of the code that serves whenever something is typed.
import { send } from "./api.js";

const PAUSE_MS = 250;
let asked = 0;

/** Keep the preview of a form up to date; rows may come and go, so it is looked for each time. */
export function watchPreview(form) {
  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(form), PAUSE_MS);
  };
  form.addEventListener("input", soon);
  form.addEventListener("rows", soon);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("#preview input")) event.preventDefault(); // nothing is saved there
  });
  show(form);
}

/** Return a URL that fits the path of the form: variables stand for themselves until somebody writes another one. */
function imagined(form) {
  const path = form.elements.namedItem("path")?.value || "/";
  if (path.startsWith("~")) return "/";
  return path.replace(/\{\w+(?::([^{}]*))?\}/g, (_, kind) => (kind === "int" ? "1" : (kind ?? "").split("|")[0] || "x")).replace("*", "a/b");
}

async function show(form) {
  const card = form.querySelector("#preview");
  if (!card) return;
  card.hidden = false;
  const url = card.querySelector("#_sample_url");
  url.placeholder = imagined(form);
  const fields = new FormData(form);
  if (!url.value) fields.set(url.name, url.placeholder);
  const mine = (asked += 1);
  const response = await send(card.dataset.preview, fields).catch(() => null);
  if (!response?.ok || mine !== asked) return; // a newer question is on its way
  const told = new DOMParser().parseFromString(await response.text(), "text/html");
  card.querySelector("[data-outcome]").replaceChildren(...told.body.children);
}
