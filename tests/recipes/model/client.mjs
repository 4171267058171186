// A client's view of the world's store: the public interface, as far as the recipes use it.

import { within } from "./store.mjs";

const codecs = {
  json: { encode: (value) => JSON.stringify(value), decode: (text) => JSON.parse(text) },
  utf8: { encode: (value) => value, decode: (text) => text },
  bytes: {
    encode: (value) => Buffer.from(value).toString("latin1"),
    decode: (text) => new Uint8Array(Buffer.from(text, "latin1")),
  },
};

const asKey = (key) => (typeof key === "string" ? key : Buffer.from(key).toString());

export class Client {
  dead = false;
  /** Whether chance may strike it. */
  mortal = true;
  finished = false;
  stalledUntil = 0;
  cutUntil = 0;
  #done;

  constructor(world) {
    this.world = world;
    this.kv = new View(this, "json");
  }

  get done() {
    return this.#done;
  }

  set done(promise) {
    this.#done = promise;
    const finish = () => {
      this.finished = true;
    };
    promise.then(finish, finish);
  }

  /** It never does anything again, except for what is on its way already. */
  strike() {
    if (!this.finished && this.mortal) this.dead = true;
  }

  /** Nothing passes between it and the store for so long; its own clock runs. */
  cut(ms) {
    this.cutUntil = this.world.now + ms;
  }

  hears() {
    return !this.isStalled() && this.cutUntil <= this.world.now;
  }

  isStalled() {
    return this.stalledUntil > this.world.now;
  }
}

/** A call: it reaches the store, and then its answer comes back, or one of the two does not happen. */
class Call {
  #phase = "request";

  constructor(client, { kind, execute, write, patient, signal }) {
    Object.assign(this, { client, kind, execute, write, patient, signal });
    this.promise = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.abort = () =>
      this.#fail("ABORTED", this.#phase === "request" && client.world.random.chance(50));
    signal?.addEventListener("abort", this.abort);
  }

  canStep() {
    if (this.client.cutUntil > this.client.world.now) return false;
    return this.#phase === "request" || !this.client.isStalled();
  }

  step() {
    const { world } = this.client;
    if (this.#phase === "answer") return this.#end(() => this.settle());
    const lost = !this.patient && world.random.chance(world.faults.unknown);
    // The one that makes a call wait for its answer for too long may be the way there or the way back.
    if (lost && world.random.chance(30)) return this.#fail("TIMEOUT", world.random.chance(50));
    this.#execute();
    if (lost) return this.#fail("TIMEOUT", false);
    this.#phase = "answer";
  }

  #execute() {
    const { world } = this.client;
    world.counts[this.kind] = (world.counts[this.kind] ?? 0) + 1;
    world.store.tick(world.now);
    try {
      const answer = this.execute(world.store);
      this.settle = () => this.resolve(answer);
    } catch (error) {
      this.settle = () => this.reject(error);
    }
  }

  /** No answer: the call fails now, and may yet take effect. */
  #fail(code, later) {
    const { world } = this.client;
    const reached = this.#phase === "answer";
    this.#end(() => {
      const outcome = this.write ? "unknown" : "not-applied";
      this.reject(world.errors.quorateError(code, `no answer to ${this.kind}`, { outcome }));
    });
    if (!later || reached) return;
    const ghost = {
      canStep: () => true,
      step: () => {
        world.calls = world.calls.filter((call) => call !== ghost);
        this.#execute();
      },
    };
    world.calls.push(ghost);
  }

  #end(settle) {
    const { world } = this.client;
    this.signal?.removeEventListener("abort", this.abort);
    world.calls = world.calls.filter((call) => call !== this);
    if (!this.client.dead) settle();
  }
}

class View {
  #client;
  #codec;

  constructor(client, name) {
    this.#client = client;
    this.#codec = codecs[name];
  }

