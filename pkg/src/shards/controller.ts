/** What is said to the group that makes configurations, and what it answers, as bytes: `crate/shard/src/controller` is the other side. */

import { type ErrorCode, type QuorateError, quorateError } from "../errors.js";
import { Reader, Writer } from "../kv/bytes.js";
import { unexpected } from "../kv/reply.js";
import type { Configuration, Group } from "./types.js";

/** How far the groups are: which configurations they are done with. */
export interface Progress {
  /** The latest configuration. */
  readonly number: number;
  /** By group; also those that left and still have something to give. */
  readonly groups: ReadonlyMap<number, number>;
  /** Groups that left and have nothing any more, the last ones. */
  readonly drained: readonly number[];
}

export const create = (shards: number) => new Writer().byte(1).number(shards).finish();

export function join(groups: readonly Group[]): Uint8Array {
  const out = new Writer().byte(2).number(groups.length);
  for (const { id, weight, nodes } of groups) {
    out.number(id).number(weight).number(nodes.length);
    for (const node of nodes) out.number(node);
  }
  return out.finish();
}

export const leave = (group: number, discard: boolean) =>
  new Writer().byte(3).number(1).number(group).flag(discard).finish();

export const move = (shard: number, group: number) =>
  new Writer().byte(4).number(shard).number(group).finish();

export const setWeight = (group: number, weight: number) =>
  new Writer().byte(5).number(group).number(weight).finish();

/** The query of a configuration; none is the latest. */
export function query(number?: number): Uint8Array {
  const out = new Writer().byte(0x41).flag(number !== undefined);
  return (number === undefined ? out : out.number(number)).finish();
}

/** The query of how far everybody is. */
export const progress = () => new Writer().byte(0x43).finish();

/** The answer to a command: the number of the configuration that is in force by it. */
export const numberOf = (bytes: Uint8Array) =>
  read(bytes, (tag, from) => (tag === CHANGED || tag === UNCHANGED ? from.number() : undefined));

/** The answer to `query`; none where it was not yet said how many shards there are. */
export function configurationOf(bytes: Uint8Array): Configuration | undefined {
  if (bytes[0] === FAILED && bytes[1] === NOT_CREATED) return undefined;
  return read(bytes, (tag, from) => {
    if (tag !== CONFIGURATION) return undefined;
    const configuration: Configuration = {
      number: from.number(),
      shards: from.list(() => from.number()),
      groups: from.list(() => ({
        id: from.number(),
        weight: from.number(),
        nodes: from.list(() => from.number()),
      })),
    };
    from.number();
    return configuration;
  });
}

/** The answer to `progress`. */
export const progressOf = (bytes: Uint8Array) =>
  read(bytes, (tag, from): Progress | undefined => {
    if (tag !== STATUS) return undefined;
    const number = from.number();
    from.number();
    const groups = from.list(() => {
      const group = [from.number(), from.number()] as const;
      if (from.flag()) {
        from.number();
        from.list(() => from.number());
      }
      return group;
    });
    const drained = from.list(() => {
      const group = from.number();
      from.number();
      return group;
    });
    return { number, groups: new Map(groups), drained };
  });

const FAILED = 0;
const CHANGED = 1;
const UNCHANGED = 2;
const CONFIGURATION = 4;
const STATUS = 5;

/** A reader that knows lists. */
class Lists extends Reader {
  list<T>(one: () => T): T[] {
    return Array.from({ length: this.number() }, one);
  }
}

/** Reads a whole answer; a refusal is thrown. */
function read<T>(bytes: Uint8Array, body: (tag: number, from: Lists) => T | undefined): T {
  let answer: T | undefined;
  try {
    const from = new Lists(bytes);
    const tag = from.byte();
    if (tag === FAILED) throw refusal(from.byte(), from.number());
    answer = body(tag, from);
    if (!from.atEnd) answer = undefined;
  } catch (error) {
    throw error instanceof RangeError ? unexpected(error) : error;
  }
  if (answer === undefined) throw unexpected();
  return answer;
}

/** By the number of the core's code; `#` is what it names. */
const REFUSALS: readonly (readonly [ErrorCode, string])[] = [
  ["INVALID_ARGUMENT", "the nodes do not know this command; they may run an older version"],
  ["SHARD_COUNT", "it was not yet said how many shards there are"],
  ["SHARD_COUNT", "the store has # shards, for good: open it with that number, or with none"],
  ["INVALID_ARGUMENT", "there are 1 to 4096 shards"],
  ["INVALID_ARGUMENT", "a group's id is not 0"],
  ["INVALID_ARGUMENT", "the weight of group # is 1 to 1000"],
  ["INVALID_ARGUMENT", "the nodes of group # are 1 to 7 different ones"],
  ["GROUP_EXISTS", "there is a group # already"],
  ["UNKNOWN_GROUP", "there is no group #"],
  ["UNKNOWN_SHARD", "there is no shard #"],
  [
    "LAST_GROUP",
    'it is the last group, and what the shards hold would be lost: add another one first, or say "discard"',
  ],
  ["TOO_MANY_GROUPS", "there can be no more groups"],
  ["GROUP_LEAVING", "group # left, and still has shards to give away; wait, or take another id"],
  ["GROUP_BEHIND", "group # is too many configurations behind: see why it does not go on"],
  ["CONFIG_COMPACTED", "this configuration is no longer kept; the oldest that is, is #"],
  ["FUTURE_CONFIG", "there is no such configuration yet; the latest is #"],
];

const NOT_CREATED = 2;

function refusal(number: number, named: number): QuorateError {
  const [code, message] = REFUSALS[number - 1] ?? [
    "INVALID_ARGUMENT",
    `the nodes refuse this for a reason of a newer version (${number})`,
  ];
  return quorateError(code, message.replace("#", String(named)), { outcome: "not-applied" });
}
