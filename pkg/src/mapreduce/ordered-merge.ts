/** Merges what `ordered-pairs.ts` has stored, by the job's own order. */

import type { GroupValue } from "./batch.js";
import type { Engine } from "./engine.js";
import { type Order, type OrderedPair, OrderedWriter, orderedPair } from "./ordered-pairs.js";
import type { Fewer } from "./reduce-input.js";
import { mergedValues, RunFile, type Section, sectionsOf } from "./runs.js";
import type { Scratch, ScratchReader } from "./scratch.js";

export interface OrderedMerge {
  readonly engine: Engine;
  readonly order: Order;
  readonly partition: number;
}

/** Sections that are in order one behind the other. */
export type Chain = readonly Section[];

/** The values of all chains; of keys that are one, those of earlier chains come first. */
export function* mergedChains(
  merge: OrderedMerge,
  chains: readonly Chain[],
): Generator<GroupValue> {
  let last: string | undefined;
  for (const { key, value } of mergedPairs(merge, chains)) {
    const isSame = last !== undefined && merge.order(last, key) === 0;
    if (!isSame) last = key;
    yield { partition: merge.partition, key: isSame ? undefined : key, value };
  }
}

/** Merges chains that stand side by side into one, until they can be merged at once. */
export async function fewerChains(
  merge: OrderedMerge,
  all: readonly Section[],
  home: {
    readonly scratch: Scratch;
    readonly name: string;
    readonly memory: number;
    readonly report: () => void;
  },
): Promise<Fewer<Chain>> {
  const { engine, partition } = merge;
  const chains: Chain[] = all.map((section) => [section]);
  const made: ScratchReader[] = [];
  for (;;) {
    const range = engine.nextMerge(Float64Array.from(chains, sizeOf), engine.limits().fanInMax);
    if (range === undefined) return { parts: chains, made };
    const [first, end] = range;
    const name = `${home.name}.t${made.length}`;
    const file = new RunFile(await home.scratch.create(name), partition + 1);
    const writer = new OrderedWriter(engine, file, partition + 1, home.memory);
    try {
      for (const pair of mergedPairs(merge, chains.slice(first, end))) {
        writer.add(partition, pair);
        home.report();
      }
      writer.finish();
      await file.close();
    } catch (error) {
      await file.abandon();
      throw error;
    } finally {
      writer.free();
    }
    const reader = await home.scratch.open(name);
    made.push(reader);
    chains.splice(first, end - first, sectionsOf(engine, reader, partition));
  }
}

interface Head {
  readonly pair: OrderedPair;
  readonly rank: number;
  readonly rest: Iterator<OrderedPair>;
}

function* mergedPairs(
  { engine, order, partition }: OrderedMerge,
  chains: readonly Chain[],
): Generator<OrderedPair> {
  const readers = chains.map((chain) => pairsOf(engine, partition, chain));
  /** The next pair of each, the first one last. */
  const heads: Head[] = [];
  const advance = (rank: number, rest: Iterator<OrderedPair>) => {
    const { value: pair, done } = rest.next();
    if (done === true) return;
    let [low, high] = [0, heads.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = heads[middle] as Head;
      const isBefore = (order(pair.key, other.pair.key) || rank - other.rank) < 0;
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    heads.splice(low, 0, { pair, rank, rest });
  };
  try {
    for (const [rank, reader] of readers.entries()) advance(rank, reader);
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      yield head.pair;
      advance(head.rank, head.rest);
    }
  } finally {
    for (const reader of readers) reader.return(undefined);
  }
}

function* pairsOf(engine: Engine, partition: number, chain: Chain): Generator<OrderedPair> {
  for (const section of chain)
    for (const { value } of mergedValues(engine, partition, [section])) yield orderedPair(value);
}

const sizeOf = (chain: Chain) => chain.reduce((sum, { bytes }) => sum + bytes, 0);
