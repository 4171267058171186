// What the tests share: directories that vanish, clusters that close, and waiting without sleeping.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster, QuorateError } from "quorate";

/** A directory of this test's own. */
export function scratch(t) {
  const path = mkdtempSync(join(tmpdir(), "quorate-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A cluster that is closed when the test ends. */
export async function open(t, options = {}) {
  const cluster = await Cluster.open({ name: "test", storage: "memory", ...options });
  t.after(() => cluster.close());
  return cluster;
}

/** The error of a promise or function, which must be ours and have this code. */
export async function failure(work, code) {
  let error;
  try {
    await (typeof work === "function" ? work() : work);
  } catch (caught) {
    error = caught;
  }
  assert.ok(
    error instanceof QuorateError,
    `wanted ${code}, got ${error === undefined ? "success" : error.stack}`,
  );
  assert.equal(error.code, code, error.message);
  assert.ok(error.message.length > 10, "the sentence helps");
  assert.equal(typeof error.retryable, "boolean");
  return error;
}

/** Resolves with the first event of this type whose detail satisfies the condition. */
export function event(cluster, type, condition = () => true, timeout = 20_000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => done(reject, new Error(`no ${type} within ${timeout} ms`)),
      timeout,
    );
    const listener = ({ detail }) => condition(detail) && done(resolve, detail);
    const done = (settle, value) => {
      clearTimeout(timer);
      cluster.removeEventListener(type, listener);
      settle(value);
    };
    cluster.addEventListener(type, listener);
  });
}

/** Resolves with the first picture of the cluster that satisfies the condition. */
export async function picture(cluster, condition, timeout = 20_000) {
  const seen = event(cluster, "status", condition, timeout);
  seen.catch(() => {});
  const now = await cluster.status();
  return condition(now) ? now : seen;
}

/** Waits until something holds that no event tells. */
export async function until(condition, what, timeout = 20_000) {
  const end = Date.now() + timeout;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** All nodes run and have applied the same. */
export const converged = ({ nodes, leader }) =>
  leader !== null &&
  nodes.every(({ state, status }) => state === "running" && status !== null) &&
  new Set(nodes.map(({ status }) => `${status.applied} ${status.last} ${status.revision}`)).size ===
    1;

/** The ids of a cluster's nodes other than this one. */
export const others = (cluster, id) =>
  cluster.nodes.map((node) => node.id).filter((other) => other !== id);
