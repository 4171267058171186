/** A cluster for jobs: its nodes are a cluster whose machine is the coordinator; here is what is on top of it. */

import { onAbort } from "../abort.js";
import { abortedError, checkBounds } from "../bounded.js";
import { integer, invalid, record } from "../check.js";
import { closedError } from "../closed.js";
import { LiveCluster } from "../cluster.js";
import type { AnyNode, CallOptions, ClusterEvents, ClusterListener, Network } from "../types.js";
import { Coordinator, type JobStatus } from "./coordinator.js";
import { type Description, describe, read as readDescription } from "./description.js";
import { JobError } from "./errors.js";
import { isOver, LiveJob } from "./job.js";
import type { JobPlatform } from "./open.js";
import { inputsOf, type JobSettings, type MapReduceSettings, readJob } from "./options.js";
import { publishToStore, resultOf } from "./outputs.js";
import { Pool } from "./pool.js";
import { type JobSpec, reduceFile } from "./protocol.js";
import type { Scratch } from "./scratch.js";
import { boundariesOf } from "./sort.js";
import type { Source } from "./source.js";
import { type SourceHome, sourcesOf, splitsOf } from "./sources.js";
import type {
  JobResult,
  JobSummary,
  JobTarget,
  JobWorkers,
  MapReduceCluster,
  MapReduceOptions,
  RunningJob,
} from "./types.js";

export class LiveMapReduceCluster implements MapReduceCluster {
  readonly name: string;
  readonly #settings: MapReduceSettings;
  readonly #platform: JobPlatform;
  readonly #cluster: LiveCluster;
  readonly #coordinator: Coordinator;
  readonly #pool: Pool;
  readonly #jobs = new Map<number, LiveJob>();
  readonly #targets = new Map<number, JobTarget | undefined>();
  /** What is removed of jobs that are over. */
  readonly #cleaning = new Map<number, Promise<void>>();
  #scratch!: Scratch;
  #closing: Promise<void> | undefined;

