/**
 * The heads of frames: which messages are in one, from whom, and which entries they carry (`docs/protocol.md`). Reads what a node of this
 * page sent or got, so it trusts the bytes, and stops where they end. Pure.
 */

/** The tags of messages, from 1 on. */
export const TAGS = {
  preVote: 1,
  preVoteGranted: 2,
  preVoteRefused: 3,
  requestVote: 4,
  requestVoteTransfer: 5,
  voteGranted: 6,
  voteRefused: 7,
  append: 8,
  appendAccepted: 9,
  appendRejected: 10,
  heartbeat: 11,
  commitNotice: 12,
  heartbeatResponse: 13,
  snapshotChunk: 14,
  snapshotLastChunk: 15,
  snapshotContinue: 16,
  snapshotInstalled: 17,
  timeoutNow: 18,
  readIndex: 19,
  readIndexResponse: 20,
  digest: 21,
  sleep: 22,
  sleepResponse: 23,
} as const;

/** A message, as far as it is shown. */
export interface Head {
  readonly tag: number;
  readonly from: number;
  readonly to: number;
  readonly term: number;
  /** How many entries it carries. */
  readonly entries: number;
}

/** An entry, as an append carries it. */
export interface EntryHead {
  readonly index: number;
  readonly term: number;
  /** The term of the entry before. */
  readonly before: number;
  /** What it holds, or how it is called where it is no command. */
  readonly what: Uint8Array | "no-op" | "members";
}

/** What a frame is. */
export type Frame =
  | { readonly kind: "messages"; readonly heads: readonly Head[] }
  /** Of a client, or for one: how many are in it. */
  | { readonly kind: "requests" | "replies"; readonly count: number }
  | { readonly kind: "other" };

/** Reads a frame. `entry` hears of each entry in it. */
export function readFrame(bytes: Uint8Array, entry: (entry: EntryHead) => void = () => {}): Frame {
  const reader = new Reader(bytes);
  if (reader.byte() !== VERSION) return { kind: "other" };
  const kind = reader.byte();
  if (kind === REQUESTS || kind === REPLIES) {
    reader.number(); // the group
    return { kind: kind === REQUESTS ? "requests" : "replies", count: reader.number() };
  }
  if (kind !== MESSAGES) return { kind: "other" };
  reader.skip(16); // the cluster, and the sender's storage
  reader.number();
  const heads: Head[] = [];
  for (let left = reader.number(); left > 0 && !reader.isAtEnd; left--) {
    const [tag, from, to, term] = [
      reader.byte(),
      reader.number(),
      reader.number(),
      reader.number(),
    ];
    heads.push({ tag, from, to, term, entries: readBody(reader, tag, entry) });
  }
  return { kind: "messages", heads };
}

/** What a command of the store does, in a few characters. */
export function describeEntry(what: EntryHead["what"]): string {
  if (typeof what === "string") return what;
  const reader = new Reader(what);
  const kind = reader.byte();
  reader.number(); // log time
  if (kind !== WRITE) return KINDS_OF_ENTRIES[kind] ?? "entry";
  for (let numbers = 0; numbers < 3; numbers++) reader.number();
  const command = reader.byte();
  const name = COMMANDS[command] ?? "write";
  if (!WITH_KEY.has(command)) return name;
  const key = text(reader.bytes());
  if (command === PUT) return `${key}=${text(reader.bytes())}`;
  const value = command === PUT_WITH && reader.byte() === 1 ? `${key}=${text(reader.bytes())}` : "";
  return value === "" ? `${name} ${key}` : value;
}

const VERSION = 2;
const [MESSAGES, REQUESTS, REPLIES] = [1, 2, 3];

