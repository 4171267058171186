//! The course of a world that is lived to its end, in pieces: what is to come between two events is kept as tasks, so that whoever watches
//! can stop after any event.

use quorate_raft::{EntryId, Term};

use super::{Failure, LOOK_EVERY, Wake, World, micros};
use crate::checker::liveness;
use crate::cluster::Traffic;
use crate::workload::WATCH_ATTEMPTS;

/// What is to come, the next one last.
pub(super) type Course = Vec<Task>;

/// Something between two events, or a time that passes. Times in virtual microseconds.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// Events come, up to this time.
    Until(u64),
    /// The faults stop.
    CalmDown,
    /// Each client asks for one put that must be answered.
    Prove,
    /// All come to agree, and all calls to an end.
    Agree,
    /// Whether they have; since when, and within which time they must.
    Agreed { since: u64, bound: u64 },
    /// In a fair world without calls nothing changes, once requests that were held up on their way have come.
    Quiet,
    /// Whether it was so; what was there before, and how many requests had been taken.
    Quieted {
        before: Vec<(Term, EntryId)>,
        taken: u64,
    },
    /// Where idle groups sleep a fair world is silent in the end, unless a node is lost for good.
    Silence,
    /// All fall asleep, when nothing is written any more.
    Settle,
    /// They have had the time for it.
    Settled { taken: u64 },
    /// Whether nothing was sent.
    Silent { taken: u64, before: Traffic },
    /// Requests come late, of calls that have ended.
    Late,
    /// What can only be said at the end.
    Judge,
}

impl World {
    /// Begins, with all that is to come until the end.
    pub(crate) fn set_out(&mut self) -> Result<(), Failure> {
        self.begin()?;
        self.course = Some(vec![
            Task::Judge,
            Task::Late,
            // Once more: a snapshot that was put off while another was written is due with an entry.
            Task::Quiet,
            Task::Agree,
            Task::Prove,
            Task::Silence,
            Task::Quiet,
            Task::Agree,
            Task::CalmDown,
            Task::Until(self.shape.torment),
        ]);
        self.go_on()
    }

    /// Whether another event is to come, as far as its course says.
    pub(super) fn is_under_way(&self) -> bool {
        self.course.as_ref().is_none_or(|tasks| !tasks.is_empty())
    }

    /// Does what comes before the next event.
    pub(super) fn go_on(&mut self) -> Result<(), Failure> {
        while let Some(task) = self.course.as_mut().and_then(Vec::pop) {
            if let Task::Until(end) = task {
                if self.cluster.next_at().is_some_and(|at| at <= end) {
                    self.then(task);
                    return Ok(());
                }
            } else {
                self.perform_task(task)?;
            }
        }
        Ok(())
    }

    /// This comes next.
    fn then(&mut self, task: Task) {
        self.course.get_or_insert_default().push(task);
    }

    fn perform_task(&mut self, task: Task) -> Result<(), Failure> {
        let raft = &self.shape.cluster.node.raft;
        let (timeout, patience) = (raft.election_timeout, raft.quiesce_after);
        match task {
            Task::Until(_) => {}
            Task::CalmDown => return self.calm_down(),
            Task::Prove => return self.prove_all(),
            Task::Judge => return self.judge(),
            Task::Agree => {
                let backlog = liveness::backlog(&self.statuses());
                let bound = liveness::bound(timeout, backlog + self.chunks());
                let longest_ms = self.history.store.longest_lease_ms();
                let park_timeout = WATCH_ATTEMPTS * self.shape.cluster.node.park_timeout;
                let bound = micros(bound + liveness::store_bound(longest_ms, park_timeout));
                let since = self.cluster.now();
                self.then(Task::Agreed { since, bound });
            }
            Task::Agreed { since, bound } => return self.look(since, bound),
            Task::Quiet => {
                let (before, taken) = (self.lasts(), self.cluster.taken());
                self.then(Task::Quieted { before, taken });
                self.pass(micros(liveness::quiet(timeout)));
            }
            Task::Quieted { before, taken } => {
                let after = self.lasts();
                if before == after {
                    return Ok(());
                }
                if self.cluster.taken() == taken {
                    let (before, after) = (in_words(&before), in_words(&after));
                    let seen = format!("a quiet world moved from {before} to {after}");
                    return Err(Failure::Liveness(seen));
                }
                // What they began, a lease for example, has to end, too.
                self.then(Task::Quiet);
                self.then(Task::Agree);
            }
            Task::Silence => {
                if patience.is_some() && self.is_whole() {
                    self.then(Task::Settle);
                }
            }
            // A snapshot may take thousands of rounds.
            Task::Settle if self.cluster.is_writing() => {
                self.then(Task::Settle);
                self.pass(LOOK_EVERY);
            }
            Task::Settle => {
                let taken = self.cluster.taken();
                self.then(Task::Settled { taken });
                let patience = patience.unwrap_or_default();
                self.pass(micros(liveness::asleep(patience, timeout)));
            }
            Task::Settled { taken } => {
                let before = self.cluster.traffic;
                self.then(Task::Silent { taken, before });
                self.pass(micros(liveness::quiet(timeout)));
            }
            Task::Silent { taken, before } => {
                let after = self.cluster.traffic;
                if before == after {
                    return Ok(());
                }
                if self.cluster.taken() == taken {
                    let frames = after.frames - before.frames;
                    let seen = format!("where all should sleep {frames} frames were sent");
                    return Err(Failure::Liveness(seen));
                }
                self.then(Task::Settle);
                self.then(Task::Agree);
            }
            Task::Late => {
                if self.cluster.is_asked() {
                    let parked = liveness::store_bound(0, self.shape.cluster.node.park_timeout);
                    self.pass(micros(timeout + parked));
                }
            }
        }
        Ok(())
    }

    /// Looks whether all agree and all calls have ended, until they do.
    fn look(&mut self, since: u64, bound: u64) -> Result<(), Failure> {
        let passed = self.cluster.now() - since;
        let Some(open) = self.open_business() else {
            self.recovery.get_or_insert(passed);
            return Ok(());
        };
        if passed >= bound {
            return Err(Failure::Liveness(format!(
                "{passed} µs after the last fault: {open}"
            )));
        }
        self.cluster.restore_members()?;
        let revision = self.history.store.revision();
        for user in 0..self.users.len() {
            if self.users[user].open() == 0 && self.users[user].is_busy(revision) {
                self.call(user)?;
            }
        }
        self.then(Task::Agreed { since, bound });
        self.pass(LOOK_EVERY);
        Ok(())
    }

    /// Time passes.
    fn pass(&mut self, time: u64) {
        self.wake_in(time, Wake::Look);
        self.then(Task::Until(self.cluster.now() + time));
    }

    /// Whether no node is lost for good.
    pub(super) fn is_whole(&self) -> bool {
        self.cluster.survivors().count() == self.cluster.voters().len()
    }
}

/// Terms, and with which entries logs end.
fn in_words(lasts: &[(Term, EntryId)]) -> String {
    let words: Vec<String> = lasts
        .iter()
        .map(|(term, last)| format!("{term} ({last})"))
        .collect();
    words.join(", ")
}
