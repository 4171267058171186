//! A running node: every event of the platform becomes inputs, one drain, and its effects.
//!
//! Nothing is borrowed while an effect runs, so a port, a storage or a listener in JavaScript may
//! call right back.

#[cfg(feature = "shards")]
mod beats;
#[cfg(feature = "shards")]
mod movers;

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use js_sys::Function;
use quorate_raft::{Change, ConfState, Instant, NodeId, Random, StorageId, Table};
use quorate_rsm::storage::Round;
use quorate_rsm::{ClientId, Input, codec};
use wasm_bindgen::JsValue;

use crate::convert::{Plain, list};
use crate::error::Failure;
use crate::event::HostEvent;
use crate::freeze::Freeze;
use crate::groups::Groups;
use crate::heap;
#[cfg(feature = "shards")]
use crate::hosting::Hosting;
use crate::link::{Admitted, Link, LinkRule};
use crate::lock::Lock;
use crate::members::{hex, write_identity};
use crate::probe::{Probe, Way};
use crate::status::{self, ClientTraffic};
use crate::storage::{Sink, Storage, StorageEvent};
use crate::timer::{self, Alarm};
use crate::transport::{Port, Sender};
use crate::writer::{Batch, Writer};

/// Peers that a node may have links to.
const MAX_LINKS: usize = 255;
/// Clients that a node may be connected to.
const MAX_CLIENTS: usize = 4_096;
/// How long closing waits for the write under way.
const CLOSE_WAIT_MS: u32 = 5_000;

/// Who a node is.
pub struct Identity {
    /// Name of the cluster.
    pub cluster: String,
    /// This node.
    pub node: NodeId,
    /// The storage's own name.
    pub storage: StorageId,
    /// Drawn when the cluster was founded: marks frames between its nodes.
    pub cluster_id: u64,
    /// Whom the cluster was founded with; none if the node came later.
    pub founders: ConfState,
}

/// What a node stands on.
pub struct Platform {
    /// Where its records are.
    pub storage: Storage,
    /// What keeps others away from them.
    pub lock: Option<Lock>,
    /// How the two of them speak.
    pub sink: Sink,
    /// Who hears of the node's events.
    pub on_event: Function,
}

impl Platform {
    /// Lets go of everything.
    pub async fn close(&self) {
        self.sink.mute();
        self.storage.close().await;
        if let Some(lock) = &self.lock {
            lock.release();
        }
    }
}

/// A running node.
pub struct Shared {
    platform: Platform,
    alarm: Rc<Alarm>,
    state: RefCell<State>,
    closed: Cell<bool>,
    /// Whether the storage has a round that it has not told the end of, whatever has become of the node since.
    is_writing: Cell<bool>,
    /// Closing waits for the end of the round under way.
    on_idle: RefCell<Option<Function>>,
}

struct State {
    identity: Identity,
    groups: Groups,
    links: Table<NodeId, Link>,
    clients: Table<ClientId, Client>,
    writer: Writer,
    random: Random,
    probe: Option<Probe>,
    freeze: Freeze,
    halted: Option<Failure>,
    /// Zero: no progress events.
    progress_interval: Duration,
    progress_due: Instant,
    #[cfg(feature = "shards")]
    hosting: Option<Hosting>,
}

struct Client {
    port: Port,
    traffic: ClientTraffic,
}

/// What one event leads to.
#[derive(Default)]
struct Effects {
    frames: Vec<(Sender, Vec<u8>)>,
    round: Option<Round>,
    events: Vec<HostEvent>,
    /// Answers of groups for movers, here and elsewhere.
    #[cfg(feature = "shards")]
    to_movers: Vec<(NodeId, u32, Vec<quorate_rsm::Reply>)>,
}

impl Shared {
    /// A node that begins to run now.
    pub fn start(
        identity: Identity,
        groups: Groups,
        platform: Platform,
        progress_interval_ms: u32,
        random: Random,
        probe: Option<Probe>,
        #[cfg(feature = "shards")] hosting: Option<Hosting>,
    ) -> Rc<Self> {
        let shared = Rc::new_cyclic(|weak: &std::rc::Weak<Self>| {
            let (on_timer, on_storage) = (weak.clone(), weak.clone());
            platform.sink.listen(move |event| {
                if let Some(shared) = on_storage.upgrade() {
                    shared.handle_storage(event);
                }
            });
            Self {
                platform,
                alarm: Alarm::new(move || {
                    if let Some(shared) = on_timer.upgrade() {
                        shared.run(State::handle_timer);
                    }
                }),
                state: RefCell::new(State {
                    identity,
                    groups,
                    links: Table::default(),
                    clients: Table::default(),
                    writer: Writer::default(),
                    random,
                    probe,
                    freeze: Freeze::new(timer::now(), timer::wall_ms()),
                    halted: None,
                    progress_interval: Duration::from_millis(progress_interval_ms.into()),
                    progress_due: Instant(0),
                    #[cfg(feature = "shards")]
                    hosting,
                }),
                closed: Cell::new(false),
                is_writing: Cell::new(false),
                on_idle: RefCell::new(None),
            }
        });
        shared.run(|_, _| ());
        shared
    }

