/** A backup into a store: its leases, and its keys in transactions of many, in order. */

import { onAbort } from "../abort.js";
import { abortedError } from "../bounded.js";
import { invalid, show } from "../check.js";
import { QuorateError, quorateError } from "../errors.js";
import { successor } from "../kv/bytes.js";
import { flagOf } from "../kv/selection.js";
import type { Kv } from "../kv/types.js";
import type { KeyValue } from "../kv/wire.js";
import { MAX_TXN_OPERATIONS } from "../limits.js";
import type { CallOptions, Cluster } from "../types.js";
import { readBackupOptions } from "./export.js";
import { readBackup } from "./format.js";
import { Leases } from "./leases.js";
import type { BackupProgress, BackupSource, BackupSummary, ImportOptions } from "./types.js";

/**
 * Imports all of a backup. One that comes as a `Blob` is read to its end before anything is written. An error after that, when
 * part of it is in the store, has the outcome `unknown`.
 */
export async function importStore(
  store: Pick<Cluster, "kv">,
  source: BackupSource,
  options: ImportOptions = {},
): Promise<BackupSummary> {
  const { bounds, progress } = readBackupOptions(options, ["overwrite"]);
  const overwrite = flagOf(options.overwrite, '"overwrite"');
  if (!isSource(source)) {
    throw invalid(
      `a backup is a Blob, a ReadableStream or something else that gives bytes, not ${show(source)}`,
    );
  }
  if (source instanceof Blob) await summarize(source, bounds);
  const target = new Target(store.kv.as("bytes"), bounds, overwrite);
  const stop = target.leases.keepAlive();
  try {
    const summary = await summarize(source, bounds, target, progress);
    await target.leases.renew("all");
    return summary;
  } catch (error) {
    throw target.wrote ? partly(error) : error;
  } finally {
    stop();
  }
}

/** An error of an import, part of which is in the store. */
function partly(error: unknown): unknown {
  if (!(error instanceof QuorateError)) return error;
  const { code, message, node, place } = error;
  const said = `${message}; part of the backup was imported before`;
  return quorateError(code, said, { cause: error, outcome: "unknown", node, place });
}

/** Reads all of a backup, and says what it is. `target` gets what is in it. */
export async function summarize(
  source: BackupSource,
  { signal }: CallOptions = {},
  target?: Pick<Target, "begin" | "grant" | "entries">,
  progress: (progress: BackupProgress) => void = () => {},
): Promise<BackupSummary> {
  let summary = { cluster: "", clusterId: "", revision: 0, time: 0, keys: 0, leases: 0, bytes: 0 };
  let total = 0;
  if (signal?.aborted) throw abortedError(signal);
  for await (const { part, end } of untilAborted(readBackup(source), signal)) {
    if (signal?.aborted) throw abortedError(signal);
    switch (part.type) {
      case "header": {
        const { type: _, keys, ...header } = part;
        summary = { ...summary, ...header };
        total = keys;
        await target?.begin();
        break;
      }
      case "leases":
        for (const { id, ttl } of part.leases) await target?.grant(id, ttl);
        summary.leases += part.leases.length;
        break;
      case "entries":
        await target?.entries(part.entries);
        summary.keys += part.entries.length;
        break;
      case "end":
    }
    summary.bytes = end;
    progress({ keys: summary.keys, total, bytes: end });
  }
  return summary;
}

/** The same, and the end of it at an abort, also while the next one is waited for. */
async function* untilAborted<T>(
  items: AsyncGenerator<T, void>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void> {
  let stop = () => {};
  let waits = false;
  const aborted = new Promise<never>((_, reject) => {
    if (signal !== undefined) stop = onAbort(signal, () => reject(abortedError(signal)));
  });
  aborted.catch(() => {});
  try {
    for (;;) {
      waits = true;
      const { done, value } = await Promise.race([items.next(), aborted]);
      waits = false;
      if (done === true) return;
      yield value;
    }
  } finally {
    stop();
    const closed = items.return().catch(() => {});
    // Who gives nothing hears of it when it gives something.
    await (waits ? Promise.race([closed, new Promise((turn) => setTimeout(turn, 0))]) : closed);
  }
}

/** The store that is filled. */
class Target {
  readonly leases: Leases;
  /** Whether part of the backup is in the store. */
  wrote = false;
  readonly #kv: Kv<Uint8Array>;
  readonly #bounds: CallOptions;
  readonly #overwrite: boolean;
  /** Where what was written so far ends: between there and the last key to be written nothing may be. */
  #from: Uint8Array = new Uint8Array();

  constructor(kv: Kv<Uint8Array>, bounds: CallOptions, overwrite: boolean) {
    this.#kv = kv;
    this.#bounds = bounds;
    this.#overwrite = overwrite;
    this.leases = new Leases(kv, bounds, overwrite);
  }

  async begin(): Promise<void> {
    if (this.#overwrite) return;
    const { count } = await this.#kv.range({ only: "count" }, this.#bounds);
    const leases = await this.#kv.leases(this.#bounds);
    if (count > 0 || leases.length > 0) throw notEmpty("this one has keys or leases");
  }

  async grant(id: number, ttl: number): Promise<void> {
    await this.leases.grant(id, ttl);
    this.wrote = true;
  }

  /** In order of their keys, call after call. */
  async entries(entries: readonly KeyValue[]): Promise<void> {
    let batch: KeyValue[] = [];
    let bytes = 0;
    for (const entry of entries) {
      const more = entry.key.length + entry.value.length;
      if (batch.length === MAX_TXN_OPERATIONS || (batch.length > 0 && bytes + more > BATCH_BYTES)) {
        await this.#write(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(entry);
      bytes += more;
    }
    if (batch.length > 0) await this.#write(batch);
  }

  async #write(batch: readonly KeyValue[]): Promise<void> {
    await this.leases.renew("due");
    const last = batch.at(-1);
    if (last === undefined) return;
    const end = successor(last.key);
    // A key that exists has a version: so this holds where there is none.
    const empty = this.#overwrite ? [] : [{ start: this.#from, end, version: 0 }];
    for (let attempt = 1; ; attempt++) {
      const puts = batch.map(({ key, value, lease }) => {
        const hold = lease === 0 ? {} : { lease: this.leases.idOf(lease) };
        return { put: key, value, ...hold };
      });
      try {
        const { succeeded } = await this.#kv.txn({ if: empty, do: puts }, this.#bounds);
        if (!succeeded) throw notEmpty("somebody wrote into it meanwhile");
        this.wrote = true;
        for (const { lease } of batch) if (lease !== 0) this.leases.hold(lease);
        this.#from = end;
        return;
      } catch (error) {
        const { code } = error as QuorateError;
        if (code !== "LEASE_NOT_FOUND" || attempt === ATTEMPTS) throw error;
        // One that lives for milliseconds can have ended: it begins again.
        for (const { lease } of batch) if (lease !== 0) await this.leases.revive(lease);
      }
    }
  }
}

function isSource(source: unknown): source is BackupSource {
  return (
    source instanceof Blob ||
    (typeof source === "object" &&
      source !== null &&
      ("getReader" in source || Symbol.asyncIterator in source))
  );
}

function notEmpty(why: string) {
  return quorateError(
    "STORE_NOT_EMPTY",
    `a backup is imported into an empty store, and ${why}; { overwrite: true } imports it all the same`,
  );
}

/** A transaction of this size is well below what a command may have. */
const BATCH_BYTES = 512 << 10;
const ATTEMPTS = 5;
