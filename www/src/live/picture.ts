/** The page's cluster as a picture: what the nodes say of themselves, and what was seen of their messages. Pure. */

import type { LinkPicture, LogPicture, NodePicture, Picture } from "../stage/picture.js";
import { isSevered, type Model, type NodeModel } from "./model.js";
import type { Traffic } from "./traffic.js";

/** So many entries of a log are put into words. */
const IN_WORDS = 24;

/** What was shown last. */
export interface Shown {
  readonly model: Model;
  readonly picture: Picture;
}

/** The cluster at a moment of the page's clock. What is as it was in the picture before is the same object. */
export function pictureOf(model: Model, traffic: Traffic, at: number, before?: Shown): Picture {
  return {
    at,
    nodes: model.nodes.map((node) => {
      const known = before?.model.nodes.find(({ id }) => id === node.id);
      const old = before?.picture.nodes.find(({ id }) => id === node.id);
      // Logs are drawn as often as nodes tell of them, however often entries are seen.
      const told = old === undefined || known?.status !== node.status;
      const log = told ? keep(logOf(node.status, traffic), old?.log) : old.log;
      const face = faceOf(node, traffic);
      if (old?.log !== log) return { ...face, log };
      const { log: _, ...was } = old;
      return keep(face, was) === was ? old : { ...face, log };
    }),
    flights: traffic.flights(at),
    sampled: traffic.sampled(at),
    links: keep(linksOf(model), before?.picture.links),
  };
}

/** A picture a moment later, as far as things move: messages and timers. */
export function inMotion(picture: Picture, traffic: Traffic, at: number): Picture {
  const nodes = picture.nodes.map((node) => {
    const timer = node.timer && traffic.timer(node.id);
    return timer === node.timer ? node : { ...node, timer };
  });
  return { ...picture, at, nodes, flights: traffic.flights(at) };
}

/** `now`, or what was before if that is equal. */
function keep<T>(now: T, before: T | undefined): T {
  return before !== undefined && JSON.stringify(now) === JSON.stringify(before) ? before : now;
}

/** All of a node but its log. */
function faceOf(node: NodeModel, traffic: Traffic): Omit<NodePicture, "log"> {
  const { id, status, part } = node;
  const state = stateOf(node);
  const role = status?.role ?? "follower";
  const isLeader = role === "leader";
  const votes = role === "candidate" ? "vote" : "preVote";
  return {
    id,
    state,
    role,
    part,
    term: status?.term ?? 0,
    vote: status?.vote ?? null,
    leader: status?.leader ?? null,
    votes: role === "candidate" || role === "preCandidate" ? traffic.votes(id, votes) : [],
    timer: isLeader || (state !== "running" && state !== "paused") ? null : traffic.timer(id),
    asleep: false,
    peers: isLeader ? (status?.peers ?? []) : [],
  };
}

function stateOf({ state, frozen }: NodeModel): NodePicture["state"] {
  if (state === "running") return frozen ? "paused" : "running";
  return state === "killed" ? "down" : state;
}

function logOf(status: NodeModel["status"], traffic: Traffic): LogPicture {
  if (status === null) return EMPTY;
  const { logStart, last, lastTerm, persisted, commit, applied, snapshot } = status;
  const runs = traffic.runs(logStart, last, lastTerm);
  const entries = traffic.entries(runs, last, IN_WORDS);
  return { start: logStart, last, persisted, commit, applied, snapshot, runs, entries };
}

const EMPTY: LogPicture = {
  start: 0,
  last: 0,
  persisted: 0,
  commit: 0,
  applied: 0,
  snapshot: 0,
  runs: [],
  entries: [],
};

/** A link on which everything is lost is cut, whichever rule says so. */
function linksOf({ rules }: Model): LinkPicture[] {
  return rules.map((rule) => {
    const { from, to, delay, drop } = rule;
    return { from, to, cut: isSevered(rule), delay, loss: drop };
  });
}
