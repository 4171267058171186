/**
 * Whether what clients were told can be explained by one machine that does one thing at a time, each between its call and
 * its answer. Of commands the order is known, it is that of the log; a machine that was never restored does them again.
 * A query must show one of the states between what anyone was told of before it was asked, and what any node had come to
 * when it was answered; and none older than an earlier query showed.
 */

import { decode, decodeResult, messageOf } from "../../machine/codec.js";
import type { Thrown } from "../../machine/types.js";
import type { Call } from "./clients.js";
import type { Executed, Execution, Found } from "./execution.js";
import type { Maker } from "./source.js";
import { APPLY, QUERY, RESTORE, type Sight, TICK, Watched } from "./watched.js";
import { differences, sameBytes, sayResult, seconds } from "./words.js";

export interface Judged {
  readonly calls: readonly Call[];
  readonly execution: Execution;
  /** Of the machine that does all commands, and of those that answer one query each. */
  readonly model: Maker;
  readonly probe: Maker;
  /** What they see around them. */
  readonly sight: Sight;
  readonly mayThrow: (thrown: Thrown, command: unknown) => boolean;
}

/** What is found first, in the order of the log. */
export async function judge(judged: Judged, turn: () => Promise<void>): Promise<Found | undefined> {
  const { calls, execution } = judged;
  const found = checkOrder(calls, execution) ?? checkReplies(judged);
  if (found !== undefined) return found;
  const steps = repeatAll(judged);
  for (let done = 0; ; done++) {
    let step: IteratorResult<Found | undefined, void>;
    try {
      step = steps.next();
    } catch (error) {
      const message = `${messageOf(error)} (in a machine apart, which does what the nodes did)`;
      const index = execution.log[done - 1]?.index ?? 0;
      return { kind: "machine-failed", message, details: [], nodes: [], index };
    }
    if (step.done === true) return undefined;
    if (step.value !== undefined) return step.value;
    if (done % 500 === 0) await turn();
  }
}

/** What is wrong before the first command, and with each of them. */
function* repeatAll(judged: Judged): Generator<Found | undefined, void> {
  const model = new Watched(judged.model, judged.sight);
  const queries = new Queries(judged, model);
  yield queries.look(0);
  for (const executed of judged.execution.log) {
    const { index } = executed;
    const wrong = repeat(model, executed) ?? judged.execution.compare(index, () => model.state());
    yield wrong ?? queries.look(index);
  }
  // The last state was the last that any query could show.
}

/** Each command stands behind all that ended before it began, and was told what was replied to it there. */
function checkOrder(calls: readonly Call[], execution: Execution): Found | undefined {
  for (const call of calls) {
    const place = execution.placeOf(call.tag);
    if (place === undefined) {
      if (call.isQuery || call.answer === undefined) continue;
      const message = `${name(call)} was answered, and no node executed it`;
      const details = [`told: ${sayResult(call.answer)}`];
      return { kind: "not-linearizable", message, details, nodes: [] };
    }
    const nodes = [place.node];
    const { index } = place;
    if (call.outcome === "not-applied") {
      const message = `${name(call)} ended as not applied, and was executed at ${index}`;
      return { kind: "not-linearizable", message, details: [], nodes, index };
    }
    if (index <= call.knows) {
      const message = `${name(call)} was executed at ${index}, before one that had ended at ${call.knows}`;
      return { kind: "not-linearizable", message, details: [], nodes, index };
    }
    if (call.answer !== undefined && !sameBytes(call.answer, place.reply)) {
      const message = `${name(call)} was told another reply than the machine gave`;
      const details = [
        `told: ${sayResult(call.answer)}`,
        `node ${place.node} replied: ${sayResult(place.reply)}`,
      ];
      return { kind: "not-linearizable", message, details, nodes, index };
    }
  }
  return undefined;
}

/** What a machine threw and gave on purpose, and what it did not. */
function checkReplies({ calls, execution, mayThrow }: Judged): Found | undefined {
  for (const { reply, command, tag, index, node, said } of execution.log) {
    if (tag === undefined) continue;
    const details = [`command: ${sayResult(command)}`];
    const result = decodeResult(reply);
    if (result.type === "unfit") {
      return { kind: "reply", message: result.why, details, nodes: [node], index };
    }
    if (result.type === "thrown" && !mayThrow(result.thrown, decode(command))) {
      const message = `apply() threw ${result.thrown.name}: ${said ?? result.thrown.message}`;
      return { kind: "threw", message, details, nodes: [node], index };
    }
  }
  for (const { answer, isQuery, bytes } of calls) {
    if (!isQuery || answer === undefined) continue;
    const result = decodeResult(answer);
    if (result.type !== "unfit") continue;
    return {
      kind: "reply",
      message: result.why,
      details: [`query: ${sayResult(bytes)}`],
      nodes: [],
    };
  }
  return undefined;
}

