/** Who takes part: changes of the membership and of the leadership, from the call to its end. */

import { onAbort } from "./abort.js";
import { abortedError, type Bounds, bounded, readBounds } from "./bounded.js";
import { integer, invalid, record } from "./check.js";
import { MembershipError, type QuorateError, quorateError } from "./errors.js";
import { lateError, type Quorum } from "./late.js";
import { MAX_ID } from "./limits.js";
import type { Member } from "./member.js";
import type { Identity, LeaderRequest, MemberChange, MembersNow } from "./protocol.js";
import type { AddOptions, CallOptions, Leadership, Members, MemberView } from "./types.js";

/** What a change needs of the cluster. */
export interface Body {
  readonly deadlineMs: number;
  /** Throws if the cluster is closed. */
  assertOpen(): void;
  /** Whether a majority can decide now. */
  quorum(): Quorum;
  /** The leader's id, as soon as there is one. */
  leader(options: CallOptions): Promise<number>;
  member(id: number): Asked | undefined;
  /** Makes a member and starts its node, which waits to be added; nothing if it runs already. */
  admit(id: number): Promise<Identity>;
  /** Stops a node that is no member, and forgets it. */
  dismiss(id: number): Promise<void>;
  /** The highest id that was ever given. */
  lastId(): number;
}

/** Whoever may lead, as far as that is needed here. */
export type Asked = Pick<Member, "id" | "state" | "role" | "ask">;

/** A call under way. */
interface Work extends Bounds {
  /** A leader has taken what was asked, or may have. */
  taken: boolean;
}

/** Where the membership stands, as the cluster last heard. */
export class Membership implements Members, Leadership {
  readonly #cluster: Body;
  #now: MembersNow = { voters: [], outgoing: [], learners: [], joining: [] };
  #index = -1;
  #guessed = -1;
  #isSettled = false;
  /** Nodes that are being added: they run, and are no members yet. */
  readonly #adding = new Set<number>();
  readonly #waiting = new Set<() => void>();

  constructor(cluster: Body) {
    this.#cluster = cluster;
  }

  /** Takes what a leader says; whether it was news. */
  settle(index: number, members: MembersNow): boolean {
    this.#isSettled = true;
    return this.learn(index, members);
  }

