/** Node: worker threads, with state in a directory. */

import { clusterFactory } from "../open.js";
import type { ClusterFactory, Cluster as ClusterInstance } from "../types.js";
import { platform } from "./platform-node.js";

export * from "../surface.js";

export type Cluster = ClusterInstance;
export const Cluster: ClusterFactory = clusterFactory(platform);
