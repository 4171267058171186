//! Changes of the membership (§6, thesis §4): what may be asked for, what comes of it step by step,
//! and which configuration is in force.
//!
//! ```text
//!   remove, demote, rebind              ┌───────┐  committed   ┌────────┐
//!   ───────────────────────────────────▶│ joint │─────────────▶│ simple │
//!                                       └───────┘              └────────┘
//!   add voter, promote   ┌───────────┐ all caught up ▲
//!   ────────────────────▶│ as learner │──────────────┘
//!                        └───────────┘
//! ```
//! Every step is one entry that holds the whole configuration, in force as soon as it is in the
//! log (§6). What is still to be done stands in the configuration itself, so that whoever leads
//! next goes on with it.

use core::fmt;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::quorum::ConfState;
use crate::types::{Index, NodeId, StorageId};

/// Members that a cluster can have.
pub const MAX_MEMBERS: usize = 63;

/// One part of a change. Several take effect together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new node, which gets a vote once it has caught up.
    AddVoter {
        /// Which one.
        id: NodeId,
        /// Its storage.
        storage: StorageId,
    },
    /// A new node without a vote.
    AddLearner {
        /// Which one.
        id: NodeId,
        /// Its storage.
        storage: StorageId,
    },
    /// A learner gets a vote once it has caught up.
    Promote {
        /// Which one.
        id: NodeId,
    },
    /// A voter goes on without a vote.
    Demote {
        /// Which one.
        id: NodeId,
    },
    /// A member goes. Asked for together with a new voter, a voter goes when that one has its vote.
    Remove {
        /// Which one.
        id: NodeId,
    },
    /// A member has lost its storage, and with it what it promised: it goes on as a learner with a
    /// new one, and a voter gets its vote back once it has caught up.
    Rebind {
        /// Which one.
        id: NodeId,
        /// Its new storage.
        storage: StorageId,
    },
}

impl Change {
    /// Whom it is about.
    #[must_use]
    pub fn id(&self) -> NodeId {
        match self {
            Self::AddVoter { id, .. }
            | Self::AddLearner { id, .. }
            | Self::Promote { id }
            | Self::Demote { id }
            | Self::Remove { id }
            | Self::Rebind { id, .. } => *id,
        }
    }
}

/// Why a change was not begun. Nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipError {
    /// Ask the leader; `hint` is the last one heard from.
    NotLeader {
        /// Where to try.
        hint: Option<NodeId>,
    },
    /// The leader is too new to know whether another change is under way; try again soon.
    NotReady,
    /// Another change is under way, or leadership is being handed over; try again later.
    Pending,
    /// No voter would be left.
    NoVoterLeft,
    /// There is no such member, or, to be promoted or demoted, it is of the other kind.
    UnknownMember(NodeId),
    /// There is such a member already, or it has this storage already.
    AlreadyMember(NodeId),
    /// The change names a node twice, or none at all.
    Malformed,
    /// There would be more than [`MAX_MEMBERS`].
    TooMany,
}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeader { .. } => write!(f, "not the leader"),
            Self::NotReady => write!(f, "the leader is new and not ready yet"),
            Self::Pending => write!(f, "another change of the membership is under way"),
            Self::NoVoterLeft => write!(f, "the change would leave no voter"),
            Self::UnknownMember(id) => {
                write!(f, "node {} is no member that this can be done to", id.0)
            }
            Self::AlreadyMember(id) => write!(f, "node {} is a member already", id.0),
            Self::Malformed => write!(f, "a change names each node once"),
            Self::TooMany => write!(f, "a cluster has at most {MAX_MEMBERS} members"),
        }
    }
}

impl core::error::Error for MembershipError {}

