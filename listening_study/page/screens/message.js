// A text, and perhaps a choice.

import { element, show } from "../dom.js";

export function message(title, text, ...more) {
  show(element("h1", {}, title), element("p", {}, text), ...more);
}

// Resolves with the number of the button that was pressed.
export function choice(title, text, buttons) {
  return new Promise((resolve) => {
    const made = buttons.map((words, place) => element("button", { class: place ? "" : "main", onclick: () => resolve(place) }, words));
    message(title, text, element("div", { class: "row" }, ...made));
  });
}
