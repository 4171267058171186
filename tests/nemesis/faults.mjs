// The faults: each begins, holds and undoes itself. Each answers with what it did, or with undefined if there was nothing to
// do it to. A fault without effect is a failure of the nemesis and throws: a thread that was to stand still says afterwards
// how long it was silent.
//
// `world` is `{ cluster, host, workers, leader(), hold(ms), kill(nodes), start(nodes), suspend(ms) }`; durations are in
// milliseconds.

export const faults = {
  kill: (world, chance) => kill(world, [chance.pick(ids(world))], chance.between(50, 1_500)),

  killLeader: (world, chance) => {
    const leader = world.leader();
    return leader === null ? undefined : kill(world, [leader], chance.between(50, 1_500));
  },

  /** From two to all of them: what is left is often no quorum, and sometimes nothing. */
  killMany: (world, chance) => {
    const all = ids(world);
    if (all.length < 2) return undefined;
    const some = chance.sample(all, chance.between(2, all.length));
    return kill(world, some, chance.between(50, 1_000));
  },

  /**
   * A leader is cut off and stands still; the others elect; and just as it wakes, still believing that it leads, its successor
   * is killed, so that clients may well ask it.
   */
  depose: async (world, chance) => {
    const { cluster, hold, leader } = world;
    const former = leader();
    if (former === null || ids(world).length < 3) return undefined;
    const ms = chance.between(1_500, 2_500);
    cluster.network.isolate(former);
    const frozen = freeze(world, former, ms);
    await hold(ms - chance.between(0, 100));
    const successor = leader();
    const nodes = successor === null || successor === former ? [] : [successor];
    await world.kill(nodes);
    await frozen;
    await hold(chance.between(100, 500));
    cluster.network.heal();
    await world.start(nodes);
    return { nodes: [former, ...nodes], ms };
  },

  /**
   * The storage of a node vanishes: under its feet, or while it does not run. It must not act as its old self; the cluster
   * takes it back by itself. One after the other: a majority that forgot would be more than anybody can survive.
   */
  evict: async (world, chance) => {
    const { cluster, host, hold } = world;
    const members = cluster.members.list();
    const isWhole = members.length >= 3 && members.every(hasVote);
    if (!isWhole || !isSettled(world)) return undefined;
    const node = chance.pick(members).id;
    const beneath = chance.odds(0.5);
    const ms = chance.between(50, 500);
    world.forgetful.add(node);
    if (beneath) {
      await host.evict(cluster.name, node);
      await hold(ms);
    }
    await world.kill([node]);
    if (!beneath) await host.evict(cluster.name, node);
    await hold(ms);
    // Another fault may have started it meanwhile, on storage that is gone.
    await world.kill([node]);
    await world.start([node]);
    for (let turn = 0; turn < 100 && world.forgetful.has(node); turn++) await hold(100);
    return { nodes: [node], beneath };
  },

  transfer: async (world, chance) => {
    const node = chance.pick(ids(world));
    const told = await tried(world.cluster.leadership.transferTo(node, { timeout: 1_000 }));
    return { nodes: [node], told };
  },

  /** One node more for a while. */
  grow: async (world, chance) => {
    const { cluster, hold } = world;
    if (cluster.nodes.length >= nodesMax || world.forgetful.size > 0) return undefined;
    const before = cluster.nodes.map(({ id }) => id);
    const told = await change(world, cluster.members.add(undefined, { timeout: 5_000 }));
    await hold(chance.between(200, 1_500));
    const nodes = cluster.nodes.map(({ id }) => id).filter((id) => !before.includes(id));
    for (const node of nodes) await change(world, cluster.members.remove(node, { timeout: 5_000 }));
    return { nodes, told };
  },

  /** A node that is dead, or is not, goes, and a new one comes. */
  replace: async (world, chance) => {
    const { members, nodes } = world.cluster;
    if (nodes.length < 3 || nodes.length >= nodesMax || world.forgetful.size > 0) return undefined;
    const node = chance.pick(ids(world));
    if (chance.odds(0.5)) await world.kill([node]);
    const told = await change(world, members.replace(node, undefined, { timeout: 5_000 }));
    // Where that did not come about, it goes on.
    await world.start([node]);
    return { nodes: [node], told };
  },

  /** A voter votes no more for a while. */
  demote: async (world, chance) => {
    const { members } = world.cluster;
    const voters = members.list().filter(({ voter }) => voter);
    if (voters.length < 3 || world.forgetful.size > 0) return undefined;
    const node = chance.pick(voters).id;
    const told = await change(world, members.demote(node, { timeout: 3_000 }));
    await world.hold(chance.between(200, 1_500));
    await change(world, members.promote(node, { timeout: 5_000 }));
    return { nodes: [node], told };
  },

  partition: (world, chance) => {
    const all = ids(world);
    if (all.length < 2) return undefined;
    const group = chance.sample(all, chance.between(1, all.length - 1));
    world.cluster.network.partition(group);
    return heal(world, chance, { nodes: group });
  },

  isolateLeader: (world, chance) => {
    const leader = world.leader();
    if (leader === null) return undefined;
    world.cluster.network.isolate(leader);
    return heal(world, chance, { nodes: [leader] });
  },

  /** A node that hears and is not heard, or the other way round; or one link in one direction. */
  oneWay: (world, chance) => {
    const all = ids(world);
    if (all.length < 2) return undefined;
    const leader = world.leader();
    const node = leader !== null && chance.odds(0.5) ? leader : chance.pick(all);
    const peer = chance.pick(all.filter((id) => id !== node));
    const link = chance.pick([{ from: node }, { to: node }, { from: node, to: peer }]);
    world.cluster.network.drop({ ...link, probability: 1 });
    return heal(world, chance, { nodes: [node], link });
  },

  lossy: (world, chance) => {
    const probability = chance.between(5, 40) / 100;
    world.cluster.network.drop({ probability });
    return heal(world, chance, { probability });
  },

  slow: (world, chance) => {
    const rule = { ms: chance.between(0, 150), jitter: chance.between(10, 150) };
    world.cluster.network.delay(rule);
    return heal(world, chance, rule);
  },

  freeze: (world, chance) => freeze(world, chance.pick(ids(world)), chance.between(200, 2_500)),

  freezeLeader: (world, chance) => {
    const leader = world.leader();
    return leader === null ? undefined : freeze(world, leader, chance.between(400, 2_500));
  },

  /** Everything stands still: nodes, clients and the nemesis itself. */
  suspend: async (world, chance) => {
    const ms = chance.between(500, 2_500);
    const workers = [...world.workers];
    const watches = await Promise.all(workers.map(([, worker]) => worker.watch()));
    await world.suspend(ms);
    const silences = await Promise.all(watches.map((end) => end()));
    for (const [at, [node]] of workers.entries()) {
      const gap = silences[at];
      if (gap < ms / 2)
        throw new Error(
          `the host stood still for ${ms} ms, but node ${node} was silent for ${gap} ms`,
        );
    }
    const stopped = silences.filter((gap) => gap !== undefined).length;
    return { ms, stopped };
  },
};

