/** The page's sentences. Pure. */

import type { ErrorCode, MemberView, NodeState, Role } from "quorate";

import {
  type Catchup,
  type Happening,
  isQuorumLost,
  type Model,
  type NodeModel,
  quorum,
  type Trouble,
  voters,
} from "../live/model.js";
import { capital, sentence } from "./common.js";

/** What a node is to the visitor. */
export type Standing = Role | Exclude<NodeState, "running"> | "formerLeader" | "frozen";

const STANDINGS: Readonly<Record<Standing, string>> = {
  leader: "Leader",
  // Its term is over, but nobody could tell it so far.
  formerLeader: "Leader of the past",
  follower: "Follower",
  preCandidate: "Pre-candidate",
  candidate: "Candidate",
  frozen: "Frozen",
  starting: "Starting…",
  killed: "Killed",
  halted: "Halted",
};

/** What a node is, given the cluster's leader. */
export function standing(node: NodeModel, leader: number | null): [Standing, string] {
  const { id, state, status, frozen } = node;
  const role = status?.role ?? "follower";
  const part = role === "leader" && id !== leader ? "formerLeader" : role;
  const is = state !== "running" ? state : frozen ? "frozen" : part;
  return [is, STANDINGS[is]];
}

/** What sets a node apart from an ordinary voter; empty for one of these. */
export function standingOut({ part, lost, catchup }: NodeModel): string {
  if (lost === "known") return "Lost its storage";
  if (lost === "learning") return `Lost its storage; learns anew${progress(catchup)}`;
  switch (part) {
    case "voter":
      return "";
    case "learner":
      return "Learner";
    case "joining":
      return `Joining${progress(catchup)}`;
    case "leaving":
      return "Leaving";
    case "none":
      return "Not a member";
  }
}

/** What is said where members are dragged. */
export const REMOVE = {
  spare: "New node",
  node: (id: number) => `Node ${id}`,
  adds: (inside: boolean) => (inside ? "let go to add it" : "drag it onto the ring"),
  removes: (inside: boolean) => (inside ? "drag it off the ring" : "let go to remove it"),
  sure: (id: number) =>
    `Remove node ${id} from the cluster? It hands over what it leads, and stops. Its database stays.`,
} as const;

/** A member's part in a word. */
export function memberWords({ voter, joining, leaving }: MemberView): string {
  if (leaving) return "leaving";
  if (voter) return "voter";
  return joining ? "joining" : "learner";
}

function progress(catchup: Catchup | null): string {
  return catchup === null ? "" : ` (${Math.min(catchup.matched, catchup.last)} of ${catchup.last})`;
}

/** Something to tell. */
type Told = Pick<Happening, "kind" | "text">;

/** What a change of the nodes means, as happenings. */
export function news(before: readonly NodeModel[], after: readonly NodeModel[]): Told[] {
  const at = (nodes: readonly NodeModel[], id: number) => nodes.find((node) => node.id === id);
  const changed = after.flatMap((node) => newsOf(node, at(before, node.id)) ?? []);
  const gone = before.filter(
    ({ id, part }) => part !== "none" && (at(after, id)?.part ?? "none") === "none",
  );
  const left = gone.map(
    ({ id }): Told => ({ kind: "members", text: `Node ${id} has left the cluster` }),
  );
  const isLost = isQuorumLost(after) && !isQuorumLost(before);
  return [...changed, ...left, ...(isLost ? [{ kind: "error" as const, text: QUORUM_LOST }] : [])];
}

function newsOf(node: NodeModel, old: NodeModel | undefined): Told | undefined {
  const tell = (kind: Told["kind"], text: string): Told => ({
    kind,
    text: `Node ${node.id} ${text}`,
  });
  const before = old?.lost ?? null;
  if (node.lost === "known" && before !== "known")
    return tell("fault", "lost its storage, and with it its vote");
  if (node.lost === "learning" && before === "known")
    return tell("fault", "learns anew from the others, without a vote");
  if (node.lost === null && before !== null)
    return tell("mended", "has learned everything, and has its vote again");
  if (node.part === old?.part) return undefined;
  switch (node.part) {
    case "joining":
      return tell("members", "joins: it learns first, and then gets its vote");
    case "learner":
      return tell("members", "is a learner: it gets everything, and has no vote");
    case "voter":
      return tell("mended", "has its vote");
    case "leaving":
      return tell("members", "is leaving the cluster");
    case "none":
      return undefined;
  }
}

