//! One node: the shipped core, its disk, and a machine that remembers a fingerprint of what it
//! applied. What a host does, and no more.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use quorate_raft::{
    AppendOutcome, Body, Change, ConfState, Config, Entry, EntryId, Index, Input, Instant, Message,
    NodeId, Output, PersistBatch, Raft, ReadError, RoleKind, SnapshotChunk, SnapshotOutcome,
};

use crate::bounds::{Clocks, Writes};
use crate::clock::{ELECTION, HEARTBEAT, tick};
use crate::digest::digest;
use crate::disk::Disk;
use crate::law::{Law, Situation, Violation};
use crate::reads::Reads;

/// A node of the world.
#[derive(Clone, Debug)]
pub struct Process {
    raft: Raft,
    disk: Disk,
    /// The round of writes under way.
    round: Option<PersistBatch>,
    machine: Machine,
    reads: Reads,
    /// How often it started, which makes the numbers that it draws different in every run.
    runs: u64,
    clocks: Clocks,
    /// The core's log in memory.
    log: Vec<Entry>,
    /// Something has happened to it.
    pub touched: bool,
    digest: u64,
}

/// What was applied, as far as it matters.
#[derive(Clone, Debug, Default, Hash)]
struct Machine {
    /// A fingerprint of all that was applied, in order.
    state: u64,
    /// Chunks of a leader's snapshot.
    incoming: Vec<Bytes>,
    /// The last two snapshots, by index.
    kept: Vec<(Index, Vec<Bytes>)>,
}

/// What a step did beside changing the node.
#[derive(Debug, Default)]
pub struct Effects {
    /// Messages sent.
    pub sent: Vec<Message>,
    /// Entries applied, in order.
    pub applied: Vec<Entry>,
    /// The end of a snapshot that replaced the machine's state, and that state.
    pub installed: Option<(EntryId, u64)>,
    /// Reads answered, with what they had to see.
    pub answered: Vec<(Situation, Index)>,
    /// The disk changed.
    pub wrote: bool,
}