/** How many numbers a message has after its term, where numbers are all it has. */
const NUMBERS: Readonly<Record<number, number>> = {
  [TAGS.preVote]: 2,
  [TAGS.requestVote]: 2,
  [TAGS.requestVoteTransfer]: 2,
  [TAGS.appendAccepted]: 1,
  [TAGS.appendRejected]: 3,
  [TAGS.heartbeat]: 2,
  [TAGS.commitNotice]: 1,
  [TAGS.heartbeatResponse]: 1,
  [TAGS.snapshotContinue]: 2,
  [TAGS.snapshotInstalled]: 2,
  [TAGS.readIndex]: 1,
  [TAGS.readIndexResponse]: 2,
  [TAGS.digest]: 2,
  [TAGS.sleep]: 2,
  [TAGS.sleepResponse]: 1,
};

/** Goes past what a message says; how many entries that were. */
function readBody(reader: Reader, tag: number, entry: (entry: EntryHead) => void): number {
  if (tag === TAGS.append) return readEntries(reader, entry);
  if (tag === TAGS.snapshotChunk || tag === TAGS.snapshotLastChunk) {
    reader.numbers(2);
    skipConfiguration(reader);
    reader.number();
    reader.bytes();
    return 0;
  }
  reader.numbers(NUMBERS[tag] ?? 0);
  if (tag === TAGS.digest) reader.skip(8);
  return 0;
}

function readEntries(reader: Reader, entry: (entry: EntryHead) => void): number {
  let term = reader.number();
  let index = reader.number();
  reader.number(); // the commit index
  const count = reader.number();
  for (let left = count; left > 0 && !reader.isAtEnd; left--) {
    const head = reader.number();
    const before = term;
    if (head % 2 === 1) term += reader.number();
    index += 1;
    const size = Math.floor(head / 2);
    entry({ index, term, before, what: size > 0 ? reader.part(size - 1) : readOther(reader) });
  }
  return count;
}

/** An entry that is no command. */
function readOther(reader: Reader): "no-op" | "members" {
  if (reader.byte() === 0) return "no-op";
  skipConfiguration(reader);
  return "members";
}

function skipConfiguration(reader: Reader): void {
  for (let lists = 0; lists < 6; lists++) reader.numbers(reader.number());
  for (let tables = 0; tables < 2; tables++) {
    for (let rows = reader.number(); rows > 0 && !reader.isAtEnd; rows--) {
      reader.number();
      reader.skip(8);
    }
  }
}

const [PUT, PUT_WITH, WRITE] = [1, 7, 3];

const KINDS_OF_ENTRIES: Readonly<Record<number, string>> = {
  1: "session",
  2: "session ends",
  4: "checkpoint",
  5: "tick",
};

const COMMANDS: Readonly<Record<number, string>> = {
  1: "put",
  2: "delete",
  3: "delete range",
  4: "append",
  5: "swap",
  6: "increment",
  7: "put",
  8: "delete range",
  9: "txn",
  10: "lease",
  11: "lease lives",
  12: "lease ends",
  13: "compact",
  14: "retain",
};

/** What these commands name first is their key. */
const WITH_KEY: ReadonlySet<number> = new Set([PUT, 2, 4, 5, 6, PUT_WITH]);

/** The beginning, as text. */
function text(bytes: Uint8Array): string {
  const start = new TextDecoder().decode(bytes.subarray(0, 4 * MOST));
  const characters = [...start];
  const some = characters.slice(0, MOST).join("");
  return characters.length > MOST || bytes.length > 4 * MOST ? `${some}…` : some;
}

/** So many characters of a key, or of a value, are shown. */
const MOST = 12;

/** Takes bytes one after the other; zeros after the end. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  /** LEB128: seven bits a byte, the lowest first. Below 2^53, so no shifts. */
  number(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  numbers(count: number): void {
    for (let left = count; left > 0 && !this.isAtEnd; left--) this.number();
  }

  skip(count: number): void {
    this.#at += count;
  }

  part(size: number): Uint8Array {
    const from = this.#at;
    this.#at += size;
    return this.#bytes.subarray(from, this.#at);
  }

  bytes(): Uint8Array {
    return this.part(this.number());
  }
}
