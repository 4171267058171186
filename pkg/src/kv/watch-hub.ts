/**
 * All watches of one client, over one query that waits at a node. Whoever is not where the others are (a watch that begins in
 * the past, or one that was taken from too slowly) catches up by a query of its own, and then joins them.
 *
 * A position is a revision and a key of it: what comes before it was told. A query names its position, so nothing depends on which
 * node answers it, and nothing is lost or told twice when that changes.
 */

import { QuorateError, quorateError } from "../errors.js";
import type { CallOptions } from "../types.js";
import { compare } from "./bytes.js";
import { unexpected } from "./reply.js";
import * as wire from "./wire.js";

/** Asks a query; a refusal is thrown. */
export type Ask = (
  query: Uint8Array,
  options: CallOptions,
  from: "any" | "waiting",
) => Promise<wire.Reply>;

/** Where a watch is: the first revision that it has not been told, and within that the first key. */
export interface Position {
  readonly revision: number;
  readonly key: Uint8Array | undefined;
}

/** A watch, as the hub sees it. */
export interface Subscriber extends wire.WireWatch {
  position: Position;
  /** How many events it can take. */
  readonly room: number;
  /** Takes an event; `false` if it could not. */
  take(change: wire.Change): boolean;
  /** All before `position` was told. */
  reached(): void;
  fail(error: QuorateError): void;
}

/** A query waits at its node for some seconds at a time; the core repeats it elsewhere if need be. */
const PATIENCE_MS = 86_400_000;
/** More intervals than this are asked for as one that spans them: what nobody wants is left out here. */
const INTERVALS_MAX = 64;

export class WatchHub {
  readonly #ask: Ask;
  #main: Stream | undefined;
  readonly #streams = new Map<Subscriber, Stream>();
  #present: Promise<number> | undefined;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** The next revision that will be made. Those who ask in one turn share one query. */
  next(): Promise<number> {
    this.#present ??= Promise.resolve().then(async () => {
      this.#present = undefined;
      const reply = await this.#ask(wire.changes([], 0, undefined, 0, 0), {}, "any");
      if (reply.type !== "changes") throw unexpected();
      return reply.next;
    });
    return this.#present;
  }

  /** Tells the subscriber of everything from its position on, until it leaves, is full, or fails. */
  join(subscriber: Subscriber): void {
    const { position } = subscriber;
    const main = this.#main;
    const stream =
      main !== undefined && !isBefore(position, main.position)
        ? main
        : new Stream(position, this.#ask, this.#on);
    this.#main ??= stream;
    this.#streams.set(subscriber, stream);
    stream.add(subscriber);
  }

  /** Tells the subscriber nothing more. */
  leave(subscriber: Subscriber): void {
    this.#streams.get(subscriber)?.remove(subscriber);
    this.#streams.delete(subscriber);
  }

  readonly #on: StreamEvents = {
    left: (subscriber) => this.#streams.delete(subscriber),
    advanced: (stream) => {
      const main = this.#main;
      if (main === undefined || main === stream || isBefore(stream.position, main.position)) return;
      for (const subscriber of stream.empty()) {
        this.#streams.set(subscriber, main);
        main.add(subscriber);
      }
    },
    ended: (stream) => {
      if (this.#main === stream) this.#main = undefined;
    },
  };
}

interface StreamEvents {
  left(subscriber: Subscriber): void;
  advanced(stream: Stream): void;
  ended(stream: Stream): void;
}

/** One query that waits, and those who share it. It ends when nobody is left. */
class Stream {
  position: Position;
  readonly #ask: Ask;
  readonly #on: StreamEvents;
  readonly #subscribers = new Set<Subscriber>();
  /** Of the query under way: what comes back after it was aborted is void. */
  #query: AbortController | undefined;

