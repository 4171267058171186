/** What the nodes say of their groups, as one picture. */

import type { HostStatus } from "../protocol.js";
import type { GroupStatus } from "./types.js";

type HostGroup = HostStatus["groups"][number];

/** What each node says of its groups. */
export type HostGroups = readonly (Pick<HostStatus, "groups" | "arriving"> & {
  readonly node: number;
})[];

/** Each group as its leader sees it, or else as the node does that has applied most of it. In order. */
export function groupsOf(all: HostGroups): readonly GroupStatus[] {
  const replicas = new Map<number, { readonly node: number; readonly group: HostGroup }[]>();
  for (const { node, groups } of all) {
    for (const group of groups) {
      const known = replicas.get(group.group);
      if (known === undefined) replicas.set(group.group, [{ node, group }]);
      else known.push({ node, group });
    }
  }
  const byId = [...replicas].sort(([a], [b]) => a - b);
  return byId.map(([id, hosts]) => {
    const { group } = hosts.reduce((best, it) => (isBetter(it.group, best.group) ? it : best));
    return {
      id,
      leader: group.leader,
      term: group.term,
      commit: group.commit,
      replicas: hosts.map((it) => ({ node: it.node, role: it.group.role })),
      configuration: group.configuration ?? 0,
      bytes: group.shardBytes ?? 0,
      shards: (group.shards ?? []).map(({ shard, stands, other }) => ({ shard, stands, other })),
    };
  });
}

function isBetter(one: HostGroup, other: HostGroup): boolean {
  const leads = (it: HostGroup) => it.role === "leader";
  if (leads(one) !== leads(other)) return leads(one);
  return leads(one) ? one.term > other.term : one.applied > other.applied;
}
