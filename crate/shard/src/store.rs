//! What a group holds: its configuration, and the shards that it serves, gives away, or gets.
//!
//! All of it is changed by the group's log alone. A group takes over the next configuration when the
//! last one is done: no shard leaves, none arrives. So at each migration giver and taker know exactly
//! which one it is, and an answer about an earlier one can be given at once.

mod snapshot;

use bytes::Bytes;
use quorate_raft::Table;
use quorate_rsm::{ApplyContext, StateMachine};

use crate::arrival::{Arrival, Staged, checksum};
use crate::config::{Configuration, GroupId, SHARDS_MAX, ShardId};
use crate::protocol::{Body, Command, Elsewhere, Query, Reply, Stage, StoreError};
use crate::shard::{Load, Phase, Shard};

pub use snapshot::{ShardRestore, ShardSnapshot};

/// The machine of a group that holds shards.
pub struct ShardStore {
    /// `NONE` until it was told.
    group: GroupId,
    configuration: Configuration,
    shards: Table<ShardId, Shard>,
    /// When each shard with a lease has something to do, by the group's time.
    due: Table<ShardId, u64>,
}

impl Default for ShardStore {
    /// A group that was not told yet which one it is.
    fn default() -> Self {
        Self {
            group: GroupId::NONE,
            configuration: Configuration::empty(1),
            shards: Table::default(),
            due: Table::default(),
        }
    }
}

/// Where a shard of a group stands, for movers and pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is served.
    Serving,
    /// It is served, while the other group copies it.
    Leaving(GroupId),
    /// It is served nowhere, until the other group has it.
    Frozen(GroupId),
    /// It comes from the other group.
    Arriving(Progress),
}

/// How far a shard has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Who gives it.
    pub from: GroupId,
    /// The mark of the last complete copy.
    pub base: Option<u64>,
    /// Complete copies.
    pub copies: u32,
    /// Bytes of the last complete copy.
    pub last_bytes: u64,
    /// The copy under way.
    pub copy: Option<Copied>,
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The mark that it leads to.
    pub mark: u64,
    /// The mark from which it leads there.
    pub base: Option<u64>,
    /// Whether the shard is frozen at the mark.
    pub is_final: bool,
    /// Pieces that are here.
    pub pieces: u32,
    /// Their bytes.
    pub bytes: u64,
}

