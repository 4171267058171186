/** Results in a directory, on Node. It appears under its name when all of it is there, and on the disk. */

import { constants, createReadStream } from "node:fs";
import { copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { JobError } from "./errors.js";
import type { Winner } from "./outputs.js";
import { reduceFile } from "./protocol.js";

/** Before a job begins: whether its results can be put there. */
export async function checkDirectory(path: string): Promise<void> {
  const there = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new JobError("OUTPUT_FAILED", `${path} cannot be written: ${error.message}`, {
      cause: error,
    });
  });
  if (there.length > 0) throw new JobError("OUTPUT_EXISTS", `${path} is there, and not empty`);
}

/** Publishes; an attempt after one that died goes on with its work, or finds it done. */
export async function publishToDirectory(
  path: string,
  name: string,
  job: number,
  winners: readonly Winner[],
  scratch: string,
  signal: AbortSignal,
): Promise<void> {
  const mark = `${JSON.stringify({ job, of: name, partitions: winners.length })}\n`;
  if ((await readFile(join(path, MARK), "utf8").catch(() => undefined)) === mark) return;
  await checkDirectory(path);
  // Beside it, however its name is written.
  const place = resolve(path);
  const parts = `${place}.part-${name}-${job}`;
  try {
    await rm(parts, { recursive: true, force: true });
    await mkdir(parts, { recursive: true });
    for (const [partition, { attempt }] of winners.entries()) {
      const to = join(parts, partName(partition));
      // The files stay where they are until all is published: who comes after a crash finds them.
      await copyFile(
        join(scratch, reduceFile(job, partition, attempt)),
        to,
        constants.COPYFILE_FICLONE,
      );
      await durable(to);
    }
    await writeFile(join(parts, MARK), mark);
    await durable(join(parts, MARK));
    await durable(parts);
    // From here on it is too late.
    signal.throwIfAborted();
    await rename(parts, place);
    await durable(dirname(place));
  } catch (error) {
    await rm(parts, { recursive: true, force: true }).catch(() => {});
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOTEMPTY" || code === "EEXIST")
      throw new JobError("OUTPUT_EXISTS", `${path} is there, and not empty`, { cause: error });
    throw new JobError("OUTPUT_FAILED", `${path} cannot be written: ${message}`, { cause: error });
  }
}

export const partName = (partition: number) => `part-${String(partition).padStart(5, "0")}`;

/** A file as a stream of the web. */
export const readPath = (path: string) =>
  Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>;

async function durable(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Written with the results: whose they are. */
const MARK = "_SUCCESS";
