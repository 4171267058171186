//! One node: Raft, a machine, sessions, waiting replies, snapshots. What every host drives.
//!
//! Pure, as Raft is, and under the same law of use: after one or more inputs drain
//! [`Node::poll_output`], and report every `Persist` back once. A request is always answered: with
//! the machine's reply, with a redirection, or with a typed error; never left hanging.

mod checkpoint;
mod parking;
mod ticking;

use std::collections::VecDeque;

use bytes::Bytes;
use quorate_raft::{
    Change, Entry, EntryId, Index, InputError, Instant, MembershipError, NodeId, Payload,
    ProposeError, Raft, ReadError, Restored, RoleKind, Table, TransferError,
};

use crate::command::{Command, Kind};
use crate::divergence::Comparison;
use crate::interface::{HaltCause, Input, NodeConfig, NodeStatus, OpenError, Output};
use crate::log_clock::LogClock;
use crate::machine::{ApplyContext, StateMachine};
use crate::request::{
    ClientId, ReadAt, Reply, Request, RequestBody, RequestError, RequestId, SessionId,
};
use crate::session::{Admission, Sessions};
use crate::snapshot::{Image, Restoring, Snapshots};

use parking::Parked;
use ticking::Ticks;

/// A replicated machine on one node.
pub struct Node<M: StateMachine> {
    config: NodeConfig,
    now: Instant,
    raft: Raft,
    machine: M,
    sessions: Sessions,
    clock: LogClock,
    /// Proposals of this leadership, in the order of the log.
    proposals: VecDeque<(EntryId, ClientId, RequestId)>,
    /// Reads that wait for their index, by the name Raft knows them under.
    reads: Table<u64, Read>,
    next_read: u64,
    /// Queries that wait for the machine, oldest first.
    parked: VecDeque<Parked>,
    snapshots: Snapshots<M>,
    restoring: Option<Restoring<M>>,
    /// Command bytes applied since the last snapshot.
    bytes_since_snapshot: u64,
    /// The checkpoint that this leader proposed last.
    checkpoint: Index,
    ticks: Ticks,
    comparison: Comparison,
    replies: Table<ClientId, Vec<Reply>>,
    outputs: VecDeque<Output>,
    halted: bool,
}

#[derive(Debug)]
struct Read {
    client: ClientId,
    id: RequestId,
    query: Bytes,
}

impl<M: StateMachine> Node<M> {
    /// A node with the state that was stored: `chunks` are those of `restored.snapshot`, each freed
    /// when it was read, and `machine` is the one to start with where there is no snapshot. `seed`
    /// decides its timeouts: give every run of every node another one.
    ///
    /// # Errors
    /// The state cannot be that of a node: it must not start (fail-stop).
    pub fn new(
        config: NodeConfig,
        restored: Restored,
        chunks: impl IntoIterator<Item = Bytes>,
        machine: M,
        now: Instant,
        seed: u64,
    ) -> Result<Self, OpenError> {
        let index = restored.snapshot.last.index;
        let raft = Raft::new(config.raft.clone(), restored, now, seed);
        let raft = raft.map_err(OpenError::Corrupt)?;
        let (machine, sessions, image) = if index.0 > 0 {
            let mut restoring = Restoring::new(index, &machine);
            for chunk in chunks {
                restoring
                    .chunk(&chunk)
                    .map_err(|bad| OpenError::BadSnapshot(bad.0))?;
            }
            let restored = restoring.finish();
            restored.map_err(|bad| OpenError::BadSnapshot(bad.0))?
        } else {
            let sessions = Sessions::default();
            let image = Image::new(index, &machine, &sessions, 0);
            (machine, sessions, image)
        };
        Ok(Self {
            now,
            raft,
            machine,
            sessions,
            clock: LogClock {
                applied_ms: image.time_ms(),
                leading: None,
            },
            snapshots: Snapshots::new(image),
            proposals: VecDeque::new(),
            reads: Table::default(),
            next_read: 0,
            parked: VecDeque::new(),
            restoring: None,
            bytes_since_snapshot: 0,
            checkpoint: Index(0),
            ticks: Ticks::default(),
            comparison: Comparison::default(),
            replies: Table::default(),
            outputs: VecDeque::new(),
            halted: false,
            config,
        })
    }

