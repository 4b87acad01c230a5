// Having everything deleted: from within the study, or later by the code.

import { ask } from "../api.js";
import { alarm, element, filled, newId, own, show, tell } from "../dom.js";
import { remember } from "../memory.js";
import { message } from "./message.js";

// At the foot of every page: the code, and the way out.
export function ownPart(study, code) {
  const { texts } = study;
  const leave = () => {
    study.ended = true;
    study.context.suspend();
    own();
    withdrawScreen(texts, code, study.queue);
  };
  return element(
    "details", {}, element("summary", {}, texts.withdraw_title), element("p", {}, texts.code_is, ": ", element("span", { class: "code" }, code)),
    element("p", {}, texts.code_keep), element("p", {}, texts.withdraw_text), element("button", { type: "button", onclick: leave }, texts.withdraw_title),
  );
}

// Deleting takes two presses. What was not sent yet is dropped as well.
export function withdrawScreen(texts, code, queue) {
  const id = newId("code"), problem = alarm();
  const input = element("input", { type: "text", id, value: code, autocomplete: "off", spellcheck: "false", maxlength: 40 });
  const button = element("button", { class: "main" }, texts.withdraw_do);
  let isSure = false;
  const form = element("form", { novalidate: true }, element("p", {}, element("label", { for: id }, texts.withdraw_code)), element("p", {}, input), button, problem);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!isSure) {
      isSure = true;
      button.textContent = texts.withdraw_sure;
      return;
    }
    try {
      await ask("/api/withdraw", { body: { code: input.value } });
      await queue?.clear();
      remember(null);
      tell("");
      message(texts.withdrawn_title, texts.withdrawn);
    } catch (error) {
      problem.textContent = error.status === 404 ? texts.withdraw_unknown : filled(texts.failed, { reason: error.message });
    }
  });
  const back = code ? element("button", { type: "button", onclick: () => location.reload() }, texts.resume_yes) : null;
  show(element("h1", {}, texts.withdraw_title), element("p", {}, texts.withdraw_text), form, element("p", {}), back ?? "");
}
