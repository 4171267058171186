/** What is remembered of a cluster beside its nodes' storage, where anything can be. */

import type { Settings } from "./options.js";
import type { Platform } from "./platform.js";

export function markOf({ mark }: Platform, { name, storage }: Settings) {
  if (mark === undefined || storage.kind === "factory") return undefined;
  const place = storage.kind === "directory" ? storage.path : `quorate/${name}`;
  return { read: () => mark.read(place), write: (id: string) => mark.write(place, id) };
}
