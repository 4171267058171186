// The page's model: what each thing that happens changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const { output } = await build({
  configFile: false,
  logLevel: "error",
  build: {
    write: false,
    minify: false,
    lib: {
      entry: fileURLToPath(new URL("../../www/src/model.ts", import.meta.url)),
      formats: ["es"],
    },
  },
}).then(([bundle]) => bundle);
const { advice, initial, MAX_HAPPENINGS, STRIP, strip, summary, update } = await import(
  `data:text/javascript,${encodeURIComponent(output[0].code)}`
);

const apply = (...actions) => actions.reduce(update, initial);
const node = (id, state = "running") => ({ id, state, reason: undefined, status: null });
const picture = (nodes, rest = {}) => ({
  type: "status",
  status: { name: "t", nodes, leader: null, term: 0, commit: 0, rules: [], ...rest },
});
const link = (from, to) => ({ from, to, cut: true, drop: 0, delay: 0, jitter: 0 });

test("a node is cut off when it reaches nobody, and only then", () => {
  const nodes = [1, 2, 3].map((id) => node(id));
  const cut = (...rules) => apply(picture(nodes, { rules })).cut;
  assert.deepEqual(cut(), []);
  assert.deepEqual(cut(link(1, 2), link(2, 1)), []);
  assert.deepEqual(cut(link(1, 2), link(1, 3), link(2, 1), link(3, 1)), [1]);
  const all = nodes.flatMap((a) => nodes.filter((b) => b !== a).map((b) => link(a.id, b.id)));
  assert.deepEqual(cut(...all), [1, 2, 3]);
});

test("an older answer of the store does not replace a newer one", () => {
  const store = (revision) => ({ type: "store", store: { entries: [], count: 0, revision } });
  assert.equal(apply(store(5), store(4)).store.revision, 5);
  assert.equal(apply(store(5), { type: "storeUnread" }).store.stale, true);
  assert.equal(apply(store(5), { type: "storeUnread" }, store(5)).store.stale, false);
});

test("history is bounded, the newest first, with numbers that never repeat", () => {
  const happened = (at) => ({ type: "happened", what: { at, kind: "write", text: `${at}` } });
  const { happenings } = apply(...Array.from({ length: 500 }, (_, at) => happened(at)));
  assert.equal(happenings.length, MAX_HAPPENINGS);
  assert.deepEqual([happenings[0].text, happenings[0].number], ["499", 500]);
  assert.equal(apply(happened(1), { type: "opening" }, happened(2)).happenings[0].number, 2);
});

test("the strip tells committed, durable and pending entries, the newest last", () => {
  const status = { logStart: 0, last: 5, commit: 2, persisted: 4 };
  assert.deepEqual(strip(status), ["applied", "applied", "durable", "durable", "pending"]);
  assert.deepEqual(strip({ logStart: 0, last: 0, commit: 0, persisted: 0 }), []);
  assert.equal(strip({ logStart: 0, last: 900, commit: 900, persisted: 900 }).length, STRIP);
  assert.equal(strip({ logStart: 898, last: 900, commit: 900, persisted: 900 }).length, 2);
});

test("the summary tells an election from a lost quorum", () => {
  const three = (...states) => states.map((state, at) => node(at + 1, state));
  const open = { type: "opened" };
  const text = (nodes, rest) => summary(apply(open, picture(nodes, rest)));
  assert.match(text(three("running", "running", "killed")), /election is under way/);
  assert.match(text(three("running", "killed", "halted")), /No quorum: 1 of 3 nodes run, 2 are/);
  assert.match(
    text(three("running", "running", "killed"), { leader: 2, term: 7 }),
    /Node 2 leads in term 7\. 2 of 3/,
  );
});

test("every error has advice that ends in a full stop", () => {
  for (const code of ["STORAGE_LOCKED", "STORAGE_UNAVAILABLE", "QUOTA_EXCEEDED", "UNKNOWN"])
    assert.match(advice(code), /^[A-Z].*\.$/);
  assert.notEqual(advice("STORAGE_LOCKED"), advice("UNKNOWN"));
});