    /// Takes one event. Drain [`Node::poll_output`] afterwards.
    ///
    /// # Errors
    /// The host broke the law of use, or the node has halted; nothing changed.
    pub fn handle(&mut self, now: Instant, input: Input) -> Result<(), InputError> {
        self.now = self.now.max(now);
        match input {
            Input::Message(message) => self.raft.handle(now, quorate_raft::Input::Message(message)),
            Input::Request { client, request } => {
                self.handle_request(client, request);
                Ok(())
            }
            Input::ClientGone { client } => {
                self.replies.remove(client);
                self.reads.retain(|_, read| read.client != client);
                self.parked.retain(|query| query.client != client);
                Ok(())
            }
            Input::Persisted { seq } => {
                self.raft
                    .handle(now, quorate_raft::Input::Persisted { seq })?;
                self.snapshots
                    .handle_persisted(self.raft.snapshot().last.index);
                self.continue_snapshot();
                Ok(())
            }
            Input::PersistFailed => {
                self.halt(HaltCause::PersistFailed);
                Ok(())
            }
            Input::TimerFired => {
                self.raft.handle(now, quorate_raft::Input::TimerFired)?;
                self.end_parking();
                self.maybe_tick();
                Ok(())
            }
            Input::ClockStopped => self.raft.handle(now, quorate_raft::Input::ClockStopped),
            Input::Reachable => self.raft.handle(now, quorate_raft::Input::Reachable),
            Input::Unreachable { peer } => self
                .raft
                .handle(now, quorate_raft::Input::Unreachable { peer }),
        }
    }

    /// Begins a change of the membership, at the index returned; [`Output::MembershipChanged`]
    /// tells of each step of it that is committed. It is done when the membership is neither joint
    /// nor has anyone joining.
    ///
    /// # Errors
    /// This node does not lead, or the change makes no sense or has to wait. Nothing was begun.
    pub fn change_membership(
        &mut self,
        now: Instant,
        changes: &[Change],
    ) -> Result<Index, MembershipError> {
        self.now = self.now.max(now);
        let entry = self.raft.propose_membership(now, changes)?;
        Ok(entry.index)
    }

    /// Hands leadership over to `to`; [`Output::RoleChanged`] tells when it is gone. After an
    /// election timeout this node goes on.
    ///
    /// # Errors
    /// This node does not lead, or the other cannot. Nothing changed.
    pub fn transfer_leadership(&mut self, now: Instant, to: NodeId) -> Result<(), TransferError> {
        self.now = self.now.max(now);
        self.raft.transfer_leadership(now, to)
    }

