//! Who gets which shard: even, by weight, and moving as few as possible.
//!
//! A group's quota is its part of all weights, of all shards. It gets that, rounded: down, and what is
//! left goes, one each, to the groups that lost most by it (the largest remainder). So with equal
//! weights no two groups differ by more than one. Where groups lost equally much, one that would have
//! to give a shard away comes first: nothing moves that could stay. What is left then goes by id.

use core::cmp::Reverse;

use quorate_raft::Table;

use crate::config::{GroupId, GroupInfo};

/// The group of each shard, from who has them now. A group keeps the first of its shards, and those
/// that go are dealt in their order, to groups in theirs.
pub(crate) fn assign(shards: &[GroupId], groups: &Table<GroupId, GroupInfo>) -> Vec<GroupId> {
    let mut lacking = targets(shards, groups);
    let mut stay = |owner: &GroupId| {
        let lacking = lacking.get_mut(*owner).filter(|lacking| **lacking > 0);
        lacking.map_or(GroupId::NONE, |lacking| {
            *lacking -= 1;
            *owner
        })
    };
    let mut assigned: Vec<GroupId> = shards.iter().map(&mut stay).collect();
    let takers = lacking
        .iter()
        .flat_map(|(id, lacking)| core::iter::repeat_n(id, *lacking));
    let free = assigned.iter_mut().filter(|owner| **owner == GroupId::NONE);
    for (owner, taker) in free.zip(takers) {
        *owner = taker;
    }
    assigned
}

/// How many shards each group shall have.
fn targets(shards: &[GroupId], groups: &Table<GroupId, GroupInfo>) -> Table<GroupId, usize> {
    let mut held: Table<GroupId, usize> = Table::default();
    for owner in shards {
        *held.or_default(*owner) += 1;
    }
    let weights: usize = groups.iter().map(|(_, info)| info.weight as usize).sum();
    let mut targets = Table::default();
    let mut order = Vec::with_capacity(groups.len());
    for (id, info) in groups.iter() {
        let share = shards.len() * info.weight as usize;
        let (floor, remainder) = (share / weights, share % weights);
        targets.insert(id, floor);
        let must_give = held.get(id).is_some_and(|held| *held > floor);
        order.push((Reverse(remainder), Reverse(must_give), id));
    }
    order.sort_unstable();
    let given: usize = targets.iter().map(|(_, floor)| *floor).sum();
    // Remainders are parts of one shard each, so there are fewer left than groups.
    for (.., id) in order.into_iter().take(shards.len() - given) {
        *targets.or_default(id) += 1;
    }
    targets
}

#[cfg(test)]
mod tests {
    use quorate_raft::{NodeId, Random};

    use super::*;

    fn groups(weights: &[(u32, u32)]) -> Table<GroupId, GroupInfo> {
        let group = |&(id, weight): &(u32, u32)| {
            let nodes = vec![NodeId(1)];
            (GroupId(id), GroupInfo { weight, nodes })
        };
        weights.iter().map(group).collect()
    }

    fn count(shards: &[GroupId], group: GroupId) -> usize {
        shards.iter().filter(|owner| **owner == group).count()
    }

    fn moved(from: &[GroupId], to: &[GroupId]) -> usize {
        from.iter().zip(to).filter(|(from, to)| from != to).count()
    }

    /// Whether the largest remainders allow it: each group has its quota rounded down or up, and none
    /// is rounded up before one that loses more.
    fn is_fair(shards: &[GroupId], groups: &Table<GroupId, GroupInfo>) -> bool {
        let weights: u32 = groups.iter().map(|(_, info)| info.weight).sum();
        let quota = |info: &GroupInfo| shards.len() as u32 * info.weight;
        let (mut least_up, mut most_down) = (u32::MAX, 0);
        for (id, info) in groups.iter() {
            let (floor, remainder) = (quota(info) / weights, quota(info) % weights);
            match (count(shards, id) as u32).checked_sub(floor) {
                Some(0) => most_down = most_down.max(remainder),
                Some(1) if remainder > 0 => least_up = least_up.min(remainder),
                _ => return false,
            }
        }
        most_down <= least_up
    }

