/** What a browser is to the package: module workers and IndexedDB. Where code and WebAssembly come from is given. */

import type { Core } from "../core.js";
import type { Platform } from "../platform.js";
import { attach, sharedHandle } from "../spawn.js";
import { storedNodes } from "../tab.js";
import { bytesOf, compile, fetchBytes } from "./module.js";

/** Beside IndexedDB, and cleared on other occasions. Workers have none. */
const originMark: NonNullable<Platform["mark"]> = {
  read: async (place) => attempt(() => localStorage.getItem(place)) ?? undefined,
  write: async (place, id) => void attempt(() => localStorage.setItem(place, id)),
};

function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined; // Forbidden, or not there: nothing is remembered.
  }
}

/** The files of the package, however they are reached. */
export interface Assets {
  module(): Promise<WebAssembly.Module>;
  worker(): Worker;
  /** Absent where no two pages would get the same. */
  readonly shared?: { create(): SharedWorker; bytes(): Promise<BufferSource> };
}

/** `second` is tried where `first` fails. */
export function browserPlatform<C extends Core>(
  core: C,
  first: Assets,
  second?: () => Promise<Assets>,
): Platform & { readonly core: C } {
  /** Rejects with the first failure: the second only says the same less clearly. */
  const either = async <T>(use: (assets: Assets) => Promise<T>): Promise<T> => {
    try {
      return await use(first);
    } catch (error) {
      if (second === undefined) throw error;
      return second()
        .then(use)
        .catch(() => {
          throw error;
        });
    }
  };
  const { shared } = first;
  const hasShared = shared !== undefined && typeof SharedWorker === "function";
  return {
    core,
    ...(hasShared && {
      shared: {
        create: () => sharedHandle(shared.create()),
        readModule: (source) =>
          source === undefined ? shared.bytes() : bytesOf(source, fetchBytes),
      },
    }),
    storage: "indexeddb",
    mark: originMark,
    hasOthers: async ({ name, size, storage }) =>
      storage.kind === "indexeddb" &&
      typeof globalThis.indexedDB?.databases === "function" &&
      [...(await storedNodes(name))].some((id) => id > size),
    loadModule: (source) =>
      source === undefined ? either((assets) => assets.module()) : compile(source, fetchBytes),
    spawn: (node, create, events) =>
      create === undefined
        ? either(async (assets) => attach(node, assets.worker(), events))
        : (async () => attach(node, create(node), events))(),
  };
}
