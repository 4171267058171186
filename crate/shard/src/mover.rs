//! What a node does for the groups that it leads, beside their logs: it learns of configurations, has
//! them adopted one after the other, fetches the shards that arrive, and lets go of those that have left.
//!
//! Nothing of it needs to be remembered: what is to be done next follows from the group's state, so
//! whoever leads next goes on from there. Each call is one that does nothing a second time. Pure, as the
//! node is: the host carries its requests, and tells it of what changed.

mod answers;
mod contact;
mod fetch;
mod progress;
mod task;

use core::time::Duration;
use std::collections::VecDeque;

use quorate_raft::{Instant, NodeId, Random, Table};
use quorate_rsm::{
    Call, CallId, ClientInput, ClientOutput, ReadAt, Reply as NodeReply, Request, RequestError,
};

use crate::config::{Configuration, GroupId, ShardId};
use crate::controller::{ControllerCommand, ControllerQuery};
use crate::protocol::{Command, Query, Reply};
use crate::store::{Place, ShardStore};

use contact::Contact;
pub(crate) use contact::turn;
use fetch::Fetch;
pub use progress::{Arriving, Step};
use task::Task;

/// Settings of a mover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoverConfig {
    /// The nodes of the controller's group.
    pub controllers: Vec<NodeId>,
    /// Bytes of a piece of a shard. Default 256 KiB.
    pub chunk_bytes: u32,
    /// Pieces of a shard under way at a time. Default 4.
    pub window: u32,
    /// Shards that a group fetches from another at a time. Default 4.
    pub fetches: usize,
    /// A shard is frozen when the last copy had at most so many bytes. Default 64 KiB.
    pub small_bytes: u64,
    /// Or after so many copies. Default 6.
    pub copies: u32,
    /// How long a call may take before its step is taken again. Default 5 s.
    pub timeout: Duration,
    /// A node that says nothing for so long is given up, and another asked; one that may wait for news is
    /// given twice as long. Default 500 ms.
    pub silence: Duration,
    /// Pause after a step that failed. Default 20 ms.
    pub pause: Duration,
}

impl MoverConfig {
    /// The defaults, for a controller on these nodes.
    #[must_use]
    pub fn new(controllers: Vec<NodeId>) -> Self {
        Self {
            controllers,
            chunk_bytes: 256 << 10,
            window: 4,
            fetches: 4,
            small_bytes: 64 << 10,
            copies: 6,
            timeout: Duration::from_secs(5),
            silence: Duration::from_millis(500),
            pause: Duration::from_millis(20),
        }
    }
}

/// Deliver these, if possible. Losing them is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// To this group's
    pub group: GroupId,
    /// node. It may be the mover's own.
    pub to: NodeId,
    /// In this order.
    pub requests: Vec<Request>,
}

/// The group that the controller is.
pub const CONTROLLER: GroupId = GroupId(0);

/// What one node does for the groups it leads.
pub struct Mover {
    config: MoverConfig,
    node: NodeId,
    now: Instant,
    random: Random,
    down: Table<NodeId, ()>,
    groups: Table<GroupId, Contact>,
    tasks: Table<(GroupId, CallId), Task>,
    led: Table<GroupId, Led>,
    /// To be looked at.
    dirty: Table<GroupId, ()>,
    /// To be looked at when its time has come.
    paused: Table<(Instant, GroupId), ()>,
    /// The newest configurations that are known, by number.
    known: Table<u64, Configuration>,
    /// The number of the latest, as far as is known.
    latest: u64,
    /// Those up to here are not kept by the controller any more.
    compacted: u64,
    is_watching: bool,
    outputs: VecDeque<Outgoing>,
}

/// What is under way for a group that is led.
#[derive(Default)]
struct Led {
    /// Up to which configuration the controller knows that this group is done.
    reported: u64,
    is_reporting: bool,
    /// The group is told which one it is, or of the next configuration.
    is_told: bool,
    /// The next configuration is asked for, or which one to skip to.
    is_fetching: bool,
    /// The one that was asked for.
    next: Option<Configuration>,
    /// The group was away for so long that what follows is not kept: it goes on from here.
    skip: Option<u64>,
    fetches: Table<ShardId, Fetch>,
    /// Shards that left, of which it is asked whether they have arrived, or that are deleted.
    leaving: Table<ShardId, ()>,
}

/// Configurations kept.
const KNOWN_MAX: usize = 16;

impl Mover {
    /// The mover of a node that leads nothing yet. `seed` decides whom it asks first.
    #[must_use]
    pub fn new(config: MoverConfig, node: NodeId, seed: u64) -> Self {
        Self {
            config,
            node,
            now: Instant::default(),
            random: Random::new(seed),
            down: Table::default(),
            groups: Table::default(),
            tasks: Table::default(),
            led: Table::default(),
            dirty: Table::default(),
            paused: Table::default(),
            known: Table::default(),
            latest: 0,
            compacted: 0,
            is_watching: false,
            outputs: VecDeque::new(),
        }
    }

