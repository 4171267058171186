//! A store of shards on a stage: a controller and two groups, on nodes of their own. The first group has all shards until another joins.
//!
//! Clients and configurations come from whoever watches. After every event no shard is served twice, as in all worlds of shards.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv as kv;
use quorate_raft::{Instant, NodeId, Random};
use quorate_rsm::{
    Call, CallError, CallId, Client, ClientConfig, ClientId, ClientInput, ClientOutput, Outcome,
    Reply,
};
use quorate_shard::{
    CONTROLLER, ControllerCommand, GroupId, GroupInfo, MoverConfig, Outgoing, Place, ShardClient,
    ShardClientConfig, ShardOutput, ShardStore, shard_of,
};

use super::{Placement, ShardCluster, ShardClusterConfig, ShardEvent};
use crate::checker::Violation;
use crate::cluster::{Cluster, ClusterConfig};
use crate::digest::Digest;
use crate::film::board::{Board, GroupBoard, PlaceBoard, ShardsBoard};
use crate::film::dialect::Dialect;
use crate::film::reel::Reel;
use crate::film::rows::Chunk;
use crate::film::words;
use crate::machine::tagged;
use crate::stage::{Act, Asked, Calls, Watched};
use crate::streams::{Concern, Streams};
use crate::trace;
use crate::workload::Wish;
use crate::world::Failure;

/// Groups beside the controller's.
pub(crate) const GROUPS: u32 = 2;
/// Shards.
pub(crate) const SHARDS: u32 = 4;
/// A piece of a shard has so many bytes: a few keys make several.
const PIECE_BYTES: u32 = 32;
/// Who makes configurations, on connections; clients have smaller numbers.
const ADMIN: ClientId = ClientId(900);
/// A configuration has so long to be made.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    Client(u64),
    Admin,
}

/// A client, and the earliest time at which it is woken.
struct Caller {
    client: ShardClient,
    armed: Instant,
}

/// The scene.
pub(crate) struct ShardScene {
    store: ShardCluster<Wake>,
    random: Random,
    admin: Client,
    /// The earliest time at which the admin is woken.
    armed: Instant,
    /// Commands of the admin so far.
    named: u64,
    clients: BTreeMap<u64, Caller>,
    calls: Calls<(u64, CallId)>,
    /// Keys that clients named.
    keys: BTreeMap<String, u32>,
    reel: Reel,
    board: ShardsBoard,
    events: u64,
    refused: Option<String>,
}

/// The nodes of such a scene, each group of so many.
pub(crate) fn nodes(each: u64) -> Vec<u64> {
    let groups = 0..=u64::from(GROUPS);
    groups
        .flat_map(|group| (1..=each).map(move |node| 10 * group + node))
        .collect()
}

impl ShardScene {
    /// Groups of such clusters, before their first event.
    pub(crate) fn new(cluster: ClusterConfig) -> Self {
        let seed = cluster.seed;
        let mover = MoverConfig {
            chunk_bytes: PIECE_BYTES,
            window: 1,
            fetches: 1,
            small_bytes: u64::from(PIECE_BYTES),
            copies: 2,
            ..MoverConfig::new(Vec::new())
        };
        let mut store = ShardCluster::new(ShardClusterConfig {
            nodes: cluster.voters,
            cluster,
            groups: GROUPS,
            placement: Placement::Apart,
            mover,
        });
        store.controller.watch();
        speak(&mut store.controller, Dialect::CONTROLLER);
        for group in store.groups.values_mut() {
            group.watch();
            speak(group, Dialect::SHARDS);
        }
        let mut random = Streams::new(seed).stream(Concern::Workload, 1);
        let controllers = store.nodes(CONTROLLER);
        Self {
            store,
            admin: Client::new(ClientConfig::new(controllers), random.next_u64()),
            armed: Instant::NEVER,
            random,
            named: 0,
            clients: BTreeMap::new(),
            calls: Calls::default(),
            keys: BTreeMap::new(),
            reel: Reel::default(),
            board: ShardsBoard::default(),
            events: 0,
            refused: None,
        }
    }

