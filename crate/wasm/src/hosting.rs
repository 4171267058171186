//! What a node of a sharded store does beside its groups.
//!
//! Every node has a replica of the controller, group 0. Which others it has follows from what that
//! replica knows: a group that the latest configuration lists for this node is founded here, and one that
//! is drained is forgotten, with its records. For the groups that it leads there is a [`Mover`]; what that
//! asks travels over the links to peers, as frames of requests and of replies, so that the rules of links
//! hold for them, and what it asks of this very node is given to its groups.

use quorate_raft::{Beats, ConfState, Instant, NodeId, Random, Table};
use quorate_rsm::storage::{Ident, LoadedGroup};
use quorate_rsm::{ClientId, Node, NodeConfig, Reply, RequestId};
use quorate_shard::{
    CONTROLLER, Elsewhere, GroupId, Hosting as Change, Mover, MoverConfig, Outgoing,
    Reply as StoreReply,
};
use wasm_bindgen::JsValue;

use crate::convert::list;
use crate::event::HostEvent;
use crate::groups::{Group, Groups};
use crate::machine::Machine;
use crate::sharded::Sharded;
use crate::status;
use crate::writer::Writer;

/// Movers are clients, numbered beyond those of pages.
const MOVERS: u64 = 1 << 53;

/// The client that the mover of a node is.
pub fn mover_of(node: NodeId) -> ClientId {
    ClientId(MOVERS | node.0)
}

/// The node whose mover a client is, if it is one.
pub fn node_of(client: ClientId) -> Option<NodeId> {
    (client.0 >= MOVERS).then_some(NodeId(client.0 ^ MOVERS))
}

/// What a node of a sharded store does beside its groups.
pub struct Hosting {
    mover: Mover,
    /// Whether the mover was given something since [`Self::settle`], and when it was due then: it may
    /// have asked a thousand groups.
    is_stirred: bool,
    mover_due: Instant,
    node: NodeId,
    node_config: NodeConfig,
    /// Whom the cluster was founded with.
    founders: ConfState,
    /// What the mover was told of each group: whether it is led here, and up to where it is applied.
    told: Table<u32, (bool, u64)>,
    controllers: Vec<NodeId>,
    /// Up to where the controller was applied when it was last asked which groups there are to be.
    decided: u64,
    /// Whether peers are there.
    pub beats: Beats,
    /// What beats from here carry.
    pub run: u64,
    /// There was more to do than there are turns for one event.
    pub is_behind: bool,
}

impl Hosting {
    /// Of a node with these settings.
    pub fn new(node_config: NodeConfig, ident: &Ident, random: &mut Random) -> Self {
        let (node, seed) = (ident.node, random.next_u64());
        let config = MoverConfig::new(Vec::new());
        Self {
            mover: Mover::new(config, node, seed),
            is_stirred: false,
            mover_due: Instant::NEVER,
            node,
            beats: Beats::new(&node_config.raft),
            run: random.next_u64(),
            node_config,
            founders: ident.founders.clone(),
            told: Table::default(),
            controllers: Vec::new(),
            decided: 0,
            is_behind: false,
        }
    }

    /// Looks at the groups that were served: tells the mover of them, and founds and forgets what the
    /// controller wants. What the owner hears.
    pub fn look(
        &mut self,
        now: Instant,
        groups: &mut Groups,
        writer: &mut Writer,
        random: &mut Random,
    ) -> Vec<HostEvent> {
        let mut events = Vec::new();
        for id in groups.take_served() {
            let Some(group) = groups.get(id) else {
                continue;
            };
            let raft = group.node.raft();
            let (leads, applied) = (raft.is_leader(), raft.applied().index.0);
            if id == CONTROLLER.0 {
                let members = &raft.conf_state().voters;
                if *members != self.controllers {
                    self.controllers.clone_from(members);
                    self.mover.set_controllers(members.clone());
                }
                if applied > self.decided {
                    self.decided = applied;
                    self.change(now, groups, writer, random, &mut events);
                }
                continue;
            }
            let before = self.told.insert(id, (leads, applied));
            let led = before.is_some_and(|(leads, _)| leads);
            if before != Some((leads, applied)) && (leads || led) {
                self.mover().touch(now, GroupId(id), leads);
            }
        }
        while let Some(id) = self.mover.next_group() {
            let machine = groups.get(id.0).map(|group| group.node.machine());
            if let Some(Sharded::Store(store)) = machine.and_then(Machine::sharded) {
                self.mover().look(now, id, store);
            }
        }
        events
    }

