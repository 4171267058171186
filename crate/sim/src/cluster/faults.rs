//! What a nemesis does to the nodes of a cluster, and what becomes of events for a node that is
//! paused or busy.

use std::collections::VecDeque;

use quorate_raft::NodeId;
use quorate_rsm::{Input, StateMachine};

use super::{Cluster, Event, Occurrence};
use crate::checker::{Violation, recovery};
use crate::clock::DRIFT_EVERY;
use crate::describe::describe;
use crate::disk::DiskProfile;
use crate::network::Address;
use crate::process::{READABLE, Timers};
use crate::situation::Situation;
use crate::trace;

/// What a node finds first of all that came while it was paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Burst {
    /// Everything as it came.
    AsItCame,
    TimersFirst,
    TimersLast,
    /// What clients ask, then what nodes say: ports have queues of their own.
    RequestsFirst,
    MessagesFirst,
}

impl Burst {
    const ALL: [Self; 5] = [
        Self::AsItCame,
        Self::TimersFirst,
        Self::TimersLast,
        Self::RequestsFirst,
        Self::MessagesFirst,
    ];

    fn rank(self, event: &Event) -> u8 {
        let is_timer = matches!(event, Event::Timer { .. });
        let is_request = matches!(event, Event::Deliver(delivery)
            if matches!(delivery.from, Address::Client(_)));
        let is_message = matches!(event, Event::Deliver(_)) && !is_request;
        match self {
            Self::AsItCame => 0,
            Self::TimersFirst => u8::from(!is_timer),
            Self::TimersLast => u8::from(is_timer),
            Self::RequestsFirst => u8::from(is_message) + 2 * u8::from(is_timer),
            Self::MessagesFirst => u8::from(is_request) + 2 * u8::from(is_timer),
        }
    }
}

impl<M: StateMachine + Default> Cluster<M> {
    /// Ends a node's run without farewell. The round of writes under way is kept or lost.
    ///
    /// # Errors
    /// The round that was kept breaks a promise.
    pub fn crash(&mut self, id: NodeId) -> Result<(), Violation> {
        if !self.is_running(id) {
            return Ok(());
        }
        self.note_crash(id);
        self.ends += 1;
        let kept = self.process_mut(id).crash();
        self.waiting.remove(id);
        let (now, value) = (self.now(), u64::from(kept.is_some()));
        self.trace.event(now, &id, trace::Event::Crash, value, || {
            if value == 1 {
                "with the round under way written".to_owned()
            } else {
                String::new()
            }
        });
        self.state.crashed(id);
        self.observer.crashed(id);
        match kept {
            Some(batch) => self.state.persisted(id, &batch),
            None => Ok(()),
        }
    }

    fn note_crash(&mut self, id: NodeId) {
        let others = self.voters.iter().filter(|&&other| other != id);
        let alive = others.filter(|&&other| self.is_running(other)).count();
        if alive == 0 {
            self.observer.note(Situation::NoNodeRuns);
        } else if alive <= self.voters.len() / 2 {
            self.observer.note(Situation::NoQuorumRuns);
        }
        let running = self.processes[id].running.as_ref().expect("it runs");
        if let Some(batch) = running.writing() {
            self.observer.note(Situation::CrashedWhileWriting);
            if batch.snapshot.as_ref().is_some_and(|m| m.clear_log) {
                self.observer.note(Situation::CrashedWhileInstalling);
            }
        }
        let status = running.node.status();
        if running.node.raft().is_leader() && status.waiting > 0 {
            self.observer.note(Situation::LeaderCrashedWithRequests);
        }
    }

    /// Starts a node that does not run. One whose disk has rotten does not start, and never will:
    /// what it promised is lost with it.
    ///
    /// # Errors
    /// It does not find what was durable, or starts all the same.
    pub fn restart(&mut self, id: NodeId) -> Result<(), Violation> {
        let process = &self.processes[id];
        if process.running.is_some() || process.lost {
            return Ok(());
        }
        let rotten = process.disk.is_rotten();
        match self.start(id) {
            Err(violation) if rotten && violation.property == READABLE => self.lose(id),
            Ok(()) if rotten => {
                let seen = format!("{id} started from a disk that has rotten");
                Err(Violation::new(READABLE, seen))
            }
            Ok(()) => self.meet(id),
            other => other,
        }
    }

    /// After every other start the nodes are told that they reach each other again.
    fn meet(&mut self, id: NodeId) -> Result<(), Violation> {
        if self.processes[id].run.is_multiple_of(2) {
            for node in self.voters.clone() {
                if !self.is_paused(node) {
                    self.handle(node, [Input::Reachable])?;
                }
            }
        }
        Ok(())
    }

    fn lose(&mut self, id: NodeId) -> Result<(), Violation> {
        self.process_mut(id).lost = true;
        self.observer.note(Situation::NodeLostForGood);
        let now = self.now();
        self.trace.event(now, &id, trace::Event::Halt, 1, || {
            "for good: what it stored is not what it wrote".to_owned()
        });
        let survivors: Vec<NodeId> = self.survivors().collect();
        recovery::check(&self.state, &self.voters, &survivors)
    }

