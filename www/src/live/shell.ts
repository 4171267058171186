/** Runs what is typed at the console. Knows the package, and no document: lines go out as they come. */

import type { Cluster, CodecValues, Lock, RangeSelection, Txn, Watch } from "quorate";

import { COMMANDS, type CommandName, help, SAYS, WRONG } from "../words/console.js";
import { memberWords } from "../words/live.js";
import { parse, type Typed } from "./grammar.js";

type Text = CodecValues["utf8"];

/** Where lines go. */
export interface Out {
  line(text: string): void;
  error(error: unknown, writes: boolean): void;
  clear(): void;
  /** The locks that are held are others. */
  locks(names: readonly string[]): void;
}

/** How long a call may take, in milliseconds. */
const PATIENCE = 5_000;
/** So many changes of a watch are printed in a second. */
const LINES_A_SECOND = 20;
/** So many keys are printed if nobody says how many. */
const LIMIT = 20;
/** Of what these did not end, it is not known whether it was done. */
const WRITES: ReadonlySet<CommandName> = new Set(["put", "del", "incr", "cas", "txn"]);

export class Shell {
  readonly #cluster: () => Cluster | undefined;
  readonly #out: Out;
  readonly #watches = new Map<number, Watch<Text>>();
  readonly #locks = new Map<string, Lock>();
  #nextWatch = 1;

  constructor(cluster: () => Cluster | undefined, out: Out) {
    this.#cluster = cluster;
    this.#out = out;
  }

  /** Runs a line, and resolves when it has nothing more to say; what a watch tells comes later. */
  async run(line: string): Promise<void> {
    const typed = parse(line);
    if (typed === null) return;
    if ("wrong" in typed) return this.#out.line(typed.wrong);
    const cluster = this.#cluster();
    if (cluster === undefined && !["help", "clear"].includes(typed.name))
      return this.#out.line(WRONG.closed);
    try {
      await this.#do(typed, cluster as Cluster);
    } catch (error) {
      if (error instanceof Wrong) this.#out.line(error.message);
      else this.#out.error(error, WRITES.has(typed.name));
    }
  }

  async unlock(name: string): Promise<void> {
    const lock = this.#locks.get(name);
    if (lock === undefined) throw new Wrong(WRONG.notHeld(name));
    await lock.release({ timeout: PATIENCE });
    this.#drop(name);
    this.#out.line(SAYS.unlocked(name));
  }

  async #do({ name, args, options }: Typed, cluster: Cluster): Promise<void> {
    const kv = cluster.kv.as("utf8");
    const call = { timeout: PATIENCE };
    const say = (...lines: string[]) => {
      for (const line of lines) this.#out.line(line);
    };
    const [first = "", second = "", third = ""] = args;
    const node = () => nodeOf(first, cluster);
    switch (name) {
      case "put":
        return say(SAYS.stored((await kv.put(first, second, call)).revision));
      case "get": {
        const rev = options.get("rev");
        const at = rev === undefined ? {} : { revision: numberOf(rev) };
        return say((await kv.get(first, { ...call, ...at }))?.value ?? SAYS.absent);
      }
      case "range": {
        const limit = numberOf(options.get("limit") ?? String(LIMIT));
        const { entries, count } = await kv.range({ prefix: first, limit }, call);
        say(...entries.map(({ key, value }) => `${key} = ${value}`));
        return say(entries.length < count ? SAYS.more(count - entries.length) : SAYS.keys(count));
      }
      case "del": {
        const range = selectionOf(args, options.get("prefix"));
        if (range === undefined) throw new Wrong(WRONG.keyOrPrefix);
        if (typeof range !== "string")
          return say(SAYS.removed((await kv.deleteRange(range, call)).deleted));
        return say(SAYS.removed((await kv.delete(range, call)).deleted ? 1 : 0));
      }
      case "incr": {
        const by = second === "" ? 1 : numberOf(second);
        return say(String((await kv.increment(first, by, call)).value));
      }
      case "cas": {
        const result = await kv.compareAndSwap(first, second, third, call);
        if (result.swapped) return say(SAYS.swapped(result.revision));
        return say(result.current === null ? SAYS.isAbsent : SAYS.differs(result.current.value));
      }
      case "txn": {
        const { succeeded, results } = await kv.txn(transactionOf(first), call);
        say(succeeded ? SAYS.held : SAYS.notHeld);
        return say(...results.map((result) => `  ${JSON.stringify(result, shown)}`));
      }
      case "watch":
        return this.#watch(cluster, selectionOf(args, options.get("prefix")), options.get("from"));
      case "unwatch":
        if (this.#watches.size === 0) say(SAYS.noWatch);
        for (const watch of this.#watches.values()) watch.close();
        return;
      case "lock":
        return this.#lock(cluster, first, options.has("try"));
      case "unlock":
        return this.unlock(first);
      case "status": {
        const { nodes } = await cluster.status(call);
        const lines = nodes.map(({ id, state, status }) =>
          status === null || state !== "running"
            ? SAYS.unseen(id, state)
            : SAYS.node(id, status.role, status.term, status.commit, status.last),
        );
        return say(...lines);
      }
      case "member list":
        return say(
          ...cluster.members.list().map((member) => SAYS.member(member.id, memberWords(member))),
        );
      case "member add":
        return say(SAYS.added(await cluster.members.add(undefined, call)));
      case "member remove":
        await cluster.members.remove(node(), call);
        return say(SAYS.done);
      case "lead":
        await cluster.leadership.transferTo(node(), call);
        return say(SAYS.done);
      case "kill":
        await cluster.node(node()).kill();
        return say(SAYS.done);
      case "start":
        await cluster.node(node()).start();
        return say(SAYS.done);
      case "isolate":
        cluster.network.isolate(node());
        return say(SAYS.done);
      case "heal":
        cluster.network.heal();
        return say(SAYS.done);
      case "clear":
        return this.#out.clear();
      case "help":
        if (args.length > 0 && !Object.hasOwn(COMMANDS, first))
          throw new Wrong(WRONG.unknown(first));
        return say(...help(args.length === 0 ? undefined : (first as CommandName)));
    }
  }

  async #watch(
    cluster: Cluster,
    selection: string | RangeSelection | undefined,
    from: string | undefined,
  ): Promise<void> {
    const number = this.#nextWatch++;
    const options = from === undefined ? {} : { from: numberOf(from) };
    const watch = cluster.kv.as("utf8").watch(selection ?? { prefix: "" }, options);
    this.#watches.set(number, watch);
    void this.#follow(number, watch);
    await watch.ready;
    this.#out.line(SAYS.watching(number, watchedWords(selection)));
  }