impl ConfState {
    /// The configuration that begins this change.
    ///
    /// # Errors
    /// It makes no sense here, or has to wait for another.
    pub fn change(&self, changes: &[Change]) -> Result<Self, MembershipError> {
        if self.is_joint() {
            return Err(MembershipError::Pending);
        }
        let repeated = |(at, change): (usize, &Change)| {
            changes[..at].iter().any(|other| other.id() == change.id())
        };
        if changes.is_empty() || changes.iter().enumerate().any(repeated) {
            return Err(MembershipError::Malformed);
        }
        let waits = !self.joining.is_empty();
        let joins =
            |change: &Change| matches!(change, Change::AddVoter { .. } | Change::Promote { .. });
        let replaces = changes.iter().any(joins);
        let mut next = self.clone();
        // Voters that lose their vote at once, and those of them that stay.
        let (mut out, mut stay) = (Vec::new(), Vec::new());
        for change in changes {
            let id = change.id();
            let (voter, learner) = (self.voters.contains(&id), self.learners.contains(&id));
            match *change {
                Change::AddVoter { .. } | Change::AddLearner { .. } if voter || learner => {
                    return Err(MembershipError::AlreadyMember(id));
                }
                Change::AddVoter { .. } | Change::AddLearner { .. } if id.0 == 0 => {
                    return Err(MembershipError::Malformed);
                }
                Change::AddVoter { .. } | Change::Promote { .. } if waits => {
                    return Err(MembershipError::Pending);
                }
                Change::AddVoter { storage, .. } => {
                    insert(&mut next.learners, id);
                    insert(&mut next.joining, id);
                    next.storages.insert(id, storage);
                }
                Change::AddLearner { storage, .. } => {
                    insert(&mut next.learners, id);
                    next.storages.insert(id, storage);
                }
                Change::Promote { .. } if learner => insert(&mut next.joining, id),
                Change::Demote { .. } if voter => {
                    out.push(id);
                    stay.push(id);
                }
                Change::Remove { .. } if voter && replaces => insert(&mut next.leaving, id),
                Change::Remove { .. } if voter => out.push(id),
                Change::Remove { .. } if learner => {
                    remove(&mut next.learners, id);
                    remove(&mut next.joining, id);
                }
                Change::Rebind { storage, .. }
                    if self.storages.get(id).is_some_and(|known| *known == storage) =>
                {
                    return Err(MembershipError::AlreadyMember(id));
                }
                Change::Rebind { storage, .. } if voter => {
                    out.push(id);
                    stay.push(id);
                    insert(&mut next.joining, id);
                    next.storages_next.insert(id, storage);
                }
                Change::Rebind { storage, .. } if learner => {
                    next.storages.insert(id, storage);
                }
                Change::Promote { .. }
                | Change::Demote { .. }
                | Change::Remove { .. }
                | Change::Rebind { .. } => return Err(MembershipError::UnknownMember(id)),
            }
        }
        if !out.is_empty() {
            next.voters_outgoing.clone_from(&self.voters);
            next.voters.retain(|id| !out.contains(id));
            next.leaving.retain(|id| !out.contains(id));
            stay.into_iter()
                .for_each(|id| insert(&mut next.learners_next, id));
        }
        if next.voters.is_empty() {
            return Err(MembershipError::NoVoterLeft);
        }
        if next.members().len() > MAX_MEMBERS {
            return Err(MembershipError::TooMany);
        }
        Ok(next.tidy())
    }

    /// The joint configuration in which those that joined have votes, and those that leave have
    /// them for the last time.
    #[must_use]
    pub fn promote(&self) -> Self {
        let mut next = self.clone();
        next.voters_outgoing.clone_from(&self.voters);
        next.voters.retain(|id| !self.leaving.contains(id));
        for &id in &self.joining {
            insert(&mut next.voters, id);
            remove(&mut next.learners, id);
        }
        next.joining.clear();
        next.leaving.clear();
        next.tidy()
    }

    /// The configuration after a joint one.
    #[must_use]
    pub fn leave(&self) -> Self {
        let mut next = self.clone();
        next.voters_outgoing.clear();
        for id in core::mem::take(&mut next.learners_next) {
            insert(&mut next.learners, id);
        }
        for (id, storage) in core::mem::take(&mut next.storages_next) {
            next.storages.insert(id, storage);
        }
        next.tidy()
    }