    /// The nodes that are not lost for good.
    pub fn survivors(&self) -> impl Iterator<Item = NodeId> + '_ {
        let alive = |id: &NodeId| !self.processes[*id].lost;
        self.voters.iter().copied().filter(alive)
    }

    /// One bit on a node's disk changes for good, if the cluster can lose that node too. Whether it
    /// did.
    pub fn rot(&mut self, id: NodeId) -> bool {
        let spoiled = |id: &&NodeId| {
            let process = &self.processes[**id];
            process.lost || process.disk.is_rotten()
        };
        let spoiled = self.voters.iter().filter(spoiled).count();
        let may = spoiled < (self.voters.len() - 1) / 2 && self.all_vote();
        let process = self.process_mut(id);
        if may && !process.lost {
            process.disk.begin_to_rot();
        }
        may
    }

    /// A second process is started for a node. While the first runs, or is paused, its lock refuses.
    ///
    /// # Errors
    /// It finds no lock, and runs beside the first.
    pub fn start_twice(&mut self, id: NodeId) -> Result<(), Violation> {
        if !self.is_running(id) {
            return self.restart(id);
        }
        let run = self.processes[id].run;
        if self.process_mut(id).disk.lock() {
            let seen = format!("{id} runs twice, its first process in run {run}");
            return Err(Violation::new("One storage has one writer", seen));
        }
        self.observer.note(Situation::SecondProcessRefused);
        Ok(())
    }

    /// From its next start on, a node has other settings.
    pub fn change_settings(&mut self, id: NodeId, nth: u64) {
        let count = self.config.others.len() as u64;
        if count > 0 {
            let settings = self.config.others[(nth % count) as usize].clone();
            let process = self.process_mut(id);
            process.settings = settings;
            process.settings.raft.id = id;
            process.settings.raft.storage = process.storage;
        }
    }

    /// A node that does not run has the next version of its software.
    pub fn upgrade(&mut self, id: NodeId) {
        let process = self.process_mut(id);
        process.version = process
            .version
            .wrapping_add(u8::from(process.running.is_none()));
    }

    /// All nodes get the latest version; those that run another one crash.
    ///
    /// # Errors
    /// A crash breaks a property.
    pub fn finish_upgrades(&mut self) -> Result<(), Violation> {
        let latest = self.processes.values().map(|process| process.version).max();
        for id in self.voters.clone() {
            if Some(self.processes[id].version) != latest {
                self.crash(id)?;
                self.process_mut(id).version = latest.unwrap_or(0);
            }
        }
        Ok(())
    }

    /// A node crashes after so many effects: sends, writes, answers.
    pub fn crash_mid_step(&mut self, id: NodeId, effects: u64) {
        let process = self.process_mut(id);
        process.crash_after = process.running.is_some().then_some(effects + 1);
    }

    /// A node that was to crash in a step does not.
    pub fn spare(&mut self, id: NodeId) {
        self.process_mut(id).crash_after = None;
    }

    /// A node does nothing, while its clock goes on.
    pub fn pause(&mut self, id: NodeId) {
        let process = self.process_mut(id);
        process.paused = process.running.is_some();
    }

    /// Lets a paused node go on, unless it is frozen: everything that came meanwhile comes now. Which
    /// of what is due comes first, timers or messages, is not for a node to rely on.
    pub fn resume(&mut self, id: NodeId) {
        let process = self.process_mut(id);
        if process.frozen || !core::mem::take(&mut process.paused) {
            return;
        }
        let burst = Burst::ALL[process.draw(Burst::ALL.len() as u64) as usize];
        self.observer.resumed(id);
        let mut due = self.waiting.remove(id).unwrap_or_default();
        due.make_contiguous().sort_by_key(|event| burst.rank(event));
        self.let_go(due);
    }

    /// Each event keeps the node busy for so long, or for no time.
    pub fn slow(&mut self, id: NodeId, busy: Option<u64>) {
        let process = self.process_mut(id);
        process.slow = busy.filter(|_| process.running.is_some());
        if process.slow.is_none() && !process.paused {
            process.busy_until = 0;
            let due = self.waiting.remove(id).unwrap_or_default();
            self.let_go(due);
        }
    }

    fn let_go(&mut self, due: VecDeque<Event>) {
        let now = self.now();
        due.into_iter()
            .for_each(|event| self.queue.push(now, event));
    }

    /// The round of writes under way takes no longer than on a fair disk.
    pub fn hurry_disk(&mut self, id: NodeId) {
        let now = self.now();
        let process = &self.processes[id];
        if let Some(batch) = process.running.as_ref().and_then(|r| r.writing()) {
            let (run, seq) = (process.run, batch.seq);
            let at = now + DiskProfile::FAIR.write_min + DiskProfile::FAIR.write_mean;
            self.queue.push(at, Event::Written { node: id, run, seq });
        }
    }

    /// A node does nothing, and its clock stands still: whatever else ends, it does not go on without
    /// its clock.
    pub fn freeze(&mut self, id: NodeId) {
        self.pause(id);
        self.stop_clock(id);
        let process = self.process_mut(id);
        process.frozen = process.paused;
    }

    /// A frozen node goes on, and its clock as [`Cluster::start_clock`] says.
    ///
    /// # Errors
    /// What the node does breaks a property.
    pub fn thaw(&mut self, id: NodeId, catch_up: bool) -> Result<(), Violation> {
        self.start_clock(id, catch_up)?;
        self.process_mut(id).frozen = false;
        self.resume(id);
        Ok(())
    }

    /// A node's clock stands still.
    pub fn stop_clock(&mut self, id: NodeId) {
        let now = self.now();
        if let Some(running) = &mut self.process_mut(id).running {
            running.clock.stop(now);
        }
    }

    /// A clock that stands still goes on. Where it goes on as if nothing had been, the host finds out
    /// by another clock.
    ///
    /// # Errors
    /// What the node does breaks a property.
    pub fn start_clock(&mut self, id: NodeId, catch_up: bool) -> Result<(), Violation> {
        let now = self.now();
        if let Some(running) = &mut self.process_mut(id).running {
            running.clock.go(now, catch_up);
        }
        self.arm_anew(id);
        if catch_up {
            return Ok(());
        }
        self.handle(id, [Input::ClockStopped])
    }

    /// A node's clock jumps forward.
    pub fn jump_clock(&mut self, id: NodeId, by: u64) {
        let now = self.now();
        if let Some(running) = &mut self.process_mut(id).running {
            running.clock.jump(now, by);
        }
        self.arm_anew(id);
    }

    /// How a node's timers fire, if not as everyone's.
    pub fn set_timers(&mut self, id: NodeId, timers: Option<Timers>) {
        self.process_mut(id).timers = timers;
        self.arm_anew(id);
    }

    /// Two nodes lose their connection, and are told. So is a node by itself, where the other one runs no more.
    ///
    /// # Errors
    /// What they do breaks a property.
    pub fn disconnect(&mut self, a: NodeId, b: NodeId) -> Result<(), Violation> {
        for (id, peer) in [(a, b), (b, a)] {
            if !self.is_paused(id) {
                self.lose_sight(id, peer)?;
            }
        }
        Ok(())
    }

    pub(super) fn drift(&mut self, id: NodeId, run: u64) {
        let (now, profile) = (self.now(), self.config.clock);
        let process = self.process_mut(id);
        if process.run != run || process.running.is_none() {
            return;
        }
        let changed = process.drift(profile, now);
        self.queue
            .push(now + DRIFT_EVERY, Event::Drift { node: id, run });
        if changed {
            self.arm_anew(id);
        }
    }

    fn arm_anew(&mut self, id: NodeId) {
        self.process_mut(id).disarm();
        self.arm(id);
    }

    /// An event for a node, if it can take it now; otherwise it waits.
    pub(super) fn admit(&mut self, id: NodeId, event: Event) -> Option<Event> {
        let now = self.now();
        let process = self.processes.get_mut(id).expect("a node of this cluster");
        if process.paused {
            self.waiting.or_default(id).push_back(event);
            return None;
        }
        let Some(busy) = process.slow else {
            return Some(event);
        };
        let waiting = self.waiting.or_default(id);
        if waiting.is_empty() && process.busy_until <= now {
            process.busy_until = now + busy;
            return Some(event);
        }
        if waiting.is_empty() {
            let (at, run) = (process.busy_until, process.run);
            self.queue.push(at, Event::Ready { node: id, run });
        }
        waiting.push_back(event);
        None
    }

    /// A slow node takes the next event.
    pub(super) fn ready(&mut self, id: NodeId, run: u64) -> Result<Occurrence, Violation> {
        let now = self.now();
        let process = self.processes.get_mut(id).expect("a node of this cluster");
        let (Some(busy), false) = (process.slow, process.paused || process.run != run) else {
            return Ok(Occurrence::Internal);
        };
        let waiting = self.waiting.or_default(id);
        let event = waiting.pop_front();
        process.busy_until = now + busy;
        if !waiting.is_empty() {
            let at = process.busy_until;
            self.queue.push(at, Event::Ready { node: id, run });
        }
        if let Some(event) = event {
            if let (Some(film), Event::Deliver(delivery)) = (&mut self.film, &event) {
                let text = describe(delivery.from, &delivery.frame);
                film.took(id, delivery.flights, text);
            }
            self.perform(event)?;
        }
        Ok(Occurrence::Internal)
    }

    /// What an event does to its node.
    pub(super) fn perform(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Deliver(delivery) => self.take(delivery),
            Event::Timer { node, run, local } => self.fire(node, run, local),
            Event::Written { node, run, seq } => self.written(node, run, seq),
            Event::Spoiled { .. }
            | Event::Ready { .. }
            | Event::Beat
            | Event::Drift { .. }
            | Event::Gone
            | Event::Wake(_) => {
                unreachable!("only what is for a node waits")
            }
        }
    }
}
