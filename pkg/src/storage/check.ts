/**
 * Looks at a cluster's directory without using it: reads every record of every node, and changes nothing.
 *
 * A node's records are read in two steps, both with what a node itself reads with: the segments give records, and the core
 * opens a copy of these in memory, with the snapshot among them. Nobody talks to that copy.
 */

import { join, resolve } from "node:path";
import { Host, scanSegment } from "../../wasm/quorate_wasm.js";
import { type ErrorCode, type PlainError, type QuorateError, quorateError } from "../errors.js";
import type { HostStatus, Identity } from "../protocol.js";
import { assertUnlocked } from "./lock.js";
import {
  assertOldest,
  assertUnbroken,
  counted,
  OLDEST,
  type Segment,
  scanned,
  segmentFile,
  segmentNumbers,
} from "./segments.js";
import type { StoredRecord } from "./storage.js";
import { IDENT, identOf, list, nodesIn, read } from "./whose.js";

/** What was found of one node. */
export interface NodeReport {
  readonly node: number;
  readonly directory: string;
  readonly segments: number;
  readonly rounds: number;
  readonly bytes: number;
  /** Records that count. */
  readonly records: number;
  /** Where an append that was never acknowledged is cut off: that is no damage. */
  readonly torn: readonly string[];
  readonly damage: readonly Damage[];
  /** What the records say; null where they cannot be read, or know of no cluster. */
  readonly state: NodeState | null;
}

/** Why a node would not start. */
export interface Damage {
  readonly code: ErrorCode;
  readonly place: string;
  readonly message: string;
}

/** What a node would begin with. */
export interface NodeState {
  readonly cluster: string;
  readonly clusterId: string;
  readonly term: number;
  readonly commit: number;
  readonly last: number;
  readonly snapshot: number;
  readonly revision: number;
  readonly keys: number;
  readonly members: readonly number[];
  readonly membersIndex: number;
}

/** What was found in a directory. */
export interface DirectoryReport {
  readonly directory: string;
  readonly nodes: readonly NodeReport[];
  /** Whether all of it is as it should be. */
  readonly sound: boolean;
}

/**
 * Reads everything. Rejects with `NO_CLUSTER` where there is none, and with `STORAGE_LOCKED` where somebody uses it, or
 * has begun to: nothing certain can be said of what changes meanwhile. The core must be loaded.
 */
export async function checkDirectory(path: string): Promise<DirectoryReport> {
  const directory = resolve(path);
  const ids = await nodesIn(directory);
  const lock = await assertUnlocked(directory);
  const nodes: NodeReport[] = [];
  for (const id of ids) nodes.push(await checkNode(join(directory, `node-${id}`), id));
  if ((await assertUnlocked(directory)) !== lock) {
    const message = `the directory ${directory} was used meanwhile; close what uses it, and check again`;
    throw quorateError("STORAGE_LOCKED", message, { place: directory });
  }
  const all = compared(directory, nodes);
  return { directory, nodes: all, sound: all.every(({ damage }) => damage.length === 0) };
}

async function checkNode(directory: string, node: number): Promise<NodeReport> {
  const damage: Damage[] = [];
  const torn: string[] = [];
  const segments: Segment[] = [];
  let [rounds, bytes, records] = [0, 0, 0];
  let state: NodeState | null = null;
  const note = (error: unknown) => damage.push(damageOf(error, directory));
  const numbers = segmentNumbers(await list(directory));
  for (const number of numbers) {
    const file = segmentFile(directory, number);
    try {
      const content = await read(file);
      bytes += content.length;
      const segment = scanned({ scanSegment }, file, number, content);
      rounds += segment.rounds.length;
      if (segment.tornAt !== undefined) torn.push(`${file}@${segment.tornAt}`);
      segments.push(segment);
    } catch (error) {
      note(error);
    }
  }
  if (damage.length === 0) {
    try {
      const live = replayed(directory, numbers, segments);
      records = live.length;
      // A directory was made, and nothing was written so far.
      if (records > 0) state = await opened(live, node);
    } catch (error) {
      note(error);
    }
  }
  return { node, directory, segments: numbers.length, rounds, bytes, records, torn, damage, state };
}

