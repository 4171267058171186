import { Cluster } from "quorate";

export const cluster = await Cluster.open({ name: "given", nodes: 1, storage: "memory" });
