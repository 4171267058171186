/** Scratch storage on Node: files in a directory. */

import { closeSync, createReadStream, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import {
  damaged,
  type Scratch,
  type ScratchReader,
  type ScratchWriter,
  unwritten,
} from "./scratch.js";

export const directoryScratch = (root: string): Scratch => ({
  create: async (name) => {
    const path = join(root, name);
    try {
      await mkdir(dirname(path), { recursive: true });
      return writer(path, name);
    } catch (error) {
      throw unwritten(name, error);
    }
  },
  open: async (name) => {
    try {
      return reader(join(root, name), name);
    } catch (error) {
      throw damaged(name, error);
    }
  },
  stream: (name) =>
    Readable.toWeb(createReadStream(join(root, name))) as ReadableStream<Uint8Array>,
  remove: async (job, prefix) => {
    const folder = join(root, job);
    if (prefix === undefined) return rm(folder, { recursive: true, force: true });
    for (const file of await readdir(folder).catch(() => [])) {
      if (file.startsWith(prefix)) await rm(join(folder, file), { force: true });
    }
  },
  jobs: () => readdir(root).catch(() => []),
});

function writer(path: string, name: string): ScratchWriter {
  const file = openSync(path, "w");
  let isOpen = true;
  const end = () => {
    if (isOpen) closeSync(file);
    isOpen = false;
  };
  return {
    write: (bytes) => {
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      } catch (error) {
        throw unwritten(name, error);
      }
    },
    close: async () => end(),
    abandon: async () => {
      end();
      await rm(path, { force: true });
    },
  };
}

function reader(path: string, name: string): ScratchReader {
  const file = openSync(path, "r");
  return {
    size: fstatSync(file).size,
    read: (at, length) => {
      const bytes = new Uint8Array(length);
      try {
        let filled = 0;
        while (filled < length) {
          const count = readSync(file, bytes, filled, length - filled, at + filled);
          if (count === 0) break;
          filled += count;
        }
        return bytes.subarray(0, filled);
      } catch (error) {
        throw damaged(name, error);
      }
    },
    close: () => closeSync(file),
  };
}
