/** What the page knows, and how each thing that happens changes it. Pure: no clock, no document, no cluster. */

import type {
  Cluster,
  ClusterStatus,
  ErrorCode,
  LinkRule,
  MemberView,
  NodeState,
  NodeStatus,
  NodeView,
  Outcome,
} from "quorate";

/** Everything that the page shows. */
export interface Model {
  readonly phase: "opening" | "open" | "failed";
  /** Opening takes longer than usual. */
  readonly slow: boolean;
  /** Why there is no cluster, when there is none. */
  readonly trouble: Trouble | null;
  /** Where the cluster's state comes from; null while there is no cluster. */
  readonly origin: Cluster["origin"] | null;
  /** Why the cluster is stored nowhere and lives as long as the page; null if it is stored. */
  readonly unstored: Trouble | null;
  readonly leader: number | null;
  readonly term: number;
  readonly nodes: readonly NodeModel[];
  /** The rules of the network in force. */
  readonly rules: readonly LinkRule[];
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
  /** Its worker is held: it hears and says nothing, while its clock goes on. */
  readonly frozen: boolean;
  /** With how many running nodes that may vote it can talk, itself included; 0 if it does not run. */
  readonly reach: number;
  readonly part: Part;
  /**
   * It lost its storage: `"known"` until the others have taken its vote, `"learning"` until it has that again.
   * Null for all others.
   */
  readonly lost: "known" | "learning" | null;
  /** What it has of what there is, while it is to get its vote. */
  readonly catchup: Catchup | null;
}

/** A node's part in the cluster. `"none"`: it is no member, not yet or not any more. */
export type Part = "voter" | "learner" | "joining" | "leaving" | "none";

/** Entries of the log. */
export interface Catchup {
  readonly matched: number;
  readonly last: number;
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
  /** A policy of the page or of the browser forbids WebAssembly. */
  readonly forbidden?: boolean;
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
  readonly kind: "leader" | "role" | "members" | "fault" | "mended" | "write" | "refused" | "error";
  readonly text: string;
}

/** Something that happened. */
export type Action =
  | { readonly type: "opening" }
  | { readonly type: "slow" }
  | {
      readonly type: "opened";
      readonly origin: Cluster["origin"];
      readonly unstored?: Trouble | null;
    }
  | { readonly type: "failed"; readonly trouble: Trouble }
  | { readonly type: "status"; readonly status: ClusterStatus }
  | { readonly type: "members"; readonly members: readonly MemberView[] }
  | { readonly type: "network"; readonly rules: readonly LinkRule[] }
  | { readonly type: "frozen"; readonly node: number; readonly frozen: boolean }
  | { readonly type: "amnesia"; readonly node: number }
  | { readonly type: "catchup"; readonly node: number; readonly catchup: Catchup }
  | { readonly type: "store"; readonly store: Omit<StoreModel, "stale"> }
  | { readonly type: "storeUnread" }
  | { readonly type: "answer"; readonly answer: Answer }
  | { readonly type: "happened"; readonly what: Omit<Happening, "number"> };

/** With how many nodes the page's cluster is founded, and how many it may have. */
export const NODES = 3;
export const MAX_NODES = 7;

/** Older happenings are forgotten. */
export const MAX_HAPPENINGS = 200;

