/** From what the caller gave to fresh machines, for each node. */

import { invalid, show } from "../../check.js";
import { type Adapter, type Machine, snapshotOf } from "../../machine/adapter.js";
import { decode } from "../../machine/codec.js";
import { adapterOf, makerOf, readModule } from "../../machine/load.js";
import type { MachineSource } from "./types.js";

/** Makes a machine in its first state. */
export type Maker = () => Machine;

/** What has been asked for so far: each one from a URL is a module of its own. */
let modules = 0;

/** `count` makers that share nothing, as far as that can be had. */
export async function makers(source: MachineSource, count: number): Promise<Maker[]> {
  if (typeof source === "function") {
    check(source, "the machine");
    return Array.from({ length: count }, () => makerOf(source));
  }
  if (!(source instanceof URL) && typeof source !== "string") {
    throw invalid(
      `a machine is a class, a function that makes one, or a module's URL, not ${show(source)}: ` +
        "one object cannot be the machine of several nodes",
    );
  }
  const url = String(source);
  if (!URL.canParse(url)) {
    throw invalid(
      `a module's URL is whole, as new URL("./machine.js", import.meta.url), not ${show(source)}: ` +
        "nobody knows what it is relative to",
    );
  }
  const made: Maker[] = [];
  for (let number = 0; number < count; number++) {
    modules += 1;
    const exported = await readModule(`${url}#${modules}`, url);
    check(exported, url);
    made.push(typeof exported === "function" ? makerOf(exported) : renewed(exported as Machine));
  }
  return made;
}

/** Throws what opening a cluster with it would. */
function check(exported: unknown, name: string): Adapter {
  return adapterOf(exported, name);
}

/** A module that exports its one machine: that is set back to its first state. */
function renewed(machine: Machine): Maker {
  const first = snapshotOf(machine);
  return () => {
    machine.restore(decode(first));
    return machine;
  };
}
