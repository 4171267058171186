//! The whole cluster at one moment, and what can happen next.

use core::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{Body, ConfState, Index, Message, NodeId, Payload, RoleKind, StorageId, Term};

use crate::action::{Action, Entries};
use crate::bounds::{Bounds, Clocks, Delivery, Elections, Start};
use crate::digest::digest;
use crate::history::History;
use crate::law::{Situation, Violation};
use crate::network::Network;
use crate::process::{Event, Process};

/// A state of the exploration. Two are the same if their fingerprints are.
#[derive(Clone)]
pub struct World {
    nodes: Vec<Arc<Process>>,
    network: Network,
    history: Arc<History>,
    left: Left,
    broken: Option<Violation>,
    digest: u64,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, Hash)]
struct Left {
    proposals: u8,
    crashes: u8,
    snapshots: u8,
    changes: u8,
    transfers: u8,
    heartbeats: u8,
    reads: u8,
    ticks: u8,
    freezes: u8,
    timeouts: u8,
    duplicates: u8,
}

impl World {
    /// As `bounds` say that it begins.
    #[must_use]
    pub fn new(bounds: &Bounds) -> Self {
        let world = Self::empty(bounds);
        match bounds.start {
            Start::Empty => world,
            Start::Led => world.led(bounds),
        }
    }

    /// A cluster that has never run.
    fn empty(bounds: &Bounds) -> Self {
        let ids = (1..=bounds.nodes).map(NodeId);
        let conf_state = |id| match id <= NodeId(bounds.voters) {
            true => ConfState::new((1..=bounds.voters).map(NodeId)),
            false => ConfState::default(),
        };
        let duplicates = match bounds.network {
            Delivery::Any => 0,
            Delivery::Once { duplicates, .. } => duplicates,
        };
        let (ticks, freezes) = match bounds.clocks {
            Clocks::Together { ticks, freezes } => (ticks, freezes),
            Clocks::Any | Clocks::Slow | Clocks::Still => (0, 0),
        };
        let mut world = Self {
            nodes: ids
                .map(|id| Arc::new(Process::new(id, conf_state(id), bounds.clocks)))
                .collect(),
            network: Network::default(),
            history: Arc::default(),
            left: Left {
                proposals: bounds.proposals,
                crashes: bounds.crashes,
                snapshots: bounds.snapshots,
                changes: bounds.changes.len() as u8,
                transfers: bounds.transfers,
                heartbeats: bounds.heartbeats,
                reads: bounds.reads,
                ticks,
                freezes,
                timeouts: match bounds.elections {
                    Elections::Few(timeouts) => timeouts,
                    Elections::Asked | Elections::Forced => 0,
                },
                duplicates,
            },
            broken: None,
            digest: 0,
        };
        world.settle();
        world
    }

    /// The same cluster when node 1 has been elected, and all that it said was heard: long ago, or
    /// where clocks go on together just now. The others are as alike as before.
    fn led(mut self, bounds: &Bounds) -> Self {
        let first = NodeId(1);
        self.pass_time();
        let world = self.after(&Action::Campaign(first), bounds);
        let mut world = world.expect("any voter may campaign").heard(bounds);
        match bounds.clocks.are_together() {
            true => {
                let beat = world.step(first, Event::Timer, bounds);
                beat.expect("a leader sends heartbeats");
                world = world.heard(bounds);
            }
            false => world.pass_time(),
        }
        for node in &mut world.nodes {
            let node = Arc::make_mut(node);
            node.touched = node.raft().is_leader();
        }
        world.settle();
        world
    }

    /// When all messages have arrived, and the answers to them.
    fn heard(self, bounds: &Bounds) -> Self {
        let mut world = self;
        while let Some(message) = world.network.pop() {
            let heard = world.after(&Action::Deliver(message), bounds);
            world = heard.unwrap_or(world);
        }
        world
    }

    fn pass_time(&mut self) {
        for node in &mut self.nodes {
            Arc::make_mut(node).pass_time();
        }
        self.settle();
    }

    /// The law that the last step broke.
    #[must_use]
    pub fn broken(&self) -> Option<&Violation> {
        self.broken.as_ref()
    }

    /// The nodes, in the order of their ids.
    pub fn nodes(&self) -> impl Iterator<Item = &Process> {
        self.nodes.iter().map(AsRef::as_ref)
    }

    /// The same for the same states.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether this is to be seen here.
    #[must_use]
    pub fn shows(&self, situation: Situation) -> bool {
        let committed = self.history.committed();
        match situation {
            Situation::Elected => self.nodes.iter().any(|node| node.raft().is_leader()),
            Situation::CommittedByAll => committed.iter().any(|known| {
                matches!(known.entry.payload, Payload::Command(_))
                    && self
                        .nodes
                        .iter()
                        .all(|node| node.raft().commit() >= known.entry.id.index)
            }),
            Situation::SecondLeaderCommits => {
                let first = committed.first().map(|known| known.by);
                committed.iter().any(|known| Some(known.by) != first)
            }
            Situation::Changed => committed.iter().any(|known| match &known.entry.payload {
                Payload::Membership(conf_state) => {
                    !conf_state.is_joint() && conf_state.joining.is_empty()
                }
                Payload::Noop | Payload::Command(_) => false,
            }),
            Situation::Installed
            | Situation::Answered
            | Situation::AnsweredByFollower
            | Situation::AnsweredUnderLease
            | Situation::AnsweredAfterSecond => self.history.shows(situation),
        }
    }

