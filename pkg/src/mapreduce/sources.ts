/** From what a caller gives as input to sources that workers can read, and those cut into splits. */

import { invalid } from "../check.js";
import { JobError } from "./errors.js";
import { isStore } from "./options.js";
import type { Format, Split } from "./protocol.js";
import { gone, type Source, tagOf } from "./source.js";
import type { JobInput } from "./types.js";

/** What differs between browsers and Node. */
export interface SourceHome {
  /** The files that a path or pattern stands for; absent where there are none. */
  files?(pattern: string): Promise<Source[]>;
  /** Keeps a stream, so that it can be read again and in parts. `place` is for a file of the scratch storage. */
  keep(stream: ReadableStream<Uint8Array>, name: string, place: string): Promise<Source>;
}

/** The sources of a job's inputs, in their order. What is kept of them is below `place`. */
export async function sourcesOf(
  inputs: readonly JobInput[],
  home: SourceHome,
  place: string,
): Promise<Source[]> {
  const all: Source[] = [];
  for (const [at, input] of inputs.entries())
    all.push(...(await sourceOf(input, home, `input ${at + 1}`, `${place}/${at}`)));
  return all;
}

async function sourceOf(
  input: JobInput,
  home: SourceHome,
  name: string,
  place: string,
): Promise<Source[]> {
  if (typeof input === "string") {
    if (home.files === undefined) throw invalid(`there are no paths here: "${input}"`);
    return home.files(input);
  }
  if (input instanceof URL) {
    if (input.protocol === "file:" && home.files !== undefined)
      return home.files(decodeURIComponent(input.pathname));
    return [await urlSource(input, home, place)];
  }
  if (input instanceof Blob) {
    const own = "name" in input && typeof input.name === "string" ? input.name : name;
    return [{ kind: "blob", name: own, size: input.size, blob: input }];
  }
  if (input instanceof Uint8Array) {
    const blob = new Blob([input as BlobPart]);
    return [{ kind: "blob", name, size: blob.size, blob }];
  }
  if (input instanceof Response) {
    const own = input.url || name;
    if (!input.ok) throw gone(own, `the server answered ${input.status}`);
    return [await home.keep(input.body ?? empty(), own, place)];
  }
  if (isStore(input))
    return [await home.keep(lines(input), `keys of the store from "${input.prefix}" on`, place)];
  return [await home.keep(input as ReadableStream<Uint8Array>, name, place)];
}

/** Of servers that say how long a file is, and give parts of it, only those are fetched that a task needs. */
async function urlSource(url: URL, home: SourceHome, place: string): Promise<Source> {
  const { href } = url;
  let head: Response;
  try {
    head = await fetch(url, { method: "HEAD" });
  } catch (error) {
    throw gone(href, error);
  }
  if (!head.ok) throw gone(href, `the server answered ${head.status}`);
  const size = Number(head.headers.get("content-length") ?? Number.NaN);
  // Another origin need not say how it encodes: what it gives may be longer than what it says.
  const isPlain = head.headers.get("content-encoding") === null && head.type !== "cors";
  const tag = tagOf(head);
  if (Number.isSafeInteger(size) && isPlain && tag !== "") {
    const parts = head.headers.get("accept-ranges") === "bytes";
    return { kind: "url", name: href, size, parts, tag, href };
  }
  // It could change between two tasks, and nobody would know.
  const whole = await fetch(url).catch((error: unknown) => {
    throw gone(href, error);
  });
  if (!whole.ok) throw gone(href, `the server answered ${whole.status}`);
  return home.keep(whole.body ?? empty(), href, place);
}

/** The keys of a store as lines of JSON, as of one revision. */
function lines({ kv, prefix }: Extract<JobInput, { prefix: string }>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let start: Uint8Array | undefined;
  let revision: number | undefined;
  return new ReadableStream({
    async pull(controller) {
      const page = await kv.range(
        { prefix, limit: PAGE, ...(start !== undefined && { start }) },
        revision === undefined ? {} : { revision },
      );
      revision ??= page.revision;
      const text = page.entries.map(({ key, value }) => `${JSON.stringify([key, value])}\n`);
      if (text.length > 0) controller.enqueue(encoder.encode(text.join("")));
      start = page.next;
      if (!page.more || start === undefined) controller.close();
    },
  });
}

/** The map tasks: parts of about equal size, of one source each. */
export function splitsOf(
  sources: readonly Source[],
  format: Format,
  bytes: number | undefined,
  workers: number,
): Split[] {
  const total = sources.reduce((sum, { size }) => sum + size, 0);
  const even = Math.ceil(total / Math.max(1, workers * TASKS_A_WORKER));
  const size = Math.max(
    bytes ?? Math.min(Math.max(even, SPLIT_MIN), SPLIT_MAX),
    // Fewer, larger ones rather than more than there may be.
    Math.ceil(total / (SPLITS_MAX - sources.length)),
  );
  const splits: Split[] = [];
  for (const [at, source] of sources.entries()) {
    // Where only who reads from the beginning knows where records end.
    const isWhole = format.kind === "whole" || format.kind === "custom";
    const canSplit = !isWhole && !(source.kind === "url" && !source.parts);
    const step = canSplit ? aligned(size, format) : Math.max(1, source.size);
    for (let start = 0; start < source.size; start += step)
      splits.push({ source: at, start, end: Math.min(start + step, source.size) });
  }
  if (splits.length > SPLITS_MAX)
    throw new JobError(
      "TOO_MANY_SPLITS",
      `${splits.length} map tasks are more than ${SPLITS_MAX}: put small inputs together`,
    );
  return splits;
}

/** Records of one length are cut between two of them. */
const aligned = (size: number, format: Format) =>
  format.kind === "length" ? Math.ceil(size / format.length) * format.length : size;

const empty = () => new Blob([]).stream() as ReadableStream<Uint8Array>;

const PAGE = 1_000;
/** So many tasks for each worker, so that a slow one does not hold up all. */
const TASKS_A_WORKER = 4;
const SPLIT_MIN = 1 << 20;
const SPLIT_MAX = 64 << 20;
export const SPLITS_MAX = 100_000;