    /// Opens the way to a peer, in place of an earlier one.
    pub fn connect_peer(self: &Rc<Self>, id: NodeId, port: JsValue) -> Result<(), Failure> {
        self.check_open()?;
        self.state.borrow_mut().check_peer(id)?;
        let weak = Rc::downgrade(self);
        let port = Port::open(port, move |frame| {
            if let Some(shared) = weak.upgrade() {
                shared.run(|state, now| state.handle_peer_frame(now, id, frame));
            }
        })?;
        let earlier = self.run(|state, now| state.set_peer(now, id, Some(port)));
        drop(earlier);
        Ok(())
    }

    /// The peer is gone.
    pub fn disconnect_peer(&self, id: NodeId) -> Result<(), Failure> {
        self.check_open()?;
        let earlier = self.run(|state, now| state.set_peer(now, id, None));
        drop(earlier);
        Ok(())
    }

    /// Opens the way to a client, in place of an earlier one.
    pub fn connect_client(self: &Rc<Self>, id: ClientId, port: JsValue) -> Result<(), Failure> {
        self.check_open()?;
        self.state.borrow().check_client(id)?;
        let weak = Rc::downgrade(self);
        let port = Port::open(port, move |frame| {
            if let Some(shared) = weak.upgrade() {
                shared.run(|state, now| state.handle_client_frame(now, id, frame));
            }
        })?;
        let earlier = self.run(|state, now| state.set_client(now, id, Some(port)));
        drop(earlier);
        Ok(())
    }

    /// The client is gone.
    pub fn disconnect_client(&self, id: ClientId) -> Result<(), Failure> {
        self.check_open()?;
        let earlier = self.run(|state, now| state.set_client(now, id, None));
        drop(earlier);
        Ok(())
    }

    /// Replaces the faults of a link.
    pub fn set_link(&self, id: NodeId, rule: LinkRule) -> Result<(), Failure> {
        self.check_open()?;
        self.state.borrow_mut().check_peer(id)?;
        self.run(|state, _| state.links.or_default(id).set_rule(rule));
        Ok(())
    }

    /// Begins a change of a group's membership, at the index returned.
    pub fn change_members(&self, group: u32, changes: &[Change]) -> Result<u64, Failure> {
        self.check_open()?;
        let changed = self.run(|state, now| {
            let group = state.groups.group(group)?;
            Some(group.node.change_membership(now, changes))
        });
        Ok(changed.ok_or_else(|| not_here(group))??.0)
    }

    /// Hands a group's leadership over.
    pub fn transfer_leadership(&self, group: u32, to: NodeId) -> Result<(), Failure> {
        self.check_open()?;
        let transferred = self.run(|state, now| {
            let group = state.groups.group(group)?;
            Some(group.node.transfer_leadership(now, to))
        });
        Ok(transferred.ok_or_else(|| not_here(group))??)
    }

    /// Who the node is.
    pub fn identity(&self) -> Plain {
        let state = self.state.borrow();
        let first = state.groups.iter().next();
        let raft = first.map(|(_, group)| group.node.raft().status());
        let Identity {
            storage,
            cluster_id,
            ref founders,
            ..
        } = state.identity;
        write_identity(storage, Some(cluster_id), founders, raft.as_ref())
    }

