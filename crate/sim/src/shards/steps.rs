//! What a world makes of the steps of its groups: what came up in them, and that a shard arrives as it
//! was frozen.

use quorate_raft::NodeId;
use quorate_shard::{Copied, GroupId, Place, ShardId, ShardStore};

use super::ShardWorld;
use super::places::{Seen, Stand, Step, Turned};
use super::summary::Sight;
use super::user::{Role, User};
use crate::checker::Violation;
use crate::world::Failure;

impl ShardWorld {
    /// A group applied something.
    pub(super) fn saw(&mut self, step: &Step) -> Result<(), Failure> {
        let Step { group, node, .. } = *step;
        for Turned {
            shard,
            was,
            is,
            had,
        } in step.turned.iter().copied()
        {
            sights(is).for_each(|sight| self.summary.note(sight));
            match (was, is) {
                (Some(Stand::Arriving(..)), Stand::Serving) => {
                    self.summary.note_if(had, Sight::MovedBack);
                    self.arrived(shard);
                    if step.is_one {
                        self.arrived_whole(group, node, shard)?;
                        self.note_arrival(group, node, shard);
                    }
                }
                (Some(Stand::Arriving(copies, Some(one))), Stand::Arriving(now, Some(other))) => {
                    let is_anew = copies == now && (one.mark, one.base) != (other.mark, other.base);
                    self.summary.note_if(is_anew, Sight::CopyBegunAnew);
                }
                _ => {}
            }
        }
        if step.is_step {
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
        let groups = self.store.seen.values();
        groups.filter(|seen| seen.had(shard)).count() > 1
    }

    /// A group was stepped: somebody else may lead it.
    pub(super) fn note_leader(&mut self, group: GroupId) {
        let Some(leader) = self.store.groups[&group].leaders().first().copied() else {
            return;
        };
        let before = self.leaders.insert(group, leader);
        if before.is_none_or(|before| before == leader) {
            return;
        }
        let seen = self.store.seen.get(&group);
        for stand in seen.into_iter().flat_map(Seen::stands) {
            match stand {
                Stand::Leaving | Stand::Frozen => self.summary.note(Sight::GiverLedAnew),
                Stand::Arriving(..) => self.summary.note(Sight::TakerLedAnew),
                Stand::Serving => {}
            }
        }
    }

    /// A shard has just arrived, and nothing was done to it yet: it is as the giver has it, still.
    fn arrived_whole(&self, group: GroupId, node: NodeId, shard: ShardId) -> Result<(), Violation> {
        let taker = self.store.groups[&group].machine(node).expect("it runs");
        let number = taker.configuration().number;
        for (other, cluster) in self.store.groups.iter().filter(|(id, _)| **id != group) {
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

/// What a copy under way shows.
fn sights(stand: Stand) -> impl Iterator<Item = Sight> {
    let copy = match stand {
        Stand::Arriving(_, copy) => copy,
        Stand::Serving | Stand::Leaving | Stand::Frozen => None,
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
