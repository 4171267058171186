/** What survives a power cut, on Node: what is appended to a file, and directory entries. */

import { constants } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * What a file is opened with so that a write is durable when it is done: one call in place of two. Only on Linux is that the same as
 * `fdatasync`; elsewhere it is 0, and whoever writes calls that.
 */
export const DURABLE_WRITES = process.platform === "linux" ? constants.O_DSYNC : 0;

/** Makes what was created, renamed or removed in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories, and makes their entries durable by itself.
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes a directory and its parents, durably. Not with `recursive`, which never ends where a file system denies a parent
 * that is there, as `/proc` does.
 */
export async function makeDirectory(path: string): Promise<void> {
  if (await made(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeDirectory(parent);
  if (!(await made(path))) throw new Error(`ENOENT: ${parent} takes no directory`);
}

/** Whether the directory exists now, durably; not, if its parent is missing. */
async function made(path: string): Promise<boolean> {
  let found = false;
  try {
    await mkdir(path);
  } catch (error) {
    if (isCode(error, "ENOENT")) return false;
    if (!isCode(error, "EEXIST") || !(await stat(path)).isDirectory()) throw error;
    found = true;
  }
  try {
    // Also if it was found: whoever made it may have ended before this.
    await syncDirectory(dirname(path));
  } catch (error) {
    // Made by others, in a place that is not for us to read.
    if (!found || !isCode(error, "EACCES")) throw error;
  }
  return true;
}

/** Whether the system gave this reason. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
