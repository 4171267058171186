/** Reads that one node answers itself: for each node that was asked so, calls that go to it alone. */

import type { Calls } from "./calls.js";
import { kvReads } from "./kv/store.js";
import type { Json, KvReads } from "./kv/types.js";

/** The ways to one node. */
interface Reader {
  readonly calls: Calls;
  readonly kv: KvReads<Json>;
}

export class Readers {
  readonly #byNode = new Map<number, Reader>();
  readonly #make: (node: number) => Calls;

  constructor(make: (node: number) => Calls) {
    this.#make = make;
  }

  /** Made when they are first asked for. */
  of(node: number): Reader {
    const known = this.#byNode.get(node);
    if (known !== undefined) return known;
    const calls = this.#make(node);
    const reader = { calls, kv: kvReads(calls) };
    this.#byNode.set(node, reader);
    return reader;
  }

  /** Those that were asked for. */
  callsOf(node: number): Calls | undefined {
    return this.#byNode.get(node)?.calls;
  }

  /** The node is gone for good. */
  forget(node: number): void {
    this.callsOf(node)?.close();
    this.#byNode.delete(node);
  }

  close(): void {
    for (const { calls } of this.#byNode.values()) calls.close();
  }
}
