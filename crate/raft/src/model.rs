//! What a model checker needs beside the interface: states that differ only in the hour are one.
//!
//! Time decides two things here: when a timer is due, and whether someone was heard within an
//! election timeout. So every moment has two values that matter, "within" and "too long ago", and
//! [`Raft::forget_time`] writes them in one form. A timer is due when the checker says so: it jumps
//! to [`Raft::next_timeout`]. Heartbeats must be much more frequent than elections, or the time
//! that they take would count. See `docs/model.md`.

use crate::raft::Raft;
use crate::random::Random;
use crate::role::Role;
use crate::types::Instant;

impl Raft {
    /// An election timeout passes, and no timer fires.
    pub fn pass_time(&mut self) {
        self.now = self.now.after(self.config.election_timeout);
    }

    /// Writes what depends on the hour, on chance and on how many rounds were written before in one
    /// form, so that nodes which can do the same are equal. Only between drains.
    pub fn forget_time(&mut self) {
        assert!(self.outputs.is_empty(), "drain first");
        let patience = self.config.election_timeout;
        let now = Instant(0).after(patience);
        let later = now.after(patience * 2);
        let was = core::mem::replace(&mut self.now, now);
        let heard = |moment: Instant| {
            if was < moment.after(patience) {
                now
            } else {
                Instant(0)
            }
        };
        match &mut self.role {
            Role::Follower(follower) => {
                follower.deadline = later;
                follower.leader = follower.leader.map(|(id, moment)| (id, heard(moment)));
            }
            Role::PreCandidate(campaign) | Role::Candidate(campaign) => campaign.deadline = later,
            Role::Leader(leader) => {
                leader.heartbeat_deadline = now.after(self.config.heartbeat_interval);
                for (_, progress) in leader.progress.iter_mut() {
                    progress.forget_time(heard, self.config.max_inflight_messages);
                }
                leader.reads.forget_time(heard);
                if let Some(transfer) = &mut leader.transfer {
                    let late = transfer.deadline <= was;
                    transfer.deadline = if late { now } else { now.after(patience) };
                }
            }
        }
        self.pledged = heard(self.pledged);
        self.random = Random::new(0);
        self.persistence.forget_round(heard);
    }
}
