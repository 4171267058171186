//! Do the replicas agree? At a checkpoint of the log every node takes a snapshot and tells its leader
//! the digest of those bytes. The state that a quorum has is the right one; whoever has another is
//! told so and halts. Lost digests are not repeated: the next checkpoint comes.

use quorate_raft::{ConfState, Index, NodeId, StateDigest, Table, VoteResult};

/// What is known of the latest checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Of which index the digests are.
    index: Index,
    /// What each node has, and whether it was found to differ.
    states: Table<NodeId, (StateDigest, bool)>,
}

impl Comparison {
    /// What `node` has. Only the latest checkpoint counts.
    pub(crate) fn note(&mut self, node: NodeId, digest: StateDigest) {
        if digest.index > self.index {
            self.index = digest.index;
            self.states = Table::default();
        }
        if digest.index == self.index && self.states.get(node).is_none() {
            self.states.insert(node, (digest, false));
        }
    }

    /// The digest that `node` reported.
    pub(crate) fn of(&self, node: NodeId) -> Option<StateDigest> {
        self.states.get(node).map(|(digest, _)| *digest)
    }

    /// The right state, and those that were not yet found to differ from it. `own` decides where the
    /// voters can no longer agree.
    pub(crate) fn judge(
        &mut self,
        conf_state: &ConfState,
        own: NodeId,
    ) -> Option<(StateDigest, Vec<NodeId>)> {
        let right = self.right(conf_state, own)?;
        let mut differing = Vec::new();
        for (node, (digest, found)) in self.states.iter_mut() {
            let differs = digest.format == right.format && digest.hash != right.hash;
            if differs && !core::mem::replace(found, true) {
                differing.push(node);
            }
        }
        Some((right, differing))
    }

    fn right(&self, conf_state: &ConfState, own: NodeId) -> Option<StateDigest> {
        let mut open = false;
        for (_, (digest, _)) in self.states.iter() {
            match conf_state.vote_result(|id| self.of(id).map(|other| other == *digest)) {
                VoteResult::Won => return Some(*digest),
                VoteResult::Pending => open = true,
                VoteResult::Lost => {}
            }
        }
        self.of(own).filter(|_| !open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: u64 = 7;

    fn digest(index: u64, hash: u64) -> StateDigest {
        StateDigest {
            index: Index(index),
            format: 1,
            hash,
        }
    }

    /// What node 1 finds after these nodes reported these hashes.
    fn judged(conf_state: &ConfState, reports: &[(u64, u64)]) -> Option<(u64, Vec<u64>)> {
        let mut comparison = Comparison::default();
        for &(node, hash) in reports {
            comparison.note(NodeId(node), digest(5, hash));
        }
        let (right, differing) = comparison.judge(conf_state, NodeId(1))?;
        Some((right.hash, differing.iter().map(|node| node.0).collect()))
    }

    fn three() -> ConfState {
        ConfState::new([1, 2, 3].map(NodeId))
    }

    #[test]
    fn the_state_of_a_majority_is_right_and_the_leader_can_be_wrong() {
        assert_eq!(judged(&three(), &[(1, RIGHT), (2, 8)]), None);
        let minority = Some((RIGHT, vec![2]));
        assert_eq!(
            judged(&three(), &[(1, RIGHT), (2, 8), (3, RIGHT)]),
            minority
        );
        let leader = Some((RIGHT, vec![1]));
        assert_eq!(judged(&three(), &[(1, 8), (2, RIGHT), (3, RIGHT)]), leader);
        let none = Some((RIGHT, vec![]));
        assert_eq!(judged(&three(), &[(1, RIGHT), (3, RIGHT)]), none);
    }

    #[test]
    fn where_no_majority_can_agree_the_leader_is_right() {
        let all = Some((RIGHT, vec![2, 3]));
        assert_eq!(judged(&three(), &[(1, RIGHT), (2, 8), (3, 9)]), all);
        let two = ConfState::new([1, 2].map(NodeId));
        assert_eq!(judged(&two, &[(1, RIGHT), (2, 8)]), Some((RIGHT, vec![2])));
        // The leader has yet to say what it has.
        assert_eq!(judged(&three(), &[(2, 8), (3, 9)]), None);
    }

    #[test]
    fn both_halves_of_a_joint_configuration_decide_and_learners_are_only_told() {
        let joint = ConfState {
            voters_outgoing: [3, 4, 5].map(NodeId).to_vec(),
            ..three()
        };
        let incoming = [(1, RIGHT), (2, RIGHT), (3, 8)];
        assert_eq!(judged(&joint, &incoming), None);
        let both = [(1, RIGHT), (2, RIGHT), (3, 8), (4, RIGHT), (5, RIGHT)];
        assert_eq!(judged(&joint, &both), Some((RIGHT, vec![3])));
        let learner = [(1, RIGHT), (9, 8), (3, RIGHT)];
        assert_eq!(judged(&three(), &learner), Some((RIGHT, vec![9])));
    }

    #[test]
    fn each_is_found_once_and_only_the_latest_checkpoint_counts() {
        let mut comparison = Comparison::default();
        for (node, hash) in [(1, RIGHT), (2, RIGHT), (3, 8), (3, 8)] {
            comparison.note(NodeId(node), digest(5, hash));
        }
        let found =
            |comparison: &mut Comparison| comparison.judge(&three(), NodeId(1)).map(|j| j.1);
        assert_eq!(found(&mut comparison), Some(vec![NodeId(3)]));
        assert_eq!(found(&mut comparison), Some(vec![]));
        comparison.note(NodeId(3), digest(5, 8));
        assert_eq!(found(&mut comparison), Some(vec![]));
        for node in [2, 4].map(NodeId) {
            comparison.note(node, digest(4, 9));
        }
        assert_eq!(comparison.of(NodeId(2)), Some(digest(5, RIGHT)));
        assert_eq!(comparison.of(NodeId(4)), None);
        comparison.note(NodeId(2), digest(6, RIGHT));
        assert_eq!(comparison.of(NodeId(1)), None);
        assert_eq!(found(&mut comparison), None);
    }

    #[test]
    fn other_formats_are_not_judged() {
        let mut comparison = Comparison::default();
        for (node, format, hash) in [(1, 1, RIGHT), (2, 1, RIGHT), (3, 2, 8)] {
            let digest = StateDigest {
                format,
                ..digest(5, hash)
            };
            comparison.note(NodeId(node), digest);
        }
        let judged = comparison.judge(&three(), NodeId(1));
        assert_eq!(judged, Some((digest(5, RIGHT), vec![])));
    }
}
