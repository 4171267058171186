/** From a world that failed to a smaller one that fails in the same way: less time, fewer clients, kinds of faults, nodes. */

import type { AnyMachine } from "../../machine/types.js";
import type { Simulation } from "./types.js";
import type { Shape } from "./world.js";

/** A result, before it is told. */
export type Shrunk<M extends AnyMachine> = Omit<Simulation<M>, "worlds" | "report" | "assert">;

/** Worlds that are tried at most. */
const TRIES_MAX = 24;

/** The smallest that was found. */
export async function smaller<M extends AnyMachine>(
  shape: Shape,
  result: Shrunk<M>,
  live: (shape: Shape) => Promise<Shrunk<M>>,
  signal: AbortSignal | undefined,
): Promise<Shrunk<M>> {
  let best = { shape, result };
  let tries = 0;
  const attempt = async (change: Partial<Shape>): Promise<boolean> => {
    if (tries === TRIES_MAX) return false;
    tries += 1;
    const smallerShape = { ...best.shape, ...change };
    const found = await live(smallerShape).catch(() => undefined);
    signal?.throwIfAborted();
    // What the caller's own functions throw there is no reason to keep back what was found.
    if (found === undefined || found.failure?.kind !== result.failure?.kind) return false;
    best = { shape: smallerShape, result: found };
    return true;
  };
  const { failure } = result;
  if (failure !== undefined && failure.at < shape.seconds) await attempt({ seconds: failure.at });
  if (shape.faults.length > 0 && !(await attempt({ faults: [] }))) {
    for (const fault of shape.faults) {
      await attempt({ faults: best.shape.faults.filter((other) => other !== fault) });
    }
  }
  for (const clients of [1, 2, 3]) {
    if (clients < best.shape.clients && (await attempt({ clients }))) break;
  }
  for (const nodes of [1, 2, 3]) {
    if (nodes < best.shape.nodes && (await attempt({ nodes }))) break;
  }
  while (best.shape.seconds > 0.5 && (await attempt({ seconds: best.shape.seconds / 2 })));
  return best.result;
}