/** Beyond so many nodes the cluster is not grown. */
const nodesMax = 7;

const ids = ({ cluster }) => cluster.nodes.map(({ id }) => id);

/** How a call went: it may be refused, or take too long, but never fail otherwise. */
async function tried(work) {
  try {
    await work;
    return "done";
  } catch (error) {
    if (typeof error?.code !== "string") throw error;
    return error.code;
  }
}

/** How a change of the membership went. One that was not seen to its end may yet go on, and no one knows who votes. */
async function change(world, changing) {
  const told = await tried(changing);
  world.unsettled = told !== "done";
  return told;
}

const hasVote = ({ voter, joining, leaving }) => voter && !joining && !leaving;

const isSettled = ({ unsettled, forgetful }) => !unsettled && forgetful.size === 0;

async function kill(world, nodes, ms) {
  await world.kill(nodes);
  await world.hold(ms);
  await world.start(nodes);
  return { nodes };
}

async function heal({ cluster, hold }, chance, deed) {
  await hold(chance.between(300, 2_500));
  cluster.network.heal();
  return deed;
}

async function freeze({ cluster, workers }, node, ms) {
  const worker = workers.get(node);
  const { state } = cluster.nodes.find(({ id }) => id === node) ?? {};
  if (worker === undefined || state !== "running") return undefined;
  const silence = await worker.watch();
  await worker.freeze(ms);
  const gap = await silence();
  // One that was killed meanwhile was frozen up to then.
  if (gap < ms * 0.9)
    throw new Error(`node ${node} was frozen for ${ms} ms, but was silent for ${gap} ms`);
  return { nodes: [node], ms, gap };
}
