/** Directory entries that survive a power cut, on Node. */

import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

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

/** Makes a directory and its parents, durably. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made))
    await syncDirectory(dirname(made));
}
