import assert from "node:assert/strict";
import { Cluster } from "quorate";

const place = Number(process.argv[2]);
const cluster = await Cluster.open({ name: "given", nodes: 1, storage: "memory" });
export const kv = cluster.kv;
export const { signal } = new AbortController();
export const location = { href: "https://example.org/" };
export const paid = { paid: true };

export const enough = new Error("enough");
const seen = [];
/** Ends the loop in which it is called. */
function see(what) {
  seen.push(what);
  throw enough;
}
export const [show, handle] = [see, see];
if (place === 2) console.log = see;
export function stop() {}
export async function make() {
  return "made";
}
export async function print(lost) {
  seen.push(lost.aborted);
}
export async function play() {
  seen.push("played");
}
export async function send(value) {
  seen.push(value);
  await kv.queue("mail").enqueue("another");
}

// The two others of the round.
if (place === 6) {
  const enter = async () => await (await kv.doubleBarrier("round", 3).enter()).leave();
  void Promise.all([enter(), enter()]);
}

export async function done(at) {
  const left = await kv.range({ prefix: "" });
  const keys = left.entries.map(({ key, value }) => `${key}=${JSON.stringify(value)}`);
  const expected = [
    [['cart/42={"paid":true}'], []],
    [[], ["nobody"]],
    [keys.filter((line) => line === 'report="made"'), []],
    [[], [false]],
    [[], []],
    [keys.filter((line) => line.startsWith("double-barrier/round/full")), ["played"]],
    [
      ["counter/sent=1", ...keys.filter((line) => line.startsWith("queue/mail/last"))],
      [{ to: "ada" }, "another"],
    ],
    [["counter/visits=1"], [1]],
  ][at - 1];
  assert.deepEqual([keys, seen], expected);
}
