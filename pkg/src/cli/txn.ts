/** Several things as one. */

import type { OperationResult, Txn, TxnResult } from "../kv/types.js";
import type { Command } from "./command.js";
import { EXIT, UsageError } from "./exit.js";
import { input } from "./store.js";
import { entryObject, previousObject, showKey, showValue, type Value, valuesOf } from "./values.js";

export const TXN: Command = {
  name: "txn",
  takes: "[JSON]",
  about: "do several things as one, if conditions hold",
  more: `JSON has "if", "do" and "else", as kv.txn has them; without it, it is read from standard input.
Values are texts. Where the conditions do not hold, what is under "else" is done, and the exit code
is 3.

  quorate txn '{"if": [{"key": "seat", "version": 0}],
                "do": [{"put": "seat", "value": "ada"}], "else": [{"get": "seat"}]}'`,
  on: "store",
  async run({ args: [word], cluster, out, bounds, session }) {
    const text = word ?? new TextDecoder().decode(await input(session !== undefined, "JSON"));
    let txn: Txn<Value>;
    try {
      txn = JSON.parse(text) as Txn<Value>;
    } catch (error) {
      throw new UsageError(`the transaction is no JSON: ${(error as Error).message}`);
    }
    const result = await valuesOf(cluster).txn(txn, bounds);
    const { succeeded, revision } = result;
    const lines = result.results.map((each) => `  ${show(each)}`);
    const told = [succeeded ? "the conditions held" : "the conditions did not hold", ...lines];
    out.say({ succeeded, revision, results: result.results.map(object) }, told.join("\n"));
    return succeeded ? EXIT.done : EXIT.no;
  },
};

/** One result, bytes as text. */
function object(result: OperationResult<Value>): object {
  switch (result.type) {
    case "put":
      return { type: result.type, ...previousObject(result.previous) };
    case "get":
      return { type: result.type, entry: result.entry && entryObject(result.entry) };
    case "range": {
      const { type, entries, count, more } = result;
      return { type, count, more, entries: entries.map((entry) => entryObject(entry)) };
    }
    case "delete": {
      const { type, deleted, previous } = result;
      const was = previous && { previous: previous.map((entry) => entryObject(entry)) };
      return { type, deleted, ...was };
    }
    case "increment":
      return result;
    case "txn":
      return { ...result, results: result.results.map(object) };
  }
}

function show(result: OperationResult<Value>): string {
  switch (result.type) {
    case "put":
      return "ok";
    case "get":
      return result.entry === null ? "(absent)" : showValue(result.entry.value);
    case "range": {
      const lines = result.entries.map(({ keyBytes, value }) =>
        `${showKey(keyBytes)} ${value === undefined ? "" : showValue(value)}`.trimEnd(),
      );
      return lines.length === 0 ? `${result.count} keys` : lines.join("\n  ");
    }
    case "delete":
      return `${result.deleted} removed`;
    case "increment":
      return String(result.value);
    case "txn":
      return nested(result);
  }
}

function nested({ succeeded, results }: Pick<TxnResult<Value>, "succeeded" | "results">): string {
  return [succeeded ? "then" : "else", ...results.map(show)].join("\n    ");
}
