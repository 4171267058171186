/** Keys and values: put, get, range, del and their kin. */

import type { RangeOptions, RangeSelection } from "../kv/types.js";
import type { Call, Command, OptionTable } from "./command.js";
import { UsageError } from "./exit.js";
import {
  entryObject,
  numberOf,
  previousObject,
  showKey,
  showValue,
  timeOf,
  valuesOf,
} from "./values.js";

/** Which keys. */
const BOUNDS: OptionTable = {
  start: { value: "KEY", about: "from this key on" },
  end: { value: "KEY", about: "up to but without this key" },
};

const ORDERS = ["key", "createRevision", "modRevision", "version", "value"] as const;

export const STORE: readonly Command[] = [
  {
    name: "put",
    takes: "KEY [VALUE]",
    about: "store a value",
    more: `Without VALUE it is read from standard input, as it is.

  quorate put config/colour blue
  quorate put logo < logo.png
  quorate put session/7 here --lease 1`,
    options: {
      lease: { value: "ID", about: "hang the key on a lease" },
      prev: { about: "also tell what was there (with --json)" },
    },
    on: "store",
    async run({ args, options, cluster, out, bounds, session }) {
      const [key = "", word] = args;
      const value = word ?? (await input(session !== undefined, "VALUE"));
      const lease = options.read("lease", numberOf);
      const hold = { ...(lease !== undefined && { lease }), previous: options.has("prev") };
      const { revision, previous } = await valuesOf(cluster).put(key, value, {
        ...hold,
        ...bounds,
      });
      out.say({ revision, ...previousObject(previous) }, "ok");
    },
  },
  {
    name: "get",
    takes: "KEY",
    about: "read a value",
    more: `Prints the value as it is. Where there is none the exit code is 3.

  quorate get config/colour
  quorate get config/colour --rev 17 --json`,
    options: { rev: { value: "N", about: "as of this revision" } },
    on: "store",
    async run({ args: [key = ""], options, cluster, out, bounds }) {
      const entry = await valuesOf(cluster).get(key, { ...revisionOf(options), ...bounds });
      if (entry === null) return out.no({ key, found: false }, "(absent)");
      out.raw(entryObject(entry, key), entry.value as Uint8Array);
      return;
    },
  },
  {
    name: "range",
    takes: "[PREFIX]",
    about: "keys and values, in order, all as of one revision",
    more: `  quorate range config/
  quorate range --start a --end b --keys-only
  quorate range --order-by modRevision --descending --limit 10`,
    options: {
      ...BOUNDS,
      limit: { value: "N", about: "at most so many" },
      rev: { value: "N", about: "as of this revision" },
      "keys-only": { about: "without values" },
      count: { about: "how many there are, and nothing else" },
      "order-by": { value: "FIELD", about: ORDERS.join(", ") },
      descending: { about: "the greatest first" },
    },
    on: "store",
    run: range,
  },
  {
    name: "del",
    takes: "[KEY]",
    about: "remove a key, or many",
    more: `Where there was nothing to remove the exit code is 3.

  quorate del config/colour
  quorate del --prefix config/       everything below; --prefix "" is everything
  quorate del --start a --end b`,
    options: {
      prefix: { value: "PREFIX", about: "all keys that begin like this" },
      ...BOUNDS,
      prev: { about: "also tell what was there (with --json)" },
    },
    on: "store",
    async run({ args: [key], options, cluster, out, bounds }) {
      const selection = selectionOf(options, options.text("prefix"));
      const many = Object.keys(selection).length > 0;
      if (many === (key !== undefined)) throw new UsageError("del takes a KEY, or says which keys");
      const how = { previous: options.has("prev"), ...bounds };
      const kv = valuesOf(cluster);
      if (key !== undefined) {
        const { deleted, revision, previous } = await kv.delete(key, how);
        const answer = { deleted: deleted ? 1 : 0, revision, ...previousObject(previous) };
        if (!deleted) return out.no(answer, "(absent)");
        out.say(answer, "ok");
        return;
      }
      const { deleted, revision, previous } = await kv.deleteRange(selection, how);
      const was = previous && { previous: previous.map((entry) => entryObject(entry)) };
      if (deleted === 0) return out.no({ deleted, revision, ...was }, "(absent)");
      out.say({ deleted, revision, ...was }, `${deleted} removed`);
      return;
    },
  },
  {
    name: "append",
    takes: "KEY VALUE",
    about: "add to the end of a value",
    on: "store",
    async run({ args: [key = "", value = ""], cluster, out, bounds }) {
      out.say(await cluster.kv.as("utf8").append(key, value, bounds), "ok");
    },
  },
  {
    name: "incr",
    takes: "KEY [N]",
    about: "add to a number",
    on: "store",
    async run({ args: [key = "", by = "1"], cluster, out, bounds }) {
      const sum = await cluster.kv.increment(key, numberOf(by), bounds);
      out.say(sum, String(sum.value));
    },
  },
  {
    name: "cas",
    takes: "KEY OLD NEW",
    about: "store NEW if the value is OLD",
    more: "If it is not, the exit code is 3.",
    on: "store",
    async run({ args: [key = "", old = "", value = ""], cluster, out, bounds }) {
      const result = await valuesOf(cluster).compareAndSwap(key, old, value, bounds);
      if (result.swapped) {
        out.say(result, "ok");
        return;
      }
      const { revision, current } = result;
      const is = current === null ? "(absent)" : showValue(current.value);
      const object = { swapped: false, revision, current: current && entryObject(current) };
      return out.no(object, `not swapped: ${is}`);
    },
  },
  {
    name: "compact",
    takes: "REVISION",
    about: "forget the past before a revision",
    on: "store",
    async run({ args: [revision = ""], cluster, out, bounds }) {
      await cluster.kv.compact(numberOf(revision), bounds);
      out.say({ compacted: numberOf(revision) }, "ok");
    },
  },
  {
    name: "retain",
    takes: "",
    about: "say how much of the past is kept",
    options: {
      revisions: { value: "N", about: "so many last revisions, 0 for any (10000)" },
      age: { value: "TIME", about: "none older (any age)" },
      bytes: { value: "N", about: "so much of old keys and values, 0 for any (16 MiB)" },
    },
    on: "store",
    async run({ options, cluster, out, bounds }) {
      const [revisions, age] = [options.read("revisions", numberOf), options.read("age", timeOf)];
      const bytes = options.read("bytes", numberOf);
      const retention = {
        ...(revisions !== undefined && { revisions }),
        ...(age !== undefined && { age }),
        ...(bytes !== undefined && { bytes }),
      };
      await cluster.kv.retain(retention, bounds);
      out.say(retention, "ok");
    },
  },
];

