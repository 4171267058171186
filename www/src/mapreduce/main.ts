/** The page: a cluster for jobs, a model of it, and a view of the model. */

import { MapReduceCluster, QuorateError } from "quorate/mapreduce";

import { countPlainly, makeSample, mergeOutputs } from "./helper.js";
import { type Choice, optionsOf } from "./jobs.js";
import { type Action, type Happening, initial, numberOf, type Trouble, update } from "./model.js";
import { View } from "./view.js";
import { news, sentences } from "./words.js";

/** The cluster's name, of which the name of its scratch storage is made. */
const NAME = "mapreduce-page";
/** How often workers and nodes are looked at, and bars grow, in milliseconds. */
const LOOK = 100;
/** Results are compared up to so many bytes, for they have to fit into memory. */
const COMPARED_MAX = 256 << 20;

let model = initial;
let cluster: MapReduceCluster | undefined;
let painting = false;
let running: AbortController | undefined;
/** When the last event of the job was heard. */
let heard = 0;

const view = new View({
  begin: (choice, files) => void run(choice, files),
  cancel: () => running?.abort(new DOMException("cancelled", "AbortError")),
  killWorker: (id) => act(async () => cluster?.workers.kill(id)),
  addWorker: () => act(async () => cluster?.workers.add()),
  removeWorker: () => act(async () => cluster?.workers.remove()),
  node: {
    kill: (id) => act(async () => cluster?.node(id).kill()),
    start: (id) => act(async () => cluster?.node(id).start()),
  },
  retry: () => void open(),
});

function send(action: Action): void {
  model = update(model, action);
  if (painting) return;
  painting = true;
  // Not by frames, of which a hidden tab has none: what it reads out shall be true.
  setTimeout(() => {
    painting = false;
    show();
  }, 16);
}

function show(): void {
  const now = performance.now();
  const isOver = model.ended !== undefined || model.timeline.attempts.length === 0;
  view.show(model, now, model.timeline.to + (isOver ? 0 : now - heard));
}

function tell(kind: Happening["kind"], text: string): void {
  send({ type: "happened", what: { at: performance.now(), kind, text } });
}

async function open(): Promise<void> {
  send({ type: "stage", stage: "opening" });
  try {
    await takeLock();
    // What a page begins ends with it: its files are not there any more. So nothing of it need be kept.
    cluster = await MapReduceCluster.open({
      name: NAME,
      storage: "memory",
      workers: Math.max(2, Math.min(navigator.hardwareConcurrency || 2, 4)),
    });
    watch(cluster);
    send({ type: "stage", stage: "ready" });
    tell("mended", "The cluster is open");
  } catch (error) {
    send({ type: "failed", trouble: asTrouble(error) });
  }
}

/** One tab at a time: two would share their scratch storage. */
function takeLock(): Promise<void> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(NAME, { ifAvailable: true }, (lock) => {
        if (lock === null) throw trouble("STORAGE_LOCKED", "Another tab has this page open");
        resolve();
        return new Promise(() => {});
      })
      .catch(reject);
  });
}

function watch(cluster: MapReduceCluster): void {
  cluster.addEventListener("leaderchange", ({ detail: { leader, term } }) => {
    send({ type: "leader", leader, term });
    if (leader === null) tell("fault", "There is no leader");
    else tell("leader", `Node ${leader} leads in term ${term}`);
  });
  cluster.addEventListener("nodedown", ({ detail: { node } }) => {
    tell("fault", `Node ${node} was killed`);
  });
  cluster.addEventListener("nodeup", ({ detail: { node } }) => tell("mended", `Node ${node} runs`));
  cluster.addEventListener("halted", ({ detail: { node, reason } }) => {
    tell("error", `Node ${node} halted: ${sentences(asTrouble(reason))}`);
  });
  void findLeader(cluster);
  look();
  setInterval(look, LOOK);
}