    /// The controller's group has these nodes now.
    pub fn set_controllers(&mut self, nodes: Vec<NodeId>) {
        self.config.controllers = nodes;
    }

    /// A group's state may have changed, or who leads it. Whoever leads is looked at: see
    /// [`Mover::next_group`].
    pub fn touch(&mut self, now: Instant, group: GroupId, leads: bool) {
        self.now = self.now.max(now);
        if leads {
            self.led.or_default(group);
            self.dirty.insert(group, ());
        } else {
            self.led.remove(group);
            self.dirty.remove(group);
        }
    }

    /// A group to be shown to [`Mover::look`]; `None` when nothing is to be done.
    pub fn next_group(&mut self) -> Option<GroupId> {
        self.dirty.pop_first().map(|(group, ())| group)
    }

    /// Takes whatever steps the state of a group that this node leads asks for.
    pub fn look(&mut self, now: Instant, group: GroupId, store: &ShardStore) {
        self.now = self.now.max(now);
        let Some(mut led) = self.led.remove(group) else {
            return;
        };
        self.watch();
        self.steps(group, &mut led, store);
        self.led.insert(group, led);
    }

    /// A node of a group answered.
    pub fn reply(&mut self, now: Instant, group: GroupId, from: NodeId, mut reply: NodeReply) {
        self.now = self.now.max(now);
        let is_elsewhere = |it| matches!(Reply::decode(it), Ok(Reply::Elsewhere(_)));
        if group != CONTROLLER && reply.result.as_ref().is_ok_and(is_elsewhere) {
            // There is no such group at this node, any more or yet: another one may have it.
            reply.result = Err(RequestError::NotLeader { hint: None });
        }
        self.tell(group, ClientInput::Reply { from, reply });
    }

    /// A node went or came.
    pub fn notice(&mut self, now: Instant, node: NodeId, is_up: bool) {
        self.now = self.now.max(now);
        match is_up {
            true => drop(self.down.remove(node)),
            false => drop(self.down.insert(node, ())),
        }
        for group in self.groups.keys().collect::<Vec<_>>() {
            let is_there = self
                .groups
                .get(group)
                .is_some_and(|contact| contact.nodes.contains(&node));
            if !is_up {
                self.tell(group, ClientInput::NodeDown { node });
            } else if is_there {
                self.tell(group, ClientInput::NodeUp { node });
            }
        }
    }

    /// The deadline of [`Mover::next_timeout`] may have passed.
    pub fn timer(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(((at, group), ())) = self.paused.first()
            && at <= self.now
        {
            self.paused.pop_first();
            if self.led.has(group) {
                self.dirty.insert(group, ());
            }
        }
        for group in self.groups.keys().collect::<Vec<_>>() {
            let due = self
                .groups
                .get(group)
                .is_some_and(|contact| contact.client.next_timeout() <= self.now);
            if due {
                self.tell(group, ClientInput::TimerFired);
            }
        }
    }