impl ShardStore {
    /// Which group it is; `NONE` until it was told.
    #[must_use]
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The configuration in force here.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Whether the next configuration may come: nothing leaves or arrives.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let mut shards = self.shards.iter();
        shards.all(|(_, shard)| matches!(shard.phase, Phase::Serving))
    }

    /// The shards that are here in any way, and how they stand.
    pub fn places(&self) -> impl Iterator<Item = (ShardId, Place)> {
        self.shards.iter().map(|(id, shard)| (id, shard.place()))
    }

    /// What clients had a shard do on this node; nothing where the shard is not.
    #[must_use]
    pub fn load(&self, shard: ShardId) -> Load {
        let shard = self.shards.get(shard);
        shard.map_or_else(Load::default, |shard| shard.load.get())
    }

    /// Whether clients are served.
    #[must_use]
    pub fn serves(&self, shard: ShardId) -> bool {
        self.shards.get(shard).is_some_and(Shard::is_served)
    }

    /// The nodes of a group that gives a shard to this one.
    #[must_use]
    pub fn giver(&self, shard: ShardId) -> Elsewhere {
        self.elsewhere(shard)
    }

    /// Bytes of all that is kept, whatever its phase.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|(_, shard)| shard.kv.bytes()).sum()
    }

    /// Tells apart what may be in a shard, its sessions included: one that has just arrived has that of
    /// the one that was frozen. `None` while it arrives, and where it is not.
    #[must_use]
    pub fn fingerprint(&self, shard: ShardId) -> Option<(u64, u32)> {
        let shard = self.shards.get(shard)?;
        match shard.phase {
            Phase::Arriving(_) => None,
            Phase::Serving | Phase::Leaving { .. } | Phase::Frozen(_) => {
                let clients = checksum(&shard.clients.written(0));
                Some((shard.kv.digest(), clients))
            }
        }
    }

    fn execute(&mut self, context: &ApplyContext, command: Command) -> Result<Reply, StoreError> {
        if let Command::Found { group, shards } = command {
            return self.found(group, shards);
        }
        if self.group == GroupId::NONE {
            return Err(StoreError::NotFounded);
        }
        match command {
            Command::Found { .. } => Ok(Reply::Ok),
            Command::Adopt(configuration) => self.adopt(context, configuration),
            Command::Skip(configuration) => self.skip(configuration),
            Command::Request { shard, body } => self.request(context, shard, body),
            Command::Mark {
                shard,
                config,
                base,
            } => self.leave(shard, config, |shard| {
                shard.mark(context.index.0, base);
                Reply::Marked {
                    mark: context.index.0,
                    is_final: false,
                }
            }),
            Command::Freeze {
                shard,
                config,
                base,
            } => self.leave(shard, config, |shard| {
                shard.freeze(context, base);
                Reply::Marked {
                    mark: context.index.0,
                    is_final: true,
                }
            }),
            Command::Stage(stage) => self.stage(context, &stage),
            Command::Delete { shard, config } => self.delete(shard, config),
        }
    }

    fn found(&mut self, group: GroupId, shards: u32) -> Result<Reply, StoreError> {
        let is_possible = group != GroupId::NONE && (1..=SHARDS_MAX).contains(&shards);
        if self.group == GroupId::NONE && is_possible {
            self.group = group;
            self.configuration = Configuration::empty(shards);
        }
        if (self.group, self.configuration.shards.len()) == (group, shards as usize) {
            Ok(Reply::Ok)
        } else {
            Err(StoreError::Foreign)
        }
    }

    fn adopt(&mut self, context: &ApplyContext, next: Configuration) -> Result<Reply, StoreError> {
        let now = &self.configuration;
        if next.shards.len() != now.shards.len() {
            return Err(StoreError::Foreign);
        }
        if next.number <= now.number {
            return Ok(Reply::Ok);
        }
        if next.number > now.number + 1 || !self.is_settled() {
            return Err(StoreError::TooEarly);
        }
        for (number, to) in next.shards.iter().enumerate() {
            let (shard, from) = (ShardId(number as u32), now.shards[number]);
            if from == *to {
                continue;
            }
            if from == self.group && *to == GroupId::NONE {
                self.shards.remove(shard);
                self.due.remove(shard);
            } else if from == self.group {
                if let Some(shard) = self.shards.get_mut(shard) {
                    let marks = Vec::new();
                    shard.phase = Phase::Leaving { to: *to, marks };
                }
            } else if *to == self.group && from == GroupId::NONE {
                let first = Shard::first(context, next.shards.len());
                self.shards.insert(shard, first);
            } else if *to == self.group {
                let nodes = now.groups.get(from).map(|info| info.nodes.clone());
                let arrival = Arrival::new(from, nodes.unwrap_or_default());
                let phase = Phase::Arriving(Box::new(arrival));
                self.shards.insert(shard, Shard::new(phase));
            }
        }
        self.configuration = next;
        Ok(Reply::Ok)
    }

    fn skip(&mut self, to: Configuration) -> Result<Reply, StoreError> {
        let now = &self.configuration;
        if to.shards.len() != now.shards.len() {
            return Err(StoreError::Foreign);
        }
        if to.number <= now.number {
            return Ok(Reply::Ok);
        }
        if !self.shards.is_empty() || to.shards.contains(&self.group) {
            return Err(StoreError::TooEarly);
        }
        self.configuration = to;
        Ok(Reply::Ok)
    }

    fn request(
        &mut self,
        context: &ApplyContext,
        id: ShardId,
        body: Body,
    ) -> Result<Reply, StoreError> {
        self.check(id)?;
        let Some(shard) = self.shards.get_mut(id).filter(|shard| shard.is_served()) else {
            return Ok(Reply::Elsewhere(self.elsewhere(id)));
        };
        let reply = shard.request(context, body);
        self.note_due(id);
        Ok(reply)
    }

    /// A step of the giver, as the taker asks for it.
    fn leave(
        &mut self,
        id: ShardId,
        config: u64,
        step: impl FnOnce(&mut Shard) -> Reply,
    ) -> Result<Reply, StoreError> {
        self.check(id)?;
        if let Some(reply) = self.other_migration(config) {
            return Ok(reply);
        }
        let shard = self.shards.get_mut(id).ok_or(StoreError::NotMoving)?;
        let reply = match &shard.phase {
            Phase::Leaving { .. } => step(shard),
            Phase::Frozen(frozen) => Reply::Marked {
                mark: frozen.mark,
                is_final: true,
            },
            Phase::Serving | Phase::Arriving(_) => return Err(StoreError::NotMoving),
        };
        self.note_due(id);
        Ok(reply)
    }

    fn stage(&mut self, context: &ApplyContext, stage: &Stage) -> Result<Reply, StoreError> {
        self.check(stage.shard)?;
        if let Some(reply) = self.other_migration(stage.config) {
            return Ok(reply);
        }
        let shard = self.shards.get_mut(stage.shard);
        let shard = shard.ok_or(StoreError::NotMoving)?;
        let Phase::Arriving(arrival) = &mut shard.phase else {
            return Err(StoreError::NotMoving);
        };
        if let Staged::Arrived(arrived) = arrival.stage(stage)? {
            shard.arrive(context, *arrived);
            self.note_due(stage.shard);
        }
        Ok(Reply::Ok)
    }

    fn delete(&mut self, id: ShardId, config: u64) -> Result<Reply, StoreError> {
        self.check(id)?;
        if let Some(reply) = self.other_migration(config) {
            return Ok(reply);
        }
        match self.shards.get(id).map(|shard| &shard.phase) {
            None => Ok(Reply::Gone),
            Some(Phase::Frozen(_)) => {
                self.shards.remove(id);
                Ok(Reply::Ok)
            }
            Some(Phase::Leaving { .. }) => Err(StoreError::NotFrozen),
            Some(Phase::Serving | Phase::Arriving(_)) => Err(StoreError::NotMoving),
        }
    }

    /// What to say of a migration by another configuration than the one in force: an earlier one is
    /// over, for a group is at a later configuration only once it is done with those before.
    fn other_migration(&self, config: u64) -> Option<Reply> {
        let number = self.configuration.number;
        match config.cmp(&number) {
            core::cmp::Ordering::Less => Some(Reply::Gone),
            core::cmp::Ordering::Equal => None,
            core::cmp::Ordering::Greater => Some(Reply::NotYet { config: number }),
        }
    }

    fn check(&self, shard: ShardId) -> Result<(), StoreError> {
        if self.group == GroupId::NONE {
            Err(StoreError::NotFounded)
        } else if (shard.0 as usize) < self.configuration.shards.len() {
            Ok(())
        } else {
            Err(StoreError::UnknownShard)
        }
    }

    /// Where to ask for a shard that is not served here.
    fn elsewhere(&self, shard: ShardId) -> Elsewhere {
        let configuration = &self.configuration;
        let (owner, nodes) = match self.shards.get(shard).map(|shard| &shard.phase) {
            // Until it is frozen there, it is served there.
            Some(Phase::Arriving(arrival)) => (arrival.from, arrival.nodes.clone()),
            _ => {
                let owner = configuration.owner(shard);
                let info = configuration.groups.get(owner);
                (owner, info.map_or_else(Vec::new, |info| info.nodes.clone()))
            }
        };
        Elsewhere {
            config: configuration.number,
            owner,
            nodes,
        }
    }

    fn note_due(&mut self, id: ShardId) {
        match self.shards.get(id).and_then(Shard::due_ms) {
            Some(due_ms) => drop(self.due.insert(id, due_ms)),
            None => drop(self.due.remove(id)),
        }
    }

    fn answer(&self, query: Query) -> Result<Reply, StoreError> {
        match query {
            Query::Ask { shard, query } => {
                self.check(shard)?;
                Ok(match self.served(shard) {
                    Some(shard) => shard.query(&query),
                    None => Reply::Elsewhere(self.elsewhere(shard)),
                })
            }
            Query::Chunk {
                shard,
                config,
                mark,
                base,
                number,
                max_bytes,
            } => {
                self.check(shard)?;
                if let Some(reply) = self.other_migration(config) {
                    return Ok(reply);
                }
                let shard = self.shards.get(shard).ok_or(StoreError::NotMoving)?;
                let max_bytes = (max_bytes as usize).min(CHUNK_BYTES_MAX);
                Ok(match shard.copy(mark, base) {
                    None => Reply::MarkLost,
                    Some(stream) => {
                        let (data, done) = stream.chunk(number, max_bytes);
                        Reply::Chunk {
                            done,
                            crc: checksum(&data),
                            total: stream.len(),
                            data,
                        }
                    }
                })
            }
            Query::Arrived { shard, config } => {
                self.check(shard)?;
                Ok(match (self.other_migration(config), self.served(shard)) {
                    (Some(Reply::Gone), _) | (None, Some(_)) => Reply::Ok,
                    (Some(reply), _) => reply,
                    (None, None) => Reply::NotYet { config },
                })
            }
        }
    }

    fn served(&self, shard: ShardId) -> Option<&Shard> {
        self.shards.get(shard).filter(|shard| shard.is_served())
    }
}