  as(name) {
    return new View(this.#client, name);
  }

  async get(key, options) {
    const { entries } = await this.range({ start: asKey(key), end: `${asKey(key)}\0` }, options);
    return entries[0] ?? null;
  }

  async range(range, options) {
    const answer = await this.#call("range", options, (store) =>
      store.range(this.#selection(range)),
    );
    return { ...this.#range(answer), revision: answer.revision };
  }

  async put(key, value, options) {
    const { revision } = await this.txn({ do: [{ put: key, value }] }, options);
    return { revision };
  }

  async delete(key, options) {
    const { results, revision } = await this.txn({ do: [{ delete: key }] }, options);
    return { deleted: results[0].deleted > 0, revision };
  }

  async deleteRange(range, options) {
    const { results, revision } = await this.txn({ do: [{ deleteRange: range }] }, options);
    return { deleted: results[0].deleted, revision };
  }

  async increment(key, by, options) {
    const { results, revision } = await this.txn({ do: [{ increment: key, by }] }, options);
    return { value: results[0].value, revision };
  }

  async compareAndSwap(key, expected, value, options) {
    const condition = expected === undefined ? { key, version: 0 } : { key, value: expected };
    const { succeeded, results, revision } = await this.txn(
      {
        if: [condition],
        do: [value === undefined ? { delete: key } : { put: key, value }],
        else: [{ get: key }],
      },
      options,
    );
    return succeeded
      ? { swapped: true, revision }
      : { swapped: false, revision, current: results[0].entry };
  }

  async txn(txn, options) {
    const encoded = this.#txn(txn);
    const answer = await this.#call("txn", options, (store) => store.txn(encoded), true);
    return this.#results(answer);
  }

  async lease({ ttl, id, signal }) {
    const { world } = this.#client;
    const sent = world.now;
    const made = await this.#call(
      "lease",
      { signal },
      (store) => store.grant(ttl, world.now, id),
      true,
    );
    return new Lease(this, this.#client, made, ttl, sent);
  }

  renew(id, options) {
    const { world } = this.#client;
    return this.#call("renew", options, (store) => store.renew(id, world.now), true);
  }

  async revoke(id, options) {
    await this.#call("revoke", options, (store) => store.revoke(id), true);
  }

  watch(selection, options) {
    const range =
      typeof selection === "string" || selection instanceof Uint8Array
        ? { start: asKey(selection), end: `${asKey(selection)}\0` }
        : selection;
    const watch = new Watch(this.#client, this.#selection(range), options, (event) =>
      this.#keyed(event),
    );
    this.#client.world.watches.push(watch);
    return watch;
  }

  #call(kind, options = {}, execute, write = false) {
    const { signal, timeout } = options;
    const client = this.#client;
    const { world } = client;
    if (signal?.aborted) {
      return Promise.reject(
        world.errors.quorateError("ABORTED", "aborted before it began", {
          outcome: "not-applied",
          cause: signal.reason,
        }),
      );
    }
    if (client.dead) return new Promise(() => {});
    const patient = timeout > 3_600_000;
    const call = new Call(client, { kind, execute, write, patient, signal });
    world.calls.push(call);
    return call.promise;
  }

  #selection(range) {
    const plain = { ...range };
    for (const field of ["prefix", "start", "end"]) {
      if (plain[field] !== undefined) plain[field] = asKey(plain[field]);
    }
    return plain;
  }

