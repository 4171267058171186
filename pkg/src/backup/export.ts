/**
 * A store as a stream of bytes, all as of one revision. Writes go on meanwhile: the first page says which revision it is,
 * the others are read from the past.
 */

import { record } from "../check.js";
import { QuorateError, quorateError } from "../errors.js";
import type { Kv, RangeResult } from "../kv/types.js";
import type { CallOptions, Cluster } from "../types.js";
import { type BackupLease, BackupWriter, type Part } from "./format.js";
import type { ExportOptions } from "./types.js";

/** What is exported. */
export type Exported = Pick<Cluster, "kv" | "name" | "id">;

/** The bytes of a backup. The first are read at once, the others as they are taken. */
export function exportStore(
  store: Exported,
  options: ExportOptions = {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { bounds, progress } = readBackupOptions(options, []);
  const chunks = chunksOf(store, bounds, progress);
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await chunks.return();
    },
  });
}

/** The options of each call, and the rest, after a look at all of them. */
export function readBackupOptions(options: ExportOptions, own: readonly string[]) {
  record(options, '"options"', ["signal", "timeout", "progress", ...own]);
  const { signal, timeout, progress = () => {} } = options;
  const bounds: CallOptions = {
    ...(signal && { signal }),
    ...(timeout !== undefined && { timeout }),
  };
  return { bounds, progress };
}

async function* chunksOf(
  store: Exported,
  bounds: CallOptions,
  progress: NonNullable<ExportOptions["progress"]>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const kv = store.kv.as("bytes");
  const writer = new BackupWriter();
  let [keys, leases, total] = [0, 0, 0];
  const chunk = (part: Part) => {
    const bytes = writer.chunk(part);
    progress({ keys, total, bytes: writer.bytes });
    return bytes;
  };
  // Before the revision is chosen: a lease that ends after this is known all the same.
  let granted = await described(kv, await kv.leases(bounds), bounds);
  const known = new Set<number>();
  let page = await kv.range({}, bounds);
  const { revision } = page;
  total = page.count;
  yield chunk({
    type: "header",
    ...{ cluster: store.name, clusterId: store.id, revision, time: Date.now(), keys: total },
  });
  for (;;) {
    for (const { id } of granted) known.add(id);
    const held = new Set(page.entries.map(({ lease }) => lease));
    const later = [...held].filter((lease) => lease !== 0 && !known.has(lease));
    granted = [...granted, ...(await described(kv, later, bounds))];
    if (granted.length > 0) {
      for (const { id } of granted) known.add(id);
      leases += granted.length;
      for (let at = 0; at < granted.length; at += LEASES_PER_CHUNK)
        yield chunk({ type: "leases", leases: granted.slice(at, at + LEASES_PER_CHUNK) });
      granted = [];
    }
    // A lease that began and ended since the look at them has taken its keys along.
    const entries = page.entries
      .filter(({ lease }) => lease === 0 || known.has(lease))
      .map(({ keyBytes, value = new Uint8Array(), ...meta }) => ({
        ...meta,
        key: keyBytes,
        value,
      }));
    keys += entries.length;
    if (entries.length > 0) yield chunk({ type: "entries", entries });
    if (page.next === undefined) break;
    page = await pageAt(kv, page.next, revision, bounds);
  }
  yield chunk({ type: "end", keys, leases });
}

async function pageAt(
  kv: Kv<Uint8Array>,
  start: Uint8Array,
  revision: number,
  bounds: CallOptions,
): Promise<RangeResult<Uint8Array>> {
  try {
    return await kv.range({ start }, { ...bounds, revision });
  } catch (error) {
    if (!(error instanceof QuorateError) || error.code !== "COMPACTED") throw error;
    throw quorateError(
      "COMPACTED",
      `revision ${revision}, which this export is as of, is no longer kept: export again when less is written, or keep more of the past by kv.retain`,
      { cause: error },
    );
  }
}

/** Those of the leases that are there, some at a time. */
async function described(
  kv: Kv<Uint8Array>,
  ids: readonly number[],
  bounds: CallOptions,
): Promise<BackupLease[]> {
  const all: BackupLease[] = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const asked = ids.slice(at, at + AT_ONCE).map(async (id) => {
      try {
        const { ttl } = await kv.leaseStatus(id, bounds);
        return [{ id, ttl }];
      } catch (error) {
        if (error instanceof QuorateError && error.code === "LEASE_NOT_FOUND") return [];
        throw error;
      }
    });
    all.push(...(await Promise.all(asked)).flat());
  }
  return all;
}

/** Calls beside one another. */
const AT_ONCE = 64;
/** Far below what a chunk may have: a lease has at most sixteen bytes. */
const LEASES_PER_CHUNK = 10_000;
