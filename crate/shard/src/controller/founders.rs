//! With whom a group begins, each with its storage: all its nodes must mean the same.
//!
//! A group begins with the members that the controller's own group has where the group joins. That is a
//! place in the log, so it is the same on every replica, and it stays as long as the group has an id:
//! only a node whose storage is named there begins with a vote, and one that lost it since waits until
//! the group's leader takes it in again, as in every group.

use quorate_raft::{ConfState, NodeId};

/// The membership of a group that begins on `nodes`: those of them that are members, each with the
/// storage that it has, or that is about to take the place of one that is lost.
pub(super) fn among(members: &ConfState, nodes: &[NodeId]) -> ConfState {
    let mut founders = ConfState::new(members.members());
    founders.voters.retain(|id| nodes.contains(id));
    for &id in &founders.voters {
        let next = members.storages_next.get(id);
        if let Some(storage) = next.or(members.storages.get(id)) {
            founders.storages.insert(id, *storage);
        }
    }
    founders
}

#[cfg(test)]
mod tests {
    use quorate_raft::{Change, StorageId};

    use super::*;

    fn ids(ids: &[u64]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    fn bound(voters: &[(u64, u64)]) -> ConfState {
        let storages = voters.iter();
        let storages = storages.map(|(id, storage)| (NodeId(*id), StorageId(*storage)));
        let mut bound = ConfState::new(voters.iter().map(|(id, _)| NodeId(*id)));
        bound.storages = storages.collect();
        bound
    }

    #[test]
    fn founders_are_the_members_that_a_group_lists() {
        let members = bound(&[(1, 8), (2, 9), (3, 10)]);
        assert_eq!(among(&members, &ids(&[3, 1, 4])), bound(&[(1, 8), (3, 10)]));
        assert_eq!(among(&members, &ids(&[4])), ConfState::default());
        let unbound = ConfState::new(ids(&[1, 2]));
        assert_eq!(among(&unbound, &ids(&[2])), ConfState::new(ids(&[2])));
    }

    #[test]
    fn a_member_whose_storage_is_lost_begins_with_the_one_that_takes_its_place() {
        let members = bound(&[(1, 8), (2, 9), (3, 10)]);
        let (id, storage) = (NodeId(2), StorageId(70));
        let joint = members.change(&[Change::Rebind { id, storage }]);
        let joint = joint.expect("a member");
        // In each step of it: as it leaves, as a learner, and as it gets its vote back.
        let steps = [joint.clone(), joint.leave(), joint.leave().promote()];
        let founders = bound(&[(1, 8), (2, 70), (3, 10)]);
        for members in steps {
            assert_eq!(among(&members, &ids(&[1, 2, 3])), founders, "{members:?}");
        }
    }
}
