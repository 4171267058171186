/** The page of the live mode: a cluster, a model of it, and a view of the model. */

import { Cluster, QuorateError } from "quorate";
import { find } from "../dom.js";
import { StageView } from "../stage/stage.js";
import { capital, nodeList, shorten } from "../words/common.js";
import { linkNews } from "../words/links.js";
import { type Doing, FOUNDED_ANEW, news, sentences, tabFrozen } from "../words/live.js";
import { ConsoleView } from "./console.js";
import { dragMembers } from "./drag.js";
import { Frames } from "./frames.js";
import type { Fault } from "./links.js";
import { Measures } from "./measures.js";
import {
  type Action,
  type Happening,
  initial,
  isolated,
  MAX_NODES,
  NODES,
  type Trouble,
  troubleOf,
  update,
} from "./model.js";
import { inMotion, pictureOf, type Shown } from "./picture.js";
import { Shell } from "./shell.js";
import type { Report } from "./tap.js";
import { Traffic } from "./traffic.js";
import { View } from "./view.js";
import { createWorker, freeze } from "./workers.js";

/** The cluster's name, of which the names of its databases are made. */
const NAME = "page";
/** How many entries of the store are listed. */
const LISTED = 50;
/** How long a call of the visitor may take, in milliseconds. */
const PATIENCE = 5_000;
/** An opening, or a change, that takes longer is remarked upon. */
const SLOW = 1_000;
/** How often the nodes are asked how they are, beside what they tell by themselves. */
const LOOK = 1_000;

/** What a slow link adds, in milliseconds. */
const SLOWER = 500;
/** How long a node is frozen. */
const FREEZE = 5_000;
/** What is written, and not drawn in motion, changes at most once in so many milliseconds: nobody reads faster. */
const WORDS = 200;
/** The store is read at most once in so many milliseconds. */
const READ = 250;

type Call = "put" | "get" | "delete";

let model = initial;
let cluster: Cluster | undefined;
let calls = 0;
/** The newest hold of each node. */
const holds = new Map<number, number>();
let held = 0;
let reading: "no" | "now" | "again" = "no";

const add = () =>
  act(async () => cluster?.members.add(undefined, { timeout: PATIENCE }), "changing");
const remove = (id: number) =>
  act(async () => cluster?.members.remove(id, { timeout: PATIENCE }), "changing");
const view = new View({
  kill: (id) => act(async () => cluster?.node(id).kill()),
  start: (id) => act(() => start(id)),
  cut: (id, off) => {
    const before = model.nodes.filter(({ isCut }) => isCut).map((node) => node.id);
    const cut = off ? [...before, id] : before.filter((other) => other !== id);
    // Nobody apart is one group of all. What is wrong with single links stays.
    act(async () =>
      cut.length === 0 ? cluster?.network.partition([]) : cluster?.network.isolate(...cut),
    );
  },
  heal: () => act(async () => cluster?.network.heal()),
  add,
  remove,
  lead: (id) =>
    act(async () => cluster?.leadership.transferTo(id, { timeout: PATIENCE }), "changing"),
  evict: (id) => act(() => evict(id)),
  freeze: (id) => hold(id),
  link: (from, to, fault) => act(async () => changeLink(from, to, fault)),
  call,
  retry: () => open(),
  inMemory: () => openIn(model.trouble),
});
dragMembers({
  add: () => {
    if (model.phase === "open" && model.nodes.length < MAX_NODES) void add();
  },
  remove,
});
const traffic = new Traffic();
const stage = new StageView(find("stage", HTMLElement), { selectNode: (id) => view.visit(id) });
const still = matchMedia("(prefers-reduced-motion: reduce)");
let shown: Shown | undefined;
let nextWords = 0;
const frames = new Frames({
  draw: (at) => {
    if (shown === undefined || at >= nextWords) {
      if (shown?.model !== model) view.show(model);
      shown = { model, picture: pictureOf(model, traffic, at, shown) };
      nextWords = at + WORDS;
    }
    const picture = inMotion(shown.picture, traffic, at);
    stage.show(picture, { reducedMotion: still.matches, playing: true });
    if (shown.model !== model) return true;
    // Who wants no motion sees each report, and nothing between two of them.
    if (still.matches) return false;
    return traffic.isBusy || picture.nodes.some(({ timer }) => timer !== null && timer.to > at);
  },
});
const shell = new Shell(() => cluster, {
  line: (text) => lines.line(text),
  error: (error, writes) => lines.error(sentences(asTrouble(error), "calling", writes)),
  clear: () => lines.clear(),
  locks: (names) => lines.locks(names),
});
const lines = new ConsoleView(
  (line) => void shell.run(line),
  (name) => void shell.run(`unlock ${JSON.stringify(name)}`),
);
new Measures(
  () => cluster,
  traffic,
  (error) => sentences(asTrouble(error), "calling", true),
);

