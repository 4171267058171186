#!/usr/bin/env node
/** The command line: one command on a directory's cluster, or a prompt. `docs/cli.md` has the reference. */

import { type Call, Ended } from "./cli/command.js";
import { candidateLines, complete } from "./cli/completion.js";
import { EXIT, exitOf } from "./cli/exit.js";
import { openThere } from "./cli/open.js";
import { Output } from "./cli/output.js";
import { parse } from "./cli/parse.js";
import { COMMANDS } from "./cli/table.js";
import { timeOf } from "./cli/values.js";
import type { Cluster } from "./types.js";

async function main(words: readonly string[]): Promise<number> {
  // Asked by the scripts for shells.
  if (words[0] === "__complete") {
    const here = COMMANDS.filter(({ on }) => on !== "prompt");
    const lines = candidateLines(complete(here, words.slice(1)));
    if (lines !== "") console.log(lines);
    return EXIT.done;
  }
  const { command, args, options } = parse(COMMANDS, words);
  const out = new Output(options.has("json"), false);
  const isHelp = command === undefined || options.has("help");
  const chosen = isHelp ? COMMANDS.find(({ name }) => name === "help") : command;
  if (chosen === undefined) return EXIT.usage;
  const given = isHelp ? (command?.name.split(" ") ?? []) : args;
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => stop.abort(new Ended(signal)));
  const { signal } = stop;
  const timeout = options.read("timeout", timeOf);
  const bounds = { signal, ...(timeout !== undefined && { timeout }) };
  const call: Omit<Call, "cluster"> = {
    ...{ args: given, options, out, signal, bounds },
    session: undefined,
  };
  if (chosen.on === "prompt") {
    out.fail({ code: "USAGE", message: `${chosen.name} is for the prompt of "quorate cluster"` });
    return EXIT.usage;
  }
  if (chosen.on === "alone") return (await chosen.run({ ...call, cluster: none })) ?? EXIT.done;
  const cluster = await openThere(options, signal);
  try {
    return (await chosen.run({ ...call, cluster })) ?? EXIT.done;
  } finally {
    await cluster.close();
  }
}

/** Of commands that need none. */
const none = undefined as never as Cluster;

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever reads has had enough; what was answered is durable. A command whose output is its work says before that it failed.
  if (error.code === "EPIPE") process.exit(process.exitCode ?? EXIT.done);
  throw error;
});
const words = process.argv.slice(2);
main(words).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    new Output(words.includes("--json"), false).fail(error);
    process.exitCode = exitOf(error);
  },
);
