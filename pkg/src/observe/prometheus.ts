/**
 * Metrics in the text format of Prometheus, version 0.0.4. Names are etcd's where etcd has the same thing, with another
 * first word, so that who knows its dashboards finds everything.
 */

import { invalid, record, show } from "../check.js";
import type { ClusterMetrics, Histogram, NodeMetrics, NodeMetricsView } from "./types.js";

export type * from "./types.js";

/** What the answer of a metrics endpoint has as its `content-type`. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What `toPrometheus` takes beside the metrics. */
export interface PrometheusOptions {
  /** The first word of all names. Default `"quorate"`. */
  readonly prefix?: string;
  /** Labels for every series, beside those of its own. */
  readonly labels?: Readonly<Record<string, string>>;
}

type Labels = Readonly<Record<string, string | number>>;
type Kind = "counter" | "gauge" | "histogram";

/** The text for the metrics of a cluster, or of one node. */
export function toPrometheus(
  metrics: ClusterMetrics | NodeMetrics,
  options: PrometheusOptions = {},
): string {
  const text = new Text(options);
  const { cluster } = metrics;
  if ("nodes" in metrics) for (const node of metrics.nodes) writeView(text, cluster, node);
  else writeNode(text, { cluster, node: metrics.id }, metrics);
  return text.toString();
}

function writeView(text: Text, cluster: string, { id, state, starts, metrics }: NodeMetricsView) {
  const labels = { cluster, node: id };
  text.add("up", "gauge", "Whether the node runs.", labels, state === "running" ? 1 : 0);
  text.add("starts_total", "counter", "Starts of the node by its owner.", labels, starts);
  if (metrics !== null) writeNode(text, labels, metrics);
}

function writeNode(text: Text, of: Labels, node: NodeMetrics): void {
  const gauge = (name: string, help: string, value: number, labels: Labels = {}) =>
    text.add(name, "gauge", help, { ...of, ...labels }, value);
  const counter = (name: string, help: string, value: number, labels: Labels = {}) =>
    text.add(name, "counter", help, { ...of, ...labels }, value);
  const histogram = (name: string, help: string, value: Histogram, labels: Labels = {}) =>
    text.histogram(name, help, { ...of, ...labels }, value);

  const { proposals, requests, replies, messages, log, storage, snapshots, store } = node;
  gauge("uptime_seconds", "Time since the node's worker began to count.", node.uptime);
  gauge("server_has_leader", "Whether the node knows a leader.", node.leader === null ? 0 : 1);
  gauge("server_is_leader", "Whether the node leads.", node.role === "leader" ? 1 : 0);
  gauge("server_term", "The node's term.", node.term);
  counter("server_elections_total", "Elections in which the node campaigned.", node.elections);
  counter(
    "server_leader_changes_seen_total",
    "Leaders that the node has come to know.",
    node.leaderChanges,
  );
  gauge("server_proposals_committed_total", "The commit index.", proposals.committed);
  gauge("server_proposals_applied_total", "The applied index.", proposals.applied);
  gauge(
    "server_proposals_pending",
    "Entries of this leader that are not committed.",
    proposals.pending,
  );
  counter(
    "server_proposals_failed_total",
    "Requests that ended without an answer, other than by being sent to the leader.",
    proposals.failed,
  );
  for (const [kind, count] of Object.entries(requests))
    counter("server_requests_total", "Requests of clients.", count, { kind });
  for (const [outcome, count] of Object.entries(replies))
    counter("server_replies_total", "Answers to clients.", count, { outcome });
  gauge("server_waiting_requests", "Requests that wait for their answer.", store.waiting);
  gauge("server_sessions", "Clients with exactly-once records.", store.sessions);
  histogram(
    "server_commit_duration_seconds",
    "From a proposal of this leader to its commit.",
    node.commit,
  );
  histogram(
    "server_apply_duration_seconds",
    "A step in which committed entries were executed.",
    node.apply,
  );

  histogram("disk_persist_duration_seconds", "A durable write.", node.persist);
  counter("disk_written_rounds_total", "Durable writes.", storage.rounds);
  counter("disk_written_records_total", "Records in durable writes.", storage.records);
  counter("disk_written_bytes_total", "Bytes in durable writes.", storage.bytes);
  gauge("log_entries", "Entries of the log in memory.", log.entries);
  gauge("log_size_bytes", "Payload bytes of the log in memory.", log.bytes);
  gauge("log_persisted_index", "The last durable entry.", log.persisted);
  counter("snapshot_written_total", "Snapshots made durable.", snapshots.written);
  counter(
    "snapshot_installed_total",
    "Snapshots of a leader that replaced the state.",
    snapshots.installed,
  );
  counter(
    "snapshot_sent_total",
    "Snapshots that a follower has taken over from this leader.",
    snapshots.sent,
  );

  gauge("mvcc_keys", "Keys of the store.", store.keys);
  gauge("mvcc_revision", "The store's revision.", store.revision);
  gauge(
    "mvcc_db_total_size_in_bytes",
    "Encoded bytes of all keys and values, those of the past included.",
    store.bytes,
  );
  gauge("mvcc_watchers", "Questions that wait until there is something to say.", store.watchers);
  gauge("lease_active", "Leases.", store.leases);

  for (const [way, help] of WAYS)
    for (const [type, count] of Object.entries(messages[way]))
      counter(`network_${way}_messages_total`, help, count, { type });
  for (const peer of node.peers) {
    const [to, from] = [{ to: peer.id }, { from: peer.id }];
    counter("network_peer_sent_frames_total", "Frames sent to a peer.", peer.sentFrames, to);
    counter("network_peer_sent_bytes_total", "Bytes sent to a peer.", peer.sentBytes, to);
    counter(
      "network_peer_received_frames_total",
      "Frames taken in from a peer.",
      peer.receivedFrames,
      from,
    );
    counter(
      "network_peer_received_bytes_total",
      "Bytes taken in from a peer.",
      peer.receivedBytes,
      from,
    );
    counter(
      "network_peer_dropped_frames_total",
      "Frames lost to a rule, a missing connection or a bound.",
      peer.droppedFrames,
      to,
    );
    counter(
      "network_peer_rejected_frames_total",
      "What came from a peer and was no frame of this cluster.",
      peer.rejectedFrames,
      from,
    );
    histogram(
      "network_peer_round_trip_time_seconds",
      "From a leader's heartbeat to the answer.",
      peer.roundTrip,
      to,
    );
  }
}

