// The account without a network. It is kept on this device only if its reader asked for it on the page
// of the card, or has installed the library's page; and until the log-out (patron-worker.js).
"use strict";

(function () {
  const CACHE = "carrel-account"; // the same as in patron-worker.js
  const own = document.currentScript.dataset;
  const workers = navigator.serviceWorker;
  if (!workers || !window.caches) {
    return;
  }
  if (!own.worker) {
    caches.delete(CACHE); // nobody is logged in, or another person than the one whose account it was
    return;
  }

  async function tell(word) {
    if (word === "keep") {
      await workers.register(own.worker, { scope: "/" });
    }
    const { active } = await workers.ready;
    const channel = new MessageChannel();
    await new Promise(function (done) {
      channel.port1.onmessage = done;
      active.postMessage(word, [channel.port2]);
    });
    await show();
  }

  async function has() {
    return Boolean(await caches.match("/me/copy", { cacheName: CACHE }));
  }

  async function show() {
    const kept = await has();
    for (const part of document.querySelectorAll("[data-kept-here]")) {
      part.hidden = kept !== (part.dataset.keptHere === "yes");
    }
  }

  async function refresh() {
    const shown = document.querySelector("[data-live], .library-card");
    const installed = window.matchMedia("(display-mode: standalone)").matches;
    if (shown && (installed || (await has()))) {
      await tell("keep");
    } else {
      // A worker of an earlier release is replaced, and says so in the other windows.
      const registered = await workers.getRegistration("/");
      if (registered && !registered.active?.scriptURL.endsWith(own.worker)) {
        await workers.register(own.worker, { scope: "/" });
      }
      await show();
    }
  }

  const tried = () => refresh().catch(() => undefined); // a browser that stores nothing, or no network

  document.addEventListener("click", function (event) {
    const word = event.target.dataset?.keep;
    if (word) {
      tell(word).catch(() => undefined);
    }
  });
  document.addEventListener("submit", function (event) {
    if (event.target.matches("[action='/log-out']")) {
      tell("forget"); // also if the log-out does not reach the library
    }
  });
  workers.addEventListener("controllerchange", function () {
    const other = workers.controller && !workers.controller.scriptURL.endsWith(own.worker);
    document.getElementById("updated").hidden = !other;
  });
  document.addEventListener("htmx:afterSettle", tried);
  document.addEventListener("account-shown", tried);
  tried();
})();
