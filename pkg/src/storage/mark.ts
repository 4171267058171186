/** The id of a directory's cluster, in a file beside the nodes' own. */

import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Platform } from "../platform.js";
import { makeDirectory, syncDirectory } from "./durable.js";

export const directoryMark: NonNullable<Platform["mark"]> = {
  async read(place) {
    try {
      const id = (await readFile(join(place, FILE), "utf8")).trim();
      return /^[0-9a-f]{16}$/.test(id) ? id : undefined;
    } catch {
      return undefined;
    }
  },
  async write(place, id) {
    await makeDirectory(place);
    if ((await this.read(place)) === id) return;
    const draft = join(place, `${FILE}.new`);
    const file = await open(draft, "w");
    try {
      await file.writeFile(`${id}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, join(place, FILE));
    await syncDirectory(place);
  },
};

const FILE = "cluster-id";