    /// The next effect; `None` when drained.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let Some(effect) = self.raft.poll_output() else {
                let (client, replies) = self.replies.pop_first()?;
                return Some(Output::Reply { client, replies });
            };
            if let Some(output) = self.perform(effect) {
                return Some(output);
            }
        }
    }

    /// When [`Input::TimerFired`] is next due. A later or an earlier one does no harm.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let raft = self.raft.next_timeout();
        raft.min(self.next_tick()).min(self.parking_ends())
    }

    /// A picture of the node as of now.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            raft: self.raft.status(),
            sessions: self.sessions.len(),
            waiting: self.waiting(),
            reads: self.reads.len(),
            parked: self.parked.len(),
            log_bytes: self.raft.log_bytes(),
            time_ms: self.clock.applied_ms,
        }
    }

    /// The machine as of the last applied entry.
    #[must_use]
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Raft, for checkers and tools.
    #[must_use]
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    fn handle_request(&mut self, client: ClientId, request: Request) {
        let Request { id, body } = request;
        let taken = match body {
            RequestBody::Read { query, at } => self.begin_read(client, id, query, at),
            RequestBody::OpenSession => self.propose(client, id, Kind::OpenSession),
            RequestBody::CloseSession { session } => {
                self.propose(client, id, Kind::CloseSession { session })
            }
            RequestBody::Propose { command } => self.propose(client, id, Kind::Propose { command }),
            RequestBody::Write {
                session,
                sequence,
                acknowledged,
                command,
            } => {
                // A node may have halted because its state is a wrong one.
                if !self.halted
                    && let Some(reply) = self.sessions.reply(session, sequence)
                {
                    let result = Ok(reply.clone());
                    return self.reply(client, id, result);
                }
                self.propose(
                    client,
                    id,
                    Kind::Write {
                        session,
                        sequence,
                        acknowledged,
                        command,
                    },
                )
            }
        };
        if let Err(error) = taken {
            self.reply(client, id, Err(error));
        }
    }

    fn propose(&mut self, client: ClientId, id: RequestId, kind: Kind) -> Result<(), RequestError> {
        if !self.raft.is_leader() {
            return Err(RequestError::NotLeader {
                hint: self.raft.leader(),
            });
        }
        if let Kind::Write { command, .. } | Kind::Propose { command } = &kind
            && command.len() > self.config.max_command_bytes
        {
            let limit = u32::try_from(self.config.max_command_bytes).unwrap_or(u32::MAX);
            return Err(RequestError::TooLarge { limit });
        }
        self.check_waiting()?;
        let data = Command {
            time_ms: self.clock.read(self.now),
            kind,
        }
        .encode();
        match self.raft.propose(self.now, data) {
            Ok(entry) => {
                self.proposals.push_back((entry, client, id));
                Ok(())
            }
            Err(ProposeError::NotLeader { hint }) => Err(RequestError::NotLeader { hint }),
            Err(ProposeError::Transferring { to }) => {
                Err(RequestError::NotLeader { hint: Some(to) })
            }
            Err(ProposeError::Dropped) => Err(RequestError::Overloaded),
        }
    }

    fn begin_read(
        &mut self,
        client: ClientId,
        id: RequestId,
        query: Bytes,
        at: ReadAt,
    ) -> Result<(), RequestError> {
        let taken = match at {
            ReadAt::Local => return self.read_local(client, id, &query),
            ReadAt::Watch => return self.watch(client, id, query),
            _ if self.check_waiting().is_err() => Err(ReadError::Dropped),
            ReadAt::Leader | ReadAt::Lease if !self.raft.is_leader() => Err(ReadError::NotLeader {
                hint: self.raft.leader(),
            }),
            ReadAt::Lease => self.raft.lease_read(self.now, self.next_read),
            ReadAt::Leader | ReadAt::Here => self.raft.read_index(self.now, self.next_read),
        };
        match taken {
            Ok(()) => {
                self.reads
                    .insert(self.next_read, Read { client, id, query });
                self.next_read += 1;
                Ok(())
            }
            Err(ReadError::NotLeader { hint }) => Err(RequestError::NotLeader { hint }),
            Err(ReadError::Dropped) => Err(RequestError::Overloaded),
        }
    }

    fn waiting(&self) -> usize {
        self.proposals.len() + self.reads.len() + self.parked.len()
    }

    fn check_waiting(&self) -> Result<(), RequestError> {
        if self.waiting() < self.config.max_waiting {
            Ok(())
        } else {
            Err(RequestError::Overloaded)
        }
    }

    /// Does what Raft asks, or hands it on to the host.
    fn perform(&mut self, effect: quorate_raft::Output) -> Option<Output> {
        use quorate_raft::Output as Effect;
        match effect {
            Effect::Persist(batch) => return Some(Output::Persist(batch)),
            Effect::Send(message) => return Some(Output::Send(message)),
            Effect::Apply { first, last } => {
                let mut index = first;
                // Behind an entry that cannot be read the state would be a wrong one.
                while !self.halted
                    && index <= last
                    && let Some(entry) = self.raft.entry(index).cloned()
                {
                    self.apply(&entry);
                    index = index.next();
                }
                self.maybe_snapshot();
                self.poll_parked();
                self.maybe_tick();
            }
            Effect::ReadReady { ctx, index } => {
                assert!(
                    index <= self.raft.applied().index,
                    "a read waits for what it must see"
                );
                if let Some(Read { client, id, query }) = self.reads.remove(ctx) {
                    let reply = self.machine.query(&query);
                    self.reply(client, id, Ok(reply));
                }
            }
            Effect::RoleChanged { role, term, leader } => {
                self.handle_role_changed(role, leader);
                return Some(Output::RoleChanged { role, term, leader });
            }
            Effect::SendSnapshot {
                to,
                snapshot,
                number,
            } => {
                let size = self.config.snapshot_chunk_bytes;
                if let Some((data, done)) = self.snapshots.chunk(snapshot, number, size) {
                    let input = quorate_raft::Input::SnapshotData {
                        to,
                        snapshot,
                        number,
                        done,
                        data,
                    };
                    self.raft.handle(self.now, input).ok()?;
                }
            }
            Effect::ReceiveSnapshot(chunk) => {
                if chunk.number == 0 {
                    self.restoring = Some(Restoring::new(chunk.snapshot, &self.machine));
                }
                if let Some(restoring) = &mut self.restoring
                    && let Err(bad) = restoring.chunk(&chunk.data)
                {
                    self.halt(HaltCause::BadSnapshot(bad.0));
                }
            }
            Effect::Restore(meta) => return self.restore(meta.last),
            Effect::Digest { from, digest } => self.handle_digest(from, digest),
        }
        None
    }

    fn apply(&mut self, entry: &Entry) {
        let result = match &entry.payload {
            Payload::Noop => None,
            Payload::Membership(conf_state) => {
                self.machine.membership_changed(conf_state);
                self.outputs.push_back(Output::MembershipChanged {
                    index: entry.id.index,
                    conf_state: conf_state.clone(),
                });
                Some(Ok(Bytes::new()))
            }
            Payload::Command(data) => {
                self.bytes_since_snapshot += data.len() as u64;
                let Some(command) = Command::decode(data) else {
                    return self.halt(HaltCause::BadEntry(entry.id));
                };
                Some(self.execute(entry.id, command))
            }
        };
        // Proposals are in the order of the log, so only the first ones can be decided.
        while let Some((id, client, request)) = self
            .proposals
            .pop_front_if(|(id, ..)| id.index <= entry.id.index)
        {
            let lost = Err(RequestError::LeadershipLost {
                hint: self.raft.leader(),
            });
            let decided = result.clone().filter(|_| id == entry.id).unwrap_or(lost);
            self.reply(client, request, decided);
        }
    }

    fn execute(&mut self, id: EntryId, command: Command) -> Result<Bytes, RequestError> {
        self.clock.apply(self.now, command.time_ms);
        let (time_ms, limits) = (self.clock.applied_ms, self.config.sessions);
        let context = ApplyContext {
            index: id.index,
            term: id.term,
            time_ms,
        };
        match command.kind {
            Kind::OpenSession => {
                let session = SessionId(id.index.0);
                self.sessions.open(session, time_ms, &limits);
                Ok(Bytes::copy_from_slice(&session.0.to_le_bytes()))
            }
            Kind::CloseSession { session } => {
                self.sessions.close(session);
                Ok(Bytes::new())
            }
            Kind::Checkpoint => {
                self.begin_snapshot(id.index, true);
                Ok(Bytes::new())
            }
            Kind::Tick => {
                self.machine.tick(&context);
                Ok(Bytes::new())
            }
            Kind::Propose { command } => Ok(self.machine.apply(&context, &command)),
            Kind::Write {
                session,
                sequence,
                acknowledged,
                command,
            } => {
                match self
                    .sessions
                    .admit(session, sequence, acknowledged, time_ms, &limits)
                {
                    Admission::Repeated(reply) => Ok(reply),
                    Admission::Refused(error) => Err(error),
                    Admission::Apply => {
                        let reply = self.machine.apply(&context, &command);
                        self.sessions.record(
                            session,
                            sequence,
                            reply.clone(),
                            &self.config.sessions,
                        );
                        Ok(reply)
                    }
                }
            }
        }
    }

    /// Whatever waited for this leadership is over: proposals have an unknown outcome, reads none. Without a
    /// leader there is nothing to wait for either.
    fn handle_role_changed(&mut self, role: RoleKind, leader: Option<NodeId>) {
        self.clock.leading =
            (role == RoleKind::Leader).then_some((self.now, self.clock.applied_ms));
        self.checkpoint = Index(0);
        self.ticks = Ticks::default();
        for (_, client, id) in core::mem::take(&mut self.proposals) {
            self.reply(
                client,
                id,
                Err(RequestError::LeadershipLost { hint: leader }),
            );
        }
        for (_, Read { client, id, .. }) in core::mem::take(&mut self.reads) {
            self.reply(client, id, Err(RequestError::NotLeader { hint: leader }));
        }
        if leader.is_none() {
            self.refuse_parked();
        }
    }

    /// Stops for good. What waits is answered; nothing else leaves this node any more.
    fn halt(&mut self, cause: HaltCause) {
        if core::mem::replace(&mut self.halted, true) {
            return;
        }
        // Fails only if Raft has halted before.
        let _ = self
            .raft
            .handle(self.now, quorate_raft::Input::PersistFailed);
        self.handle_role_changed(RoleKind::Follower, None);
        self.snapshots.abandon();
        self.outputs.push_back(Output::Halted(cause));
    }

    fn reply(&mut self, client: ClientId, id: RequestId, result: Result<Bytes, RequestError>) {
        self.replies.or_default(client).push(Reply { id, result });
    }
}