    /// A picture of the node.
    pub fn status(&self) -> Result<Plain, Failure> {
        self.check_open()?;
        let state = self.state.borrow();
        let identity = &state.identity;
        let halted = state.halted.as_ref().map(|failure| {
            Plain::new()
                .text("code", &failure.code)
                .text("message", &failure.message)
        });
        let groups = state.groups.iter();
        let groups = groups.map(|(id, group)| status::group(id, &group.node));
        let peers = state.links.iter().map(|(id, link)| status::peer(id, link));
        let clients = state.clients.iter();
        let clients = clients.map(|(id, client)| status::client(id.0, &client.traffic));
        let picture = Plain::new();
        #[cfg(feature = "shards")]
        let picture = match &state.hosting {
            Some(hosting) => picture.with("arriving", &hosting.arriving(&state.groups)),
            None => picture,
        };
        Ok(picture
            .text("cluster", &identity.cluster)
            .number("node", identity.node.0)
            .text("storageId", &hex(identity.storage.0))
            .text("clusterId", &hex(identity.cluster_id))
            .flag("locked", self.platform.lock.is_some())
            .with("halted", &halted.map_or(JsValue::NULL, JsValue::from))
            .with("groups", &list(groups))
            .with("peers", &list(peers))
            .with("clients", &list(clients))
            .with("storage", &status::storage(&state.writer).into()))
    }

    /// Ends the node in order. A second time it does nothing.
    pub async fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        self.alarm.disarm();
        let ports = {
            let mut state = self.state.borrow_mut();
            let links = std::mem::take(&mut state.links);
            (links, std::mem::take(&mut state.clients))
        };
        drop(ports);
        if self.is_writing.get() {
            let wait = |resolve, _| *self.on_idle.borrow_mut() = Some(resolve);
            let _ = timer::within(CLOSE_WAIT_MS, wait).await;
        }
        self.platform.close().await;
    }

    fn check_open(&self) -> Result<(), Failure> {
        if self.closed.get() {
            Err(Failure::closed("node"))
        } else {
            Ok(())
        }
    }

    fn handle_storage(self: &Rc<Self>, event: StorageEvent) {
        if let StorageEvent::Written | StorageEvent::Failed(_) = event {
            self.is_writing.set(false);
        }
        match event {
            StorageEvent::Blocked => {}
            StorageEvent::Written => self.run(State::handle_written),
            StorageEvent::Failed(failure) | StorageEvent::Gone(failure) => self.halt(failure),
        }
        if !self.is_writing.get()
            && let Some(on_idle) = self.on_idle.borrow_mut().take()
        {
            let _ = on_idle.call0(&JsValue::UNDEFINED);
        }
    }

    /// The storage failed: the node says nothing more, but why.
    fn halt(&self, failure: Failure) {
        let told = {
            let mut state = self.state.borrow_mut();
            state.halt(timer::now(), failure)
        };
        self.alarm.disarm();
        if let Some(event) = told.filter(|_| !self.closed.get()) {
            self.tell(&event);
        }
    }

    /// One event: its inputs, one drain, its effects. A node that has ended takes none.
    fn run<T: Default>(&self, step: impl FnOnce(&mut State, Instant) -> T) -> T {
        let now = timer::now();
        let Some(mut state) = self.begin(now) else {
            return T::default();
        };
        let result = step(&mut state, now);
        drop(state);
        self.perform(now);
        result
    }

    /// What all events have in common, apart from [`Self::run`], which is there once for each of them.
    fn begin(&self, now: Instant) -> Option<RefMut<'_, State>> {
        let mut state = self.state.borrow_mut();
        if self.closed.get() || state.halted.is_some() {
            return None;
        }
        if state.freeze.look(now, timer::wall_ms()) {
            state.groups.handle_all(now, &Input::ClockStopped);
        }
        Some(state)
    }

    /// The drain and its effects.
    fn perform(&self, now: Instant) {
        heap::look();
        let (effects, failure, deadline) = {
            let mut state = self.state.borrow_mut();
            let effects = state.drain(now);
            let failure = state.groups.take_failure();
            (effects, failure, state.next_deadline())
        };
        if let Some(failure) = failure {
            return self.halt(failure);
        }
        for (sender, frame) in effects.frames {
            sender.send(&frame);
        }
        self.alarm.arm(now, deadline);
        if let Some(round) = effects.round {
            match self.platform.storage.write(&round) {
                Ok(()) => self.is_writing.set(true),
                Err(failure) => self.halt(failure),
            }
        }
        for event in &effects.events {
            self.tell(event);
        }
    }

    fn tell(&self, event: &HostEvent) {
        // A listener that throws is its owner's affair; the node goes on.
        let _ = self
            .platform
            .on_event
            .call1(&JsValue::UNDEFINED, event.value());
    }
}

/// The node takes no part in the group, or has halted.
fn not_here(group: u32) -> Failure {
    Failure::new("NOT_LEADER", format!("group {group} does not run here"))
}

