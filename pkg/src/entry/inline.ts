/** Browsers where no file beside the code can be reached: WebAssembly and worker are embedded. */

import wasm from "quorate:wasm";
import worker from "quorate:worker";
import type {
  ClusterFactory,
  Cluster as ClusterInstance,
  NodeFactory,
  Node as NodeInstance,
} from "../types.js";
import { type Assets, browserFactories } from "./browser.js";

export * from "../surface.js";

/** One URL for all workers, for as long as the page lives. */
let workerUrl: string | undefined;

export const assets: Assets = {
  module: async () => {
    const gzipped = new Blob([Uint8Array.from(atob(wasm), (char) => char.charCodeAt(0))]);
    const bytes = gzipped.stream().pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compile(await new Response(bytes).arrayBuffer());
  },
  worker: () => {
    workerUrl ??= URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));
    return new Worker(workerUrl, { type: "module" });
  },
};

const factories = browserFactories(assets);

export type Cluster = ClusterInstance;
export const Cluster: ClusterFactory = factories.Cluster;
export type Node = NodeInstance;
export const Node: NodeFactory = factories.Node;
