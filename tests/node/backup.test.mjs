// Backups: what comes back, as of when, and what becomes of one that is damaged.

import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { BackupError, StoreError } from "quorate";
import { failure, open } from "./help.mjs";

const one = (t, name = "test") => open(t, { name, nodes: 1 });
const bytesOf = async (stream) => new Uint8Array(await new Response(stream).arrayBuffer());
const chunksOf = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const everything = async (cluster) => {
  const { entries } = await cluster.kv.as("bytes").range({});
  return entries.map(({ key, keyBytes, value, lease }) => [key, [...keyBytes], [...value], lease]);
};
async function* from(...pieces) {
  for (const piece of pieces) yield typeof piece === "function" ? await piece() : piece;
}

/** A store with some of everything. */
async function filled(t) {
  const cluster = await one(t, "full");
  const { kv } = cluster;
  const bytes = kv.as("bytes");
  await kv.lease({ ttl: 60_000, keepAlive: false });
  await kv.lease({ ttl: 90_000, id: 77, keepAlive: false });
  await kv.put("json", { deep: [1, null] });
  await bytes.put(Uint8Array.of(0, 0xff), Uint8Array.of(0xff, 0xfe, 0));
  await kv.put("held", "by 77", { lease: 77 });
  await kv.put("gone", 1);
  await kv.delete("gone");
  await bytes.put("empty", new Uint8Array());
  return cluster;
}

test("keys, values and leases come back", async (t) => {
  const source = await filled(t);
  const seen = [];
  const blob = await new Response(source.export({ progress: (far) => seen.push(far) })).blob();
  const target = await one(t, "target");
  const imported = [];
  const summary = await target.import(blob, { progress: (far) => imported.push(far) });
  assert.deepEqual(await everything(target), await everything(source));
  assert.deepEqual(await target.kv.leases(), [1, 77]);
  const { ttl, keys } = await target.kv.leaseStatus(77, { keys: true });
  assert.deepEqual([ttl, keys.map((key) => new TextDecoder().decode(key))], [90_000, ["held"]]);
  const { time, ...rest } = summary;
  const { revision } = await source.kv.range({ only: "count" });
  assert.deepEqual(rest, {
    ...{ cluster: "full", clusterId: source.id, revision, keys: 4, leases: 2, bytes: blob.size },
  });
  assert.ok(Math.abs(Date.now() - time) < 60_000);
  assert.deepEqual(seen.at(-1), { keys: 4, total: 4, bytes: blob.size });
  assert.deepEqual(imported.at(-1), seen.at(-1));
  // What is imported is exported as the same, apart from who and when.
  assert.equal(
    (await bytesOf(target.export())).length,
    blob.size + "target".length - "full".length,
  );
});

test("an empty store is a backup, too", async (t) => {
  const [source, target] = [await one(t, "a"), await one(t, "b")];
  const { keys, leases, revision } = await target.import(source.export());
  assert.deepEqual([keys, leases, revision], [0, 0, 0]);
});

test("all of it is as of one revision, while writes go on", async (t) => {
  const source = await one(t);
  const { kv } = source;
  const large = kv.as("bytes");
  for (let at = 0; at < 30; at++) await large.put(`m${at}`, new Uint8Array(100_000));
  await kv.txn({
    do: [
      { put: "a", value: 0 },
      { put: "z", value: 0 },
    ],
  });
  const pages = source.export()[Symbol.asyncIterator]();
  const chunks = [];
  let turn = 0;
  for (;;) {
    turn += 1;
    await kv.txn({
      do: [
        { put: "a", value: turn },
        { put: "z", value: turn },
      ],
    });
    const { done, value } = await pages.next();
    if (done) break;
    chunks.push(value);
  }
  assert.ok(chunks.length >= 5, "it took several pages");
  const target = await one(t, "target");
  const { revision } = await target.import(from(...chunks));
  const [a, z] = [await target.kv.get("a"), await target.kv.get("z")];
  assert.equal(a.value, z.value);
  const { value } = await kv.get("a", { revision });
  assert.equal(value, a.value, "and it is the revision that it says");
});

test("an export whose revision is forgotten says so", async (t) => {
  const source = await one(t);
  const large = source.kv.as("bytes");
  for (let at = 0; at < 30; at++) await large.put(`m${at}`, new Uint8Array(100_000));
  const reader = source.export().getReader();
  await reader.read();
  const { revision } = await source.kv.put("later", 1);
  await source.kv.compact(revision);
  const rest = async () => {
    while (!(await reader.read()).done);
  };
  const error = await failure(rest, "COMPACTED");
  assert.match(error.message, /export again/);
});

