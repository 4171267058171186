/** Who takes part, who leads, and how they are. */

import type { MemberView, NodeView } from "../types.js";
import type { Command } from "./command.js";
import { numberOf } from "./values.js";

export const MEMBER: readonly Command[] = [
  {
    name: "status",
    takes: "",
    about: "the nodes, and how far each has come",
    on: "store",
    async run({ cluster, out, bounds, session }) {
      // A cluster that was opened for this begins with an election; where there is none, that is what is to be told.
      if (session === undefined)
        await cluster.leader({ timeout: ELECTION_MS, ...bounds }).catch(() => {});
      const { nodes, members, leader, term } = await cluster.status(bounds);
      const [{ name, id }, each] = [cluster, nodes.map((node) => object(node, members))];
      const rows = nodes.map((node) => row(node, members));
      out.say({ cluster: name, id, leader, term, nodes: each }, rows.join("\n"));
    },
  },
  {
    name: "member list",
    takes: "",
    about: "who takes part",
    on: "store",
    async run({ cluster, out }) {
      const members = cluster.members.list();
      const rows = members.map((member) => `${member.id}  ${partOf(member)}`);
      out.say({ members }, rows.join("\n"));
    },
  },
  {
    name: "member add",
    takes: "[N]",
    about: "take a node in",
    options: { learner: { about: "without a vote" } },
    on: "store",
    async run({ args: [n], options, cluster, out, bounds }) {
      const how = { learner: options.has("learner"), ...bounds };
      const id = await cluster.members.add(optional(n), how);
      out.say({ added: id }, `node ${id} is in`);
    },
  },
  {
    name: "member remove",
    takes: "N",
    about: "let a node go; its storage stays",
    on: "store",
    async run({ args: [n = ""], cluster, out, bounds }) {
      await cluster.members.remove(numberOf(n), bounds);
      out.say({ removed: numberOf(n) }, "ok");
    },
  },
  {
    name: "member replace",
    takes: "N [M]",
    about: "M, a new node, in the place of N",
    on: "store",
    async run({ args: [gone = "", fresh], cluster, out, bounds }) {
      const id = await cluster.members.replace(numberOf(gone), optional(fresh), bounds);
      out.say(
        { removed: numberOf(gone), added: id },
        `node ${id} is in the place of node ${numberOf(gone)}`,
      );
    },
  },
  {
    name: "member promote",
    takes: "N",
    about: "give a learner its vote",
    on: "store",
    async run({ args: [n = ""], cluster, out, bounds }) {
      await cluster.members.promote(numberOf(n), bounds);
      out.say({ promoted: numberOf(n) }, "ok");
    },
  },
  {
    name: "member demote",
    takes: "N",
    about: "take a voter's vote",
    on: "store",
    async run({ args: [n = ""], cluster, out, bounds }) {
      await cluster.members.demote(numberOf(n), bounds);
      out.say({ demoted: numberOf(n) }, "ok");
    },
  },
];

/** Only where a cluster goes on running. */
export const FAULTS: readonly Command[] = [
  {
    name: "lead",
    takes: "N",
    about: "hand leadership over to a node",
    on: "prompt",
    async run({ args: [n = ""], cluster, out, bounds }) {
      await cluster.leadership.transferTo(numberOf(n), bounds);
      out.say({ leader: numberOf(n) }, "ok");
    },
  },
  {
    name: "kill",
    takes: "N",
    about: "end a node where it stands",
    on: "prompt",
    async run({ args: [n = ""], cluster, out }) {
      await cluster.node(numberOf(n)).kill();
      out.say({ killed: numberOf(n) }, "ok");
    },
  },
  {
    name: "start",
    takes: "N",
    about: "bring a node back",
    on: "prompt",
    async run({ args: [n = ""], cluster, out }) {
      await cluster.node(numberOf(n)).start();
      out.say({ started: numberOf(n) }, "ok");
    },
  },
  {
    name: "partition",
    takes: "NODES...",
    about: 'split the network: "partition 1 | 2 3"',
    on: "prompt",
    async run({ args, cluster, out }) {
      cluster.network.partition(...groups(args));
      out.say({ rules: cluster.network.rules }, "ok");
    },
  },
  {
    name: "isolate",
    takes: "N",
    about: "cut a node off",
    on: "prompt",
    async run({ args: [n = ""], cluster, out }) {
      cluster.network.isolate(numberOf(n));
      out.say({ rules: cluster.network.rules }, "ok");
    },
  },
  {
    name: "drop",
    takes: "P",
    about: "lose that share of all frames, 0 to 1",
    on: "prompt",
    async run({ args: [p = ""], cluster, out }) {
      cluster.network.drop({ probability: numberOf(p) });
      out.say({ rules: cluster.network.rules }, "ok");
    },
  },
  {
    name: "delay",
    takes: "MS",
    about: "slow all links by so many milliseconds",
    on: "prompt",
    async run({ args: [ms = ""], cluster, out }) {
      cluster.network.delay({ ms: numberOf(ms) });
      out.say({ rules: cluster.network.rules }, "ok");
    },
  },
  {
    name: "heal",
    takes: "",
    about: "end partitions, losses and delays",
    on: "prompt",
    async run({ cluster, out }) {
      cluster.network.heal();
      out.say({ rules: [] }, "ok");
    },
  },
];

function object({ id, state, reason, status }: NodeView, members: readonly MemberView[]): object {
  const { role, term, last, commit, applied, snapshot, keys, revision } = status ?? {};
  const part = members.find((member) => member.id === id);
  return {
    ...{ id, state, code: reason?.code, role, voter: part?.voter, term },
    ...{ last, commit, applied, snapshot, keys, revision },
  };
}

function row({ id, state, reason, status }: NodeView, members: readonly MemberView[]): string {
  if (state !== "running" || status === null)
    return `${id}  ${state}${reason === undefined ? "" : ` (${reason.code})`}`;
  const { role, term, last, commit, applied, snapshot, keys, revision } = status;
  const part = members.find((member) => member.id === id)?.voter === false ? "learner" : role;
  return `${id}  ${part.padEnd(12)} term ${term}  last ${last}  commit ${commit}  applied ${applied}  snapshot ${snapshot}  keys ${keys}  revision ${revision}`;
}

function partOf({ voter, joining, leaving }: MemberView): string {
  if (leaving) return "voter, leaving";
  return voter ? "voter" : joining ? "learner, gets its vote" : "learner";
}

function optional(word: string | undefined): number | undefined {
  return word === undefined ? undefined : numberOf(word);
}

/** `1 | 2 3` as groups. */
function groups(words: readonly string[]): number[][] {
  return words
    .join(" ")
    .split("|")
    .map((group) =>
      group
        .split(/\s+/)
        .filter((word) => word !== "")
        .map((word) => numberOf(word)),
    );
}

/** How long nodes that can elect a leader may take. */
const ELECTION_MS = 3_000;
