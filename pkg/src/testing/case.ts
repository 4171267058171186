/** One demand, to be given to a runner: `for (const { name, run } of cases) test(name, run)`. */
export interface Case {
  /** What is demanded. */
  readonly name: string;
  /** Rejects with a sentence if the demand is not met. */
  run(): Promise<void>;
}

export function demand(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Tries again until it holds, for at most ten seconds. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (let end = Date.now() + PATIENCE_MS; !condition(); await pause()) {
    if (Date.now() > end) throw new Error(what);
  }
}

/** A short while. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

/** A promise that must settle. */
export async function inTime<T>(work: Promise<T> | T, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a?.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Bytes that differ everywhere, the same for the same seed. */
export function noise(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    return state >>> 24;
  });
}

const PATIENCE_MS = 10_000;
const PAUSE_MS = 10;
