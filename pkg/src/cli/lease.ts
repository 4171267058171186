/** Leases: keys that go when nobody gives a sign of life. */

import type { Command } from "./command.js";
import { field, numberOf, showKey, showTime, timeOf } from "./values.js";

export const LEASE: readonly Command[] = [
  {
    name: "lease grant",
    takes: "TIME",
    about: "make a lease that lives so long after each sign of life",
    more: `Its time is that of the log: it stands still while no process has the cluster open.

  quorate lease grant 30s
  quorate put worker/7 here --lease 1`,
    options: { id: { value: "ID", about: "its id (else the store chooses)" } },
    on: "store",
    async run({ args: [time = ""], options, cluster, out, bounds }) {
      const id = options.read("id", numberOf);
      const name = id === undefined ? {} : { id };
      const lease = await cluster.kv.lease({
        ...{ ttl: timeOf(time), keepAlive: false },
        ...name,
        ...bounds,
      });
      out.say({ id: lease.id, ttl: lease.ttl }, String(lease.id));
    },
  },
  {
    name: "lease renew",
    takes: "ID",
    about: "give a sign of life",
    on: "store",
    async run({ args: [id = ""], cluster, out, bounds }) {
      const remaining = await cluster.kv.renewLease(numberOf(id), bounds);
      out.say({ id: numberOf(id), remaining }, `lives ${showTime(remaining)} from now`);
    },
  },
  {
    name: "lease revoke",
    takes: "ID",
    about: "end it, and remove its keys",
    on: "store",
    async run({ args: [id = ""], cluster, out, bounds }) {
      const { deleted, revision } = await cluster.kv.revokeLease(numberOf(id), bounds);
      out.say({ deleted, revision }, `${deleted} removed`);
    },
  },
  {
    name: "lease status",
    takes: "ID",
    about: "how long it has to live, and which keys hang on it",
    on: "store",
    async run({ args: [id = ""], cluster, out, bounds }) {
      const status = await cluster.kv.leaseStatus(numberOf(id), { keys: true, ...bounds });
      const { ttl, remaining } = status;
      const { keys = [] } = status;
      const about = `lives ${showTime(remaining)} of ${showTime(ttl)}`;
      const told = { id: status.id, ttl, remaining, keys: keys.map((key) => field("key", key)) };
      out.say(told, [about, ...keys.map(showKey)].join("\n  "));
    },
  },
  {
    name: "lease list",
    takes: "",
    about: "the ids of all leases",
    on: "store",
    async run({ cluster, out, bounds }) {
      const leases = await cluster.kv.leases(bounds);
      out.say({ leases }, leases.length === 0 ? "(none)" : leases.join("\n"));
    },
  },
];
