/** The page's own worker: makes the sample, counts once more with a plain program, and takes outputs together. */

import type { Choice } from "./jobs.js";
import { BYTES_AS_TEXT, bytesOf, merged, programOf } from "./plain.js";
import { FILES, sample } from "./sample.js";

export type Request =
  | { readonly do: "sample"; readonly bytes: number }
  | { readonly do: "count"; readonly files: readonly File[]; readonly choice: Choice }
  | { readonly do: "merge"; readonly outputs: readonly Blob[]; readonly choice: Choice };

/** What was written, by the cluster or by the plain program. */
export interface Written {
  readonly blob: Blob;
  /** SHA-256 of all of it, in hexadecimal digits. */
  readonly digest: string;
  readonly lines: number;
  /** The lines to show: the first ones, and of counted words the most frequent. */
  readonly best: readonly (readonly [string, string])[];
  /** How long it took, in milliseconds. */
  readonly time: number;
}

export type Answer = { readonly value: readonly File[] | Written } | { readonly error: unknown };

const scope = globalThis as unknown as {
  postMessage(answer: Answer): void;
  onmessage: (event: MessageEvent<Request>) => void;
};

scope.onmessage = async ({ data }) => {
  try {
    scope.postMessage({ value: await answerTo(data) });
  } catch (error) {
    scope.postMessage({ error });
  }
};

async function answerTo(request: Request): Promise<readonly File[] | Written> {
  const began = performance.now();
  switch (request.do) {
    case "sample":
      return Array.from(
        { length: FILES },
        (_, file) =>
          new File([...sample(file, request.bytes / FILES)], `sample-${file + 1}.txt`, {
            type: "text/plain",
          }),
      );
    case "count": {
      const program = programOf(request.choice);
      for (const [file, blob] of request.files.entries())
        await eachLine(blob, (line) => program.line(line, file, blob.name));
      return written(program.written(), request.choice, began);
    }
    case "merge": {
      const outputs: string[][] = [];
      for (const blob of request.outputs) {
        const lines: string[] = [];
        await eachLine(blob, (line) => lines.push(`${line}\n`));
        outputs.push(lines);
      }
      const isInOrder = request.choice.job !== "grep";
      return written(isInOrder ? merged(outputs) : outputs.flat(), request.choice, began);
    }
  }
}

async function eachLine(blob: Blob, each: (line: string) => void): Promise<void> {
  const reader = blob.stream().pipeThrough(new TextDecoderStream(BYTES_AS_TEXT)).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) each(line.endsWith("\r") ? line.slice(0, -1) : line);
  }
  if (rest !== "") each(rest);
}

async function written(lines: readonly string[], choice: Choice, began: number): Promise<Written> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < lines.length; at += LINES_AT_ONCE)
    parts.push(bytesOf(lines.slice(at, at + LINES_AT_ONCE).join("")));
  const blob = new Blob(parts, { type: "text/plain" });
  // There is no SHA-256 of a stream in a browser; the page compares no more than fits.
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  const digest = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const best = bestOf(lines, choice);
  return { blob, digest, lines: lines.length, best, time: performance.now() - began };
}

function bestOf(lines: readonly string[], { job }: Choice): Written["best"] {
  const decoder = new TextDecoder();
  const plain = (line: string) => decoder.decode(bytesOf(line.slice(0, LINE_SHOWN))).trimEnd();
  if (job === "grep") return lines.slice(0, SHOWN).map((line, at) => [`${at + 1}`, plain(line)]);
  const pair = (line: string) => {
    const [key = "", ...rest] = plain(line).split("\t");
    return [key, rest.join(", ")] as const;
  };
  if (job !== "wordcount") return lines.slice(0, SHOWN).map(pair);
  const counts = lines.map((line) => [Number(line.slice(line.indexOf("\t") + 1)), line] as const);
  counts.sort(([a], [b]) => b - a);
  return counts.slice(0, SHOWN).map(([, line]) => pair(line));
}

const LINES_AT_ONCE = 10_000;
const LINE_SHOWN = 1_000;
const SHOWN = 30;
