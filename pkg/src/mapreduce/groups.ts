/** Keys with their values, one key after the other, each value decoded when it is asked for. */

import { decode } from "../machine/codec.js";
import { type GroupBytes, type GroupValue, valuesOf } from "./batch.js";
import type { PairValue } from "./types.js";

export interface Group {
  readonly partition: number;
  readonly key: string;
  /** Can be gone through once; what is left of them is passed over. */
  readonly values: Iterable<PairValue>;
}

/** Divides what `next` gives by keys. `next` gives nothing at the end. */
export function groupsOf(next: () => GroupBytes | undefined): Generator<Group> {
  return groupsIn(
    (function* () {
      for (let batch = next(); batch !== undefined; batch = next()) yield* valuesOf(batch);
    })(),
  );
}

/** Divides values by keys. */
export function* groupsIn(all: Generator<GroupValue>): Generator<Group> {
  let { value: ahead, done } = all.next() as IteratorResult<GroupValue, undefined>;
  const advance = () => {
    ({ value: ahead, done } = all.next() as IteratorResult<GroupValue, undefined>);
  };
  try {
    while (done !== true && ahead !== undefined) {
      const { partition, key = "" } = ahead;
      let isFirst = true;
      const isOver = () =>
        done === true || ahead === undefined || (!isFirst && ahead.key !== undefined);
      const values: Iterator<PairValue> & Iterable<PairValue> = {
        [Symbol.iterator]: () => values,
        next: () => {
          if (ahead === undefined || isOver()) return { done: true, value: undefined };
          isFirst = false;
          const value = decode(ahead.value) as PairValue;
          advance();
          return { done: false, value };
        },
        // Who breaks off has seen enough; the rest is passed over below.
        return: () => ({ done: true, value: undefined }),
      };
      yield { partition, key, values };
      while (!isOver()) {
        isFirst = false;
        advance();
      }
    }
  } finally {
    all.return(undefined);
  }
}
