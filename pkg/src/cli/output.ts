/** What a command says: lines for people, or an object a line for programs. Errors go to standard error. */

import { type ErrorCode, QuorateError } from "../errors.js";
import { EXIT } from "./exit.js";

export class Output {
  readonly json: boolean;
  readonly #atPrompt: boolean;
  readonly #print: (line: string) => void;

  /** At a prompt a no is an answer like any other. */
  constructor(json: boolean, atPrompt: boolean, print: (line: string) => void = console.log) {
    this.json = json;
    this.#atPrompt = atPrompt;
    this.#print = print;
  }

  /** An answer. Without a text, people are told nothing. */
  say(object: object, text?: string): void {
    if (this.json) this.#print(jsonOf(object));
    else if (text !== undefined) this.#print(text);
  }

  /** The answer is no. Returns the exit code for that. */
  no(object: object, text: string): number {
    if (this.json || this.#atPrompt) this.say(object, text);
    else console.error(text);
    return EXIT.no;
  }

  /** Bytes as they are, for people. */
  raw(object: object, bytes: Uint8Array): void {
    if (this.json || this.#atPrompt) this.say(object, new TextDecoder().decode(bytes));
    else process.stdout.write(Buffer.concat([bytes, Buffer.from("\n")]));
  }

  /** Something beside the answer. */
  note(text: string): void {
    if (!this.json) console.error(text);
  }

  fail(error: unknown): void {
    console.error(this.json ? jsonOf({ error: errorObject(error) }) : describe(error));
  }
}

/** An error in a sentence that begins with its code. */
export function describe(error: unknown): string {
  const { code, message } = named(error);
  const hint = HINTS[code as ErrorCode];
  const line = message.replaceAll(/\s*\n\s*/g, " ").replaceAll(/\p{Cc}/gu, escaped);
  const cause = causeOf(error)?.code;
  const why = cause === undefined ? "" : ` (${cause})`;
  return `${code}: ${line}${why}${hint === undefined ? "" : `; ${hint}`}`;
}

/** JSON without the control characters that it leaves as they are: terminals obey some of them. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\x7f-\x9f]/g, escaped);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function errorObject(error: unknown): object {
  const { code, message } = named(error);
  const { outcome, node, place, retryable } = error instanceof QuorateError ? error : {};
  const { job, task, record, input } = error as Record<string, unknown>;
  const where = { job, task, record, input, cause: causeOf(error) };
  return { code, message, outcome, node, place, retryable, ...where };
}

/** What went wrong in a task, where it is a job that failed. */
function causeOf(error: unknown): { code: string; message: string } | undefined {
  const { task, cause } = error as { task?: unknown; cause?: unknown };
  return typeof task === "string" && cause instanceof QuorateError ? named(cause) : undefined;
}

function named(error: unknown): { code: string; message: string } {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return {
    code: typeof code === "string" ? code : "FAILED",
    message: typeof message === "string" ? message : String(error),
  };
}

/** What to do next at a terminal. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  NO_CLUSTER:
    "`quorate init` founds one, --name says which one of .quorate is meant, and --dir where else",
  STORAGE_LOCKED:
    "one process at a time has a directory: ask that one (a program by its own calls, `quorate cluster` at its prompt), end it, or wait for it with --wait 30s",
  STORE_NOT_EMPTY: "on the command line that is --overwrite",
};
