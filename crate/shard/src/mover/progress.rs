//! How far the shards are that arrive: what a host shows of them.

use super::{Fetch, GroupId, Mover, ShardId};
use crate::store::{Place, ShardStore};

/// A shard on its way to a group that this node leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arriving {
    /// Which.
    pub shard: ShardId,
    /// Who gives it.
    pub from: GroupId,
    /// What is being done.
    pub step: Step,
    /// Bytes of the copy under way that the giver has sent.
    pub fetched: u64,
    /// Bytes of it that are in the group's log: a next leader goes on from there.
    pub staged: u64,
    /// Bytes of all of it, once the giver has said so to this leader.
    pub total: Option<u64>,
}

/// What is being done about a shard that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet: others come first.
    Waiting,
    /// It is copied while the giver serves it: the first time all of it, then what changed since.
    Copying {
        /// Which copy, from 1.
        round: u32,
    },
    /// The giver is asked to serve it no longer.
    Freezing,
    /// The rest comes. With the last of it the shard is served here.
    Installing,
}

impl Mover {
    /// The shards that arrive in a group, in the order of their numbers; none where this node does not
    /// lead it. It follows from `store` and what is under way: to be asked whenever somebody looks.
    #[must_use]
    pub fn arriving(&self, group: GroupId, store: &ShardStore) -> Vec<Arriving> {
        let Some(led) = self.led.get(group) else {
            return Vec::new();
        };
        let arriving = store.places().filter_map(|(shard, place)| {
            let Place::Arriving(progress) = place else {
                return None;
            };
            let fetch = led.fetches.get(shard);
            let (fetched, total) = fetch.map_or((0, None), Fetch::bytes);
            // What is there may be of a copy that was given up.
            let copied = progress
                .copy
                .filter(|it| fetch.is_none_or(|fetch| fetch.is_of(it)));
            let staged = copied.map_or(0, |copied| copied.bytes);
            let round = progress.copies + 1;
            let step = match fetch {
                None => Step::Waiting,
                Some(fetch) => match fetch.is_final() {
                    Some(true) => Step::Installing,
                    Some(false) => Step::Copying { round },
                    None if self.is_to_freeze(fetch, &progress) => Step::Freezing,
                    None => Step::Copying { round },
                },
            };
            Some(Arriving {
                shard,
                from: progress.from,
                step,
                fetched: fetched.max(staged),
                staged,
                total,
            })
        });
        arriving.collect()
    }
}
