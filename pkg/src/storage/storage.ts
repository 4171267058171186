/**
 * What a node needs of a storage: a map from string keys to bytes, written in atomic rounds.
 *
 * The bytes are sealed records with a checksum inside; to a storage they are opaque. Its user is one node, which
 * has at most one call under way.
 */

/** A record: its key and its bytes. */
export type StoredRecord = [key: string, value: Uint8Array];

/** The keys from the first up to but without the second, ordered as JavaScript orders strings. */
export type KeyRange = [first: string, end: string];

/** Durable state of one node. */
export interface Storage {
  /** All records, in any order. Asked once, before any write. */
  load(): Promise<StoredRecord[]>;
  /**
   * First removes the keys in `deletes`, then stores `puts`: all of it or nothing. Resolves when it would survive
   * a power cut. When it rejects, the node halts and asks nothing more. If two can open the same storage, it must reject
   * once another one has: see "The fence" in `docs/storage.md`.
   */
  write(deletes: KeyRange[], puts: StoredRecord[]): Promise<void>;
  /** Frees what is held. Nothing is asked afterwards. */
  close(): Promise<void>;
}

/** Makes the storage of one node; called again each time the node starts. */
export type StorageFactory = (cluster: string, node: number) => Storage | Promise<Storage>;