impl State {
    /// Whether there can be a link to a node. Where there are as many as there may be, what is known of nodes that are gone is
    /// forgotten.
    fn check_peer(&mut self, id: NodeId) -> Result<(), Failure> {
        if self.links.len() >= MAX_LINKS {
            self.links
                .retain(|other, link| other == id || !link.is_idle());
        }
        if id == self.identity.node {
            Err(Failure::argument("a node has no link to itself"))
        } else if id.0 == 0 {
            Err(Failure::argument("node ids start at 1"))
        } else if self.links.len() >= MAX_LINKS && !self.links.has(id) {
            Err(Failure::argument("a node has at most 255 links"))
        } else {
            Ok(())
        }
    }

    fn check_client(&self, id: ClientId) -> Result<(), Failure> {
        if self.clients.len() >= MAX_CLIENTS && !self.clients.has(id) {
            Err(Failure::argument("a node serves at most 4096 clients"))
        } else {
            Ok(())
        }
    }

    /// Gives back the earlier port, to be closed when nothing is borrowed.
    fn set_peer(&mut self, now: Instant, id: NodeId, port: Option<Port>) -> Option<Port> {
        let link = match &port {
            Some(_) => self.links.or_default(id),
            None => self.links.get_mut(id)?,
        };
        let is_there = port.is_some();
        let earlier = link.connect(port);
        if earlier.is_some() {
            self.lose_peer(now, id);
        }
        #[cfg(feature = "shards")]
        self.turn_link(now, id, earlier.is_some(), is_there);
        if is_there {
            self.find_peer(now, id);
        }
        earlier
    }

    /// A peer is gone, or the way to it.
    fn lose_peer(&mut self, now: Instant, id: NodeId) {
        self.groups
            .handle_about(now, id, &Input::Unreachable { peer: id });
        #[cfg(feature = "shards")]
        self.notice_peer(now, id, false);
    }

    /// A peer can be reached, as far as this node knows.
    fn find_peer(&mut self, now: Instant, id: NodeId) {
        #[cfg(feature = "shards")]
        self.notice_peer(now, id, true);
        self.groups.handle_about(now, id, &Input::Reachable);
    }

    fn set_client(&mut self, now: Instant, id: ClientId, port: Option<Port>) -> Option<Client> {
        let earlier = match port {
            Some(port) => {
                let traffic = ClientTraffic::default();
                self.clients.insert(id, Client { port, traffic })
            }
            None => self.clients.remove(id),
        };
        if earlier.is_some() {
            self.groups
                .handle_all(now, &Input::ClientGone { client: id });
        }
        earlier
    }

    fn handle_peer_frame(&mut self, now: Instant, from: NodeId, frame: Option<Bytes>) {
        let Some(link) = self.links.get_mut(from) else {
            return;
        };
        if link.rule().blocked {
            link.traffic.dropped_frames += 1;
            return self.note_lost(from, frame);
        }
        link.traffic.received_frames += 1;
        link.traffic.received_bytes += frame.as_ref().map_or(0, Bytes::len) as u64;
        let ours = frame.is_some_and(|frame| self.is_of_peer(now, from, &frame));
        if let Some(link) = self.links.get_mut(from) {
            link.traffic.rejected_frames += u64::from(!ours);
        }
    }

    /// Takes what a peer says. Whether it was something that peers say.
    fn is_of_peer(&mut self, now: Instant, from: NodeId, frame: &Bytes) -> bool {
        #[cfg(feature = "shards")]
        if let Some(ours) = self.is_of_host(now, from, frame) {
            return ours;
        }
        self.is_of_groups(now, from, frame)
    }

    fn is_of_groups(&mut self, now: Instant, from: NodeId, frame: &Bytes) -> bool {
        let (node, probe) = (self.identity.node, self.probe.as_ref());
        self.groups.handle_peer(now, from, node, frame, probe)
    }

    fn handle_client_frame(&mut self, now: Instant, from: ClientId, frame: Option<Bytes>) {
        let Some(client) = self.clients.get_mut(from) else {
            return;
        };
        client.traffic.received_frames += 1;
        let probe = self.probe.as_ref();
        let ours = frame.is_some_and(|frame| self.groups.handle_client(now, from, &frame, probe));
        client.traffic.rejected_frames += u64::from(!ours);
    }

    fn handle_timer(&mut self, now: Instant) {
        self.groups.handle_timers(now);
        #[cfg(feature = "shards")]
        if let Some(hosting) = &mut self.hosting {
            hosting.timer(now);
        }
    }

    fn handle_written(&mut self, now: Instant) {
        if let Some(probe) = self.probe.as_ref().filter(|_| self.writer.is_writing()) {
            probe.written();
        }
        for Batch { group, seq } in self.writer.finish(now) {
            self.groups.handle(now, group, Input::Persisted { seq });
        }
    }

