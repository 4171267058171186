/** Browsers where no file beside the code can be reached: WebAssembly and worker are embedded. */

import { nodeFactory } from "../node.js";
import { clusterFactory } from "../open.js";
import type {
  ClusterFactory,
  Cluster as ClusterInstance,
  NodeFactory,
  Node as NodeInstance,
} from "../types.js";
import { browserPlatform } from "./browser.js";
import { core } from "./core.js";
import { embedded } from "./embedded.js";

export * from "../surface.js";

const platform = /* @__PURE__ */ browserPlatform(core, embedded);

export type Cluster = ClusterInstance;
export const Cluster: ClusterFactory = /* @__PURE__ */ clusterFactory(platform);
export type Node = NodeInstance;
export const Node: NodeFactory = /* @__PURE__ */ nodeFactory(platform);