/** The model executes a command: it replies as the nodes did, and has changed nothing where it threw. */
function repeat(model: Watched, executed: Executed): Found | undefined {
  const { index, term, timeMs, tag, command, reply, node } = executed;
  if (tag === undefined) {
    model.ask(TICK, command, index, term, timeMs);
    return undefined;
  }
  const threw = decodeResult(reply).type === "thrown";
  const before = threw ? model.state() : undefined;
  const own = model.ask(APPLY, command, index, term, timeMs);
  const details = [`command: ${sayResult(command)}`];
  if (!sameBytes(own, reply)) {
    return {
      kind: "diverged",
      message: `a machine that was never restored replies otherwise to the same commands than node ${node} did, at number ${index} of the log`,
      details: [
        ...details,
        `node ${node}: ${sayResult(reply)}`,
        `never restored: ${sayResult(own)}`,
      ],
      nodes: [node],
      index,
    };
  }
  if (before === undefined) return undefined;
  const after = model.state();
  if (sameBytes(before, after)) return undefined;
  return {
    kind: "half-done",
    message: `apply() changed the state, and then ${sayResult(reply)}`,
    details: [...details, ...differences(before, "before", after, "after")],
    nodes: [node],
    index,
  };
}

/**
 * Queries that wait for a state that explains their answer. Each takes the first that does; so it is enough that those which
 * ended before it was asked have one already.
 */
class Queries {
  /** In the order in which they began, which is that of what was known then. */
  readonly #coming: Call[];
  /** Those that may show the state of now, in the order in which they ended. */
  readonly #open: Call[] = [];
  /** The states that were shown, by their places. */
  readonly #shown: { readonly returned: number; readonly place: number }[] = [];
  readonly #judged: Judged;
  readonly #model: Watched;

  constructor(judged: Judged, model: Watched) {
    this.#judged = judged;
    this.#model = model;
    this.#coming = judged.calls
      .filter((call) => call.isQuery && call.answer !== undefined)
      .reverse();
  }

  /** The state is now that at `place`; what can no longer be explained. */
  look(place: number): Found | undefined {
    for (let next = this.#coming.at(-1); next !== undefined && next.knows <= place; ) {
      const { returned } = next;
      const at = this.#open.findLastIndex((other) => other.returned <= returned) + 1;
      this.#open.splice(at, 0, next);
      this.#coming.pop();
      next = this.#coming.at(-1);
    }
    const answers = new Map<string, Uint8Array>();
    let state: Uint8Array | undefined;
    for (const call of [...this.#open]) {
      const [first] = this.#open;
      // Which of two took an earlier state matters only where one ended before the other was asked.
      if (first !== undefined && first.returned < call.invoked) continue;
      const key = String(call.bytes);
      state ??= this.#model.state();
      const answer = answers.get(key) ?? this.#answer(state, call);
      answers.set(key, answer);
      if (sameBytes(answer, call.answer as Uint8Array)) {
        this.#shown.push({ returned: call.returned, place });
        this.#open.splice(this.#open.indexOf(call), 1);
      } else if (place >= call.reached) {
        return this.#wrong(call);
      }
    }
    return undefined;
  }

  /** The earliest state that it may show. */
  #floor(call: Call): number {
    const before = this.#shown.filter(({ returned }) => returned < call.invoked);
    return Math.max(call.knows, ...before.map(({ place }) => place));
  }

  #answer(state: Uint8Array, call: Call): Uint8Array {
    const machine = new Watched(this.#judged.probe, this.#judged.sight);
    machine.ask(RESTORE, state);
    return machine.ask(QUERY, call.bytes);
  }

  /** The call, and the window of commands among which no place is left for it. */
  #wrong(call: Call): Found {
    const floor = this.#floor(call);
    const { execution, calls } = this.#judged;
    const window = execution.log.filter(({ index }) => index <= call.reached);
    const from = Math.max(
      0,
      window.findLastIndex(({ index }) => index <= floor),
    );
    const lines = window.slice(from).map((executed) => {
      const of = executed.tag === undefined ? undefined : calls[executed.tag - 1];
      const when = of === undefined ? "a tick" : `${name(of)}, ${times(of)}`;
      const command = executed.tag === undefined ? "" : ` ${sayResult(executed.command)}`;
      return `number ${executed.index}:${command} → ${sayResult(executed.reply)} (${when})`;
    });
    const shown = lines.length > WINDOW_MAX ? [...lines.slice(0, WINDOW_MAX), "…"] : lines;
    return {
      kind: "not-linearizable",
      message: `no state that ${name(call)} may have seen gives its answer`,
      details: [
        `${name(call)}, ${times(call)}: query ${sayResult(call.bytes)} → ${sayResult(call.answer as Uint8Array)}`,
        `It must show the state after number ${floor} of the log, or after one that follows, up to ${call.reached}:`,
        ...shown,
      ],
      nodes: [],
    };
  }
}

const name = (call: Call) => `call ${call.tag} of client ${call.client}`;
const times = ({ invoked, returned }: Call) =>
  `from ${seconds(invoked)} s ${Number.isFinite(returned) ? `to ${seconds(returned)} s` : "on"}`;

/** Commands that are shown of a window. */
const WINDOW_MAX = 20;
