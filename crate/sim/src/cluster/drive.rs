//! How a cluster drives its nodes: what arrives is handed in, what comes out is done, and the checker
//! looks at every step.

use bytes::Bytes;
use quorate_raft::{InputError, Instant, Message, NodeId, PersistBatch};
use quorate_rsm::{
    ClientId, Input, Output, ReadAt, Reply, Request, RequestBody, StateMachine, codec,
};

use super::arrival::CLUSTER;
use super::{Cluster, Delivery, Event, GROUP};
use crate::checker::store::OwnAnswer;
use crate::checker::{Violation, bounds};
use crate::describe::{self, describe};
use crate::digest::Digest;
use crate::fault::FaultKind;
use crate::network::{Address, Packet, Payload};
use crate::process::Asked;
use crate::rules::is_response;
use crate::situation::Situation;
use crate::trace;

/// So many steps of a node lie between two full comparisons of its log.
const STEPS_PER_FULL_CHECK: u64 = 4_096;
/// And so many rounds of a disk between two readings, besides those of restarts.
const ROUNDS_PER_READING: u64 = 1_024;

impl<M: StateMachine + Default> Cluster<M> {
    pub(super) fn take_requests(
        &mut self,
        id: NodeId,
        client: ClientId,
        requests: Vec<Request>,
    ) -> Result<(), Violation> {
        self.taken += requests.len() as u64;
        let now = self.now();
        let process = self.process_mut(id);
        let park_timeout = process.settings.park_timeout;
        let Some(running) = &mut process.running else {
            return Ok(());
        };
        let local = running.clock.local(now);
        let mut tags = Vec::with_capacity(requests.len());
        for request in &requests {
            let tag = match &request.body {
                RequestBody::Write { command, .. } => command.first_chunk::<8>(),
                _ => None,
            };
            let tag = tag.map(|tag| u64::from_le_bytes(*tag));
            let asked = match &request.body {
                RequestBody::Read {
                    query,
                    at: at @ (ReadAt::Local | ReadAt::Watch),
                } => Asked::Own {
                    query: query.clone(),
                    until: (*at == ReadAt::Watch).then(|| local.after(park_timeout)),
                },
                _ => tag.map_or(Asked::Other, Asked::Command),
            };
            running.asked.insert((client, request.id), asked);
            tags.push(tag);
        }
        for (request, tag) in requests.iter().zip(tags) {
            let executed = tag.is_some_and(|tag| self.state.applied().index_of(tag).is_some());
            self.observer.asked(id, &request.body, tag, executed);
        }
        let input = |request| Input::Request { client, request };
        self.handle(id, requests.into_iter().map(input))
    }

    pub(super) fn fire(&mut self, id: NodeId, run: u64, local: Instant) -> Result<(), Violation> {
        let process = self.process_mut(id);
        if process.run != run {
            return Ok(());
        }
        let Some(running) = process.running.as_mut().filter(|r| r.armed == local) else {
            return Ok(());
        };
        running.armed = Instant::NEVER;
        let now = self.now();
        self.trace
            .event(now, &id, trace::Event::Timer, local.0, String::new);
        self.handle(id, [Input::TimerFired])
    }

    pub(super) fn written(&mut self, id: NodeId, run: u64, seq: u64) -> Result<(), Violation> {
        let now = self.now();
        let process = self.process_mut(id);
        let writing = process.running.as_ref().and_then(|r| r.writing());
        // A round that took very long may be told twice.
        if process.run != run || writing.is_none_or(|batch| batch.seq != seq) {
            return Ok(());
        }
        if process.disk.fails() {
            self.trace
                .event(now, &id, trace::Event::Fail, seq, || format!("round {seq}"));
            self.handle(id, [Input::PersistFailed])?;
            return match self.is_running(id) {
                true => Err(Violation::new(
                    "A failed write halts the node",
                    id.to_string(),
                )),
                false => Ok(()),
            };
        }
        let batch = process.written();
        self.trace.event(now, &id, trace::Event::Durable, seq, || {
            format!("round {seq}")
        });
        self.state.persisted(id, &batch)?;
        let process = self.processes.get_mut(id).expect("a node of this cluster");
        let installs = batch.snapshot.is_some() && core::mem::take(&mut process.restoring);
        let due = installs || process.disk.rounds.is_multiple_of(ROUNDS_PER_READING);
        if due && !process.disk.is_rotten() {
            // What would be found if the node crashed now.
            let found = process.load()?;
            self.state.check_stored(id, &found.restored)?;
        }
        self.handle(id, [Input::Persisted { seq }])
    }