test("leases that come, and go, while the export looks at them", async (t) => {
  const source = await one(t);
  const { kv } = source;
  await kv.put("stays", 1);
  const bytes = kv.as("bytes");
  let lease;
  const between = new Proxy(bytes, {
    get(target, name) {
      if (name !== "range") return target[name].bind(target);
      return async (...args) => {
        lease = await kv.lease({ ttl: 60_000, keepAlive: false });
        await kv.put("goes", 1, { lease });
        await kv.lease({ ttl: 60_000, id: 9, keepAlive: false });
        await kv.put("came", 1, { lease: 9 });
        const page = await bytes.range(...args);
        await lease.revoke();
        return page;
      };
    },
  });
  const { name, id } = source;
  const blob = await bytesOf(source.export.call({ name, id, kv: { as: () => between } }));
  const target = await one(t, "target");
  const { keys, leases } = await target.import(new Blob([blob]));
  assert.deepEqual([keys, leases], [2, 1]);
  assert.deepEqual(
    (await everything(target)).map(([key, , , held]) => [key, held]),
    [
      ["came", 9],
      ["stays", 0],
    ],
  );
});

test("whatever is cut off or altered is refused, and nothing is written", async (t) => {
  const whole = await bytesOf((await filled(t)).export());
  const target = await one(t, "target");
  for (let length = 0; length < whole.length; length++) {
    const error = await failure(
      () => target.import(new Blob([whole.subarray(0, length)])),
      "BACKUP_CORRUPT",
    );
    assert.ok(error instanceof BackupError);
    assert.equal(error.place, `byte ${length}`);
  }
  for (let at = 0; at < whole.length; at++) {
    const altered = whole.slice();
    altered[at] ^= 1 << (at % 8);
    const code = at === 7 ? "BACKUP_VERSION" : "BACKUP_CORRUPT";
    const error = await failure(() => target.import(new Blob([altered])), code);
    assert.match(error.place, /^byte \d+$/);
  }
  const longer = new Blob([whole, Uint8Array.of(0)]);
  assert.equal(
    (await failure(() => target.import(longer), "BACKUP_CORRUPT")).place,
    `byte ${whole.length}`,
  );
  const { count, revision } = await target.kv.range({ only: "count" });
  assert.deepEqual([count, revision, await target.kv.leases()], [0, 0, []]);
  await target.import(new Blob([whole]));
});

// The format as docs/backup.md has it, written a second time.

const varint = (value) =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
const string = (text) => [...varint(Buffer.byteLength(text)), ...Buffer.from(text)];
const header = [1, [...string("by hand"), ...string("0123"), 9, ...varint(1_000), 2]];
const entries = (...keys) => [
  3,
  keys.flatMap((key) => [...string(key), 4, 5, 2, 0, ...string("value")]),
];
const end = (keys, leases) => [4, [keys, leases]];

function written(...chunks) {
  let bytes = Buffer.from("QUORATE\x01", "latin1");
  for (const [kind, payload] of chunks) {
    const head = Buffer.of(kind, 0, 0, 0, 0);
    head.writeUInt32LE(payload.length, 1);
    bytes = Buffer.concat([bytes, head, Buffer.from(payload)]);
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32(bytes));
    bytes = Buffer.concat([bytes, checksum]);
  }
  return new Blob([bytes]);
}

test("the format is what the documentation says", async (t) => {
  const target = await one(t, "target");
  const lease = [2, [...varint(300), ...varint(60_000)]];
  const blob = written(header, lease, entries("a"), entries("b"), end(2, 1));
  assert.deepEqual(await target.import(blob), {
    ...{ cluster: "by hand", clusterId: "0123", revision: 9, time: 1_000 },
    ...{ keys: 2, leases: 1, bytes: blob.size },
  });
  assert.equal(new TextDecoder().decode((await target.kv.as("bytes").get("b")).value), "value");
  assert.deepEqual(await target.kv.leases(), [300]);
  const { kv } = await one(t, "empty");
  const cluster = { kv };
  for (const [what, ...chunks] of [
    ["keys out of order", header, entries("b", "a"), end(2, 0)],
    ["a key twice", header, entries("a"), entries("a"), end(2, 0)],
    ["fewer keys than its end says", header, entries("a"), end(2, 0)],
    ["more leases than its end says", header, lease, end(0, 0)],
    ["two headers", header, header, end(0, 0)],
    ["no header", entries("a"), end(1, 0)],
    ["a kind that there is not", header, [5, []], end(0, 0)],
    ["a payload that goes on", [1, [...header[1], 0]], end(0, 0)],
    ["an entry that is cut", header, [3, entries("a")[1].slice(0, -1)], end(1, 0)],
    ["something behind its end", header, end(0, 0), end(0, 0)],
  ])
    await assert.rejects(
      target.import.call(cluster, written(...chunks)),
      { code: "BACKUP_CORRUPT" },
      what,
    );
});

