/** The commands of the prompt: a line in, a line or more out. */

import { invalid } from "./check.js";
import type { Kv } from "./kv/types.js";
import type { Cluster, MemberView, NodeView } from "./types.js";

export const HELP = `put KEY VALUE            store a text          get KEY        read it
del KEY                  remove it             list [PREFIX]  keys and values
append KEY VALUE         add to its end        incr KEY [N]   add to a number
cas KEY OLD NEW          swap if it is OLD
kill N                   end a node            start N        bring it back
add [N]                  take a node in        remove N       let one go
replace N [M]            M in the place of N   lead N         hand leadership over
partition 1 | 2 3        split the network     isolate N      cut one off
drop P                   lose that share       delay MS       slow all links
heal                     undo all four         status         show the nodes
exit                     leave, as at the end of the input`;

/** Executes one line. Empty lines and lines that begin with # do nothing. */
export async function execute(cluster: Cluster, line: string): Promise<string> {
  const words = split(line);
  const [command, ...rest] = words;
  if (command === undefined || command.startsWith("#")) return "";
  const kv = cluster.kv.as("utf8");
  switch (command) {
    case "put": {
      const [key, value] = args(rest, 2, "put KEY VALUE");
      await kv.put(key, value);
      return "ok";
    }
    case "get": {
      const [key] = args(rest, 1, "get KEY");
      return (await kv.get(key))?.value ?? "(absent)";
    }
    case "del": {
      const [key] = args(rest, 1, "del KEY");
      return (await kv.delete(key)).deleted ? "ok" : "(absent)";
    }
    case "append": {
      const [key, value] = args(rest, 2, "append KEY VALUE");
      await kv.append(key, value);
      return "ok";
    }
    case "incr": {
      const [key, by = "1"] = args(rest, 1, "incr KEY [N]", 2);
      return String((await kv.increment(key, numberOf(by))).value);
    }
    case "cas": {
      const [key, expected, value] = args(rest, 3, "cas KEY OLD NEW");
      const result = await kv.compareAndSwap(key, expected, value);
      return result.swapped ? "ok" : `not swapped: ${result.current?.value ?? "(absent)"}`;
    }
    case "list": {
      const [prefix = ""] = args(rest, 0, "list [PREFIX]", 1);
      return list(kv, prefix);
    }
    case "kill":
      await cluster.node(nodeOf(rest, "kill N")).kill();
      return "ok";
    case "start":
      await cluster.node(nodeOf(rest, "start N")).start();
      return "ok";
    case "add": {
      const [id] = args(rest, 0, "add [N]", 1);
      return `node ${await cluster.members.add(optional(id))} is in`;
    }
    case "remove":
      await cluster.members.remove(nodeOf(rest, "remove N"));
      return "ok";
    case "replace": {
      const [gone, fresh] = args(rest, 1, "replace N [M]", 2);
      const id = await cluster.members.replace(numberOf(gone), optional(fresh));
      return `node ${id} is in the place of node ${gone}`;
    }
    case "lead":
      await cluster.leadership.transferTo(nodeOf(rest, "lead N"));
      return "ok";
    case "partition":
      cluster.network.partition(...groups(rest));
      return "ok";
    case "isolate":
      cluster.network.isolate(nodeOf(rest, "isolate N"));
      return "ok";
    case "drop":
      cluster.network.drop({ probability: numberOf(args(rest, 1, "drop P")[0]) });
      return "ok";
    case "delay":
      cluster.network.delay({ ms: numberOf(args(rest, 1, "delay MS")[0]) });
      return "ok";
    case "heal":
      cluster.network.heal();
      return "ok";
    case "status": {
      const { nodes, members } = await cluster.status();
      return nodes.map((node) => row(node, members)).join("\n");
    }
    case "help":
      return HELP;
    case "exit":
    case "quit":
      return "exit";
    default:
      throw invalid(`there is no command ${command}; "help" lists them`);
  }
}

async function list(kv: Kv<string>, prefix: string): Promise<string> {
  const { entries, count, next } = await kv.range({ prefix, limit: LIST_MAX });
  const lines = entries.map(({ key, value }) => `${key} ${value}`);
  if (next !== undefined) lines.push(`… ${entries.length} of ${count}`);
  return lines.length === 0 ? "(empty)" : lines.join("\n");
}

function row({ id, state, reason, status }: NodeView, members: readonly MemberView[]): string {
  if (state !== "running" || status === null)
    return `${id}  ${state}${reason === undefined ? "" : ` (${reason.code})`}`;
  const { role, term, last, commit, applied, snapshot } = status;
  const part = members.find((member) => member.id === id)?.voter === false ? "learner" : role;
  return `${id}  ${part.padEnd(12)} term ${term}  last ${last}  commit ${commit}  applied ${applied}  snapshot ${snapshot}`;
}

/** Words, where "…" holds several together. */
function split(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, quoted, plain]) => quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "",
  );
}

function args(words: string[], least: 3, usage: string): [string, string, string];
function args(words: string[], least: 2, usage: string): [string, string];
function args(words: string[], least: 1, usage: string, most?: number): [string, string?];
function args(words: string[], least: 0, usage: string, most: number): [string?];
function args(words: string[], least: number, usage: string, most = least): (string | undefined)[] {
  if (words.length < least || words.length > most) throw invalid(`usage: ${usage}`);
  return words;
}

function nodeOf(words: string[], usage: string): number {
  return numberOf(args(words, 1, usage)[0]);
}

function optional(word: string | undefined): number | undefined {
  return word === undefined ? undefined : numberOf(word);
}

/** The number that a word is. */
export function numberOf(word: string): number {
  const number = Number(word);
  if (word.trim() === "" || Number.isNaN(number)) throw invalid(`${word} is no number`);
  return number;
}

/** `1 | 2 3` as groups. */
function groups(words: string[]): number[][] {
  return words
    .join(" ")
    .split("|")
    .map((group) =>
      group
        .split(/\s+/)
        .filter((word) => word !== "")
        .map(numberOf),
    );
}

const LIST_MAX = 100;