export const initial: Model = {
  phase: "opening",
  slow: false,
  trouble: null,
  origin: null,
  unstored: null,
  leader: null,
  term: 0,
  nodes: Array.from({ length: NODES }, (_, at) => ({
    id: at + 1,
    state: "starting",
    trouble: null,
    status: null,
    isCut: false,
    frozen: false,
    reach: 0,
    part: "voter",
    lost: null,
    catchup: null,
  })),
  rules: [],
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
      return { ...model, phase: "open", origin: action.origin, unstored: action.unstored ?? null };
    case "failed":
      return { ...model, phase: "failed", trouble: action.trouble };
    case "status": {
      const { leader, term, rules } = action.status;
      return { ...model, leader, term, rules, nodes: nodesOf(action.status, model.nodes) };
    }
    case "members":
      return { ...model, nodes: model.nodes.map((node) => inPart(node, action.members)) };
    case "network":
      return { ...model, rules: action.rules };
    case "frozen":
      return change(model, action.node, { frozen: action.frozen });
    case "amnesia":
      return change(model, action.node, { lost: "known", catchup: null });
    case "catchup":
      return change(model, action.node, { catchup: action.catchup });
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

/** The nodes that decide. */
export function voters(nodes: readonly NodeModel[]): NodeModel[] {
  return nodes.filter(({ part }) => part === "voter" || part === "leaving");
}

/** How many nodes make a majority. */
export function quorum(voters: readonly unknown[]): number {
  return Math.floor(voters.length / 2) + 1;
}

/** Whether so many voters lost their storage that nobody can tell any more what was agreed on. */
export function isQuorumLost(nodes: readonly NodeModel[]): boolean {
  const all = voters(nodes);
  const lost = all.filter((node) => node.lost !== null);
  return lost.length > 0 && lost.length * 2 >= all.length;
}

/** The nodes that were cut off from all others. One that is alone lacks nobody. */
export function isolated(ids: readonly number[], rules: readonly LinkRule[]): number[] {
  if (ids.length < 2) return [];
  return ids.filter((id) =>
    ids.every((other) => other === id || !linked(id, other, rules, ({ cut }) => cut)),
  );
}

function nodesOf({ nodes, members, rules }: ClusterStatus, before: Model["nodes"]): NodeModel[] {
  const cut = isolated(
    nodes.map(({ id }) => id),
    rules,
  );
  const seen = nodes.map((view) => seenNode(view, before, members, cut.includes(view.id)));
  const able = voters(seen).filter(({ state, lost }) => state === "running" && lost === null);
  return seen.map((node) => ({
    ...node,
    reach:
      node.state === "running"
        ? able.filter(({ id }) => id === node.id || linked(node.id, id, rules, isSevered)).length
        : 0,
  }));
}

function seenNode(
  { id, state, reason, status }: NodeView,
  before: readonly NodeModel[],
  members: readonly MemberView[],
  isCut: boolean,
): NodeModel {
  const known = before.find((node) => node.id === id);
  const trouble = reason === undefined ? null : troubleOf(reason);
  const { part, lost, catchup } = known ?? { part: "none", lost: null, catchup: null };
  // One that was killed is not held any more.
  const frozen = state === "running" && known?.frozen === true;
  const seen = { id, state, trouble, status, isCut, frozen, reach: 0, part, lost, catchup };
  return inPart(seen, members);
}

/** The node with its part among these members. One that has its vote back has made good its loss. */
function inPart(node: NodeModel, members: readonly MemberView[]): NodeModel {
  // Nobody has told yet.
  if (members.length === 0) return node;
  const part = partOf(members.find(({ id }) => id === node.id));
  const lost =
    node.lost === "known" && part !== "voter"
      ? "learning"
      : node.lost === "learning" && part === "voter"
        ? null
        : node.lost;
  return { ...node, part, lost, catchup: part === "joining" ? node.catchup : null };
}

function partOf(member: MemberView | undefined): Part {
  if (member === undefined) return "none";
  if (member.leaving) return "leaving";
  if (member.voter) return "voter";
  return member.joining ? "joining" : "learner";
}

function change(model: Model, id: number, news: Partial<NodeModel>): Model {
  return {
    ...model,
    nodes: model.nodes.map((node) => (node.id === id ? { ...node, ...news } : node)),
  };
}

/** Whether two nodes can talk in both directions; `fails` says which rules let nothing pass. */
function linked(
  a: number,
  b: number,
  rules: readonly LinkRule[],
  fails: (rule: LinkRule) => boolean,
): boolean {
  return !rules.some(
    (rule) =>
      fails(rule) && ((rule.from === a && rule.to === b) || (rule.from === b && rule.to === a)),
  );
}

/** Whether nothing passes, whichever rule says so. */
export function isSevered({ cut, drop }: LinkRule): boolean {
  return cut || drop >= 1;
}

/** Whether a cluster that is stored nowhere would not have this trouble. */
export function isOfStorage(code: Trouble["code"]): boolean {
  return code.startsWith("STORAGE_") || code === "QUOTA_EXCEEDED";
}

/** What a visitor needs of an error of the package. */
export function troubleOf(error: Omit<Trouble, "text"> & { readonly message: string }): Trouble {
  const { code, message, place, outcome } = error;
  return { code, text: message, place, outcome };
}