const QUORUM_LOST =
  "A majority of the voters has lost its storage: what was stored cannot be recovered";

/** What a visitor must know before relying on what is shown; empty if there is nothing. */
export function warning({ origin, nodes, unstored }: Model): string {
  if (isQuorumLost(nodes))
    return `${QUORUM_LOST}. Nobody can tell any more what had been agreed on, so nothing is answered. Clear this site's data to begin anew.`;
  if (origin === "reset") return FOUNDED_ANEW;
  if (unstored === null) return "";
  return `This cluster is in memory alone: all works but deleting databases, and it ends with this page. ${sentences(unstored, "opening")}`;
}

/** Told where all storage was gone when the page opened. */
export const FOUNDED_ANEW =
  "This cluster was founded anew: the storage of the earlier one is gone, and what was stored there with it.";

/** One sentence for the whole. */
export function summary({ phase, slow, leader, term, nodes }: Model): string {
  if (phase === "failed") return "There is no cluster in this tab.";
  if (phase === "opening")
    return slow ? "Opening the cluster… Another tab may have it open." : "Opening the cluster…";
  if (isQuorumLost(nodes))
    return "No quorum, and none to be had: too many voters lost their storage.";
  const all = voters(nodes);
  const needed = quorum(all);
  const running = all.filter(({ state }) => state === "running");
  const able = running.filter(({ lost }) => lost === null).length;
  if (able < needed) {
    const what = all.length === nodes.length ? "nodes" : "voters";
    return able < running.length
      ? `No quorum: ${able} of ${all.length} ${what} may vote, ${needed} are needed.`
      : `No quorum: ${able} of ${all.length} ${what} run, ${needed} are needed. Start a node.`;
  }
  if (nodes.every(({ reach }) => reach < needed))
    return "No quorum: no majority of nodes reach one another. Start a node or heal the network.";
  const reach = nodes.find(({ id }) => id === leader)?.reach ?? 0;
  // A leader that is cut off does not know yet.
  if (reach < needed) return "No leader yet: an election is under way.";
  const up = nodes.filter(({ state }) => state === "running").length;
  if (nodes.length === 1) return `Node ${leader} leads in term ${term}. It is the only one.`;
  const run = up === nodes.length ? "All " : `${up} of ${nodes.length} `;
  return `Node ${leader} leads in term ${term}. ${run}nodes run.`;
}

/** What was being done when something went wrong. */
export type Doing = "opening" | "running" | "changing" | "calling";

type Advice = Partial<Record<ErrorCode, string>> & { readonly otherwise: string };