/** One that was elected before anybody listened. */
async function findLeader(cluster: MapReduceCluster): Promise<void> {
  for (const node of cluster.nodes) {
    const status = await node.status().catch(() => undefined);
    if (status === undefined || status.leader === null || status.term <= model.term) continue;
    send({ type: "leader", leader: status.leader, term: status.term });
  }
}

function look(): void {
  if (cluster === undefined) return;
  const nodes = cluster.nodes.map(({ id, state }) => ({ id, state }));
  send({ type: "nodes", nodes });
  send({ type: "workers", workers: cluster.workers.list() });
}

/** From the files, or a sample, to the result and what a plain program says to it. */
async function run(choice: Choice, given: readonly File[] | number): Promise<void> {
  if (cluster === undefined || running !== undefined) return;
  running = new AbortController();
  const { signal } = running;
  send({ type: "outcome", outcome: null });
  try {
    send({ type: "stage", stage: "preparing" });
    const files = typeof given === "number" ? await makeSample(given, signal) : given;
    await carryOut(cluster, choice, files, signal);
  } catch (error) {
    if (signal.aborted) tell("step", "Cancelled");
    else tell("error", sentences(asTrouble(error)));
  } finally {
    running = undefined;
    send({ type: "stage", stage: "ready" });
  }
}

async function carryOut(
  cluster: MapReduceCluster,
  choice: Choice,
  files: readonly File[],
  signal: AbortSignal,
): Promise<void> {
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  if (bytes === 0) throw trouble("INPUT_EMPTY", "There is nothing in these files");
  const began = performance.now();
  send({ type: "stage", stage: "running" });
  send({ type: "began", at: began });
  const job = await cluster.mapReduce({ ...optionsOf(choice, bytes), input: files }, { signal });
  void listen(job.events, (event) => {
    heard = performance.now();
    send({ type: "event", event });
    const told = news(event, numberOf(model, event.worker));
    if (told !== undefined) tell(told.kind, told.text);
  });
  void listen(job.progress, (progress) => send({ type: "progress", progress }));
  try {
    const { outputs, counters } = await job.result().finally(() => {
      send({ type: "ended", at: performance.now() });
    });
    const time = performance.now() - began;
    if (outputs.reduce((sum, { size }) => sum + size, 0) > COMPARED_MAX)
      throw trouble("OUTPUT_TOO_LARGE", "There is more than this page can show and compare");
    const blobs: Blob[] = [];
    for (const output of outputs) blobs.push(await new Response(output.stream()).blob());
    send({ type: "stage", stage: "comparing" });
    const written = await mergeOutputs(blobs, choice, signal);
    const plain = "waiting";
    send({ type: "outcome", outcome: { choice, written, counters, time, bytes, plain } });
    await compare(choice, files, signal);
  } finally {
    // Its results are in the page's hands.
    await cluster.forget(job.id).catch(() => {});
  }
}

async function compare(choice: Choice, files: readonly File[], signal: AbortSignal): Promise<void> {
  try {
    send({ type: "plain", plain: await countPlainly(files, choice, signal) });
  } catch (error) {
    send({ type: "plain", plain: "stopped" });
    throw error;
  }
}

/** That a job ends otherwise than well is told where its result is waited for. */
async function listen<T>(all: AsyncIterable<T>, each: (one: T) => void): Promise<void> {
  try {
    for await (const one of all) each(one);
  } catch {}
}

/** Runs what a button asked for; what goes wrong is told. */
async function act(work: () => Promise<unknown>): Promise<void> {
  try {
    const done = work();
    look();
    await done;
  } catch (error) {
    tell("error", sentences(asTrouble(error)));
  }
}

/** An error of the page itself, with a code as those of the package have. */
function trouble(code: string, text: string): Error {
  return Object.assign(new Error(text), { code });
}

function asTrouble(error: unknown): Trouble {
  const { code, name } = error as { code?: unknown; name?: unknown };
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof QuorateError || typeof code === "string") return { code: `${code}`, text };
  return { code: `${name ?? "UNKNOWN"}`, text };
}

show();
await open();
