/** What a reduce reads: its partition's sections of the files that the winning map attempts have written. */

import type { Engine } from "./engine.js";
import { type Assignment, mapFile } from "./protocol.js";
import { type Section, sectionsOf } from "./runs.js";
import type { ScratchReader } from "./scratch.js";
import { LostRun, type Run } from "./tasks.js";

export interface ReduceInput<Part> {
  /** In the order of the map tasks. */
  readonly parts: readonly Part[];
  /** The error that it is for the job: of a file that is damaged, the loss of that. */
  blame(error: unknown): unknown;
  close(): Promise<void>;
}

/** Parts that can be merged at once, and the files that were made for that. */
export interface Fewer<Part> {
  readonly parts: readonly Part[];
  readonly made: readonly ScratchReader[];
}

/** Opens them, and has fewer made of them if they are too many for one merge. */
export async function openSections<Part>(
  engine: Engine,
  run: Run,
  { task, maps }: Assignment & { kind: "reduce" },
  name: string,
  fewer: (all: readonly Section[], report: () => void) => Promise<Fewer<Part>>,
): Promise<ReduceInput<Part>> {
  const { scratch, job } = run;
  const open: ScratchReader[] = [];
  let made: readonly ScratchReader[] = [];
  /** Whose file was read last: what is damaged is found as soon as it is read. */
  let last: (typeof maps)[number] | undefined;
  const close = async () => {
    for (const reader of [...open, ...made]) reader.close();
    const [folder = "", file = ""] = name.split("/");
    if (made.length > 0) await scratch.remove(folder, `${file}.t`);
  };
  const blame = (error: unknown) => {
    const isDamage = DAMAGE.includes((error as { code?: unknown }).code);
    return isDamage && last !== undefined ? new LostRun(last, error) : error;
  };
  try {
    const all: Section[] = [];
    for (let first = 0; first < maps.length; first += OPEN_AT_ONCE) {
      const some = maps.slice(first, first + OPEN_AT_ONCE);
      const opening = some.map((map) => scratch.open(mapFile(job, map.task, map.attempt)));
      const opened = await Promise.allSettled(opening);
      for (const it of opened) if (it.status === "fulfilled") open.push(it.value);
      for (const [at, it] of opened.entries()) {
        const map = some[at] as (typeof maps)[number];
        last = map;
        if (it.status === "rejected") throw it.reason;
        const { value: reader } = it;
        const read = (at: number, length: number) => {
          last = map;
          return reader.read(at, length);
        };
        all.push(...sectionsOf(engine, { size: reader.size, read, close: () => {} }, task));
      }
    }
    const idle = { records: 0, bytes: 0, at: 0, next: 1 };
    const less = await fewer(all, () => run.report(idle));
    made = less.made;
    return { parts: less.parts, blame, close };
  } catch (error) {
    await close();
    throw blame(error);
  }
}

/** Where an opening waits for other processes, so many wait together. */
const OPEN_AT_ONCE = 16;
const DAMAGE: readonly unknown[] = ["RUN_CORRUPT", "RUN_VERSION", "SCRATCH_DAMAGED"];
