/** What the page knows, and how each thing that happens changes it. Pure: no clock, no document, no cluster. */

import type { ClusterStatus, ErrorCode, LinkRule, NodeState, NodeStatus, Outcome } from "quorate";

/** Everything that the page shows. */
export interface Model {
  readonly phase: "opening" | "open" | "failed";
  /** Opening takes longer than usual. */
  readonly slow: boolean;
  /** Why there is no cluster, when there is none. */
  readonly trouble: Trouble | null;
  readonly leader: number | null;
  readonly term: number;
  readonly nodes: readonly NodeModel[];
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
  /** It is cut off from every other node. */
  readonly isCut: boolean;
  /** With how many running nodes it can talk, itself included; 0 if it does not run. */
  readonly reach: number;
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
  /** The damaged place. */
  readonly place?: string | undefined;
  /** What can have become of a write. */
  readonly outcome?: Outcome | undefined;
}

/** What came of the visitor's newest call. */
export interface Answer {
  /** Calls are numbered in the order of their beginning. */
  readonly call: number;
  readonly kind: "waiting" | "done" | "failed";
  readonly text: string;
}

/** A line of history. */
export interface Happening {
  readonly number: number;
  /** Milliseconds since the page was opened. */
  readonly at: number;
  readonly kind: "leader" | "role" | "fault" | "mended" | "write" | "refused" | "error";
  readonly text: string;
}

/** Something that happened. */
export type Action =
  | { readonly type: "opening" }
  | { readonly type: "slow" }
  | { readonly type: "opened" }
  | { readonly type: "failed"; readonly trouble: Trouble }
  | { readonly type: "status"; readonly status: ClusterStatus }
  | { readonly type: "store"; readonly store: Omit<StoreModel, "stale"> }
  | { readonly type: "storeUnread" }
  | { readonly type: "answer"; readonly answer: Answer }
  | { readonly type: "happened"; readonly what: Omit<Happening, "number"> };

/** The size of the page's cluster. */
export const NODES = 3;

/** Older happenings are forgotten. */
export const MAX_HAPPENINGS = 200;

export const initial: Model = {
  phase: "opening",
  slow: false,
  trouble: null,
  leader: null,
  term: 0,
  nodes: Array.from({ length: NODES }, (_, at) => ({
    id: at + 1,
    state: "starting",
    trouble: null,
    status: null,
    isCut: false,
    reach: 0,
  })),
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
    case "slow":
      return { ...model, slow: true };
    case "opened":
      return { ...model, phase: "open" };
    case "failed":
      return { ...model, phase: "failed", trouble: action.trouble };
    case "status": {
      const { leader, term } = action.status;
      return { ...model, leader, term, nodes: nodesOf(action.status) };
    }
    case "store":
      // Answers may overtake one another; the store never goes back.
      return action.store.revision < model.store.revision
        ? model
        : { ...model, store: { ...action.store, stale: false } };
    case "storeUnread":
      return { ...model, store: { ...model.store, stale: true } };
    case "answer":
      // What an older call still says is not about what the visitor asked last.
      return action.answer.call < (model.answer?.call ?? 0)
        ? model
        : { ...model, answer: action.answer };
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

/** How many nodes make a majority. */
export function quorum(nodes: readonly unknown[]): number {
  return Math.floor(nodes.length / 2) + 1;
}

/** The nodes that reach nobody under these rules. */
export function isolated(ids: readonly number[], rules: readonly LinkRule[]): number[] {
  return ids.filter((id) => ids.every((other) => other === id || !linked(id, other, rules)));
}

function nodesOf({ nodes, rules }: ClusterStatus): NodeModel[] {
  const ids = nodes.map(({ id }) => id);
  const cut = isolated(ids, rules);
  const running = nodes.filter(({ state }) => state === "running").map(({ id }) => id);
  return nodes.map(({ id, state, reason, status }) => ({
    id,
    state,
    trouble: reason === undefined ? null : troubleOf(reason),
    status,
    isCut: cut.includes(id),
    reach: running.includes(id)
      ? running.filter((other) => other === id || linked(id, other, rules)).length
      : 0,
  }));
}

/** Whether two nodes can talk in both directions. */
function linked(a: number, b: number, rules: readonly LinkRule[]): boolean {
  return !rules.some(
    ({ from, to, cut }) => cut && ((from === a && to === b) || (from === b && to === a)),
  );
}

/** What a visitor needs of an error of the package. */
export function troubleOf(error: Omit<Trouble, "text"> & { readonly message: string }): Trouble {
  const { code, message, place, outcome } = error;
  return { code, text: message, place, outcome };
}
