//! Earlier configurations: what has to be undone to come back to them.

use std::collections::VecDeque;
use std::sync::Arc;

use quorate_rsm::wire::{Reader, Writer};

use super::command::{take_flag, take_group};
use super::{HISTORY_BYTES_MAX, HISTORY_KEPT, HISTORY_MAX};
use crate::config::{Configuration, GroupId, GroupInfo, ShardId, take_u32};

/// What made the last configurations, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    changes: VecDeque<Arc<Change>>,
    /// Encoded, all together.
    bytes: usize,
}

/// What a configuration changed: all of it as it was before.
#[derive(Debug)]
pub(super) struct Change {
    shards: Vec<(ShardId, GroupId)>,
    groups: Vec<(GroupId, Option<GroupInfo>)>,
    /// Encoded.
    bytes: usize,
}

impl History {
    /// How many configurations can be come back to.
    pub(super) fn len(&self) -> u64 {
        self.changes.len() as u64
    }

    /// Takes the last change. Whether there is room for it: the `needed` last ones, it among them, must
    /// be kept.
    #[must_use]
    pub(super) fn push(&mut self, change: Change, needed: u64) -> bool {
        let others = self
            .changes
            .iter()
            .rev()
            .take(needed.saturating_sub(1) as usize);
        let bytes = others.map(|change| change.bytes).sum::<usize>() + change.bytes;
        let has_room = needed <= HISTORY_MAX && bytes <= HISTORY_BYTES_MAX;
        if has_room {
            self.append(change);
            self.trim(needed);
        }
        has_room
    }

    fn append(&mut self, change: Change) {
        self.bytes += change.bytes;
        self.changes.push_back(Arc::new(change));
    }

    /// Drops what is too much, but none of the `needed` last ones.
    pub(super) fn trim(&mut self, needed: u64) {
        while self.len() > needed && (self.len() > HISTORY_KEPT || self.bytes > HISTORY_BYTES_MAX) {
            let dropped = self.changes.pop_front();
            self.bytes -= dropped.map_or(0, |change| change.bytes);
        }
    }

    /// The configuration so many before the latest, no more than there are.
    pub(super) fn before(&self, latest: &Configuration, steps: u64) -> Configuration {
        let mut configuration = latest.clone();
        for change in self.changes.iter().rev().take(steps as usize) {
            change.undo(&mut configuration);
        }
        configuration
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.number(self.len());
        self.changes.iter().for_each(|change| change.encode(writer));
    }

    /// Reads what led to `latest`.
    pub(super) fn decode(reader: &mut Reader<'_>, latest: &Configuration) -> Self {
        let mut history = Self::default();
        for _ in 0..reader.count(2) {
            history.append(Change::decode(reader, latest.shards.len()));
        }
        if history.len() > HISTORY_MAX.min(latest.number) || history.bytes > HISTORY_BYTES_MAX {
            reader.refuse("the history is too long");
        }
        history
    }
}

impl Change {
    /// What leads from `next` back to `last`.
    pub(super) fn between(last: &Configuration, next: &Configuration) -> Self {
        let owners = last.shards.iter().zip(&next.shards);
        let shards = (0..).map(ShardId).zip(owners);
        let shards = shards.filter(|(_, (last, next))| last != next);
        let gone = last.groups.iter();
        let gone = gone.filter(|(id, info)| next.groups.get(*id) != Some(*info));
        let new = next.groups.keys().filter(|id| !last.groups.has(*id));
        let gone = gone.map(|(id, info)| (id, Some(info.clone())));
        Self::new(
            shards.map(|(shard, (last, _))| (shard, *last)).collect(),
            gone.chain(new.map(|id| (id, None))).collect(),
        )
    }

    fn new(shards: Vec<(ShardId, GroupId)>, groups: Vec<(GroupId, Option<GroupInfo>)>) -> Self {
        let mut change = Self {
            shards,
            groups,
            bytes: 0,
        };
        let mut writer = Writer::new();
        change.encode(&mut writer);
        change.bytes = writer.finish().len();
        change
    }

    fn undo(&self, configuration: &mut Configuration) {
        configuration.number -= 1;
        for (shard, owner) in &self.shards {
            configuration.shards[shard.0 as usize] = *owner;
        }
        for (id, info) in &self.groups {
            match info {
                Some(info) => configuration.groups.insert(*id, info.clone()),
                None => configuration.groups.remove(*id),
            };
        }
    }

    fn encode(&self, writer: &mut Writer) {
        writer.number(self.shards.len() as u64);
        for (shard, owner) in &self.shards {
            writer.number(shard.0.into());
            writer.number(owner.0.into());
        }
        writer.number(self.groups.len() as u64);
        for (id, info) in &self.groups {
            writer.number(id.0.into());
            writer.byte(info.is_some().into());
            if let Some(info) = info {
                info.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>, shards_end: usize) -> Self {
        let shards = reader.list(2, |reader| (ShardId(take_u32(reader)), take_group(reader)));
        let groups = reader.list(2, |reader| {
            let id = take_group(reader);
            let info = take_flag(reader).then(|| GroupInfo::decode(reader));
            (id, info)
        });
        let change = Self::new(shards, groups);
        let is_there = |(shard, _): &(ShardId, _)| (shard.0 as usize) < shards_end;
        let is_valid = |info: &GroupInfo| info.has_valid_weight() && info.has_valid_nodes();
        let mut infos = change.groups.iter().filter_map(|(_, info)| info.as_ref());
        if !change.shards.iter().all(is_there) || !infos.all(is_valid) {
            reader.refuse("a change of the history cannot be");
        }
        change
    }
}
