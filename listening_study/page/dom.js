// Makes elements. Texts are only ever set as text, so nothing that is sent can become markup.

const find = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true && !key.startsWith("aria-")) made.setAttribute(key, "");
    else if ((value !== false || key.startsWith("aria-")) && value !== null && value !== undefined) made.setAttribute(key, String(value));
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// After a screen that is the last one nothing comes.
export const ended = () => new Promise(() => {});

export function show(...children) {
  find("main").replaceChildren(...children.filter((child) => child !== null));
  const heading = find("main").querySelector("h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  window.scrollTo(0, 0);
}

export function tell(text) {
  if (find("status").textContent !== text) find("status").textContent = text;
}

export function own(...children) {
  find("own").replaceChildren(...children);
}

export function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function alarm() {
  return element("p", { class: "alarm", role: "alert" });
}

let names = 0;
export function newId(before) {
  names += 1;
  return `${before}${names}`;
}

// A range with its name before it and its value behind; `words` say the value to screen readers, where it is asked for.
export function labelledRange(label, { min, max, step, value, unit, words, oninput }) {
  const id = newId("range"), shown = element("span", { "aria-hidden": true, class: "value" });
  const input = element("input", { type: "range", id, min, max, step });
  input.addEventListener("input", () => {
    set(Number(input.value));
    oninput(Number(input.value));
  });
  function move(number) {
    input.value = number;
    shown.textContent = `${unit === "s" ? Number(number).toFixed(1) : number} ${unit}`;
  }
  function set(number) {
    move(number);
    input.setAttribute("aria-valuetext", words(number));
  }
  set(value);
  return { box: element("div", { class: "labelled" }, element("label", { for: id }, label), input, shown), input, set, move };
}
