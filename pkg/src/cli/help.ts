/** Help, from the table. */

import { type Command, GLOBAL, type OptionTable } from "./command.js";

/** All commands, a line each. At the prompt, those that make sense there. */
export function overview(commands: readonly Command[], atPrompt: boolean): string {
  const shown = commands.filter(({ on }) => atPrompt || on !== "prompt");
  const rows = rowsOf(shown);
  if (atPrompt) return `${rows}\n\nhelp COMMAND tells more, exit leaves.`;
  return `usage: quorate COMMAND ...

A command opens the cluster of a directory, does what it says, and closes it. One process at a time
has a directory: "quorate cluster" is a prompt, at which the same commands, and more, work on a
cluster that goes on running.

  quorate init --dir shop
  quorate put greeting hello --dir shop
  quorate get greeting --dir shop

${rows}

Everywhere:
${optionRows(GLOBAL)}

"quorate help COMMAND" tells more. Exit codes: 0 done, 1 failed, 2 misspelt, 3 the answer is no,
4 failed and may have taken effect, 5 damaged.`;
}

/** One command, or a family such as "lease". */
export function details(about: readonly Command[]): string {
  const [only] = about;
  if (about.length !== 1 || only === undefined) return rowsOf(about);
  const where = only.on === "prompt" ? "\n\nAt the prompt only." : "";
  const options = only.options === undefined ? "" : `\n\n${optionRows(only.options)}`;
  const more = only.more === undefined ? "" : `\n\n${only.more}`;
  return `usage: ${only.on === "prompt" ? "" : "quorate "}${usageOf(only)}\n\n${sentence(only.about)}${where}${more}${options}`;
}

function rowsOf(commands: readonly Command[]): string {
  return columns(commands.map((command) => [usageOf(command), command.about]));
}

function usageOf({ name, takes }: Command): string {
  return `${name} ${takes}`.trim();
}

function sentence(about: string): string {
  return `${about.charAt(0).toUpperCase()}${about.slice(1)}.`;
}

function optionRows(options: OptionTable): string {
  return columns(
    Object.entries(options).map(([name, { value, about }]) => [
      `--${name}${value === undefined ? "" : ` ${value}`}`,
      about,
    ]),
  );
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join("\n");
}