/// How a node comes by its next input.
#[derive(Debug)]
pub enum Event<'a> {
    /// A message.
    Message(&'a Message),
    /// The timer fires when it is due; where clocks go on together, now.
    Timer,
    /// The timer fires after an election timeout.
    LateTimer,
    /// An election timeout passes.
    Time,
    /// The round under way is durable.
    Persisted,
    /// The clock stood still, and the host has found out.
    Frozen,
    /// A command.
    Propose(Bytes),
    /// A read, by number, when so much is committed.
    Read(u64, Index),
    /// A change of the membership.
    Change(&'a [Change]),
    /// Leadership is to go to this node.
    Transfer(NodeId),
    /// The machine makes a snapshot.
    Snapshot,
    /// A crash; whether the round under way is lost, or was durable already.
    Crash {
        /// Whether it is lost.
        lost: bool,
    },
}

fn config(id: NodeId, clocks: Clocks) -> Config {
    Config {
        lease_reads: clocks.are_together(),
        election_timeout: ELECTION,
        heartbeat_interval: HEARTBEAT,
        max_inflight_messages: 2,
        // One command in a message, so that logs grow in more than one step.
        max_append_bytes: 1,
        ..Config::new(id)
    }
}

impl Process {
    /// A node that has never run.
    #[must_use]
    pub fn new(id: NodeId, conf_state: ConfState, clocks: Clocks) -> Self {
        let disk = Disk::new(conf_state);
        let mut process = Self {
            raft: start(config(id, clocks), &disk, 0),
            disk,
            round: None,
            machine: Machine::default(),
            reads: Reads::default(),
            runs: 0,
            clocks,
            log: Vec::new(),
            touched: false,
            digest: 0,
        };
        process.settle();
        process
    }

    /// The core.
    #[must_use]
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// What is durable.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The log in memory.
    #[must_use]
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// The entry at `index`, if it is in memory.
    #[must_use]
    pub fn entry(&self, index: Index) -> Option<&Entry> {
        self.log.iter().find(|entry| entry.id.index == index)
    }

    /// A fingerprint of all that it is.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether a round of writes is under way.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.round.is_some()
    }

    /// A fingerprint of what the machine has applied.
    #[must_use]
    pub fn machine(&self) -> u64 {
        self.machine.state
    }

    /// Takes one event, and does all that the core asks for. `None`: the event cannot happen now.
    ///
    /// # Errors
    /// An assertion failed, or what the node did breaks a law that needs no other node to see.
    pub fn step(&mut self, event: Event<'_>, writes: Writes) -> Option<Result<Effects, Violation>> {
        let stepped = catch_unwind(AssertUnwindSafe(|| self.try_step(event, writes)));
        let Ok(stepped) = stepped else {
            let seen = format!("{} panicked", self.id());
            return Some(Err(Violation::new(Law::NoPanic, seen)));
        };
        self.settle();
        stepped.transpose()
    }

    fn id(&self) -> NodeId {
        self.raft.status().id
    }

    fn try_step(&mut self, event: Event<'_>, writes: Writes) -> Result<Option<Effects>, Violation> {
        let now = Instant(0);
        let mut effects = Effects::default();
        let mut leased = false;
        match event {
            Event::Message(message) => self.handle(now, Input::Message(message.clone()))?,
            Event::Timer if self.clocks.are_together() => self.handle(now, Input::TimerFired)?,
            Event::Timer => self.handle(self.raft.next_timeout(), Input::TimerFired)?,
            Event::LateTimer => {
                self.raft.pass_time(ELECTION);
                self.handle(self.raft.next_timeout(), Input::TimerFired)?;
            }
            Event::Time => self.raft.pass_time(ELECTION),
            Event::Frozen => self.handle(now, Input::ClockStopped)?,
            Event::Persisted => {
                let Some(round) = self.round.take() else {
                    return Ok(None);
                };
                self.write(&round, &mut effects)?;
            }
            Event::Propose(data) => {
                if self.raft.propose(now, data).is_err() {
                    return Ok(None);
                }
            }
            Event::Read(ctx, committed) => {
                leased = self.raft.holds_lease();
                if self.ask(ctx, leased).is_err() {
                    return Ok(None);
                }
                self.reads.ask(ctx, committed);
            }
            Event::Change(changes) => {
                if self.raft.propose_membership(now, changes).is_err() {
                    return Ok(None);
                }
            }
            Event::Transfer(to) => {
                if self.raft.transfer_leadership(now, to).is_err() {
                    return Ok(None);
                }
            }
            Event::Snapshot => {
                if !self.make_snapshot() {
                    return Ok(None);
                }
            }
            Event::Crash { lost } => {
                match (self.round.take(), lost) {
                    (Some(round), false) => {
                        self.disk.write(&round)?;
                        effects.wrote = true;
                    }
                    (None, false) => return Ok(None),
                    (_, true) => {}
                }
                self.restart();
            }
        }
        self.drain(writes, &mut effects)?;
        if leased {
            for (how, _) in &mut effects.answered {
                *how = Situation::AnsweredUnderLease;
            }
        }
        Ok(Some(effects))
    }

    fn ask(&mut self, ctx: u64, leased: bool) -> Result<(), ReadError> {
        match leased {
            true => self.raft.lease_read(Instant(0), ctx),
            false => self.raft.read_index(Instant(0), ctx),
        }
    }

    fn handle(&mut self, now: Instant, input: Input) -> Result<(), Violation> {
        let refused = |error| Violation::new(Law::NoPanic, format!("refused: {error:?}"));
        self.raft.handle(now, input).map_err(refused)
    }

    /// The law of use: until there is nothing more.
    fn drain(&mut self, writes: Writes, effects: &mut Effects) -> Result<(), Violation> {
        let now = Instant(0);
        while let Some(output) = self.raft.poll_output() {
            match output {
                Output::Persist(batch) => match writes {
                    Writes::Prompt => self.write(&batch, effects)?,
                    Writes::Slow => self.round = Some(batch),
                    Writes::Lying => self.handle(now, Input::Persisted { seq: batch.seq })?,
                },
                Output::Send(message) => {
                    self.check_sent(&message)?;
                    effects.sent.push(message);
                }
                Output::Apply { first, last } => {
                    for index in first.0..=last.0 {
                        let entry = self.raft.entry(Index(index)).expect("it is kept");
                        self.machine.state = apply(self.machine.state, entry);
                        effects.applied.push(entry.clone());
                    }
                }
                Output::SendSnapshot {
                    to,
                    snapshot,
                    number,
                } => self.give_chunk(to, snapshot, number)?,
                Output::ReceiveSnapshot(chunk) => {
                    if chunk.number == 0 {
                        self.machine.incoming.clear();
                    }
                    self.machine.incoming.push(chunk.data);
                }
                Output::Restore(meta) => {
                    let chunks = core::mem::take(&mut self.machine.incoming);
                    self.machine.state = from_chunks(&chunks);
                    self.keep(meta.last.index, chunks);
                    effects.installed = Some((meta.last, self.machine.state));
                }
                Output::ReadReady { ctx, index } => {
                    let applied = self.raft.applied().index;
                    let committed = self.reads.answer(ctx, index, applied)?;
                    let how = match self.raft.is_leader() {
                        true => Situation::Answered,
                        false => Situation::AnsweredByFollower,
                    };
                    effects.answered.push((how, committed));
                }
                Output::RoleChanged { .. } => self.reads.void(),
                Output::Digest { .. } => {}
            }
        }
        Ok(())
    }

    /// A round is durable, and the node is told.
    fn write(&mut self, round: &PersistBatch, effects: &mut Effects) -> Result<(), Violation> {
        self.disk.write(round)?;
        effects.wrote = true;
        let seq = round.seq;
        self.handle(Instant(0), Input::Persisted { seq })
    }

    fn restart(&mut self) {
        self.runs += 1;
        self.raft = start(config(self.id(), self.clocks), &self.disk, self.runs);
        self.machine = Machine::default();
        self.reads.void();
        let chunks = self.disk.snapshot_bytes();
        if !chunks.is_empty() {
            self.machine.state = from_chunks(&chunks);
            self.keep(self.disk.snapshot().index, chunks);
        }
    }

    fn make_snapshot(&mut self) -> bool {
        let index = self.raft.applied().index;
        let chunks = to_chunks(self.machine.state);
        let ready = Input::SnapshotReady {
            index,
            chunks: chunks.len() as u32,
            compact_to: index,
        };
        for (number, data) in (0..).zip(&chunks) {
            let chunk = SnapshotChunk {
                snapshot: index,
                number,
                data: data.clone(),
            };
            let given = self.raft.handle(Instant(0), Input::SnapshotChunk(chunk));
            assert!(given.is_ok(), "a chunk is always taken");
        }
        let done = self.raft.handle(Instant(0), ready).is_ok();
        self.keep(index, chunks);
        done
    }

    fn keep(&mut self, index: Index, chunks: Vec<Bytes>) {
        let kept = &mut self.machine.kept;
        kept.retain(|(of, _)| *of != index);
        kept.push((index, chunks));
        if kept.len() > 2 {
            kept.remove(0);
        }
    }

    fn give_chunk(&mut self, to: NodeId, snapshot: Index, number: u32) -> Result<(), Violation> {
        let kept = self.machine.kept.iter().find(|(of, _)| *of == snapshot);
        let Some((_, chunks)) = kept else {
            let seen = format!("{} has no snapshot at {snapshot} to send", self.id());
            return Err(Violation::new(Law::NoPanic, seen));
        };
        let Some(data) = chunks.get(number as usize).cloned() else {
            return Ok(()); // The follower asks for more than there is; a host has nothing to give.
        };
        let done = number as usize + 1 == chunks.len();
        let data = Input::SnapshotData {
            to,
            snapshot,
            number,
            done,
            data,
        };
        self.handle(Instant(0), data)
    }

    /// A vote or an acknowledgement says nothing that a crash could undo.
    fn check_sent(&self, message: &Message) -> Result<(), Violation> {
        let stored = self.disk.hard_state();
        let gives = |vote| stored.term == message.term && stored.vote == Some(vote);
        let holds = match &message.body {
            Body::RequestVoteResponse { granted: true } => gives(message.to),
            Body::RequestVote { .. } => gives(message.from),
            Body::AppendEntries { .. }
            | Body::Heartbeat { .. }
            | Body::Sleep { .. }
            | Body::InstallSnapshot { .. } => gives(message.from),
            Body::AppendEntriesResponse(AppendOutcome::Accepted { matched })
            | Body::InstallSnapshotResponse {
                outcome: SnapshotOutcome::Installed { matched },
                ..
            } => stored.term == message.term && self.is_durable(*matched),
            Body::PreVote { .. }
            | Body::PreVoteResponse { .. }
            | Body::RequestVoteResponse { granted: false }
            | Body::AppendEntriesResponse(AppendOutcome::Rejected { .. })
            | Body::HeartbeatResponse { .. }
            | Body::SleepResponse { .. }
            | Body::InstallSnapshotResponse { .. }
            | Body::ReadIndex { .. }
            | Body::ReadIndexResponse { .. }
            | Body::Digest(_)
            | Body::TimeoutNow => true,
        };
        // A later term voids what an answer of an earlier one says.
        if holds || stored.term > message.term {
            return Ok(());
        }
        let seen = format!(
            "{message:?} with {stored:?} and a log to {} on disk",
            self.disk.last()
        );
        Err(Violation::new(Law::PromisesDurable, seen))
    }

    /// Whether the log up to `index` is on disk as it is in memory.
    fn is_durable(&self, index: Index) -> bool {
        let mut in_memory = self.raft.entries_from(Index(1));
        index <= self.disk.last().index
            && in_memory.all(|entry| entry.id.index > index || self.disk.covers(entry.id))
    }

    /// An election timeout passes on its clock.
    pub fn pass_time(&mut self) {
        self.raft.pass_time(ELECTION);
        self.settle();
    }

    /// Half an election timeout passes, as far as its clock can tell.
    pub fn tick(&mut self) {
        self.raft.pass_time(tick(self.raft.is_leader()));
        self.settle();
    }

    /// Leaves out what makes no difference, and takes the fingerprint.
    fn settle(&mut self) {
        self.raft.forget_time(self.clocks.ages());
        if let Some(round) = &mut self.round {
            round.seq = 1;
        }
        let Self {
            raft,
            disk,
            round,
            machine,
            reads,
            runs: _,
            clocks: _,
            log,
            touched: _,
            digest: _,
        } = self;
        *log = raft.entries_from(Index(1)).cloned().collect();
        self.digest = digest(&(&*raft, &*disk, &*round, &*machine, &*reads));
    }

    /// Whether it leads, and in which term.
    #[must_use]
    pub fn leads(&self) -> Option<quorate_raft::Term> {
        self.raft.is_leader().then(|| self.raft.term())
    }

    /// What it is doing.
    #[must_use]
    pub fn role(&self) -> RoleKind {
        self.raft.status().role
    }
}

fn start(config: Config, disk: &Disk, seed: u64) -> Raft {
    Raft::new(config, disk.restored(), Instant(0), seed).expect("what was durable makes a node")
}

/// The machine's state after one more entry.
#[must_use]
pub fn apply(state: u64, entry: &Entry) -> u64 {
    digest(&(state, entry))
}

/// A snapshot of two chunks.
fn to_chunks(state: u64) -> Vec<Bytes> {
    let bytes = state.to_le_bytes();
    bytes.chunks(4).map(Bytes::copy_from_slice).collect()
}

fn from_chunks(chunks: &[Bytes]) -> u64 {
    let bytes: Vec<u8> = chunks.concat();
    bytes.try_into().map_or(u64::MAX, u64::from_le_bytes)
}