async function range({ args: [prefix], options, cluster, out, bounds }: Call): Promise<void> {
  const kv = valuesOf(cluster);
  const order = options.text("order-by");
  const orderBy = ORDERS.find((field) => field === order);
  if (order !== undefined && orderBy === undefined)
    throw new UsageError(`--order-by is one of ${ORDERS.join(", ")}`);
  const limit = options.read("limit", numberOf);
  const selection: RangeOptions = {
    ...selectionOf(options, prefix),
    ...(orderBy !== undefined && { orderBy }),
    descending: options.has("descending"),
  };
  const how = { ...revisionOf(options), ...bounds };
  if (options.has("count")) {
    const { count, revision } = await kv.range({ ...selection, only: "count" }, how);
    out.say({ count, revision }, String(count));
    return;
  }
  const only = options.has("keys-only") ? "keys" : "entries";
  let told = 0;
  let at = how;
  for (let page: RangeOptions = selection; ; ) {
    const left = limit === undefined ? {} : { limit: limit - told };
    const { entries, next, more, count, revision } = await kv.range({ ...page, ...left, only }, at);
    for (const entry of entries) {
      const value = entry.value === undefined ? "" : ` ${showValue(entry.value)}`;
      out.say(entryObject(entry), `${showKey(entry.keyBytes)}${value}`);
    }
    told += entries.length;
    if (told === 0) out.note("(empty)");
    if (!more || told === limit) return;
    if (next === undefined) {
      out.note(`… the first ${told} of ${count}, as many as one answer holds`);
      return;
    }
    page = { ...selection, start: next };
    at = { ...how, revision };
  }
}

function selectionOf(options: Call["options"], prefix: string | undefined): RangeSelection {
  const [start, end] = [options.text("start"), options.text("end")];
  return {
    ...(prefix !== undefined && { prefix }),
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
  };
}

function revisionOf(options: Call["options"]): { revision?: number } {
  const revision = options.read("rev", numberOf);
  return revision === undefined ? {} : { revision };
}

/** Standard input, to its end. */
export async function input(atPrompt: boolean, what: string): Promise<Uint8Array> {
  if (atPrompt || process.stdin.isTTY) throw new UsageError(`${what} is missing`);
  const pieces: Uint8Array[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces);
}
