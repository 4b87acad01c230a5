// Keeps the numbers of the experimenter's page up to date, for as long as it is looked at.

const EVERY = 5000; // ms

async function update() {
  const live = document.getElementById("live");
  if (live && !document.hidden) {
    try {
      const response = await fetch("/experimenter");
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("live");
      if (fresh && fresh.textContent !== live.textContent) live.replaceWith(fresh);
    } catch {
      // no connection: what is shown stays
    }
  }
  setTimeout(update, EVERY);
}

setTimeout(update, EVERY);