    /// All that can happen next.
    pub fn actions(&self, bounds: &Bounds, actions: &mut Vec<Action>) {
        if self.broken.is_some() {
            return;
        }
        // Voters to which nothing has happened are alike, unless a change will name them: the lowest
        // of them goes first.
        let is_alike = |at: usize| {
            let id = NodeId(at as u64 + 1);
            let named = bounds
                .changes
                .concat()
                .iter()
                .any(|change| change.id() == id);
            !self.nodes[at].touched && id.0 <= bounds.voters && !named
        };
        let first = (0..self.nodes.len()).find(|at| is_alike(*at));
        let is_next = |at: usize| !is_alike(at) || Some(at) == first;
        for (at, node) in self.nodes.iter().enumerate().filter(|(at, _)| is_next(*at)) {
            self.node_actions(node, NodeId(at as u64 + 1), bounds, actions);
        }
        if self.left.ticks > 0 {
            actions.push(Action::Tick);
        }
        let arriving = self
            .network
            .iter()
            .filter(|message| is_next(message.to.0 as usize - 1));
        for message in arriving {
            actions.push(Action::Deliver(Arc::clone(message)));
            if self.left.duplicates > 0 {
                actions.push(Action::Duplicate(Arc::clone(message)));
            }
        }
    }

    fn node_actions(&self, node: &Process, id: NodeId, bounds: &Bounds, actions: &mut Vec<Action>) {
        let raft = node.raft();
        if node.is_writing() {
            actions.push(Action::Persisted(id));
        }
        if self.left.crashes > 0 && node.touched {
            actions.push(Action::Crash(id));
            if node.is_writing() {
                actions.push(Action::CrashAfterWrite(id));
            }
        }
        match node.role() {
            RoleKind::Leader => {
                if self.left.heartbeats > 0 {
                    actions.push(Action::Heartbeat(id));
                }
                if bounds.heartbeats > 0 && !bounds.clocks.are_together() {
                    actions.push(Action::Silence(id));
                }
                if self.left.proposals > 0 {
                    actions.push(Action::Propose(id));
                }
                if self.left.changes > 0 {
                    actions.push(Action::Change(id));
                }
                if self.left.transfers > 0 {
                    let others = (1..=bounds.nodes).map(NodeId).filter(|to| *to != id);
                    actions.extend(others.map(|to| Action::Transfer(id, to)));
                }
            }
            RoleKind::Follower | RoleKind::PreCandidate | RoleKind::Candidate
                if raft.term().0 >= bounds.terms => {}
            RoleKind::Follower if bounds.elections == Elections::Forced => {
                actions.push(Action::Campaign(id));
            }
            RoleKind::Follower | RoleKind::PreCandidate | RoleKind::Candidate => {
                if bounds.elections == Elections::Asked || self.left.timeouts > 0 {
                    actions.push(Action::Timeout(id));
                }
            }
        }
        if bounds.clocks == Clocks::Any && raft.leader().is_some() {
            actions.push(Action::Lapse(id));
        }
        let leads = raft.is_leader();
        if self.left.reads > 0
            && (leads || raft.leader().is_some() && !bounds.clocks.are_together())
        {
            actions.push(Action::Read(id));
        }
        if self.left.ticks > 0 && self.left.freezes > 0 {
            actions.push(Action::Freeze(id));
        }
        if self.left.snapshots > 0 && raft.applied().index > raft.snapshot().last.index {
            actions.push(Action::Snapshot(id));
        }
    }

    /// The world after `action`; `None` if it changes nothing, or leads beyond the bounds.
    #[must_use]
    pub fn after(&self, action: &Action, bounds: &Bounds) -> Option<Self> {
        let mut world = self.clone();
        let Some(id) = action.node() else {
            world.tick(None);
            return Some(world);
        };
        let number = bounds.proposals.saturating_sub(self.left.proposals);
        let command = Bytes::copy_from_slice(&[number, 0]);
        let campaign;
        let event = match action {
            Action::Deliver(message) => {
                if bounds.network != Delivery::Any {
                    world.network.remove(message);
                }
                Event::Message(message)
            }
            Action::Duplicate(message) => {
                world.left.duplicates -= 1;
                Event::Message(message)
            }
            Action::Campaign(_) => {
                campaign = self.campaign_now(id);
                Event::Message(&campaign)
            }
            Action::Timeout(_) => {
                world.left.timeouts = self.left.timeouts.saturating_sub(1);
                Event::Timer
            }
            Action::Heartbeat(_) => {
                world.left.heartbeats -= 1;
                Event::Timer
            }
            Action::Silence(_) => Event::LateTimer,
            Action::Lapse(_) => Event::Time,
            Action::Tick => return None,
            Action::Freeze(_) => {
                world.left.freezes -= 1;
                world.tick(Some(id));
                Event::Frozen
            }
            Action::Persisted(_) => Event::Persisted,
            Action::Crash(_) => {
                world.left.crashes -= 1;
                Event::Crash { lost: true }
            }
            Action::CrashAfterWrite(_) => {
                world.left.crashes -= 1;
                Event::Crash { lost: false }
            }
            Action::Propose(_) => {
                world.left.proposals -= 1;
                Event::Propose(command)
            }
            Action::Read(_) => {
                world.left.reads -= 1;
                let committed = self.history.committed().len() as u64;
                Event::Read(self.left.reads.into(), Index(committed))
            }
            Action::Change(_) => {
                let next = bounds.changes.len() - usize::from(self.left.changes);
                world.left.changes -= 1;
                Event::Change(bounds.changes[next])
            }
            Action::Transfer(_, to) => {
                world.left.transfers -= 1;
                Event::Transfer(*to)
            }
            Action::Snapshot(_) => {
                world.left.snapshots -= 1;
                Event::Snapshot
            }
        };
        let stepped = world.step(id, event, bounds);
        // That the clock stood still matters, whatever the node makes of it.
        if !matches!(action, Action::Freeze(_)) {
            stepped?;
        }
        world.settle();
        Some(world)
    }

