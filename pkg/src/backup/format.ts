/** A backup as bytes: `docs/backup.md` has the table. Chunks, each with a checksum of all that comes before it. */

import { quorateError } from "../errors.js";
import { compare, Reader, Writer } from "../kv/bytes.js";
import type { KeyValue } from "../kv/wire.js";
import { crc32 } from "./crc32.js";
import type { BackupSource } from "./types.js";

/** A lease: it has its whole time again when it is imported. */
export interface BackupLease {
  readonly id: number;
  readonly ttl: number;
}

/** What one chunk says. */
export type Part =
  | {
      readonly type: "header";
      readonly cluster: string;
      readonly clusterId: string;
      readonly revision: number;
      readonly time: number;
      /** Keys at that revision. */
      readonly keys: number;
    }
  | { readonly type: "leases"; readonly leases: readonly BackupLease[] }
  | { readonly type: "entries"; readonly entries: readonly KeyValue[] }
  | { readonly type: "end"; readonly keys: number; readonly leases: number };

/** Writes chunks, one behind the other. */
export class BackupWriter {
  #checksum = 0;
  bytes = 0;

  /** The bytes of the next chunk; before the first one goes what every backup begins with. */
  chunk(part: Part): Uint8Array<ArrayBuffer> {
    const payload = encode(part);
    const magic = this.bytes === 0 ? MAGIC : new Uint8Array();
    const end = magic.length + HEAD_BYTES + payload.length;
    const chunk = new Uint8Array(end + CHECKSUM_BYTES);
    const view = new DataView(chunk.buffer);
    chunk.set(magic);
    view.setUint8(magic.length, KINDS.indexOf(part.type) + 1);
    view.setUint32(magic.length + 1, payload.length, true);
    chunk.set(payload, magic.length + HEAD_BYTES);
    this.#checksum = crc32(chunk.subarray(0, end), this.#checksum);
    view.setUint32(end, this.#checksum, true);
    this.#checksum = crc32(chunk.subarray(end), this.#checksum);
    this.bytes += chunk.length;
    return chunk;
  }
}

/** The chunks of a backup, each with where it ends. What is cut, altered or in the wrong order throws, with its place. */
export async function* readBackup(
  source: BackupSource,
): AsyncGenerator<{ readonly part: Part; readonly end: number }, void> {
  const from = new Pieces(source);
  let checksum = 0;
  let [keys, leases] = [0, 0];
  let last: Uint8Array = new Uint8Array();
  let before: Part["type"] | undefined;
  const take = async (length: number, what: string) => {
    const bytes = await from.take(length);
    if (bytes.length < length) throw cut(from.at, what);
    checksum = crc32(bytes, checksum);
    return bytes;
  };
  try {
    const magic = await take(MAGIC.length, "at its beginning");
    if (compare(magic.subarray(0, -1), MAGIC.subarray(0, -1)) !== 0)
      throw corrupt(0, "it is no backup");
    if (magic.at(-1) !== MAGIC.at(-1)) throw version(magic.at(-1) ?? 0);
    for (;;) {
      const at = from.at;
      if (before === "end") {
        if ((await from.take(1)).length > 0) throw corrupt(at, "it goes on after its end");
        return;
      }
      const head = await take(HEAD_BYTES, "between two chunks");
      const length = new DataView(head.buffer, head.byteOffset).getUint32(1, true);
      if (length > MAX_CHUNK_BYTES) throw corrupt(at, "a chunk is longer than any can be");
      const payload = await take(length, "within a chunk");
      const expected = checksum;
      const stored = await take(CHECKSUM_BYTES, "within a checksum");
      if (new DataView(stored.buffer, stored.byteOffset).getUint32(0, true) !== expected)
        throw corrupt(at, "the checksum of a chunk is wrong");
      let part: Part;
      try {
        part = decode(KINDS[(head[0] ?? 0) - 1], payload);
      } catch (error) {
        throw corrupt(at, "a chunk makes no sense", error);
      }
      if ((part.type === "header") !== (before === undefined))
        throw corrupt(at, "it does not begin with its header, or has two");
      if (part.type === "leases") leases += part.leases.length;
      for (const { key } of part.type === "entries" ? part.entries : []) {
        if (compare(last, key) >= 0) throw corrupt(at, "its keys are not in order");
        last = key;
        keys += 1;
      }
      if (part.type === "end" && (part.keys !== keys || part.leases !== leases))
        throw corrupt(at, "it does not have what its end says");
      before = part.type;
      yield { part, end: from.at };
    }
  } finally {
    await from.close();
  }
}

/** Pieces of any length as pieces of a wanted one. */
class Pieces {
  readonly #pieces: AsyncIterator<unknown>;
  #rest: Uint8Array = new Uint8Array();
  /** How many bytes were taken. */
  at = 0;

