/** The worker of a node in a browser, of `quorate/mapreduce`. */

import { Host, initSync, setPanicHandler } from "../../wasm/quorate_wasm.js";
import { type DedicatedScope, serve } from "../dedicated.js";
import { adapterOf } from "../machine/load.js";
import { coordinatorMachine } from "../mapreduce/machine.js";
import { coordinator, loader } from "./mapreduce-core.js";
import { compile, fetchBytes } from "./module.js";

const load = loader(() =>
  compile(new URL("./quorate-mapreduce.wasm", import.meta.url), fetchBytes),
);

const loadMachine = async (url: string) => {
  await load();
  return adapterOf(coordinatorMachine(coordinator), url);
};

const glue = { Host, initSync, loadMachine, setPanicHandler };
serve(globalThis as unknown as DedicatedScope, glue);