    /// Every assignment there is.
    fn all(shards: usize, ids: &[GroupId]) -> impl Iterator<Item = Vec<GroupId>> {
        let digit = move |number: usize, place| ids[number / ids.len().pow(place) % ids.len()];
        let places = 0..shards as u32;
        (0..ids.len().pow(shards as u32))
            .map(move |number| places.clone().map(|place| digit(number, place)).collect())
    }

    #[test]
    fn fewer_moves_would_be_unfair() {
        let mut random = Random::new(1);
        for _ in 0..600 {
            let kinds = random.below(4) as u32 + 1;
            let weight = [1, 3, 6][random.below(3) as usize];
            let weights: Vec<_> = (1..=kinds)
                .map(|id| (id, random.below(weight) as u32 + 1))
                .collect();
            let groups = groups(&weights);
            // Some of nobody, and some of a group that is gone.
            let shards: Vec<_> = (0..=random.below(6))
                .map(|_| GroupId(random.below(u64::from(kinds) + 2) as u32))
                .collect();
            let assigned = assign(&shards, &groups);
            assert!(
                is_fair(&assigned, &groups),
                "{shards:?} {groups:?} {assigned:?}"
            );
            let ids: Vec<_> = groups.keys().collect();
            let fair = all(shards.len(), &ids).filter(|other| is_fair(other, &groups));
            let least = fair.map(|other| moved(&shards, &other)).min();
            assert_eq!(
                Some(moved(&shards, &assigned)),
                least,
                "{shards:?} {groups:?} {assigned:?}"
            );
        }
    }

    #[test]
    fn who_comes_takes_and_who_goes_gives_and_nobody_else_moves() {
        let mut random = Random::new(2);
        for _ in 0..300 {
            let count = random.below(200) as usize + 1;
            let mut shards = vec![GroupId::NONE; count];
            let mut members: Vec<(u32, u32)> = Vec::new();
            for _ in 0..20 {
                let id = random.below(30) as u32 + 1;
                let before = shards.clone();
                let at = members.iter().position(|(member, _)| *member == id);
                match at {
                    Some(at) => drop(members.remove(at)),
                    None => members.push((id, 1)),
                }
                let groups = groups(&members);
                shards = assign(&shards, &groups);
                if groups.is_empty() {
                    assert_eq!(shards, vec![GroupId::NONE; count]);
                    continue;
                }
                let held: Vec<_> = groups.keys().map(|id| self::count(&shards, id)).collect();
                let (least, most) = (held.iter().min(), held.iter().max());
                assert!(most <= least.map(|least| least + 1).as_ref(), "{held:?}");
                for (from, to) in before.iter().zip(&shards) {
                    let is_new = at.is_none() && *to == GroupId(id);
                    let is_gone = at.is_some() && *from == GroupId(id);
                    assert!(from == to || is_new || is_gone || *from == GroupId::NONE);
                }
            }
        }
    }

    #[test]
    fn many_shards_go_by_weight() {
        let weights = [(1, 1), (2, 1_000), (3, 500), (4, 499)];
        let shards = assign(&[GroupId::NONE; 4_096], &groups(&weights));
        let held = [1, 2, 3, 4].map(|id| count(&shards, GroupId(id)));
        // Quotas 2.048, 2,048, 1,024 and 1,021.952.
        assert_eq!(held, [2, 2_048, 1_024, 1_022]);
    }

    #[test]
    fn groups_without_a_shard_are_those_that_had_none() {
        let shards = [5, 7].map(GroupId);
        let many: Vec<_> = (1..=9).map(|id| (id, 1)).collect();
        assert_eq!(assign(&shards, &groups(&many)), shards);
    }
}
