//! How a world ends: the faults stop, it becomes live, stays quiet, and is judged.

use core::time::Duration;

use bytes::Bytes;
use quorate_raft::{EntryId, NodeId, Term};
use quorate_rsm::StateMachine;

use super::{Failure, LOOK_EVERY, Summary, Wake, World, micros};
use crate::checker::linearizability::{self, Verdict};
use crate::checker::{Violation, liveness, recovery};
use crate::trace;
use crate::workload::{User, WATCH_ATTEMPTS};

impl World {
    /// The faults stop. Each client asks for one put that must be answered.
    pub(super) fn calm_down(&mut self) -> Result<(), Failure> {
        self.nemesis.stop(&mut self.cluster)?;
        self.calm = true;
        if self.shape.notices {
            self.notify()?;
        }
        self.prove_all()
    }

    pub(super) fn prove_all(&mut self) -> Result<(), Failure> {
        for user in self.callers() {
            self.prove(user);
            self.drain(user)?;
        }
        Ok(())
    }

    pub(super) fn prove(&mut self, user: usize) {
        let (now, timeout) = (self.cluster.now(), Duration::from_secs(60));
        let tag = self.users[user].call_put(now, timeout, &mut self.history);
        self.trace_call(user, trace::Event::Call, tag);
        self.film_call(user, tag);
        self.proofs.insert(tag, user);
    }

