//! Membership: any two quorums of neighboring configurations share a node, so that none decides
//! against another. Quorums are counted here by trying every set of nodes.

use std::sync::Arc;

use quorate_raft::{ConfState, NodeId};

use crate::by_node::ByNode;
use crate::checker::Violation;
use crate::describe::membership;

/// The configurations under which some node was.
#[derive(Debug)]
pub struct Membership {
    seen: Vec<Arc<ConfState>>,
    /// Under which each node was last.
    current: ByNode<Arc<ConfState>>,
}

impl Membership {
    /// The cluster begins with this one.
    #[must_use]
    pub fn new(first: ConfState) -> Self {
        Self {
            seen: vec![Arc::new(first)],
            current: ByNode::new(),
        }
    }

    /// A node is under `conf_state`.
    ///
    /// # Errors
    /// It neighbors none that was seen.
    pub fn check(&mut self, node: NodeId, conf_state: &Arc<ConfState>) -> Result<(), Violation> {
        let same = |current| Arc::ptr_eq(current, conf_state);
        if self.current.get(node).is_some_and(same) {
            return Ok(());
        }
        if !self.seen.contains(conf_state) {
            let meets = |before: &Arc<ConfState>| quorums_meet(before, conf_state);
            if !self.seen.iter().any(meets) {
                let before: Vec<String> = self.seen.iter().map(|one| membership(one)).collect();
                let (now, before) = (membership(conf_state), before.join("; "));
                let seen = format!("{node} is under {now}, after {before}");
                return Err(Violation::new("Neighboring quorums intersect", seen));
            }
            self.seen.push(conf_state.clone());
        }
        self.current.insert(node, conf_state.clone());
        Ok(())
    }
}

/// Whether every quorum of `a` shares a node with every quorum of `b`.
#[must_use]
pub fn quorums_meet(a: &ConfState, b: &ConfState) -> bool {
    let mut nodes = a.members();
    nodes.extend(b.members());
    nodes.sort_unstable();
    nodes.dedup();
    // If two disjoint sets decide, a set and its complement do.
    (0..1_u64 << nodes.len()).all(|mask| {
        let inside = |id: NodeId| {
            let place = nodes.iter().position(|&other| other == id);
            place.is_some_and(|place| mask >> place & 1 == 1)
        };
        !decides(a, inside) || !decides(b, |id| !inside(id))
    })
}

/// Whether a set of nodes holds more than half of the voters, in a joint configuration of both.
fn decides(conf_state: &ConfState, has: impl Fn(NodeId) -> bool) -> bool {
    let most = |voters: &[NodeId]| 2 * voters.iter().filter(|&&id| has(id)).count() > voters.len();
    let outgoing = &conf_state.voters_outgoing;
    most(&conf_state.voters) && (outgoing.is_empty() || most(outgoing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf_state(voters: &[u64], outgoing: &[u64]) -> ConfState {
        ConfState {
            voters_outgoing: outgoing.iter().copied().map(NodeId).collect(),
            ..ConfState::new(voters.iter().copied().map(NodeId))
        }
    }

    #[test]
    fn one_node_more_or_less_meets_and_two_do_not() {
        let three = conf_state(&[1, 2, 3], &[]);
        assert!(quorums_meet(&three, &conf_state(&[1, 2, 3, 4], &[])));
        assert!(quorums_meet(&three, &conf_state(&[1, 2], &[])));
        assert!(!quorums_meet(&three, &conf_state(&[1, 2, 3, 4, 5], &[])));
        assert!(!quorums_meet(&three, &conf_state(&[1], &[])));
    }

    #[test]
    fn a_joint_configuration_meets_both_halves() {
        let (old, new) = (conf_state(&[1, 2, 3], &[]), conf_state(&[4, 5], &[]));
        let joint = conf_state(&[4, 5], &[1, 2, 3]);
        assert!(quorums_meet(&old, &joint) && quorums_meet(&joint, &new));
        assert!(!quorums_meet(&old, &new));
        let mut membership = Membership::new(old.clone());
        let [old, new, joint] = [old, new, joint].map(Arc::new);
        for _ in 0..2 {
            assert!(membership.check(NodeId(1), &new).is_err());
        }
        membership.check(NodeId(1), &joint).unwrap();
        membership.check(NodeId(4), &new).unwrap();
        membership.check(NodeId(1), &old).unwrap();
    }
}
