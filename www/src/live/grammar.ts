/** What is typed at the console, as commands; the words are those of the command line (`docs/cli.md`). Pure. */

import { COMMANDS, type CommandName, WRONG } from "../words/console.js";

/** A line that makes sense. */
export interface Typed {
  readonly name: CommandName;
  readonly args: readonly string[];
  /** Given as `--name`, or `--name value`. */
  readonly options: ReadonlyMap<string, string>;
}

/** What a line says: nothing, a command, or why it is none. */
export type Line = Typed | { readonly wrong: string } | null;

export function parse(line: string): Line {
  const words = split(line);
  if (words === null) return { wrong: WRONG.quote };
  const [first, second] = words;
  if (first === undefined || first.startsWith("#")) return null;
  const pair = `${first} ${second}`;
  const name = isCommand(pair) ? pair : first;
  if (!isCommand(name)) {
    const family = NAMES.filter((known) => known.startsWith(`${first} `));
    return { wrong: family.length === 0 ? WRONG.unknown(first) : WRONG.family(first, family) };
  }
  return fit(name, words.slice(name.split(" ").length));
}

/** The names that a line, as far as it is typed, can become. */
export function completions(line: string): string[] {
  const start = line.trimStart();
  return start === "" ? [] : NAMES.filter((name) => name.startsWith(start) && name !== start);
}

/** Words; `"…"` and `'…'` hold several together. Null where such a one has no end. */
export function split(line: string): string[] | null {
  const words: string[] = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']\S*))(?=\s|$)/y;
  while (/\S/.test(line.slice(pattern.lastIndex))) {
    const found = pattern.exec(line);
    if (found === null) return null;
    const [, quoted, literal, plain] = found;
    words.push(quoted?.replace(/\\(.)/g, "$1") ?? literal ?? plain ?? "");
  }
  return words;
}

const NAMES = Object.keys(COMMANDS) as CommandName[];

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

function fit(name: CommandName, words: readonly string[]): Line {
  const { takes, options: known = {} } = COMMANDS[name] as (typeof COMMANDS)[CommandName] & {
    options?: Readonly<Record<string, string>>;
  };
  const args: string[] = [];
  const options = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const option = word.startsWith("--") ? word.slice(2) : "";
    if (option === "") {
      args.push(word);
      continue;
    }
    const value = known[option];
    if (value === undefined) return { wrong: WRONG.option(name, word) };
    if (value !== "" && words[at + 1] === undefined) return { wrong: WRONG.value(word, value) };
    options.set(option, value === "" ? "" : (words[++at] ?? ""));
  }
  const all = takes === "" ? [] : takes.split(" ");
  const least = all.filter((word) => !word.startsWith("[")).length;
  if (args.length < least || args.length > all.length) return { wrong: WRONG.count(name, takes) };
  return { name, args, options };
}
