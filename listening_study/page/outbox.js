// Where events are kept until the server has them: IndexedDB, or localStorage where that is refused.

const BASE = "listening-study", EVENTS = "events";

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

class IndexedBox {
  constructor(base, participant) {
    this.base = base;
    this.participant = participant;
  }

  static async open(participant) {
    const request = indexedDB.open(BASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(EVENTS, { keyPath: ["participant", "key"] });
    return new IndexedBox(await done(request), participant);
  }

  // Resolves once the change is written, not merely asked for.
  async change(work) {
    const transaction = this.base.transaction(EVENTS, "readwrite", { durability: "strict" });
    const written = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
    work(transaction.objectStore(EVENTS));
    await written;
  }

  put(event) {
    return this.change((events) => events.put({ ...event, participant: this.participant }));
  }

  remove(keys) {
    return this.change((events) => keys.forEach((key) => events.delete([this.participant, key])));
  }

  async all() {
    const range = IDBKeyRange.bound([this.participant], [this.participant, []]);
    const found = await done(this.base.transaction(EVENTS).objectStore(EVENTS).getAll(range));
    return found.sort((one, other) => one.order - other.order);
  }
}

class StoredBox {
  constructor(participant) {
    this.name = `${BASE}-${participant}`;
  }

  async all() {
    return JSON.parse(localStorage.getItem(this.name) ?? "[]");
  }

  async put(event) {
    localStorage.setItem(this.name, JSON.stringify([...(await this.all()), event]));
  }

  async remove(keys) {
    const left = (await this.all()).filter((event) => !keys.includes(event.key));
    if (left.length) localStorage.setItem(this.name, JSON.stringify(left));
    else localStorage.removeItem(this.name);
  }
}

export async function openBox(participant) {
  try {
    return await IndexedBox.open(participant);
  } catch {
    return new StoredBox(participant);
  }
}
