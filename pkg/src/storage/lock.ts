/**
 * One cluster at a time in a directory, on Node.
 *
 * A lock is a file `lock-<n>` that names its holder. The highest number counts. To take the lock is to create the
 * next number, which only one can do, and to find afterwards that it is still the highest; a released or abandoned
 * file stays until a higher one exists, so that a number is never taken twice. There is no moment at which
 * somebody could remove another's lock in the belief that it is a stale one.
 *
 * A process that is gone has left its lock: the process number together with the time at which it started tells.
 */

import { open, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { quorateError } from "../errors.js";
import { isCode, makeDirectory } from "./durable.js";

interface Holder {
  readonly host: string;
  readonly pid: number;
  /** When the process started, as far as the system tells. */
  readonly started: string;
}

/**
 * Takes the lock of a cluster's directory, or that of one node in it, or rejects with `STORAGE_LOCKED`. Resolves to what releases
 * it. A cluster and a node by itself keep each other out: each takes its own lock first, and then looks for the other's.
 */
export async function lockPlace(path: string, node?: number): Promise<() => Promise<void>> {
  const unlock = await lockDirectory(node === undefined ? path : join(path, `node-${node}`));
  try {
    const others =
      node === undefined
        ? (await readdir(path))
            .filter((name) => /^node-\d+$/.test(name))
            .map((name) => join(path, name))
        : [path];
    for (const other of others) await assertUnlocked(other);
    return unlock;
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Takes the lock or rejects with `STORAGE_LOCKED`. Resolves to what releases it. */
export async function lockDirectory(path: string): Promise<() => Promise<void>> {
  const directory = resolve(path);
  try {
    await makeDirectory(directory);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const [highest = 0, ...older] = await numbers(directory);
      if (highest > 0) await refuseIfHeld(directory, highest);
      const mine = highest + 1;
      if (!(await create(directory, mine))) continue;
      const [first] = await numbers(directory);
      if (first !== mine) {
        await unlink(file(directory, mine));
        continue;
      }
      for (const old of highest > 0 ? [highest, ...older] : [])
        await unlink(file(directory, old)).catch(() => {});
      // Where it cannot be released, the end of the process releases it.
      return () => writeFile(file(directory, mine), FREE).catch(() => {});
    }
  } catch (error) {
    if (error instanceof Error && "retryable" in error) throw error;
    throw unavailable(directory, error);
  }
  throw locked(directory, "others are taking it at this moment");
}

/**
 * Rejects with `STORAGE_LOCKED` if somebody has the lock, and takes nothing. Resolves to a number that is another one when
 * somebody has taken the lock since.
 */
export async function assertUnlocked(path: string): Promise<number> {
  const directory = resolve(path);
  try {
    const [highest = 0] = await numbers(directory);
    if (highest > 0) await refuseIfHeld(directory, highest);
    return highest;
  } catch (error) {
    if (error instanceof Error && "retryable" in error) throw error;
    // Nobody uses what is not there.
    if (isCode(error, "ENOENT") || isCode(error, "ENOTDIR")) return 0;
    throw unavailable(directory, error);
  }
}

/** The numbers of the lock files, highest first. */
async function numbers(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names
    .flatMap((name) => /^lock-(\d{1,15})$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a);
}

async function create(directory: string, number: number): Promise<boolean> {
  // The global: importing from "node:process" would open the standard streams.
  const { pid } = process;
  const holder: Holder = { host: hostname(), pid, started: await startOf(pid) };
  try {
    const handle = await open(file(directory, number), "wx");
    await handle.writeFile(JSON.stringify(holder));
    await handle.close();
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function refuseIfHeld(directory: string, number: number): Promise<void> {
  const path = file(directory, number);
  let text: string;
  try {
    text = await readFile(path, "utf8");
    // Another process may be between creating the file and writing its name into it.
    for (let wait = 0; text === "" && wait < NAME_WAITS; wait++) {
      await new Promise((next) => setTimeout(next, NAME_WAIT_MS));
      text = await readFile(path, "utf8");
    }
  } catch (error) {
    // Taken over by a third one; the next attempt sees by whom.
    if (isCode(error, "ENOENT")) return;
    throw error;
  }
  const holder = parse(text);
  // A file that names nobody was left by a process that ended between two steps.
  if (holder === undefined) return;
  if (holder.host !== hostname()) {
    throw locked(
      directory,
      `process ${holder.pid} on the machine ${holder.host}; if that is gone, delete ${path}`,
    );
  }
  if (isAlive(holder.pid) && (await startOf(holder.pid)) === holder.started) {
    throw locked(
      directory,
      holder.pid === process.pid ? "another cluster in this process" : `process ${holder.pid}`,
    );
  }
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return typeof holder?.pid === "number" &&
      typeof holder.host === "string" &&
      typeof holder.started === "string"
      ? (holder as Holder)
      : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch (error) {
    // It exists, but belongs to someone else.
    return isCode(error, "EPERM");
  }
}

/** Tells a process from a later one with the same number. Linux says when it started; elsewhere all look alike. */
async function startOf(process_: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${process_}/stat`, "utf8");
    // The name in parentheses may contain anything; the 20th word after it is the start.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

function unavailable(directory: string, cause: unknown) {
  return quorateError(
    "STORAGE_UNAVAILABLE",
    `the directory ${directory} cannot be used: ${String(cause)}`,
    { cause, place: directory },
  );
}

function locked(directory: string, by: string) {
  return quorateError("STORAGE_LOCKED", `the directory ${directory} is in use by ${by}`, {
    place: directory,
  });
}

function file(directory: string, number: number): string {
  return join(directory, `lock-${number}`);
}

const FREE = "free";
const ATTEMPTS = 5;
const NAME_WAITS = 20;
const NAME_WAIT_MS = 25;
