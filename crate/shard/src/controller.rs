//! The controller: a machine that makes configurations, and numbers them.
//!
//! Groups join and leave, and a shard can be moved by hand. Whatever changes something makes exactly
//! one configuration. When groups or weights change, the shards are balanced anew, by as few moves as
//! that takes; a move by hand stays until then.
//!
//! Groups go from one configuration to the next, and say how far they are. Configurations that one of
//! them still needs are kept, and so are the last ones: a group that does not go on cannot make the
//! history grow without bound, for then no new configuration is made. A group that left is waited for
//! until it has given everything away, and then forgotten.
//!
//! What the controller does not do: it moves no data, and knows of none. It learns from the groups'
//! progress alone.

mod command;
mod error;
mod founders;
mod history;
mod hosting;
mod reply;
mod snapshot;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{ConfState, Table};
use quorate_rsm::{ApplyContext, StateMachine};

use crate::balance;
use crate::config::{Configuration, GROUPS_MAX, GroupId, GroupInfo, SHARDS_MAX, ShardId};
use history::{Change, History};

pub use command::{ControllerCommand, ControllerQuery};
pub use error::ControllerError;
pub use hosting::Hosting;
pub use reply::{ControllerReply, ControllerStatus, GroupStatus, Left};
pub use snapshot::{ControllerRestore, ControllerSnapshot};

/// So many of the last configurations can be asked for, and more where a group needs them; fewer where
/// they take more than [`HISTORY_BYTES_MAX`], and no group needs them.
pub const HISTORY_KEPT: u64 = 1_000;

/// By so many configurations a group can be behind: no more are made then.
pub const HISTORY_MAX: u64 = 10_000;

/// What the configurations that are kept take at most, encoded as what they changed, in bytes. If those
/// that a group needs would take more, no more are made.
pub const HISTORY_BYTES_MAX: usize = 4 << 20;

/// How many groups that are drained are remembered: the last ones.
pub const DRAINED_MAX: usize = 1_024;

/// The controller. Taking a snapshot is a pointer copy; the first change beside it copies the state,
/// without the history.
#[derive(Clone, Debug, Default)]
pub struct Controller {
    /// Of the controller's own group, as the last change left them; none before the first: they are
    /// those that the store was founded with.
    members: Option<Arc<ConfState>>,
    /// None until it is said how many shards there are.
    state: Option<Arc<State>>,
}

#[derive(Clone, Debug)]
struct State {
    latest: Configuration,
    history: History,
    /// The groups of the latest configuration, and those that left and are not drained.
    groups: Table<GroupId, GroupStatus>,
    /// With whom each of these begins that joined since the members changed, none twice; the others
    /// begin with the founders of the store.
    founders: Vec<(GroupId, Arc<ConfState>)>,
    /// With the last configuration that they were done with.
    drained: VecDeque<(GroupId, u64)>,
}

type Result<T = ControllerReply> = core::result::Result<T, ControllerError>;

impl Controller {
    /// A controller of so many shards: 1 to [`SHARDS_MAX`].
    ///
    /// # Panics
    /// There cannot be so many.
    #[must_use]
    pub fn new(shards: u32) -> Self {
        let mut controller = Self::default();
        let created = controller.create(shards);
        assert!(created.is_ok(), "there can be 1 to {SHARDS_MAX} shards");
        controller
    }

    /// The latest configuration, once it was said how many shards there are.
    #[must_use]
    pub fn latest(&self) -> Option<&Configuration> {
        self.state.as_ref().map(|state| &state.latest)
    }

    /// Executes a command.
    ///
    /// # Errors
    /// It cannot be done, and nothing changed.
    pub fn execute(&mut self, command: ControllerCommand) -> Result {
        match command {
            ControllerCommand::Create { shards } => self.create(shards),
            ControllerCommand::Join { groups } => {
                let members = self.members.clone();
                self.state()?.join(groups, members.as_deref())
            }
            ControllerCommand::Leave { groups, discard } => self.state()?.leave(&groups, discard),
            ControllerCommand::Move { shard, group } => self.state()?.move_shard(shard, group),
            ControllerCommand::SetWeight { group, weight } => {
                self.state()?.set_weight(group, weight)
            }
            ControllerCommand::Progress { group, number } => self.state()?.progress(group, number),
        }
    }

    fn state(&mut self) -> Result<&mut State> {
        let state = self.state.as_mut().map(Arc::make_mut);
        state.ok_or(ControllerError::NotCreated)
    }

