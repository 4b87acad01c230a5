// Asks the server. A lost connection is waited out; a refusal is told by its status.

export class Refused extends Error {
  constructor(status, told, wait) {
    super(told.error ?? String(status));
    this.status = status;
    this.told = told; // what the server says beside the status
    this.wait = wait; // s, where the server says how long
  }
}

export const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is not there on plain http
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function ask(path, { body, kind = "json" } = {}) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const response = await fetch(path, { ...options, credentials: "same-origin" });
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Refused(response.status, told, Number(response.headers.get("Retry-After")));
  }
  return kind === "bytes" ? response.arrayBuffer() : response.json();
}

export function isPassing(error) {
  return !(error instanceof Refused) || error.status === 408 || error.status === 429 || error.status >= 500;
}

// Until the browser is online again, or the time is up.
export function connection(seconds) {
  return new Promise((done) => {
    const ready = () => {
      clearTimeout(timer);
      window.removeEventListener("online", ready);
      done();
    };
    const timer = setTimeout(ready, 1000 * seconds);
    window.addEventListener("online", ready);
  });
}

export function waitFor(error, tries) {
  const wait = error instanceof Refused && error.wait > 0 ? error.wait : Math.min(20, 0.5 * 2 ** tries);
  return connection(wait * (0.75 + 0.5 * Math.random()));
}

// Asks again until there is an answer, or a refusal that will not pass.
export async function askUntil(path, { onwait = () => {}, ...options } = {}) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask(path, options);
    } catch (error) {
      if (!isPassing(error)) throw error;
      onwait();
      await waitFor(error, tries);
    }
  }
}
