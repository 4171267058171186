/** Browsers: files beside this one by their URLs; where a bundler has lost them, the same embedded. */

import type { ClusterFactory, Cluster as ClusterInstance } from "../types.js";
import { type Assets, browserCluster } from "./browser.js";
import { compile, fetchBytes } from "./module.js";

export * from "../surface.js";

// Bundlers look for these very words: `new URL(…, import.meta.url)`, and the worker's options literally.
const files: Assets = {
  module: () => compile(new URL("./quorate.wasm", import.meta.url), fetchBytes),
  worker: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
};

export type Cluster = ClusterInstance;
export const Cluster: ClusterFactory = browserCluster(
  files,
  async () => (await import("./inline.js")).assets,
);