    fn create(&mut self, shards: u32) -> Result {
        if !(1..=SHARDS_MAX).contains(&shards) {
            return Err(ControllerError::BadShardCount);
        }
        let state = self
            .state
            .get_or_insert_with(|| Arc::new(State::new(shards)));
        let known = state.latest.shards.len() as u32;
        if known != shards {
            return Err(ControllerError::ShardCount { shards: known });
        }
        Ok(state.unchanged())
    }

    /// Answers a query.
    ///
    /// # Errors
    /// It cannot be answered.
    pub fn answer(&self, query: &ControllerQuery) -> Result {
        let state = self.state.as_ref().ok_or(ControllerError::NotCreated)?;
        let latest = state.latest.number;
        match query {
            ControllerQuery::Query { number } => state.at(number.unwrap_or(latest)),
            ControllerQuery::Changes { after } if *after >= latest => Ok(state.unchanged()),
            ControllerQuery::Changes { after } => state.at(after + 1),
            ControllerQuery::Status => Ok(ControllerReply::Status(state.status())),
        }
    }
}

impl State {
    fn new(shards: u32) -> Self {
        Self {
            latest: Configuration::empty(shards),
            history: History::default(),
            groups: Table::default(),
            founders: Vec::new(),
            drained: VecDeque::new(),
        }
    }

    fn join(&mut self, groups: Vec<(GroupId, GroupInfo)>, members: Option<&ConfState>) -> Result {
        let mut next = self.latest.clone();
        for (id, info) in groups {
            check(id, &info)?;
            let status = self.groups.get(id);
            let left = status.and_then(|status| status.left.as_ref());
            if left.is_some_and(|left| left.nodes != info.nodes) {
                return Err(ControllerError::GroupLeaving { group: id });
            }
            if next.groups.insert(id, info).is_some() {
                return Err(ControllerError::GroupExists { group: id });
            }
        }
        // One that left, and has not given all away, goes on as what it was founded.
        let new = next.groups.iter().filter(|(id, _)| !self.groups.has(*id));
        let new: Vec<_> = new.map(|(id, info)| (id, info.nodes.clone())).collect();
        if self.groups.len() + new.len() > GROUPS_MAX {
            return Err(ControllerError::TooManyGroups);
        }
        let reply = self.rebalance(next)?;
        if let Some(members) = members {
            for (id, nodes) in new {
                let founders = founders::among(members, &nodes);
                self.founders.push((id, Arc::new(founders)));
            }
        }
        Ok(reply)
    }

    fn leave(&mut self, groups: &[GroupId], discard: bool) -> Result {
        let mut next = self.latest.clone();
        for &group in groups {
            let gone = next.groups.remove(group);
            gone.ok_or(ControllerError::UnknownGroup { group })?;
        }
        if next.groups.is_empty() && !groups.is_empty() && !discard {
            return Err(ControllerError::LastGroup);
        }
        self.rebalance(next)
    }

    fn move_shard(&mut self, shard: ShardId, group: GroupId) -> Result {
        let mut next = self.latest.clone();
        let owner = next.shards.get_mut(shard.0 as usize);
        let owner = owner.ok_or(ControllerError::UnknownShard { shard })?;
        if !self.latest.groups.has(group) {
            return Err(ControllerError::UnknownGroup { group });
        }
        *owner = group;
        self.make(next)
    }

    fn set_weight(&mut self, group: GroupId, weight: u32) -> Result {
        let mut next = self.latest.clone();
        let info = next.groups.get_mut(group);
        let info = info.ok_or(ControllerError::UnknownGroup { group })?;
        info.weight = weight;
        check(group, info)?;
        self.rebalance(next)
    }

    /// Makes a configuration of these groups.
    fn rebalance(&mut self, mut next: Configuration) -> Result {
        if next.groups != self.latest.groups {
            next.shards = balance::assign(&next.shards, &next.groups);
        }
        self.make(next)
    }

    /// Makes a configuration, unless it is as the latest.
    fn make(&mut self, mut next: Configuration) -> Result {
        if next == self.latest {
            return Ok(self.unchanged());
        }
        next.number += 1;
        let number = next.number;
        let change = Change::between(&self.latest, &next);
        if !self.history.push(change, self.needed() + 1) {
            let slowest = self.groups.iter().min_by_key(|(_, status)| status.progress);
            let group = slowest.map_or(GroupId::NONE, |(id, _)| id);
            return Err(ControllerError::GroupBehind { group });
        }
        let last = core::mem::replace(&mut self.latest, next);
        self.follow(last);
        Ok(ControllerReply::Changed { number })
    }