    /// Founds and forgets groups.
    fn change(
        &mut self,
        now: Instant,
        groups: &mut Groups,
        writer: &mut Writer,
        random: &mut Random,
        events: &mut Vec<HostEvent>,
    ) {
        let hosted: Vec<_> = groups.iter().map(|(id, _)| GroupId(id)).collect();
        let machine = groups.get(CONTROLLER.0).map(|group| group.node.machine());
        let Some(Sharded::Controller(controller)) = machine.and_then(Machine::sharded) else {
            return;
        };
        let Change { found, forget } = controller.hosting(self.node, &hosted, &self.founders);
        for (GroupId(id), founders) in found {
            let seed = random.next_u64();
            groups.add(id, self.found(now, id, &founders, writer, seed));
            events.push(HostEvent::hosting(id, true));
        }
        for GroupId(id) in forget {
            if let Some(group) = groups.remove(id) {
                writer.forget(id, |round| group.layout.clear(round));
            }
            self.told.remove(id);
            self.mover().touch(now, GroupId(id), false);
            events.push(HostEvent::hosting(id, false));
        }
    }

    /// A group that begins here. A node that is none of its founders, or lost the storage with which it
    /// is one, waits to be taken in by the group.
    fn found(
        &self,
        now: Instant,
        id: u32,
        founders: &ConfState,
        writer: &mut Writer,
        seed: u64,
    ) -> Group {
        let fresh = LoadedGroup::fresh(id, founders);
        let LoadedGroup {
            restored,
            chunks,
            layout,
        } = fresh;
        let machine = Machine::of_group(id);
        let config = self.node_config.clone();
        let node = Node::new(config, restored, chunks, machine, now, seed);
        let node = node.expect("a group without records opens as the others did");
        // With its first batch, or before it: until then it has promised nothing.
        writer.also(|round| layout.found(founders, round));
        Group::new(node, layout)
    }

    /// The shards that arrive in groups that are led here, as a list.
    pub fn arriving(&self, groups: &Groups) -> JsValue {
        let arriving = groups.iter().flat_map(|(id, group)| {
            let machine = group.node.machine().sharded();
            let arriving = match machine {
                Some(Sharded::Store(store)) => self.mover.arriving(GroupId(id), store),
                Some(Sharded::Controller(_)) | None => Vec::new(),
            };
            arriving
                .into_iter()
                .map(move |it| status::arriving(id, &it))
        });
        list(arriving)
    }

    /// What the mover asks, of this node or of a peer.
    pub fn poll_output(&mut self) -> Option<Outgoing> {
        self.mover.poll_output()
    }

    /// A node answered.
    pub fn replies(&mut self, now: Instant, from: NodeId, group: u32, replies: Vec<Reply>) {
        for reply in replies {
            self.mover().reply(now, GroupId(group), from, reply);
        }
    }

    /// The way to a node is there, or is not.
    pub fn notice(&mut self, now: Instant, node: NodeId, is_up: bool) {
        self.mover().notice(now, node, is_up);
    }

    /// The time of [`Self::next_timeout`] may have come.
    pub fn timer(&mut self, now: Instant) {
        if self.mover_due <= now {
            self.mover().timer(now);
        }
    }

    /// The mover, to be given something.
    fn mover(&mut self) -> &mut Mover {
        self.is_stirred = true;
        &mut self.mover
    }

    /// An event has ended.
    pub fn settle(&mut self) {
        if core::mem::take(&mut self.is_stirred) {
            self.mover_due = self.mover.next_timeout();
        }
    }

    /// When something is next due.
    pub fn next_timeout(&self) -> Instant {
        match self.is_behind {
            true => Instant(0),
            false => self.mover_due.min(self.beats.next_timeout()),
        }
    }
}

/// The answer to a request to a group that is not here: who asks is behind, or this node is.
pub fn not_here(id: RequestId) -> Reply {
    let elsewhere = Elsewhere {
        config: 0,
        owner: GroupId::NONE,
        nodes: Vec::new(),
    };
    let result = Ok(StoreReply::Elsewhere(elsewhere).encode());
    Reply { id, result }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn movers_are_apart_from_pages() {
        let greatest_page = ClientId((1 << 53) - 1);
        assert_eq!(node_of(greatest_page), None);
        for node in [NodeId(1), NodeId((1 << 53) - 1)] {
            assert_eq!(node_of(mover_of(node)), Some(node));
        }
    }
}
