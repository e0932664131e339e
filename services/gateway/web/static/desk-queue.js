// The desk's queue of scans, on each page of the desk: prepares the browser for the time without a
// network, and says how many scans wait to be sent. Every scan in it is encrypted (offline.js).
"use strict";

window.deskQueue = (function () {
  const CACHE = "carrel-desk";
  const FRESH_MS = 600000;
  const own = document.currentScript.dataset;
  const others = new BroadcastChannel(CACHE);
  let waiting = 0;

  function opened() {
    return new Promise(function (done, failed) {
      const asked = indexedDB.open(CACHE, 1);
      asked.onupgradeneeded = function () {
        asked.result.createObjectStore("queue", { keyPath: "place", autoIncrement: true });
        asked.result.createObjectStore("facts");
      };
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => failed(asked.error);
    });
  }

  // Runs one request on a store; its result is there once it is stored.
  async function on(store, mode, act) {
    const database = await opened();
    try {
      return await new Promise(function (done, failed) {
        const change = database.transaction(store, mode, { durability: "strict" });
        const asked = act(change.objectStore(store));
        change.oncomplete = () => done(asked.result);
        change.onabort = change.onerror = () => failed(change.error);
      });
    } finally {
      database.close();
    }
  }

  async function changed() {
    waiting = await on("queue", "readonly", (queue) => queue.count());
    for (const place of document.querySelectorAll("[data-kept]")) {
      place.textContent = waiting;
    }
    const banner = document.getElementById("kept-scans");
    if (banner) {
      banner.hidden = !waiting;
    }
    document.dispatchEvent(new Event("desk-queue"));
  }

  async function write(act) {
    const result = await on("queue", "readwrite", act);
    others.postMessage("changed");
    await changed();
    return result;
  }

  // Fetched without the session, so that nothing personal can be in what is kept.
  async function keep(addresses) {
    const cache = await caches.open(CACHE);
    for (const address of addresses) {
      const answer = await fetch(address, { credentials: "omit" });
      if (!answer.ok) {
        throw new Error(address);
      }
      await cache.put(address, answer);
    }
    for (const request of await cache.keys()) {
      const url = new URL(request.url);
      if (!addresses.includes(url.pathname + url.search)) {
        await cache.delete(request);
      }
    }
  }

  async function prepare() {
    await navigator.serviceWorker.register(own.worker, { scope: "/desk" });
    const had = await on("facts", "readonly", (facts) => facts.get("list"));
    if (had && had.version === own.version && Date.now() - had.at < FRESH_MS) {
      return;
    }
    const answer = await fetch(own.list, { headers: { Accept: "application/json" } });
    const list = answer.ok && !answer.redirected ? await answer.json() : {};
    if (list.key) {
      const at = Date.now();
      await keep([own.page, ...own.files.split(" ")]);
      const facts = { ...list, version: own.version, at, ahead: Date.parse(list.now) - at };
      await on("facts", "readwrite", (store) => store.put(facts, "list"));
    }
  }

  function refresh() {
    if (navigator.onLine) {
      prepare().catch(() => undefined); // it is tried again
    }
  }

  others.onmessage = changed;
  document.addEventListener("DOMContentLoaded", function () {
    changed().catch(() => undefined); // a browser that stores nothing
    if (own.worker && "serviceWorker" in navigator) {
      refresh();
      setInterval(refresh, FRESH_MS);
    }
  });
  // A log-out says how many scans wait, and leaves them.
  document.addEventListener("submit", function (event) {
    if (waiting && event.target.matches("[action='/log-out']")) {
      const count = document.createElement("input");
      Object.assign(count, { type: "hidden", name: "kept_scans", value: waiting });
      event.target.append(count);
    }
  });

  return {
    facts: () => on("facts", "readonly", (facts) => facts.get("list")),
    all: () => on("queue", "readonly", (queue) => queue.getAll()),
    add: (entry) => write((queue) => queue.add(entry)),
    remove: (place) => write((queue) => queue.delete(place)),
  };
})();