    /// Notes who came and who left since `last`.
    fn follow(&mut self, last: Configuration) {
        let latest = &self.latest;
        for (id, info) in last.groups {
            let status = self.groups.get_mut(id);
            if let Some(status) = status.filter(|_| !latest.groups.has(id)) {
                let (number, nodes) = (latest.number, info.nodes);
                status.left = Some(Left { number, nodes });
            }
        }
        for id in latest.groups.keys() {
            let progress = self.groups.get(id).map(|status| status.progress);
            let status = GroupStatus {
                progress: progress.unwrap_or(last.number),
                left: None,
            };
            self.groups.insert(id, status);
        }
        self.drained.retain(|(id, _)| !latest.groups.has(*id));
    }

    fn progress(&mut self, group: GroupId, number: u64) -> Result {
        let Some(status) = self.groups.get_mut(group) else {
            let drained = self.drained.iter().find(|(id, _)| *id == group);
            let (_, number) = *drained.ok_or(ControllerError::UnknownGroup { group })?;
            return Ok(ControllerReply::Progress { number });
        };
        let latest = self.latest.number;
        if number > latest {
            return Err(ControllerError::FutureConfig { latest });
        }
        status.progress = status.progress.max(number);
        let number = status.progress;
        let left = status.left.as_ref();
        if left.is_some_and(|left| left.number <= number) {
            self.groups.remove(group);
            self.founders.retain(|(id, _)| *id != group);
            self.drained.push_back((group, number));
            if self.drained.len() > DRAINED_MAX {
                self.drained.pop_front();
            }
        }
        self.history.trim(self.needed());
        Ok(ControllerReply::Progress { number })
    }

    /// How many of the last changes a group still has to go through.
    fn needed(&self) -> u64 {
        let progress = self.groups.iter().map(|(_, status)| status.progress);
        let latest = self.latest.number;
        latest - progress.min().unwrap_or(latest)
    }

    fn at(&self, number: u64) -> Result {
        let latest = self.latest.number;
        let oldest = latest - self.history.len();
        if number > latest {
            return Err(ControllerError::FutureConfig { latest });
        }
        if number < oldest {
            return Err(ControllerError::ConfigCompacted { oldest });
        }
        let configuration = self.history.before(&self.latest, latest - number);
        Ok(ControllerReply::Configuration {
            configuration,
            latest,
        })
    }

    fn status(&self) -> ControllerStatus {
        ControllerStatus {
            number: self.latest.number,
            oldest: self.latest.number - self.history.len(),
            groups: self.groups.clone(),
            drained: self.drained.iter().copied().collect(),
        }
    }

    fn unchanged(&self) -> ControllerReply {
        let number = self.latest.number;
        ControllerReply::Unchanged { number }
    }
}

/// Whether such a group can be.
fn check(group: GroupId, info: &GroupInfo) -> Result<()> {
    if group == GroupId::NONE {
        Err(ControllerError::BadGroup)
    } else if !info.has_valid_weight() {
        Err(ControllerError::BadWeight { group })
    } else if !info.has_valid_nodes() {
        Err(ControllerError::BadNodes { group })
    } else {
        Ok(())
    }
}

impl StateMachine for Controller {
    type Snapshot = ControllerSnapshot;
    type Restore = ControllerRestore;

    fn apply(&mut self, _: &ApplyContext, command: &Bytes) -> Bytes {
        let command = ControllerCommand::decode(command);
        let reply = command
            .map_err(|_| ControllerError::Malformed)
            .and_then(|command| self.execute(command));
        reply.unwrap_or_else(ControllerReply::Failed).encode()
    }

    fn query(&self, query: &Bytes) -> Bytes {
        let reply = ControllerQuery::decode(query)
            .map_err(|_| ControllerError::Malformed)
            .and_then(|query| self.answer(&query));
        reply.unwrap_or_else(ControllerReply::Failed).encode()
    }

    /// None as long as there is no configuration that a `Changes` asks for.
    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        if let Ok(ControllerQuery::Changes { after }) = ControllerQuery::decode(query) {
            self.latest().filter(|latest| latest.number > after)?;
        }
        Some(self.query(query))
    }

    fn membership_changed(&mut self, members: &Arc<ConfState>) {
        self.members = Some(members.clone());
    }

    fn snapshot(&self) -> ControllerSnapshot {
        ControllerSnapshot::new(self.clone())
    }

    fn restore() -> ControllerRestore {
        ControllerRestore::default()
    }
}