  /** Takes what a node says that it has applied; whether it was news. */
  learn(index: number, members: MembersNow): boolean {
    if (index < this.#index || members.voters.length === 0) return false;
    // A node that starts goes through all there were.
    if (index < this.#guessed && !this.#isSettled) return false;
    const news = index > this.#index || JSON.stringify(members) !== JSON.stringify(this.#now);
    this.#index = index;
    this.#now = members;
    if (news) this.wake();
    return news;
  }

  /**
   * Takes what a storage says that was opened: the best there is to go by until a leader tells what is committed.
   */
  guess(index: number, members: MembersNow): void {
    const known = Math.max(this.#index, this.#guessed);
    if (this.#isSettled || index < known || members.voters.length === 0) return;
    this.#guessed = index;
    this.#now = members;
  }

  /** Lets those look again who wait for something. */
  wake(): void {
    for (const look of this.#waiting) look();
  }

  get now(): MembersNow {
    return this.#now;
  }

  get index(): number {
    return this.#index;
  }

  isMember(id: number): boolean {
    const { voters, outgoing, learners } = this.#now;
    return voters.includes(id) || outgoing.includes(id) || learners.includes(id);
  }

  /** Every member's id, and those of nodes that are being added. */
  get ids(): readonly number[] {
    const { voters, outgoing, learners } = this.#now;
    return [...new Set([...voters, ...outgoing, ...learners, ...this.#adding])].sort(
      (a, b) => a - b,
    );
  }

  list(): readonly MemberView[] {
    const { voters, outgoing, learners, joining } = this.#now;
    const ids = [...new Set([...voters, ...outgoing, ...learners])].sort((a, b) => a - b);
    // Between two memberships the voters of each decide for themselves (§6).
    const arrives = (id: number) => outgoing.length > 0 && !outgoing.includes(id);
    return Object.freeze(
      ids.map((id) =>
        Object.freeze({
          id,
          voter: voters.includes(id) || outgoing.includes(id),
          joining: joining.includes(id) || (voters.includes(id) && arrives(id)),
          leaving: outgoing.includes(id) && !voters.includes(id) && !learners.includes(id),
        }),
      ),
    );
  }

  async add(id?: number, options: AddOptions = {}): Promise<number> {
    const { learner = false, ...rest } = readAdd(options);
    const node = id === undefined ? this.#cluster.lastId() + 1 : memberId(id);
    const change = learner ? "addLearner" : "addVoter";
    await this.#joined(node, rest, [], change);
    return node;
  }

  async remove(id: number, options: CallOptions = {}): Promise<void> {
    const node = memberId(id);
    await this.#bounded(options, `node ${node} was not removed`, (bounds) =>
      this.#change([{ change: "remove", node }], bounds, () => !this.isMember(node)),
    );
    await this.#cluster.dismiss(node);
  }

  async replace(dead: number, fresh?: number, options: CallOptions = {}): Promise<number> {
    const gone = memberId(dead);
    const node = fresh === undefined ? this.#cluster.lastId() + 1 : memberId(fresh);
    if (gone === node) throw invalid("a node is replaced by another one");
    await this.#joined(node, options, [{ change: "remove", node: gone }], "addVoter");
    await this.#cluster.dismiss(gone);
    return node;
  }

  async promote(id: number, options: CallOptions = {}): Promise<void> {
    const node = memberId(id);
    await this.#bounded(options, `node ${node} did not get its vote`, (bounds) =>
      this.#change([{ change: "promote", node }], bounds, () => this.#now.voters.includes(node)),
    );
  }

  async demote(id: number, options: CallOptions = {}): Promise<void> {
    const node = memberId(id);
    await this.#bounded(options, `node ${node} did not lose its vote`, (bounds) =>
      this.#change([{ change: "demote", node }], bounds, () => this.#now.learners.includes(node)),
    );
  }

  async transferTo(id: number, options: CallOptions = {}): Promise<void> {
    const to = memberId(id);
    await this.#bounded(options, `node ${to} did not take over`, async (bounds) => {
      for (;;) {
        const leader = await this.#leader(bounds);
        if (leader.id === to) return;
        try {
          await ask(leader, { what: "transfer", to }, bounds);
        } catch (error) {
          if (!SOON.has((error as QuorateError).code)) throw about(to, error);
        }
        await this.#news(bounds);
      }
    });
  }

  /** Starts a node, has it added with what goes along with that, and waits until it takes part. */
  async #joined(
    node: number,
    options: CallOptions,
    along: readonly MemberChange[],
    change: "addVoter" | "addLearner",
  ): Promise<void> {
    this.#cluster.assertOpen();
    readBounds(options, this.#cluster.deadlineMs);
    const stranger = along.find((change) => !this.isMember(change.node));
    if (stranger !== undefined) throw unknown(stranger.node);
    if (this.isMember(node) || this.#adding.has(node)) {
      throw quorateError("ALREADY_MEMBER", `node ${node} is a member already`, { node });
    }
    this.#adding.add(node);
    let work: Work | undefined;
    try {
      await this.#bounded(options, `node ${node} has not caught up`, async (bounds) => {
        work = bounds;
        const { storage } = await this.#cluster.admit(node);
        const changes: MemberChange[] = [{ change, node, storage }, ...along];
        const there = () =>
          (change === "addVoter" ? this.#now.voters : this.#now.learners).includes(node);
        await this.#change(changes, bounds, there);
      });
    } finally {
      this.#adding.delete(node);
      // What the cluster has taken goes on, whoever waits for it.
      if (!work?.taken && !this.isMember(node)) await this.#cluster.dismiss(node);
    }
  }

  /** Asks for a change until a leader has taken it, and waits until `done` in a settled membership. */
  async #change(
    changes: readonly MemberChange[],
    bounds: Work,
    done: () => boolean,
  ): Promise<void> {
    let term = -1;
    let index = 0;
    for (;;) {
      if (bounds.taken && this.#index >= index && this.#now.outgoing.length === 0 && done()) return;
      const leader = await this.#leader(bounds);
      // A leader that went before it had committed the change may have lost it.
      if (leader.role !== undefined && leader.role.term !== term) {
        try {
          index = await ask(leader, { what: "change", changes }, bounds);
          term = leader.role?.term ?? -1;
        } catch (error) {
          const { code } = error as QuorateError;
          const isDone = bounds.taken && AGAIN.has(code);
          if (isDone) term = leader.role?.term ?? -1;
          // That may be the first try, or another change.
          const isOpen = bounds.taken && code === "MEMBERSHIP_PENDING";
          if (!isDone && !isOpen && !SOON.has(code)) throw about(changes[0]?.node, error);
        }
      }
      await this.#news(bounds);
    }
  }

  async #leader(bounds: Bounds): Promise<Asked> {
    for (;;) {
      const { signal } = bounds;
      const id = await this.#cluster.leader({
        timeout: bounds.timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
      const member = this.#cluster.member(id);
      if (member?.state === "running") return member;
      await this.#news(bounds);
    }
  }

