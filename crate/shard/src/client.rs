//! A client of a sharded store: finds the group that serves a shard, follows it when it moves, and makes
//! each write take effect once. As pure as the node.
//!
//! To each shard it has a client of `rsm`, with a session in that shard, which travels with it. So a
//! write keeps its number over all attempts, whatever group they go to.

mod route;
mod search;

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use quorate_raft::{Instant, NodeId, Random, Table};
use quorate_rsm::{
    Call, CallError, CallId, Client, ClientConfig, ClientInput, ClientOutput, Reply as NodeReply,
    Request, RequestBody, RequestError, RequestId,
};

use crate::config::{Configuration, GroupId, ShardId};
use crate::mover::{CONTROLLER, Outgoing};
use crate::protocol::{Body, Command, Elsewhere, Query, Reply};

use route::{NOWHERE, PATIENCE_MAX, Route};

/// Settings of a client of a sharded store.
#[derive(Clone, Debug)]
pub struct ShardClientConfig {
    /// The nodes of the controller's group.
    pub controllers: Vec<NodeId>,
    /// How many shards there are.
    pub shards: u32,
    /// Calls open at a time. Default 4,096.
    pub max_pending: usize,
    /// Of each shard's client; the nodes are replaced.
    pub client: ClientConfig,
    /// The configuration is asked for at most so often. Default 100 ms.
    pub refresh: Duration,
}

impl ShardClientConfig {
    /// The defaults.
    #[must_use]
    pub fn new(controllers: Vec<NodeId>, shards: u32) -> Self {
        Self {
            controllers,
            shards: shards.max(1),
            max_pending: 4_096,
            client: ClientConfig::new(Vec::new()),
            refresh: Duration::from_millis(100),
        }
    }
}

/// An effect from [`ShardClient::poll_output`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardOutput {
    /// Deliver these, if possible. Losing them is safe.
    Send(Outgoing),
    /// A call has ended.
    Done {
        /// Which one.
        call: CallId,
        /// The store's reply, or why there is none.
        result: Result<Bytes, CallError>,
    },
}

/// A client of a sharded store.
pub struct ShardClient {
    config: ShardClientConfig,
    now: Instant,
    random: Random,
    closed: bool,
    down: Table<NodeId, ()>,
    controller: Client,
    configuration: Configuration,
    /// The question for the newest configuration, and when the next may be asked.
    asking: Option<CallId>,
    /// The question for one before.
    looking_back: Option<CallId>,
    ask_from: Instant,
    routes: Table<ShardId, Route>,
    /// Who answered last for a group.
    leaders: Table<GroupId, NodeId>,
    /// Groups of which nothing came when they were last asked.
    gone: Table<GroupId, ()>,
    calls: Table<CallId, (ShardId, CallId)>,
    names: Table<(ShardId, CallId), CallId>,
    next_call: u64,
    outputs: VecDeque<ShardOutput>,
}

/// After so many groups that sent a call elsewhere, it pauses: the shard is on its way.
const BOUNCES: u32 = 2;

/// Requests that go together, about: those of one shard are never divided.
const SEND_MAX: usize = 256;

impl ShardClient {
    /// A client that has nothing to do yet. `seed` decides whom it tries first, and how long it pauses.
    #[must_use]
    pub fn new(config: ShardClientConfig, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let settings = ClientConfig {
            nodes: config.controllers.clone(),
            ..config.client.clone()
        };
        Self {
            now: Instant::default(),
            closed: false,
            down: Table::default(),
            controller: Client::new(settings, random.next_u64()),
            configuration: Configuration::empty(config.shards),
            asking: None,
            looking_back: None,
            ask_from: Instant::default(),
            routes: Table::default(),
            leaders: Table::default(),
            gone: Table::default(),
            calls: Table::default(),
            names: Table::default(),
            next_call: 1,
            outputs: VecDeque::new(),
            random,
            config,
        }
    }

