//! How shards stand in their groups, seen from outside: no shard is served twice.

use std::collections::{BTreeMap, BTreeSet};

use quorate_raft::NodeId;
use quorate_shard::{Copied, GroupId, Place, ShardId};

use super::ShardCluster;
use crate::checker::Violation;

/// A group as its most advanced node has it.
#[derive(Default)]
pub(super) struct Seen {
    applied: u64,
    /// Its configuration.
    pub(super) number: u64,
    places: BTreeMap<ShardId, Stand>,
    /// Shards that were served here.
    had: BTreeSet<ShardId>,
}

/// How a shard stands, as far as steps are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It is served.
    Serving,
    /// It is served, while another group copies it.
    Leaving,
    /// It is served nowhere.
    Frozen,
    /// With so many complete copies, and perhaps one under way.
    Arriving(u32, Option<Copied>),
}

/// What there is to see of a group that applied something.
#[derive(Debug)]
pub struct Step {
    /// Which.
    pub group: GroupId,
    /// Its most advanced node.
    pub node: NodeId,
    /// Whether one entry was applied, and no more.
    pub is_one: bool,
    /// How shards stood that stand otherwise now, and how they do.
    pub turned: Vec<Turned>,
    /// Whether a migration took a step: one of these, or a shard that is gone.
    pub is_step: bool,
}

/// A shard that stands otherwise than before.
#[derive(Clone, Copy, Debug)]
pub struct Turned {
    /// Which.
    pub shard: ShardId,
    /// How it stood, if it was here.
    pub was: Option<Stand>,
    /// How it does.
    pub is: Stand,
    /// Whether it was served here once.
    pub had: bool,
}

impl From<Place> for Stand {
    fn from(place: Place) -> Self {
        match place {
            Place::Serving => Self::Serving,
            Place::Leaving(_) => Self::Leaving,
            Place::Frozen(_) => Self::Frozen,
            Place::Arriving(progress) => Self::Arriving(progress.copies, progress.copy),
        }
    }
}

impl Stand {
    fn is_served(self) -> bool {
        matches!(self, Self::Serving | Self::Leaving)
    }
}

impl Seen {
    pub(super) fn stand(&self, shard: ShardId) -> Option<Stand> {
        self.places.get(&shard).copied()
    }

    /// Whether a shard was served here.
    pub(super) fn had(&self, shard: ShardId) -> bool {
        self.had.contains(&shard)
    }

    /// How all shards stand.
    pub(super) fn stands(&self) -> impl Iterator<Item = Stand> {
        self.places.values().copied()
    }

    /// Whether a shard moves.
    pub(super) fn moves(&self) -> bool {
        let mut stands = self.places.values();
        stands.any(|stand| *stand != Stand::Serving)
    }
}

impl<W: Copy + Ord> ShardCluster<W> {
    /// Looks at a group as its most advanced node has it.
    pub(super) fn note(&mut self, group: GroupId) -> Result<Option<Step>, Violation> {
        let cluster = &self.groups[&group];
        let nodes = cluster.voters().iter();
        let nodes = nodes.filter_map(|id| Some((cluster.raft(*id)?.applied().index.0, *id)));
        let Some((applied, node)) = nodes.max() else {
            return Ok(None);
        };
        let seen = self.seen.entry(group).or_default();
        if applied <= seen.applied {
            return Ok(None);
        }
        let is_one = applied == seen.applied + 1;
        seen.applied = applied;
        let store = cluster.machine(node).expect("it runs");
        seen.number = store.configuration().number;
        let now: BTreeMap<ShardId, Stand> = store
            .places()
            .map(|(id, place)| (id, place.into()))
            .collect();
        let before = core::mem::replace(&mut seen.places, now.clone());
        let turned = now
            .iter()
            .filter(|(shard, is)| before.get(shard) != Some(*is));
        let turned: Vec<Turned> = turned
            .map(|(shard, is)| Turned {
                shard: *shard,
                was: before.get(shard).copied(),
                is: *is,
                had: seen.had(*shard),
            })
            .collect();
        let served = turned.iter().filter(|turned| turned.is.is_served());
        seen.had.extend(served.map(|turned| turned.shard));
        for turned in &turned {
            self.served_once(group, turned.shard, turned.is)?;
            match (turned.was, turned.is) {
                (_, Stand::Frozen) => drop(self.frozen.insert(turned.shard, self.now)),
                (Some(Stand::Arriving(..)), Stand::Serving) => {
                    self.moves += 1;
                    let since = self.frozen.remove(&turned.shard);
                    self.pauses.extend(since.map(|since| self.now - since));
                }
                _ => {}
            }
        }
        let is_step = before != now;
        if is_step {
            self.last_step = self.now;
        }
        Ok(Some(Step {
            group,
            node,
            is_one,
            turned,
            is_step,
        }))
    }

    fn served_once(&self, group: GroupId, shard: ShardId, stand: Stand) -> Result<(), Violation> {
        let serves = |(other, seen): &(&GroupId, &Seen)| {
            **other != group && seen.stand(shard).is_some_and(Stand::is_served)
        };
        match self.seen.iter().find(serves) {
            Some((other, _)) if stand.is_served() => {
                let seen = format!("{shard} is served by {group} and by {other}");
                Err(Violation::new("A shard is served once", seen))
            }
            _ => Ok(()),
        }
    }
}
