#!/usr/bin/env node
/**
 * A cluster of threads with a prompt: `quorate` or `npm run cluster`. Reads commands from standard input when that is no
 * terminal: one after the other, to the end; a command that fails makes the exit code 1.
 */

import { stdin, stdout } from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { execute, HELP, numberOf } from "./commands.js";
import { Cluster } from "./entry/node.js";
import { ArgumentError, QuorateError } from "./errors.js";

async function main(): Promise<number> {
  const values = readArgs();
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const cluster = await Cluster.open({
    name: values.name,
    nodes: numberOf(values.nodes),
    ...(values.memory ? { storage: "memory" } : {}),
    ...(values.directory === undefined ? {} : { directory: values.directory }),
  });
  const interactive = stdin.isTTY === true;
  let failures = 0;
  try {
    const lines = createInterface({
      input: stdin,
      output: stdout,
      prompt: "> ",
      terminal: interactive,
    });
    let atPrompt = false;
    let ended = false;
    lines.once("close", () => {
      ended = true;
    });
    const prompt = () => {
      atPrompt = interactive && !ended;
      if (atPrompt) lines.prompt(true);
    };
    // Only a terminal says so. Closing ends the command that runs.
    lines.on("SIGINT", () => {
      lines.close();
      void cluster.close();
    });
    if (interactive) {
      console.log(`node ${await cluster.leader()} leads; "help" lists the commands`);
      watch(cluster, (text) => {
        // Above the line that is being typed, which stays.
        if (atPrompt) stdout.write("\r\x1b[K");
        console.log(text);
        if (atPrompt) prompt();
      });
    }
    prompt();
    for await (const line of lines) {
      atPrompt = false;
      try {
        const answer = await execute(cluster, line);
        if (answer === "exit") break;
        if (answer !== "") console.log(answer);
      } catch (error) {
        if (error instanceof QuorateError && error.code === "CLOSED") break;
        failures += 1;
        console.log(describe(error));
      }
      prompt();
    }
    atPrompt = false;
    lines.close();
  } finally {
    // A pipe that stays open would keep the process.
    stdin.destroy();
    await cluster.close();
  }
  return interactive || failures === 0 ? 0 : 1;
}

/** The options, or `INVALID_OPTION`. */
function readArgs() {
  try {
    return parseArgs({
      options: {
        name: { type: "string", default: "cluster" },
        nodes: { type: "string", default: "3" },
        directory: { type: "string" },
        memory: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new ArgumentError(
      "INVALID_OPTION",
      `${(error as Error).message}; --help lists what there is`,
    );
  }
}

/** Says what happens while somebody types. */
function watch(cluster: Cluster, tell: (text: string) => void): void {
  cluster.addEventListener("leaderchange", ({ detail: { leader, term } }) =>
    tell(leader === null ? "no leader" : `node ${leader} leads in term ${term}`),
  );
  cluster.addEventListener("amnesia", ({ detail: { node } }) =>
    tell(`node ${node} lost its storage, and begins again without a vote`),
  );
  cluster.addEventListener("halted", ({ detail: { node, reason } }) =>
    tell(`node ${node} halted: ${describe(reason)}`),
  );
}

function describe(error: unknown): string {
  return error instanceof QuorateError ? `${error.code}: ${error.message}` : String(error);
}

const USAGE = `usage: quorate [--name NAME] [--nodes 1..7] [--directory PATH | --memory]

${HELP}`;

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(describe(error));
    process.exitCode = 1;
  },
);
