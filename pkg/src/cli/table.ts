/** All commands. Parsing, help and completion read this table. */

import { version } from "../../wasm/quorate_wasm.js";
import { quorateError } from "../errors.js";
import { BENCH } from "./bench.js";
import { type Command, FOUNDING } from "./command.js";
import { scriptFor } from "./completion.js";
import { UsageError } from "./exit.js";
import { details, overview } from "./help.js";
import { LEASE } from "./lease.js";
import { LOCK } from "./lock.js";
import { MAPREDUCE } from "./mapreduce.js";
import { FAULTS, MEMBER } from "./member.js";
import { directoryOf, loadCore, openOrFound } from "./open.js";
import { clusterCommand } from "./prompt.js";
import { SIM } from "./sim.js";
import { SNAPSHOT } from "./snapshot.js";
import { STORE } from "./store.js";
import { TXN } from "./txn.js";
import { showCount } from "./values.js";
import { WATCH } from "./watch.js";

const INIT: Command = {
  name: "init",
  takes: "",
  about: "found a cluster in a directory",
  more: `All other commands, but cluster and snapshot restore, want one that is there.

  quorate init --dir shop --nodes 5`,
  options: FOUNDING,
  on: "alone",
  async run({ options, signal, out }) {
    const refuse = (name: string) =>
      quorateError(
        "STORAGE_FOREIGN",
        `the directory ${directoryOf(options)} has the cluster ${name}`,
      );
    const cluster = await openOrFound(options, signal, { refuse });
    try {
      await cluster.leader({ signal });
      const nodes = cluster.nodes.length;
      const { name, id } = cluster;
      out.say(
        { name, id, nodes, directory: directoryOf(options) },
        `${name} (${id}): ${showCount(nodes, "node")}`,
      );
    } finally {
      await cluster.close();
    }
  },
};

const COMPLETION: Command = {
  name: "completion",
  takes: "SHELL",
  about: "a script that lets bash, zsh or fish complete commands and options",
  more: `  source <(quorate completion bash)                                in ~/.bashrc
  source <(quorate completion zsh)                                 in ~/.zshrc, after compinit
  quorate completion fish > ~/.config/fish/completions/quorate.fish`,
  on: "alone",
  async run({ args: [shell = ""], out }) {
    const script = scriptFor(shell);
    out.say({ shell, script }, script);
  },
};

const VERSION: Command = {
  name: "version",
  takes: "",
  about: "which version this is",
  on: "alone",
  async run({ out }) {
    await loadCore();
    out.say({ version: version(), node: process.version }, version());
  },
};

const HELP: Command = {
  name: "help",
  takes: "[ABOUT...]",
  about: "what there is, or what a command does",
  on: "alone",
  async run({ args, out, session }) {
    const all = session === undefined ? COMMANDS : COMMANDS.filter(({ on }) => on !== "alone");
    const name = args.join(" ");
    const about = all.filter((each) => each.name === name || each.name.startsWith(`${name} `));
    if (name !== "" && about.length === 0) throw new UsageError(`there is no command ${name}`);
    const text = name === "" ? overview(all, session !== undefined) : details(about);
    out.say({ help: text }, text);
  },
};

export const COMMANDS: readonly Command[] = [
  INIT,
  clusterCommand(() => COMMANDS),
  ...STORE.slice(0, 4),
  TXN,
  ...WATCH,
  ...STORE.slice(4),
  ...LEASE,
  ...LOCK,
  ...MEMBER,
  ...FAULTS,
  ...SNAPSHOT,
  BENCH,
  SIM,
  MAPREDUCE,
  COMPLETION,
  VERSION,
  HELP,
];