const WAYS = [
  ["sent", "Messages handed over to the way to a peer."],
  ["received", "Messages of peers."],
  ["lost", "Messages lost on the way."],
] as const;

/** Families in the order in which they came up; the format wants each in one piece. */
class Text {
  readonly #families = new Map<string, string[]>();
  readonly #prefix: string;
  readonly #labels: Labels;

  constructor(options: PrometheusOptions) {
    record(options, '"options"', ["prefix", "labels"]);
    const { prefix = "quorate", labels = {} } = options;
    if (!NAME.test(prefix)) throw invalid(`"prefix" begins a name, so not ${show(prefix)}`);
    for (const [name, value] of Object.entries(labels)) {
      if (!LABEL.test(name) || name.startsWith("__") || RESERVED.includes(name))
        throw invalid(`${show(name)} cannot be the name of a label`);
      if (typeof value !== "string")
        throw invalid(`the label "${name}" is text, not ${show(value)}`);
    }
    this.#prefix = prefix;
    this.#labels = labels;
  }

  add(name: string, kind: Kind, help: string, labels: Labels, value: number): void {
    this.#lines(name, kind, help).push(this.#series(name, labels, value));
  }

  histogram(name: string, help: string, labels: Labels, histogram: Histogram): void {
    const lines = this.#lines(name, "histogram", help);
    let below = 0;
    for (const [at, count] of histogram.counts.entries()) {
      below += count;
      const le = numeral(histogram.bounds[at] ?? Infinity);
      lines.push(this.#series(`${name}_bucket`, { ...labels, le }, below));
    }
    lines.push(this.#series(`${name}_sum`, labels, histogram.sum));
    lines.push(this.#series(`${name}_count`, labels, histogram.count));
  }

  toString(): string {
    return [...this.#families.values()].map((lines) => `${lines.join("\n")}\n`).join("");
  }

  #lines(name: string, kind: Kind, help: string): string[] {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const full = `${this.#prefix}_${name}`;
    const lines = [`# HELP ${full} ${help}`, `# TYPE ${full} ${kind}`];
    this.#families.set(name, lines);
    return lines;
  }

  #series(name: string, labels: Labels, value: number): string {
    const all = Object.entries({ ...this.#labels, ...labels });
    const inside = all.map(([label, text]) => `${label}="${escaped(String(text))}"`).join(",");
    return `${this.#prefix}_${name}{${inside}} ${numeral(value)}`;
  }
}

function numeral(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

const escaped = (text: string) =>
  text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Labels that series have of their own. */
const RESERVED: readonly string[] = [
  "cluster",
  "node",
  "le",
  "type",
  "kind",
  "outcome",
  "to",
  "from",
];
