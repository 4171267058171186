// Two tabs on one storage, whose locks were stolen or never worked: one of them goes on, and says nothing false.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inWorkers, openSite } from "./help.mjs";

const visit = openSite();

/** How many nodes of the tab have halted with this code. */
const halted = (page, code) =>
  page.locator(".card .error:visible", { hasText: `(${code})` }).count();

async function until(condition, what) {
  for (const end = Date.now() + 20_000; !(await condition()); ) {
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("where there are no locks, the tab that comes later wins, and what was answered is there", async (t) => {
  const visitor = await visit(t, {
    prepare: (context) => inWorkers(context, "delete WorkerNavigator.prototype.locks;"),
  });
  await visitor.leader();
  await visitor.call("Put", "early", "1");
  await visitor.call("Put", "k", "1");
  const first = visitor.page;
  visitor.page = await visitor.openTab();
  await visitor.leader();
  assert.match(await visitor.call("Get", "early"), /“1”/);
  await visitor.call("Put", "k", "2");
  const second = visitor.page;

  visitor.page = first;
  await visitor.begin("Put", "k", "too late");
  await until(async () => (await halted(first, "STORAGE_FENCED")) >= 2, "the first tab halts");
  await visitor.told(/^\S+Node \d halted: .*took this node's storage over.*\(STORAGE_FENCED\)$/i);
  assert.equal(await halted(second, "STORAGE_FENCED"), 0);

  visitor.page = second;
  assert.match(await visitor.call("Get", "k"), /“2”/);
  await visitor.call("Put", "k", "3");
  await first.close();
  await visitor.away(() => {});
  await visitor.leader();
  assert.match(await visitor.call("Get", "k"), /“3”/);
  assert.match(await visitor.call("Get", "early"), /“1”/);
});

test("one node that is opened elsewhere halts, the others go on, and started it takes its storage back", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  // As another opener does, whom no lock stops.
  await visitor.page.evaluate(async () => {
    const done = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const name = (await indexedDB.databases()).map((one) => one.name).find((n) => n.endsWith("2"));
    const database = await done(indexedDB.open(name));
    const records = database.transaction("records", "readwrite").objectStore("records");
    await done(records.put((await done(records.get(0))) + 1, 0));
    database.close();
  });
  assert.match(await visitor.call("Put", "k", "2"), /stored at revision 2/);
  await visitor.badge(2, "Halted");
  await until(async () => (await halted(visitor.page, "STORAGE_FENCED")) === 1, "with its reason");
  assert.match(await visitor.call("Put", "k", "3"), /stored at revision 3/);
  await visitor.button("Start node 2").click();
  await visitor.badge(2, /Follower|Leader/);
  await visitor.alike("Committed");
});

test("a tab whose locks are stolen halts at once, and the thief has all that was answered", async (t) => {
  const visitor = await visit(t);
  await visitor.leader();
  await visitor.call("Put", "k", "1");
  const first = visitor.page;
  // The thief's page takes every node's lock as its workers ask for it.
  visitor.context.route(/\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    const steal = `{
      const { request } = LockManager.prototype;
      LockManager.prototype.request = function (name, options, granted) {
        if (granted === undefined || options.mode === "shared") return request.apply(this, arguments);
        const { signal, ...rest } = options;
        return request.call(this, name, { ...rest, steal: true }, granted);
      };
    }`;
    await route.fulfill({ response, body: `${steal}\n${await response.text()}` });
  });
  visitor.page = await visitor.openTab();
  await visitor.leader();
  const codes = ["STORAGE_TAKEN_AWAY", "STORAGE_FENCED", "STORAGE_LOCKED"];
  const stopped = async () => {
    const counts = await Promise.all(codes.map((code) => halted(first, code)));
    return counts.reduce((sum, count) => sum + count);
  };
  // Nobody writes in the first tab: the lock is enough.
  await until(async () => (await stopped()) === 3, "the first tab halts");
  assert.match(await visitor.call("Get", "k"), /“1”/);
  assert.match(await visitor.call("Put", "k", "2"), /stored at revision 2/);
  assert.equal(await halted(visitor.page, "STORAGE_FENCED"), 0);
});
