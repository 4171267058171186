/** Whose directory it is, as the identities in it say: name, nodes, and whether there is a cluster at all. Writes nothing. */

import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { quorateError } from "../errors.js";
import { Reader } from "../kv/bytes.js";
import { isCode } from "./durable.js";
import { type SegmentCodec, scanned, segmentFile, segmentNumbers } from "./segments.js";

type Scan = SegmentCodec["scanSegment"];

/** Whose directory this is. */
export interface Whose {
  readonly name: string;
  /** With how many nodes it is to be opened. */
  readonly nodes: number;
}

/**
 * Whose directory it is, as its nodes say. Opened with so many nodes, one is among them that knows of the cluster, so that
 * none is founded beside it. `NO_CLUSTER` if no node knows of any. Those with lower ids than `from` are not asked.
 */
export async function whose(scan: Scan, path: string, from = 1): Promise<Whose> {
  const directory = resolve(path);
  let failure: unknown;
  let later: Whose | undefined;
  for (const id of await nodesIn(directory)) {
    if (id < from) continue;
    try {
      const ident = await identIn(scan, join(directory, `node-${id}`));
      if (ident === undefined || !ident.isFounded) continue;
      const { name, founders } = ident;
      if (founders > 0) return { name, nodes: founders };
      // It came later, and those of the beginning may be gone.
      later ??= { name, nodes: id };
    } catch (error) {
      failure ??= error;
    }
  }
  if (later !== undefined) return later;
  throw failure ?? noCluster(directory);
}

/** The ids of the nodes that have a directory here, ascending. */
export async function nodesIn(directory: string): Promise<number[]> {
  let names: string[] = [];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (!isCode(error, "ENOENT") && !isCode(error, "ENOTDIR")) throw unreadable(directory, error);
  }
  const ids = names.flatMap((name) => /^node-([1-9]\d{0,2})$/.exec(name)?.[1] ?? []).map(Number);
  if (ids.length === 0) throw noCluster(directory);
  return ids.sort((a, b) => a - b);
}

/** What a storage's identity says. */
interface Ident {
  readonly name: string;
  readonly isFounded: boolean;
  /** With how many nodes; 0 for a node that came later. */
  readonly founders: number;
}

/** The newest identity in a node's segments: it is in one of them whole. */
async function identIn(scanSegment: Scan, directory: string): Promise<Ident | undefined> {
  for (const number of segmentNumbers(await list(directory)).reverse()) {
    const file = segmentFile(directory, number);
    const { rounds } = scanned({ scanSegment }, file, number, await read(file));
    const record = rounds.flatMap(({ puts }) => puts).findLast(([key]) => key === IDENT);
    if (record !== undefined) return identOf(record[1]);
  }
  return undefined;
}

/** From the record of `docs/storage.md`, whose checksums were looked at, or will be. */
export function identOf(record: Uint8Array | undefined): Ident | undefined {
  if (record === undefined) return undefined;
  try {
    const reader = new Reader(record.subarray(HEADER_BYTES, record.length - CHECKSUM_BYTES));
    const name = new TextDecoder().decode(reader.bytes());
    reader.number();
    const id = () => Array.from({ length: ID_BYTES }, () => reader.byte());
    id();
    const isFounded = id().some((byte) => byte !== 0);
    return { name, isFounded, founders: reader.number() };
  } catch {
    return undefined;
  }
}

export async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    throw unreadable(directory, error);
  }
}

export async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(place: string, cause: unknown) {
  return quorateError("STORAGE_READ_FAILED", `${place}: ${String(cause)}`, { place, cause });
}

function noCluster(directory: string) {
  return quorateError("NO_CLUSTER", `there is no cluster in the directory ${directory}`, {
    place: directory,
  });
}

export const IDENT = "ident";
const HEADER_BYTES = 12;
const CHECKSUM_BYTES = 4;
/** Of a storage, or of a cluster. */
const ID_BYTES = 8;
