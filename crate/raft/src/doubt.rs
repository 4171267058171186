//! Elections of nodes whose storages may have lost the end of what they said was durable.
//!
//! Where writes are relaxed a power cut takes the last rounds of every node, of each another number: no majority vouches
//! for what was committed. But all nodes run on one machine and start together, and what each finds is a log that it
//! once had. So a leader is elected by all voters: it has the log that ends latest, by term and then by length, and with it
//! all that any of them has in a snapshot. When an entry of its term is committed, a majority has that log, and a majority
//! decides as ever.
//!
//! For that a snapshot must not know of more than the log that is stored with it shows: it is taken when the log ends with
//! an entry of the current term. A commit index that was stored counts for nothing.

use crate::message::Body;
use crate::quorum::VoteResult;
use crate::raft::Raft;
use crate::table::Table;
use crate::types::NodeId;

/// As long as nothing was committed in a term that has a leader.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Doubt {
    /// Nodes whose storages are gone: they have nothing that a leader could lack.
    lost: Table<NodeId, ()>,
}

impl Raft {
    /// Counts the votes for this node.
    pub(crate) fn ballot(&self, votes: &Table<NodeId, bool>) -> VoteResult {
        let conf_state = self.membership.current();
        let result = conf_state.vote_result(|id| votes.get(id).copied());
        let Some(doubt) = &self.doubt else {
            return result;
        };
        let mut voters = conf_state.voters.iter().chain(&conf_state.voters_outgoing);
        let is_for = |&id: &NodeId| votes.get(id) == Some(&true) || doubt.lost.has(id);
        match result {
            VoteResult::Won if !voters.all(is_for) => VoteResult::Pending,
            result => result,
        }
    }

    /// A voter answers from another storage than its own: that is gone.
    pub(crate) fn excuse(&mut self, from: NodeId, body: &Body) {
        if let (Some(doubt), Body::PreVoteResponse { .. }) = (&mut self.doubt, body) {
            doubt.lost.insert(from, ());
        }
    }

    /// Whether a snapshot of what was applied may be taken now.
    #[must_use]
    pub fn may_snapshot(&self) -> bool {
        !self.config.relaxed || self.log.last().term == self.hard_state.term
    }
}
