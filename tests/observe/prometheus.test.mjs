// What Prometheus is told: the text is of its format, and says what the metrics say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CONTENT_TYPE, toPrometheus } from "quorate/prometheus";
import { failure, open } from "../node/help.mjs";
import { parse } from "./exposition.mjs";

test("all metrics of a cluster are in the text, each once, under its labels", async (t) => {
  const cluster = await open(t);
  const leader = await cluster.leader();
  for (let n = 0; n < 5; n++) await cluster.kv.put("k", n);
  await cluster.node((leader % 3) + 1).kill();
  const metrics = await cluster.metrics();
  const families = parse(toPrometheus(metrics));
  const value = (name, labels) => {
    const { samples } = families.get(`quorate_${name}`) ?? { samples: [] };
    const found = samples.filter((sample) =>
      Object.entries({ cluster: "test", ...labels }).every(
        ([label, text]) => sample.labels[label] === String(text),
      ),
    );
    assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)}`);
    return found[0].value;
  };
  for (const { id, state, starts, metrics: node } of metrics.nodes) {
    const of = { node: id };
    assert.equal(value("up", of), state === "running" ? 1 : 0);
    assert.equal(value("starts_total", of), starts);
    if (node === null) {
      const all = [...families.values()].flatMap(({ samples }) => samples);
      assert.equal(all.filter(({ labels }) => labels.node === String(id)).length, 2);
      continue;
    }
    assert.equal(value("server_has_leader", of), 1);
    assert.equal(value("server_is_leader", of), id === leader ? 1 : 0);
    assert.equal(value("server_term", of), node.term);
    assert.equal(value("server_elections_total", of), node.elections);
    assert.equal(value("server_leader_changes_seen_total", of), node.leaderChanges);
    assert.equal(value("server_proposals_committed_total", of), node.proposals.committed);
    assert.equal(value("server_proposals_applied_total", of), node.proposals.applied);
    assert.equal(value("server_proposals_pending", of), node.proposals.pending);
    assert.equal(value("server_proposals_failed_total", of), node.proposals.failed);
    assert.equal(value("server_requests_total", { ...of, kind: "writes" }), node.requests.writes);
    assert.equal(value("disk_written_bytes_total", of), node.storage.bytes);
    assert.equal(value("log_size_bytes", of), node.log.bytes);
    assert.equal(value("mvcc_keys", of), 1);
    for (const [way, counts] of Object.entries(node.messages))
      for (const [type, count] of Object.entries(counts))
        assert.equal(value(`network_${way}_messages_total`, { ...of, type }), count);
    for (const { id: to, sentBytes, roundTrip } of node.peers) {
      assert.equal(value("network_peer_sent_bytes_total", { ...of, to }), sentBytes);
      const trips = families.get("quorate_network_peer_round_trip_time_seconds").samples;
      const count = trips.find(
        ({ name, labels }) =>
          name.endsWith("_count") && labels.node === String(id) && labels.to === String(to),
      );
      assert.equal(count.value, roundTrip.count);
    }
    const persist = families.get("quorate_disk_persist_duration_seconds").samples;
    const buckets = persist.filter(({ labels }) => labels.node === String(id) && "le" in labels);
    assert.deepEqual(
      buckets.map(({ labels }) => labels.le),
      [...node.persist.bounds.map(String), "+Inf"],
    );
    const below = node.persist.counts.map((_, at) =>
      node.persist.counts.slice(0, at + 1).reduce((all, count) => all + count, 0),
    );
    assert.deepEqual(
      buckets.map(({ value }) => value),
      below,
    );
  }
  for (const { name, type } of families.values()) {
    const counts = type === "counter" || /_proposals_(committed|applied)_/.test(name);
    assert.equal(name.endsWith("_total"), counts, `${name}: what counts is called total`);
  }
  const alone = parse(toPrometheus(metrics.nodes[leader - 1].metrics, { prefix: "own" }));
  assert.equal(alone.get("own_server_is_leader").samples[0].value, 1);
  assert.equal(alone.has("own_up"), false, "one node says nothing of the others");
  assert.match(CONTENT_TYPE, /^text\/plain; version=0\.0\.4/);
});

test("the docs name all of it and nothing else, and the kinds of messages in the order of their tags", async (t) => {
  const page = (name) => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), "utf8");
  const cluster = await open(t, { nodes: 2 });
  const metrics = await cluster.metrics();
  const named = [...page("observability").matchAll(/^\| (`quorate_.*?) \|/gm)].flatMap(([, cell]) =>
    [...cell.matchAll(/`(quorate_\w+)`/g)].map(([, name]) => name),
  );
  assert.deepEqual(named.toSorted(), [...parse(toPrometheus(metrics)).keys()].sort());
  const kinds = Object.keys(metrics.nodes[0].metrics.messages.sent);
  const [, listed] = /^`type` is a kind of message: (.*?): the tags/ms.exec(page("observability"));
  assert.deepEqual(
    [...listed.matchAll(/`(\w+)`/g)].map(([, kind]) => kind),
    kinds,
  );
  const [, table] = /^## Messages\n(.*?)\n## /ms.exec(page("protocol"));
  const rows = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, tags]) => tags.split(", "));
  assert.deepEqual(
    rows.map(Number),
    kinds.map((_, at) => at + 1),
  );
});

test("labels are escaped, and names that are none are refused", async (t) => {
  const cluster = await open(t, { nodes: 1 });
  const metrics = await cluster.metrics();
  const nasty = 'a "quoted" back\\slash\\n and a\nnew line}';
  const families = parse(toPrometheus(metrics, { labels: { env: nasty, empty: "" } }));
  for (const { samples } of families.values())
    for (const { labels } of samples) {
      assert.equal(labels.env, nasty);
      assert.equal(labels.empty, "");
    }
  const refused = [
    { prefix: "9lives" },
    { prefix: "" },
    { labels: { "a-b": "c" } },
    { labels: { __a: "c" } },
    { labels: { node: "c" } },
    { labels: { le: "c" } },
    { labels: { a: 1 } },
    { label: {} },
  ];
  for (const options of refused)
    await failure(() => toPrometheus(metrics, options), "INVALID_ARGUMENT");
});

test("the reader of these tests is strict", () => {
  const good = '# HELP a b\n# TYPE a gauge\na{x="y"} 1\n';
  assert.equal(parse(good).get("a").samples[0].value, 1);
  const bad = [
    good.slice(0, -1),
    `${good}a{x="y"} 2\n`,
    `${good}b 1\n`,
    good.replace('"y"', "y"),
    good.replace('"y"', '"\\y"'),
    good.replace(" 1", " one"),
    good.replace("gauge", "gouge"),
    `${good}# HELP b c\n# TYPE b gauge\nb 1\n${good}`,
    '# HELP h b\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    '# HELP h b\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n',
  ];
  for (const text of bad) assert.throws(() => parse(text), text);
});
