/**
 * Counts what a node does, in its worker: the core's probe. Counters are numbers that begin at zero with the worker, and
 * cost an addition each. A trace and a log hear the same, where they are asked for.
 */

import type { Probe } from "../../wasm/quorate_wasm.js";
import { now } from "../clock.js";
import type { MembersNow } from "../protocol.js";
import type { Role } from "../types.js";
import type { Counts } from "./counts.js";
import { Buckets } from "./histogram.js";
import type { Log } from "./log.js";
import {
  BATCH,
  RECEIVED,
  REPLIES,
  REQUESTS,
  ROLE,
  ROLES,
  SENT,
  STEP,
  TAG_HEARTBEAT,
  TAG_HEARTBEAT_RESPONSE,
  WRITE,
  WRITTEN,
} from "./notes.js";
import { Tracer } from "./tracer.js";

export class Observer implements Probe {
  readonly log: Log | undefined;
  /** While what happens is to be seen in a profiler. */
  tracer: Tracer | undefined;
  readonly #cluster: string;
  readonly #node: number;
  readonly #since = now();
  readonly #messages: number[] = new Array(STEP).fill(0);
  readonly #requests = [0, 0, 0, 0];
  readonly #replies = [0, 0, 0, 0, 0];
  readonly #commit = new Buckets();
  readonly #apply = new Buckets();
  readonly #persist = new Buckets();
  readonly #roundTrips = new Map<number, Buckets>();
  /** A heartbeat to each peer that is not answered: its round, and when it was sent. */
  readonly #beats = new Map<number, { readonly round: number; readonly at: number }>();
  /** What this leader proposed and is not committed, oldest first, from `#oldest` on. */
  #proposals: { from: number; last: number; at: number }[] = [];
  #oldest = 0;
  #leads = false;
  #last = 0;
  #applied = 0;
  #elections = 0;
  #campaigned = 0;
  #leaderChanges = 0;
  #leader = "";
  #writeAt = 0;
  /** The snapshot that the next round completes, and the one that the round under way does. */
  #completes = 0;
  #writing = 0;
  /** When the first part of a snapshot was to be written. */
  #snapshotAt: number | undefined;
  #snapshotsWritten = 0;
  #snapshotsInstalled = 0;
  /** The time of what is being noted; 0 until it is asked for. */
  #now = 0;

  constructor(cluster: string, node: number, log: Log | undefined) {
    this.#cluster = cluster;
    this.#node = node;
    this.log = log;
  }

