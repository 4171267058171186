//! Shards move to a group that cannot take them: its nodes run and find no majority, or nothing is heard of
//! them. Who comes only then knows of no other group, and is served by the one that has the shards still.

use core::time::Duration;

use quorate_shard::{CONTROLLER, ControllerCommand, GroupId, ShardId};

use super::places::{Seen, Stand};
use super::user::{User, shard_of_key};
use super::{Failure, ShardWorld, Sight};
use crate::network::{Address, Rule};
use crate::streams::{Concern, Streams};

/// Why a group can take nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranding {
    /// Its nodes reach everybody but each other, and say that none of them leads.
    Leaderless,
    /// Nothing passes to them and from them.
    Silent,
}

impl Rule for Stranding {
    fn cuts(&self, _: u64, from: Address, to: Address) -> bool {
        let is_node = |it| matches!(it, Address::Node(_));
        from != to && (*self == Self::Silent || is_node(from) && is_node(to))
    }
}

/// Shards that move to such a group, at most.
const SHARDS: usize = 3;

/// Users that come while it is so.
const LATECOMERS: u64 = 2;

/// In this time everybody must be answered who asks for a shard that is served.
const PATIENCE: Duration = Duration::from_secs(60);

/// In this time, in microseconds, a leader without a majority has found out.
const ALONE: u64 = 5_000_000;

impl ShardWorld {
    /// Has shards move to a group that cannot take them, and users come who ask for them: all are answered,
    /// and so they are when it can, while the shards move.
    pub(super) fn strand(&mut self) -> Result<(), Failure> {
        let (Some(stranding), Some((taker, keys))) = (self.shape.stranding, self.whom_to_strand())
        else {
            return Ok(());
        };
        let rule = self.store.network(taker).add(stranding);
        self.run_until(self.store.now + ALONE)?;
        let mut shards: Vec<ShardId> = keys.iter().map(|key| self.shard_of(*key)).collect();
        shards.sort_unstable();
        shards.dedup();
        for shard in shards.into_iter().take(SHARDS) {
            let group = taker;
            self.decide(&ControllerCommand::Move { shard, group })?;
            while self.admin_busy {
                self.run_until(self.store.now + 50_000)?;
            }
        }
        let first = self.users.len();
        let streams = Streams::new(self.shape.cluster.seed);
        for number in (first as u64 + 1..).take(LATECOMERS as usize) {
            let random = streams.stream(Concern::Workload, number);
            let controllers = self.store.nodes(CONTROLLER);
            self.users
                .push(User::new(number, controllers, &self.shape, random));
        }
        let asked = self.history.answered + self.ask_late(first, &keys)?;
        let end = self.store.now + PATIENCE.as_micros() as u64;
        while self.history.answered < asked && self.store.now < end {
            self.run_until(self.store.now + 50_000)?;
        }
        self.check_late(asked, stranding)?;
        let waits = |seen: &Seen| seen.stands().any(|stand| stand == Stand::Leaving);
        let waits = self.store.seen.values().any(waits);
        self.summary.note_if(
            waits,
            match stranding {
                Stranding::Leaderless => Sight::FoundWhileTakerLeaderless,
                Stranding::Silent => Sight::FoundWhileTakerSilent,
            },
        );
        let asked = asked + self.ask_late(first, &keys)?;
        self.store.network(taker).remove(rule);
        self.settle()?;
        self.check_late(asked, stranding)
    }

    /// A group that others may give shards to, and the keys that it has not.
    fn whom_to_strand(&mut self) -> Option<(GroupId, Vec<u64>)> {
        let latest = self.latest()?;
        let owner = |world: &Self, key| latest.owner(world.shard_of(key));
        let key = self.random.below(self.shape.keys);
        let giver = owner(self, key);
        let others = latest.groups.keys().filter(|group| *group != giver);
        let others: Vec<GroupId> = others.collect();
        if giver == GroupId::NONE || others.is_empty() {
            return None;
        }
        let taker = others[self.random.below(others.len() as u64) as usize];
        let keys = (0..self.shape.keys).filter(|key| owner(self, *key) != taker);
        Some((taker, keys.collect()))
    }

    fn shard_of(&self, key: u64) -> ShardId {
        shard_of_key(key, self.shape.shards)
    }

    /// Those who came last ask for each of these keys: how many calls that makes.
    fn ask_late(&mut self, first: usize, keys: &[u64]) -> Result<u64, Failure> {
        for user in first..self.users.len() {
            for key in keys {
                let now = self.store.now;
                self.users[user].ask_for(now, *key, PATIENCE, &mut self.history);
            }
            self.drain_user(user)?;
        }
        Ok(LATECOMERS * keys.len() as u64)
    }

    /// So many calls are answered in all.
    fn check_late(&self, asked: u64, stranding: Stranding) -> Result<(), Failure> {
        let missing = asked.saturating_sub(self.history.answered);
        match missing {
            0 => Ok(()),
            _ => Err(Failure::Liveness(format!(
                "{missing} calls for shards that are served have no answer, their taker being {stranding:?}"
            ))),
        }
    }
}
