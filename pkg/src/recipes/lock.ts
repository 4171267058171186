/** A lock: who is first in the line has it. */

import type { Json, Kv } from "../kv/types.js";
import { checked, HOLD, home, type Store, ttlMs } from "./name.js";
import { join, type Line, lineUp, type Parts, Place, stillHeld } from "./place.js";
import type { HoldOptions, Lock } from "./types.js";
import { within } from "./within.js";

/** Waits for the lock, and takes it. */
export async function lock(store: Store, name: string, options?: HoldOptions): Promise<Lock> {
  const { kv, line, joining, bounds } = read(store, name, options);
  return within(bounds, `${line.what} did not become free`, (signal) =>
    lineUp(kv, line, joining, signal),
  );
}

/** Takes the lock if that is possible at once. */
export async function tryLock(
  store: Store,
  name: string,
  options?: HoldOptions,
): Promise<Lock | null> {
  const { kv, line, joining, bounds } = read(store, name, options);
  const { prefix } = line;
  return within(bounds, `${line.what} was not answered for`, async (signal) => {
    // A look costs the log nothing; most locks that are taken are found out by it.
    const { count } = await kv.range({ prefix, only: "count" }, { signal });
    if (count > 0) return null;
    const nobody = [{ prefix, version: 0 }];
    const joined = await join(kv, line, { ...joining, if: nobody }, signal);
    return joined === undefined ? null : stillHeld(joined.place);
  });
}

function read(store: Store, name: string, options: HoldOptions | undefined) {
  const line: Line = { ...home("lock", name), code: "LOCK_LOST" };
  const bounds = checked(options, HOLD);
  const kv: Kv<Json> = store.as("json");
  const make = (parts: Parts<Json>) => new Place(parts);
  return { kv, line, bounds, joining: { ttl: ttlMs(bounds.ttl), value: null, make } };
}