  traceAs(on: boolean): void {
    this.tracer = on ? (this.tracer ?? new Tracer(this.#cluster, this.#node)) : undefined;
  }

  note(what: number, a: number, b: number, c: number, d: number, e: number): void {
    if (what < STEP) this.#message(what, a, c, d);
    else
      switch (what) {
        case STEP:
          this.#step(a, b !== 0, c, d, e);
          break;
        case BATCH:
          if (c > 0 || d > 0) this.#snapshotAt ??= this.#clock();
          if (d > 0) this.#completes = d;
          break;
        case WRITE:
          this.#writeAt = this.#clock();
          this.#writing = this.#completes;
          this.#completes = 0;
          break;
        case WRITTEN:
          this.#written();
          break;
        case REQUESTS:
          add(this.#requests, [a, b, c, d]);
          break;
        case REPLIES:
          add(this.#replies, [a, b, c, d, e]);
          break;
        case ROLE:
          this.#role(ROLES[a] ?? "follower", b, c === 0 ? null : c);
          break;
      }
    this.log?.note(what, a, b, c, d, e);
  }

  /** A leader's snapshot replaced the state. */
  restored(index: number): void {
    this.#snapshotsInstalled++;
    this.log?.say("snapshot", `the state is now that of the leader's snapshot at ${index}`);
    this.tracer?.restored(index);
  }

  membership(index: number, members: MembersNow): void {
    this.log?.membership(index, members);
  }

  halted(message: string): void {
    this.log?.say("transport", `halted: ${message}`);
    this.log?.flush();
  }

  counts(): Counts {
    const trips = [...this.#roundTrips].map(([peer, trip]) => [peer, trip.picture()] as const);
    return {
      uptime: (now() - this.#since) / 1_000,
      elections: this.#elections,
      leaderChanges: this.#leaderChanges,
      messages: [...this.#messages],
      requests: [...this.#requests],
      replies: [...this.#replies],
      snapshotsWritten: this.#snapshotsWritten,
      snapshotsInstalled: this.#snapshotsInstalled,
      commit: this.#commit.picture(),
      apply: this.#apply.picture(),
      persist: this.#persist.picture(),
      roundTrips: new Map(trips),
    };
  }

  #message(what: number, peer: number, c: number, d: number): void {
    this.#messages[what] = (this.#messages[what] as number) + 1;
    if (what === SENT + TAG_HEARTBEAT) {
      // One at a time: a way that is longer than the time between two heartbeats would never be measured.
      if (!this.#beats.has(peer)) this.#beats.set(peer, { round: d, at: this.#clock() });
    } else if (what === RECEIVED + TAG_HEARTBEAT_RESPONSE) {
      const beat = this.#beats.get(peer);
      if (beat === undefined || c < beat.round) return;
      this.#beats.delete(peer);
      // The answer to a later one: what is waited for was lost.
      if (c > beat.round) return;
      const trips = this.#roundTrips.get(peer) ?? new Buckets();
      this.#roundTrips.set(peer, trips);
      trips.observe(this.#clock() - beat.at);
    }
  }

  #role(role: Role, term: number, leader: number | null): void {
    // Who is alone wins as it begins to campaign.
    if ((role === "candidate" || role === "leader") && term > this.#campaigned) {
      this.#campaigned = term;
      this.#elections++;
    }
    const known = leader === null ? this.#leader : `${leader} in ${term}`;
    if (known !== this.#leader) this.#leaderChanges++;
    this.#leader = known;
    this.log?.role(role, term, leader);
    this.tracer?.role(role, term, leader);
  }

  #step(at: number, leads: boolean, last: number, commit: number, applied: number): void {
    if (!leads && this.#leads) {
      this.#proposals = [];
      this.#oldest = 0;
      this.#beats.clear();
    }
    if (leads && last > this.#last) this.#proposed(last, at);
    if (leads) this.#committed(commit, at);
    // Behind a node's first step stands what it brought with it.
    if (applied > this.#applied && this.#last > 0) this.#apply.observe(now() - at);
    this.#leads = leads;
    this.#last = last;
    this.#applied = applied;
    this.#now = 0;
  }

  #proposed(last: number, at: number): void {
    const newest = this.#proposals.at(-1);
    if (newest !== undefined && this.#proposals.length - this.#oldest >= PROPOSALS_MAX)
      newest.last = last;
    else this.#proposals.push({ from: this.#last, last, at });
  }

  #committed(commit: number, at: number): void {
    for (;;) {
      const oldest = this.#proposals[this.#oldest];
      if (oldest === undefined || oldest.from >= commit) break;
      const upTo = Math.min(oldest.last, commit);
      this.#commit.observe(at - oldest.at, upTo - oldest.from);
      this.tracer?.committed(oldest.at, at, oldest.from, upTo);
      oldest.from = upTo;
      if (upTo === oldest.last) this.#oldest++;
    }
    if (this.#oldest === this.#proposals.length || this.#oldest > PROPOSALS_MAX) {
      this.#proposals.splice(0, this.#oldest);
      this.#oldest = 0;
    }
  }

  #written(): void {
    const time = this.#clock();
    this.#persist.observe(time - this.#writeAt);
    this.tracer?.written(this.#writeAt, time);
    if (this.#writing === 0) return;
    this.#snapshotsWritten++;
    this.tracer?.snapshot(this.#snapshotAt ?? this.#writeAt, time, this.#writing);
    this.#snapshotAt = undefined;
    this.#writing = 0;
  }

  /** Read once for all that one event brings about. */
  #clock(): number {
    if (this.#now === 0) this.#now = now();
    return this.#now;
  }
}

function add(sums: number[], counts: readonly number[]): void {
  for (let at = 0; at < sums.length; at++) sums[at] = (sums[at] as number) + (counts[at] as number);
}

/** Steps with open proposals whose times are kept; further ones are counted with the last of them. */
const PROPOSALS_MAX = 4_096;
