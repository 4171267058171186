/** What the owner of nodes wants to know of them, and hears of them beside their work. */

import { invalid, show } from "../check.js";
import { nowSinceEpoch } from "../clock.js";
import { formatted, TOPICS } from "./debug.js";
import type { DebugEntry, DebugListener, DebugTopic } from "./types.js";

/** What a worker is told of it. */
export interface Orders {
  readonly trace: boolean;
  readonly topics: readonly DebugTopic[];
  /** From when the log counts time, in milliseconds since 1970. */
  readonly since: number;
}

/** Where lines go by default, and what the environment asks for. */
export interface DebugHome {
  print?(line: string): void;
  /** As the user wrote it: topics with commas between them. */
  readonly debug?: string | undefined;
}

export class Observation {
  trace: boolean;
  readonly #topics: readonly DebugTopic[];
  readonly #write: DebugListener;
  readonly #since = nowSinceEpoch();

  constructor(trace: unknown, debug: unknown, home: DebugHome) {
    this.trace = flag(trace, '"trace"');
    const print = home.print ?? ((line) => console.debug(line));
    const isHeard = typeof debug === "function";
    this.#topics = isHeard ? TOPICS : topics(debug, home.debug);
    this.#write = isHeard ? (debug as DebugListener) : print;
  }

  get orders(): Orders {
    return { trace: this.trace, topics: this.#topics, since: this.#since };
  }

  /** Lines of a worker. What the listener throws is its own affair, and is told as such. */
  hear(entries: readonly DebugEntry[]): void {
    for (const entry of entries) {
      try {
        this.#write(formatted(entry), entry);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

export function flag(value: unknown, what: string): boolean {
  if (value !== undefined && typeof value !== "boolean")
    throw invalid(`${what} is true or false, not ${show(value)}`);
  return value === true;
}

function topics(debug: unknown, environment: string | undefined): readonly DebugTopic[] {
  if (debug === true) return TOPICS;
  if (debug === false) return [];
  if (debug === undefined) {
    const words = (environment ?? "").split(",").map((word) => word.trim());
    const named = words.filter((word) => word !== "");
    return named.some((word) => ALL.includes(word))
      ? TOPICS
      : named.map((word) => topic(word, "QUORATE_DEBUG"));
  }
  if (!Array.isArray(debug))
    throw invalid(`"debug" is true, a list of topics or a function, not ${show(debug)}`);
  return debug.map((word: unknown) => topic(word, '"debug"'));
}

function topic(word: unknown, what: string): DebugTopic {
  const found = TOPICS.find((known) => known === word);
  if (found === undefined)
    throw invalid(`${what} takes the topics ${TOPICS.join(", ")}, not ${show(word)}`);
  return found;
}

/** What in the environment stands for all topics. */
const ALL: readonly string[] = ["*", "all", "1", "true"];
