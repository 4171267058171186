/** What a reduce reads: its partition's sections of the files that the winning map attempts have written. */

import type { Engine } from "./engine.js";
import { type Assignment, mapFile } from "./protocol.js";
import { Feeder, fewer, type Section, sectionsOf } from "./runs.js";
import type { ScratchReader } from "./scratch.js";
import { LostRun, type Run } from "./tasks.js";

export interface ReduceInput {
  /** How many sections there are. */
  readonly count: number;
  /** The next bytes of a section; none at its end. */
  next(section: number): Uint8Array;
  /** The error that it is for the job: of a file that is damaged, the loss of that. */
  blame(error: unknown): unknown;
  close(): Promise<void>;
}

/** Opens them, in the order of the map tasks, and makes fewer of them if they are too many for one merge. */
export async function openSections(
  engine: Engine,
  run: Run,
  { task, maps }: Assignment & { kind: "reduce" },
  name: string,
): Promise<ReduceInput> {
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
    for (const map of maps) {
      last = map;
      const reader = await scratch.open(mapFile(job, map.task, map.attempt));
      open.push(reader);
      const { size } = reader;
      const read = (at: number, length: number) => {
        last = map;
        return reader.read(at, length);
      };
      all.push(...sectionsOf(engine, { size, read, close: () => {} }, task));
    }
    const idle = { records: 0, bytes: 0, at: 0, next: 1 };
    const less = await fewer(engine, all, task, scratch, name, () => run.report(idle));
    made = less.made;
    const feeder = new Feeder(less.sections);
    return {
      count: less.sections.length,
      next: (section) => feeder.next(section),
      blame,
      close,
    };
  } catch (error) {
    await close();
    throw blame(error);
  }
}

const DAMAGE: readonly unknown[] = ["RUN_CORRUPT", "RUN_VERSION", "SCRATCH_DAMAGED"];
