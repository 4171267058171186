/**
 * What went over the wires lately, as the taps in the workers tell it: messages under way, votes, timers, and what entries hold. No document,
 * no clock: times come with the reports and with the question.
 */

import type { EntryPicture, Flight, FlightKind } from "../stage/picture.js";
import { REPORT_MS, type Report, type Sighting } from "./tap.js";
import { TAGS } from "./wire.js";

/** A message takes so many milliseconds on the picture; in truth it takes less than one. */
export const FLIGHT_MS = 420;
/** The picture is that much behind, so that a message begins its way where it was sent, although it is told of later. */
const LAG_MS = REPORT_MS + 20;
/** About so many messages are drawn at once: more would be a cloud, and cost frames. */
const DRAWN = 160;
/** Bursts may have more. */
const MAX_FLIGHTS = 2 * DRAWN;
/** Of so many entries it is known what they hold. */
const MAX_ENTRIES = 512;
/** So many terms are known. */
const MAX_TERMS = 256;
/** Seven nodes make no more reports in that time. */
const MAX_WINDOW = 200;
/** For so long it is counted how many messages are told of. */
const WINDOW_MS = 1_000;

export class Traffic {
  #flights: Flight[] = [];
  #next = 1;
  readonly #timers = new Map<number, { from: number; to: number }>();
  readonly #votes = new Map<number, Campaign>();
  /** Where the entries of a term begin, in all logs that have any, and the term of the entry before. */
  readonly #terms = new Map<number, { first: number; before: number }>();
  readonly #entries = new Map<string, EntryPicture>();
  readonly #counts = new Map<number, Map<number, number>>();
  /** Of each report: how many messages it counts, how many it tells of, and how many of those are drawn. */
  #window: { at: number; counted: number; told: number; drawn: number }[] = [];
  /** Told of so far. */
  #told = 0;

