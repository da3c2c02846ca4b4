// Forms work without this. With it, problems show while one types, rows come and go without a new page, and names of other
// objects are suggested.
import { ask, send } from "./api.js";
import { addBuilders, offerMoments } from "./builder.js";
import { watchPreview } from "./preview.js";

const PAUSE_MS = 350;

export function enhanceForm(form) {
  let timer = 0;
  let isChanged = false;
  const isOurs = (input) => !input.name?.startsWith("_sample"); // the rest is only looked at
  form.addEventListener("input", (event) => {
    if (!isOurs(event.target)) return;
    isChanged = true;
    clearTimeout(timer);
    timer = setTimeout(() => check(form, event.target), PAUSE_MS);
  });
  form.addEventListener("change", (event) => isOurs(event.target) && check(form, event.target));
  form.addEventListener("click", (event) => {
    const button = event.target.closest('button[name="_add"], button[name="_remove"]');
    if (!button) return;
    event.preventDefault();
    changeRows(form, button);
  });
  addHelps(form);
  watchPreview(form);
  for (const link of document.querySelectorAll("a[data-goes-to]")) link.addEventListener("click", (event) => goTo(form, event));
  form.addEventListener("focusin", (event) => suggest(event.target));
  form.addEventListener("submit", () => (isChanged = false));
  addEventListener("beforeunload", (event) => isChanged && event.preventDefault());
}

/** Put the cursor where a problem is, whatever is folded around it. */
function goTo(form, event) {
  const name = event.target.dataset.goesTo;
  const at = document.getElementById(name) ?? form.querySelector(`[data-problem="${CSS.escape(name)}"]`); // a row has no input of its own
  if (!at) return;
  event.preventDefault();
  for (let part = at.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  const input = at.matches("fieldset") ? at.querySelector("input, select, textarea, button") : at;
  input?.focus({ preventScroll: true });
  at.scrollIntoView({ block: "center" });
}

/** What makes inputs easier; again whenever the form was replaced. */
function addHelps(form) {
  addSliders(form);
  addBuilders(form);
  offerMoments(form);
}

/** Above a percentage, a slider that moves with it. */
function addSliders(form) {
  for (const input of form.querySelectorAll("input[data-slider]")) {
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: 100, className: "slider", value: input.value || 100 });
    slider.setAttribute("aria-label", "Share in percent");
    slider.addEventListener("input", () => {
      input.value = slider.value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    input.addEventListener("input", () => (slider.value = input.value));
    input.closest(".with-unit").before(slider);
  }
}

/** Show the problems of inputs that somebody has been at; the rest waits until it is saved. */
async function check(form, input) {
  if (input.name) input.dataset.touched = "true";
  const response = await send(form.dataset.check, new FormData(form)).catch(() => null);
  if (!response?.ok) return;
  const { problems } = await response.json();
  for (const place of form.querySelectorAll("[data-problem]")) {
    const name = place.dataset.problem;
    const at = form.elements.namedItem(name);
    const wasTouched = at?.dataset?.touched || place.textContent;
    const text = wasTouched ? (problems[name] ?? []).join("\n") : "";
    if (place.textContent !== text) place.textContent = text;
    if (at?.setAttribute) text ? at.setAttribute("aria-invalid", "true") : at.removeAttribute("aria-invalid");
  }
}

/** Ask the server for the form with a row more or less, and put it in place of this one. */
async function changeRows(form, button) {
  const fields = new FormData(form);
  fields.set(button.name, button.value);
  const response = await send(location.href, fields);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(form.id);
  if (!fresh) return form.requestSubmit(button);
  const list = CSS.escape(button.value.replace(/\[\d+\]$/, ""));
  const open = new Set([...form.querySelectorAll("details[open]")].map((part) => part.querySelector("summary").textContent));
  const preview = form.querySelector("#preview"); // what was typed there is nobody else's business
  form.replaceChildren(...fresh.children);
  form.querySelector("#preview")?.replaceWith(preview);
  addHelps(form);
  form.dispatchEvent(new Event("rows"));
  for (const part of form.querySelectorAll("details")) part.open ||= open.has(part.querySelector("summary").textContent);
  const rows = form.querySelectorAll(`#${list} input:not([type="hidden"])`);
  (button.name === "_add" ? rows[rows.length - (form.querySelector(`#${list} .pair`) ? 2 : 1)] : form.querySelector(`#${list} button`))?.focus();
}

/** Offer the names of the objects that an input may name. */
async function suggest(input) {
  const kind = input.dataset?.suggest;
  if (!kind || input.dataset.suggested) return;
  input.dataset.suggested = "true";
  const list = document.createElement("datalist");
  list.id = `${input.name}-names`;
  const fill = async () => {
    const words = input.value.split(/[\n,]/).pop().trim();
    const { items } = await ask(`/${kind}s?limit=20&search=${encodeURIComponent(words)}`);
    list.replaceChildren(...items.map(({ name }) => new Option(name)));
  };
  if (input.tagName === "INPUT") {
    input.after(list);
    input.setAttribute("list", list.id);
    input.addEventListener("input", fill);
    await fill();
  } else offerBelow(input, kind);
}

/** Below a list of names, offer those that are not in it yet as buttons. */
async function offerBelow(area, kind) {
  const offer = document.createElement("div");
  offer.className = "row offer";
  area.after(offer);
  const fill = async () => {
    const present = new Set(area.value.split(/[\n,]/).map((line) => line.trim()));
    const { items } = await ask(`/${kind}s?limit=30`);
    offer.replaceChildren(
      ...items.filter(({ name }) => !present.has(name)).slice(0, 12).map(({ name }) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "small";
        button.textContent = `+ ${name}`;
        button.addEventListener("click", () => {
          area.value = [...area.value.split(/[\n,]/).map((line) => line.trim()).filter(Boolean), name].join("\n");
          area.dispatchEvent(new Event("input", { bubbles: true }));
          button.remove();
        });
        return button;
      }),
    );
  };
  area.addEventListener("change", fill);
  await fill();
}
