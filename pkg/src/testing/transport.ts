/** What Quorate demands of a transport. Frames may be lost on the way, so each is sent until it arrives. */

import type { Transport, TransportLink } from "../transport/transport.js";
import { type Case, demand, eventually, inTime, noise, pause, sameBytes } from "./case.js";

/** Nodes 1 to 3, each with a transport that reaches the others. Made anew for each case. */
export interface TransportWorld {
  /** Those of the nodes 1, 2 and 3, which reach one another. */
  readonly transports: readonly [Transport, Transport, Transport];
  /** Lets go of what was made. */
  close?(): void | Promise<void>;
}

/** The cases of a transport. */
export function transportCases(make: () => TransportWorld | Promise<TransportWorld>): Case[] {
  const within = (name: string, run: (world: World) => Promise<void>): Case => ({
    name,
    async run() {
      const world = new World(await make());
      try {
        await run(world);
      } finally {
        await world.close();
      }
    },
  });
  return [
    within("a frame arrives as it was sent, whatever its bytes and its size", async (world) => {
      await world.openAll();
      for (const size of [1, 40, 4_096, 1 << 20]) await world.passes(1, 2, noise(size, size));
    }),
    within("a frame to one node reaches no other one", async (world) => {
      await world.openAll();
      const frame = noise(100, 1);
      await world.passes(1, 3, frame);
      // What was sent later has arrived, so this one would have, too.
      await world.passes(1, 2, noise(100, 2));
      demand(!world.has(2, frame), "node 2 got a frame that was for node 3");
      demand(!world.has(1, frame), "node 1 got a frame of its own");
    }),
    within("a frame to all reaches everybody else, and each has its own copy", async (world) => {
      await world.openAll();
      const frame = noise(1_000, 3);
      const both = () => world.has(2, frame) && world.has(3, frame);
      await world.until(both, () => world.send(1, frame), "a frame to all did not arrive at both");
      demand(!world.has(1, frame), "node 1 got a frame of its own");
      const copies = world.heard(2).filter((each) => sameBytes(each, frame));
      for (const copy of copies) copy.fill(0);
      demand(world.has(3, frame), "what node 2 did to its frame changed node 3's");
    }),
    within("a frame that is a part of a buffer leaves the rest alone", async (world) => {
      await world.openAll();
      const frame = noise(64, 4);
      const send = () => {
        const buffer = new Uint8Array(256);
        buffer.set(frame, 100);
        world.send(1, buffer.subarray(100, 164), 2);
      };
      await world.until(() => world.has(2, frame), send, "a part of a buffer did not arrive");
    }),
    within("both directions work, between all of them", async (world) => {
      await world.openAll();
      for (const from of [1, 2, 3] as const)
        for (const to of [1, 2, 3] as const)
          if (from !== to) await world.passes(from, to, noise(32, 10 * from + to));
    }),
    within("who is said to be the sender, is", async (world) => {
      await world.openAll();
      await world.passes(2, 1, noise(50, 5));
      const { from } = world.last(1);
      demand(from === undefined || from === 2, `a frame of node 2 was said to be from ${from}`);
    }),
    within("sending to nobody is no error, and harms nothing", async (world) => {
      await world.openAll();
      world.send(1, noise(10, 6), 777);
      await world.passes(1, 2, noise(10, 7));
    }),
    within("after close nothing is heard, and nothing throws", async (world) => {
      await world.openAll();
      await world.passes(1, 2, noise(10, 8));
      await world.shut(2);
      await world.shut(2);
      const before = world.heard(2).length;
      for (let times = 0; times < 20; times++) {
        world.send(1, noise(10, 9), 2);
        world.send(2, noise(10, 9), 1);
        await pause();
      }
      demand(world.heard(2).length === before, "a closed node heard a frame");
      demand(!world.has(1, noise(10, 9)), "a closed node was heard");
      await world.passes(1, 3, noise(10, 10));
    }),
    within(
      "what was closed can be opened again, as a node that starts anew does",
      async (world) => {
        await world.openAll();
        await world.passes(1, 2, noise(10, 11));
        await world.shut(2);
        await world.open(2);
        await world.passes(1, 2, noise(10, 12));
        await world.passes(2, 3, noise(10, 13));
      },
    ),
    within("who opens late is reached, and reaches the others", async (world) => {
      await world.open(1);
      await world.open(2);
      world.send(1, noise(10, 14));
      world.send(1, noise(10, 14), 3);
      await world.open(3);
      await world.passes(1, 3, noise(10, 15));
      await world.passes(3, 2, noise(10, 16));
    }),
  ];
}

type Id = 1 | 2 | 3;
interface Heard {
  readonly frame: Uint8Array;
  readonly from: number | undefined;
}

class World {
  readonly #world: TransportWorld;
  readonly #links = new Map<Id, TransportLink>();
  readonly #heard = new Map<Id, Heard[]>();

  constructor(world: TransportWorld) {
    this.#world = world;
  }

  async openAll(): Promise<void> {
    for (const id of [1, 2, 3] as const) await this.open(id);
  }

  async open(id: Id): Promise<void> {
    const receive = (frame: Uint8Array, from?: number) => {
      demand(frame instanceof Uint8Array, "a frame is a Uint8Array");
      this.#heard.set(id, [...(this.#heard.get(id) ?? []), { frame, from }]);
    };
    const transport = this.#world.transports[id - 1] as Transport;
    const opening = transport.open({ cluster: "conformance", node: id }, receive);
    this.#links.set(id, await inTime(opening, "open did not resolve"));
  }

  async shut(id: Id): Promise<void> {
    await inTime(this.#links.get(id)?.close(), "close did not resolve");
  }

  send(from: Id, frame: Uint8Array, to?: number): void {
    this.#links.get(from)?.send(frame.byteOffset === 0 ? frame.slice() : frame, to);
  }

  heard(id: Id): Uint8Array[] {
    return (this.#heard.get(id) ?? []).map(({ frame }) => frame);
  }

  last(id: Id): Heard {
    const last = this.#heard.get(id)?.at(-1);
    if (last === undefined) throw new Error(`node ${id} heard nothing`);
    return last;
  }

  has(id: Id, frame: Uint8Array): boolean {
    return this.heard(id).some((each) => sameBytes(each, frame));
  }

  async passes(from: Id, to: Id, frame: Uint8Array): Promise<void> {
    const what = `a frame of ${frame.length} bytes from node ${from} did not arrive at node ${to}`;
    await this.until(
      () => this.has(to, frame),
      () => this.send(from, frame, to),
      what,
    );
  }

  /** Sends now and then, until it has come. */
  async until(condition: () => boolean, send: () => void, what: string): Promise<void> {
    let waited = 0;
    const step = () => {
      if (condition()) return true;
      if (waited++ % SEND_EVERY === 0) send();
      return false;
    };
    await eventually(step, what);
  }

  async close(): Promise<void> {
    for (const link of this.#links.values()) await link.close();
    await this.#world.close?.();
  }
}

/** Looks between two attempts at sending. */
const SEND_EVERY = 20;
