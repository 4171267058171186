/** What Quorate demands of a storage. */

import type { KeyRange, Storage, StorageFactory, StoredRecord } from "../storage/storage.js";
import { type Case, demand, inTime, noise, sameBytes } from "./case.js";

/** Where storages are made. Made anew, and empty, for each case. */
export interface StoragePlace {
  /** Makes storages there, as the option `storage` does. */
  readonly factory: StorageFactory;
  /** Lets go of what was made. */
  close?(): void | Promise<void>;
}

/** The cases of a storage. */
export function storageCases(make: () => StoragePlace | Promise<StoragePlace>): Case[] {
  const within = (name: string, run: (place: Place) => Promise<void>): Case => ({
    name,
    async run() {
      const place = new Place(await make());
      try {
        await run(place);
      } finally {
        await place.close();
      }
    },
  });
  return [
    within("it is empty at first", async (place) => {
      await place.open();
      await place.holds({});
    }),
    within("records are there when it is opened again, as they were", async (place) => {
      const records = {
        ident: noise(80, 1),
        "0000/hard": noise(1, 2),
        "0000/log/0000000000000001": noise(300_000, 3),
        "0000/manifest": new Uint8Array(),
        "k\u{1F600}ü": noise(7, 4),
      };
      await place.open();
      await place.write([], records);
      await place.again();
      await place.holds(records);
    }),
    within("a record of one's own comes back even if close was never called", async (place) => {
      await place.open();
      await place.write([], { a: noise(10, 5) });
      await place.write([], { b: noise(10, 6) });
      await place.open();
      await place.holds({ a: noise(10, 5), b: noise(10, 6) });
    }),
    within("a later value takes the place of an earlier one", async (place) => {
      await place.open();
      await place.write([], { a: noise(1_000, 7), b: noise(5, 8) });
      await place.write([], { a: noise(3, 9) });
      await place.again();
      await place.holds({ a: noise(3, 9), b: noise(5, 8) });
    }),
    within(
      "a range takes its first key and leaves its end; what it says is done before what is put",
      async (place) => {
        const v = noise(4, 10);
        await place.open();
        await place.write([], {
          "log/1": v,
          "log/2": v,
          "log/3": v,
          "log/30": v,
          "log/4": v,
          m: v,
        });
        await place.write([["log/2", "log/4"]], { "log/3": noise(2, 11) });
        await place.again();
        await place.holds({ "log/1": v, "log/3": noise(2, 11), "log/4": v, m: v });
      },
    ),
    within("several ranges, empty ones, and ranges of nothing are lawful", async (place) => {
      const v = noise(4, 12);
      await place.open();
      await place.write(
        [
          ["a", "a"],
          ["x", "z"],
        ],
        { a: v, b: v, c: v },
      );
      await place.write(
        [
          ["a", "b"],
          ["c", "d"],
          ["q", "q"],
        ],
        {},
      );
      await place.write([], {});
      await place.again();
      await place.holds({ b: v });
    }),
    within("keys are ordered as JavaScript orders strings", async (place) => {
      const v = noise(4, 13);
      // By code units the astral one is before the private one; by code points behind it.
      await place.open();
      await place.write([], { A: v, a: v, "\u{1F600}": v, "\uE000": v });
      await place.write([["B", "\uE000"]], {});
      await place.again();
      await place.holds({ A: v, "\uE000": v });
    }),
    within("what the caller does to its bytes afterwards changes nothing", async (place) => {
      const value = noise(100, 14);
      await place.open();
      await place.write([], { a: value });
      value.fill(0);
      await place.again();
      const [loaded] = await place.holds({ a: noise(100, 14) });
      loaded?.[1].fill(0);
      await place.again();
      await place.holds({ a: noise(100, 14) });
    }),
    within("many rounds and large ones", async (place) => {
      const wanted: Record<string, Uint8Array> = {};
      await place.open();
      for (let round = 0; round < 200; round++) {
        const value = noise(round * 50, round);
        wanted[`r/${round % 50}`] = value;
        await place.write([], { [`r/${round % 50}`]: value });
      }
      wanted.large = noise(4 << 20, 15);
      await place.write([], { large: wanted.large });
      await place.again();
      await place.holds(wanted);
    }),
    within("nodes and clusters are apart", async (place) => {
      await place.open("one", 1);
      await place.write([], { k: noise(1, 16) });
      await place.open("one", 2);
      await place.holds({});
      await place.open("two", 1);
      await place.holds({});
    }),
    within("who opened it earlier can write no more", async (place) => {
      const earlier = await place.open();
      await place.write([], { k: noise(5, 17) });
      await place.open();
      await place.write([], { l: noise(5, 18) });
      const code = await inTime(
        earlier.write([], [["k", noise(5, 19)]]).then(
          () => undefined,
          (error: { code?: unknown }) => String(error?.code),
        ),
        "a write that is fenced did not settle",
      );
      demand(code === "STORAGE_FENCED", `the earlier one's write ended with ${code}`);
      await place.again();
      await place.holds({ k: noise(5, 17), l: noise(5, 18) });
    }),
  ];
}

class Place {
  readonly #place: StoragePlace;
  readonly #opened: Storage[] = [];
  #name: readonly [string, number] = ["conformance", 1];
  #records: StoredRecord[] = [];

  constructor(place: StoragePlace) {
    this.#place = place;
  }

  /** Opens one more, beside those that were not closed, and reads it. */
  async open(cluster = "conformance", node = 1): Promise<Storage> {
    this.#name = [cluster, node];
    const storage = await inTime(this.#place.factory(cluster, node), "the storage was not made");
    this.#opened.push(storage);
    const records = await inTime(storage.load(), "load did not resolve");
    this.#records = records.map(([key, value]) => [key, value]);
    return storage;
  }

  /** Closes the latest, and opens it again. */
  async again(): Promise<void> {
    await inTime(this.#latest.close(), "close did not resolve");
    this.#opened.pop();
    await this.open(...this.#name);
  }

  async write(deletes: KeyRange[], puts: Record<string, Uint8Array>): Promise<void> {
    await inTime(this.#latest.write(deletes, Object.entries(puts)), "write did not resolve");
  }

  /** What was read when it was opened is this. */
  async holds(wanted: Record<string, Uint8Array>): Promise<StoredRecord[]> {
    const found = new Map(this.#records);
    demand(found.size === this.#records.length, "a key was read twice");
    for (const [key, value] of Object.entries(wanted)) {
      demand(found.has(key), `the record ${JSON.stringify(key)} is missing`);
      const got = found.get(key);
      demand(got instanceof Uint8Array, "a value is a Uint8Array");
      demand(sameBytes(got, value), `the record ${JSON.stringify(key)} has other bytes`);
    }
    const more = [...found.keys()].filter((key) => !Object.hasOwn(wanted, key));
    demand(more.length === 0, `there are records that nobody stored: ${more.join(", ")}`);
    return this.#records;
  }

  get #latest(): Storage {
    const latest = this.#opened.at(-1);
    if (latest === undefined) throw new Error("nothing is open");
    return latest;
  }

  async close(): Promise<void> {
    // What was fenced may fail to close.
    for (const storage of this.#opened) await storage.close().catch(() => {});
    await this.#place.close?.();
  }
}
