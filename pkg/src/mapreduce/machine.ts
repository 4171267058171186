/** The coordinator as a machine of the nodes: bytes in, bytes out. */

import type { Machine } from "../machine/adapter.js";
import type { MachineContext } from "../machine/types.js";

/** What the WebAssembly has for it. */
export interface CoordinatorGlue {
  new (): {
    apply(command: Uint8Array, index: number, term: number, now: number): Uint8Array;
    query(query: Uint8Array): Uint8Array;
    tick(index: number, term: number, now: number): void;
    dueAt(): number;
    snapshot(): Uint8Array;
    restore(snapshot: Uint8Array): void;
  };
}

/** A function that makes one. */
export const coordinatorMachine = (glue: CoordinatorGlue) => (): Machine => {
  const core = new glue();
  return {
    apply: (command, { index, term, now }: MachineContext) =>
      core.apply(bytesOf(command), index, term, now),
    query: (query) => core.query(bytesOf(query)),
    snapshot: () => core.snapshot(),
    restore: (snapshot) => core.restore(bytesOf(snapshot)),
    dueAt: () => {
      const due = core.dueAt();
      return Number.isNaN(due) ? undefined : due;
    },
    tick: ({ index, term, now }) => core.tick(index, term, now),
  };
};

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new Error("the coordinator takes bytes");
}
