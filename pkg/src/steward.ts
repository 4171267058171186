/**
 * What a leader does about members by itself: whoever says hello is taken in; and among tabs, who is gone is removed,
 * and who does not answer loses its vote. Pure; each rule is one change of the membership, and one is under way at a time.
 */

import type { Sighting } from "./keeper.js";
import type { Peer } from "./mesh.js";
import type { HostStatus, MemberChange } from "./protocol.js";

/** What a leader knows. */
export interface Sight {
  readonly node: number;
  /** The leader's own tab is gone. */
  readonly orphan: boolean;
  readonly status: HostStatus;
  readonly peers: ReadonlyMap<number, Peer>;
  readonly now: number;
  /** Since when it leads, and listens as one that does. */
  readonly since: number;
  /** What there is in this browser; nothing if the nodes are not tabs'. */
  readonly tabs?: Sighting | undefined;
}

/** The next change; none if all is well, or one is under way. */
export function nextChange(sight: Sight): MemberChange[] {
  const { node, orphan, status, peers, now, since, tabs } = sight;
  const group = status.groups[0];
  if (group === undefined || group.role !== "leader" || group.commit < group.membersIndex)
    return [];
  const { voters, outgoing, learners, joining } = group.members;
  if (outgoing.length > 0) return [];
  const members = [...voters, ...learners];
  const cluster = status.clusterId;
  const isOrphan = (id: number) => (id === node ? orphan : peers.get(id)?.orphan === true);
  const isSilent = (id: number) =>
    id !== node && now - (peers.get(id)?.heard ?? since) >= FROZEN_MS;
  const isThere = (id: number) =>
    id === node || now - (peers.get(id)?.heard ?? Number.NEGATIVE_INFINITY) < HEARD_MS;
  // Nobody runs it, and there is nothing left that anybody could run.
  const isLost = (id: number) =>
    tabs !== undefined && !tabs.held.has(id) && (!tabs.stored.has(id) || tabs.unfit.has(id));

  // Who never had a vote, and keeps others from having one; and those whose tabs are gone.
  const gone = members.filter(
    (id) =>
      (tabs !== undefined && isOrphan(id)) ||
      (isSilent(id) && (joining.includes(id) || isLost(id))),
  );
  // As long as those who would be left could agree on nothing, who is run by somebody else is needed.
  const left = voters.filter((id) => !gone.includes(id));
  if (gone.length > 0 && left.filter(isThere).length * 2 > left.length)
    return gone.map((id) => ({ change: "remove", node: id }));
  if (joining.length > 0) return [];
  const seats = tabs === undefined ? Number.POSITIVE_INFINITY : VOTERS_MAX - voters.length;
  for (const [id, peer] of peers) {
    if (peer.cluster !== cluster || peer.orphan || isSilent(id)) continue;
    const { storage } = peer;
    if (!members.includes(id) && members.length < MEMBERS_MAX)
      return [{ change: seats > 0 ? "addVoter" : "addLearner", node: id, storage }];
    if (tabs !== undefined && seats > 0 && learners.includes(id))
      return [{ change: "promote", node: id }];
  }
  if (tabs !== undefined) {
    const frozen = voters.filter((id) => isSilent(id) && tabs.held.has(id));
    if (frozen.length > 0 && frozen.length < voters.length)
      return frozen.map((id) => ({ change: "demote", node: id }));
  }
  return [];
}

/** A tab that has not answered for so long counts as frozen. */
export const FROZEN_MS = 10_000;
/** Who is there has been heard in this time: everybody says hello once a second. */
const HEARD_MS = 3_000;
/** More are refused. */
const MEMBERS_MAX = 63;
/** So many tabs vote at most. */
export const VOTERS_MAX = 5;