  async #follow(number: number, watch: Watch<Text>): Promise<void> {
    const pace = new Pace((left) => this.#out.line(SAYS.left(number, left)));
    try {
      for await (const event of watch) {
        if (event.type === "progress" || !pace.mayTell()) continue;
        const { key, modRevision: at } = event;
        this.#out.line(
          event.type === "put"
            ? SAYS.put(number, key, event.value, at)
            : SAYS.gone(number, key, at),
        );
      }
    } catch (error) {
      this.#out.error(error, false);
    } finally {
      pace.end();
      this.#watches.delete(number);
      this.#out.line(SAYS.watchEnded(number));
    }
  }

  async #lock(cluster: Cluster, name: string, atOnce: boolean): Promise<void> {
    if (this.#locks.has(name)) throw new Wrong(WRONG.held(name));
    if (!atOnce) this.#out.line(SAYS.waiting(name));
    const lock = atOnce ? await cluster.kv.tryLock(name) : await cluster.kv.lock(name);
    if (lock === null) return this.#out.line(SAYS.taken(name));
    this.#locks.set(name, lock);
    this.#out.locks([...this.#locks.keys()]);
    this.#out.line(SAYS.locked(name, lock.token));
    lock.lost.addEventListener("abort", () => {
      if (this.#locks.get(name) !== lock) return;
      // Released ones are lost, too.
      if ((lock.lost.reason as { code?: unknown })?.code !== "ABORTED")
        this.#out.line(SAYS.lockLost(name));
      this.#drop(name);
    });
  }

  #drop(name: string): void {
    this.#locks.delete(name);
    this.#out.locks([...this.#locks.keys()]);
  }
}

/** Lets no more through than one can read, and says how much it left out. */
class Pace {
  readonly #leftOut: (count: number) => void;
  #told = 0;
  #left = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(leftOut: (count: number) => void) {
    this.#leftOut = leftOut;
  }

  mayTell(): boolean {
    this.#timer ??= setTimeout(() => this.end(), 1_000);
    if (this.#told < LINES_A_SECOND) this.#told += 1;
    else this.#left += 1;
    return this.#left === 0;
  }

  end(): void {
    clearTimeout(this.#timer);
    if (this.#left > 0) this.#leftOut(this.#left);
    this.#timer = undefined;
    this.#told = 0;
    this.#left = 0;
  }
}

/** What was typed makes no sense; the message says why. */
class Wrong extends Error {}

function nodeOf(word: string, cluster: Cluster): number {
  const ids = cluster.nodes.map(({ id }) => id);
  const id = Number(word);
  if (!ids.includes(id)) throw new Wrong(WRONG.node(word, ids));
  return id;
}

function numberOf(word: string): number {
  if (!/^-?\d+$/.test(word)) throw new Wrong(WRONG.number(word));
  return Number(word);
}

function selectionOf(
  [key]: readonly string[],
  prefix: string | undefined,
): string | RangeSelection | undefined {
  return prefix === undefined ? key : { prefix };
}

function watchedWords(selection: string | RangeSelection | undefined): string {
  if (selection === undefined) return SAYS.everything;
  return typeof selection === "string" ? selection : SAYS.prefix(String(selection.prefix));
}

function transactionOf(text: string): Txn<Text> {
  try {
    return JSON.parse(text) as Txn<Text>;
  } catch (error) {
    throw new Wrong(WRONG.json((error as Error).message));
  }
}

/** Keys show as text alone. */
function shown(name: string, value: unknown): unknown {
  return name === "keyBytes" ? undefined : value;
}
