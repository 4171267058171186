// After the faults: the cluster answers again, its replicas agree, and what one of them leads with, the others lead with too.

/** What the status of replicas at rest has in common. */
const common = [
  "term",
  "leader",
  "commit",
  "applied",
  "last",
  "lastTerm",
  "keys",
  "revision",
  "sessions",
];

/**
 * Waits for the first write that is answered, then ends the load, then waits until all replicas tell the same. Answers with
 * how many milliseconds either took, and with what did not come within `bound`.
 */
export async function comeToRest(cluster, history, bound, endLoad) {
  const problems = [];
  let began = performance.now();
  const call = { client: 0, op: "put", key: "live", value: "yes" };
  const outcome = await history.record(call, async () => {
    await cluster.kv.as("utf8").put("live", "yes", { timeout: bound });
  });
  const live = performance.now() - began;
  if (outcome !== "known") problems.push(`liveness: no write was answered within ${bound} ms`);
  await endLoad();
  began = performance.now();
  const last = await until(bound, async () => {
    const told = await tell(cluster);
    return { done: new Set(told).size === 1 && told[0] !== "", told };
  });
  const agreed = performance.now() - began;
  if (!last.done)
    problems.push(`liveness: replicas do not agree after ${bound} ms: ${last.told.join("; ")}`);
  return { problems, live, agreed };
}

/** For each node what it says of itself; nothing if it does not run. */
async function tell(cluster) {
  const { nodes } = await cluster.status();
  return nodes.map(({ state, status }) =>
    state === "running" && status !== null
      ? common.map((field) => `${field} ${status[field]}`).join(", ")
      : state,
  );
}

/**
 * Reads the whole store from one leader after another: the leader is killed, another leads, and must have the same. Which one
 * comes next is not ours to say, so some may never lead; `read` tells which did.
 */
export async function compareReplicas(cluster, bound) {
  const read = new Map();
  const nodes = cluster.nodes.length;
  for (let turn = 0; turn < 3 * nodes && read.size < nodes; turn++) {
    const leader = await cluster.leader({ timeout: bound });
    read.set(leader, await contents(cluster, bound));
    if (nodes === 1) break;
    await cluster.node(leader).kill();
    await until(bound, async () => ({
      done: (await cluster.leader({ timeout: bound })) !== leader,
    }));
    await cluster.node(leader).start();
  }
  const [first, ...others] = [...read];
  const problems = others
    .filter(([, text]) => text !== first[1])
    .map(([node]) => `safety: nodes ${first[0]} and ${node} lead with different stores`);
  return { problems, read: [...read.keys()] };
}

/** The whole store as text, with all numbers of each key. */
async function contents(cluster, bound) {
  const parts = [];
  const kv = cluster.kv.as("utf8");
  for (let start = ""; start !== undefined; ) {
    const { entries, revision, next } = await kv.range({ start }, { timeout: bound });
    parts.push(revision);
    for (const { key, value, createRevision, modRevision, version } of entries)
      parts.push(`${key} ${createRevision} ${modRevision} ${version} ${value}`);
    start = next;
  }
  return parts.join("\n");
}

/** Tries until it is `done` or the time is over; the last try. */
async function until(bound, attempt) {
  for (const end = performance.now() + bound; ; ) {
    const last = await attempt();
    if (last.done || performance.now() > end) return last;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
