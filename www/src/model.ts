/** What the page knows, and how each thing that happens changes it. Pure: no clock, no document, no cluster. */

import type { ClusterStatus, ErrorCode, LinkRule, NodeState, NodeStatus, Role } from "quorate";

/** Everything that the page shows. */
export interface Model {
  readonly phase: "opening" | "open" | "failed";
  /** Why there is no cluster, when there is none. */
  readonly trouble: Trouble | null;
  readonly leader: number | null;
  readonly term: number;
  readonly nodes: readonly NodeModel[];
  /** The nodes that the visitor cut off, ascending. */
  readonly cut: readonly number[];
  readonly store: StoreModel;
  readonly answer: Answer | null;
  /** The newest first; at most `MAX_HAPPENINGS`. */
  readonly happenings: readonly Happening[];
  /** The number of the next happening. */
  readonly nextHappening: number;
}

/** One node's card. */
export interface NodeModel {
  readonly id: number;
  readonly state: NodeState;
  /** Why it halted. */
  readonly trouble: Trouble | null;
  /** Of its last moment, if it does not run. */
  readonly status: NodeStatus | null;
}

/** What the store held when it was last asked. */
export interface StoreModel {
  readonly entries: readonly Row[];
  readonly count: number;
  readonly revision: number;
  /** The last time it was asked, there was no answer. */
  readonly stale: boolean;
}

export interface Row {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
  readonly changes: number;
}

/** An error as the visitor sees it. */
export interface Trouble {
  readonly code: ErrorCode | "UNKNOWN";
  readonly text: string;
}

/** What came of the last call. */
export interface Answer {
  readonly kind: "waiting" | "done" | "failed";
  readonly text: string;
}

/** A line of history. */
export interface Happening {
  readonly number: number;
  /** Milliseconds since the page was opened. */
  readonly at: number;
  readonly kind: "role" | "fault" | "write" | "error";
  readonly text: string;
}

/** Something that happened. */
export type Action =
  | { readonly type: "opening" }
  | { readonly type: "opened" }
  | { readonly type: "failed"; readonly trouble: Trouble }
  | { readonly type: "status"; readonly status: ClusterStatus }
  | { readonly type: "store"; readonly store: Omit<StoreModel, "stale"> }
  | { readonly type: "storeUnread" }
  | { readonly type: "answer"; readonly answer: Answer }
  | { readonly type: "happened"; readonly what: Omit<Happening, "number"> };

/** More are forgotten. */
export const MAX_HAPPENINGS = 200;

export const initial: Model = {
  phase: "opening",
  trouble: null,
  leader: null,
  term: 0,
  nodes: [],
  cut: [],
  store: { entries: [], count: 0, revision: 0, stale: false },
  answer: null,
  happenings: [],
  nextHappening: 1,
};

/** The model after `action`. */
export function update(model: Model, action: Action): Model {
  switch (action.type) {
    case "opening":
      return { ...initial, happenings: model.happenings, nextHappening: model.nextHappening };
    case "opened":
      return { ...model, phase: "open", trouble: null };
    case "failed":
      return { ...model, phase: "failed", trouble: action.trouble };
    case "status":
      return { ...model, ...picture(action.status) };
    case "store":
      // Answers may overtake one another; the store never goes back.
      return action.store.revision < model.store.revision
        ? model
        : { ...model, store: { ...action.store, stale: false } };
    case "storeUnread":
      return { ...model, store: { ...model.store, stale: true } };
    case "answer":
      return { ...model, answer: action.answer };
    case "happened": {
      const happening = { ...action.what, number: model.nextHappening };
      return {
        ...model,
        happenings: [happening, ...model.happenings].slice(0, MAX_HAPPENINGS),
        nextHappening: model.nextHappening + 1,
      };
    }
  }
}

function picture(status: ClusterStatus): Partial<Model> {
  const { leader, term, nodes, rules } = status;
  return {
    leader,
    term,
    cut: isolated(
      nodes.map(({ id }) => id),
      rules,
    ),
    nodes: nodes.map(({ id, state, reason, status }) => ({
      id,
      state,
      trouble: reason === undefined ? null : { code: reason.code, text: reason.message },
      status,
    })),
  };
}

/** Those who reach nobody. */
export function isolated(ids: readonly number[], rules: readonly LinkRule[]): number[] {
  const cut = (a: number, b: number) =>
    rules.some(({ from, to, cut }) => cut && from === a && to === b);
  return ids.filter((id) => ids.every((other) => other === id || cut(id, other)));
}

/** An entry of the log, as its strip shows it. */
export type Cell = "applied" | "durable" | "pending";

/** How many entries a strip shows. */
export const STRIP = 24;

/** The newest entries of a log, the newest last. */
export function strip({ commit, persisted, last, logStart }: NodeStatus): Cell[] {
  const first = Math.max(logStart + 1, last - STRIP + 1);
  return Array.from({ length: last - first + 1 }, (_, at) => {
    const index = first + at;
    if (index <= commit) return "applied";
    return index <= persisted ? "durable" : "pending";
  });
}

/** What a role is called. */
export const ROLE_NAMES: Readonly<Record<Role, string>> = {
  leader: "Leader",
  follower: "Follower",
  preCandidate: "Pre-candidate",
  candidate: "Candidate",
};

/** What the visitor can do about a cluster that did not open. */
export function advice(code: Trouble["code"]): string {
  switch (code) {
    case "STORAGE_LOCKED":
    case "STORAGE_TAKEN_AWAY":
      return "The cluster runs in another tab of this browser. Use it there, or close that tab and try again.";
    case "STORAGE_BLOCKED":
      return "Another tab holds the database. Close the other tabs of this page, and try again.";
    case "STORAGE_UNAVAILABLE":
      return "The browser refuses to store anything for this page. A private window or a setting may be the reason.";
    case "QUOTA_EXCEEDED":
      return "The disk, or this page's share of it, is full. Make room, and try again.";
    case "STORAGE_VERSION":
      return "A newer version of this page wrote the data. Load the newer version.";
    case "STORAGE_CORRUPT":
    case "STORAGE_FOREIGN":
      return "A majority of the databases cannot be used. Clear this site's data to begin anew.";
    case "WASM_LOAD":
      return "Part of the page did not arrive. Look at the connection, and try again.";
    default:
      return "Try again. If it stays so, reload the page.";
  }
}

/** One sentence for the whole. */
export function summary({ phase, leader, term, nodes }: Model): string {
  if (phase === "opening") return "Opening the cluster…";
  if (phase === "failed") return "There is no cluster in this tab.";
  const running = nodes.filter(({ state }) => state === "running").length;
  const quorum = Math.floor(nodes.length / 2) + 1;
  if (leader !== null)
    return `Node ${leader} leads in term ${term}. ${running} of ${nodes.length} nodes run.`;
  return running < quorum
    ? `No quorum: ${running} of ${nodes.length} nodes run, ${quorum} are needed. Start one more.`
    : "No leader yet: an election is under way.";
}