    /// Half an election timeout passes for all, but for one whose clock stands still.
    fn tick(&mut self, frozen: Option<NodeId>) {
        self.left.ticks -= 1;
        for (id, node) in (1..).map(NodeId).zip(&mut self.nodes) {
            match frozen == Some(id) {
                true => Arc::make_mut(node).touched = true,
                false => Arc::make_mut(node).tick(),
            }
        }
        self.settle();
    }

    /// One node takes one event. `None` if nothing comes of it, or too much.
    fn step(&mut self, id: NodeId, event: Event<'_>, bounds: &Bounds) -> Option<()> {
        let at = id.0 as usize - 1;
        let before = Arc::clone(&self.nodes[at]);
        let process = Arc::make_mut(&mut self.nodes[at]);
        let effects = match process.step(event, bounds.writes)? {
            Ok(effects) => effects,
            Err(violation) => {
                self.broken = Some(violation);
                return Some(());
            }
        };
        let sent = self.network.digest();
        if let Err(violation) = self.history.look(&self.nodes, at, &before, &effects) {
            self.broken = Some(violation);
            return Some(());
        }
        let durable = self.nodes[at].disk().hard_state().term;
        for message in effects.sent {
            self.network.send(message, bounds.network);
        }
        // One that changed nothing and said nothing might as well not have heard.
        let is_same = before.digest() == self.nodes[at].digest();
        if is_same && effects.answered.is_empty() && self.network.digest() == sent {
            return None;
        }
        if bounds.clocks == Clocks::Slow {
            Arc::make_mut(&mut self.nodes[at]).pass_time();
        }
        Arc::make_mut(&mut self.nodes[at]).touched = true;
        if effects.wrote {
            self.network.forget_void(id, durable);
        }
        if let Delivery::Once { in_flight, .. } = bounds.network {
            self.network.lose_beyond(in_flight);
        }
        (self.nodes[at].raft().term() <= Term(bounds.terms)).then_some(())
    }

    fn campaign_now(&self, to: NodeId) -> Message {
        let from = NodeId(to.0 % self.nodes.len() as u64 + 1);
        let term = self.nodes[to.0 as usize - 1].raft().term();
        Message {
            from,
            to,
            storage: StorageId(0),
            term,
            body: Body::TimeoutNow,
        }
    }

    fn settle(&mut self) {
        let broken = self.broken.is_some();
        let touched = |node: &Arc<Process>| (node.digest(), node.touched);
        let nodes: Vec<_> = self.nodes.iter().map(touched).collect();
        let network = self.network.digest();
        self.digest = digest(&(nodes, network, &*self.history, self.left, broken));
    }

    /// A node on one line.
    #[must_use]
    pub fn line(&self, id: NodeId) -> String {
        let node = &self.nodes[id.0 as usize - 1];
        let (status, disk) = (node.raft().status(), node.disk());
        let entries = node.raft().entries_from(status.log_start.index.next());
        let entries: Vec<_> = entries.cloned().collect();
        let stored = disk.hard_state();
        let vote = |vote: Option<NodeId>| vote.map_or(String::from("-"), |id| id.to_string());
        let log_start = |at: quorate_raft::EntryId| match at.index.0 {
            0 => String::new(),
            _ => format!("{at}…"),
        };
        format!(
            "{id} {:?} {} vote {} commit {} log {}{} | disk {} vote {} log {}{}{}",
            status.role,
            status.term,
            vote(status.vote),
            status.commit,
            log_start(status.log_start),
            Entries(&entries),
            stored.term,
            vote(stored.vote),
            log_start(disk.restored().log_start),
            Entries(disk.entries()),
            if node.is_writing() { ", writing" } else { "" },
        )
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in 1..=self.nodes.len() as u64 {
            writeln!(f, "{}", self.line(NodeId(at)))?;
        }
        Ok(())
    }
}
