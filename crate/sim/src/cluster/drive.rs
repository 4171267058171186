//! How a cluster drives its nodes: what arrives is handed in, what comes out is done, and the checker
//! looks at every step.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::{InputError, Instant, Message, NodeId, PersistBatch};
use quorate_rsm::{ClientId, Input, Output, Reply, Request, RequestBody, StateMachine, codec};

use super::{Cluster, Event, GROUP, Occurrence};
use crate::checker::Violation;
use crate::describe::{self, describe};
use crate::digest::Digest;
use crate::network::{Address, Packet, Payload};
use crate::process::founders;
use crate::rules::is_response;
use crate::trace;

/// The frames' cluster number.
const CLUSTER: u64 = 7;
/// So many steps of a node lie between two full comparisons of its log.
const STEPS_PER_FULL_CHECK: u64 = 512;
/// And so many rounds of a disk between two readings, besides those of restarts.
const ROUNDS_PER_READING: u64 = 64;

impl<M: StateMachine + Default> Cluster<M> {
    pub(super) fn deliver(
        &mut self,
        from: Address,
        to: Address,
        frame: Bytes,
    ) -> Result<Occurrence, Violation> {
        let now = self.now();
        let digest = Digest::of(&frame);
        check_mangled(digest, &frame);
        let lost = self.network.is_cut(from, to)
            || matches!(to, Address::Node(id) if !self.is_running(id));
        let event = if lost {
            trace::Event::Lose
        } else {
            trace::Event::Deliver
        };
        self.trace
            .event(now, &to, event, digest, || describe(from, &frame));
        if lost {
            return Ok(Occurrence::Internal);
        }
        match (from, to) {
            (_, Address::Node(id)) if self.is_paused(id) => {
                self.waiting.push((id, Event::Deliver { from, to, frame }));
            }
            (Address::Node(_), Address::Node(id)) => {
                let (_, _, messages) = codec::decode_messages(&frame).map_err(broken_frame)?;
                self.handle(id, messages.into_iter().map(Input::Message).collect())?;
            }
            (Address::Client(client), Address::Node(id)) => {
                let (_, requests) = codec::decode_requests(&frame).map_err(broken_frame)?;
                self.take_requests(id, client, requests)?;
            }
            (Address::Node(from), Address::Client(client)) => {
                let (_, replies) = codec::decode_replies(&frame).map_err(broken_frame)?;
                return Ok(Occurrence::Replies {
                    client,
                    from,
                    replies,
                });
            }
            (Address::Client(_), Address::Client(_)) => unreachable!("clients do not talk"),
        }
        Ok(Occurrence::Internal)
    }

    pub(super) fn take_requests(
        &mut self,
        id: NodeId,
        client: ClientId,
        requests: Vec<Request>,
    ) -> Result<(), Violation> {
        let Some(running) = &mut self.process_mut(id).running else {
            return Ok(());
        };
        for request in &requests {
            let tag = match &request.body {
                RequestBody::Write { command, .. } => command.first_chunk::<8>(),
                _ => None,
            };
            running.asked.insert(
                (client, request.id),
                tag.map(|tag| u64::from_le_bytes(*tag)),
            );
        }
        let input = |request| Input::Request { client, request };
        self.handle(id, requests.into_iter().map(input).collect())
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
        self.handle(id, vec![Input::TimerFired])
    }

    pub(super) fn written(&mut self, id: NodeId, run: u64, seq: u64) -> Result<(), Violation> {
        let now = self.now();
        let process = self.process_mut(id);
        if process.run != run || process.running.is_none() {
            return Ok(());
        }
        if core::mem::take(&mut process.disk.failing) {
            self.trace
                .event(now, &id, trace::Event::Fail, seq, || format!("round {seq}"));
            return self.handle(id, vec![Input::PersistFailed]);
        }
        let batch = process.written();
        self.trace.event(now, &id, trace::Event::Durable, seq, || {
            format!("round {seq}")
        });
        self.state.persisted(id, &batch)?;
        let installs = batch.snapshot.is_some_and(|manifest| manifest.clear_log);
        let process = self.processes.get_mut(&id).expect("a node of this cluster");
        if installs || process.disk.rounds.is_multiple_of(ROUNDS_PER_READING) {
            // What would be found if the node crashed now.
            let found = process.load(&founders(&self.voters))?;
            self.state.check_stored(id, &found.restored)?;
        }
        self.handle(id, vec![Input::Persisted { seq }])
    }