    /// All nodes start, and the first group gets all shards.
    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        for worker in self.store.workers() {
            let seed = self.random.next_u64();
            self.store.start(worker, seed)?;
        }
        self.decide(&ControllerCommand::Create { shards: SHARDS });
        let first = self.join(GroupId(1));
        self.decide(&first);
        self.tell();
        Ok(())
    }

    fn join(&self, group: GroupId) -> ControllerCommand {
        let info = GroupInfo::new(self.store.nodes(group));
        ControllerCommand::Join {
            groups: vec![(group, info)],
        }
    }

    fn now(&self) -> Instant {
        Instant(self.store.now)
    }

    fn decide(&mut self, command: &ControllerCommand) {
        self.named += 1;
        let command = tagged(self.named, &command.encode());
        let deadline = self.now().after(PATIENCE);
        // So few are open that there is room for one more.
        let _ = self.admin.call(self.now(), Call::Write(command), deadline);
        self.drain_admin();
    }

    fn drain_admin(&mut self) {
        while let Some(output) = self.admin.poll_output() {
            if let ClientOutput::Send { to, requests } = output {
                let group = CONTROLLER;
                let outgoing = Outgoing {
                    group,
                    to,
                    requests,
                };
                self.store.send(ADMIN, outgoing);
            }
        }
        let next = self.admin.next_timeout();
        if next < self.armed {
            self.armed = next;
            self.store.plan_at(next.0, Wake::Admin);
        }
    }

    fn drain_client(&mut self, number: u64) -> Result<(), Violation> {
        let now = self.store.now;
        let Some(Caller { client, armed }) = self.clients.get_mut(&number) else {
            return Ok(());
        };
        let mut sends = Vec::new();
        while let Some(output) = client.poll_output() {
            match output {
                ShardOutput::Send(outgoing) => sends.push(outgoing),
                ShardOutput::Done { call, result } => {
                    let told = told(result)?;
                    let ended = self.calls.end(&(number, call), (now, self.events), told);
                    ended.into_iter().for_each(|row| self.reel.tell(row));
                }
            }
        }
        let next = client.next_timeout();
        if next < *armed {
            *armed = next;
            self.store.plan_at(next.0, Wake::Client(number));
        }
        for outgoing in sends {
            self.store.send(ClientId(number), outgoing);
        }
        Ok(())
    }

    fn call(&mut self, asked: &Asked) -> Result<Option<String>, Violation> {
        let (number, now) = (asked.client, self.now());
        let random = &mut self.random;
        let controllers = self.store.nodes(CONTROLLER);
        let caller = self.clients.entry(number).or_insert_with(|| {
            let config = ShardClientConfig::new(controllers, SHARDS);
            Caller {
                client: ShardClient::new(config, random.next_u64()),
                armed: Instant::NEVER,
            }
        });
        let (wish, action) = asked.wish();
        let call = match &wish {
            Wish::Write(command) => Call::Write(command.encode()),
            Wish::Read(query) | Wish::Ask { query, .. } => Call::Read(query.encode()),
        };
        let shard = shard_of(asked.key.as_bytes(), SHARDS);
        let deadline = now.after(Duration::from_millis(asked.timeout_ms));
        let Ok(id) = caller.client.call(now, shard, call, deadline) else {
            return Ok(Some(format!("client {number} has too many calls open")));
        };
        self.keys.insert(asked.key.clone(), shard.0);
        let row = self
            .calls
            .begin((number, id), (now.0, self.events), asked, &wish, action);
        self.reel.tell(row);
        self.drain_client(number)?;
        Ok(None)
    }

    fn wake(&mut self, wake: Wake) -> Result<(), Violation> {
        let now = self.now();
        match wake {
            Wake::Admin => {
                self.armed = Instant::NEVER;
                self.admin.handle(now, ClientInput::TimerFired);
                self.drain_admin();
                Ok(())
            }
            Wake::Client(number) => {
                if let Some(Caller { client, armed }) = self.clients.get_mut(&number) {
                    *armed = Instant::NEVER;
                    client.timer(now);
                }
                self.drain_client(number)
            }
        }
    }

    fn answered(
        &mut self,
        group: GroupId,
        client: ClientId,
        from: NodeId,
        replies: Vec<Reply>,
    ) -> Result<(), Violation> {
        let now = self.now();
        if client == ADMIN {
            for reply in replies {
                self.admin.handle(now, ClientInput::Reply { from, reply });
            }
            self.drain_admin();
            return Ok(());
        }
        if let Some(caller) = self.clients.get_mut(&client.0) {
            for reply in replies {
                caller.client.reply(now, group, from, reply);
            }
        }
        self.drain_client(client.0)
    }

    /// What an event changed.
    fn tell(&mut self) {
        let event = self.events;
        self.store.controller.tell();
        if let Some(film) = &mut self.store.controller.film {
            self.reel.add(0, core::mem::take(&mut film.chunk));
        }
        for (id, group) in &mut self.store.groups {
            group.tell();
            if let Some(film) = &mut group.film {
                self.reel.add(id.0, core::mem::take(&mut film.chunk));
            }
        }
        self.look();
        self.reel.show(event, Board::Shards(self.board.clone()));
    }

    fn look(&mut self) {
        let controllers = self.store.controller.voters().iter();
        let machines = controllers.filter_map(|id| self.store.controller.machine(*id)?.latest());
        // Where nobody of the controller runs, it is as it was.
        if let Some(latest) = machines.max_by_key(|it| it.number) {
            self.board.number = latest.number;
            let shards = (0..SHARDS).map(quorate_shard::ShardId);
            self.board.owners = shards.map(|shard| latest.owner(shard).0).collect();
        }
        let before = core::mem::take(&mut self.board.groups);
        let controller = GroupBoard {
            id: 0,
            nodes: ids(self.store.controller.voters()),
            number: self.board.number,
            places: Vec::new(),
        };
        let groups = self.store.groups.iter().map(|(id, cluster)| {
            let known = before.iter().find(|group| group.id == id.0);
            seen(*id, cluster)
                .or_else(|| known.cloned())
                .unwrap_or(GroupBoard {
                    id: id.0,
                    nodes: ids(cluster.voters()),
                    ..GroupBoard::default()
                })
        });
        self.board.groups = core::iter::once(controller).chain(groups).collect();
        self.board.keys = self
            .keys
            .iter()
            .map(|(key, shard)| (key.clone(), *shard))
            .collect();
    }

    /// Names the event under way to all clusters.
    fn begin_event(&mut self) {
        self.events += 1;
        self.store.controller.at_event(self.events);
        for group in self.store.groups.values_mut() {
            group.at_event(self.events);
        }
    }

    fn live(&mut self) -> Result<(), Failure> {
        match self.store.advance()? {
            ShardEvent::Internal => {}
            ShardEvent::Wake(wake) => self.wake(wake)?,
            ShardEvent::Replies {
                group,
                client,
                from,
                replies,
            } => self.answered(group, client, from, replies)?,
        }
        self.store.look()?;
        self.store.carry();
        Ok(())
    }

    /// A sentence if it cannot be done.
    fn perform(&mut self, act: &Act) -> Result<Option<String>, Failure> {
        let workers = self.store.workers();
        if let Some(id) = act.nodes().iter().find(|id| !workers.contains(id)) {
            return Ok(Some(format!("there is no {id} in this world")));
        }
        let no = |sentence: String| Ok(Some(sentence));
        match act {
            Act::Crash(id) if !self.store.is_running(*id) => no(format!("{id} does not run")),
            Act::Start(id) if self.store.is_running(*id) => no(format!("{id} runs already")),
            Act::Crash(id) => {
                self.store.crash(*id)?;
                Ok(None)
            }
            Act::Start(id) => {
                let seed = self.random.next_u64();
                self.store.start(*id, seed)?;
                Ok(None)
            }
            Act::TimeOut(id) => {
                // All clusters come to this time.
                self.store.all().for_each(drop);
                let groups = self.store.groups.values_mut();
                let fired = match self.store.controller.voters().contains(id) {
                    true => self.store.controller.time_out(*id),
                    false => groups
                        .filter(|group| group.voters().contains(id))
                        .any(|group| group.time_out(*id)),
                };
                Ok((!fired).then(|| "it has no election timer now".to_owned()))
            }
            Act::Join(group) => {
                let command = self.join(GroupId(*group));
                self.decide(&command);
                Ok(None)
            }
            Act::Leave(group) => {
                self.decide(&ControllerCommand::Leave {
                    groups: vec![GroupId(*group)],
                    discard: false,
                });
                Ok(None)
            }
            Act::Call(asked) => Ok(self.call(asked)?),
            _ => no(
                "here nodes crash, start and time out, groups join and leave, and clients ask"
                    .to_owned(),
            ),
        }
    }
}