test("chunks that are swapped, repeated or left out are found", async (t) => {
  const source = await one(t);
  const large = source.kv.as("bytes");
  for (let at = 0; at < 30; at++) await large.put(`m${at}`, new Uint8Array(100_000).fill(at));
  const [header, first, second, third, end] = await chunksOf(source.export());
  const target = await one(t, "target");
  for (const chunks of [
    [header, second, first, third, end],
    [header, first, second, second, third, end],
    [header, first, third, end],
    [header, header, first, second, third, end],
    [first, second, third, end],
  ])
    await failure(() => target.import(new Blob(chunks)), "BACKUP_CORRUPT");
  assert.equal((await target.import(new Blob([header, first, second, third, end]))).keys, 30);
});

test("a store that has something is refused, unless it is to be overwritten", async (t) => {
  const blob = new Blob([await bytesOf((await filled(t)).export())]);
  const target = await one(t, "target");
  await target.kv.put("json", "mine");
  await target.kv.put("other", "mine");
  const error = await failure(() => target.import(blob), "STORE_NOT_EMPTY");
  assert.ok(error instanceof StoreError);
  assert.equal((await target.kv.get("json")).value, "mine");
  await target.kv.lease({ ttl: 60_000, id: 77, keepAlive: false });
  await target.import(blob, { overwrite: true });
  assert.deepEqual((await target.kv.get("json")).value, { deep: [1, null] });
  assert.equal((await target.kv.get("other")).value, "mine");
  const { lease } = await target.kv.get("held");
  assert.ok(![0, 77].includes(lease), "a lease of the same id is another one's");
  const leased = await one(t, "leased");
  await leased.kv.lease({ ttl: 60_000, id: 5, keepAlive: false });
  await failure(() => leased.import(blob), "STORE_NOT_EMPTY");
  const behind = await one(t, "behind");
  await behind.kv.put("zzz", "behind all keys of the backup");
  await failure(() => behind.import(blob), "STORE_NOT_EMPTY");
});

test("who writes while an import goes on is not overwritten", async (t) => {
  const source = await one(t);
  const large = source.kv.as("bytes");
  for (let at = 10; at < 40; at++) await large.put(`m${at}`, new Uint8Array(100_000));
  const [header, first, ...rest] = await chunksOf(source.export());
  const target = await one(t, "target");
  const meanwhile = async () => {
    await target.kv.put("m35", "mine");
    return rest[0];
  };
  const all = from(header, first, meanwhile, ...rest.slice(1));
  await failure(() => target.import(all), "STORE_NOT_EMPTY");
  assert.equal((await target.kv.get("m35")).value, "mine");
});

test("a lease that is shorter than the import lives until its end", async (t) => {
  const source = await one(t);
  const lease = await source.kv.lease({ ttl: 300 });
  const large = source.kv.as("bytes");
  for (let at = 10; at < 40; at++)
    await large.put(`m${at}`, new Uint8Array(100_000), { lease: at === 39 ? lease : 0 });
  const [header, leases, ...rest] = await chunksOf(source.export());
  const target = await one(t, "target");
  const late = async () => {
    // Time has to pass for it to end.
    await pause(600);
    return rest.at(-2);
  };
  await target.import(from(header, leases, ...rest.slice(0, -2), late, rest.at(-1)));
  const entry = await target.kv.as("bytes").get("m39");
  assert.equal(entry.lease, lease.id);
  const { ttl, remaining } = await target.kv.leaseStatus(lease.id);
  assert.equal(ttl, 300);
  assert.ok(remaining > 0);
});

test("a source that gives nothing for longer than a lease lives keeps its keys", async (t) => {
  const source = await one(t);
  const lease = await source.kv.lease({ ttl: 300 });
  await source.kv.put("held", 1, { lease });
  const [header, leases, entries, end] = await chunksOf(source.export());
  const target = await one(t, "target");
  const silent = async () => {
    // Time has to pass for it to end.
    await pause(900);
    return end;
  };
  await target.import(from(header, leases, entries, silent));
  assert.equal((await target.kv.get("held"))?.lease, lease.id);
});

