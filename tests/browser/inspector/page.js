// A cluster under two inspectors: one that is given it and may act, one that finds it by its name.

import { Cluster } from "./quorate/auto.js";
import { define, provide } from "./quorate/inspector.js";

const full = document.querySelector("#full");
const cluster = await Cluster.open({
  name: "inspected",
  trace: new URLSearchParams(location.search).has("trace"),
});
// Before the element is known, as a framework may.
full.cluster = cluster;
const early = { cluster, controls: true, interval: 250 };
globalThis.early = Object.assign(document.createElement("quorate-inspector"), early);
define();
define();
globalThis.forget = provide(cluster);
globalThis.cluster = cluster;
await Promise.all(Array.from({ length: 20 }, (_, n) => cluster.kv.put(`key/${n}`, n)));
globalThis.ready = true;