  /** Waits for news, but not for long: some things are only seen by looking again. */
  async #news(bounds: Bounds): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        deaf();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, LOOK_MS);
      const deaf = onAbort(bounds.signal, wake);
      this.#waiting.add(wake);
    });
    this.#cluster.assertOpen();
    if (bounds.signal?.aborted) throw abortedError(bounds.signal);
  }

  /** Runs `work` within the call's bounds; its loops end with them. */
  async #bounded(
    options: CallOptions,
    late: string,
    work: (bounds: Work) => Promise<void>,
  ): Promise<void> {
    this.#cluster.assertOpen();
    const { timeoutMs, signal } = readBounds(options, this.#cluster.deadlineMs);
    const over = new AbortController();
    const deaf = onAbort(signal, () => over.abort());
    let ended = false;
    const inner: Work = { timeoutMs, signal: over.signal, taken: false };
    const guarded = async () => {
      await work(inner).catch((error: unknown) => {
        if (!ended) throw error;
      });
    };
    try {
      await bounded(options, this.#cluster.deadlineMs, late, guarded);
    } catch (error) {
      const { code, message, cause } = error as QuorateError;
      if (code !== "TIMEOUT" && code !== "ABORTED") throw error;
      // What a leader has taken may go on.
      if (inner.taken) throw quorateError(code, message, { outcome: "unknown", cause });
      throw code === "TIMEOUT" ? lateError(this.#cluster.quorum(), message, "not-applied") : error;
    } finally {
      ended = true;
      over.abort();
      deaf();
    }
  }
}

/** Asks a leader. As long as it has not refused, it may have taken what was asked. */
async function ask(leader: Asked, request: LeaderRequest, bounds: Work): Promise<number> {
  const { taken } = bounds;
  bounds.taken = true;
  try {
    return await leader.ask(request);
  } catch (error) {
    const { code, outcome } = error as QuorateError;
    // One that ends has no last word.
    if (outcome !== "unknown" && !ENDED.has(code)) bounds.taken = taken;
    throw error;
  }
}

function readAdd(options: AddOptions): AddOptions {
  record(options, '"options"', ["signal", "timeout", "learner"]);
  if (options.learner !== undefined && typeof options.learner !== "boolean")
    throw invalid('"learner" is true or false');
  return options;
}

function memberId(id: unknown): number {
  return integer(id, "a node", 1, MAX_ID);
}

/** A refusal is about the node that was to change, not about the one that was asked. */
function about(node: number | undefined, error: unknown): unknown {
  return error instanceof MembershipError
    ? quorateError(error.code, error.message, { node })
    : error;
}

function unknown(node: number): QuorateError {
  return quorateError("UNKNOWN_MEMBER", `node ${node} is no member`, { node });
}

/** How often to look whether something has come about. */
const LOOK_MS = 50;
/** Refusals that are over soon. */
const ENDED: ReadonlySet<string> = new Set(["NODE_KILLED", "NODE_HALTED"]);
const SOON: ReadonlySet<string> = new Set(["NOT_LEADER", "LEADER_NOT_READY", ...ENDED]);
/** Refusals of a second try that mean that the first one took effect. */
const AGAIN: ReadonlySet<string> = new Set(["ALREADY_MEMBER", "UNKNOWN_MEMBER"]);