    /// The newest configuration that it knows.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Begins a call of the store in a shard; [`ShardOutput::Done`] ends it, at the latest at
    /// `deadline`.
    ///
    /// # Errors
    /// `TooManyCalls`, or `Closed`: nothing was begun.
    ///
    /// # Panics
    /// If there is no such shard.
    pub fn call(
        &mut self,
        now: Instant,
        shard: ShardId,
        call: Call,
        deadline: Instant,
    ) -> Result<CallId, CallError> {
        assert!(shard.0 < self.config.shards, "a shard of this store");
        self.now = self.now.max(now);
        if self.calls.len() >= self.config.max_pending && !self.closed {
            return Err(CallError::TooManyCalls);
        }
        if !self.routes.has(shard) {
            self.open_route(shard);
        }
        let route = self.routes.get_mut(shard).expect("it was just opened");
        let inner = route.client.call(now, call, deadline)?;
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.calls.insert(id, (shard, inner));
        self.names.insert((shard, inner), id);
        // It may be there again; but not for long is it waited for that.
        if self.gone.has(route.group) && route.leaderless.is_none() {
            route.leaderless = Some(self.now);
            route.patience = self.config.refresh;
        }
        if route.group == GroupId::NONE {
            self.refresh();
        }
        self.drain(shard);
        Ok(id)
    }

    /// The caller lost interest.
    pub fn cancel(&mut self, now: Instant, call: CallId) {
        self.now = self.now.max(now);
        if let Some(&(shard, call)) = self.calls.get(call) {
            self.tell(shard, ClientInput::Cancel { call });
        }
    }

    /// Ends every call, and the sessions.
    pub fn close(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.closed = true;
        for shard in self.routed() {
            self.tell(shard, ClientInput::Close);
        }
    }

    /// A node of a group answered.
    pub fn reply(&mut self, now: Instant, group: GroupId, from: NodeId, reply: NodeReply) {
        self.now = self.now.max(now);
        if group == CONTROLLER {
            let input = ClientInput::Reply { from, reply };
            self.controller.handle(self.now, input);
            return self.drain_controller();
        }
        let (shard, id) = self.named(reply.id);
        if let Some(route) = self.routes.get_mut(shard).filter(|it| it.group == group) {
            route.is_silent = false;
            match reply.result {
                Err(RequestError::NotLeader { .. } | RequestError::LeadershipLost { .. }) => {
                    route.leaderless.get_or_insert(self.now);
                }
                _ => {
                    route.hears(self.config.client.attempt_timeout);
                    self.gone.remove(group);
                }
            }
        }
        let answer = match &reply.result {
            Ok(bytes) => Reply::decode(bytes).unwrap_or(Reply::Gone),
            Err(error) => {
                let reply = NodeReply {
                    id,
                    result: Err(*error),
                };
                return self.tell(shard, ClientInput::Reply { from, reply });
            }
        };
        let mut result = Err(RequestError::NotLeader { hint: None });
        match answer {
            Reply::Done(data) => {
                self.leaders.insert(group, from);
                if let Some(route) = self.routes.get_mut(shard) {
                    (route.bounces, route.back) = (0, NOWHERE);
                }
                result = Ok(data);
            }
            Reply::Refused(error) => result = Err(error),
            Reply::Elsewhere(elsewhere) => {
                let reply = NodeReply { id, result };
                self.tell(shard, ClientInput::Reply { from, reply });
                return self.follow(shard, group, elsewhere);
            }
            // A group that was not told yet which one it is.
            _ => self.refresh(),
        }
        let reply = NodeReply { id, result };
        self.tell(shard, ClientInput::Reply { from, reply });
    }

    /// A node went or came.
    pub fn notice(&mut self, now: Instant, node: NodeId, is_up: bool) {
        self.now = self.now.max(now);
        match is_up {
            true => drop(self.down.remove(node)),
            false => drop(self.down.insert(node, ())),
        }
        let input = |is_there| match is_up {
            true if is_there => Some(ClientInput::NodeUp { node }),
            true => None,
            false => Some(ClientInput::NodeDown { node }),
        };
        if let Some(input) = input(self.config.controllers.contains(&node)) {
            self.controller.handle(self.now, input);
            self.drain_controller();
        }
        for shard in self.routed() {
            let route = self.routes.get(shard);
            let is_there = route.is_some_and(|route| route.nodes.contains(&node));
            if let Some(input) = input(is_there) {
                self.tell(shard, input);
            }
        }
    }

