// The site without a network. Before this `self.SITE` is set: `version`, a hash of all files; `files`, which are kept at once; and
// `later`, which are large, and are kept when a page has nothing better to do.
//
// Pages come from the network as long as there is one, so a new version is seen at once. All else has the hash of what it is in its
// name: whatever is kept is right, and is taken first. A version's files go when no page of it is open any more.

const { version, files, later } = self.SITE;
const CACHE = `quorate-${version}`;
const kept = () => caches.open(CACHE);

addEventListener("install", (event) => {
  event.waitUntil(kept().then((cache) => cache.addAll(files)));
});

addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const names = await caches.keys();
      const old = names.filter((name) => name.startsWith("quorate-") && name !== CACHE);
      await Promise.all(old.map((name) => caches.delete(name)));
      await clients.claim();
    })(),
  );
});

addEventListener("message", (event) => {
  if (event.data !== "later") return;
  event.waitUntil(
    (async () => {
      const cache = await kept();
      for (const file of later) {
        // One that does not come now comes another time.
        if ((await cache.match(file)) === undefined) await cache.add(file).catch(() => {});
      }
    })(),
  );
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  event.respondWith(request.mode === "navigate" ? page(request) : asset(request));
});

async function page(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const cache = await kept();
    const url = new URL(request.url);
    const path = url.pathname.endsWith("/") ? `${url.pathname}index.html` : url.pathname;
    const found = await cache.match(path, { ignoreSearch: true });
    if (found === undefined) throw error;
    return found;
  }
}

async function asset(request) {
  const cache = await kept();
  return (await cache.match(request)) ?? fetch(request);
}
