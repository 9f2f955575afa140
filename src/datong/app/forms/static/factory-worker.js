"use strict";
// Pages of the factory as they were last seen, for a phone without a line. What is sent is never answered from here.
const KEPT = "datong-factory";
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const isOurs = url.pathname === "/factory" || url.pathname.startsWith("/factory/") || url.pathname.startsWith("/forms-static/");
  if (event.request.method !== "GET" || url.origin !== self.location.origin || !isOurs) return;
  event.respondWith(fromLine(event.request));
});
// A page is kept by its path alone; of a part of a list, nothing.
const nameOf = (request) => {
  const url = new URL(request.url);
  if (request.mode !== "navigate") return request.url;
  return url.searchParams.has("part") ? null : url.pathname;
};
async function fromLine(request) {
  const name = nameOf(request), kept = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected && name) await kept.put(name, answer.clone());
    return answer;
  } catch (error) {
    const before = name && (await kept.match(name));
    if (before) return before;
    throw error;
  }
}
