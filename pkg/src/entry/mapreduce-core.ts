/** The engine of `quorate/mapreduce`, in workers. */

import {
  Compactor,
  Coordinator,
  indexBytes,
  initSync,
  limits,
  Mapper,
  Merger,
  nextMerge,
  PairCollector,
  partitionOf,
  Records,
  Reducer,
  readIndex,
} from "../../wasm/mapreduce/quorate_mapreduce_wasm.js";
import type { Engine } from "../mapreduce/engine.js";
import type { CoordinatorGlue } from "../mapreduce/machine.js";

export const engine: Engine = {
  Compactor,
  indexBytes,
  limits,
  Mapper,
  Merger,
  nextMerge,
  PairCollector,
  partitionOf,
  Records,
  Reducer,
  readIndex,
};

export { initSync };
export const coordinator: CoordinatorGlue = Coordinator;

/** Makes both ready, once. */
export function loader(module: () => Promise<WebAssembly.Module>): () => Promise<void> {
  let loading: Promise<void> | undefined;
  return () => {
    loading ??= module().then((module) => void initSync({ module }));
    return loading;
  };
}