impl Watched for ShardScene {
    fn events(&self) -> u64 {
        self.events
    }

    fn next_at(&self) -> Option<u64> {
        self.store.next_at()
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.begin_event();
        let result = self.live();
        self.tell();
        result
    }

    fn act(&mut self, act: &Act) -> Result<(), Failure> {
        self.begin_event();
        let now = self.store.now;
        self.store.controller.pass_to(now);
        let trace = &mut self.store.controller.trace;
        trace.event(now, &"-", trace::Event::Act, act.digest(), || {
            act.to_string()
        });
        let result = self.perform(act);
        self.tell();
        self.refused = result?;
        Ok(())
    }

    fn take_refusal(&mut self) -> Option<String> {
        self.refused.take()
    }

    fn take_chunk(&mut self) -> Chunk {
        let mut digest = Digest::new();
        digest.number(self.store.controller.trace.hash());
        for group in self.store.groups.values() {
            digest.number(group.trace.hash());
        }
        Chunk {
            at: self.store.now,
            count: self.events,
            hash: format!("{:016x}", digest.value()),
            ..self.reel.take()
        }
    }

    fn contradiction(&self) -> Option<Vec<u64>> {
        self.calls.contradiction()
    }
}

fn speak<M: quorate_rsm::StateMachine>(cluster: &mut Cluster<M>, dialect: Dialect) {
    if let Some(film) = &mut cluster.film {
        film.dialect = dialect;
        film.told_from = 1;
    }
}

