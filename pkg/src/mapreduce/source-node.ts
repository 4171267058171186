/** Inputs on Node: files by their paths, and by patterns of paths. */

import { createWriteStream } from "node:fs";
import { mkdir, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { CHUNK_BYTES, changed, gone, type ReadSource, readCommon, type Source } from "./source.js";

export const readOnNode: ReadSource = async function* (source, start) {
  if (source.kind !== "file") return yield* readCommon(source, start);
  const { name, path, size, modified } = source;
  const file = await open(path).catch((error: unknown) => {
    throw gone(name, error);
  });
  try {
    const check = async () => {
      const now = await file.stat();
      if (now.size !== size || now.mtimeMs !== modified) throw changed(name);
    };
    await check();
    for (let at = start; at < size; ) {
      const { bytesRead, buffer } = await file
        .read(new Uint8Array(CHUNK_BYTES), 0, CHUNK_BYTES, at)
        .catch((error: unknown) => {
          throw gone(name, error);
        });
      if (bytesRead === 0) throw changed(name);
      at += bytesRead;
      // Before the chunk is used: what was read while somebody wrote may be of both.
      await check();
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
};

/** The files that a path or a pattern stands for, in the order of their names. */
export async function filesOf(pattern: string): Promise<Source[]> {
  const paths = /[*?]/.test(pattern) ? await matching(pattern) : await expanded(pattern);
  if (paths.length === 0) throw gone(pattern, "no file matches");
  return Promise.all(
    paths.sort().map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return { kind: "file", name: path, size, modified: mtimeMs, path } as const;
    }),
  );
}

/** A file, or all files in a directory. */
async function expanded(path: string): Promise<string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw gone(path, error);
  });
  return found.isDirectory() ? below(path, (name) => !basename(name).startsWith(".")) : [path];
}

async function matching(pattern: string): Promise<string[]> {
  const parts = pattern.split(/[\\/]/);
  const fixed = parts.slice(
    0,
    parts.findIndex((part) => /[*?]/.test(part)),
  );
  const root = fixed.join(sep) || (pattern.startsWith("/") ? sep : ".");
  const rule = new RegExp(`^${parts.map(ruleOf).join("/").replaceAll("\u0000/", "(?:.*/)?")}$`);
  const prefix = root === "." && parts[0] !== "." ? "./" : "";
  return below(root, (path) => rule.test(`${path}`.replaceAll(sep, "/").replace(prefix, "")));
}

/** `**` is any number of folders, `*` and `?` are within a name. */
function ruleOf(part: string): string {
  if (part === "**") return "\u0000";
  const escaped = part.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return escaped.replaceAll("*", "[^/]*").replaceAll("?", "[^/]");
}

async function below(root: string, take: (path: string) => boolean): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(take);
}

/** Writes a stream down, so that it can be read again and in parts. */
export async function keepStream(
  stream: ReadableStream<Uint8Array>,
  path: string,
  name: string,
): Promise<Source> {
  await mkdir(dirname(path), { recursive: true });
  await pipeline(stream, createWriteStream(path)).catch((error: unknown) => {
    throw gone(name, error);
  });
  const { size, mtimeMs } = await stat(path);
  return { kind: "file", name, size, modified: mtimeMs, path };
}
