// What goes wrong around the page: each is told in a sentence with its code, and nothing hangs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inWorkers, openSite } from "./help.mjs";

const visit = openSite();

/** Lets every write of some nodes fail from the moment that the test sets off, as IndexedDB does on a full disk. */
const fullDisk = (which) => `
  let node;
  addEventListener("message", ({ data }) => { if (data.type === "start") node = data.node; });
  new BroadcastChannel("disk").onmessage = ({ data }) => {
    if (!(${which})) return;
    IDBObjectStore.prototype.put = function () {
      throw new DOMException("no space is left", "QuotaExceededError");
    };
  };
`;

test("a node whose disk is full halts with its reason; the others go on; started, it catches up", async (t) => {
  const visitor = await visit(t, {
    prepare: (context) => inWorkers(context, fullDisk("node === 2")),
  });
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.page.evaluate(() => new BroadcastChannel("disk").postMessage("full"));
  assert.match(await visitor.call("Put", "k", "2"), /stored at revision 2/);
  await visitor.badge(2, "Halted");
  const trouble = visitor.card(2).locator(".error");
  await trouble.waitFor();
  assert.match(
    await trouble.textContent(),
    /Make room on the disk, then start it\. \(QUOTA_EXCEEDED\)$/,
  );
  await visitor.told("Node 2 halted");
  // Its new worker has a whole disk.
  await visitor.button("Start node 2").click();
  await visitor.badge(2, "Follower");
  assert.equal(await trouble.isVisible(), false);
  await visitor.alike("Committed");
});

test("when all disks are full nothing more is stored, which is said; started, the nodes have what was", async (t) => {
  const visitor = await visit(t, { prepare: (context) => inWorkers(context, fullDisk("true")) });
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.alike("Committed");
  await visitor.page.evaluate(() => new BroadcastChannel("disk").postMessage("full"));
  assert.match(await visitor.call("Put", "k", "2"), /no majority could agree.*\(NO_QUORUM\)$/);
  for (const id of [1, 2, 3]) await visitor.badge(id, "Halted");
  await visitor.summary("No quorum: 0 of 3 nodes run, 2 are needed. Start a node.");
  assert.match(await visitor.card(1).locator(".error").textContent(), /\(QUOTA_EXCEEDED\)$/);
  for (const id of [1, 2, 3]) await visitor.button(`Start node ${id}`).click();
  await visitor.leader();
  assert.match(await visitor.call("Get", "k"), /“1”, of revision 1/);
  assert.match(await visitor.call("Put", "k", "3"), /stored at revision/);
});

test("disks that are full from the beginning are told, with what to do; in memory the page goes on", async (t) => {
  const full = `
    IDBObjectStore.prototype.put = function () {
      throw new DOMException("no space is left", "QuotaExceededError");
    };
  `;
  const visitor = await visit(t, { prepare: (context) => inWorkers(context, full) });
  const trouble = visitor.page.locator("#trouble");
  await trouble.getByText(/\(QUOTA_EXCEEDED\)/).waitFor();
  await trouble.getByText(/Make room, and try again\./).waitFor();
  await visitor.button("Go on in memory").click();
  await visitor.leader();
  await visitor.page.getByText("This cluster is in memory alone").waitFor();
  assert.equal(await trouble.isVisible(), false);
  assert.match(await visitor.call("Put", "k", "1"), /stored at revision 1/);
});

test("without IndexedDB the page says why nothing is stored, and runs in memory", async (t) => {
  const off = `Object.defineProperty(globalThis, "indexedDB", { value: undefined });`;
  const visitor = await visit(t, { prepare: (context) => inWorkers(context, off) });
  const leader = await visitor.leader();
  const warning = await visitor.page.locator("#warning").textContent();
  assert.match(warning, /^This cluster is in memory alone: .* it ends with this page\. /);
  assert.match(warning, /Leave the private window, or allow .*\. \(STORAGE_UNAVAILABLE\)$/);
  assert.equal(await visitor.page.locator("#trouble").isVisible(), false);
  assert.match(await visitor.call("Put", "k", "1"), /stored at revision 1/);
  await visitor.kill(leader);
  await visitor.leader(leader);
  assert.match(await visitor.call("Get", "k"), /“1”/);
  await visitor.button(`Start node ${leader}`).click();
  await visitor.badge(leader, "Follower");
  // There is no database to delete.
  const evict = visitor.button("Delete database of node 1");
  assert.equal(await evict.getAttribute("aria-disabled"), "true");
  await evict.dispatchEvent("click");
  assert.equal(await visitor.page.getByText("is deleted").count(), 0);
});

test("a second tab can run a cluster of its own in memory", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "first");
  const first = visitor.page;
  visitor.page = await visitor.openTab();
  await visitor.button("Go on in memory").click();
  await visitor.leader();
  await visitor.page.getByText("This cluster is in memory alone").waitFor();
  assert.match(await visitor.call("Get", "k"), /there is none/);
  await visitor.call("Put", "k", "second");
  const second = visitor.page;
  visitor.page = first;
  assert.match(await visitor.call("Get", "k"), /“first”, of revision 1/);
  // It goes on when the first is closed, and has what that stored when it is loaded again.
  await first.close();
  visitor.page = second;
  assert.match(await visitor.call("Get", "k"), /“second”, of revision 1/);
  await second.reload();
  await visitor.leader();
  assert.match(await visitor.call("Get", "k"), /“first”, of revision 1/);
});

