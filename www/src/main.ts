/** The page: a cluster, a model of it, and a view of the model. */

import { Cluster, QuorateError } from "quorate";

import { type Action, type Happening, initial, isolated, type Trouble, update } from "./model.js";
import { View } from "./view.js";

/** How many entries of the store are listed. */
const LISTED = 50;
/** How long a call of the visitor may take, in milliseconds. */
const PATIENCE = 5_000;

let model = initial;
let cluster: Cluster | undefined;
let painting = false;
let reading: "no" | "now" | "again" = "no";

const view = new View({
  kill: (id) => act(async () => cluster?.node(id).kill()),
  start: (id) => act(async () => cluster?.node(id).start()),
  cut: (id, off) => {
    const cut = off ? [...model.cut, id] : model.cut.filter((other) => other !== id);
    act(async () =>
      cut.length === 0 ? cluster?.network.heal() : cluster?.network.isolate(...cut),
    );
  },
  heal: () => act(async () => cluster?.network.heal()),
  call,
  retry: open,
});

function send(action: Action): void {
  model = update(model, action);
  if (painting) return;
  painting = true;
  // A hidden tab paints no frames, and needs none.
  requestAnimationFrame(() => {
    painting = false;
    view.show(model);
  });
}

function tell(kind: Happening["kind"], text: string): void {
  send({ type: "happened", what: { at: performance.now(), kind, text } });
}

async function open(): Promise<void> {
  send({ type: "opening" });
  try {
    cluster = await Cluster.open({ name: "page", nodes: 3 });
  } catch (error) {
    return send({ type: "failed", trouble: troubleOf(error) });
  }
  watch(cluster);
  send({ type: "opened" });
  send({ type: "status", status: await cluster.status() });
  await readStore();
}

function watch(cluster: Cluster): void {
  cluster.addEventListener("status", ({ detail }) => {
    send({ type: "status", status: detail });
  });
  cluster.addEventListener("leaderchange", ({ detail: { leader, term } }) => {
    tell("role", leader === null ? "there is no leader" : `node ${leader} leads in term ${term}`);
    void readStore();
  });
  cluster.addEventListener("rolechange", ({ detail: { node, role, term } }) => {
    if (role === "candidate") tell("role", `node ${node} asks for votes in term ${term}`);
  });
  cluster.addEventListener("commit", () => void readStore());
  cluster.addEventListener("nodedown", ({ detail: { node } }) => {
    tell("fault", `node ${node} was killed`);
  });
  cluster.addEventListener("nodeup", ({ detail: { node } }) => tell("fault", `node ${node} runs`));
  cluster.addEventListener("halted", ({ detail: { node, reason } }) => {
    tell("error", `node ${node} stopped: ${reason.message} (${reason.code})`);
  });
  cluster.addEventListener("network", ({ detail: { rules } }) => {
    const ids = cluster.nodes.map(({ id }) => id);
    const cut = isolated(ids, rules).map((id) => `node ${id}`);
    tell("fault", cut.length === 0 ? "the network is whole" : `cut off: ${cut.join(", ")}`);
  });
}

/** Runs what a button asked for; what goes wrong is told. */
async function act(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code, text } = troubleOf(error);
    tell("error", `${text} (${code})`);
  }
}

async function call(what: "put" | "get" | "delete", key: string, value: string): Promise<void> {
  if (cluster === undefined) return;
  const kv = cluster.kv.as("utf8");
  const name = `${what} ${key}`;
  send({ type: "answer", answer: { kind: "waiting", text: `${name}…` } });
  const began = performance.now();
  try {
    const text = await perform(kv, what, key, value);
    const took = `${Math.max(1, Math.round(performance.now() - began))} ms`;
    send({ type: "answer", answer: { kind: "done", text: `${name}: ${text}, after ${took}` } });
    if (what !== "get") tell("write", `${name}: ${text}`);
  } catch (error) {
    const { code, text } = troubleOf(error);
    send({ type: "answer", answer: { kind: "failed", text: `${name}: ${text} (${code})` } });
    tell("error", `${name}: ${text} (${code})`);
  }
}

async function perform(
  kv: ReturnType<Cluster["kv"]["as"]>,
  what: "put" | "get" | "delete",
  key: string,
  value: string,
): Promise<string> {
  const options = { timeout: PATIENCE };
  switch (what) {
    case "put":
      return `stored at revision ${(await kv.put(key, value, options)).revision}`;
    case "get": {
      const entry = await kv.get(key, options);
      return entry === null
        ? "there is none"
        : `“${entry.value}”, of revision ${entry.modRevision}`;
    }
    case "delete": {
      const { deleted, revision } = await kv.delete(key, options);
      return deleted ? `removed at revision ${revision}` : "there was none";
    }
  }
}

/** Reads the store's beginning; one reading at a time, and one more if something changed meanwhile. */
async function readStore(): Promise<void> {
  if (cluster === undefined || reading !== "no") {
    reading = reading === "no" ? "no" : "again";
    return;
  }
  reading = "now";
  try {
    const { entries, count, revision } = await cluster.kv
      .as("utf8")
      .range({ limit: LISTED }, { timeout: PATIENCE });
    const rows = entries.map(({ key, value, modRevision, version }) => ({
      key,
      value: value ?? "",
      revision: modRevision,
      changes: version,
    }));
    send({ type: "store", store: { entries: rows, count, revision } });
  } catch {
    send({ type: "storeUnread" });
  }
  const again = (reading as string) === "again";
  reading = "no";
  if (again) await readStore();
}

function troubleOf(error: unknown): Trouble {
  return error instanceof QuorateError
    ? { code: error.code, text: error.message }
    : { code: "UNKNOWN", text: String(error) };
}

view.show(model);
await open();
