/** Node: worker threads, with state in a directory. */

import { openCluster } from "../cluster.js";
import type { ClusterFactory, Cluster as ClusterInstance } from "../types.js";
import { platform } from "./platform-node.js";

export * from "../surface.js";

export type Cluster = ClusterInstance;
export const Cluster: ClusterFactory = { open: (options) => openCluster(platform, options) };
