// What is measured of a cluster's life, the same in a page and in a process. Times are in milliseconds.

/** The package's election timeout, and how often an idle leader speaks, as they are by default. */
export const ELECTION_MS = 300;
export const HEARTBEAT_MS = 60;
const TRICKLE_MS = 5;
const SETTLE_MS = 20_000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a new process or page waits for, from the call of `open` on. `origin`: where the cluster must come from. */
export async function start(open, origin) {
  const began = performance.now();
  const since = () => performance.now() - began;
  const cluster = await open();
  const opened = since();
  const [leader, put] = await Promise.all([
    cluster.leader().then(since),
    cluster.kv.put("first", 1).then(since),
  ]);
  await cluster.close();
  if (cluster.origin !== origin)
    throw new Error(`the cluster was ${cluster.origin}, and not ${origin}`);
  return { opened, leader, put };
}

/** A cluster that has been used, and has nothing more to do. */
export async function rest(open, settleMs) {
  const cluster = await open();
  await cluster.kv.put("last", 1);
  await sleep(settleMs);
  return cluster;
}

const faults = {
  kill: {
    begin: (cluster, leader) => void cluster.node(leader).kill(),
    end: (cluster, leader) => cluster.node(leader).start(),
  },
  isolate: {
    begin: (cluster, leader) => cluster.network.isolate(leader),
    end: (cluster) => cluster.network.heal(),
  },
};

/** So many faults of one kind, under a trickle of puts; of each, how long until another node led, and until a put was answered. */
export async function failOver(open, kind, times) {
  const cluster = await open();
  const trickle = startTrickle(cluster.kv);
  try {
    const waits = [];
    for (let time = 0; time < times; time++) {
      const leader = await settled(cluster);
      const began = performance.now();
      const next = Promise.all([
        nextLeader(cluster, leader).then(() => performance.now() - began),
        trickle.answered(began).then(() => performance.now() - began),
      ]);
      faults[kind].begin(cluster, leader);
      const [elected, put] = await next;
      waits.push({ elected, put });
      await faults[kind].end(cluster, leader);
    }
    return waits;
  } finally {
    await trickle.stop();
    await cluster.close();
  }
}

/** A put every few milliseconds, whether or not the one before is answered. */
function startTrickle(kv) {
  const open = new Set();
  const waiting = [];
  let failure;
  const put = async () => {
    const begun = performance.now();
    await kv.put("trickle", begun, { timeout: 60_000 });
    while (waiting.length > 0 && begun >= waiting[0].since) waiting.shift().resolve();
  };
  const timer = setInterval(() => {
    const one = put()
      .catch((error) => {
        failure ??= error;
        for (const { reject } of waiting.splice(0)) reject(failure);
      })
      .finally(() => open.delete(one));
    open.add(one);
  }, TRICKLE_MS);
  return {
    /** When a put that was begun after `since` is answered. */
    answered: (since) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) reject(failure);
        waiting.push({ since, resolve, reject });
      }),
    stop: async () => {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

/** When there is a leader that is not this one. */
function nextLeader(cluster, old) {
  return new Promise((resolve) => {
    const hear = ({ detail: { leader } }) => {
      if (leader === null || leader === old) return;
      cluster.removeEventListener("leaderchange", hear);
      resolve();
    };
    cluster.addEventListener("leaderchange", hear);
  });
}

/** The leader, once all nodes follow it and have applied what was committed; at a moment between two heartbeats that chance determines. */
async function settled(cluster) {
  for (const end = performance.now() + SETTLE_MS; performance.now() < end; await sleep(20)) {
    const target = (await cluster.status()).commit;
    const { nodes, leader } = await cluster.status();
    const follows = ({ status }) => status?.leader === leader && status.applied >= target;
    if (leader === null || !nodes.every(follows)) continue;
    await sleep(100 + Math.random() * HEARTBEAT_MS);
    if ((await cluster.leader()) === leader) return leader;
  }
  throw new Error(`the nodes do not agree after ${SETTLE_MS / 1000} s`);
}