    /// What to tell, unless it was told before.
    fn halt(&mut self, now: Instant, failure: Failure) -> Option<HostEvent> {
        if self.halted.is_some() {
            return None;
        }
        let event = HostEvent::halted(None, &failure);
        self.halted = Some(failure);
        self.writer.abandon();
        self.groups.handle_all(now, &Input::PersistFailed);
        // Whatever the groups still wanted must not leave.
        drop(self.groups.drain(None));
        Some(event)
    }

    fn drain(&mut self, now: Instant) -> Effects {
        let mut effects = Effects::default();
        self.drain_groups(now, &mut effects);
        #[cfg(feature = "shards")]
        self.drain_hosting(now, &mut effects);
        for (_, link) in self.links.iter_mut() {
            while let Some(frame) = link.pop_due(now) {
                effects
                    .frames
                    .extend(link.sender(&frame).map(|sender| (sender, frame)));
            }
        }
        effects.round = self.writer.begin(now);
        self.note_step(now, effects.round.as_ref());
        if self.has_progress() && now >= self.progress_due {
            self.progress_due = now.after(self.progress_interval);
            effects.events.extend(self.groups.take_progress());
        }
        effects
    }

    fn drain_groups(&mut self, now: Instant, effects: &mut Effects) {
        let drained = self.groups.drain(self.probe.as_ref());
        effects.events.extend(drained.events);
        #[cfg(feature = "shards")]
        effects.to_movers.extend(drained.to_movers);
        // Clients first: who waits for an answer need not wait until the followers have heard of the commit.
        for (to, frame) in drained.to_clients {
            if let Some(client) = self.clients.get_mut(to) {
                client.traffic.sent_frames += 1;
                effects.frames.push((client.port.sender(), frame));
            }
        }
        for (to, frame) in drained.to_peers {
            self.send_to_peer(now, to, frame, &mut effects.frames);
        }
        for (group, batch) in drained.batches {
            if let Some(layout) = self.groups.layout(group) {
                if let Some(probe) = &self.probe {
                    probe.batch(&batch);
                }
                let names = Batch {
                    group,
                    seq: batch.seq,
                };
                self.writer.add(names, |round| layout.round(&batch, round));
            }
        }
    }

    fn send_to_peer(
        &mut self,
        now: Instant,
        to: NodeId,
        frame: Vec<u8>,
        frames: &mut Vec<(Sender, Vec<u8>)>,
    ) {
        let Some(link) = self.links.get_mut(to) else {
            return;
        };
        match link.admit(now, frame, &mut self.random) {
            Admitted::Now(frame) => {
                frames.extend(link.sender(&frame).map(|sender| (sender, frame)));
            }
            Admitted::Later => {}
            Admitted::Lost(frame) => self.note_lost(to, Some(frame.into())),
        }
    }

    /// Tells what was in a frame that is lost between this node and another.
    fn note_lost(&self, peer: NodeId, frame: Option<Bytes>) {
        let (Some(probe), Some(frame)) = (&self.probe, frame) else {
            return;
        };
        let mut messages = Vec::new();
        if codec::decode_groups_in(&mut messages, &frame).is_ok() {
            for (_, message) in &messages {
                probe.message(Way::Lost, peer, message);
            }
        }
    }

    fn note_step(&self, now: Instant, round: Option<&Round>) {
        let Some(probe) = &self.probe else {
            return;
        };
        if let Some(round) = round {
            let sizes = round
                .puts
                .iter()
                .map(|(key, value)| key.len() + value.len());
            probe.write(round.puts.len(), sizes.sum());
        }
        // The node of a group that is alone: several are not told apart.
        if let Some((_, group)) = self.groups.iter().next() {
            probe.step(now, &group.node);
        }
    }

    /// Whether there is progress to be told, in its time.
    fn has_progress(&self) -> bool {
        !self.progress_interval.is_zero() && self.groups.has_moved()
    }

    fn next_deadline(&self) -> Instant {
        let delayed = self
            .links
            .iter()
            .map(|(_, link)| link.next_due())
            .min()
            .unwrap_or(Instant::NEVER);
        let progress = if self.has_progress() {
            self.progress_due
        } else {
            Instant::NEVER
        };
        let nearest = self.groups.next_timeout().min(delayed).min(progress);
        #[cfg(feature = "shards")]
        let nearest = self
            .hosting
            .as_ref()
            .map_or(nearest, |hosting| nearest.min(hosting.next_timeout()));
        nearest
    }
}
