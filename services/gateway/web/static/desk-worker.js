// The desk's worker: without a network each page of the desk is the one that keeps scans. It stores
// no answer; desk-queue.js has put that page and its files into the cache.

const CACHE = "carrel-desk";
const PAGE = "/desk/offline/page";

self.addEventListener("fetch", function (event) {
  const request = event.request;
  if (request.method !== "GET") {
    return;
  }
  if (request.mode === "navigate") {
    const kept = () => caches.match(PAGE, { cacheName: CACHE, ignoreSearch: true });
    event.respondWith(answered(request, kept));
  } else if (new URL(request.url).pathname.startsWith("/static/")) {
    event.respondWith(file(request, CACHE));
  }
});
