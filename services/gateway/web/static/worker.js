// Common to the workers of the desk and of patrons, which are two because their scopes are: the
// browser takes the nearer one. Without a network a page is the one that was kept before.
"use strict";

const SLOW_MS = 8000; // later than any answer of the library comes
const GATEWAY_ERRORS = [502, 504]; // of a proxy that does not reach the library

self.addEventListener("install", function () {
  self.skipWaiting();
});
self.addEventListener("activate", function (event) {
  event.waitUntil(self.clients.claim());
});

// The library's answer, else that of `kept`, else the error.
async function answered(request, kept) {
  let answer = null;
  try {
    const asked = [fetch(request)];
    if (request.method === "GET") {
      asked.push(tooSlow());
    }
    answer = await Promise.race(asked);
  } catch {
    // no network: the page that was kept
  }
  if (answer && !GATEWAY_ERRORS.includes(answer.status)) {
    return answer;
  }
  return (await kept()) || answer || Response.error();
}

async function file(request, cacheName) {
  return (await caches.match(request, { cacheName })) || fetch(request);
}

function tooSlow() {
  return new Promise(function (_, refuse) {
    setTimeout(refuse, SLOW_MS);
  });
}
