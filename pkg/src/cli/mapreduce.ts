/** A job over files, carried out by workers of this process. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { onAbort } from "../abort.js";
import type {
  JobEvent,
  JobProgress,
  JobResult,
  MapReduceCluster,
  RunningJob,
} from "../mapreduce/types.js";
import type { Call, Command } from "./command.js";
import { EXIT, UsageError } from "./exit.js";
import { inputOf, JOB, jobOf } from "./given-job.js";
import { summaryOf, summaryText } from "./job-summary.js";
import { amount, Meter } from "./meter.js";
import { deadlineOf, loadCore, openOrFoundWith } from "./open.js";
import { numberOf, showCount } from "./values.js";

export const MAPREDUCE: Command = {
  name: "mapreduce",
  takes: "",
  about: "carry out a job over files: count words, or a module of your own",
  more: `Results are files part-00000 and so on in the directory --output, which appears when all of them are
there; or they go to standard output. Ctrl-C cancels the job, and nothing is published. Patterns need
quotes: the shell would make several words of them.

  quorate mapreduce --job wordcount --input 'texts/*' --output out/
  quorate mapreduce --job grep --pattern error --input 'logs/**/*.log' --output - --partitions 1
  quorate mapreduce --job ./visits.js --params '{"year": 2024}' --input visits.csv --output visits

Who does what is agreed on by nodes of a cluster. They are in memory, and what lies between map and
reduce is in a directory for temporary files, unless --dir says where both are kept: then a job
whose process died can be taken up again, and what is done is not done again.

  quorate mapreduce --job index --input 'texts/*' --output index --dir jobs
  quorate mapreduce --resume 1 --dir jobs`,
  options: {
    ...JOB,
    workers: {
      value: "N",
      about: "that carry tasks out (as many as there are processors, at most 8)",
    },
    nodes: { value: "N", about: "1 to 7 (3)" },
    resume: { value: "ID", about: "take up a job of --dir again; jobs there count up from 1" },
  },
  on: "alone",
  run: mapreduce,
};

async function mapreduce(call: Call): Promise<void> {
  const { options, out, signal, bounds } = call;
  const toOut = options.text("output") === "-";
  if (toOut && out.json) throw new UsageError("--json goes with a directory as --output");
  const id = options.read("resume", numberOf);
  if (id !== undefined) checkResume(call);
  const asked = id === undefined ? jobOf(options) : undefined;
  const cluster = await openJobs(call, id !== undefined);
  try {
    const running = await (asked === undefined
      ? resumed(cluster, id ?? 0, call)
      : cluster.mapReduce(asked, bounds));
    const dir = options.text("dir");
    if (dir !== undefined)
      out.note(
        `job ${running.id}; if this ends: quorate mapreduce --resume ${running.id} --dir ${dir}`,
      );
    const { result, last, events } = await followed(running, cluster, call);
    const summary = summaryOf(result, last, events);
    const where = options.text("output");
    if (!toOut) return out.say({ ...summary, output: where }, summaryText(summary, where));
    // Until all of it has gone out: a reader that goes before has no result.
    process.exitCode = EXIT.failed;
    await result.stream().pipeTo(Writable.toWeb(process.stdout), { preventClose: true, signal });
    await cluster.forget(result.id, bounds);
    out.note(summaryText(summary, undefined));
  } finally {
    await cluster.close();
  }
}

/** Of a job that is known already, all else is known, too. */
function checkResume({ options }: Call): void {
  if (options.text("dir") === undefined)
    throw new UsageError("--resume needs --dir, where the job is");
  const output = options.text("output");
  const others = Object.keys(JOB).filter((name) => name !== "input" && name !== "output");
  const given = others.find((name) => options.has(name) || options.text(name) !== undefined);
  if (given !== undefined || (output !== undefined && output !== "-"))
    throw new UsageError(`--${given ?? "output"} is known of the job that --resume names`);
}

async function resumed(
  cluster: MapReduceCluster,
  id: number,
  { options, signal, bounds }: Call,
): Promise<RunningJob> {
  const input = inputOf(options);
  const job = await cluster.resume(id, { ...bounds, ...(input && { input }) });
  // As with one that is begun here.
  if (signal.aborted) await job.cancel();
  onAbort(signal, () => void job.cancel().catch(() => {}));
  return job;
}

/** Nodes and workers: in the directory that was named, or for this job alone. */
async function openJobs({ options, signal }: Call, isThere: boolean): Promise<MapReduceCluster> {
  // Only now: no other command needs it.
  const { MapReduceCluster } = await import("../entry/mapreduce-node.js");
  const workers = options.read("workers", numberOf);
  const more = workers === undefined ? {} : { workers };
  const open = MapReduceCluster.open;
  // Nobody else's results may be taken for those of this cluster's jobs.
  const name = `jobs-${crypto.randomUUID().slice(0, 8)}`;
  if (options.text("dir") !== undefined) {
    const founding = { name, never: isThere };
    return openOrFoundWith((there) => open({ ...there, ...more }), options, signal, founding);
  }
  const scratch = mkdtempSync(join(tmpdir(), "quorate-mapreduce-"));
  // Also where a reader of standard output goes away.
  process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
  const nodes = options.read("nodes", numberOf) ?? 3;
  const wasm = await loadCore();
  const deadline = deadlineOf(options);
  return open({ name, nodes, storage: "memory", scratch, wasm, signal, ...deadline, ...more });
}

/** That another phase has begun. */
function phaseText({ phase, map, reduce, input }: JobProgress): string {
  switch (phase) {
    case "mapping":
      return `mapping: ${showCount(map.total, "task")}, ${amount(input.bytes)}`;
    case "reducing":
      return `reducing: ${showCount(reduce.total, "task")}, ${amount(map.bytes)}`;
    default:
      return phase;
  }
}

interface Followed {
  readonly result: JobResult;
  readonly last: JobProgress;
  readonly events: readonly JobEvent[];
}

/** Tells how far a job is until it is over, and gathers what is to be told then. */
async function followed(job: RunningJob, { workers }: MapReduceCluster, call: Call) {
  const events: JobEvent[] = [];
  const gathered = (async () => {
    for await (const event of job.events) events.push(event);
  })();
  const shown = show(job, () => workers.count, call);
  // The result says better than they what went wrong.
  const both = Promise.allSettled([gathered, shown]);
  const result = await job.result().finally(() => both);
  await gathered;
  return { result, last: await shown, events } satisfies Followed;
}

/** On a terminal a line that goes on; else a line for each phase. */
async function show(job: RunningJob, workers: () => number, { out }: Call): Promise<JobProgress> {
  const { stderr } = process;
  const meter = !out.json && stderr.isTTY ? new Meter(stderr, workers) : undefined;
  let last: JobProgress | undefined;
  try {
    for await (const progress of job.progress) {
      if (meter === undefined && progress.phase !== last?.phase) out.note(phaseText(progress));
      last = progress;
      meter?.show(progress);
    }
  } finally {
    meter?.clear();
  }
  if (last === undefined) throw new Error("a job that is over has a picture");
  return last;
}
