/** What `Node.open` was given, checked and completed. */

import { integer, invalid, record, show } from "./check.js";
import { ArgumentError } from "./errors.js";
import { MAX_ID } from "./limits.js";
import { readOptions, type Settings } from "./options.js";
import type { Platform } from "./platform.js";
import { Broadcast } from "./transport/broadcast-channel.js";
import { Shared } from "./transport/shared-worker.js";
import type { Transport } from "./transport/transport.js";
import type { MachineNodeOptions, NodeOptions } from "./types.js";

export interface NodeSettings extends Settings {
  readonly id: number | undefined;
  readonly transport: Transport;
  readonly found: boolean;
  /** The node is the tab's, and gets its id by looking. */
  readonly tab: boolean;
  /** It lives in a shared worker. */
  readonly shared: boolean;
}

/** What either kind of node takes. */
export type AnyNodeOptions = NodeOptions & Partial<Pick<MachineNodeOptions, "machine">>;

type Home = Pick<Platform, "storage" | "shared">;

export function readNodeOptions(options: AnyNodeOptions, platform: Home): NodeSettings {
  try {
    return check(options, platform);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const message = error.message.replace(/^Cluster\.open: /, "").replace('"name"', '"cluster"');
    throw new ArgumentError("INVALID_OPTION", `Node.open: ${message}`);
  }
}

function check(options: AnyNodeOptions, platform: Home): NodeSettings {
  record(options, "the argument", FIELDS);
  const { cluster, id, transport, found = false, ...rest } = options;
  const settings = readOptions({ name: cluster, nodes: 1, ...rest }, platform);
  if (typeof (transport as Partial<Transport> | null | undefined)?.open !== "function") {
    throw invalid(
      `"transport" is broadcastChannel(), messagePort() or your own, not ${show(transport)}`,
    );
  }
  if (typeof found !== "boolean") throw invalid(`"found" is true or false, not ${show(found)}`);
  const tab = id === undefined;
  const shared = transport instanceof Shared;
  if (shared && !tab) throw invalid('"id" is left out with sharedWorker()');
  if (shared && platform.shared === undefined)
    throw invalid('"transport": there are no shared workers here');
  if (tab) {
    if (!(transport instanceof Broadcast) || settings.storage.kind !== "indexeddb" || !hasLocks())
      throw invalid(
        '"id" can be left out in a page that has Web Locks, with broadcastChannel() and IndexedDB: then the node is the tab\'s',
      );
    if (found) throw invalid('"found" goes with an id: among tabs, the first one founds');
  } else integer(id, '"id"', 1, MAX_ID);
  const createWorker = settings.createWorker ?? (shared ? platform.shared?.create : undefined);
  return { ...settings, createWorker, id, transport, found, tab, shared };
}

function hasLocks(): boolean {
  return globalThis.navigator?.locks !== undefined;
}

const FIELDS: readonly string[] = [
  "cluster",
  "id",
  "transport",
  "found",
  "storage",
  "directory",
  "timeouts",
  "deadline",
  "reads",
  "signal",
  "wasm",
  "createWorker",
  "machine",
  "snapshotEntries",
] satisfies (keyof AnyNodeOptions)[];