    /// Whether a decision needs two majorities.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.voters_outgoing.is_empty()
    }

    /// Whether `id` with this storage may be the member of that name: it is none, or its storage is
    /// the one recorded, or none is recorded.
    #[must_use]
    pub fn knows(&self, id: NodeId, storage: StorageId) -> bool {
        self.storages.get(id).is_none_or(|known| *known == storage)
    }

    /// Whether every list is sorted and what must be a part of another is one.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let lists = [
            &self.voters,
            &self.voters_outgoing,
            &self.learners,
            &self.learners_next,
            &self.joining,
            &self.leaving,
        ];
        let members = self.members();
        lists.iter().all(|list| list.is_sorted_by(|a, b| a < b))
            && members.first() != Some(&NodeId(0))
            && members.len() <= MAX_MEMBERS
            && !self.learners.iter().any(|id| self.is_voter(*id))
            && self
                .learners_next
                .iter()
                .all(|id| self.voters_outgoing.contains(id))
            && !self.learners_next.iter().any(|id| self.voters.contains(id))
            && self.leaving.iter().all(|id| self.voters.contains(id))
            && (self.joining.iter())
                .all(|id| self.learners.contains(id) || self.learners_next.contains(id))
            && self.storages.keys().all(|id| members.contains(&id))
            && self
                .storages_next
                .keys()
                .all(|id| self.learners_next.contains(&id))
            && (members.is_empty() || !self.voters.is_empty())
    }

    /// Without what is no longer spoken of.
    fn tidy(mut self) -> Self {
        if self.joining.is_empty() {
            self.leaving.clear();
        }
        let members = self.members();
        self.storages.retain(|id, _| members.contains(&id));
        self
    }
}

fn insert(list: &mut Vec<NodeId>, id: NodeId) {
    if let Err(at) = list.binary_search(&id) {
        list.insert(at, id);
    }
}

fn remove(list: &mut Vec<NodeId>, id: NodeId) {
    list.retain(|other| *other != id);
}

/// The configurations of the log: the last one is in force, earlier ones come back when the log is
/// cut, and tell what a snapshot covers.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Membership {
    /// By the index of their entries; the first is that of the snapshot, or older. Never empty.
    history: VecDeque<(Index, Arc<ConfState>)>,
}

impl Membership {
    /// The one as of `index`.
    pub(crate) fn new(index: Index, conf_state: Arc<ConfState>) -> Self {
        Self {
            history: VecDeque::from([(index, conf_state)]),
        }
    }

    /// The one in force.
    pub(crate) fn current(&self) -> &Arc<ConfState> {
        &self.history[self.history.len() - 1].1
    }

    /// The one before it, as far as it is kept; else the one in force.
    pub(crate) fn before(&self) -> &ConfState {
        &self.history[self.history.len().saturating_sub(2)].1
    }

    /// Where it stands in the log.
    pub(crate) fn index(&self) -> Index {
        self.history[self.history.len() - 1].0
    }

    /// The one that holds as of `index`, which is not before the snapshot.
    pub(crate) fn at(&self, index: Index) -> &Arc<ConfState> {
        let known = self.history.iter().rev().find(|(at, _)| *at <= index);
        &known.unwrap_or(&self.history[0]).1
    }

    /// The one as of `index`, and all behind it.
    pub(crate) fn since(&self, index: Index) -> impl Iterator<Item = &ConfState> {
        let behind = self
            .history
            .iter()
            .rev()
            .take_while(move |(at, _)| *at > index);
        let all = behind.map(|(_, conf_state)| &**conf_state);
        all.chain([&**self.at(index)])
    }

    /// An entry with a configuration was appended.
    pub(crate) fn push(&mut self, index: Index, conf_state: Arc<ConfState>) {
        self.history.push_back((index, conf_state));
    }

    /// The log was cut at `first`.
    pub(crate) fn truncate(&mut self, first: Index) {
        while self.history.len() > 1 && self.index() >= first {
            self.history.pop_back();
        }
    }

