//! How shards stand in their groups, seen from outside: no shard is served twice, and one arrives as
//! it was frozen.

use std::collections::{BTreeMap, BTreeSet};

use quorate_raft::NodeId;
use quorate_shard::{Copied, GroupId, Place, ShardId, ShardStore};

use super::ShardWorld;
use super::summary::Sight;
use super::user::{Role, User};
use crate::checker::Violation;
use crate::world::Failure;

/// A group as its most advanced node has it.
#[derive(Default)]
pub(super) struct Seen {
    applied: u64,
    /// Its configuration.
    pub(super) number: u64,
    places: BTreeMap<ShardId, Stand>,
    /// Who led it last.
    leader: Option<NodeId>,
    /// Shards that were served here.
    had: BTreeSet<ShardId>,
}

/// How a shard stands, as far as steps are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Serving,
    Leaving,
    Frozen,
    /// With so many complete copies, and perhaps one under way.
    Arriving(u32, Option<Copied>),
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
    pub(super) fn is_served(self) -> bool {
        matches!(self, Self::Serving | Self::Leaving)
    }

    /// What its copy under way shows.
    fn sights(self) -> impl Iterator<Item = Sight> {
        let copy = match self {
            Self::Arriving(_, copy) => copy,
            Self::Serving | Self::Leaving | Self::Frozen => None,
        };
        let of = |Copied {
                      base,
                      is_final,
                      pieces,
                      ..
                  }: Copied| {
            [
                (is_final && base.is_none()).then_some(Sight::WholeAfterFreeze),
                (pieces > 1 && base.is_none()).then_some(Sight::WholeInPieces),
                (pieces > 1 && base.is_some()).then_some(Sight::DifferenceInPieces),
                (pieces > 1 && is_final).then_some(Sight::FinalInPieces),
            ]
        };
        copy.into_iter().flat_map(of).flatten()
    }
}

impl Seen {
    pub(super) fn stand(&self, shard: ShardId) -> Option<Stand> {
        self.places.get(&shard).copied()
    }

    /// Whether a shard moves.
    pub(super) fn moves(&self) -> bool {
        let mut stands = self.places.values();
        stands.any(|stand| *stand != Stand::Serving)
    }
}

impl ShardWorld {
    /// Looks at a group as its most advanced node has it.
    pub(super) fn note(&mut self, group: GroupId) -> Result<(), Failure> {
        self.note_leader(group);
        let cluster = &self.groups[&group];
        let nodes = cluster.voters().iter();
        let nodes = nodes.filter_map(|id| Some((cluster.raft(*id)?.applied().index.0, *id)));
        let Some((applied, node)) = nodes.max() else {
            return Ok(());
        };
        let seen = self.seen.entry(group).or_default();
        if applied <= seen.applied {
            return Ok(());
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
        let served = now.iter().filter(|(_, stand)| stand.is_served());
        let served: Vec<ShardId> = served.map(|(id, _)| *id).collect();
        let had = seen.had.clone();
        seen.had.extend(served);
        for (shard, stand) in &now {
            let was = before.get(shard).copied();
            if was == Some(*stand) {
                continue;
            }
            self.served_once(group, *shard, *stand)?;
            stand.sights().for_each(|sight| self.summary.note(sight));
            match (was, *stand) {
                (Some(Stand::Arriving(..)), Stand::Serving) => {
                    self.summary.moves += 1;
                    let is_back = had.contains(shard);
                    self.summary.note_if(is_back, Sight::MovedBack);
                    self.arrived(*shard);
                    if is_one {
                        self.arrived_whole(group, node, *shard)?;
                        self.note_arrival(group, node, *shard);
                    }
                }
                (Some(Stand::Arriving(copies, Some(one))), Stand::Arriving(now, Some(other))) => {
                    let is_anew = copies == now && (one.mark, one.base) != (other.mark, other.base);
                    self.summary.note_if(is_anew, Sight::CopyBegunAnew);
                }
                _ => {}
            }
        }
        if before != now {
            self.stepped = self.now;
            self.trouble_at_step(group)?;
        }
        Ok(())
    }

    /// A shard has arrived: with a lease, if somebody holds one there.
    fn arrived(&mut self, shard: ShardId) {
        let holds = |user: &User| match user.role() {
            Role::Holder(of, holder) => *of == shard && holder.holds(),
            Role::Caller | Role::Watcher(..) => false,
        };
        let has_lease = self.users.iter().any(holds);
        self.summary.note_if(has_lease, Sight::LeaseMoved);
    }

    /// Whether more than one group has had a shard.
    pub(super) fn has_moved(&self, shard: ShardId) -> bool {
        let groups = self.seen.values();
        groups.filter(|seen| seen.had.contains(&shard)).count() > 1
    }

    fn note_leader(&mut self, group: GroupId) {
        let leader = self.groups[&group].leaders().first().copied();
        let seen = self.seen.entry(group).or_default();
        if leader.is_none() || seen.leader == leader {
            return;
        }
        let is_first = seen.leader.is_none();
        seen.leader = leader;
        for stand in seen.places.values().filter(|_| !is_first) {
            match stand {
                Stand::Leaving | Stand::Frozen => self.summary.note(Sight::GiverLedAnew),
                Stand::Arriving(..) => self.summary.note(Sight::TakerLedAnew),
                Stand::Serving => {}
            }
        }
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

    /// A shard has just arrived, and nothing was done to it yet: it is as the giver has it, still.
    fn arrived_whole(&self, group: GroupId, node: NodeId, shard: ShardId) -> Result<(), Violation> {
        let taker = self.groups[&group].machine(node).expect("it runs");
        let number = taker.configuration().number;
        for (other, cluster) in self.groups.iter().filter(|(id, _)| **id != group) {
            let stores = cluster
                .voters()
                .iter()
                .filter_map(|id| cluster.machine(*id));
            // A node that is behind may have it frozen for an earlier migration.
            let is_frozen = |store: &&ShardStore| {
                let mut places = store.places();
                store.configuration().number == number
                    && places.any(|(id, place)| id == shard && place == Place::Frozen(group))
            };
            for store in stores.filter(is_frozen) {
                if store.fingerprint(shard) != taker.fingerprint(shard) {
                    let seen = format!("{shard} is not in {group} what it is in {other}");
                    return Err(Violation::new("A shard arrives as it was frozen", seen));
                }
            }
        }
        Ok(())
    }
}
