// Conditions of a routing, put together from parts: they become lines of the text that they are, which stays editable.
const SUBJECTS = ["header", "cookie", "query", "path", "client_ip", "method", "host"];
const NAMED = new Set(["header", "cookie", "query", "path"]);
const OPERATORS = ["==", "!=", "in", "not in", "contains", "not contains", "~", "not ~", "<", "<=", ">", ">=", "exists", "not exists"];

/** Above each list of conditions, put what adds one. */
export function addBuilders(form) {
  for (const area of form.querySelectorAll('textarea[name="when.all"], textarea[name="when.any"]')) area.before(builder(area));
}

function choice(label, words) {
  const made = document.createElement("select");
  made.setAttribute("aria-label", label);
  made.append(...words.map((word) => new Option(word.replace("_", " "), word)));
  return made;
}

function text(label, placeholder) {
  const made = document.createElement("input");
  Object.assign(made, { placeholder, autocomplete: "off", spellcheck: false });
  made.setAttribute("aria-label", label);
  return made;
}

function builder(area) {
  const row = document.createElement("div");
  row.className = "builder";
  const subject = choice("What to look at", SUBJECTS);
  const name = text("Its name", "name");
  const operator = choice("How to compare", OPERATORS);
  const value = text("With what", "value");
  const add = document.createElement("button");
  Object.assign(add, { type: "button", className: "small", textContent: "Add" });
  const fit = () => {
    name.hidden = !NAMED.has(subject.value);
    value.hidden = operator.value.endsWith("exists");
    add.disabled = (!name.hidden && !name.value.trim()) || (!value.hidden && !value.value.trim());
  };
  const put = () => {
    const of = name.hidden ? subject.value : `${subject.value}_${name.value.trim()}`;
    const line = `$${of} ${operator.value}${value.hidden ? "" : ` ${value.value.trim()}`}`;
    area.value = [area.value.trim(), line].filter(Boolean).join("\n");
    value.value = "";
    fit();
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  row.addEventListener("input", (event) => {
    event.stopPropagation(); // nothing of the document has changed
    fit();
  });
  row.addEventListener("change", (event) => event.stopPropagation());
  row.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (!add.disabled) put();
  });
  add.addEventListener("click", put);
  row.append(subject, name, operator, value, add);
  fit();
  return row;
}

const SPANS = [["1 hour", 3600], ["1 day", 86_400], ["1 week", 604_800]];

/** Beside the moment when a routing expires, offer some from now on. */
export function offerMoments(form) {
  const input = form.querySelector('input[name="expires_at"]');
  if (!input) return;
  const row = document.createElement("div");
  row.className = "row offer";
  row.append(
    ...SPANS.map(([label, seconds]) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "small", textContent: `in ${label}` });
      button.addEventListener("click", () => {
        input.value = new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+/, "");
        input.dispatchEvent(new Event("input", { bubbles: true }));
      });
      return button;
    }),
  );
  input.closest(".with-unit").after(row);
}
