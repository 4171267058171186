/** Shards on their way: looked at as long as there are any, told to whoever listens, and waited for. */

import type { QuorateError } from "../errors.js";
import type { CallOptions } from "../types.js";
import type { Progress } from "./controller.js";
import type { Events } from "./events.js";
import { groupsOf, type HostGroups } from "./picture.js";
import type { Configuration, GroupStatus, Migration } from "./types.js";

interface Parts {
  groups(): Promise<HostGroups>;
  progress(options: CallOptions): Promise<Progress>;
  readonly events: Events;
}

interface Waiting {
  readonly number: number;
  resolve(): void;
  reject(error: QuorateError): void;
}

export class Migrations {
  readonly #parts: Parts;
  #waiting: Waiting[] = [];
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
        this.#emit({ shard, from, to, configuration: number, phase: "copying" });
    }
    this.#wanted = Math.max(number, this.#wanted);
    this.#look();
  }

  /** Resolves when all groups are done with a configuration. */
  settled(number: number): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#reached >= number) return Promise.resolve();
    this.#wanted = Math.max(number, this.#wanted);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ number, resolve, reject });
      this.#look();
    });
  }

  close(error: QuorateError): void {
    this.#closed = error;
    clearTimeout(this.#timer);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
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
    const groups = groupsOf(await this.#parts.groups());
    this.#reached = Math.min(progress.number, ...progress.groups.values());
    this.#tell(groups);
    const late = this.#waiting.filter(({ number }) => number > this.#reached);
    const done = this.#waiting.filter(({ number }) => number <= this.#reached);
    this.#waiting = late;
    for (const { resolve } of done) resolve();
  }

  #tell(groups: readonly GroupStatus[]): void {
    for (const { id, configuration, shards } of groups) {
      for (const { shard, stands, other } of shards) {
        const told = this.#told.get(shard);
        if (stands === "serving") {
          if (told?.to === id && configuration >= told.configuration) this.#done(told);
          continue;
        }
        if (other === null) continue;
        // The giver knows whether it serves; the taker, that it does not yet.
        const isGiver = stands !== "arriving";
        const [from, to] = isGiver ? [id, other] : [other, id];
        const isFrozen = stands === "frozen" || (!isGiver && told?.phase === "frozen");
        this.#emit({ shard, from, to, configuration, phase: isFrozen ? "frozen" : "copying" });
      }
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
    const { shard } = migration;
    const before = this.#told.get(shard);
    this.#told.set(shard, migration);
    const isNews =
      before === undefined || before.phase !== migration.phase || before.to !== migration.to;
    if (isNews) this.#parts.events.emit("migration", migration);
  }
}

/** How often it is looked while shards are on their way. */
const LOOK_MS = 50;
const TIMEOUT_MS = 2_000;
