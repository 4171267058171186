/** The core, in this thread, from the file beside this one. */

import { core } from "../../entry/core.js";
import { compile, fetchBytes } from "../../entry/module.js";

let loading: Promise<void> | undefined;

/** Loads it the first time it is asked. */
export function loadCore(): Promise<void> {
  loading ??= load();
  loading.catch(() => {
    loading = undefined;
  });
  return loading;
}

async function load(): Promise<void> {
  core.init(await compile(new URL("./quorate.wasm", import.meta.url), read));
}

async function read(url: URL): Promise<BufferSource> {
  if (url.protocol !== "file:") return fetchBytes(url);
  // Bundlers for browsers have no such module, and no such URLs.
  const name = "node:fs/promises";
  const files = await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
  return (files as { readFile(url: URL): Promise<BufferSource> }).readFile(url);
}