fn ids(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|id| id.0).collect()
}

/// A group as its most advanced node has it; `None` if none runs.
fn seen(id: GroupId, cluster: &Cluster<ShardStore>) -> Option<GroupBoard> {
    let nodes = cluster.voters().iter();
    let applied = nodes.filter_map(|id| Some((cluster.raft(*id)?.applied().index, *id)));
    let store = cluster.machine(applied.max()?.1)?;
    let places = store.places().map(|(shard, place)| {
        let (stand, copies, pieces) = match place {
            Place::Serving => ("serving", 0, 0),
            Place::Leaving(_) => ("leaving", 0, 0),
            Place::Frozen(_) => ("frozen", 0, 0),
            Place::Arriving(it) => ("arriving", it.copies, it.copy.map_or(0, |copy| copy.pieces)),
        };
        PlaceBoard {
            shard: shard.0,
            stand,
            copies,
            pieces,
        }
    });
    Some(GroupBoard {
        id: id.0,
        nodes: ids(cluster.voters()),
        number: store.configuration().number,
        places: places.collect(),
    })
}

/// The store's answer, or what is known of a call that has none.
fn told(result: Result<Bytes, CallError>) -> Result<Result<kv::Reply, Outcome>, Violation> {
    match result {
        Ok(bytes) => kv::Reply::decode(&bytes).map(Ok).map_err(|_| {
            let seen = format!("an answer that is none: {}", words::text(&bytes));
            Violation::new("Replies are the store's", seen)
        }),
        Err(CallError::DeadlineExceeded { outcome }) => Ok(Err(outcome)),
        Err(_) => Ok(Err(Outcome::Unknown)),
    }
}
