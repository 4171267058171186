//! Idle groups go quiet, and wake on demand.
//!
//! A leader that had nothing to do for a while tells all members to sleep, in place of a heartbeat. Who has
//! the same log, all of it committed, acknowledges, and lets no election time out any more. When all
//! members have, the leader sleeps, too, and nobody says anything. If one does not, all stay awake.
//!
//! ```text
//!            idle for quiesce_after            all acknowledged
//!   ┌───────┐ ──────────────────────▶ ┌────────┐ ───────────▶ ┌────────┐
//!   │ awake │                         │ asking │              │ asleep │
//!   └───────┘ ◀────────────────────── └────────┘              └────────┘
//!       ▲      something to do, or an election timeout             │
//!       └───────────────── something to do ────────────────────────┘
//! ```
//! A leader wakes by what it is asked, and speaks to all at once: with an entry, a round, or heartbeats. It
//! counts from then on whether it hears a quorum, and what it was told before it slept is no lease.
//! Whoever is asked for a vote wakes, too: there is one who knows no leader. So one that starts wakes
//! those it asks, the leader among them, which answers with heartbeats.
//!
//! Safety rests on terms, logs and votes as ever. That a leader's end is noticed rests on the host:
//! a sleeping follower runs for leader when it is told that this peer is gone, or when another does.

use crate::message::Body;
use crate::persistence::RestsOn;
use crate::progress::{Mode, Progress};
use crate::raft::Raft;
use crate::role::{Follower, Role};
use crate::table::Table;
use crate::types::{EntryId, Index, Instant, NodeId};

/// Whether a leader speaks.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Sleep {
    /// Something was to do at this moment, and perhaps nothing since.
    Awake { since: Instant },
    /// All are told to sleep.
    Asking(Box<Asking>),
    /// Nobody speaks.
    Asleep,
}

/// A leader's question whether all sleep.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Asking {
    since: Instant,
    /// In which round it was asked first.
    first: u64,
    /// Who does since.
    asleep: Table<NodeId, ()>,
}

impl Raft {
    /// Whether this node lets time pass until there is something to do.
    pub(crate) fn is_asleep(&self) -> bool {
        match &self.role {
            Role::Leader(leader) => matches!(leader.sleep, Sleep::Asleep),
            Role::Follower(follower) => follower.asleep.is_some(),
            Role::PreCandidate(_) | Role::Candidate(_) => false,
        }
    }

    /// There is something to do, about which a leader speaks to all by itself. Whether it was asleep.
    pub(crate) fn stir(&mut self) -> bool {
        if self.config.quiesce_after.is_none() {
            return false;
        }
        let slept = self.is_asleep();
        if let Role::Leader(leader) = &mut self.role {
            leader.sleep = Sleep::Awake { since: self.now };
        }
        slept && self.wake()
    }

    /// Ends a sleep. Whether it was a leader's.
    fn wake(&mut self) -> bool {
        let (now, next) = (self.now, self.next_heartbeat());
        let Role::Leader(leader) = &mut self.role else {
            // The leader's word held until now.
            let leader = self.leader().map(|id| (id, now));
            self.role = Role::Follower(Follower::new(leader, self.random_deadline()));
            return false;
        };
        // Nobody was silent while nobody was asked.
        for (_, progress) in leader.progress.iter_mut() {
            progress.last_heard = now;
        }
        leader.heartbeat_deadline = next;
        self.flush_due = true;
        true
    }

    /// There is something to do, about which nobody else would hear: a leader that was asleep tells all
    /// that it is there.
    pub(crate) fn rouse(&mut self) {
        if self.stir() {
            self.send_heartbeats();
        }
    }

