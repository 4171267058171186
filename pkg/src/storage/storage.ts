/**
 * What a node needs of a storage.
 *
 * A storage is a map from string keys to byte values, ordered by key. Values are sealed records with a
 * checksum inside; to a storage they are opaque.
 */

/** The changes of one round. Deletions come first. */
export interface Round {
  /** Half-open ranges of keys `[first, end)` to remove. */
  readonly deletes: readonly (readonly [first: string, end: string])[];
  /** Records to store, replacing those with the same keys. */
  readonly puts: readonly (readonly [key: string, value: Uint8Array])[];
}

/** Durable state of one node. */
export interface Storage {
  /** All records, in any order. Asked once, before any write. */
  load(): Promise<readonly (readonly [key: string, value: Uint8Array])[]>;
  /**
   * Makes a round durable, all of it or nothing; resolves when it would survive a power cut. A node has one
   * write under way at a time. When it rejects, the node stops and never asks this storage again.
   */
  write(round: Round): Promise<void>;
  /** Frees what is held. No call follows. */
  close(): void | Promise<void>;
}

/** Makes the storage of node `node` of cluster `cluster`; called again each time the node starts. */
export type StorageFactory = (cluster: string, node: number) => Storage | Promise<Storage>;
