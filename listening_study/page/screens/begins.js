// What is asked from now on.

import { element, show } from "../dom.js";

export function begins(study, trial) {
  const { texts } = study;
  return new Promise((resolve) => {
    show(
      element("h1", {}, texts.begins_title), element("p", {}, texts.begins_text),
      element("p", { class: "question" }, trial.question),
      trial.explained ? element("p", {}, trial.explained) : null,
      trial.practice ? element("p", { class: "hint" }, texts.begins_practice) : null,
      element("div", { class: "row" }, element("button", { class: "main", onclick: resolve }, texts.go_on)),
    );
  });
}
