/** Shards on their way: looked at as long as there are any, told to whoever listens, and waited for. */

import type { QuorateError } from "../errors.js";
import type { Events } from "../events.js";
import type { CallOptions } from "../types.js";
import type { Progress } from "./controller.js";
import { groupsOf, type HostGroups } from "./picture.js";
import type { Configuration, Migration, ShardedEvents } from "./types.js";

interface Parts {
  groups(): Promise<HostGroups>;
  progress(options: CallOptions): Promise<Progress>;
  readonly events: Events<ShardedEvents>;
}

interface Waiting {
  readonly number: number;
  resolve(): void;
  reject(error: QuorateError): void;
}

export class Migrations {
  readonly #parts: Parts;
  readonly #waiting = new Set<Waiting>();
  /** By shard: what was told last. */
  readonly #told = new Map<number, Migration>();
  /** The configuration that is to be reached, and the last one that all groups were done with. */
  #wanted = 0;
  #reached = 0;
  #looking = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed: QuorateError | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** There is a configuration after another: it is looked at the groups until they are done with it. */
  follow(before: Configuration, { number, shards }: Configuration): void {
    for (const [shard, to] of shards.entries()) {
      const from = before.shards[shard] ?? 0;
      if (from > 0 && to > 0 && from !== to)
        this.#emit({ ...{ shard, from, to }, configuration: number, ...BEGUN });
    }
    this.#wanted = Math.max(number, this.#wanted);
    this.#look();
  }

  /** Does `work` with what resolves when all groups are done with a configuration; after it nobody waits for that. */
  async settled(number: number, work: (settled: Promise<void>) => Promise<void>): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#reached >= number) return;
    this.#wanted = Math.max(number, this.#wanted);
    let waiting!: Waiting;
    const settled = new Promise<void>((resolve, reject) => {
      waiting = { number, resolve, reject };
    });
    this.#waiting.add(waiting);
    this.#look();
    try {
      await work(settled);
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  close(error: QuorateError): void {
    this.#closed = error;
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting) reject(error);
  }

  #look(): void {
    if (this.#looking || this.#closed !== undefined) return;
    this.#looking = true;
    const again = () => {
      this.#looking = false;
      if (this.#closed === undefined && this.#reached < this.#wanted)
        this.#timer = setTimeout(() => this.#look(), LOOK_MS);
    };
    // Who does not answer now does later.
    this.#once().then(again, again);
  }

  async #once(): Promise<void> {
    // First how far they are: what is seen after that is at least as new.
    const progress = await this.#parts.progress({ timeout: TIMEOUT_MS });
    const groups = await this.#parts.groups();
    this.#reached = Math.min(progress.number, ...progress.groups.values());
    this.#tell(groups);
    for (const { number, resolve } of this.#waiting) if (number <= this.#reached) resolve();
  }

  #tell(all: HostGroups): void {
    const groups = groupsOf(all);
    for (const { id, configuration, shards } of groups) {
      for (const { shard, stands } of shards) {
        const told = this.#told.get(shard);
        if (stands !== "serving" || told === undefined) continue;
        if (told.to === id && configuration >= told.configuration) this.#done(told);
      }
    }
    for (const { shard, from, to, step, staged: copied, total } of all.flatMap(arrivingOf)) {
      const { configuration = 0 } = groups.find(({ id }) => id === to) ?? {};
      const isFrozen = step === "installing" || step === "freezing";
      const phase = isFrozen ? "frozen" : "copying";
      this.#emit({ shard, from, to, configuration, phase, copied, total });
    }
    // What a later configuration took back, or gave to another group on its way.
    for (const told of this.#told.values()) {
      if (told.configuration <= this.#reached) this.#done(told);
    }
  }

  #done(migration: Migration): void {
    this.#told.delete(migration.shard);
    this.#parts.events.emit("migration", { ...migration, phase: "done" });
  }

  #emit(migration: Migration): void {
    const { shard, phase, to, copied } = migration;
    const before = this.#told.get(shard);
    // One that is known from the configuration is not there yet, or is over, as far as its taker says.
    if (before !== undefined && before.configuration > migration.configuration) return;
    this.#told.set(shard, migration);
    const isNews = before?.phase !== phase || before.to !== to || before.copied !== copied;
    if (isNews) this.#parts.events.emit("migration", migration);
  }
}

const arrivingOf = ({ arriving = [] }: HostGroups[number]) => arriving;

const BEGUN = { phase: "copying", copied: 0, total: null } as const;
/** How often it is looked while shards are on their way. */
const LOOK_MS = 50;
const TIMEOUT_MS = 2_000;