    /// The deadline of [`ShardClient::next_timeout`] may have passed.
    pub fn timer(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.controller.next_timeout() <= self.now {
            self.controller.handle(self.now, ClientInput::TimerFired);
            self.drain_controller();
        }
        for shard in self.routed() {
            let Some(route) = self.routes.get_mut(shard) else {
                continue;
            };
            if route.wait_for_leader() <= self.now {
                route.is_leaderless = true;
                route.leaderless = Some(self.now);
                route.patience = (route.patience * 2).min(PATIENCE_MAX);
                self.gone.insert(route.group, ());
                self.refresh();
            }
            let route = self.routes.get_mut(shard);
            let Some(route) = route.filter(|route| route.client.next_timeout() <= self.now) else {
                continue;
            };
            let was_silent = core::mem::replace(&mut route.is_silent, true);
            self.tell(shard, ClientInput::TimerFired);
            let route = self.routes.get(shard);
            // A group that is gone cannot say where its shards went.
            if let Some(route) = route.filter(|it| was_silent && it.client.pending() > 0) {
                self.gone.insert(route.group, ());
                self.refresh();
            }
        }
        if self.is_lost() {
            self.refresh();
        }
    }

    /// When [`ShardClient::timer`] is next due.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let clients = self.routes.iter();
        let clients =
            clients.map(|(_, route)| route.client.next_timeout().min(route.wait_for_leader()));
        let refresh = match self.is_lost() && self.asking.is_none() {
            true => self.ask_from,
            false => Instant::NEVER,
        };
        let nearest = clients.min().unwrap_or(Instant::NEVER);
        nearest.min(self.controller.next_timeout()).min(refresh)
    }

    /// The next effect; `None` when drained.
    pub fn poll_output(&mut self) -> Option<ShardOutput> {
        self.outputs.pop_front()
    }

    /// Whether a call waits for a shard of which it is not known where it is.
    fn is_lost(&self) -> bool {
        let mut routes = self.routes.iter();
        routes.any(|(_, route)| route.group == GroupId::NONE && route.client.pending() > 0)
    }

    /// The shards to which there is a way.
    fn routed(&self) -> Vec<ShardId> {
        self.routes.keys().collect()
    }

    fn open_route(&mut self, shard: ShardId) {
        let client = Client::new(self.config.client.clone(), self.random.next_u64());
        let mut route = Route {
            client,
            group: GroupId::NONE,
            nodes: Vec::new(),
            config: 0,
            bounces: 0,
            is_silent: false,
            leaderless: None,
            is_leaderless: false,
            patience: self.config.client.attempt_timeout,
            back: NOWHERE,
        };
        let group = self.configuration.owner(shard);
        if let Some(info) = self.configuration.groups.get(group) {
            let config = self.configuration.number;
            route.lead_to(self.now, group, info.nodes.clone(), config, &self.down);
        }
        self.routes.insert(shard, route);
    }

    /// A group does not serve a shard: it is asked where that group says.
    fn follow(&mut self, shard: ShardId, from: GroupId, elsewhere: Elsewhere) {
        let Elsewhere {
            config,
            owner,
            nodes,
        } = elsewhere;
        if config > self.configuration.number || owner == GroupId::NONE {
            self.refresh();
        }
        let Some(route) = self.routes.get_mut(shard) else {
            return;
        };
        if owner == GroupId::NONE {
            // There is no such group there, any more or yet, or it knows of no configuration: that is no
            // news of the shard, and to ask again at once is of no use.
            route.is_silent |= route.group == from;
            return;
        }
        // Only the first to say so turns the way.
        if route.group == from && self.gone.has(owner) {
            // Nothing came of that one: somebody before it may serve the shard.
            route.is_leaderless = true;
            self.refresh();
            return self.drain(shard);
        }
        if route.group == from && owner != from {
            route.lead_to(self.now, owner, nodes, config, &self.down);
            route.bounces += 1;
        }
        self.go_on(shard);
    }

    /// Has a shard's calls made at once, unless they were sent elsewhere too often.
    fn go_on(&mut self, shard: ShardId) {
        let Some(route) = self.routes.get(shard).filter(|it| it.bounces <= BOUNCES) else {
            return self.drain(shard);
        };
        let up = |node: &NodeId| route.nodes.contains(node) && !self.down.has(*node);
        let leader = self.leaders.get(route.group).copied().filter(up);
        match leader.or_else(|| route.nodes.iter().copied().find(up)) {
            Some(node) => self.tell(shard, ClientInput::Leads { node }),
            None => self.drain(shard),
        }
    }

    /// Gives an input to the client of a shard, and takes what comes of it.
    fn tell(&mut self, shard: ShardId, input: ClientInput) {
        if let Some(route) = self.routes.get_mut(shard) {
            route.client.handle(self.now, input);
        }
        self.drain(shard);
    }

    /// Sends requests along with those of other shards to the same node and group, if they were not taken
    /// yet: what a frame costs, it costs once for all calls of a turn.
    fn send(&mut self, group: GroupId, to: NodeId, requests: Vec<Request>) {
        let same = self
            .outputs
            .iter_mut()
            .rev()
            .find_map(|output| match output {
                ShardOutput::Send(it) if (it.group, it.to) == (group, to) => Some(it),
                ShardOutput::Send(_) | ShardOutput::Done { .. } => None,
            });
        match same {
            Some(before) if before.requests.len() < SEND_MAX => before.requests.extend(requests),
            Some(_) | None => self.outputs.push_back(ShardOutput::Send(Outgoing {
                group,
                to,
                requests,
            })),
        }
    }

    fn drain(&mut self, shard: ShardId) {
        if let Some(route) = self.routes.get_mut(shard).filter(|_| !self.down.is_empty())
            && route.client.pending() > 0
            && route.nodes.iter().all(|node| self.down.has(*node))
        {
            route.leaderless.get_or_insert(self.now);
        }
        while let Some(route) = self.routes.get_mut(shard)
            && let Some(output) = route.client.poll_output()
        {
            match output {
                ClientOutput::Send { to, requests } => {
                    let group = route.group;
                    let shards = self.config.shards;
                    let requests = requests.into_iter();
                    let requests = requests.map(|request| wrap(shard, shards, request));
                    self.send(group, to, requests.collect());
                }
                ClientOutput::Done { call, result } => {
                    if let Some(call) = self.names.remove((shard, call)) {
                        self.calls.remove(call);
                        self.outputs.push_back(ShardOutput::Done { call, result });
                    }
                }
            }
        }
    }

    /// Whose request it was, and by what name.
    fn named(&self, id: RequestId) -> (ShardId, RequestId) {
        let shards = u64::from(self.config.shards);
        (ShardId((id.0 % shards) as u32), RequestId(id.0 / shards))
    }
}

/// A request of a shard's client, as the group gets it. Its name says which shard it is of.
fn wrap(shard: ShardId, shards: u32, request: Request) -> Request {
    let ask = |body| {
        let command = Command::Request { shard, body }.encode();
        RequestBody::Propose { command }
    };
    let body = match request.body {
        RequestBody::OpenSession => ask(Body::Open),
        RequestBody::CloseSession { session } => ask(Body::Close { session }),
        RequestBody::Write {
            session,
            sequence,
            acknowledged,
            command,
        } => ask(Body::Write {
            session,
            sequence,
            acknowledged,
            command,
        }),
        RequestBody::Propose { command } => RequestBody::Propose { command },
        RequestBody::Read { query, at } => RequestBody::Read {
            query: Query::Ask { shard, query }.encode(),
            at,
        },
    };
    let id = request.id.0 * u64::from(shards) + u64::from(shard.0);
    Request {
        id: RequestId(id),
        body,
    }
}
