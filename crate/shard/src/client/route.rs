//! The way of a client to one shard, and what it makes of the group at its end.

use core::time::Duration;

use quorate_raft::{Instant, NodeId, Table};
use quorate_rsm::Client;

use crate::config::GroupId;
use crate::mover::turn;

/// The longest that it is waited for a group to have a leader before another one is asked.
pub(super) const PATIENCE_MAX: Duration = Duration::from_secs(4);

/// It was not looked back, or as far as it goes: to begin anew when there is reason to.
pub(super) const NOWHERE: u64 = 0;

/// The way to a shard.
pub(super) struct Route {
    pub(super) client: Client,
    pub(super) group: GroupId,
    pub(super) nodes: Vec<NodeId>,
    /// The configuration by which it is so.
    pub(super) config: u64,
    /// Groups that sent the call elsewhere, one after another.
    pub(super) bounces: u32,
    /// Nothing was heard of the group since a timer fired.
    pub(super) is_silent: bool,
    /// Since when its nodes say that none of them leads, or are all known to be down; and whether that
    /// lasts longer than an election should.
    pub(super) leaderless: Option<Instant>,
    pub(super) is_leaderless: bool,
    /// How long that is waited for: twice as long each time.
    pub(super) patience: Duration,
    /// To which configuration it was looked back so far.
    pub(super) back: u64,
}

impl Route {
    /// Whether nothing comes of the group, for whatever reason.
    pub(super) fn is_gone(&self) -> bool {
        self.is_silent || self.is_leaderless
    }

    /// The group has said something that only a leader can say.
    pub(super) fn hears(&mut self, patience: Duration) {
        (self.leaderless, self.is_leaderless) = (None, false);
        self.patience = patience;
    }

    /// Until when it is waited for a leader; never, if there is one or nobody waits.
    pub(super) fn wait_for_leader(&self) -> Instant {
        let since = self.leaderless.filter(|_| self.client.pending() > 0);
        since.map_or(Instant::NEVER, |since| since.after(self.patience))
    }

    pub(super) fn lead_to(
        &mut self,
        now: Instant,
        group: GroupId,
        nodes: Vec<NodeId>,
        config: u64,
        down: &Table<NodeId, ()>,
    ) {
        turn(&mut self.client, now, &self.nodes, &nodes, down);
        self.group = group;
        self.nodes = nodes;
        self.config = config;
        // Each has its time.
        (self.is_silent, self.is_leaderless, self.leaderless) = (false, false, None);
    }
}
