/** The worker of a node on Node, of `quorate/mapreduce`. */

import {
  Host,
  initSync,
  scanSegment,
  sealRound,
  setPanicHandler,
} from "../../wasm/quorate_wasm.js";
import { adapterOf } from "../machine/load.js";
import { coordinatorMachine } from "../mapreduce/machine.js";
import { runThread } from "../thread.js";
import { coordinator, loader } from "./mapreduce-core.js";
import { compile } from "./module.js";
import { readBytes } from "./platform-node.js";

const load = loader(() => compile(new URL("./quorate-mapreduce.wasm", import.meta.url), readBytes));

const loadMachine = async (url: string) => {
  await load();
  return adapterOf(coordinatorMachine(coordinator), url);
};

runThread({ Host, initSync, loadMachine, scanSegment, sealRound, setPanicHandler });
