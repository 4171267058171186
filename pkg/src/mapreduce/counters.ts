/** What an attempt counts. */

import { JobError } from "./errors.js";

export class Counters {
  readonly #counts = new Map<string, number>();

  add(name: string, by = 1): void {
    const known = this.#counts.get(name);
    if (known === undefined) check(name, this.#counts.size);
    if (!Number.isSafeInteger(by) || by < 0)
      throw new JobError("EMIT_INVALID", `the counter "${name}" goes up by whole numbers`);
    this.#counts.set(name, (known ?? 0) + by);
  }

  get all(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}

function check(name: string, count: number): void {
  const bytes = new TextEncoder().encode(name).length;
  if (typeof name !== "string" || bytes === 0 || bytes > NAME_BYTES_MAX)
    throw new JobError("EMIT_INVALID", `a counter's name has 1 to ${NAME_BYTES_MAX} bytes`);
  if (count === COUNTERS_MAX)
    throw new JobError("TOO_MANY_COUNTERS", `a task has at most ${COUNTERS_MAX} counters`);
}

const NAME_BYTES_MAX = 64;
const COUNTERS_MAX = 16;
