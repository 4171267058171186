//! Who sleeps has nothing to do, and has all that its leader has.

use std::collections::BTreeSet;

use quorate_raft::{Body, Index, Message, Raft, RoleKind, Term};
use quorate_rsm::NodeStatus;

use crate::checker::Violation;

/// What is broken.
const IDLE: &str = "Who sleeps has nothing to do";

/// With which last entries leaders told others to sleep.
#[derive(Debug, Default)]
pub struct Sleep(BTreeSet<(Term, Index)>);

impl Sleep {
    /// A node lets a message go.
    pub fn sent(&mut self, message: &Message) {
        if let Body::Sleep { last, .. } = message.body {
            self.0.insert((message.term, last));
        }
    }

    /// Looks at a node after a step.
    ///
    /// # Errors
    /// It sleeps, and should not.
    pub fn check(&self, raft: &Raft, status: &NodeStatus) -> Result<(), Violation> {
        if !status.raft.asleep {
            return Ok(());
        }
        match self.reason_to_wake(raft, status) {
            None => Ok(()),
            Some(reason) => {
                let seen = format!("{} sleeps: {reason}", status.raft.id);
                Err(Violation::new(IDLE, seen))
            }
        }
    }

    fn reason_to_wake(&self, raft: &Raft, node: &NodeStatus) -> Option<String> {
        let status = &node.raft;
        let (last, conf_state) = (status.last.index, &status.conf_state);
        if node.waiting > node.parked {
            return Some(format!("{} requests wait", node.waiting - node.parked));
        }
        if (status.commit, status.applied, status.persisted) != (last, last, last) {
            let (commit, applied) = (status.commit, status.applied);
            return Some(format!("last {last} commit {commit} applied {applied}"));
        }
        match status.role {
            RoleKind::Leader if raft.holds_lease() => Some("it holds a lease".to_owned()),
            RoleKind::Leader if status.transferring.is_some() => Some("it hands over".to_owned()),
            RoleKind::Leader if conf_state.is_joint() || !conf_state.joining.is_empty() => {
                Some("its membership is to change".to_owned())
            }
            RoleKind::Leader => {
                let mut peers = status.peers.iter();
                let behind = peers.find(|peer| peer.matched != last);
                behind.map(|peer| format!("{} has {} of {last}", peer.id, peer.matched))
            }
            RoleKind::Follower if self.0.contains(&(status.term, last)) => None,
            RoleKind::Follower => Some(format!("nobody told it to at {last}")),
            RoleKind::PreCandidate | RoleKind::Candidate => Some("it campaigns".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quorate_raft::{
        ConfState, Config, EntryId, Instant, NodeId, PeerStatus, ProgressMode, Restored, StorageId,
    };

    use super::*;

    const TERM: Term = Term(3);

    fn node() -> Raft {
        let restored = Restored::fresh(ConfState::new([NodeId(1), NodeId(2)]));
        Raft::new(Config::new(NodeId(1)), restored, Instant(0), 1).unwrap()
    }

    /// One that sleeps, and may.
    fn status(role: RoleKind) -> NodeStatus {
        let last = Index(5);
        let mut raft = node().status();
        (raft.asleep, raft.role, raft.term) = (true, role, TERM);
        raft.last = EntryId::new(TERM, last);
        (raft.commit, raft.applied, raft.persisted) = (last, last, last);
        raft.peers = vec![PeerStatus {
            id: NodeId(2),
            matched: last,
            next: last.next(),
            mode: ProgressMode::Replicate,
            inflight: 0,
            amnesiac: None,
        }];
        NodeStatus {
            raft,
            sessions: 0,
            waiting: 1,
            reads: 0,
            parked: 1,
            log_bytes: 0,
            time_ms: 0,
        }
    }

    fn told(last: u64) -> Sleep {
        let mut sleep = Sleep::default();
        sleep.sent(&Message {
            from: NodeId(2),
            to: NodeId(1),
            storage: StorageId::default(),
            term: TERM,
            body: Body::Sleep {
                last: Index(last),
                round: 1,
            },
        });
        sleep
    }

    #[test]
    fn every_reason_to_wake_is_found() {
        use RoleKind::{Candidate, Follower, Leader};
        type Change = fn(&mut NodeStatus);
        for role in [Leader, Follower] {
            told(5).check(&node(), &status(role)).unwrap();
        }
        let broken: [(RoleKind, Change); 10] = [
            (Leader, |s| s.waiting = 2),
            (Leader, |s| s.raft.commit = Index(4)),
            (Leader, |s| s.raft.applied = Index(4)),
            (Leader, |s| s.raft.persisted = Index(4)),
            (Leader, |s| s.raft.transferring = Some(NodeId(2))),
            (Leader, |s| s.raft.peers[0].matched = Index(4)),
            (Leader, |s| {
                Arc::make_mut(&mut s.raft.conf_state).voters_outgoing = vec![NodeId(1)];
            }),
            (Follower, |s| s.raft.term = Term(4)),
            (Follower, |s| s.waiting = 2),
            (Candidate, |_| ()),
        ];
        for (number, (role, change)) in broken.into_iter().enumerate() {
            let mut status = status(role);
            change(&mut status);
            let found = told(5).check(&node(), &status);
            assert_eq!(found.unwrap_err().property, IDLE, "{number}");
            status.raft.asleep = false;
            told(5).check(&node(), &status).unwrap();
        }
        assert!(told(4).check(&node(), &status(Follower)).is_err());
    }
}
