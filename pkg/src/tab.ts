/** What a tab finds in its browser: which nodes there are, and which of them nobody runs. */

import { type QuorateError, quorateError } from "./errors.js";
import { MAX_ID } from "./limits.js";
import { randomName } from "./names.js";

/** What is known of the nodes of a cluster in this browser. */
export interface Found {
  /** Nodes whose locks are held: somebody runs them. */
  readonly held: ReadonlySet<number>;
  /** Nodes that have a database. */
  readonly stored: ReadonlySet<number>;
  /** The clusters that tabs run. More than one where somebody meddled. */
  readonly clusters: ReadonlySet<string>;
}

export async function look(name: string): Promise<Found> {
  if (typeof globalThis.indexedDB?.databases !== "function")
    throw quorateError("STORAGE_UNAVAILABLE", "this browser's IndexedDB does not list databases");
  const [locks, stored] = await Promise.all([navigator.locks.query(), storedNodes(name)]);
  const held = locks.held ?? [];
  const prefix = clusterLock(name, "");
  return {
    // Those who wait for a node's end hold its lock for a moment, shared.
    held: nodesAt(
      name,
      held.filter(({ mode }) => mode === "exclusive"),
    ),
    stored,
    clusters: new Set(
      held.flatMap(({ name = "" }) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])),
    ),
  };
}

/** The nodes that have a database. */
export async function storedNodes(name: string): Promise<ReadonlySet<number>> {
  return nodesAt(name, await indexedDB.databases());
}

/** What each tab holds, shared, as long as it runs a node of this cluster. */
function clusterLock(name: string, cluster: string): string {
  return `quorate/${name}/of/${cluster}`;
}

/** Lets all tabs see that this one runs a node of this cluster, until `signal`. */
export function show(name: string, cluster: string, signal: AbortSignal): void {
  const over = new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  navigator.locks
    .request(clusterLock(name, cluster), { mode: "shared", signal }, () => over)
    .catch(() => {}); // It is over before it was granted.
}

/** Whether a database is of the cluster that tabs run, or there is no such. `null`: it knows of no cluster. */
export function isOurs({ clusters }: Found, cluster: string | null): boolean {
  return cluster === null || clusters.size === 0 || clusters.has(cluster);
}

/** What a page holds as long as it is there, for a node in a shared worker. */
export function ownerLock(name: string, owner: string): string {
  return `quorate/${name}/owner/${owner}`;
}

/** How the nodes of a name are run in a browser: all by one page, each by a tab, or each by whoever gave it its id. */
export type Shape = "cluster" | "tabs" | "nodes";

/**
 * Makes sure that nobody runs nodes of this name in another way, and that nobody will. Resolves to what takes that back; rejects
 * with `STORAGE_LOCKED`. One who goes at this moment is waited for.
 */
export async function claim(name: string, shape: Shape): Promise<() => void> {
  const locks: LockManager | undefined = globalThis.navigator?.locks;
  if (locks === undefined) return () => {};
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), CLAIM_MS);
  try {
    for (;;) {
      // One at a time, or two that begin together in different ways would not see each other.
      const claimed = await locks.request(`quorate/${name}/as`, () => settle(locks, name, shape));
      if (typeof claimed === "function") return claimed;
      await locks
        .request(claimed.held, { signal: over.signal }, () => {})
        .catch(() => {
          const message = `the nodes of ${name} are run by ${RUN_BY[claimed.by]} in this browser, and not by ${RUN_BY[shape]} as well`;
          throw quorateError("STORAGE_LOCKED", message);
        });
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Takes a lock that says the shape, and gives what frees it; or somebody's whose shape is another one. */
async function settle(
  locks: LockManager,
  name: string,
  shape: Shape,
): Promise<(() => void) | { readonly held: string; readonly by: Shape }> {
  const prefix = `quorate/${name}/as/`;
  for (const { name: held = "" } of (await locks.query()).held ?? []) {
    const by = held.startsWith(prefix) ? (held.slice(prefix.length).split("/")[0] as Shape) : shape;
    if (by !== shape) return { held, by };
  }
  return new Promise((claimed, reject) => {
    const hold = () => new Promise<void>((release) => claimed(release));
    // Each has its own: whoever waits for one of them keeps no other from coming.
    locks.request(`${prefix}${shape}/${randomName()}`, { mode: "shared" }, hold).catch(reject);
  });
}

const RUN_BY: Readonly<Record<Shape, string>> = {
  cluster: "Cluster.open",
  tabs: "tabs",
  nodes: "Node.open with ids",
};

/** Where a node's database is, and what its lock is called. */
export function placeOf(name: string, node: number): string {
  return `quorate/${name}/${node}`;
}

function nodesAt(name: string, places: readonly { name?: string }[]): ReadonlySet<number> {
  return new Set(places.flatMap((place) => nodeAt(name, place.name ?? "") ?? []));
}

function nodeAt(name: string, place: string): number | undefined {
  const prefix = `quorate/${name}/`;
  const id = place.startsWith(prefix) ? Number(place.slice(prefix.length)) : Number.NaN;
  return Number.isInteger(id) && id >= 1 && id <= MAX_ID ? id : undefined;
}

/**
 * Chooses the node that this tab runs, and has `open` open it, while no other tab chooses: one that nobody runs, or else
 * a new one. One that does not open is left alone. `isFirst`: there is none of any kind, nor can one come about meanwhile.
 */
export async function census<T>(
  name: string,
  open: (node: number, isFirst: boolean, found: Found) => Promise<T>,
): Promise<T> {
  return navigator.locks.request(`quorate/${name}/tabs`, async () => {
    const unfit = new Set<number>();
    let failure: unknown;
    for (let attempt = 1; ; attempt++) {
      const found = await look(name);
      const { held, stored } = found;
      const free = [...stored].filter((id) => !held.has(id)).sort((a, b) => a - b);
      const fit = free.find((id) => !unfit.has(id));
      // What does not open may be all that is left of a cluster, and there is nobody who could tell.
      if (fit === undefined && failure !== undefined && held.size === 0) throw failure;
      let fresh = 1;
      while (held.has(fresh) || stored.has(fresh)) fresh += 1;
      const isFirst = held.size === 0 && free.length <= 1;
      try {
        return await open(fit ?? fresh, isFirst, found);
      } catch (error) {
        if ((error as QuorateError).code === "STORAGE_LOCKED") {
          // Adopted by another tab since; or else one that waited for its end has its lock, and stands still.
          if (attempt < ATTEMPTS + unfit.size) continue;
          if (fit === undefined || held.size === 0) throw error;
          unfit.add(fit);
        } else if (fit === undefined || !ITS_OWN.test((error as QuorateError).code)) throw error;
        else {
          unfit.add(fit);
          failure ??= error;
        }
      }
    }
  });
}

const ATTEMPTS = 5;
/** What says something of this one database. */
const ITS_OWN = /^(STORAGE|QUOTA|MACHINE_(MISMATCH|FAILED))/;
/** As long as for the lock of a node. */
const CLAIM_MS = 5_000;
