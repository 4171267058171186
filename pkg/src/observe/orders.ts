/** The observer that a worker's owner wants. */

import { Log } from "./log.js";
import type { Orders } from "./observation.js";
import { Observer } from "./observer.js";
import type { DebugEntry } from "./types.js";

export function observerOf(
  { cluster, node, observe }: { cluster: string; node: number; observe: Orders },
  post: (entries: readonly DebugEntry[]) => void,
): Observer {
  const { topics, since, trace } = observe;
  const log = topics.length === 0 ? undefined : new Log(node, topics, since, post);
  const observer = new Observer(cluster, node, log);
  observer.traceAs(trace);
  return observer;
}
