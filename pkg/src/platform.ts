/** What differs between browsers and Node, as the rest sees it. `entry/` implements it. */

import type { Core } from "./core.js";
import type { QuorateError } from "./errors.js";
import type { Settings } from "./options.js";
import type { FromWorker, ToWorker } from "./protocol.js";
import type { ClusterOptions, WorkerHandle } from "./types.js";

export interface Platform {
  /** The core in the owner's thread. */
  readonly core: Core;
  /** The kind of storage at home here. */
  readonly storage: "indexeddb" | "directory";
  /** Finds and compiles the WebAssembly. */
  loadModule(source: ClusterOptions["wasm"]): Promise<WebAssembly.Module>;
  /** Starts a worker; resolves once its code has loaded, rejects with `WORKER_FAILED` if it does not. */
  spawn(
    node: number,
    create: ClusterOptions["createWorker"],
    events: WorkerEvents,
  ): Promise<WorkerLink>;
  /** Makes a shared worker, and reads the WebAssembly for it; absent where there are none. */
  readonly shared?: {
    create(): WorkerHandle;
    readModule(source: ClusterOptions["wasm"]): Promise<BufferSource>;
  };
  /**
   * What is remembered of a cluster beside its nodes' storage, so that the loss of all of that is noticed: the
   * cluster's id. `place` is the directory, or `quorate/<name>`. Absent where nothing can be kept.
   */
  readonly mark?: {
    read(place: string): Promise<string | undefined>;
    write(place: string, id: string): Promise<void>;
  };
  /**
   * Whether there is a node of a cluster in the place of these settings, other than the first ones, which they open. Absent
   * where nobody can tell.
   */
  hasOthers?(settings: Settings): Promise<boolean>;
  /** Where lines of the debug log go by default, and which topics the environment asks for. */
  print?(line: string): void;
  readonly debug?: string | undefined;
  /** Takes the lock of a cluster's directory, or of one node's in it, or rejects with `STORAGE_LOCKED`; resolves to what releases it. */
  lockDirectory?(path: string, node?: number): Promise<() => Promise<void>>;
}

/** A worker, as its owner uses it. */
export interface WorkerLink {
  post(message: ToWorker, transfer?: Transferable[]): void;
  /** Ends it where it stands; resolves when nothing of it runs any more. */
  terminate(): Promise<void>;
}

/** What a worker does by itself. */
export interface WorkerEvents {
  message(message: FromWorker): void;
  failed(error: QuorateError): void;
}