const ADVICE: Readonly<Record<Doing, Advice>> = {
  opening: {
    STORAGE_LOCKED:
      "The cluster runs in another tab of this browser. Use it there, or close that tab and try again.",
    STORAGE_FENCED: "Another tab took the cluster over. Use it there.",
    STORAGE_TAKEN_AWAY: "Another tab took the cluster over. Close it, and try again.",
    STORAGE_BLOCKED:
      "Another tab holds the database. Close the other tabs of this page, and try again.",
    STORAGE_UNAVAILABLE:
      "The browser refuses to store anything for this page. Leave the private window, or allow this site to store data.",
    STORAGE_VERSION:
      "A newer version of this page wrote the data. Reload to get the newer version.",
    STORAGE_CORRUPT:
      "Too many nodes have damaged data to go on. Clear this site's data to begin anew.",
    STORAGE_FOREIGN: "The data is another cluster's. Clear this site's data to begin anew.",
    QUOTA_EXCEEDED: "The disk, or this site's share of it, is full. Make room, and try again.",
    WASM_LOAD: "Part of the page did not arrive. Check the connection, and try again.",
    WORKER_FAILED: "Part of the page did not arrive or could not run. Reload the page.",
    CLIENT_PANICKED: "The page itself is broken. Reload it.",
    otherwise: "Try again. If it stays so, reload the page.",
  },
  running: {
    STORAGE_LOCKED: "Another tab uses its storage. Close that tab, then start it.",
    STORAGE_FENCED: "Another tab took its data over. Use the cluster there, and close this tab.",
    STORAGE_TAKEN_AWAY:
      "Its data was cleared, or another tab took it. While the others go on it starts again by itself.",
    STORAGE_BLOCKED: "Another tab holds its database. Close that tab, then start it.",
    STORAGE_CORRUPT: "It stays out for good, and the others go on without it.",
    STORAGE_VERSION: "A newer version of this page wrote its data. Reload to get that version.",
    STORAGE_LOST:
      "Its data was cleared, or the browser took it. While the others go on it starts again by itself.",
    QUOTA_EXCEEDED: "Make room on the disk, then start it.",
    STORAGE_WRITE_FAILED: "What was answered is safe with the others. Start it to try again.",
    otherwise: "The others go on without it. Start it to try again.",
  },
  changing: {
    ALREADY_MEMBER: "Nothing is to be done.",
    UNKNOWN_MEMBER: "Nothing is to be done.",
    MEMBERSHIP_PENDING:
      "One change at a time: wait until that is complete, or remove the node that joins.",
    TRANSFER_PENDING: "Wait a moment, and try again.",
    LEADER_NOT_READY: "Wait a moment, and try again.",
    NO_VOTER_LEFT: "Add a node first.",
    TOO_MANY_MEMBERS: "Remove another one first.",
    NO_QUORUM: "Then try again.",
    TIMEOUT: "If the cluster has taken it, it goes on by itself.",
    QUORUM_LOST: "What was stored cannot be recovered.",
    CLOSED: "Reload the page.",
    otherwise: "Try again.",
  },
  calling: {
    QUORUM_LOST: "What was stored cannot be recovered. Clear this site's data to begin anew.",
    TIMEOUT: "Try again.",
    TOO_MANY_CALLS: "Wait for some of them.",
    SESSION_EXPIRED: "Try again.",
    CLOSED: "Reload the page.",
    CLIENT_PANICKED: "Reload the page.",
    ENCODING: "Put another value, or delete the key.",
    otherwise: "",
  },
};

/** `ms`: how long the browser held the tab. */
export function tabFrozen(ms: number): string {
  const time = ms < 1_500 ? "1 second" : `${Math.round(ms / 1_000)} seconds`;
  return `the browser froze this tab for ${time}: its nodes stood still with it, and go on`;
}

/** Told where a policy forbids WebAssembly. */
export const FORBIDDEN =
  "A policy of this browser, or of who serves this page, forbids WebAssembly, and without it no node runs. Allow it for this site, or open the page in another browser; what is written here can be read all the same.";

/** What the visitor can do about it. */
export function advice(code: Trouble["code"], doing: Doing): string {
  const known = ADVICE[doing];
  return (code === "UNKNOWN" ? undefined : known[code]) ?? known.otherwise;
}

/** What can have become of a write that failed. */
const OUTCOMES = {
  "not-applied": "Nothing was changed.",
  unknown: "It may have been done, or may still be: get the key to see.",
  applied: "It was done.",
} as const;

/** An error in full: what, where, what became of it, what to do, and its code. */
export function sentences(trouble: Trouble, doing: Doing, writes = false): string {
  const { code, text, place, outcome } = trouble;
  const parts = [
    capital(text) + (place === undefined || text.includes(place) ? "" : `, at ${place}`),
    writes && outcome !== undefined ? OUTCOMES[outcome] : "",
    advice(code, doing),
  ];
  return [...parts.filter((part) => part !== "").map(sentence), `(${code})`].join(" ");
}
