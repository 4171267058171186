/** What a command is: its words, what it takes, and what it does. Help, completion and parsing all come from this. */

import type { CallOptions, Cluster } from "../types.js";
import type { Output } from "./output.js";
import type { Session } from "./session.js";

/** An option; with a `value`, which is the name of what follows it, it takes one. */
export interface Option {
  readonly value?: string;
  /** It can be given more than once. */
  readonly many?: true;
  readonly about: string;
}

export type OptionTable = Readonly<Record<string, Option>>;

/** A command of the table. */
export interface Command {
  /** One word, or two. */
  readonly name: string;
  /** What follows: `KEY [VALUE]`; the last may be `WORD...`. */
  readonly takes: string;
  readonly about: string;
  /** What else one has to know, and examples. */
  readonly more?: string;
  readonly options?: OptionTable;
  /**
   * `store`: works on a cluster, that of a directory or of the prompt. `prompt`: only where a cluster goes on running.
   * `alone`: needs no cluster, or makes its own.
   */
  readonly on: "store" | "prompt" | "alone";
  /** Resolves to the exit code; 0 if it does not say. */
  run(call: Call): Promise<number | undefined> | Promise<void>;
}

/** A command that was given. */
export interface Call {
  readonly args: readonly string[];
  readonly options: Given;
  readonly out: Output;
  /** Aborted by Ctrl-C, and by SIGTERM; `signalOf` says by which. */
  readonly signal: AbortSignal;
  /** What calls of the store take. */
  readonly bounds: CallOptions;
  /** Of commands on a store. */
  readonly cluster: Cluster;
  /** The prompt, if the command was given there. */
  readonly session: Session | undefined;
}

/** What ended the program: the reason of its signal. */
export class Ended extends Error {
  readonly by: NodeJS.Signals;

  constructor(by: NodeJS.Signals) {
    super(`ended by ${by}`);
    this.by = by;
  }
}

/** By which signal the program was ended. */
export function signalOf({ reason }: AbortSignal): NodeJS.Signals {
  return reason instanceof Ended ? reason.by : "SIGTERM";
}

/** Options as they were given. */
export class Given {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** All that was given of an option that can be given more than once. */
  all(name: string): readonly string[] {
    const values = this.#values[name];
    return Array.isArray(values) ? values : [];
  }

  /** What `read` makes of it, if it was given. */
  read<T>(name: string, read: (text: string, what: string) => T): T | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : read(text, `--${name}`);
  }
}

/** What can stand everywhere. */
export const GLOBAL: OptionTable = {
  dir: {
    value: "DIR",
    about: "the cluster's directory (else $QUORATE_DIR, else .quorate/cluster)",
  },
  json: { about: "answers, and errors, as one JSON object a line" },
  timeout: { value: "TIME", about: "how long a call may take (10s)" },
  wait: { value: "TIME", about: "wait so long for a directory that another process uses" },
  help: { about: "what the command does" },
};

/** How a cluster is founded. */
export const FOUNDING: OptionTable = {
  name: { value: "NAME", about: "its name (cluster); without --dir it is in .quorate/NAME" },
  nodes: { value: "N", about: "with how many nodes it is founded, 1 to 7 (3)" },
};