/** The records that the rounds leave. */
function replayed(
  directory: string,
  numbers: readonly number[],
  segments: readonly Segment[],
): StoredRecord[] {
  assertUnbroken(directory, numbers, numbers.at(-1) ?? 0);
  const records = new Map<string, Uint8Array>();
  // One without rounds was made by who then wrote nothing.
  const written = segments.filter(({ rounds }) => rounds.length > 0);
  let sequence = 0;
  for (const [at, segment] of written.entries()) {
    for (const round of counted(segment, written[at + 1]?.rounds[0]?.sequence, sequence)) {
      sequence = round.sequence;
      for (const [first, end] of round.deletes)
        for (const key of records.keys()) if (first <= key && key < end) records.delete(key);
      for (const [key, value] of round.puts) records.set(key, value);
    }
  }
  assertOldest(directory, numbers[0] ?? 1, records);
  records.delete(OLDEST);
  return [...records];
}

/** Lets the core open a copy. */
async function opened(records: StoredRecord[], node: number): Promise<NodeState | null> {
  const ident = identOf(records.find(([key]) => key === IDENT)?.[1]);
  let halted: PlainError | undefined;
  const host = await Host.open(
    {
      // Where there is no name to be read, the core says what is wrong.
      cluster: ident?.name ?? "unknown",
      node,
      electionTimeoutMs: NEVER_MS,
      lock: false,
      storage: { load: async () => records, write: async () => {}, close: async () => {} },
    },
    (event: { type: string }) => {
      if (event.type === "halted") halted = event as unknown as PlainError;
    },
  );
  try {
    const identity = host.identity() as Identity;
    if (identity.cluster === null) return null;
    const { groups, cluster, clusterId } = host.status() as HostStatus & Named;
    if (halted !== undefined) throw halted;
    const [group] = groups;
    if (group === undefined) return null;
    const { voters, outgoing, learners } = identity.members;
    return {
      cluster,
      clusterId,
      term: group.term,
      commit: group.commit,
      last: group.lastIndex,
      snapshot: group.snapshotIndex,
      revision: group.revision,
      keys: group.keys,
      members: [...new Set([...voters, ...outgoing, ...learners])].sort((a, b) => a - b),
      membersIndex: identity.membersIndex,
    };
  } finally {
    await host.close();
    host.free();
  }
}

/** What the host's status has beyond what the cluster looks at. */
interface Named {
  readonly cluster: string;
  readonly clusterId: string;
}

/** Adds what only the nodes together tell: another cluster's storage among them, and members who have none. */
function compared(directory: string, nodes: readonly NodeReport[]): NodeReport[] {
  const known = nodes.flatMap(({ state }) => state ?? []);
  const latest = known.reduce<NodeState | undefined>(
    (best, state) => (best === undefined || state.membersIndex > best.membersIndex ? state : best),
    undefined,
  );
  if (latest === undefined) return [...nodes];
  const reports = nodes.map((report) => {
    if (report.state === null || report.state.clusterId === latest.clusterId) return report;
    const message = "this storage belongs to another cluster of that name";
    const foreign: Damage = { code: "STORAGE_FOREIGN", place: report.directory, message };
    return { ...report, damage: [...report.damage, foreign] };
  });
  for (const node of latest.members) {
    if (nodes.some((report) => report.node === node)) continue;
    const place = join(directory, `node-${node}`);
    const message = "this node is a member, and its storage is not there";
    reports.push({
      ...{ node, directory: place, segments: 0, rounds: 0, bytes: 0, records: 0, torn: [] },
      damage: [{ code: "STORAGE_LOST", place, message }],
      state: null,
    });
  }
  return reports.sort((a, b) => a.node - b.node);
}

function damageOf(error: unknown, directory: string): Damage {
  const { code, message, place } = error as Partial<QuorateError>;
  return {
    code: code ?? "STORAGE_CORRUPT",
    // The core knows a record by its key, and not where its file is.
    place: place?.startsWith(directory) ? place : join(directory, place ?? ""),
    message: message ?? String(error),
  };
}

/** The copy does not campaign while it is looked at. */
const NEVER_MS = 600_000;
