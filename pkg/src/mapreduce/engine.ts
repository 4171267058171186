/** What of the WebAssembly the tasks use: it cuts, sorts and merges; bytes come and go through here. */

/** What is carried of the module; workers give it. */
export type Engine = Pick<
  typeof import("../../wasm/mapreduce/quorate_mapreduce_wasm.js"),
  | "Compactor"
  | "Mapper"
  | "Merger"
  | "PairCollector"
  | "Records"
  | "Reducer"
  | "indexBytes"
  | "limits"
  | "nextMerge"
  | "partitionOf"
  | "readIndex"
>;
