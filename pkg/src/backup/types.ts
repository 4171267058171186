/** The public shapes of backups. No code. */

import type { CallOptions } from "../types.js";

/** Where a backup is read from. A `Blob` (a `File`, `fs.openAsBlob`) is read twice: verified, then imported. */
export type BackupSource = Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** How far an export or import has come. */
export interface BackupProgress {
  /** Keys so far. */
  readonly keys: number;
  /** How many keys there are in all. */
  readonly total: number;
  /** Bytes of the backup so far. */
  readonly bytes: number;
}

/** What `export` takes. `timeout` is that of each read. */
export interface ExportOptions extends CallOptions {
  /** Called after each chunk. */
  readonly progress?: (progress: BackupProgress) => void;
}

/** What `import` takes. `timeout` is that of each write. */
export interface ImportOptions extends ExportOptions {
  /**
   * Import into a store that has keys or leases: keys of the backup replace those of the store, all others stay. Default
   * false: such a store is refused with `STORE_NOT_EMPTY`, and no key is ever overwritten.
   */
  readonly overwrite?: boolean;
}

/** What a backup is of, and what is in it. */
export interface BackupSummary {
  /** The cluster it was made of. */
  readonly cluster: string;
  /** That cluster's id. */
  readonly clusterId: string;
  /** The revision that it is as of. */
  readonly revision: number;
  /** When it was made, in milliseconds since 1970, by the clock of who made it. */
  readonly time: number;
  /** How many keys it has. */
  readonly keys: number;
  /** How many leases it has. */
  readonly leases: number;
  /** How long it is. */
  readonly bytes: number;
}
