// What one agrees to. Nothing is stored before.

import { ask, isPassing, waitFor } from "../api.js";
import { device } from "../device.js";
import { alarm, element, filled, newId, show, tell } from "../dom.js";

// Resolves with the id of the new participant.
export function consent(about, key) {
  const { texts } = about;
  return new Promise((resolve) => {
    const id = newId("agree"), problem = alarm();
    const box = element("input", { type: "checkbox", id });
    const button = element("button", { class: "main" }, texts.start);
    const form = element("form", { novalidate: true }, element("p", { class: "agree" }, box, element("label", { for: id }, texts.agree)), button, problem);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      problem.textContent = box.checked ? "" : texts.agree_first;
      if (!box.checked) return box.focus();
      button.disabled = true;
      const joined = await join(about, key, problem);
      if (joined) resolve(joined);
      button.disabled = false;
    });
    const parts = about.consent.text.split("\n\n").map((part) => element("p", {}, part));
    show(element("h1", {}, texts.consent_title), ...parts, form);
  });
}

// Asks until there is an answer; asked twice with one key, the server lets one in.
async function join(about, key, problem) {
  const { texts } = about;
  for (let tries = 0; ; tries += 1) {
    try {
      const body = { key, consent_sha256: about.consent.sha256, device: device() };
      const answer = await ask("/api/join", { body });
      tell("");
      return answer.participant;
    } catch (error) {
      if (!isPassing(error)) {
        problem.textContent = error.status === 409 ? texts.changed : filled(texts.failed, { reason: error.message });
        if (error.status === 409) location.reload();
        return null;
      }
      tell(texts.waiting);
      await waitFor(error, tries);
    }
  }
}
