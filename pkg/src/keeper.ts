/**
 * Looks after nodes whose tabs are gone, in a tab's worker: adopts them, and removes their databases when no membership
 * needs them any more. What becomes of them as members is the leader's affair: see `steward.ts`.
 */

import { now } from "./clock.js";
import type { HostStatus, Identity } from "./protocol.js";
import type { Resident } from "./resident.js";
import { type Found, isOurs, look, placeOf } from "./tab.js";

export interface KeeperParts {
  /** The cluster's name. */
  readonly name: string;
  /** The tab's own node. */
  readonly own: Resident;
  /** Opens a node that nobody runs, under its lock; `failed` hears when it ends by itself. Rejects if somebody runs it. */
  adopt(node: number, failed: () => void): Promise<Resident>;
}

export class Keeper {
  readonly #parts: KeeperParts;
  readonly #orphans = new Map<number, Resident>();
  /** Since when nobody runs them. */
  readonly #free = new Map<number, number>();
  /** Nodes whose ends are waited for. */
  readonly #watched = new Set<number>();
  /** Not to be run here: they belong to another cluster. */
  readonly #strange = new Set<number>();
  /** How often they were adopted in vain, one time after the other. */
  readonly #failures = new Map<number, number>();
  readonly #over = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> = Promise.resolve();
  #now: Sighting | undefined;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#look();
  }

  /** What there is, as last seen. */
  get now(): Sighting | undefined {
    return this.#now;
  }

  async close(): Promise<void> {
    this.#over.abort();
    clearTimeout(this.#timer);
    await this.#looking;
    await Promise.all([...this.#orphans].map(([id, orphan]) => this.#drop(id, orphan)));
  }

  #look(): void {
    clearTimeout(this.#timer);
    if (this.#over.signal.aborted) return;
    // One at a time, and a failure is no reason not to look again.
    this.#looking = this.#looking.then(() => this.#step()).catch(() => {});
    this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  async #step(): Promise<void> {
    const { name, own } = this.#parts;
    const found = await look(name);
    const time = now();
    for (const known of [this.#free, this.#failures, this.#strange])
      for (const id of known.keys())
        if (found.held.has(id) || !found.stored.has(id)) known.delete(id);
    this.#now = { ...found, unfit: new Set([...this.#failures.keys(), ...this.#strange]) };
    for (const id of found.held) {
      if (id !== own.node && !this.#orphans.has(id)) this.#watch(id);
    }
    for (const id of found.stored) {
      if (found.held.has(id) || this.#strange.has(id)) continue;
      const since = this.#free.get(id) ?? time;
      this.#free.set(id, since);
      const wait = GRACE_MS * 2 ** (this.#failures.get(id) ?? 0);
      if (time - since >= Math.min(wait, RETRY_MAX_MS)) await this.#adopt(id, found);
    }
    for (const [id, orphan] of this.#orphans) if (this.#isNeedless(orphan)) await this.#bury(id);
  }

  /**
   * Waits for the end of who runs a node. That somebody waits for its lock also keeps browsers from freezing a tab in the
   * background. Shared, so that it is not taken for one that runs the node.
   */
  #watch(node: number): void {
    if (this.#watched.has(node)) return;
    this.#watched.add(node);
    const place = placeOf(this.#parts.name, node);
    const { signal } = this.#over;
    const ended = () => {
      this.#watched.delete(node);
      this.#look();
    };
    // Nobody can run it in this moment: whoever followed it need not wait until it is silent for long.
    const over = () => {
      for (const { mesh } of [this.#parts.own, ...this.#orphans.values()]) mesh.ended(node);
    };
    navigator.locks.request(place, { mode: "shared", signal }, over).then(ended, ended);
  }

  async #adopt(node: number, found: Found): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#free.delete(node);
    let orphan: Resident | undefined;
    let isOver = false;
    // It is let go of, and looked at again later: what failed may not fail the next time, or for another tab.
    const failed = () => {
      if (isOver) return;
      isOver = true;
      this.#failures.set(node, (this.#failures.get(node) ?? 0) + 1);
      if (orphan !== undefined) void this.#drop(node, orphan);
    };
    try {
      orphan = await this.#parts.adopt(node, failed);
      if (isOver) return await this.#drop(node, orphan);
      const { cluster } = orphan.host.identity() as Identity;
      this.#orphans.set(node, orphan);
      // Its tab ended before it was told of a cluster: there is nothing in it.
      if (cluster === null) return void (await this.#bury(node));
      const own = clusterOf(this.#parts.own);
      if (own === null ? isOurs(found, cluster) : own === cluster) return await orphan.open();
      isOver = true;
      this.#strange.add(node);
      await this.#drop(node, orphan);
    } catch (error) {
      // Another tab was quicker.
      if ((error as { code?: unknown }).code !== "STORAGE_LOCKED") failed();
    }
  }

  async #drop(node: number, orphan: Resident): Promise<void> {
    if (this.#orphans.get(node) === orphan) this.#orphans.delete(node);
    await orphan.close().catch(() => {}); // It ends all the same.
  }

  /**
   * Whether no quorum can need a node's log any more: a membership without it is committed, and is not older than the last one
   * that the node has in its log. Who has ever voted since has that one in its log, too.
   */
  #isNeedless(orphan: Resident): boolean {
    const [own, its] = [statusOf(this.#parts.own), statusOf(orphan)];
    if (own === undefined || its === undefined) return false;
    // What another cluster's membership says is nothing about this one's node.
    if (clusterOf(this.#parts.own) !== clusterOf(orphan)) return false;
    const { voters, outgoing, learners } = own.members;
    const isMember = [...voters, ...outgoing, ...learners].includes(orphan.node);
    const isCommitted = own.commit >= own.membersIndex;
    return !isMember && isCommitted && voters.length > 0 && own.membersIndex >= its.membersIndex;
  }

  /** Ends a node, and removes its database unless somebody else opens it first. */
  async #bury(node: number): Promise<void> {
    const orphan = this.#orphans.get(node);
    this.#orphans.delete(node);
    await orphan?.close();
    const place = placeOf(this.#parts.name, node);
    // Those who waited for its end have the lock for a moment.
    const signal = AbortSignal.timeout(BURY_MS);
    const remove = () =>
      new Promise<void>((resolve) => {
        const request = indexedDB.deleteDatabase(place);
        // It goes when the last one lets go of it, which in WebKit may be a worker that was terminated: nobody hears of that.
        request.onsuccess = request.onerror = request.onblocked = signal.onabort = () => resolve();
      });
    await navigator.locks.request(place, { signal }, remove).catch(() => {});
  }
}

/** What a tab sees. */
export interface Sighting extends Found {
  /** Nodes that nobody runs, and that this tab could not run when it last tried, or does not: another cluster's. */
  readonly unfit: ReadonlySet<number>;
}

/** Nothing while it waits to be told, as one that joins does. */
function clusterOf(resident: Resident): string | null {
  try {
    return (resident.host.identity() as Identity).cluster;
  } catch {
    return null; // It is being told at this moment.
  }
}

function statusOf(resident: Resident): HostStatus["groups"][number] | undefined {
  try {
    return (resident.host.status() as HostStatus).groups[0];
  } catch {
    return undefined; // It waits to be told of its cluster, or has ended.
  }
}

const LOOK_MS = 1_000;
/** A reload has so long to take its node back. */
const GRACE_MS = 1_000;
/** What does not open is tried again after twice the time, at most this. */
const RETRY_MAX_MS = 60_000;
/** Somebody who opens a node that is to be buried keeps it; a deletion that takes longer is not waited for. */
const BURY_MS = 1_000;
