/**
 * What an owner and the worker of one node say to each other. One switch on each side reads it: `WorkerNode` in
 * `worker-main.ts`, `Member` in `member.ts`.
 */

import type { PlainError } from "./errors.js";
import type { CoreRule } from "./network.js";
import type { Role } from "./types.js";

/** Where the worker finds its node's records. */
export type WorkerStorage =
  | { readonly kind: "indexeddb" }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "port"; readonly port: MessagePort };

/** From the owner. `start` comes first and once. */
export type ToWorker =
  | {
      readonly type: "start";
      readonly module: WebAssembly.Module;
      readonly cluster: string;
      readonly node: number;
      readonly voters: number[];
      readonly electionMs: number;
      readonly heartbeatMs: number;
      readonly storage: WorkerStorage;
    }
  | {
      readonly type: "peer";
      readonly node: number;
      readonly port: MessagePort;
      readonly rule: CoreRule;
    }
  | { readonly type: "peerGone"; readonly node: number }
  | { readonly type: "client"; readonly client: number; readonly port: MessagePort }
  | { readonly type: "link"; readonly node: number; readonly rule: CoreRule }
  | { readonly type: "status"; readonly request: number }
  | { readonly type: "close" };

/** From the worker. */
export type FromWorker =
  /** The code is loaded; `start` may come. */
  | { readonly type: "hello" }
  | { readonly type: "started" }
  /** The node could not start, or stopped by itself. Nothing follows. */
  | { readonly type: "halted"; readonly error: PlainError }
  | {
      readonly type: "role";
      readonly role: Role;
      readonly term: number;
      readonly leader: number | null;
    }
  | { readonly type: "progress"; readonly term: number; readonly commit: number }
  | { readonly type: "status"; readonly request: number; readonly status: HostStatus }
  | { readonly type: "closed" };

/** The core's picture of itself, as far as it is passed on. */
export interface HostStatus {
  readonly groups: readonly {
    readonly role: Role;
    readonly term: number;
    readonly vote: number | null;
    readonly leader: number | null;
    readonly commit: number;
    readonly applied: number;
    readonly lastIndex: number;
    readonly lastTerm: number;
    readonly persisted: number;
    readonly logStart: number;
    readonly snapshotIndex: number;
    readonly sessions: number;
    readonly waiting: number;
    readonly logBytes: number;
    readonly revision: number;
    readonly keys: number;
    readonly peers: readonly {
      readonly id: number;
      readonly matched: number;
      readonly next: number;
      readonly mode: "probe" | "replicate" | "snapshot";
      readonly inflight: number;
    }[];
  }[];
  readonly peers: readonly { readonly droppedFrames: number; readonly rejectedFrames: number }[];
  readonly storage: { readonly rounds: number; readonly records: number; readonly bytes: number };
}
