/** What the coordinator keeps of a job for whoever takes it up again: JSON, without what only the first owner had. */

import type { JobSettings } from "./options.js";
import type { JobSpec } from "./protocol.js";
import type { Source } from "./source.js";
import type { JobTarget } from "./types.js";

/** A source that may be known by name and size alone. */
export type KnownSource =
  | Exclude<Source, { kind: "blob" }>
  | Omit<Source & { kind: "blob" }, "blob">;

export interface Description {
  readonly spec: Omit<JobSpec, "sources"> & { readonly sources: readonly KnownSource[] };
  readonly leaseMs: number;
  /** Where it is a directory; a store's results are not published by others. */
  readonly target: JobTarget | undefined;
  /** Below this name of the scratch storage are the streams among the inputs, until the job is over. */
  readonly kept: string;
}

export function describe(
  spec: JobSpec,
  { leaseMs, target }: JobSettings,
  kept: string,
): Uint8Array {
  const write = (sources: readonly KnownSource[]) =>
    new TextEncoder().encode(
      JSON.stringify(
        {
          version: 1,
          spec: { ...spec, sources },
          leaseMs,
          target: typeof target === "string" ? target : undefined,
          kept,
        },
        (_, value: unknown) => (value instanceof Uint8Array ? { hex: hexOf(value) } : value),
      ),
    );
  const sources = spec.sources.map((source) => ({ ...source, blob: undefined }));
  const text = write(sources);
  // Of very many inputs there is no list: whoever goes on names them again.
  return text.length <= TEXT_MAX ? text : write([]);
}

export function read(bytes: Uint8Array): Description {
  return JSON.parse(new TextDecoder().decode(bytes), (_, value: unknown) => {
    const { hex } = (value ?? {}) as { hex?: unknown };
    return typeof hex === "string" ? bytesOf(hex) : value;
  }) as Description;
}

const hexOf = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOf = (hex: string) =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** A description has at most 64 KiB. */
const TEXT_MAX = 60 << 10;
