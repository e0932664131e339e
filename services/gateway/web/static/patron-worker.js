// The worker of patrons: keeps the account as it was seen last, if its reader asked for it (kept.js),
// deletes it with a log-out, and shows the messages that the library sends to this device.

const CACHE = "carrel-account";
const COPY = "/me/copy";
let storing = Promise.resolve(); // one act after the other, so that a log-out is the last

self.addEventListener("fetch", function (event) {
  const request = event.request;
  const path = new URL(request.url).pathname;
  if (path === "/log-out" && request.method === "POST") {
    event.respondWith(leave(request));
  } else if (request.mode === "navigate") {
    event.respondWith(answered(request, () => copy(request)));
  } else if (path.startsWith("/static/")) {
    event.respondWith(file(request, CACHE));
  }
});

self.addEventListener("message", function (event) {
  event.waitUntil(
    after(event.data === "keep" ? keep : forget).then(() => event.ports[0].postMessage("done"))
  );
});

function after(act) {
  storing = storing.then(act).catch(() => undefined); // it is tried again with the next page
  return storing;
}

// An account that is being stored at this moment is deleted, too.
async function leave(request) {
  try {
    return await fetch(request);
  } finally {
    await after(forget);
  }
}

// The page that was kept; after a command its first hidden part says that it may not have arrived.
async function copy(request) {
  const kept = await caches.match(COPY, { cacheName: CACHE });
  if (!kept || request.method === "GET") {
    return kept;
  }
  return new Response((await kept.text()).replace("hidden", ""), { headers: kept.headers });
}

async function keep() {
  const answer = await fetch(COPY, { redirect: "manual", headers: { Accept: "text/html" } });
  if (answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) {
    await forget(); // the session has ended
  } else if (answer.ok) {
    const files = new Set((await answer.clone().text()).match(/\/static\/[\w/.-]+/g));
    const cache = await caches.open(CACHE);
    await cache.addAll([...files]);
    await cache.put(COPY, answer); // what was kept before stays until this is complete
    for (const request of await cache.keys()) {
      const path = new URL(request.url).pathname;
      if (path !== COPY && !files.has(path)) {
        await cache.delete(request);
      }
    }
  }
}

function forget() {
  return caches.delete(CACHE);
}

self.addEventListener("push", function (event) {
  const message = event.data.json();
  event.waitUntil(
    self.registration.showNotification(message.title, {
      body: message.text,
      lang: message.language,
      tag: message.tag, // a repeated message takes the place of the first
      data: { url: message.url },
    })
  );
});

self.addEventListener("notificationclick", function (event) {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.url));
});
