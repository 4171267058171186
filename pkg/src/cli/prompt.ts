/** A prompt on a cluster that goes on running. Where standard input is no terminal: commands one after the other, to the end. */

import { stdin, stdout } from "node:process";
import { createInterface, type Interface } from "node:readline";
import { onAbort } from "../abort.js";
import { QuorateError } from "../errors.js";
import type { Cluster } from "../types.js";
import { type Call, type Command, FOUNDING } from "./command.js";
import { complete } from "./completion.js";
import { EXIT } from "./exit.js";
import { openInMemory, openOrFound } from "./open.js";
import { describe, Output } from "./output.js";
import { parse, split } from "./parse.js";
import type { Session } from "./session.js";
import { timeOf } from "./values.js";

/** `cluster`, for these commands. */
export function clusterCommand(commands: () => readonly Command[]): Command {
  return {
    name: "cluster",
    takes: "",
    about: "open a cluster, or found one, and give it commands at a prompt",
    more: `Reads commands from standard input where that is no terminal; if one failed the exit code is 1. At
the prompt there is more: nodes can be killed and started, and the network split; "help" lists it.

  quorate cluster --dir shop
  printf 'put k v\\nkill 1\\nget k\\n' | quorate cluster --memory`,
    options: { ...FOUNDING, memory: { about: "without files: all is gone at the end" } },
    on: "alone",
    run: async (call) => {
      const { options, signal } = call;
      const cluster = await (options.has("memory") ? openInMemory : openOrFound)(options, signal);
      try {
        return await talk(
          cluster,
          commands().filter(({ on, name }) => on !== "alone" || name === "help"),
          call,
        );
      } finally {
        await cluster.close();
      }
    },
  };
}

/** Reads commands until the input ends, or somebody leaves. */
async function talk(
  cluster: Cluster,
  commands: readonly Command[],
  { out, signal }: Call,
): Promise<number> {
  const interactive = stdin.isTTY === true;
  const session: Session = { cluster, locks: new Map(), watches: new Set() };
  const lines = createInterface({
    input: stdin,
    output: stdout,
    prompt: "> ",
    terminal: interactive,
    completer: (line: string) => completed(commands, line),
  });
  const screen = new Screen(lines, interactive);
  // Closing ends the command that runs. Only a terminal tells the lines.
  const leave = () => {
    lines.close();
    void cluster.close();
  };
  lines.on("SIGINT", leave);
  const deaf = onAbort(signal, leave);
  let failures = 0;
  try {
    if (interactive) {
      out.note(`node ${await cluster.leader()} leads; "help" lists the commands`);
      listen(cluster, (text) => screen.print(text));
    }
    screen.wait();
    for await (const line of lines) {
      screen.busy();
      try {
        if ((await execute(commands, line, session, out.json, screen, signal)) === "exit") break;
      } catch (error) {
        if (error instanceof QuorateError && error.code === "CLOSED") break;
        failures += 1;
        out.fail(error);
      }
      screen.wait();
    }
  } finally {
    screen.busy();
    deaf();
    lines.close();
    for (const watch of session.watches) watch.abort();
    // Else they would keep others waiting for as long as they outlive their holder.
    for (const lock of session.locks.values())
      await lock.release({ timeout: RELEASE_MS }).catch(() => {});
    // A pipe that stays open would keep the process.
    stdin.destroy();
  }
  return interactive || failures === 0 ? EXIT.done : EXIT.failed;
}

/** One line. Empty ones, and those that begin with #, do nothing. */
async function execute(
  commands: readonly Command[],
  line: string,
  session: Session,
  json: boolean,
  screen: Screen,
  signal: AbortSignal,
): Promise<"exit" | undefined> {
  const words = split(line);
  const [first] = words;
  if (first === undefined || first.startsWith("#")) return;
  if (first === "exit" || first === "quit") return "exit";
  const { command, args, options } = parse(commands, words);
  if (command === undefined) return;
  const out = new Output(json || options.has("json"), true, (text) => screen.print(text));
  const timeout = options.read("timeout", timeOf);
  const bounds = { signal, ...(timeout !== undefined && { timeout }) };
  const call = { args, options, out, signal, bounds, cluster: session.cluster, session };
  if (!options.has("help")) await command.run(call);
  else await commands.find(({ name }) => name === "help")?.run({ ...call, args: [command.name] });
  return;
}

/** Lines that come by themselves go above the one that is being typed, which stays. */
class Screen {
  readonly #lines: Interface;
  readonly #interactive: boolean;
  #typing = false;
  #ended = false;

  constructor(lines: Interface, interactive: boolean) {
    this.#lines = lines;
    this.#interactive = interactive;
    lines.once("close", () => {
      this.#ended = true;
    });
  }

  wait(): void {
    this.#typing = this.#interactive && !this.#ended;
    if (this.#typing) this.#lines.prompt(true);
  }

  busy(): void {
    this.#typing = false;
  }

  print(text: string): void {
    if (this.#typing) stdout.write("\r\x1b[K");
    console.log(text);
    if (this.#typing) this.#lines.prompt(true);
  }
}

function completed(commands: readonly Command[], line: string): [string[], string] {
  const begun = /\S*$/.exec(line)?.[0] ?? "";
  const before = split(line.slice(0, line.length - begun.length));
  const found = complete(commands, [...before, begun]);
  return [found.flatMap((each) => (typeof each === "string" ? [] : `${each.word} `)), begun];
}

/** Says what happens while somebody types. */
function listen(cluster: Cluster, tell: (text: string) => void): void {
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

const RELEASE_MS = 2_000;
