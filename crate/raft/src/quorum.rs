//! Who decides. Written once, and used for votes, commit, read rounds and check-quorum.
//!
//! A joint configuration (§6) has two sets of voters, and a decision needs a majority of each.

use crate::membership::MAX_MEMBERS;
use crate::table::Table;
use crate::types::{NodeId, StorageId};

/// The membership: sorted lists without duplicates, and what is still to be done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConfState {
    /// Voters of the current, or in a joint configuration of the incoming, membership.
    pub voters: Vec<NodeId>,
    /// Voters of the outgoing membership; empty unless joint.
    pub voters_outgoing: Vec<NodeId>,
    /// Replicated to, without a vote.
    pub learners: Vec<NodeId>,
    /// Voters of the outgoing membership that become learners when the joint state is left.
    pub learners_next: Vec<NodeId>,
    /// Learners, also of `learners_next`, that get a vote once all of them have caught up.
    pub joining: Vec<NodeId>,
    /// Voters that go when those that join get their votes.
    pub leaving: Vec<NodeId>,
    /// The storage of each member. One that is not here may have any.
    pub storages: Table<NodeId, StorageId>,
    /// Storages that take the place of those when the joint state is left.
    pub storages_next: Table<NodeId, StorageId>,
}

/// The state of a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteResult {
    /// A quorum said yes.
    Won,
    /// A quorum can no longer say yes.
    Lost,
    /// Too few have spoken.
    Pending,
}

impl ConfState {
    /// A membership of voters alone.
    #[must_use]
    pub fn new(voters: impl IntoIterator<Item = NodeId>) -> Self {
        Self {
            voters: ascending(voters),
            ..Self::default()
        }
    }

    /// Whether `id` has a vote in either half.
    #[must_use]
    pub fn is_voter(&self, id: NodeId) -> bool {
        self.voters.contains(&id) || self.voters_outgoing.contains(&id)
    }

    /// Whether `id` is replicated to.
    #[must_use]
    pub fn is_member(&self, id: NodeId) -> bool {
        self.is_voter(id) || self.learners.contains(&id) || self.learners_next.contains(&id)
    }

    /// Everyone who is replicated to, in ascending order.
    #[must_use]
    pub fn members(&self) -> Vec<NodeId> {
        let lists = [
            &self.voters,
            &self.voters_outgoing,
            &self.learners,
            &self.learners_next,
        ];
        ascending(lists.into_iter().flatten().copied())
    }

    /// The greatest value that a quorum has reached: of each half, the smaller. `value` must be
    /// total over the voters. With no voters nothing is reached: `None`.
    pub fn reached<T: Ord + Copy>(&self, value: impl Fn(NodeId) -> T) -> Option<T> {
        let incoming = majority_reached(&self.voters, &value)?;
        if self.voters_outgoing.is_empty() {
            return Some(incoming);
        }
        majority_reached(&self.voters_outgoing, &value).map(|outgoing| outgoing.min(incoming))
    }

    /// Counts a ballot; `None` for those who have not spoken.
    pub fn vote_result(&self, vote: impl Fn(NodeId) -> Option<bool>) -> VoteResult {
        // Yes, silence, no: a quorum has reached "yes", or at least "not no", or neither.
        let standing = |id| vote(id).map_or(1, |granted| if granted { 2 } else { 0 });
        match self.reached(standing) {
            Some(2) => VoteResult::Won,
            Some(1) => VoteResult::Pending,
            Some(_) | None => VoteResult::Lost,
        }
    }
}

/// A sorted list without duplicates. Of the few members that there are: a general sort is a
/// thousand instructions that every visitor downloads.
fn ascending(ids: impl IntoIterator<Item = NodeId>) -> Vec<NodeId> {
    let mut list = Vec::new();
    for id in ids {
        if let Err(at) = list.binary_search(&id) {
            list.insert(at, id);
        }
    }
    list
}