  /** Takes a report. `origin`: the page's time zero, in milliseconds since 1970. `delay`: what rules of the network add on a link. */
  take(report: Report, origin: number, delay: (from: number, to: number) => number): void {
    const { node, counts, sightings, runs, entries, timer } = report;
    const stride = this.#stride;
    let drawn = 0;
    for (const sighting of sightings) {
      this.#count(sighting);
      this.#told += 1;
      const isRare = !COMMON.has(KINDS[sighting.tag] ?? "other");
      if (!isRare && this.#told % stride > 0) continue;
      drawn += 1;
      this.#fly(sighting, origin, delay);
    }
    const sums = this.#counts.get(node) ?? new Map<number, number>();
    for (const [tag, count] of counts) sums.set(tag, (sums.get(tag) ?? 0) + count);
    this.#counts.set(node, sums);
    for (const { first, term, before } of runs) {
      if (first < (this.#terms.get(term)?.first ?? Number.POSITIVE_INFINITY))
        this.#terms.set(term, { first, before });
    }
    forget(this.#terms, MAX_TERMS);
    for (const entry of entries) this.#entries.set(`${entry.term}/${entry.index}`, entry);
    forget(this.#entries, MAX_ENTRIES);
    if (timer === null) this.#timers.delete(node);
    else this.#timers.set(node, { from: timer.from - origin, to: timer.to - origin });
    const counted = counts.reduce((sum, [, count]) => sum + count, 0);
    const at = Math.max(0, ...sightings.map((sighting) => sighting.at - origin));
    this.#window.push({ at, counted, told: sightings.length, drawn });
    // A hidden page draws nothing, and asks for nothing.
    if (this.#window.length > MAX_WINDOW) this.#window.shift();
  }

  /** A node is gone, or begins anew. */
  forget(node: number): void {
    this.#timers.delete(node);
    this.#votes.delete(node);
    this.#counts.delete(node);
  }

  /** Messages that are under way then, on the picture. What has arrived is forgotten. */
  flights(at: number): readonly Flight[] {
    this.#flights = this.#flights.filter(({ arrivesAt }) => arrivesAt > at);
    return this.#flights.filter(({ sentAt }) => sentAt <= at);
  }

  /** Whether anything is under way, or about to be. */
  get isBusy(): boolean {
    return this.#flights.length > 0;
  }

  /** Of how many messages one is drawn. */
  sampled(at: number): number {
    this.#window = this.#window.filter((report) => report.at > at - WINDOW_MS);
    return Math.max(1, Math.round(this.#sum("counted") / Math.max(1, this.#sum("drawn"))));
  }

  /** Of the messages that are told of one in so many is drawn, by what was told in the last second. */
  get #stride(): number {
    const underWay = (this.#sum("told") * FLIGHT_MS) / WINDOW_MS;
    return Math.max(1, Math.ceil(underWay / DRAWN));
  }

  #sum(of: "counted" | "told" | "drawn"): number {
    return this.#window.reduce((total, report) => total + report[of], 0);
  }

  /** How many messages of a tag went out of these nodes since each began. */
  count(tag: number, nodes: readonly number[]): number {
    return nodes.reduce((sum, node) => sum + (this.#counts.get(node)?.get(tag) ?? 0), 0);
  }

  timer(node: number): { readonly from: number; readonly to: number } | null {
    return this.#timers.get(node) ?? null;
  }

  /** Who voted for a candidate, or would. */
  votes(node: number, kind: "preVote" | "vote"): readonly number[] {
    const campaign = this.#votes.get(node);
    return campaign?.kind === kind ? campaign.votes : [];
  }

  /** The terms of the entries after `start`, up to the last one; 0 where they are not known. */
  runs(start: number, last: number, lastTerm: number): { first: number; term: number }[] {
    const runs: { first: number; term: number }[] = [];
    let [end, term] = [last, lastTerm];
    while (end > start) {
      const known = this.#terms.get(term);
      // Of the terms before it is only known that there are some.
      if (term === 0 || known === undefined || known.first > end) {
        if (term > 0) runs.unshift({ first: end, term });
        if (term === 0 || end > start + 1) runs.unshift({ first: start + 1, term: 0 });
        return runs;
      }
      const first = Math.max(known.first, start + 1);
      runs.unshift({ first, term });
      [end, term] = [first - 1, known.before];
    }
    return runs;
  }

  /** What the newest entries hold. */
  entries(
    runs: readonly { first: number; term: number }[],
    last: number,
    most: number,
  ): EntryPicture[] {
    const found: EntryPicture[] = [];
    for (let index = Math.max(runs[0]?.first ?? 1, last - most + 1); index <= last; index++) {
      const term = runs.findLast(({ first }) => first <= index)?.term ?? 0;
      const entry = this.#entries.get(`${term}/${index}`);
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  #fly(
    { tag, from, to, entries, at }: Sighting,
    origin: number,
    delay: (from: number, to: number) => number,
  ): void {
    const sentAt = at - origin + LAG_MS;
    if (this.#flights.length >= MAX_FLIGHTS) this.#flights.shift();
    this.#flights.push({
      id: this.#next++,
      from,
      to,
      kind: KINDS[tag] ?? "other",
      answer: ANSWERS.has(tag),
      refuses: REFUSALS.has(tag),
      entries,
      sentAt,
      arrivesAt: sentAt + FLIGHT_MS + (tag === 0 ? 0 : delay(from, to)),
      lost: false,
    });
  }

  /** Votes count, whether they are drawn or not. */
  #count({ tag, from, to, term }: Sighting): void {
    const kind = KINDS[tag];
    if (kind !== "preVote" && kind !== "vote") return;
    if (!ANSWERS.has(tag)) {
      const campaign = this.#votes.get(from);
      if (campaign?.kind !== kind || campaign.term !== term)
        this.#votes.set(from, { kind, term, votes: [from] });
    } else if (!REFUSALS.has(tag)) {
      const campaign = this.#votes.get(to);
      if (campaign?.kind === kind && campaign.term === term && !campaign.votes.includes(from))
        this.#votes.set(to, { ...campaign, votes: [...campaign.votes, from] });
    }
  }
}

interface Campaign {
  readonly kind: "preVote" | "vote";
  readonly term: number;
  readonly votes: readonly number[];
}

const KINDS: Readonly<Record<number, FlightKind>> = {
  0: "client",
  [TAGS.preVote]: "preVote",
  [TAGS.preVoteGranted]: "preVote",
  [TAGS.preVoteRefused]: "preVote",
  [TAGS.requestVote]: "vote",
  [TAGS.requestVoteTransfer]: "vote",
  [TAGS.voteGranted]: "vote",
  [TAGS.voteRefused]: "vote",
  [TAGS.append]: "append",
  [TAGS.appendAccepted]: "append",
  [TAGS.appendRejected]: "append",
  [TAGS.heartbeat]: "heartbeat",
  [TAGS.commitNotice]: "heartbeat",
  [TAGS.heartbeatResponse]: "heartbeat",
  [TAGS.snapshotChunk]: "snapshot",
  [TAGS.snapshotLastChunk]: "snapshot",
  [TAGS.snapshotContinue]: "snapshot",
  [TAGS.snapshotInstalled]: "snapshot",
  [TAGS.readIndex]: "read",
  [TAGS.readIndexResponse]: "read",
};

/** Of these there are many; of all others each one is drawn. */
const COMMON: ReadonlySet<FlightKind> = new Set(["append", "heartbeat", "read", "client"]);

const ANSWERS: ReadonlySet<number> = new Set([
  TAGS.preVoteGranted,
  TAGS.preVoteRefused,
  TAGS.voteGranted,
  TAGS.voteRefused,
  TAGS.appendAccepted,
  TAGS.appendRejected,
  TAGS.heartbeatResponse,
  TAGS.snapshotContinue,
  TAGS.snapshotInstalled,
  TAGS.readIndexResponse,
  TAGS.sleepResponse,
]);

const REFUSALS: ReadonlySet<number> = new Set([
  TAGS.preVoteRefused,
  TAGS.voteRefused,
  TAGS.appendRejected,
]);

/** Forgets the oldest. */
function forget<K>(map: Map<K, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