function send(action: Action): void {
  const before = model;
  model = update(model, action);
  // Before the first picture there was nothing that could have changed.
  if (before.nodes !== initial.nodes || action.type === "amnesia") {
    for (const { kind, text } of news(before.nodes, model.nodes)) tell(kind, text);
  }
  frames.ask();
}

function tell(kind: Happening["kind"], text: string): void {
  send({ type: "happened", what: { at: performance.now(), kind, text: capital(text) } });
}

/** Opens the cluster where it is stored; where that cannot be, in memory. */
async function open(): Promise<void> {
  await openIn(null);
  if (model.trouble?.code === "STORAGE_UNAVAILABLE") await openIn(model.trouble);
}

/** `unstored`: why it is to be in memory; null if it is to be stored. */
async function openIn(unstored: Trouble | null): Promise<void> {
  send({ type: "opening" });
  const slow = setTimeout(() => send({ type: "slow" }), SLOW);
  try {
    cluster = await Cluster.open({
      name: NAME,
      nodes: NODES,
      ...(unstored !== null && { storage: "memory" }),
      createWorker: (node) => {
        traffic.forget(node);
        return createWorker(node, hear);
      },
    });
    watch(cluster);
    const { origin } = cluster;
    send({ type: "opened", origin, unstored });
    if (origin === "reset") tell("error", FOUNDED_ANEW);
    else tell("mended", "the cluster is open");
    await look();
    await readStore();
  } catch (error) {
    const trouble = asTrouble(error);
    const forbidden = trouble.code === "WASM_LOAD" && isWasmForbidden();
    send({ type: "failed", trouble: { ...trouble, forbidden } });
  } finally {
    clearTimeout(slow);
  }
}

function hear(report: Report): void {
  traffic.take(report, performance.timeOrigin, delayOf);
  frames.ask();
}

/** What the rules of the network add to a link, in milliseconds. */
function delayOf(from: number, to: number): number {
  return model.rules.find((rule) => rule.from === from && rule.to === to)?.delay ?? 0;
}

function watch(cluster: Cluster): void {
  cluster.addEventListener("status", ({ detail }) => send({ type: "status", status: detail }));
  cluster.addEventListener("leaderchange", ({ detail: { leader, term } }) => {
    if (leader === null) {
      tell("fault", "there is no leader");
      send({ type: "storeUnread" });
    } else {
      tell("leader", `node ${leader} leads in term ${term}`);
      void readStore();
    }
  });
  cluster.addEventListener("rolechange", ({ detail: { node, role, term } }) => {
    if (role === "candidate") tell("role", `node ${node} asks for votes in term ${term}`);
  });
  cluster.addEventListener("commit", () => void readStore());
  cluster.addEventListener("nodedown", ({ detail: { node } }) => {
    // One that has left the cluster is stopped, too; that it left was told.
    if (cluster.members.list().some(({ id }) => id === node))
      tell("fault", `node ${node} was killed`);
  });
  cluster.addEventListener("nodeup", ({ detail: { node } }) => tell("mended", `node ${node} runs`));
  cluster.addEventListener("halted", ({ detail: { node, reason } }) => {
    tell("error", `node ${node} halted: ${sentences(troubleOf(reason), "running")}`);
  });
  cluster.addEventListener("amnesia", ({ detail: { node } }) => send({ type: "amnesia", node }));
  cluster.addEventListener("memberchange", ({ detail: { members } }) => {
    send({ type: "members", members });
  });
  cluster.addEventListener("catchup", ({ detail: { node, matched, last } }) => {
    send({ type: "catchup", node, catchup: { matched, last } });
  });
  cluster.addEventListener("network", ({ detail: { rules } }) => {
    send({ type: "network", rules });
    const ids = cluster.nodes.map(({ id }) => id);
    const cut = isolated(ids, rules);
    if (rules.length === 0) tell("mended", "the network is whole");
    else if (cut.length > 0) tell("fault", `${nodeList(cut)} cut off from the others`);
  });
  // What is not committed is told by nobody, and shown all the same.
  setInterval(() => document.hidden || look(), LOOK);
}

/** The browser may freeze a tab that nobody looks at: all nodes stand still with it then. */
function watchTab(): void {
  let since: number | undefined;
  document.addEventListener("freeze", () => {
    since = performance.now();
  });
  document.addEventListener("resume", () => {
    if (cluster !== undefined && since !== undefined)
      tell("mended", tabFrozen(performance.now() - since));
    since = undefined;
  });
}