    /// Hands events to a node that runs, and does what it asks.
    pub(super) fn handle(&mut self, id: NodeId, inputs: Vec<Input>) -> Result<(), Violation> {
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
        let Some(running) = &mut self.process_mut(id).running else {
            return Ok(());
        };
        let mut outputs = Vec::new();
        while let Some(output) = running.node.poll_output() {
            outputs.push(output);
        }
        self.check(id, &outputs)?;
        let mut sends: BTreeMap<NodeId, Vec<Message>> = BTreeMap::new();
        let mut halted = false;
        for output in outputs {
            match output {
                Output::Persist(batch) => self.write(id, batch),
                Output::Send(message) if self.config.split_frames => {
                    self.send_messages(id, message.to, vec![message]);
                }
                Output::Send(message) => sends.entry(message.to).or_default().push(message),
                Output::Reply { client, replies } => self.send_replies(id, client, replies)?,
                Output::RoleChanged { role, term, leader } => {
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
                    let (now, value) = (self.now(), snapshot.index.0);
                    self.trace
                        .event(now, &id, trace::Event::Restore, value, || {
                            snapshot.to_string()
                        });
                }
                Output::Halted(cause) => {
                    let now = self.now();
                    self.trace
                        .event(now, &id, trace::Event::Halt, 0, || format!("{cause:?}"));
                    halted = true;
                }
            }
        }
        for (to, messages) in sends {
            self.send_messages(id, to, messages);
        }
        if halted {
            return self.crash(id);
        }
        let profile = self.config.clock;
        let process = self.process_mut(id);
        if let Some(at) = process.arm(profile) {
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
        Ok(())
    }

    /// What the checker has to say of a step.
    fn check(&mut self, id: NodeId, outputs: &[Output]) -> Result<(), Violation> {
        self.steps += 1;
        let Some(running) = &self.processes[&id].running else {
            return Ok(());
        };
        let raft = running.node.raft();
        self.state.stepped(raft)?;
        if !raft.is_leader() && running.node.status().waiting > 0 {
            let seen = format!("{id} does not lead, and lets requests wait");
            return Err(Violation::new("Every request is answered", seen));
        }
        if self.steps.is_multiple_of(STEPS_PER_FULL_CHECK) {
            self.state.check_all(raft)?;
        }
        for output in outputs {
            if let Output::Restored { snapshot } = output {
                self.state.restored(id, snapshot.index);
                self.restores += 1;
            }
        }
        self.state
            .executed(id, &running.node.machine().take_applied())?;
        for output in outputs {
            if let Output::Send(message) = output {
                self.state.sent(message)?;
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
        let frame = codec::encode_messages(CLUSTER, GROUP, &messages);
        let responses = messages.iter().filter(|m| is_response(&m.body)).count() as u64;
        self.traffic.frames += 1;
        self.traffic.responses += responses;
        self.traffic.requests += messages.len() as u64 - responses;
        self.traffic.bytes += frame.len() as u64;
        let (from, to) = (Address::Node(from), Address::Node(to));
        self.transmit(
            &Packet {
                from,
                to,
                payload: Payload::Messages(messages),
            },
            frame,
        );
    }

    fn send_replies(
        &mut self,
        from: NodeId,
        to: ClientId,
        replies: Vec<Reply>,
    ) -> Result<(), Violation> {
        let running = self
            .process_mut(from)
            .running
            .as_mut()
            .expect("a node that answers runs");
        let mut done = Vec::new();
        for reply in &replies {
            if let Some(Some(tag)) = running.asked.remove(&(to, reply.id)) {
                done.extend(reply.result.is_ok().then_some(tag));
            }
        }
        done.into_iter()
            .try_for_each(|tag| self.state.acknowledged(tag))?;
        let frame = codec::encode_replies(GROUP, &replies);
        let (from, to) = (Address::Node(from), Address::Client(to));
        self.transmit(
            &Packet {
                from,
                to,
                payload: Payload::Replies(replies),
            },
            frame,
        );
        Ok(())
    }

    pub(super) fn transmit(&mut self, packet: &Packet, frame: Vec<u8>) {
        let (now, frame) = (self.now(), Bytes::from(frame));
        let (from, to) = (packet.from, packet.to);
        let copies = self.network.send(now, packet);
        if copies == [None, None] {
            let digest = Digest::of(&frame);
            self.trace.event(now, &to, trace::Event::Lose, digest, || {
                describe(from, &frame)
            });
        }
        for at in copies.into_iter().flatten() {
            self.queue.push(
                at,
                Event::Deliver {
                    from,
                    to,
                    frame: frame.clone(),
                },
            );
        }
    }
}

/// Some frames are decoded once more with a bit flipped or the end cut off: whatever comes out, it
/// must come without panic.
fn check_mangled(digest: u64, frame: &Bytes) {
    if !digest.is_multiple_of(32) || frame.is_empty() {
        return;
    }
    let at = (digest >> 8) as usize % frame.len();
    let mut bytes = frame.to_vec();
    if digest & 32 == 0 {
        bytes.truncate(at);
    } else {
        bytes[at] ^= 1 << (digest >> 5 & 7);
    }
    let bytes = Bytes::from(bytes);
    drop(codec::decode_messages(&bytes));
    drop(codec::decode_requests(&bytes));
    drop(codec::decode_replies(&bytes));
}

fn broken_frame(error: codec::FrameError) -> Violation {
    Violation::new("Frames survive their encoding", format!("{error:?}"))
}
