/** Browsers: files beside this one by their URLs; where a bundler has lost them, the same embedded. */

import type {
  ClusterFactory,
  Cluster as ClusterInstance,
  NodeFactory,
  Node as NodeInstance,
} from "../types.js";
import { type Assets, browserFactories } from "./browser.js";
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

const factories = browserFactories(files, async () => (await import("./inline.js")).assets);

export type Cluster = ClusterInstance;
export const Cluster: ClusterFactory = factories.Cluster;
export type Node = NodeInstance;
export const Node: NodeFactory = factories.Node;
