// What is asked from now on, and whether the answers count.

import { element, show } from "../dom.js";

export function begins(study, trial) {
  const { texts } = study;
  return new Promise((resolve) => {
    show(
      element("h1", {}, texts.begins_title), element("p", {}, texts.begins_text),
      element("p", { class: "question" }, trial.question),
      trial.explained ? element("p", {}, trial.explained) : null,
      element("p", { class: "hint" }, trial.practice ? texts.begins_practice : texts.begins_counts),
      element("div", { class: "row" }, element("button", { class: "main", onclick: resolve }, texts.go_on)),
    );
  });
}