  constructor(source: BackupSource) {
    this.#pieces = iterate(source);
  }

  /** So many bytes, or as many as there are. */
  async take(length: number): Promise<Uint8Array> {
    const taken = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0) {
        const next = await this.#next();
        if (next === undefined) break;
        this.#rest = next;
      }
      const piece = this.#rest.subarray(0, length - filled);
      taken.set(piece, filled);
      this.#rest = this.#rest.subarray(piece.length);
      filled += piece.length;
    }
    this.at += filled;
    return taken.subarray(0, filled);
  }

  /** Whoever gives the bytes need not go on. */
  async close(): Promise<void> {
    await Promise.resolve(this.#pieces.return?.()).catch(() => {});
  }

  async #next(): Promise<Uint8Array | undefined> {
    let next: IteratorResult<unknown>;
    try {
      next = await this.#pieces.next();
    } catch (error) {
      throw quorateError("BACKUP_READ_FAILED", `the backup cannot be read: ${String(error)}`, {
        cause: error,
        place: place(this.at),
      });
    }
    if (next.done === true) return undefined;
    if (next.value instanceof Uint8Array) return next.value;
    throw quorateError("BACKUP_READ_FAILED", "the backup's source gives something else than bytes");
  }
}

function iterate(source: BackupSource): AsyncIterator<unknown> {
  const stream = source instanceof Blob ? source.stream() : source;
  // Not every engine iterates over streams.
  return "getReader" in stream ? readerOf(stream) : stream[Symbol.asyncIterator]();
}

async function* readerOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

function encode(part: Part): Uint8Array {
  const out = new Writer(part.type === "entries" ? 1 << 16 : 64);
  switch (part.type) {
    case "header":
      out.bytes(new TextEncoder().encode(part.cluster));
      out.bytes(new TextEncoder().encode(part.clusterId));
      out.number(part.revision).number(part.time).number(part.keys);
      break;
    case "leases":
      for (const { id, ttl } of part.leases) out.number(id).number(ttl);
      break;
    case "entries":
      for (const { key, value, createRevision, modRevision, version, lease } of part.entries) {
        out
          .bytes(key)
          .number(createRevision)
          .number(modRevision - createRevision);
        out.number(version).number(lease).bytes(value);
      }
      break;
    case "end":
      out.number(part.keys).number(part.leases);
  }
  return out.finish();
}

// The fields of an object are read in the order in which they stand.
function decode(type: Part["type"] | undefined, payload: Uint8Array): Part {
  const from = new Reader(payload);
  const text = () => new TextDecoder("utf-8", { fatal: true }).decode(from.bytes());
  let part: Part;
  switch (type) {
    case "header":
      part = {
        type,
        cluster: text(),
        clusterId: text(),
        revision: from.number(),
        time: from.number(),
        keys: from.number(),
      };
      break;
    case "leases":
      part = { type, leases: from.rest(() => ({ id: from.number(), ttl: from.number() })) };
      break;
    case "entries":
      part = { type, entries: from.rest(takeEntry) };
      break;
    case "end":
      part = { type, keys: from.number(), leases: from.number() };
      break;
    default:
      throw new RangeError("there is no such chunk");
  }
  if (!from.atEnd) throw new RangeError("the bytes go on");
  return part;
}

function takeEntry(from: Reader): KeyValue {
  const key = from.bytes();
  const createRevision = from.number();
  return {
    key,
    createRevision,
    modRevision: createRevision + from.number(),
    version: from.number(),
    lease: from.number(),
    value: from.bytes(),
  };
}

const place = (at: number) => `byte ${at}`;

function corrupt(at: number, what: string, cause?: unknown) {
  return quorateError("BACKUP_CORRUPT", `the backup is damaged at byte ${at}: ${what}`, {
    place: place(at),
    cause,
  });
}

function cut(at: number, where: string) {
  const message = `the backup is cut off ${where}: it ends at byte ${at}`;
  return quorateError("BACKUP_CORRUPT", message, { place: place(at) });
}

function version(found: number) {
  const message = `the backup has format ${found}, and this version of the package reads ${MAGIC.at(-1)}`;
  return quorateError("BACKUP_VERSION", message, { place: place(MAGIC.length - 1) });
}

/** The kinds of chunks, counted from 1. */
const KINDS: readonly Part["type"][] = ["header", "leases", "entries", "end"];
/** `QUORATE`, and the version of the format. */
const MAGIC = Uint8Array.of(0x51, 0x55, 0x4f, 0x52, 0x41, 0x54, 0x45, 1);
/** Kind and length. */
const HEAD_BYTES = 5;
const CHECKSUM_BYTES = 4;
/** An answer of the store has about 1 MiB, or one entry. */
const MAX_CHUNK_BYTES = 4 << 20;