test("a lease that ends all the same, and its keys with it, fails the import", async (t) => {
  const source = await one(t);
  const lease = await source.kv.lease({ ttl: 60_000 });
  await source.kv.put("held", 1, { lease });
  const [header, leases, entries, end] = await chunksOf(source.export());
  const target = await one(t, "target");
  const revoked = async () => {
    await target.kv.revokeLease(lease.id);
    return end;
  };
  const error = await failure(
    () => target.import(from(header, leases, entries, revoked)),
    "LEASE_LOST",
  );
  assert.equal(error.outcome, "unknown");
  assert.match(error.message, /import it again; part of the backup was imported before$/);
  // One that has no keys yet is made again.
  const early = await one(t, "early");
  const before = async () => {
    await early.kv.revokeLease(lease.id);
    return entries;
  };
  await early.import(from(header, leases, before, end));
  assert.equal((await early.kv.get("held")).lease, lease.id);
});

test("an error says whether part of the backup was imported", async (t) => {
  const [header, leases, entries] = await chunksOf((await filled(t)).export());
  const broken = () => {
    throw new Error("unplugged");
  };
  const cut = async (...pieces) => {
    const target = await one(t, `cut-${pieces.length}`);
    return failure(() => target.import(from(...pieces, broken)), "BACKUP_READ_FAILED");
  };
  assert.equal((await cut(header)).outcome, undefined);
  assert.equal((await cut(header, leases)).outcome, "unknown");
  const { outcome, place, message } = await cut(header, leases, entries);
  assert.equal(outcome, "unknown");
  assert.equal(place, `byte ${header.length + leases.length + entries.length}`);
  assert.match(message, /unplugged.*; part of the backup was imported before$/);
});

test("as many leases as there are go into chunks of a bounded length", async (t) => {
  const ids = Array.from({ length: 25_000 }, (_, at) => at + 1);
  const kv = {
    leases: async () => ids,
    leaseStatus: async () => ({ ttl: 60_000 }),
    range: async () => ({ entries: [], count: 0, revision: 1 }),
  };
  const chunks = await chunksOf(
    (await one(t)).export.call({ name: "many", id: "1", kv: { as: () => kv } }),
  );
  assert.equal(chunks.length, 5);
  for (const chunk of chunks) assert.ok(chunk.length <= 10_000 * 16, `${chunk.length} bytes`);
});

test("a source that fails, lies, or is not wanted any more", async (t) => {
  const [header, ...rest] = await chunksOf((await filled(t)).export());
  const target = await one(t, "target");
  const broken = () => {
    throw new Error("unplugged");
  };
  const error = await failure(() => target.import(from(header, broken)), "BACKUP_READ_FAILED");
  assert.match(error.message, /unplugged/);
  assert.equal(error.place, `byte ${header.length}`);
  await failure(() => target.import(from("text")), "BACKUP_READ_FAILED");
  for (const wrong of [undefined, "path", 7, {}])
    await failure(() => target.import(wrong), "INVALID_ARGUMENT");
  await failure(() => target.import(from(header), { overwrite: 1 }), "INVALID_ARGUMENT");
  await failure(() => target.import(from(header), { speed: 1 }), "INVALID_ARGUMENT");
  await failure(async () => target.export({ overwrite: true }), "INVALID_ARGUMENT");
  const stop = new AbortController();
  let ended = false;
  async function* endless() {
    try {
      yield header;
      stop.abort();
      yield rest[0];
    } finally {
      ended = true;
    }
  }
  await failure(() => target.import(endless(), { signal: stop.signal }), "ABORTED");
  assert.ok(ended, "its source hears of it");
  const silent = new AbortController();
  const nothing = () => {
    silent.abort();
    return new Promise(() => {});
  };
  const { signal } = silent;
  await failure(() => target.import(from(header, nothing), { signal }), "ABORTED");
  const cut = new Blob([header]);
  await failure(() => target.import(cut, { signal: AbortSignal.abort() }), "ABORTED");
  const reader = target.export({ signal: AbortSignal.abort() }).getReader();
  await failure(() => reader.read(), "ABORTED");
});

test("a backup passes through streams of any pieces", async (t) => {
  const source = await filled(t);
  const gzip = source.export().pipeThrough(new CompressionStream("gzip"));
  const target = await one(t, "target");
  await target.import(gzip.pipeThrough(new DecompressionStream("gzip")));
  assert.deepEqual(await everything(target), await everything(source));
  const bytes = await bytesOf(source.export());
  const single = await one(t, "single");
  await single.import(from(...[...bytes].map((byte) => Uint8Array.of(byte)), new Uint8Array()));
  assert.deepEqual(await everything(single), await everything(source));
});