    /// When [`Mover::timer`] is next due.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let clients = self.groups.iter();
        let clients = clients.map(|(_, contact)| contact.client.next_timeout());
        let paused = self.paused.first().map(|((at, _), ())| at);
        clients.chain(paused).min().unwrap_or(Instant::NEVER)
    }

    /// The next requests to carry; `None` when drained.
    pub fn poll_output(&mut self) -> Option<Outgoing> {
        self.outputs.pop_front()
    }

    /// Asks for news of the controller, as long as anything is led.
    fn watch(&mut self) {
        if self.is_watching {
            return;
        }
        self.is_watching = true;
        let newest = self.known.iter().next_back();
        let after = newest.map_or(self.compacted, |(number, _)| number);
        let query = ControllerQuery::Changes { after }.encode();
        let at = ReadAt::Watch;
        let nodes = self.config.controllers.clone();
        self.ask(CONTROLLER, &nodes, Task::Watch, Call::ReadAt { query, at });
    }

    fn steps(&mut self, group: GroupId, led: &mut Led, store: &ShardStore) {
        let number = store.configuration().number;
        if store.group() == GroupId::NONE {
            let shards = self.known.first().map(|(_, it)| it.shards.len() as u32);
            if let Some(shards) = shards.filter(|_| !led.is_told) {
                led.is_told = true;
                self.propose(group, Task::Tell(group), &Command::Found { group, shards });
            }
            return;
        }
        if !store.is_settled() {
            return self.moves(group, led, store);
        }
        led.fetches = Table::default();
        led.leaving = Table::default();
        if number > led.reported && !led.is_reporting {
            led.is_reporting = true;
            let command = ControllerCommand::Progress { group, number }.encode();
            let nodes = self.config.controllers.clone();
            let task = Task::Report(group, number);
            self.ask(CONTROLLER, &nodes, task, Call::Propose(command));
        }
        if self.latest <= number || led.is_told || led.is_fetching {
            return;
        }
        let skip = led.skip.filter(|skip| *skip > number);
        let wanted = skip.unwrap_or(number + 1);
        let fetched = led.next.take().filter(|next| next.number == wanted);
        match fetched.or_else(|| self.known.get(wanted).cloned()) {
            Some(next) => {
                led.is_told = true;
                let command = match skip {
                    Some(_) => Command::Skip(next),
                    None => Command::Adopt(next),
                };
                self.propose(group, Task::Tell(group), &command);
            }
            None => {
                led.is_fetching = true;
                let query = ControllerQuery::Query {
                    number: Some(wanted),
                };
                self.ask_controller(Task::Configuration(group), &query);
            }
        }
    }

    fn ask_controller(&mut self, task: Task, query: &ControllerQuery) {
        let nodes = self.config.controllers.clone();
        self.ask(CONTROLLER, &nodes, task, Call::Read(query.encode()));
    }

    /// The steps of a migration.
    fn moves(&mut self, group: GroupId, led: &mut Led, store: &ShardStore) {
        let config = store.configuration().number;
        // Of each giver by itself: one that is down holds up no other's.
        let mut fetching: Table<GroupId, usize> = Table::default();
        for (shard, place) in store.places() {
            match place {
                Place::Arriving(progress) => {
                    let fetching = fetching.or_default(progress.from);
                    if *fetching == self.config.fetches {
                        continue;
                    }
                    *fetching += 1;
                    let fetch = led.fetches.or_default(shard);
                    let nodes = store.giver(shard).nodes;
                    self.fetch(group, shard, config, fetch, &progress, &nodes);
                }
                Place::Frozen(to) if !led.leaving.has(shard) => {
                    led.leaving.insert(shard, ());
                    let info = store.configuration().groups.get(to);
                    let nodes = info.map_or_else(Vec::new, |info| info.nodes.clone());
                    let query = Query::Arrived { shard, config }.encode();
                    let at = ReadAt::Watch;
                    let task = Task::Arrived(group, shard, config, to);
                    self.ask(to, &nodes, task, Call::ReadAt { query, at });
                }
                Place::Serving | Place::Leaving(_) | Place::Frozen(_) => {}
            }
        }
    }

    /// Begins a call to a group that may be found on these nodes.
    fn ask(&mut self, group: GroupId, nodes: &[NodeId], task: Task, call: Call) {
        let is_watch = matches!(
            &call,
            Call::ReadAt {
                at: ReadAt::Watch,
                ..
            }
        );
        let timeout = self.config.timeout * if is_watch { 4 } else { 1 };
        let (now, deadline) = (self.now, self.now.after(timeout));
        if !self.groups.has(group) {
            let contact = Contact::new(self.config.silence, self.random.next_u64());
            self.groups.insert(group, contact);
        }
        let Some(contact) = self.groups.get_mut(group) else {
            return;
        };
        contact.set_nodes(now, nodes, &self.down);
        match contact.client.call(now, call, deadline) {
            Ok(call) => drop(self.tasks.insert((group, call), task)),
            Err(_) => self.failed(task),
        }
        self.drain(group);
    }

    /// Has a command proposed by the group that this node leads: by itself.
    fn propose(&mut self, group: GroupId, task: Task, command: &Command) {
        let node = self.node;
        let known = self.groups.get(group).map(|contact| contact.nodes.clone());
        let mut nodes = known.unwrap_or_default();
        if !nodes.contains(&node) {
            nodes.push(node);
        }
        if let Some(contact) = self.groups.get_mut(group) {
            contact.set_nodes(self.now, &nodes, &self.down);
            let input = ClientInput::Leads { node };
            contact.client.handle(self.now, input);
        }
        self.ask(group, &nodes, task, Call::Propose(command.encode()));
    }

    /// Gives an input to the client of a group, and takes what comes of it.
    fn tell(&mut self, group: GroupId, input: ClientInput) {
        if let Some(contact) = self.groups.get_mut(group) {
            contact.client.handle(self.now, input);
        }
        self.drain(group);
    }

    fn drain(&mut self, group: GroupId) {
        while let Some(output) = self
            .groups
            .get_mut(group)
            .and_then(|contact| contact.client.poll_output())
        {
            match output {
                ClientOutput::Send { to, requests } => self.outputs.push_back(Outgoing {
                    group,
                    to,
                    requests,
                }),
                ClientOutput::Done { call, result } => {
                    let Some(task) = self.tasks.remove((group, call)) else {
                        continue;
                    };
                    match result {
                        Ok(reply) => self.done(task, &reply),
                        Err(_) => self.failed(task),
                    }
                }
            }
        }
    }
}