/// The largest piece that is given.
const CHUNK_BYTES_MAX: usize = 1 << 20;

impl Shard {
    fn place(&self) -> Place {
        match &self.phase {
            Phase::Serving => Place::Serving,
            Phase::Leaving { to, .. } => Place::Leaving(*to),
            Phase::Frozen(frozen) => Place::Frozen(frozen.to),
            Phase::Arriving(arrival) => Place::Arriving(Progress {
                from: arrival.from,
                base: arrival.base.as_ref().map(|(mark, _)| *mark),
                copies: arrival.copies,
                last_bytes: arrival.last_bytes,
                copy: arrival.copy.as_ref().map(|copy| Copied {
                    mark: copy.mark,
                    base: copy.base,
                    is_final: copy.is_final,
                    pieces: copy.pieces.len() as u32,
                    bytes: copy.bytes,
                }),
            }),
        }
    }
}

impl StateMachine for ShardStore {
    type Snapshot = ShardSnapshot;
    type Restore = ShardRestore;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        let reply = match Command::decode(command) {
            Ok(command) => self.execute(context, command),
            Err(_) => Err(StoreError::Malformed),
        };
        reply.unwrap_or_else(Reply::Failed).encode()
    }

    fn query(&self, query: &Bytes) -> Bytes {
        let reply = match Query::decode(query) {
            Ok(query) => self.answer(query),
            Err(_) => Err(StoreError::Malformed),
        };
        reply.unwrap_or_else(Reply::Failed).encode()
    }

    /// Waits for news in a shard, and for the arrival of one.
    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        match Query::decode(query) {
            Ok(Query::Ask { shard, query }) => match self.served(shard) {
                Some(shard) => Some(shard.poll(&query)?.encode()),
                None => Some(self.query(&Query::Ask { shard, query }.encode())),
            },
            Ok(ask @ Query::Arrived { .. }) => match self.answer(ask) {
                Ok(Reply::NotYet { .. }) => None,
                answer => Some(answer.unwrap_or_else(Reply::Failed).encode()),
            },
            Ok(Query::Chunk { .. }) | Err(_) => Some(self.query(query)),
        }
    }

    fn due_ms(&self) -> Option<u64> {
        self.due.iter().map(|(_, due_ms)| *due_ms).min()
    }

    fn tick(&mut self, context: &ApplyContext) {
        let due = self.due.iter();
        let due = due.filter(|(_, due_ms)| **due_ms <= context.time_ms);
        let due: Vec<ShardId> = due.map(|(id, _)| id).collect();
        for id in due {
            if let Some(shard) = self.shards.get_mut(id) {
                shard.tick(context);
            }
            self.note_due(id);
        }
    }

    fn snapshot(&self) -> ShardSnapshot {
        ShardSnapshot::new(self)
    }

    fn restore() -> ShardRestore {
        ShardRestore::default()
    }
}
