/** What is said of the pictures of a cluster. Pure. */

import type {
  FlightKind,
  LinkPicture,
  LogPicture,
  NodePicture,
  NodeState,
  Picture,
  Role,
} from "../stage/picture.js";
import { type Cell, termOf } from "../stage/strips.js";

export const ROLES: Readonly<Record<Role, string>> = {
  leader: "leader",
  follower: "follower",
  candidate: "candidate",
  preCandidate: "pre-candidate",
};

export const STATES: Readonly<Record<NodeState, string>> = {
  starting: "starting",
  running: "running",
  paused: "paused",
  frozen: "frozen",
  down: "down",
  halted: "halted",
  lost: "lost for good",
};

/** The sign of what a node is, so that it is not told by color alone. */
export function glyph({ state, role, asleep }: NodePicture): string {
  switch (state) {
    case "running":
      if (asleep) return "z";
      return { leader: "★", candidate: "?", preCandidate: "◇", follower: "" }[role];
    case "paused":
      return "❚❚";
    case "frozen":
      return "❄";
    case "starting":
      return "↻";
    case "down":
    case "halted":
      return "✕";
    case "lost":
      return "†";
  }
}

/** In the middle of a ring, where there are several. */
export function ringTitle(id: number): string {
  return id === 0 ? "controller" : `group ${id}`;
}

/** Under a node's name. */
export function standing(node: NodePicture): string {
  if (node.part === "none") return "no member";
  if (node.state !== "running") return STATES[node.state];
  if (node.part === "learner") return "learner";
  if (node.part === "joining") return "joining";
  return ROLES[node.role];
}

/** A candidate's votes; nothing for others. */
export function votes(node: NodePicture, majority: number): string {
  const asks = node.role === "candidate" || node.role === "preCandidate";
  return asks && node.state === "running" ? `${node.votes.length} of ${majority} votes` : "";
}

/** For whom a node voted in its term, below what it is. */
export function voteText({ id, vote, state }: NodePicture): string {
  if (vote === null || state !== "running") return "";
  return vote === id ? "voted for itself" : `voted for n${vote}`;
}

/** What is wrong on a link. */
export function linkLabel({ cut, delay, loss }: LinkPicture): string {
  if (cut) return "✕";
  const lost = loss > 0 ? `−${Math.round(loss * 100)} %` : "";
  const late = delay > 0 ? `+${Math.round(delay)} ms` : "";
  return [lost, late].filter((part) => part !== "").join(" ");
}

/** A node in a sentence, for those who do not see it. `asked`: a candidate's votes. */
export function describeNode(node: NodePicture, asked = ""): string {
  const { id, term, leader, log } = node;
  const follows = leader === null || leader === id ? "" : `, follows n${leader}`;
  // It begins with what is written there, so that it can be called by that.
  const votes = asked === "" ? voteText(node) : asked;
  const said = votes === "" ? "" : ` ${votes}`;
  return `n${id} term ${term} ${standing(node)}${said}${follows}. ${describeLog(log)}`;
}

export function describeLog(log: LogPicture): string {
  if (log.last === 0) return "Log: empty.";
  const open = log.last - log.commit;
  const rest = open > 0 ? `${open} not known to be committed` : "all committed";
  return `Log: ${log.last} entries, ${rest}, the last of term ${termOf(log, log.last)}.`;
}

/** A place of a log. */
export function describeCell({ index, state, term, text }: Cell): string {
  if (state === "none") return `No entry ${index}`;
  if (state === "compacted") return `Entry ${index}, ${LEGEND.compacted}`;
  // As it is written there: the term, then the text.
  const words = text === "" ? "" : ` ${text}`;
  return `Entry ${index}, term ${term === 0 ? "not known" : term}${words}, ${LEGEND[state]}`;
}

/** The whole cluster in a sentence. */
export function describeCluster({ nodes }: Picture): string {
  const leaders = nodes.filter((node) => node.role === "leader" && node.state === "running");
  const down = nodes.filter(({ state }) => state !== "running" && state !== "starting");
  const leads =
    leaders.length === 0
      ? "No leader"
      : leaders.map(({ id, term }) => `n${id} leads in term ${term}`).join(", ");
  const rest = down.map(({ id, state }) => `n${id} is ${STATES[state]}`);
  return [leads, ...rest].join("; ");
}

export const KINDS: Readonly<Record<FlightKind, string>> = {
  preVote: "pre-vote",
  vote: "vote",
  append: "entries",
  heartbeat: "heartbeat",
  snapshot: "snapshot",
  read: "read",
  other: "other",
  client: "client",
};

/** What stands beside a message while few are under way. */
export function flightLabel(
  kind: FlightKind,
  answer: boolean,
  refuses: boolean,
  entries: number,
): string {
  switch (kind) {
    case "vote":
      return answer ? (refuses ? "no" : "yes") : "vote?";
    case "preVote":
      return answer ? (refuses ? "no" : "yes") : "pre-vote?";
    case "append":
      if (!answer) return entries > 0 ? `+${entries}` : "0";
      return refuses ? "no" : "ok";
    case "heartbeat":
      return answer ? "" : "♥";
    case "snapshot":
      return answer ? "ok" : "snapshot";
    case "client":
      return answer ? (refuses ? "no" : "ok") : "call";
    default:
      return "";
  }
}

export const RING_LABEL = "The cluster";
export const LOGS_LABEL = "The logs, entry by entry";
export const CLIENTS = "clients";

export function sampledText(sampled: number): string {
  return sampled <= 1 ? "" : `One of ${sampled} messages is shown.`;
}

/** The signs in the nodes. */
export const ROLE_SIGNS = [
  { sign: "★", name: "leader" },
  { sign: "?", name: "candidate" },
  { sign: "…", name: "pre-candidate" },
  { sign: "✕", name: "down" },
  { sign: "❚❚", name: "paused" },
  { sign: "❄", name: "frozen" },
] as const;

export const LEGEND = {
  title: "What the signs mean",
  nodes: "Nodes",
  messages: "Messages",
  logs: "Entries, by term",
  committed: "committed",
  persisted: "on disk",
  pending: "not on disk yet",
  compacted: "in the snapshot only",
  timer: "the ring drains until the election timer fires",
  answer: "hollow: an answer",
  refused: "crossed: refused or lost",
  marks: "bar: committed so far; triangle: applied; dots: matched and next, as the leader sees it",
} as const;