    /// Hands events to a node that runs, and does what it asks.
    pub(super) fn handle(
        &mut self,
        id: NodeId,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<(), Violation> {
        let now = self.now();
        let Some(running) = &mut self.process_mut(id).running else {
            return Ok(());
        };
        let local = running.clock.local(now);
        for input in inputs {
            match running.node.handle(local, input) {
                Ok(()) | Err(InputError::Halted) => {}
                Err(error) => {
                    let seen = format!("{id} refused an input: {error:?}");
                    return Err(Violation::new("The law of use suffices", seen));
                }
            }
        }
        self.drain(id)
    }

    pub(super) fn drain(&mut self, id: NodeId) -> Result<(), Violation> {
        // One vector serves all drains.
        let mut outputs = core::mem::take(&mut self.outputs);
        let Some(running) = &mut self.process_mut(id).running else {
            return Ok(());
        };
        while let Some(output) = running.node.poll_output() {
            outputs.push(output);
        }
        let result = self
            .check(id, &outputs)
            .and_then(|()| self.perform_outputs(id, &mut outputs));
        outputs.clear();
        self.outputs = outputs;
        result
    }

    fn perform_outputs(&mut self, id: NodeId, outputs: &mut Vec<Output>) -> Result<(), Violation> {
        let mut sends = core::mem::take(&mut self.sends);
        let result = self.perform_each(id, outputs, &mut sends);
        sends.clear();
        self.sends = sends;
        result
    }

    fn perform_each(
        &mut self,
        id: NodeId,
        outputs: &mut Vec<Output>,
        sends: &mut Vec<(NodeId, Vec<Message>)>,
    ) -> Result<(), Violation> {
        let mut halted = false;
        for output in outputs.drain(..) {
            if self.crashes_here(id) {
                return self.crash(id);
            }
            match output {
                Output::Persist(batch) => self.write(id, batch),
                Output::Send(message) if self.config.split_frames => {
                    let mut messages = self.spare.pop().unwrap_or_default();
                    let to = message.to;
                    messages.push(message);
                    self.send_messages(id, to, messages);
                }
                Output::Send(message) => {
                    let to = message.to;
                    match sends.iter_mut().find(|(other, _)| *other == to) {
                        Some((_, messages)) => messages.push(message),
                        None => {
                            let mut messages = self.spare.pop().unwrap_or_default();
                            messages.push(message);
                            sends.push((to, messages));
                        }
                    }
                }
                Output::Reply { client, replies } => self.send_replies(id, client, replies)?,
                Output::RoleChanged { role, term, leader } => {
                    self.told_leader = leader.or(self.told_leader);
                    let (now, value) = (self.now(), term.0 << 2 | role as u64);
                    self.trace.event(now, &id, trace::Event::Role, value, || {
                        let leader = leader.map_or("none".to_owned(), |leader| leader.to_string());
                        format!("{role:?} in {term}, leader {leader}")
                    });
                }
                Output::MembershipChanged { index, conf_state } => {
                    let now = self.now();
                    self.trace
                        .event(now, &id, trace::Event::Members, index.0, || {
                            describe::membership(&conf_state)
                        });
                }
                Output::Restored { snapshot } => {
                    self.process_mut(id).restoring = true;
                    let (now, value) = (self.now(), snapshot.index.0);
                    self.trace
                        .event(now, &id, trace::Event::Restore, value, || {
                            snapshot.to_string()
                        });
                }
                Output::Diverged { node, index } => {
                    let seen = format!("{id} finds that {node} differs after {index}");
                    return Err(Violation::new("State Machine Safety", seen));
                }
                Output::Halted(cause) => {
                    let now = self.now();
                    self.trace
                        .event(now, &id, trace::Event::Halt, 0, || format!("{cause:?}"));
                    self.observer.note(Situation::NodeHaltedItself);
                    halted = true;
                }
            }
        }
        for (to, messages) in sends.drain(..) {
            if self.crashes_here(id) {
                return self.crash(id);
            }
            self.send_messages(id, to, messages);
        }
        if halted {
            return self.crash(id);
        }
        self.arm(id);
        Ok(())
    }

    /// Plans the event of the node's next timer.
    pub(super) fn arm(&mut self, id: NodeId) {
        let timers = self.config.clock.timers;
        let process = self.process_mut(id);
        if let Some(at) = process.arm(timers) {
            let (run, local) = (
                process.run,
                process.running.as_ref().expect("it runs").armed,
            );
            self.queue.push(
                at,
                Event::Timer {
                    node: id,
                    run,
                    local,
                },
            );
        }
    }

    /// Whether the node was to crash before its next effect.
    fn crashes_here(&mut self, id: NodeId) -> bool {
        let process = self.process_mut(id);
        let Some(left) = &mut process.crash_after else {
            return false;
        };
        *left = left.saturating_sub(1);
        let crashes = *left == 0;
        if crashes {
            self.count(FaultKind::CrashMidStep);
        }
        crashes
    }

    /// What the checker has to say of a step.
    fn check(&mut self, id: NodeId, outputs: &[Output]) -> Result<(), Violation> {
        self.steps += 1;
        let Some(running) = &self.processes[id].running else {
            return Ok(());
        };
        let (raft, status) = (running.node.raft(), running.node.status());
        self.state.stepped_to(raft, &status.raft)?;
        bounds::check(&self.processes[id].settings, &status)?;
        self.membership.check(id, &status.raft.conf_state)?;
        self.sleep.check(raft, &status)?;
        // A follower may wait for its leader to tell what a read must see.
        if !raft.is_leader() && status.waiting > status.reads + status.parked {
            let seen = format!("{id} does not lead, and lets writes wait");
            return Err(Violation::new("Every request is answered", seen));
        }
        if self.steps.is_multiple_of(STEPS_PER_FULL_CHECK) {
            self.state.check_all(raft)?;
        }
        let (writing, committed) = (running.is_writing(), self.state.committed());
        let window = self.processes[id].settings.raft.max_inflight_messages;
        self.observer
            .stepped(status.raft, writing, window, outputs, committed);
        for output in outputs {
            if let Output::Restored { snapshot } = output {
                self.state.restored(id, snapshot.index);
                self.restores += 1;
            }
        }
        running.node.machine().take_applied(&mut self.applied);
        self.state.executed(id, &self.applied)?;
        for output in outputs {
            if let Output::Send(message) = output {
                bounds::check_message(&self.processes[id].settings, message)?;
                self.state.sent(message)?;
                self.sleep.sent(message);
            }
        }
        Ok(())
    }

    fn write(&mut self, id: NodeId, batch: PersistBatch) {
        let (now, seq) = (self.now(), batch.seq);
        self.trace.event(
            now,
            &id,
            trace::Event::Write,
            batch.entries.len() as u64,
            || {
                let last = batch
                    .entries
                    .last()
                    .map_or(String::new(), |e| format!(" to {}", e.id));
                let (entries, chunks) = (batch.entries.len(), batch.chunks.len());
                let vote = batch
                    .hard_state
                    .map_or(String::new(), |hard| format!(" {hard:?}"));
                let snapshot = batch
                    .snapshot
                    .as_ref()
                    .map_or(String::new(), |s| format!(" {s:?}"));
                format!("round {seq}: {entries} entries{last} {chunks} chunks{vote}{snapshot}")
            },
        );
        let process = self.process_mut(id);
        let delay = process.write(batch);
        let run = process.run;
        self.queue
            .push(now + delay, Event::Written { node: id, run, seq });
    }

    fn send_messages(&mut self, from: NodeId, to: NodeId, messages: Vec<Message>) {
        let buffer = core::mem::take(&mut self.frame);
        let mut buffer = codec::encode_messages_in(buffer, CLUSTER, GROUP, &messages);
        buffer[0] = buffer[0].wrapping_add(self.processes[from].version);
        let frame = Bytes::copy_from_slice(&buffer);
        self.frame = buffer;
        let responses = messages.iter().filter(|m| is_response(&m.body)).count() as u64;
        self.traffic.frames += 1;
        self.traffic.responses += responses;
        self.traffic.requests += messages.len() as u64 - responses;
        self.traffic.bytes += frame.len() as u64;
        let (from, to) = (Address::Node(from), Address::Node(to));
        let payload = self.transmit(from, to, Payload::Messages(messages), frame);
        if let Payload::Messages(mut messages) = payload {
            messages.clear();
            self.spare.push(messages);
        }
    }

    fn send_replies(
        &mut self,
        from: NodeId,
        to: ClientId,
        replies: Vec<Reply>,
    ) -> Result<(), Violation> {
        let now = self.now();
        let process = self.processes.get_mut(from);
        let process = process.expect("a node of this cluster");
        let running = process.running.as_mut().expect("a node that answers runs");
        let local = running.clock.local(now);
        let mut done = Vec::new();
        for reply in &replies {
            match (running.asked.remove(&(to, reply.id)), &reply.result) {
                (Some(Asked::Command(tag)), Ok(_)) => done.push(tag),
                (Some(Asked::Own { query, until }), Ok(reply)) => {
                    self.own_answers.push(OwnAnswer {
                        node: from,
                        run: process.run,
                        query,
                        reply: reply.clone(),
                        hurried: until.is_some_and(|until| local < until),
                    });
                }
                (..) => {}
            }
        }
        done.into_iter()
            .try_for_each(|tag| self.state.acknowledged(tag))?;
        let frame = Bytes::from(codec::encode_replies(GROUP, &replies));
        self.observer.replied(&replies);
        let (from, to) = (Address::Node(from), Address::Client(to));
        self.transmit(from, to, Payload::Replies(replies), frame);
        Ok(())
    }

    /// Sends a frame through the network, and gives back what is in it.
    pub(super) fn transmit(
        &mut self,
        from: Address,
        to: Address,
        payload: Payload,
        frame: Bytes,
    ) -> Payload {
        let now = self.now();
        let packet = Packet {
            from,
            to,
            payload,
            sent: now,
        };
        let fate = self.network.send(&packet);
        if fate.arrivals == [None, None] {
            if let Some(film) = &mut self.film {
                // Where it vanishes nobody knows: about where it would have arrived.
                let link = &self.network.link;
                let arrives = now + link.delay_min + link.delay_mean;
                film.sent(now, (from, to), &packet.payload, (arrives, true));
            }
            let digest = Digest::of(&frame);
            self.trace.event(now, &to, trace::Event::Lose, digest, || {
                describe(from, &frame)
            });
            return packet.payload;
        }
        let run = match to {
            Address::Node(id) => self.processes[id].run,
            Address::Client(_) => 0,
        };
        let [first, second] = fate.arrivals;
        if let (true, Address::Node(from), Address::Node(to)) = (fate.spoiled, from, to) {
            let frame = frame.clone();
            let at = first.unwrap_or(now);
            self.queue.push(at, Event::Spoiled { from, to, frame });
        }
        let film = &mut self.film;
        let mut push = |at, frame, place, again| {
            let flights = film.as_mut().map_or((0, 0), |film| {
                film.sent(now, (from, to), &packet.payload, (at, false))
            });
            let delivery = Delivery {
                from,
                to,
                frame,
                place,
                run,
                again,
                flights,
            };
            self.queue.push(at, Event::Deliver(delivery));
        };
        if let Some(at) = second {
            push(at, frame.clone(), None, true); // A duplicate is in no queue.
        }
        if let Some(at) = first {
            push(at, frame, fate.place, false);
        }
        packet.payload
    }
}
