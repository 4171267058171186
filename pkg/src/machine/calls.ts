/** A machine's commands and queries from outside: values to bytes, a call, the result to a value or an error. */

import type { Calls } from "../calls.js";
import { invalid, record } from "../check.js";
import { type Outcome, type QuorateError, quorateError } from "../errors.js";
import type { CallOptions } from "../types.js";
import {
  decodeResult,
  encode,
  isMistake,
  MAX_MESSAGE_BYTES,
  messageOf,
  type Result,
} from "./codec.js";
import type { MachineQueryOptions } from "./types.js";

export async function execute(
  calls: Calls,
  command: unknown,
  options: CallOptions = {},
): Promise<unknown> {
  const reply = await calls.write(encodeArgument(command, "the command"), options);
  return resultOf(reply, "applied");
}

export async function query(
  calls: Calls,
  question: unknown,
  options: MachineQueryOptions = {},
): Promise<unknown> {
  record(options, '"options"', ["signal", "timeout", "serializable"]);
  const { serializable = false, ...bounds } = options;
  if (typeof serializable !== "boolean") throw invalid('"serializable" is true or false');
  const bytes = encodeArgument(question, "the query");
  return resultOf(await calls.read(bytes, bounds, serializable ? "own" : "any"), "not-applied");
}

function encodeArgument(value: unknown, what: string): Uint8Array {
  try {
    return encode(value, MAX_MESSAGE_BYTES);
  } catch (error) {
    throw invalid(`${what} cannot be stored: ${messageOf(error)}`, error);
  }
}

function resultOf(bytes: Uint8Array, outcome: Outcome): unknown {
  let result: Result;
  try {
    result = decodeResult(bytes);
  } catch (cause) {
    const message = "a node answered what was not asked";
    throw quorateError("NODE_PANICKED", message, { outcome: "unknown", cause });
  }
  switch (result.type) {
    case "value":
      return result.value;
    case "thrown":
      throw threw(result.thrown, outcome);
    case "unfit":
      throw quorateError("MACHINE_REPLY", result.why, { outcome });
  }
}

function threw(thrown: (Result & { type: "thrown" })["thrown"], outcome: Outcome): QuorateError {
  const where = isMistake(thrown.name, thrown.code)
    ? "; what the engine says of it is on the nodes' consoles"
    : "";
  const message =
    thrown.message === "" ? `the machine threw ${thrown.name}${where}` : thrown.message;
  return quorateError("MACHINE_THREW", message, { outcome, thrown });
}

/** Why the other kind of cluster's calls are not there. */
export function noStore(): QuorateError {
  const message = "this cluster has a machine of its own and no store; use execute() and query()";
  return quorateError("NO_STORE", message, { outcome: "not-applied" });
}

export function noMachine(): QuorateError {
  const message =
    "this cluster has a store and no machine of its own; use kv, or open with machine";
  return quorateError("NO_MACHINE", message, { outcome: "not-applied" });
}