/** Asks all nodes how they are. One that does not answer stays as it was last seen. */
async function look(): Promise<void> {
  try {
    const status = await cluster?.status({ timeout: LOOK });
    if (status !== undefined) send({ type: "status", status });
  } catch {
    // The next look follows.
  }
}

async function start(id: number): Promise<void> {
  const node = cluster?.node(id);
  const started = node?.start();
  void look();
  await started?.catch((error: unknown) => {
    // A node that halts tells why by itself.
    if (node?.state !== "halted") throw error;
  });
}

/** Holds a node's worker for a while. */
function hold(id: number): void {
  freeze(id, FREEZE);
  const number = ++held;
  holds.set(id, number);
  send({ type: "frozen", node: id, frozen: true });
  tell("fault", `node ${id} is frozen for 5 seconds: it hears and says nothing`);
  setTimeout(() => {
    // It may have been killed, started and frozen again meanwhile.
    if (holds.get(id) !== number || !model.nodes.some((node) => node.id === id && node.frozen))
      return;
    send({ type: "frozen", node: id, frozen: false });
    tell("mended", `node ${id} goes on`);
  }, FREEZE);
}

/** Says what becomes of messages from one node to another, in place of what was said before. */
function changeLink(from: number, to: number, fault: Fault): void {
  const probability = fault === "cut" ? 1 : fault === "half" ? 0.5 : 0;
  cluster?.network.drop({ from, to, probability });
  cluster?.network.delay({ from, to, ms: fault === "slow" ? SLOWER : 0 });
  tell(fault === "none" ? "mended" : "fault", linkNews(from, to, fault));
}

/** Deletes what a node has stored, as a browser that lacks room may. */
function evict(id: number): Promise<void> {
  tell("fault", `the database of node ${id} is deleted`);
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`quorate/${NAME}/${id}`);
    const held = () =>
      tell("fault", `the browser has not deleted it yet: something still holds it`);
    const slow = setTimeout(held, SLOW);
    request.onsuccess = () => resolve(clearTimeout(slow));
    request.onerror = () => reject(request.error);
  });
}

/** Runs what a button asked for; what goes wrong is told, and that a change takes long. */
async function act(work: () => Promise<unknown>, doing: Doing = "running"): Promise<void> {
  const slow = setTimeout(() => {
    if (doing === "changing")
      tell("members", "the change is not done yet: a majority has to agree");
  }, SLOW);
  try {
    await work();
  } catch (error) {
    tell("error", sentences(asTrouble(error), doing));
  } finally {
    clearTimeout(slow);
  }
}

async function call(what: Call, key: string, value: string): Promise<void> {
  if (cluster === undefined) return;
  const number = ++calls;
  const name = capital(`${what} ${shorten(key, 60)}`);
  const answer = (kind: "waiting" | "done" | "failed", text: string) =>
    send({ type: "answer", answer: { call: number, kind, text } });
  answer("waiting", `${name}…`);
  const began = performance.now();
  try {
    const result = await perform(cluster, what, key, value);
    const took = Math.max(1, Math.round(performance.now() - began));
    answer("done", `${name}: ${result}, after ${took} ms`);
    if (what !== "get") tell("write", `${name}: ${result}`);
  } catch (error) {
    const text = `${name}: ${sentences(asTrouble(error), "calling", what !== "get")}`;
    answer("failed", text);
    tell("refused", text);
  }
}

async function perform(cluster: Cluster, what: Call, key: string, value: string): Promise<string> {
  const kv = cluster.kv.as("utf8");
  const options = { timeout: PATIENCE };
  switch (what) {
    case "put":
      return `stored at revision ${(await kv.put(key, value, options)).revision}`;
    case "get": {
      const entry = await kv.get(key, options);
      return entry === null
        ? "there is none"
        : `“${shorten(entry.value)}”, of revision ${entry.modRevision}`;
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
  do {
    reading = "now";
    try {
      const kv = cluster.kv.as("utf8");
      const { entries, count, revision } = await kv.range({ limit: LISTED }, { timeout: PATIENCE });
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
    await new Promise((resolve) => setTimeout(resolve, READ));
  } while (hasChanged());
  reading = "no";
}

/** Whether something changed while the store was read. */
function hasChanged(): boolean {
  return reading === "again";
}

/** Whether not even the empty module may be compiled. */
function isWasmForbidden(): boolean {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    return false;
  } catch {
    return true;
  }
}

function asTrouble(error: unknown): Trouble {
  return error instanceof QuorateError
    ? troubleOf(error)
    : { code: "UNKNOWN", text: String(error) };
}

watchTab();
frames.ask();
await open();
