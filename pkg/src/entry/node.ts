/** Node: worker threads, with state in a directory. */

import { nodeFactory } from "../node.js";
import { clusterFactory } from "../open.js";
import type {
  ClusterFactory,
  Cluster as ClusterInstance,
  NodeFactory,
  Node as NodeInstance,
} from "../types.js";
import { platform } from "./platform.js";

export * from "../surface.js";

export type Cluster = ClusterInstance;
export const Cluster: ClusterFactory = /* @__PURE__ */ clusterFactory(platform);
export type Node = NodeInstance;
export const Node: NodeFactory = /* @__PURE__ */ nodeFactory(platform);
