// After the faults: the cluster answers again, its replicas agree, those that forgot have their vote back, and what one of them
// leads with, the others lead with too.

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
export async function comeToRest(cluster, history, bound, nemesis, endLoad) {
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
    const changing = cluster.members.list().filter(({ joining, leaving }) => joining || leaving);
    for (const { id } of changing) told.push(`node ${id} comes or goes`);
    for (const id of nemesis.forgetful) told.push(`node ${id} has no vote`);
    return { done: new Set(told).size === 1, told };
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
      ? [
          ...common.map((field) => `${field} ${status[field]}`),
          JSON.stringify(status.members),
        ].join()
      : state,
  );
}

/** Reads the whole store from one voter after another, each as the leader: all must have the same. */
export async function compareReplicas(cluster, bound) {
  const problems = [];
  const read = new Map();
  for (const { id } of cluster.members.list().filter(({ voter }) => voter)) {
    const { done, why } = await until(bound, async () => {
      try {
        await cluster.leadership.transferTo(id, { timeout: bound });
        const text = await contents(cluster, bound);
        // Else another one led meanwhile, and answered.
        if ((await cluster.leader()) === id) read.set(id, text);
        return { done: read.has(id) };
      } catch (error) {
        return { done: false, why: error };
      }
    });
    if (!done) problems.push(`liveness: node ${id} does not take the lead: ${why}`);
  }
  const [first, ...others] = [...read];
  for (const [node] of others.filter(([, text]) => text !== first[1]))
    problems.push(`safety: nodes ${first[0]} and ${node} lead with different stores`);
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
