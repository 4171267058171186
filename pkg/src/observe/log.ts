/**
 * The debug log, where it is written: in a node's worker, from what the core notes. The owner takes lines in batches, one
 * under way at a time, so that an owner who is busy is not buried; what does not fit is counted.
 */

import { nowSinceEpoch } from "../clock.js";
import type { MembersNow } from "../protocol.js";
import type { Role } from "../types.js";
import {
  BATCH,
  LOST,
  MESSAGE_KINDS,
  RECEIVED,
  REPLIES,
  REQUESTS,
  STEP,
  WRITE,
  WRITTEN,
} from "./notes.js";
import type { DebugEntry, DebugTopic } from "./types.js";

export class Log {
  readonly #node: number;
  readonly #topics: ReadonlySet<DebugTopic>;
  readonly #since: number;
  readonly #post: (entries: readonly DebugEntry[]) => void;
  #waiting: DebugEntry[] = [];
  #left = 0;
  /** The owner has not heard the last batch. */
  #isSending = false;
  #isScheduled = false;
  #term = 0;
  #role: Role = "follower";
  #commit = 0;
  #round = "";

  /** `since` is the owner's beginning of time, in milliseconds since 1970. */
  constructor(
    node: number,
    topics: readonly DebugTopic[],
    since: number,
    post: (entries: readonly DebugEntry[]) => void,
  ) {
    this.#node = node;
    this.#topics = new Set(topics);
    this.#since = since;
    this.#post = post;
  }

  say(topic: DebugTopic, text: string): void {
    if (!this.#topics.has(topic)) return;
    if (this.#waiting.length >= WAITING_MAX) {
      this.#left++;
      return;
    }
    const time = nowSinceEpoch() - this.#since;
    this.#waiting.push({
      time,
      node: this.#node,
      term: this.#term,
      role: this.#role,
      topic,
      text,
    });
    this.#schedule();
  }

  /** The owner has heard the last batch. */
  heard(): void {
    this.#isSending = false;
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** Sends what waits, whatever the owner has heard. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    this.#isSending = true;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#post(batch);
    if (this.#left === 0) return;
    const left = this.#left;
    this.#left = 0;
    this.say(batch[0]?.topic ?? "transport", `${left} lines were left out`);
  }

  role(role: Role, term: number, leader: number | null): void {
    this.#role = role;
    this.#term = term;
    const known = leader === null ? "knows no leader" : `the leader is n${leader}`;
    this.say("election", role === "leader" ? `leads in term ${term}` : `${role}, ${known}`);
  }

  membership(index: number, { voters, outgoing, learners }: MembersNow): void {
    const parts = [
      `voters ${list(voters)}`,
      outgoing.length > 0 && `outgoing ${list(outgoing)}`,
      learners.length > 0 && `learners ${list(learners)}`,
    ];
    this.say("member", `at ${index}: ${parts.filter(Boolean).join(", ")}`);
  }

  note(what: number, a: number, b: number, c: number, d: number, e: number): void {
    if (what < STEP) {
      this.#message(what, a, b, [c, d, e]);
      return;
    }
    switch (what) {
      case STEP:
        if (d > this.#commit && this.#commit > 0)
          this.say("commit", `up to ${d}, applied ${e} of ${c}`);
        this.#commit = d;
        break;
      case BATCH: {
        const parts = [
          a > 0 && `${count(a, "entry", "entries")} up to ${b}`,
          c > 0 && count(c, "snapshot chunk", "snapshot chunks"),
          d > 0 && `the snapshot at ${d}`,
          e > 0 && "term and vote",
        ];
        this.#round = parts.filter(Boolean).join(", ");
        if (d > 0) this.say("snapshot", `a snapshot at ${d} is to be stored`);
        break;
      }
      case WRITE:
        this.say("persist", `writes ${this.#round}: ${count(b, "byte", "bytes")}`);
        break;
      case WRITTEN:
        this.say("persist", `${this.#round} durable`);
        break;
      case REQUESTS:
        if (a > 0) this.say("append", `${count(a, "write", "writes")} of a client`);
        if (b + c + d > 0) this.say("read", `asked: ${b} linearizable, ${c} own, ${d} watches`);
        break;
      case REPLIES:
        if (b + c + d + e > 0)
          this.say(
            "transport",
            `${a} answered; not leader ${b}, lost ${c}, overloaded ${d}, refused ${e}`,
          );
        break;
    }
  }

  #message(what: number, peer: number, term: number, numbers: readonly number[]): void {
    const tag = what % RECEIVED;
    const kind = MESSAGE_KINDS[tag - 1];
    if (kind === undefined) return;
    const topic = what >= LOST ? "transport" : TOPIC_OF[kind];
    if (!this.#topics.has(topic)) return;
    const way = what >= LOST ? "-x" : what >= RECEIVED ? "<-" : "->";
    const facts = FACTS[kind].map((fact, at) => `${fact} ${numbers[at]}`).join(", ");
    const other = term === this.#term ? "" : ` (t${term})`;
    this.say(topic, `${way} n${peer} ${kind}${other}${facts === "" ? "" : `: ${facts}`}`);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isSending) return;
    this.#isScheduled = true;
    // All lines of one event go together.
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isSending) this.flush();
    });
  }
}

const list = (ids: readonly number[]) => ids.map((id) => `n${id}`).join(" ");
const count = (number: number, one: string, many: string) =>
  `${number} ${number === 1 ? one : many}`;

type Kind = (typeof MESSAGE_KINDS)[number];

const TOPIC_OF: Readonly<Record<Kind, DebugTopic>> = {
  preVote: "election",
  preVoteGranted: "election",
  preVoteRefused: "election",
  requestVote: "election",
  requestVoteTransfer: "election",
  voteGranted: "election",
  voteRefused: "election",
  append: "append",
  appendAccepted: "append",
  appendRejected: "append",
  heartbeat: "transport",
  commitNotice: "commit",
  heartbeatResponse: "transport",
  snapshotChunk: "snapshot",
  snapshotLastChunk: "snapshot",
  snapshotContinue: "snapshot",
  snapshotInstalled: "snapshot",
  timeoutNow: "election",
  readIndex: "read",
  readIndexResponse: "read",
  digest: "snapshot",
  sleep: "transport",
  sleepResponse: "transport",
};

/** What the numbers of a message are, as `crate/wasm/src/probe.rs` gives them. */
const FACTS: Readonly<Record<Kind, readonly string[]>> = {
  preVote: ["last", "of term"],
  preVoteGranted: [],
  preVoteRefused: [],
  requestVote: ["last", "of term"],
  requestVoteTransfer: ["last", "of term"],
  voteGranted: [],
  voteRefused: [],
  append: ["after", "entries", "commit"],
  appendAccepted: ["matched"],
  appendRejected: ["not after", "try", "of term"],
  heartbeat: ["commit", "round"],
  commitNotice: ["commit"],
  heartbeatResponse: ["round"],
  snapshotChunk: ["at", "chunk", "bytes"],
  snapshotLastChunk: ["at", "chunk", "bytes"],
  snapshotContinue: ["at", "next"],
  snapshotInstalled: ["at", "matched"],
  timeoutNow: [],
  readIndex: ["question"],
  readIndexResponse: ["question", "index"],
  digest: ["at"],
  sleep: ["last", "round"],
  sleepResponse: ["round"],
};

/** Lines that wait for the owner, at most. */
const WAITING_MAX = 4_096;