/// The greatest of the voters' values that a majority of them has reached: the last of the greatest
/// values, as many of them as a majority is. Asks each voter once, and is free of allocation.
fn majority_reached<T: Ord + Copy>(voters: &[NodeId], value: impl Fn(NodeId) -> T) -> Option<T> {
    let majority = voters.len() / 2 + 1;
    let (first, others) = voters.split_first()?;
    // Falling; what does not make it into the majority is dropped.
    let mut greatest = [value(*first); MAX_MEMBERS / 2 + 1];
    let mut count = 1;
    for &id in others {
        let mut carried = value(id);
        for kept in &mut greatest[..count] {
            (*kept, carried) = (carried.max(*kept), carried.min(*kept));
        }
        if count < majority.min(greatest.len()) {
            greatest[count] = carried;
            count += 1;
        }
    }
    greatest.get(majority - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn ids(range: core::ops::RangeInclusive<u64>) -> impl Iterator<Item = NodeId> {
        range.map(NodeId)
    }

    #[test]
    fn majority_is_more_than_half() {
        for (n, expected) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 4)] {
            // Node i has reached i: the majority has reached the value that n/2+1 of them exceed.
            let conf = ConfState::new(ids(1..=n));
            assert_eq!(conf.reached(|id| id.0), Some(expected), "{n} voters");
        }
        assert_eq!(ConfState::default().reached(|id| id.0), None);
    }

    #[test]
    fn joint_needs_a_majority_of_each_half() {
        let conf = ConfState {
            voters_outgoing: ids(4..=6).collect(),
            ..ConfState::new(ids(1..=3))
        };
        assert_eq!(conf.reached(|id| if id.0 <= 3 { 9 } else { 2 }), Some(2));
        assert_eq!(conf.reached(|id| if id.0 <= 3 { 2 } else { 9 }), Some(2));
        let vote = |yes: &'static [u64]| move |id: NodeId| Some(yes.contains(&id.0));
        assert_eq!(conf.vote_result(vote(&[1, 2, 3])), VoteResult::Lost);
        assert_eq!(conf.vote_result(vote(&[1, 2, 4, 5])), VoteResult::Won);
    }

    #[test]
    fn ballot_is_pending_until_a_majority_spoke_one_way() {
        let conf = ConfState::new(ids(1..=3));
        let count = |votes: &'static [(u64, bool)]| {
            conf.vote_result(|id| votes.iter().find(|v| v.0 == id.0).map(|v| v.1))
        };
        assert_eq!(count(&[]), VoteResult::Pending);
        assert_eq!(count(&[(1, true), (2, false)]), VoteResult::Pending);
        assert_eq!(count(&[(1, true), (3, true)]), VoteResult::Won);
        assert_eq!(count(&[(1, false), (3, false)]), VoteResult::Lost);
    }

    #[test]
    fn reached_equals_sorting_and_indexing() {
        let mut random = Random::new(7);
        for _ in 0..2_000 {
            let n = 1 + random.below(MAX_MEMBERS as u64);
            let values: Vec<u64> = (0..=n).map(|_| random.below(5)).collect();
            let conf = ConfState::new(ids(1..=n));
            let mut sorted: Vec<u64> = (1..=n).map(|i| values[i as usize]).collect();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(
                conf.reached(|id| values[id.0 as usize]),
                Some(sorted[n as usize / 2])
            );
        }
    }

    #[test]
    fn members_are_sorted_and_unique() {
        let conf = ConfState {
            voters: vec![NodeId(2), NodeId(3)],
            voters_outgoing: vec![NodeId(1), NodeId(2)],
            learners: vec![NodeId(9)],
            learners_next: vec![NodeId(1)],
            ..ConfState::default()
        };
        assert_eq!(conf.members(), [1, 2, 3, 9].map(NodeId));
        let member = |id: &NodeId| conf.is_member(*id);
        assert_eq!(
            ids(0..=10).filter(member).collect::<Vec<_>>(),
            conf.members()
        );
        assert!(conf.is_voter(NodeId(1)) && !conf.is_voter(NodeId(9)));
    }
}
