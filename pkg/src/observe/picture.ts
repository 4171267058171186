/** What a worker counted, and what its core says of itself, in the words of the public metrics. */

import type { HostStatus } from "../protocol.js";
import type { Counts } from "./counts.js";
import { Buckets, merged } from "./histogram.js";
import { LOST, MESSAGE_KINDS, RECEIVED, SENT } from "./notes.js";
import type {
  MessageCounts,
  MetricsTotals,
  NodeMetrics,
  NodeMetricsView,
  PeerMetrics,
} from "./types.js";

export function nodeMetrics(
  cluster: string,
  id: number,
  { groups, peers, storage }: HostStatus,
  counts: Counts,
): NodeMetrics {
  const [group] = groups;
  if (group === undefined) throw new Error("a node runs at least one group");
  const at = (list: readonly number[], place: number) => list[place] ?? 0;
  const kinds = (way: number) =>
    Object.fromEntries(
      MESSAGE_KINDS.map((kind, place) => [kind, at(counts.messages, way + place + 1)]),
    ) as MessageCounts;
  const received = kinds(RECEIVED);
  const [writes = 0, reads = 0, ownReads = 0, watches = 0] = counts.requests;
  const [done = 0, redirected = 0, lost = 0, overloaded = 0, refused = 0] = counts.replies;
  return {
    cluster,
    id,
    uptime: counts.uptime,
    role: group.role,
    term: group.term,
    leader: group.leader,
    elections: counts.elections,
    leaderChanges: counts.leaderChanges,
    proposals: {
      committed: group.commit,
      applied: group.applied,
      pending: group.role === "leader" ? group.lastIndex - group.commit : 0,
      failed: lost + overloaded + refused,
    },
    requests: { writes, reads, ownReads, watches },
    replies: { done, redirected, lost, overloaded, refused },
    messages: { sent: kinds(SENT), received, lost: kinds(LOST) },
    peers: peers.map(
      (peer): PeerMetrics => ({
        id: peer.id,
        sentFrames: peer.sentFrames,
        sentBytes: peer.sentBytes,
        receivedFrames: peer.receivedFrames,
        receivedBytes: peer.receivedBytes,
        droppedFrames: peer.droppedFrames,
        rejectedFrames: peer.rejectedFrames,
        roundTrip: counts.roundTrips.get(peer.id) ?? new Buckets().picture(),
      }),
    ),
    log: {
      entries: group.lastIndex - group.logStart,
      bytes: group.logBytes,
      persisted: group.persisted,
    },
    storage: { rounds: storage.rounds, records: storage.records, bytes: storage.bytes },
    snapshots: {
      written: counts.snapshotsWritten,
      installed: counts.snapshotsInstalled,
      sent: received.snapshotInstalled,
    },
    store: {
      keys: group.keys,
      revision: group.revision,
      bytes: group.storeBytes,
      leases: group.leases,
      sessions: group.sessions,
      watchers: group.parked,
      waiting: group.waiting,
    },
    commit: counts.commit,
    apply: counts.apply,
    persist: counts.persist,
  };
}

export function totals(nodes: readonly NodeMetricsView[]): MetricsTotals {
  const running = nodes.flatMap(({ metrics }) => (metrics === null ? [] : [metrics]));
  const sum = (of: (node: NodeMetrics) => number) =>
    running.reduce((all, node) => all + of(node), 0);
  const sums = <K extends string>(
    names: readonly K[],
    of: (node: NodeMetrics) => Readonly<Record<K, number>>,
  ) =>
    Object.fromEntries(names.map((name) => [name, sum((node) => of(node)[name])])) as Readonly<
      Record<K, number>
    >;
  const messages = (way: keyof NodeMetrics["messages"]) =>
    sum(({ messages }) => Object.values(messages[way]).reduce((all, count) => all + count, 0));
  const peers = running.flatMap((node) => node.peers);
  return {
    running: running.length,
    elections: sum(({ elections }) => elections),
    committed: Math.max(0, ...running.map(({ proposals }) => proposals.committed)),
    failed: sum(({ proposals }) => proposals.failed),
    requests: sums(["writes", "reads", "ownReads", "watches"], (node) => node.requests),
    sentMessages: messages("sent"),
    receivedMessages: messages("received"),
    lostMessages: messages("lost"),
    sentBytes: peers.reduce((all, peer) => all + peer.sentBytes, 0),
    storage: sums(["rounds", "records", "bytes"], (node) => node.storage),
    snapshots: sums(["written", "installed", "sent"], (node) => node.snapshots),
    commit: merged(running.map(({ commit }) => commit)),
    apply: merged(running.map(({ apply }) => apply)),
    persist: merged(running.map(({ persist }) => persist)),
    roundTrip: merged(peers.map(({ roundTrip }) => roundTrip)),
  };
}
