/** Browsers: files beside this one by their URLs; where a bundler has lost them, the same embedded. */

import { nodeFactory } from "../node.js";
import { clusterFactory } from "../open.js";
import type {
  ClusterFactory,
  Cluster as ClusterInstance,
  NodeFactory,
  Node as NodeInstance,
} from "../types.js";
import { type Assets, browserPlatform } from "./browser.js";
import { core } from "./core.js";
import { compile, fetchBytes } from "./module.js";

export * from "../surface.js";

// Bundlers look for these very words: `new URL(…, import.meta.url)`, and the worker's options literally.
const files: Assets = {
  module: () => compile(new URL("./quorate.wasm", import.meta.url), fetchBytes),
  worker: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }),
  shared: {
    create: () => new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module" }),
    bytes: () => fetchBytes(new URL("./quorate.wasm", import.meta.url)),
  },
};

const platform = /* @__PURE__ */ browserPlatform(
  core,
  files,
  async () => (await import("./embedded.js")).embedded,
);

export type Cluster = ClusterInstance;
export const Cluster: ClusterFactory = /* @__PURE__ */ clusterFactory(platform);
export type Node = NodeInstance;
export const Node: NodeFactory = /* @__PURE__ */ nodeFactory(platform);
