//! How a world ends: the faults stop, it becomes live, stays quiet, and is judged.

use core::time::Duration;

use bytes::Bytes;
use quorate_raft::{EntryId, NodeId, Term};
use quorate_rsm::StateMachine;

use super::{Failure, World};
use crate::checker::linearizability::{self, Verdict};
use crate::checker::{Violation, liveness, recovery};
use crate::trace;
use crate::workload::User;

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

    pub(super) fn open_business(&self) -> Option<String> {
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

    /// How many chunks the state has at most, each of which may have to travel alone to whoever lacks it.
    pub(super) fn chunks(&self) -> u64 {
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

    pub(super) fn lasts(&self) -> Vec<(Term, EntryId)> {
        let statuses = self.statuses().into_iter().flatten();
        statuses.map(|status| (status.term, status.last)).collect()
    }

    /// What can only be said at the end.
    pub(super) fn judge(&mut self) -> Result<(), Failure> {
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
            Verdict::Linearizable => Ok(()),
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