  constructor(
    platform: JobPlatform,
    settings: MapReduceSettings,
    module: WebAssembly.Module,
    unlock: (() => Promise<void>) | undefined,
  ) {
    this.#platform = platform;
    this.#settings = settings;
    this.name = settings.cluster.name;
    this.#cluster = new LiveCluster(platform, settings.cluster, module, unlock);
    this.#coordinator = new Coordinator(this.#cluster);
    const engine = platform.engine();
    // Who starts a worker hears of it.
    engine.catch(() => {});
    this.#pool = new Pool({
      coordinator: this.#coordinator,
      engine,
      scratch: platform.scratchPlace(settings),
      spawn: (id, events) => platform.spawnTasks(id, events),
      changed: (job) => this.#jobs.get(job)?.look(),
      publish: (job, signal) => this.#publish(job, signal),
    });
  }

  get nodes(): readonly AnyNode[] {
    return this.#cluster.nodes;
  }

  get network(): Network {
    return this.#cluster.network;
  }

  get workers(): JobWorkers {
    return this.#pool;
  }

  node(id: number): AnyNode {
    return this.#cluster.node(id);
  }

  async begin(): Promise<void> {
    await this.#cluster.begin();
    this.#scratch = await this.#platform.openScratch(this.#platform.scratchPlace(this.#settings));
    await this.#pool.add(this.#settings.workers);
    await this.#tidy();
  }

  async mapReduce(options: MapReduceOptions, bounds: CallOptions = {}): Promise<RunningJob> {
    this.#assertOpen();
    checkBounds(bounds);
    const settings = readJob(options);
    if (bounds.signal?.aborted) throw abortedError(bounds.signal);
    await this.#checkTarget(settings.target);
    const place = newPlace();
    const { spec, splits, id } = await this.#keeping(place, async (home) => {
      const sources = await sourcesOf(settings.inputs, home, place);
      const spec = await this.#specOf(settings, sources);
      const splits = splitsOf(sources, spec.format, settings.splitBytes, this.#pool.count);
      const description = describe(spec, settings, place);
      return { spec, splits, id: await this.#coordinator.submit(settings, description, bounds) };
    });
    try {
      await this.#coordinator.addSplits(id, splits, bounds);
      const job = this.#follow(id, settings, [place]);
      await this.#coordinator.start(id, bounds);
      this.#pool.take(id, spec, settings.leaseMs);
      const { signal } = bounds;
      if (signal !== undefined) {
        const deaf = onAbort(signal, () => void job.cancel().catch(() => {}));
        job.result().then(deaf, deaf);
      }
      return job;
    } catch (error) {
      await this.#coordinator
        .cancel(id)
        .then(() => this.#scratch.remove(place))
        .catch(() => {});
      throw error;
    }
  }

  async jobs(options: CallOptions = {}): Promise<readonly JobSummary[]> {
    this.#assertOpen();
    return this.#coordinator.jobs(options);
  }

  async resume(
    id: number,
    options: CallOptions & { readonly input?: MapReduceOptions["input"] } = {},
  ): Promise<RunningJob> {
    this.#assertOpen();
    record(options, "the options", ["input", "timeout", "signal"]);
    const { input, ...bounds } = options;
    const known = this.#jobs.get(integer(id, "a job", 1, Number.MAX_SAFE_INTEGER));
    if (known !== undefined) return known;
    const status = await this.#coordinator.status(id, bounds);
    const description = readDescription(await this.#coordinator.description(id, bounds));
    if (isOver(status)) return this.#follow(id, description, [description.kept]);
    const place = newPlace();
    const sources = await this.#keeping(place, (home) =>
      foundAgain(description, input, home, place),
    );
    const job = this.#follow(id, description, [description.kept, place]);
    // Whoever submitted it may have died before all of it was there.
    await this.#coordinator.start(id, bounds);
    this.#pool.take(id, { ...description.spec, sources }, description.leaseMs);
    return job;
  }

  async forget(id: number, options: CallOptions = {}): Promise<void> {
    this.#assertOpen();
    await this.#coordinator.forget(integer(id, "a job", 1, Number.MAX_SAFE_INTEGER), options);
    this.#jobs.get(id)?.close(unknownJob(id));
    this.#jobs.delete(id);
    this.#targets.delete(id);
    // Whoever still writes would leave something behind.
    await Promise.all([this.#pool.drop(id), this.#cleaning.get(id)]);
    await this.#scratch.remove(String(id));
  }

  addEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void {
    this.#cluster.addEventListener(type, listener, options);
  }

  removeEventListener<K extends keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | EventListenerOptions,
  ): void {
    this.#cluster.removeEventListener(type, listener, options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  declare [Symbol.asyncDispose]: () => Promise<void>;

  async #close(): Promise<void> {
    for (const job of this.#jobs.values()) job.close(closedError());
    await this.#pool.close();
    await Promise.all(this.#cleaning.values());
    await this.#cluster.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closedError();
  }

  #follow(id: number, { target }: Pick<JobSettings, "target">, kept: readonly string[]): LiveJob {
    this.#targets.set(id, target);
    const job = new LiveJob({
      id,
      coordinator: this.#coordinator,
      cancel: () => this.#pool.unpublished(id, () => this.#coordinator.cancel(id)),
      result: (status) => this.#result(id, status),
      over: () => {
        // What lies between map and reduce is of no more use; results stay, unless they were published.
        const what = typeof target === "string" ? undefined : "m";
        const clean = async () => {
          await this.#pool.drop(id);
          await this.#scratch.remove(String(id), what);
          for (const place of kept) await this.#scratch.remove(place);
        };
        const cleaning = clean()
          // What is left over goes when the cluster is opened again.
          .catch(() => {})
          .finally(() => this.#cleaning.delete(id));
        this.#cleaning.set(id, cleaning);
      },
    });
    this.#jobs.set(id, job);
    return job;
  }

  async #specOf({ spec }: JobSettings, sources: readonly Source[]): Promise<JobSpec> {
    const { job, format, partitions } = spec;
    if (!("builtIn" in job) || job.builtIn !== "sort") return { ...spec, sources };
    const read = this.#platform.readSource;
    return { ...spec, sources, boundaries: await boundariesOf(sources, format, partitions, read) };
  }

  async #result(id: number, status: JobStatus): Promise<JobResult> {
    const target = this.#targets.get(id);
    const winners = await this.#coordinator.winners(id);
    return resultOf(
      id,
      winners,
      { ...status.counters, skipped: status.skipped },
      (partition, { attempt }) =>
        typeof target !== "string" || this.#platform.readPublished === undefined
          ? this.#scratch.stream(reduceFile(id, partition, attempt))
          : this.#platform.readPublished(target, partition),
    );
  }

  async #publish(job: number, signal: AbortSignal): Promise<void> {
    const target = this.#targets.get(job);
    if (target === undefined) return;
    const winners = await this.#coordinator.winners(job);
    if (typeof target === "string")
      return this.#platform.publish?.(target, this.name, job, winners, this.#settings, signal);
    const read = (name: string) => this.#scratch.stream(name);
    await publishToStore(target, this.name, job, winners, read, signal);
  }

  async #checkTarget(target: JobTarget | undefined): Promise<void> {
    if (typeof target === "string") {
      if (this.#platform.checkTarget === undefined)
        throw invalid('"output" is a directory only on Node');
      await this.#platform.checkTarget(target);
    } else if (target !== undefined && (await target.kv.get(target.prefix)) !== null)
      throw new JobError("OUTPUT_EXISTS", `the key "${target.prefix}" is there already`);
  }

  /** Does not leave behind at the place what is of no use. */
  async #keeping<T>(place: string, find: (home: SourceHome) => Promise<T>): Promise<T> {
    try {
      return await find(this.#platform.sources(this.#settings));
    } catch (error) {
      await this.#scratch.remove(place).catch(() => {});
      throw error;
    }
  }

  /** Removes from the scratch storage what belongs to no job any more. */
  async #tidy(): Promise<void> {
    try {
      const jobs = await this.#coordinator.jobs();
      const isKnown = new Set(jobs.map(({ id }) => String(id)));
      const over = new Set(jobs.filter(isOver).map(({ id }) => String(id)));
      const kept = new Set<string>();
      for (const { id } of jobs.filter((job) => !isOver(job)))
        kept.add(readDescription(await this.#coordinator.description(id, {})).kept);
      for (const name of await this.#scratch.jobs()) {
        const isJob = /^\d+$/.test(name);
        const isUnused = name.startsWith(KEEP) ? !kept.has(name) : isJob && !isKnown.has(name);
        if (isUnused) await this.#scratch.remove(name);
        // Whoever saw its end may have died before this was done.
        else if (over.has(name)) await this.#scratch.remove(name, "m");
      }
    } catch {
      // There may be no majority yet; what is left over harms nobody.
    }
  }
}

/** The inputs of a job that somebody else began: by their names, or as they are given again. */
async function foundAgain(
  { spec }: Description,
  input: MapReduceOptions["input"] | undefined,
  home: SourceHome,
  place: string,
): Promise<JobSpec["sources"]> {
  if (input === undefined) {
    const isKnown = spec.sources.length > 0 && spec.sources.every(({ kind }) => kind !== "blob");
    if (!isKnown) throw invalid('"input" is needed: it cannot be found by its name');
    return spec.sources as JobSpec["sources"];
  }
  const found = await sourcesOf(inputsOf(input), home, place);
  const isSame =
    found.length === spec.sources.length &&
    found.every(({ size }, at) => size === spec.sources[at]?.size);
  if (spec.sources.length > 0 && !isSame)
    throw new JobError("INPUT_CHANGED", "the input is not the one with which the job began");
  return found;
}

/** Where streams are kept that are inputs of a job, which may have no number yet. */
const newPlace = () => `${KEEP}${crypto.randomUUID()}`;
const KEEP = "keep-";

const unknownJob = (id: number) =>
  new JobError("UNKNOWN_JOB", `there is no job ${id}`, { job: id });
