/** How far an entry is on its way to being committed. Pure. */

import type { NodePicture, Picture } from "../stage/picture.js";
import { termOf } from "../stage/strips.js";

export type Commitment =
  | { readonly state: "none" }
  /** In the log of a node, and applied there, or not yet. */
  | { readonly state: "committed"; readonly applied: boolean }
  /** Committed, and this node has not heard. */
  | { readonly state: "unheard"; readonly leader: number }
  | { readonly state: "noLeader" }
  /** The leader does not have it, or has another one there: it will be replaced. */
  | { readonly state: "foreign"; readonly leader: number; readonly theirs: number }
  /** Too few have it on disk. */
  | { readonly state: "waits"; readonly holders: readonly number[]; readonly majority: number }
  /** Enough have it, but it is of an earlier term: it is counted with the first of the leader's own term. */
  | { readonly state: "earlierTerm"; readonly leader: number; readonly term: number };

export function commitment({ nodes }: Picture, node: NodePicture, index: number): Commitment {
  const { log } = node;
  if (index < 1 || index > log.last) return { state: "none" };
  if (index <= log.commit) return { state: "committed", applied: index <= log.applied };
  const leader = leaderOf(nodes);
  if (leader === undefined) return { state: "noLeader" };
  const [own, theirs] = [termOf(log, index), termOf(leader.log, index)];
  if (theirs === 0 || theirs !== own) return { state: "foreign", leader: leader.id, theirs };
  if (index <= leader.log.commit) return { state: "unheard", leader: leader.id };
  const voters = nodes.filter(({ part }) => part === "voter" || part === "leaving");
  const majority = Math.floor(voters.length / 2) + 1;
  const holders = voters
    .filter(({ id }) =>
      id === leader.id ? leader.log.persisted >= index : matched(leader, id) >= index,
    )
    .map(({ id }) => id);
  if (holders.length >= majority && theirs < leader.term)
    return { state: "earlierTerm", leader: leader.id, term: leader.term };
  return { state: "waits", holders, majority };
}

/** The leader of the latest term that runs. */
export function leaderOf(nodes: readonly NodePicture[]): NodePicture | undefined {
  return nodes
    .filter(({ role, state }) => role === "leader" && state === "running")
    .reduce<NodePicture | undefined>(
      (latest, node) => (latest === undefined || node.term > latest.term ? node : latest),
      undefined,
    );
}

function matched(leader: NodePicture, id: number): number {
  return leader.peers.find((peer) => peer.id === id)?.matched ?? 0;
}