test("without Web Locks the page runs all the same", async (t) => {
  const off = `Object.defineProperty(Navigator.prototype, "locks", { value: undefined });`;
  const inWorker = `Object.defineProperty(WorkerNavigator.prototype, "locks", { value: undefined });`;
  const prepare = async (context) => {
    await context.addInitScript(off);
    await inWorkers(context, inWorker);
  };
  const visitor = await visit(t, { prepare });
  await visitor.leader();
  assert.match(await visitor.call("Put", "k", "1"), /stored at revision 1/);
});

test("WebAssembly that a policy forbids is told with what still works", async (t) => {
  const prepare = (context) =>
    context.route("**/index.html", async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replace(" 'wasm-unsafe-eval'", "");
      await route.fulfill({ response, body });
    });
  const visitor = await visit(t, { prepare });
  await visitor.page.getByText("(WASM_LOAD)").waitFor();
  await visitor.page.getByText("forbids WebAssembly").waitFor();
  assert.equal(await visitor.button("Try again").isVisible(), true);
});

test("WebAssembly that does not come is told, and tried again", async (t) => {
  let missing = true;
  const prepare = async (context) => {
    for (const file of [/\.wasm$/, /\/embedded[^/]*\.js$/])
      await context.route(file, (route) => (missing ? route.abort() : route.continue()));
  };
  const visitor = await visit(t, { prepare });
  await visitor.page.getByText("(WASM_LOAD)").waitFor();
  await visitor.page.getByText("Check the connection, and try again.").waitFor();
  missing = false;
  await visitor.button("Try again").click();
  await visitor.leader();
});

test("a worker that does not come is told", async (t) => {
  const prepare = async (context) => {
    for (const file of [/\/worker-[^/]*\.js$/, /\/embedded[^/]*\.js$/])
      await context.route(file, (route) => route.abort());
  };
  const visitor = await visit(t, { prepare });
  await visitor.page.getByText("(WORKER_FAILED)").waitFor();
  await visitor.page.getByText("Reload the page.").waitFor();
});

test("data that is cleared under a node halts it with a reason, and it comes back by itself", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.evict(3);
  await visitor.told(/^\S+Node 3 halted: .* starts again by itself\. \(STORAGE_[A-Z_]+\)$/);
  assert.match(await visitor.call("Put", "k", "2"), /stored at revision 2/);
  await visitor.told("Node 3 has learned everything, and has its vote again");
  await visitor.badge(3, /Follower|Leader/);
  assert.equal(await visitor.card(3).locator(".error").isVisible(), false);
});

test("damaged data halts the node that has it, and the place is named", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  await visitor.alike("Committed");
  await visitor.kill(1);
  await visitor.page.evaluate(async () => {
    const done = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const name = (await indexedDB.databases()).map((one) => one.name).find((n) => n.endsWith("1"));
    const database = await done(indexedDB.open(name));
    const [store] = database.objectStoreNames;
    const records = database.transaction(store, "readwrite").objectStore(store);
    const key = (await done(records.getAllKeys())).find((key) => String(key).includes("log"));
    const bytes = new Uint8Array(await done(records.get(key)));
    bytes[bytes.length - 1] ^= 1;
    await done(records.put(bytes, key));
    database.close();
  });
  await visitor.button("Start node 1").click();
  await visitor.badge(1, "Halted");
  const text = await visitor.card(1).locator(".error").textContent();
  assert.match(text, /log\/0+.*\(STORAGE_CORRUPT\)$/);
  assert.match(await visitor.call("Get", "k"), /“1”/);
});

test("the Content-Security-Policy holds: no foreign, inline or evaluated code runs", async (t) => {
  const prepare = (context) =>
    context.route("**/probe.js", (route) =>
      route.fulfill({
        contentType: "text/javascript",
        body: "try { globalThis.own = eval('1'); } catch (error) { globalThis.own = error.name; }",
      }),
    );
  const visitor = await visit(t, { prepare });
  await visitor.leader();
  const outcome = await visitor.page.evaluate(async () => {
    const blocked = [];
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) =>
      blocked.push(effectiveDirective),
    );
    const add = (tag, attributes, text = "") => {
      const element = Object.assign(document.createElement(tag), attributes);
      element.append(text);
      document.body.append(element);
      return element;
    };
    add("script", {}, "globalThis.inline = true");
    add("script", { src: "http://127.0.0.1:9/foreign.js" });
    add("img", { src: "http://127.0.0.1:9/foreign.png" });
    add("style", {}, "body { display: none }");
    fetch("http://127.0.0.1:9/").catch(() => {});
    add("script", { src: "./probe.js" });
    const end = performance.now() + 5_000;
    while (blocked.length < 6 && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 10));
    return { inline: globalThis.inline, own: globalThis.own, blocked: blocked.sort() };
  });
  assert.deepEqual(outcome, {
    inline: undefined,
    own: "EvalError",
    blocked: [
      "connect-src",
      "img-src",
      "script-src",
      "script-src-elem",
      "script-src-elem",
      "style-src-elem",
    ],
  });
});