  constructor(position: Position, ask: Ask, on: StreamEvents) {
    this.position = position;
    this.#ask = ask;
    this.#on = on;
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
    if (this.#query === undefined) void this.#run();
    else this.#query.abort();
  }

  remove(subscriber: Subscriber): void {
    if (this.#subscribers.delete(subscriber) && this.#subscribers.size === 0) this.#query?.abort();
  }

  /** Gives away all subscribers, and with them its end. */
  empty(): Subscriber[] {
    const all = [...this.#subscribers];
    this.#subscribers.clear();
    return all;
  }

  async #run(): Promise<void> {
    // Those who come in this turn are in the first query.
    this.#query = new AbortController();
    await Promise.resolve();
    while (this.#subscribers.size > 0) {
      this.#query = new AbortController();
      const { signal } = this.#query;
      try {
        const reply = await this.#ask(this.#encode(), { signal, timeout: PATIENCE_MS }, "waiting");
        if (!signal.aborted) this.#handle(reply);
      } catch (error) {
        if (!signal.aborted && !(await this.#recover(error))) break;
      }
    }
    this.#query = undefined;
    this.#on.ended(this);
  }

  #encode(): Uint8Array {
    const { revision, key } = this.position;
    // 0 would ask for any number: one that is full now has perhaps room when the answer comes.
    let room = 1;
    for (const subscriber of this.#subscribers) room = Math.max(room, subscriber.room);
    return wire.changes(merged(this.#subscribers), revision, key, room, 0);
  }

  #handle(reply: wire.Reply): void {
    if (reply.type === "compacted") {
      const resumeFrom = reply.compacted + 1;
      const message = `changes before revision ${resumeFrom} are no longer kept; look at the keys again, and watch from there`;
      this.#fail(quorateError("COMPACTED", message, { resumeFrom }));
      return;
    }
    if (reply.type !== "changes") throw unexpected();
    for (const change of reply.events) this.#tell(change);
    this.position = { revision: reply.next, key: reply.key?.slice() };
    for (const subscriber of this.#subscribers) {
      if (!isBefore(this.position, subscriber.position)) subscriber.position = this.position;
      subscriber.reached();
    }
    this.#on.advanced(this);
  }

  #tell(shared: wire.Change): void {
    let change: wire.Change | undefined;
    const { key, modRevision: revision } = shared.record;
    for (const subscriber of this.#subscribers) {
      if (!wants(subscriber, shared) || isBefore({ revision, key }, subscriber.position)) continue;
      change ??= copied(shared);
      if (subscriber.take(change)) continue;
      subscriber.position = { revision, key: change.record.key };
      this.#subscribers.delete(subscriber);
      this.#on.left(subscriber);
    }
  }

  /** Whether another try makes sense; if not, all have failed. */
  async #recover(error: unknown): Promise<boolean> {
    if (error instanceof QuorateError && error.retryable) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      return true;
    }
    this.#fail(error instanceof QuorateError ? error : unexpected(error));
    return false;
  }

  #fail(error: QuorateError): void {
    for (const subscriber of this.empty()) {
      this.#on.left(subscriber);
      subscriber.fail(error);
    }
  }
}

/** Between two tries of a query that the client could not take. */
const PAUSE_MS = 50;

/** What is beyond a key comes with it; without a key, the whole revision is ahead. */
function isBefore(a: Position, b: Position): boolean {
  if (a.revision !== b.revision || b.key === undefined) return a.revision < b.revision;
  return a.key === undefined || compare(a.key, b.key) < 0;
}

function wants(watch: wire.WireWatch, { deleted, record: { key } }: wire.Change): boolean {
  if (deleted ? watch.noDelete : watch.noPut) return false;
  return compare(key, watch.start) >= 0 && (watch.end === undefined || compare(key, watch.end) < 0);
}

/** The intervals of all, apart from each other, each with what anyone wants of it. */
function merged(watches: Iterable<wire.WireWatch>): wire.WireWatch[] {
  const sorted = [...watches].sort((a, b) => compare(a.start, b.start));
  const all: wire.WireWatch[] = [];
  for (const next of sorted) {
    const last = all.at(-1);
    const touches =
      last !== undefined && (last.end === undefined || compare(next.start, last.end) <= 0);
    if (touches) all[all.length - 1] = union(last, next);
    else all.push(next);
  }
  return all.length <= INTERVALS_MAX ? all : [all.reduce(union)];
}

function union(a: wire.WireWatch, b: wire.WireWatch): wire.WireWatch {
  const open = a.end === undefined || b.end === undefined;
  return {
    start: a.start,
    end: open ? undefined : compare(a.end, b.end) > 0 ? a.end : b.end,
    noPut: a.noPut && b.noPut,
    noDelete: a.noDelete && b.noDelete,
    previous: a.previous || b.previous,
  };
}

/** On its own: a small event must not keep a large reply in memory. */
function copied({ deleted, record, previous }: wire.Change): wire.Change {
  const copy = (it: wire.KeyValue) => ({ ...it, key: it.key.slice(), value: it.value.slice() });
  return { deleted, record: copy(record), previous: previous && copy(previous) };
}
