// The debug log: its columns, its topics, where it goes, and that it is bounded.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bundle } from "../bundle.mjs";
import { failure, open, until } from "../node/help.mjs";

const TOPICS = "election append commit persist snapshot member read transport".split(" ");
const LINE = /^ *\d+\.\d{3} n\d+ +t\d+ +[FPCL] ([a-z]+) +\S.*$/;

/** A line's columns by their places, which never change. */
const columns = (line) => ({
  seconds: Number(line.slice(0, 9)),
  node: line.slice(10, 14).trim(),
  term: line.slice(14, 19).trim(),
  role: line.slice(19, 20),
  topic: line.slice(21, 30).trim(),
  text: line.slice(31),
});

test("a function hears lines in columns, and what is in them", async (t) => {
  const heard = [];
  const cluster = await open(t, { debug: (line, entry) => heard.push([line, entry]) });
  const leader = await cluster.leader();
  await cluster.kv.put("k", 1);
  await cluster.kv.get("k");
  await cluster.members.demote((leader % 3) + 1);
  const about = (topic, node, text) =>
    heard.some(
      ([, entry]) =>
        entry.topic === topic && (node === 0 || entry.node === node) && text.test(entry.text),
    );
  const follower = ((leader + 1) % 3) + 1;
  for (const [topic, node, text] of [
    ["election", leader, /^-> n\d requestVote: last 0, of term 0$/],
    ["election", leader, /^<- n\d voteGranted/],
    ["election", leader, /^leads in term \d+$/],
    ["append", leader, /^1 write of a client$/],
    ["append", leader, /^-> n\d append: after \d+, entries 1, commit \d+$/],
    ["append", follower, /^<- n\d append: /],
    ["append", follower, /^-> n\d appendAccepted: matched \d+$/],
    ["commit", leader, /^up to \d+, applied \d+ of \d+$/],
    ["persist", follower, /^writes 1 entry up to \d+: \d+ bytes$/],
    ["persist", follower, /^1 entry up to \d+ durable$/],
    ["read", leader, /^asked: 1 linearizable, 0 own, 0 watches$/],
    ["member", leader, /^at \d+: voters n\d n\d, learners n\d$/],
    ["transport", leader, /^-> n\d heartbeat: commit \d+, round \d+$/],
  ]) {
    await until(() => about(topic, node, text), `node ${node} tells ${text} about ${topic}`);
  }
  for (const [line, { time, node, term, role, topic, text }] of heard) {
    assert.match(line, LINE);
    const letter = { follower: "F", preCandidate: "P", candidate: "C", leader: "L" }[role];
    assert.deepEqual(columns(line), {
      seconds: Number((time / 1_000).toFixed(3)),
      node: `n${node}`,
      term: `t${term}`,
      role: letter,
      topic,
      text,
    });
    assert.ok(time > 0 && time < 60_000, `${time} ms since the cluster was opened`);
    assert.ok(TOPICS.includes(topic), topic);
  }
  for (const id of [1, 2, 3]) {
    const times = heard.flatMap(([, entry]) => (entry.node === id ? [entry.time] : []));
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
      `the lines of node ${id} are in order`,
    );
  }
});

/** Runs a program that opens a cluster, with this in the environment; what it printed. */
async function printed(debug, option) {
  const program = `
    import { Cluster } from "quorate";
    const cluster = await Cluster.open({ name: "p", storage: "memory", nodes: 1 ${option} });
    await cluster.kv.put("k", 1);
    await cluster.kv.get("k");
    console.log("done");
    await cluster.close();`;
  const env = { ...process.env, QUORATE_DEBUG: debug };
  const args = ["--input-type=module", "-e", program];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
    cwd,
    env,
    timeout: 60_000,
  });
  assert.equal(stdout, "done\n", "the log goes elsewhere");
  const lines = stderr.split("\n").slice(0, -1);
  for (const line of lines) assert.match(line, LINE);
  return new Set(lines.map((line) => columns(line).topic));
}

test("the environment asks for topics on Node, and an option overrules it", async () => {
  assert.deepEqual(await printed("election, persist", ""), new Set(["election", "persist"]));
  assert.ok((await printed("*", "")).size >= 4);
  assert.deepEqual(await printed("", ""), new Set());
  assert.deepEqual(await printed("*", ", debug: false"), new Set());
  assert.deepEqual(await printed("*", ', debug: ["read"]'), new Set(["read"]));
  assert.ok((await printed("", ", debug: true")).size >= 4);
});

test("a topic that there is not is refused", async (t) => {
  const error = await failure(open(t, { debug: ["persist", "everything"] }), "INVALID_OPTION");
  assert.match(error.message, /election, append, .*not "everything"/);
  await assert.rejects(printed("votes", ""), /INVALID_OPTION[\s\S]*QUORATE_DEBUG/);
});

test("an owner who does not hear gets no more than fits, and is told how much was left out", async () => {
  const { log } = await bundle({ log: "observe/log.ts" });
  const batches = [];
  const noted = new log.Log(1, ["member"], performance.timeOrigin, (batch) => batches.push(batch));
  noted.say("member", "first");
  noted.say("election", "of no interest");
  await Promise.resolve();
  assert.deepEqual(
    batches.map((batch) => batch.map(({ text }) => text)),
    [["first"]],
  );
  for (let n = 0; n < 5_000; n++) noted.say("member", `${n}`);
  await Promise.resolve();
  assert.equal(batches.length, 1, "one batch under way at a time");
  noted.heard();
  await Promise.resolve();
  assert.equal(batches.length, 2);
  assert.equal(batches[1].length, 4_096);
  noted.heard();
  await Promise.resolve();
  assert.deepEqual(
    batches[2].map(({ text }) => text),
    ["904 lines were left out"],
  );
});
