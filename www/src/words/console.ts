/** What the console knows and says. Pure. */

import { nodeList } from "./common.js";

interface About {
  /** What it takes; in brackets what may be left out. */
  readonly takes: string;
  /** With what each takes; empty for nothing. */
  readonly options?: Readonly<Record<string, string>>;
  readonly about: string;
}

/** All commands, in the order of help. */
export const COMMANDS = {
  put: { takes: "KEY VALUE", about: "stores a value" },
  get: {
    takes: "KEY",
    options: { rev: "N" },
    about: "prints the value; as of a revision, if you say one",
  },
  range: {
    takes: "[PREFIX]",
    options: { limit: "N" },
    about: "prints the keys that begin so, in order",
  },
  del: {
    takes: "[KEY]",
    options: { prefix: "PREFIX" },
    about: "removes a key, or all that begin so",
  },
  incr: { takes: "KEY [N]", about: "adds to a number, and prints the sum" },
  cas: { takes: "KEY OLD NEW", about: "stores NEW if the value is OLD" },
  txn: {
    takes: "JSON",
    about: `several things as one: txn '{"if":[{"key":"seat","version":0}],"do":[{"put":"seat","value":"ada"}]}'`,
  },
  watch: {
    takes: "[KEY]",
    options: { prefix: "PREFIX", from: "N" },
    about: "prints changes as they come, until you unwatch",
  },
  unwatch: { takes: "", about: "ends all watches" },
  lock: {
    takes: "NAME",
    options: { try: "" },
    about: "waits for a lock, takes it, and holds it until you unlock",
  },
  unlock: { takes: "NAME", about: "lets a lock go" },
  status: { takes: "", about: "prints the nodes, and how far each has come" },
  "member list": { takes: "", about: "prints who takes part" },
  "member add": { takes: "", about: "takes a new node in" },
  "member remove": { takes: "N", about: "lets a node go" },
  lead: { takes: "N", about: "hands leadership over" },
  kill: { takes: "N", about: "ends a node where it stands" },
  start: { takes: "N", about: "brings it back" },
  isolate: { takes: "N", about: "cuts a node off from the others" },
  heal: { takes: "", about: "makes the network whole" },
  clear: { takes: "", about: "empties this list" },
  help: { takes: "[COMMAND]", about: "prints what there is, or what a command does" },
} as const satisfies Readonly<Record<string, About>>;

export type CommandName = keyof typeof COMMANDS;

/** One command, with all it takes. */
export function usage(name: CommandName): string {
  const { takes, options = {} } = COMMANDS[name] as About;
  const optional = Object.entries(options).map(([option, value]) =>
    value === "" ? `[--${option}]` : `[--${option} ${value}]`,
  );
  return [name, ...(takes === "" ? [] : [takes]), ...optional].join(" ");
}

/** What there is. */
export function help(name?: CommandName): string[] {
  const names = name === undefined ? (Object.keys(COMMANDS) as CommandName[]) : [name];
  return names.map((each) => `${usage(each)}: ${COMMANDS[each].about}`);
}

/** What is wrong with a line. */
export const WRONG = {
  quote: `A quotation has no end: "…" and '…' hold words together.`,
  unknown: (word: string) => `There is no command ${word}; “help” lists them.`,
  family: (word: string, names: readonly string[]) => `${word} what? There is ${names.join(", ")}.`,
  option: (name: CommandName, option: string) => `${name} has no ${option}: ${usage(name)}.`,
  value: (option: string, value: string) => `${option} needs its ${value} behind it.`,
  count: (name: CommandName, takes: string) =>
    takes === "" ? `${name} takes nothing.` : `${name} takes ${takes}: ${usage(name)}.`,
  number: (word: string) => `${word} is no number here.`,
  node: (word: string, ids: readonly number[]) =>
    `There is no node ${word}; there is ${nodeList(ids)}.`,
  json: (why: string) => `The transaction is no JSON: ${why}.`,
  keyOrPrefix: "Say a key, or --prefix and how the keys begin.",
  held: (name: string) => `You hold the lock ${name} already.`,
  notHeld: (name: string) => `You do not hold the lock ${name}.`,
  closed: "There is no cluster in this tab.",
} as const;

/** What came of a command. */
export const SAYS = {
  stored: (revision: number) => `ok, at revision ${revision}`,
  absent: "(absent)",
  removed: (count: number) => `${count} removed`,
  swapped: (revision: number) => `swapped, at revision ${revision}`,
  differs: (value: string) => `not swapped: the value is ${value}`,
  isAbsent: "not swapped: there is no such key",
  held: "the conditions held",
  notHeld: "the conditions did not hold",
  keys: (count: number) => (count === 1 ? "1 key" : `${count} keys`),
  more: (count: number) => `… and ${count} more`,
  watching: (number: number, what: string) => `watch ${number}: changes of ${what}`,
  everything: "everything",
  prefix: (prefix: string) => `all keys that begin with ${prefix}`,
  put: (number: number, key: string, value: string, revision: number) =>
    `watch ${number}: ${key} = ${value}, at revision ${revision}`,
  gone: (number: number, key: string, revision: number) =>
    `watch ${number}: ${key} is removed, at revision ${revision}`,
  left: (number: number, left: number) => `watch ${number}: … and ${left} more in that second`,
  watchEnded: (number: number) => `watch ${number} has ended`,
  noWatch: "There is no watch.",
  waiting: (name: string) => `waits for the lock ${name}…`,
  locked: (name: string, token: number) => `You hold the lock ${name}, with the token ${token}.`,
  taken: (name: string) => `The lock ${name} is taken.`,
  unlocked: (name: string) => `The lock ${name} is free.`,
  lockLost: (name: string) => `The lock ${name} was lost.`,
  node: (id: number, is: string, term: number, commit: number, last: number) =>
    `node ${id}: ${is}, term ${term}, committed ${commit} of ${last}`,
  unseen: (id: number, is: string) => `node ${id}: ${is}`,
  member: (id: number, part: string) => `node ${id}: ${part}`,
  done: "ok",
  added: (id: number) => `node ${id} is a member`,
} as const;