    /// A snapshot at `index` is durable: nothing before it will be asked for.
    pub(crate) fn compact(&mut self, index: Index) {
        while self.history.get(1).is_some_and(|(at, _)| *at <= index) {
            self.history.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn ids(list: &[u64]) -> Vec<NodeId> {
        list.iter().copied().map(NodeId).collect()
    }

    fn bound(voters: &[u64]) -> ConfState {
        let storage = |&id: &u64| (NodeId(id), StorageId(id * 100));
        ConfState {
            storages: voters.iter().map(storage).collect(),
            ..ConfState::new(ids(voters))
        }
    }

    fn shared(voters: &[u64]) -> Arc<ConfState> {
        Arc::new(bound(voters))
    }

    fn add(id: u64) -> Change {
        Change::AddVoter {
            id: NodeId(id),
            storage: StorageId(id * 100),
        }
    }

    fn remove(id: u64) -> Change {
        Change::Remove { id: NodeId(id) }
    }

    #[test]
    fn new_voter_learns_first_and_votes_through_a_joint_configuration() {
        let learning = bound(&[1, 2, 3]).change(&[add(4)]).expect("it is new");
        assert_eq!(
            (&learning.voters, learning.is_joint()),
            (&ids(&[1, 2, 3]), false)
        );
        assert_eq!(
            (&learning.learners, &learning.joining),
            (&ids(&[4]), &ids(&[4]))
        );
        let joint = learning.promote();
        assert_eq!(joint.voters, ids(&[1, 2, 3, 4]));
        assert_eq!(joint.voters_outgoing, ids(&[1, 2, 3]));
        assert_eq!(joint.leave(), bound(&[1, 2, 3, 4]));
    }

    #[test]
    fn replaced_voter_goes_when_the_new_one_has_its_vote() {
        let learning = bound(&[1, 2, 3])
            .change(&[remove(2), add(4)])
            .expect("both are fit");
        assert_eq!(
            (&learning.voters, &learning.leaving),
            (&ids(&[1, 2, 3]), &ids(&[2]))
        );
        let joint = learning.promote();
        assert_eq!(
            (&joint.voters, &joint.voters_outgoing),
            (&ids(&[1, 3, 4]), &ids(&[1, 2, 3]))
        );
        assert!(joint.knows(NodeId(2), StorageId(200)) && !joint.knows(NodeId(2), StorageId(9)));
        assert_eq!(joint.leave(), bound(&[1, 3, 4]));
    }

    #[test]
    fn lost_storage_costs_the_vote_until_the_member_has_caught_up() {
        let rebind = Change::Rebind {
            id: NodeId(2),
            storage: StorageId(9),
        };
        let joint = bound(&[1, 2, 3]).change(&[rebind]).expect("it is a member");
        assert_eq!(
            (&joint.voters, &joint.learners_next),
            (&ids(&[1, 3]), &ids(&[2]))
        );
        // As long as both halves decide, the name stands for the storage that had the vote.
        assert!(joint.knows(NodeId(2), StorageId(200)) && !joint.knows(NodeId(2), StorageId(9)));
        let learning = joint.leave();
        assert_eq!(
            (&learning.learners, &learning.joining),
            (&ids(&[2]), &ids(&[2]))
        );
        assert!(
            learning.knows(NodeId(2), StorageId(9)) && !learning.knows(NodeId(2), StorageId(200))
        );
        assert_eq!(learning.promote().leave().voters, ids(&[1, 2, 3]));
    }

    #[test]
    fn demoted_voter_is_a_learner_after_the_joint_configuration() {
        let joint = bound(&[1, 2])
            .change(&[Change::Demote { id: NodeId(1) }])
            .expect("a voter");
        assert_eq!(
            (&joint.voters, &joint.learners_next),
            (&ids(&[2]), &ids(&[1]))
        );
        assert!(joint.learners.is_empty());
        let left = joint.leave();
        assert_eq!((&left.voters, &left.learners), (&ids(&[2]), &ids(&[1])));
    }

    #[test]
    fn learner_that_never_catches_up_can_be_taken_back() {
        let learning = bound(&[1, 2, 3])
            .change(&[remove(2), add(4)])
            .expect("both are fit");
        assert_eq!(learning.change(&[add(5)]), Err(MembershipError::Pending));
        assert_eq!(learning.change(&[remove(4)]), Ok(bound(&[1, 2, 3])));
    }

    #[test]
    fn one_that_was_to_leave_later_can_leave_at_once() {
        let waiting = bound(&[1, 2, 3]).change(&[add(4), remove(3)]);
        let waiting = waiting.expect("it is new");
        assert_eq!(waiting.leaving, ids(&[3]));
        let next = waiting.change(&[remove(3)]).expect("a voter");
        assert_eq!((next.leaving.len(), &next.voters), (0, &ids(&[1, 2])));
        assert!(next.is_sound() && next.is_joint());
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_reason() {
        let three = bound(&[1, 2, 3]);
        let learner = Change::AddLearner {
            id: NodeId(2),
            storage: StorageId(7),
        };
        let same = Change::Rebind {
            id: NodeId(2),
            storage: StorageId(200),
        };
        let promote = |id| Change::Promote { id: NodeId(id) };
        let demote = |id| Change::Demote { id: NodeId(id) };
        for (changes, error) in [
            (&[][..], MembershipError::Malformed),
            (&[add(4), remove(4)], MembershipError::Malformed),
            (&[add(0)], MembershipError::Malformed),
            (&[remove(9)], MembershipError::UnknownMember(NodeId(9))),
            (&[promote(2)], MembershipError::UnknownMember(NodeId(2))),
            (&[demote(9)], MembershipError::UnknownMember(NodeId(9))),
            (&[add(3)], MembershipError::AlreadyMember(NodeId(3))),
            (&[learner], MembershipError::AlreadyMember(NodeId(2))),
            (&[same], MembershipError::AlreadyMember(NodeId(2))),
            (
                &[remove(1), remove(2), remove(3)],
                MembershipError::NoVoterLeft,
            ),
            (
                &[remove(1), remove(2), demote(3)],
                MembershipError::NoVoterLeft,
            ),
        ] {
            assert_eq!(three.change(changes), Err(error), "{changes:?}");
        }
        let joint = three.change(&[remove(3)]).expect("a voter");
        assert_eq!(joint.change(&[remove(2)]), Err(MembershipError::Pending));
        let many: Vec<Change> = (4..=64).map(add).collect();
        assert_eq!(three.change(&many), Err(MembershipError::TooMany));
        assert!(three.change(&many[1..]).is_ok());
    }

    #[test]
    fn any_walk_stays_sound_and_neighbours_share_a_quorum() {
        let mut random = Random::new(11);
        for _ in 0..100 {
            let mut conf = bound(&[1, 2, 3]);
            for _ in 0..40 {
                let id = NodeId(1 + random.below(6));
                let storage = StorageId(random.below(1_000));
                let mut step = || match random.below(8) {
                    0 | 1 => Change::AddVoter { id, storage },
                    2 => Change::AddLearner { id, storage },
                    3 => Change::Promote { id },
                    4 => Change::Demote { id },
                    5 => Change::Remove { id },
                    _ => Change::Rebind { id, storage },
                };
                let next = match conf.is_joint() {
                    true => conf.leave(),
                    false if !conf.joining.is_empty() && storage.0.is_multiple_of(2) => {
                        conf.promote()
                    }
                    false => match conf.change(&[step()]) {
                        Ok(next) => next,
                        Err(_) => continue,
                    },
                };
                assert!(next.is_sound(), "{conf:?} to {next:?}");
                assert!(share_a_quorum(&conf, &next), "{conf:?} to {next:?}");
                conf = next;
            }
        }
    }

    /// Whether no two disjoint sets of nodes decide in one each. A voter with another storage is
    /// another node.
    fn share_a_quorum(a: &ConfState, b: &ConfState) -> bool {
        let names: Vec<NodeId> = ids(&[1, 2, 3, 4, 5, 6]);
        (0..1_u32 << names.len()).all(|set| {
            let inside = |id: NodeId| set >> (id.0 - 1) & 1 == 1;
            let moved = |id| a.storages.get(id) != b.storages.get(id);
            let one = a.vote_result(|id| Some(inside(id)));
            let other = b.vote_result(|id| Some(!inside(id) || moved(id)));
            one != crate::VoteResult::Won || other != crate::VoteResult::Won
        })
    }

    #[test]
    fn cut_log_gives_the_earlier_configuration_back() {
        let mut membership = Membership::new(Index(0), shared(&[1]));
        for (index, voters) in [(3, &[1, 2][..]), (5, &[1, 2, 3]), (9, &[2, 3])] {
            membership.push(Index(index), shared(voters));
        }
        assert_eq!(membership.at(Index(8)), &shared(&[1, 2, 3]));
        membership.truncate(Index(5));
        assert_eq!(
            (membership.current(), membership.index()),
            (&shared(&[1, 2]), Index(3))
        );
        membership.push(Index(6), shared(&[2]));
        membership.compact(Index(4));
        assert_eq!(membership.at(Index(4)), &shared(&[1, 2]));
        membership.truncate(Index(1));
        assert_eq!(membership.current(), &shared(&[1, 2]));
    }
}
