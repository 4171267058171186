//! What a model checker needs beside the interface: states that differ only in the hour are one.
//!
//! Time decides two things here: when a timer is due, and whether someone was heard within an
//! election timeout. [`Raft::forget_time`] writes all that rests on it in one form, as exactly as
//! [`Ages`] says. See `docs/model.md`.

use core::time::Duration;

use crate::raft::Raft;
use crate::random::Random;
use crate::role::Role;
use crate::types::{Instant, micros};

/// How exactly it counts how long ago something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ages {
    /// Every moment has two values, "within an election timeout" and "too long ago". A timer is due
    /// when the checker says so: it jumps to [`Raft::next_timeout`]. Heartbeats must be much more
    /// frequent than elections, or the time that they take would count.
    Coarse,
    /// Below an election timeout in whole units of this. A timer is due as soon as it may be, and no
    /// clock jumps.
    Units(Duration),
}

impl Raft {
    /// Time passes, and no timer fires.
    pub fn pass_time(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Writes what depends on the hour, on chance and on how many rounds were written before in one
    /// form, so that nodes which can do the same are equal. Only between drains.
    pub fn forget_time(&mut self, ages: Ages) {
        assert!(self.outputs.is_empty(), "drain first");
        let patience = self.config.election_timeout;
        let now = Instant(0).after(patience);
        let was = core::mem::replace(&mut self.now, now);
        let unit = match ages {
            Ages::Coarse => patience,
            Ages::Units(unit) => unit,
        };
        let heard = |moment: Instant| {
            let age = micros(was.since(moment));
            match age < micros(patience) {
                true => Instant(now.0 - age / micros(unit) * micros(unit)),
                false => Instant(0),
            }
        };
        let (soon, due) = match ages {
            Ages::Coarse => (
                now.after(self.config.heartbeat_interval),
                now.after(patience * 2),
            ),
            Ages::Units(_) => (now, now),
        };
        match &mut self.role {
            Role::Follower(follower) => {
                follower.leader = follower.leader.map(|(id, moment)| (id, heard(moment)));
                let since = follower.leader.map_or(Instant(0), |(_, moment)| moment);
                follower.deadline = due.max(since.after(patience));
            }
            Role::PreCandidate(campaign) | Role::Candidate(campaign) => campaign.deadline = due,
            Role::Leader(leader) => {
                leader.heartbeat_deadline = soon;
                let counts = self.config.quiesce_after.is_some();
                leader
                    .sleep
                    .forget_time(|since| if counts { heard(since) } else { now });
                for (_, progress) in leader.progress.iter_mut() {
                    progress.forget_time(heard, self.config.max_inflight_messages);
                }
                leader.reads.forget_time(heard);
                if let Some(transfer) = &mut leader.transfer {
                    let since = Instant(transfer.deadline.0 - micros(patience));
                    transfer.deadline = heard(since).after(patience);
                }
            }
        }
        // Without leases nobody looks at it.
        self.pledged = if self.config.lease_reads {
            heard(self.pledged)
        } else {
            now
        };
        self.random = Random::new(0);
        self.persistence.forget_round(heard);
    }
}
