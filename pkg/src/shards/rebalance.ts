/** Balance by load: which shard to move, if any. Pure. */

import type { Configuration } from "./types.js";

/** A shard that is to move. */
export interface Move {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

/**
 * The move by which the busiest group, for its weight, has the least to do, if that is at least the part `gain` less.
 * `loads` are those of the shards, in any unit. Of equal ones the first, in the order of groups and shards.
 */
export function best(
  { shards, groups }: Configuration,
  loads: readonly number[],
  gain: number,
): Move | undefined {
  const weights = new Map(groups.map(({ id, weight }) => [id, weight]));
  const sums = new Map(groups.map(({ id }) => [id, 0]));
  for (const [shard, group] of shards.entries())
    sums.set(group, (sums.get(group) ?? 0) + (loads[shard] ?? 0));
  const load = (group: number, more = 0) =>
    ((sums.get(group) ?? 0) + more) / (weights.get(group) ?? 1);
  const ids = groups.map(({ id }) => id);
  const busiest = ids.reduce((most, id) => (load(id) > load(most) ? id : most), ids[0] ?? 0);
  let move: Move | undefined;
  let least = load(busiest) * (1 - gain);
  for (const to of ids) {
    if (to === busiest) continue;
    for (const [shard, group] of shards.entries()) {
      const its = loads[shard] ?? 0;
      if (group !== busiest || its === 0) continue;
      // No group may get more to do than the busiest has left.
      const peak = Math.max(load(busiest, -its), load(to, its));
      if (peak < least || (move === undefined && peak === least)) {
        least = peak;
        move = { shard, from: busiest, to };
      }
    }
  }
  return move;
}
