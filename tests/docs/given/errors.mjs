import { Cluster } from "quorate";

export const cluster = await Cluster.open({ name: "errors", nodes: 1, storage: "memory" });
export function later() {}

export async function done() {
  const { value } = await cluster.kv.get("visits");
  if (value !== 1) throw new Error(`visits are ${value}`);
}