    /// Whether a leader whose heartbeats are due may tell all to sleep instead.
    pub(crate) fn may_sleep(&mut self) -> bool {
        let Some(patience) = self.config.quiesce_after else {
            return false;
        };
        let (now, timeout, idle) = (self.now, self.config.election_timeout, self.is_idle());
        let Role::Leader(leader) = &mut self.role else {
            return false;
        };
        let may = match &leader.sleep {
            _ if !idle => false,
            Sleep::Awake { since } if now < since.after(patience) => return false,
            // Someone does not: then nobody does.
            Sleep::Asking(asking) => now < asking.since.after(timeout),
            Sleep::Awake { .. } | Sleep::Asleep => true,
        };
        if !may {
            leader.sleep = Sleep::Awake { since: now };
        }
        may
    }

    /// Whether nothing is to do for this leader, as far as it can tell.
    fn is_idle(&self) -> bool {
        let Role::Leader(leader) = &self.role else {
            return false;
        };
        let last = self.log.last().index;
        let conf_state = self.membership.current();
        let has_all = |progress: &Progress| {
            matches!(progress.mode, Mode::Replicate(_))
                && progress.matched == last
                && progress.notified_commit == last
                && progress.amnesiac().is_none()
                && self.now < progress.last_heard.after(self.config.election_timeout)
        };
        // Invariant: applied <= commit <= last.
        self.applied == last
            && self.persistence.persisted() == last
            && self.persistence.writing_since().is_none()
            && !conf_state.is_joint()
            && conf_state.joining.is_empty()
            && leader.transfer.is_none()
            && leader.reads.pending() == 0
            && leader
                .progress
                .iter()
                .all(|(_, progress)| has_all(progress))
    }

    /// Tells all to sleep.
    pub(crate) fn send_sleep(&mut self) {
        let (now, next, last) = (self.now, self.next_heartbeat(), self.log.last().index);
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        leader.heartbeat_deadline = next;
        let round = leader.reads.begin_round(now);
        if let Sleep::Awake { .. } = leader.sleep {
            leader.sleep = Sleep::Asking(Box::new(Asking {
                since: now,
                first: round,
                asleep: Table::default(),
            }));
        }
        let peers: Vec<NodeId> = leader.progress.keys().collect();
        for peer in peers {
            self.send(peer, Body::Sleep { last, round });
        }
    }

    /// Whether a leader said this before it told this follower to sleep.
    pub(crate) fn has_slept_since(&self, round: u64) -> bool {
        match &self.role {
            Role::Follower(follower) => follower.asleep.is_some_and(|asleep| round < asleep),
            Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => false,
        }
    }

    /// The leader has nothing to do, and its log ends at `last`, all of it committed.
    pub(crate) fn handle_sleep(&mut self, from: NodeId, last: Index, round: u64) {
        let same = self.log.last() == EntryId::new(self.hard_state.term, last);
        if !same || self.forwarded.is_open() || self.config.quiesce_after.is_none() {
            return self.handle_heartbeat(from, last, Some(round));
        }
        self.set_commit(last);
        if let Role::Follower(follower) = &mut self.role {
            follower.asleep = Some(round);
        }
        self.send_when(RestsOn::HardState, from, Body::SleepResponse { round });
    }

    /// A member sleeps. When all do, and nothing has come up, so does the leader.
    pub(crate) fn handle_sleep_response(&mut self, from: NodeId, round: u64) {
        self.handle_heartbeat_response(from, round);
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        if let Sleep::Asking(asking) = &mut leader.sleep
            && round >= asking.first
            && leader.progress.has(from)
        {
            asking.asleep.insert(from, ());
            if asking.asleep.len() == leader.progress.len() {
                leader.sleep = Sleep::Asleep;
                leader.reads.void_lease();
            }
        }
    }
}

#[cfg(feature = "model")]
impl Sleep {
    /// What it began was at another moment.
    pub(crate) fn forget_time(&mut self, moment: impl Fn(Instant) -> Instant) {
        match self {
            Self::Awake { since } => *since = moment(*since),
            Self::Asking(asking) => asking.since = moment(asking.since),
            Self::Asleep => {}
        }
    }
}
