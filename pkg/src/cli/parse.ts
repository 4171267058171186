/** Words to a command and what was given to it. */

import { parseArgs } from "node:util";
import { type Command, Given, GLOBAL, type OptionTable } from "./command.js";
import { UsageError } from "./exit.js";

/** A command, as it was given. */
export interface Parsed {
  /** None where only options were given. */
  readonly command: Command | undefined;
  readonly args: readonly string[];
  readonly options: Given;
}

/** Throws a {@link UsageError} that says what is wrong, and where there is more to read. */
export function parse(commands: readonly Command[], words: readonly string[]): Parsed {
  // Options may stand before the command, which says what options there are: so first a look that minds nothing.
  const command = commands.find((each) => commandOf([each], look(words, each.options)));
  const every = Object.assign({}, ...commands.map(({ options }) => options ?? {}));
  const [first, second] = command === undefined ? look(words, every) : [];
  if (first !== undefined) {
    const family = commands.filter(({ name }) => name.startsWith(`${first} `));
    if (family.length === 0)
      throw new UsageError(`there is no command ${first}; "help" lists them`);
    const rest = family.map(({ name }) => name.slice(`${first} `.length)).join(", ");
    throw new UsageError(
      second === undefined
        ? `${first} what: ${rest}?`
        : `there is no ${first} ${second}; there is ${rest}`,
    );
  }
  const options: OptionTable = { ...GLOBAL, ...command?.options };
  let found: ReturnType<typeof strictly>;
  try {
    found = strictly(words, options);
  } catch (error) {
    const about = command === undefined ? "help" : `help ${command.name}`;
    const [sentence] = (error as Error).message.split(/\. |\n/);
    throw new UsageError(`${sentence}; "${about}" tells more`);
  }
  const args = found.positionals.map(unguard).slice(command?.name.split(" ").length ?? 0);
  const values = Object.fromEntries(
    Object.entries(found.values).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(unguarded) : unguarded(value),
    ]),
  );
  const given = new Given(values);
  if (command !== undefined && !given.has("help")) count(command, args);
  return { command, args, options: given };
}

/** The words that would be no options, if these were the options. */
function look(words: readonly string[], options: OptionTable = {}): string[] {
  const args = words.map(guard);
  const all = shapes({ ...GLOBAL, ...options });
  return parseArgs({ args, options: all, allowPositionals: true, strict: false }).positionals;
}

function strictly(words: readonly string[], options: OptionTable) {
  return parseArgs({ args: words.map(guard), options: shapes(options), allowPositionals: true });
}

/** The command whose name the words begin with. */
export function commandOf(
  commands: readonly Command[],
  words: readonly string[],
): Command | undefined {
  return commands.find(({ name }) =>
    name.split(" ").every((word, at) => words[at] !== undefined && words[at] === word),
  );
}

/** How many words a command takes. */
export function arity({ takes }: Command): { least: number; most: number } {
  const words = takes === "" ? [] : takes.split(" ");
  return {
    least: words.filter((word) => !word.startsWith("[")).length,
    most: words.some((word) => word.includes("...")) ? Number.POSITIVE_INFINITY : words.length,
  };
}

function count(command: Command, args: readonly string[]): void {
  const { least, most } = arity(command);
  if (args.length < least || args.length > most)
    throw new UsageError(`${command.name} takes ${command.takes || "nothing"}`);
}

function shapes(options: OptionTable) {
  return Object.fromEntries(
    Object.entries(options).map(([name, { value, many = false }]) => [
      name,
      { type: value === undefined ? ("boolean" as const) : ("string" as const), multiple: many },
    ]),
  );
}

/** A negative number is no option. */
const guard = (word: string) => (/^-[\d.]/.test(word) ? `\0${word}` : word);
const unguard = (word: string) => word.replace(/^\0/, "");
const unguarded = <T>(value: T) => (typeof value === "string" ? unguard(value) : value);

/** Words of a line, where "…" and '…' hold several together. */
export function split(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(
    ([, quoted, literal, plain]) => quoted?.replace(/\\(.)/g, "$1") ?? literal ?? plain ?? "",
  );
}