  #txn(txn) {
    const operations = (list) => list?.map((operation) => this.#operation(operation));
    return {
      if: txn.if?.map((condition) => this.#encoded(this.#selection(condition))),
      do: operations(txn.do),
      else: operations(txn.else),
    };
  }

  #operation(operation) {
    if ("txn" in operation) return { txn: this.#txn(operation.txn) };
    if ("range" in operation) return { ...operation, range: this.#selection(operation.range) };
    return this.#encoded(operation);
  }

  #encoded(it) {
    return "value" in it ? { ...it, value: this.#codec.encode(it.value) } : it;
  }

  #results({ succeeded, results, revision }) {
    return {
      succeeded,
      revision,
      results: results.map((result) => {
        switch (result.type) {
          case "get":
            return { ...result, entry: result.entry && this.#decoded(result.entry) };
          case "range":
            return { type: "range", ...this.#range(result) };
          case "delete":
            return { ...result, previous: result.previous?.map((it) => this.#keyed(it)) };
          case "txn":
            return { type: "txn", ...this.#results(result) };
          default:
            return result;
        }
      }),
    };
  }

  #range({ entries, count, next }) {
    return {
      entries: entries.map((entry) => this.#keyed(entry)),
      count,
      next: next === undefined ? undefined : new Uint8Array(Buffer.from(next)),
    };
  }

  #keyed(it) {
    return { ...this.#decoded(it), keyBytes: new Uint8Array(Buffer.from(it.key)) };
  }

  #decoded(it) {
    return it.value === undefined ? it : { ...it, value: this.#codec.decode(it.value) };
  }
}

/** A lease that keeps itself alive, and knows by its own clock when it can have ended. */
class Lease {
  #control = new AbortController();
  #view;
  #client;
  #confirmed;

  constructor(view, client, id, ttl, sent) {
    Object.assign(this, { id, ttl });
    this.#view = view;
    this.#client = client;
    this.#confirmed = sent;
    this.#watchTheClock();
    this.#keepAlive();
  }

  get lost() {
    const { now } = this.#client.world;
    if (now >= this.#confirmed + this.ttl) this.#end("no sign of life was confirmed in time");
    return this.#control.signal;
  }

  async revoke(options) {
    this.#end("given up");
    await this.#view.revoke(this.id, options);
  }

  async [Symbol.asyncDispose]() {
    await this.revoke().catch(() => {});
  }

  #end(why) {
    const { quorateError } = this.#client.world.errors;
    const { signal } = this.#control;
    if (!signal.aborted) this.#control.abort(quorateError("LEASE_LOST", `the lease: ${why}`));
  }

  #watchTheClock() {
    const { world } = this.#client;
    const left = this.#confirmed + this.ttl - world.now;
    if (left <= 0) this.#end("no sign of life was confirmed in time");
    else globalThis.setTimeout(() => this.#watchTheClock(), left);
  }

  async #keepAlive() {
    const { world } = this.#client;
    for (;;) {
      await new Promise((resolve) => globalThis.setTimeout(resolve, Math.floor(this.ttl / 3)));
      if (this.lost.aborted) return;
      const sent = world.now;
      try {
        await this.#view.renew(this.id);
        this.#confirmed = sent;
      } catch (error) {
        if (error.code === "LEASE_NOT_FOUND") return this.#end("the store ended it");
      }
    }
  }
}

/** A watch: what happened in the store arrives in order, whenever the world pleases. */
class Watch {
  #client;
  #range;
  #options;
  #decode;
  #next;
  #waiting = [];
  #queue = [];
  #closed = false;

  constructor(client, range, options, decode) {
    this.#client = client;
    this.#range = range;
    this.#options = options;
    this.#decode = decode;
    this.#next = options.from ?? client.world.store.revision + 1;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    if (this.#closed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  async return() {
    this.close();
    return { done: true, value: undefined };
  }

  close() {
    this.#closed = true;
    const { world } = this.#client;
    world.watches = world.watches.filter((watch) => watch !== this);
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  canStep() {
    const { dead, world } = this.#client;
    if (dead || !this.#client.hears() || this.#waiting.length === 0) return false;
    return this.#queue.length > 0 || this.#next <= world.store.revision;
  }

  step() {
    const { store, errors } = this.#client.world;
    if (this.#queue.length === 0) {
      if (this.#next <= store.compacted) {
        const { reject } = this.#waiting.shift();
        this.close();
        return reject(errors.quorateError("COMPACTED", "the past is no longer kept"));
      }
      const { events } = store.past.find(({ revision }) => revision === this.#next);
      this.#next++;
      const { only } = this.#options;
      this.#queue = events.filter(
        ({ type, key }) => within(key, this.#range) && (only === undefined || type === only),
      );
    }
    if (this.#queue.length === 0) return;
    this.#waiting.shift().resolve({ done: false, value: this.#decode(this.#queue.shift()) });
  }
}
