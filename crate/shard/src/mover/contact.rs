//! A group that is asked: a client of it, which turns to the nodes that it is told.

use core::time::Duration;

use quorate_raft::{Instant, NodeId, Table};
use quorate_rsm::{Client, ClientConfig, ClientInput};

pub(super) struct Contact {
    pub(super) client: Client,
    pub(super) nodes: Vec<NodeId>,
}

impl Contact {
    /// Of a group whose nodes are not known yet.
    pub(super) fn new(silence: Duration, seed: u64) -> Self {
        let config = ClientConfig {
            attempt_timeout: silence,
            // Not as long as nodes let a question wait: one that went away meanwhile says nothing, and
            // whoever waits for news from it would learn of nothing.
            park_timeout: silence,
            ..ClientConfig::new(Vec::new())
        };
        Self {
            client: Client::new(config, seed),
            nodes: Vec::new(),
        }
    }

    /// Turns to these nodes, and to no others.
    pub(super) fn set_nodes(&mut self, now: Instant, nodes: &[NodeId], down: &Table<NodeId, ()>) {
        turn(&mut self.client, now, &self.nodes, nodes, down);
        self.nodes = nodes.to_vec();
    }
}

/// Turns a client from some nodes to others; of these it is known which are down.
pub(crate) fn turn(
    client: &mut Client,
    now: Instant,
    from: &[NodeId],
    to: &[NodeId],
    down: &Table<NodeId, ()>,
) {
    for node in to.iter().copied() {
        if !from.contains(&node) && !down.has(node) {
            client.handle(now, ClientInput::NodeUp { node });
        }
    }
    for node in from.iter().copied().filter(|node| !to.contains(node)) {
        client.handle(now, ClientInput::NodeDown { node });
    }
}