    /// Runs until all agree and all calls have ended; how long that took.
    pub(super) fn await_agreement(&mut self) -> Result<u64, Failure> {
        let start = self.cluster.now();
        let election_timeout = self.shape.cluster.node.raft.election_timeout;
        let backlog = liveness::backlog(&self.statuses());
        let bound = liveness::bound(election_timeout, backlog + self.chunks());
        let longest_ms = self.history.store.longest_lease_ms();
        let park_timeout = WATCH_ATTEMPTS * self.shape.cluster.node.park_timeout;
        let bound = micros(bound + liveness::store_bound(longest_ms, park_timeout));
        loop {
            let passed = self.cluster.now() - start;
            let Some(open) = self.open_business() else {
                return Ok(passed);
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
            self.pass(LOOK_EVERY)?;
        }
    }

    fn open_business(&self) -> Option<String> {
        let survivors: Vec<NodeId> = self.cluster.survivors().collect();
        if !recovery::must_recover(self.cluster.voters(), &survivors) {
            return None;
        }
        if let Some(open) = liveness::disagreement(&self.statuses()) {
            return Some(open);
        }
        let whole = survivors.len() == self.cluster.voters().len();
        if whole && !self.cluster.all_vote() {
            return Some("not all have their votes".to_owned());
        }
        let open: usize = self.users.iter().map(User::open).sum();
        if !self.users.iter().all(User::is_idle) {
            let puts = self.proofs.len();
            return Some(format!("{open} calls are open, of them {puts} puts"));
        }
        let leases = self.history.store.open_leases();
        if leases > 0 {
            return Some(format!("{leases} leases have not ended"));
        }
        let revision = self.history.store.revision();
        let busy = self.users.iter().filter(|user| user.is_busy(revision));
        let busy = busy.count();
        (busy > 0).then(|| format!("{busy} users have not come to an end"))
    }

    /// In a fair world without calls nothing changes, once requests that were held up on their way have come.
    pub(super) fn await_quiet(&mut self) -> Result<(), Failure> {
        loop {
            let (before, taken) = (self.lasts(), self.cluster.taken());
            let timeout = self.shape.cluster.node.raft.election_timeout;
            self.pass(micros(liveness::quiet(timeout)))?;
            let after = self.lasts();
            if before == after {
                return Ok(());
            }
            if self.cluster.taken() == taken {
                return Err(Failure::Liveness(format!(
                    "a quiet world moved from {before:?} to {after:?}"
                )));
            }
            // What they began, a lease for example, has to end, too.
            self.await_agreement()?;
        }
    }

    /// Where idle groups sleep a fair world is silent in the end, unless a node is lost for good.
    pub(super) fn await_silence(&mut self) -> Result<(), Failure> {
        let raft = &self.shape.cluster.node.raft;
        let (patience, timeout) = (raft.quiesce_after, raft.election_timeout);
        let whole = self.cluster.survivors().count() == self.cluster.voters().len();
        let Some(patience) = patience.filter(|_| whole) else {
            return Ok(());
        };
        loop {
            // A snapshot may take thousands of rounds.
            while self.cluster.is_writing() {
                self.pass(LOOK_EVERY)?;
            }
            let taken = self.cluster.taken();
            self.pass(micros(liveness::asleep(patience, timeout)))?;
            let before = self.cluster.traffic;
            self.pass(micros(liveness::quiet(timeout)))?;
            let after = self.cluster.traffic;
            if before == after {
                return Ok(());
            }
            if self.cluster.taken() == taken {
                let seen = format!("where all should sleep {before:?} became {after:?}");
                return Err(Failure::Liveness(seen));
            }
            self.await_agreement()?;
        }
    }

    fn pass(&mut self, time: u64) -> Result<(), Failure> {
        self.wake_in(time, Wake::Look);
        self.run_until(self.cluster.now() + time)
    }

    /// How many chunks the state has at most, each of which may have to travel alone to whoever lacks it.
    fn chunks(&self) -> u64 {
        let config = &self.shape.cluster;
        let sizes = config.others.iter().chain([&config.node]);
        let least = sizes
            .map(|node| node.snapshot_chunk_bytes)
            .min()
            .unwrap_or(1);
        let voters = self.cluster.voters().iter();
        let states = voters.filter_map(|id| self.cluster.machine_bytes(*id));
        let bytes = |state: Vec<Bytes>| state.iter().map(Bytes::len).sum::<usize>();
        states
            .map(bytes)
            .max()
            .map_or(0, |most| (most / least) as u64)
    }

    fn lasts(&self) -> Vec<(Term, EntryId)> {
        let statuses = self.statuses().into_iter().flatten();
        statuses.map(|status| (status.term, status.last)).collect()
    }

    /// What can only be said at the end.
    pub(super) fn judge(&mut self, recovery: u64) -> Result<Summary, Failure> {
        if self.cluster.is_asked() {
            // By requests that came late, of calls that have ended.
            let node = &self.shape.cluster.node;
            let parked = liveness::store_bound(0, node.park_timeout);
            self.pass(micros(node.raft.election_timeout + parked))?;
        }
        self.cluster.check_all()?;
        self.cluster.check_quiet()?;
        let survivors: Vec<NodeId> = self.cluster.survivors().collect();
        let state = |id: &NodeId| {
            let status = self.cluster.status(*id).map(|s| (s.sessions, s.time_ms));
            (status, self.cluster.machine_bytes(*id))
        };
        let states: Vec<_> = survivors.iter().map(state).collect();
        if let Some(other) = states.iter().position(|state| *state != states[0]) {
            let seen = format!("{} and {} differ", survivors[0], survivors[other]);
            return Err(Violation::new("State Machine Safety", seen).into());
        }
        if recovery::must_recover(self.cluster.voters(), &survivors) {
            self.history.check_end()?;
            let machine = self.cluster.machine(survivors[0]).expect("a survivor runs");
            self.history
                .store
                .check_whole(|query| machine.query(&query.encode()))?;
        }
        for tag in self.history.never() {
            if let Some(index) = self.cluster.state.applied().index_of(*tag) {
                let seen = format!("call {tag} ended as not applied, and was executed at {index}");
                return Err(Violation::new("Not applied means never", seen).into());
            }
        }
        match linearizability::check(&self.history.operations()) {
            Verdict::Linearizable => Ok(Summary {
                recovery,
                ..self.summary()
            }),
            Verdict::Illegal { key } => {
                let seen = format!("no order explains what clients saw of key {key}");
                Err(Violation::new("Linearizability", seen).into())
            }
            // The order of execution was tried first, and must be one that explains everything.
            Verdict::Undecided { key } => {
                let seen = format!("what clients saw of key {key} is not the order of execution");
                Err(Violation::new("Linearizability", seen).into())
            }
        }
    }
}
