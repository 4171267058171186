//! The faults of a network that have names.

use std::collections::{BTreeMap, BTreeSet};

use quorate_raft::{Body, NodeId, Random};

use crate::network::{Address, Packet, Payload, Rule, Verdict};
use crate::streams::chance;

/// Nothing passes between the sides. A client that is in none reaches all.
#[derive(Clone, Debug)]
pub struct Partition {
    sides: Vec<BTreeSet<Address>>,
}

impl Partition {
    /// Between groups of nodes.
    #[must_use]
    pub fn new<const N: usize>(sides: [&[NodeId]; N]) -> Self {
        let side = |nodes: &[NodeId]| nodes.iter().map(|&id| Address::Node(id)).collect();
        Self {
            sides: sides.into_iter().map(side).collect(),
        }
    }

    fn side(&self, address: Address) -> Option<usize> {
        self.sides.iter().position(|side| side.contains(&address))
    }
}

impl Rule for Partition {
    fn cuts(&self, _: u64, from: Address, to: Address) -> bool {
        matches!((self.side(from), self.side(to)), (Some(a), Some(b)) if a != b)
    }
}

/// Nothing passes on these directed links: one-way cuts, chains, stars and bridges.
#[derive(Clone, Debug)]
pub struct Cut {
    links: BTreeSet<(Address, Address)>,
}

impl Cut {
    /// From the first of each pair to the second.
    #[must_use]
    pub fn one_way(links: impl IntoIterator<Item = (NodeId, NodeId)>) -> Self {
        let link = |(from, to)| (Address::Node(from), Address::Node(to));
        Self {
            links: links.into_iter().map(link).collect(),
        }
    }

    /// Between the two of each pair.
    #[must_use]
    pub fn both_ways(links: impl IntoIterator<Item = (NodeId, NodeId)>) -> Self {
        let both = |(a, b)| [(a, b), (b, a)];
        Self::one_way(links.into_iter().flat_map(both))
    }
}

impl Rule for Cut {
    fn cuts(&self, _: u64, from: Address, to: Address) -> bool {
        self.links.contains(&(from, to))
    }
}

/// Directed links with which somebody tampered, one by one.
#[derive(Clone, Debug, Default)]
pub struct Tampered {
    /// What is wrong with each.
    pub links: BTreeMap<(NodeId, NodeId), Tampering>,
}

/// What is wrong with a directed link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tampering {
    /// Nothing passes.
    pub cut: bool,
    /// What passes takes this many microseconds longer.
    pub delay: u64,
    /// So many of a thousand frames are lost.
    pub loss_permille: u64,
}

impl Tampered {
    fn of(&self, from: Address, to: Address) -> Tampering {
        match (from, to) {
            (Address::Node(from), Address::Node(to)) => self.links.get(&(from, to)),
            (..) => None,
        }
        .copied()
        .unwrap_or_default()
    }
}

impl Rule for Tampered {
    fn cuts(&self, _: u64, from: Address, to: Address) -> bool {
        self.of(from, to).cut
    }

    fn verdict(&mut self, packet: &Packet, random: &mut Random) -> Verdict {
        let link = self.of(packet.from, packet.to);
        match chance(random, link.loss_permille) {
            true => Verdict::Drop,
            false if link.delay > 0 => Verdict::Delay(link.delay),
            false => Verdict::Pass,
        }
    }
}

/// Nothing goes to or comes from this node, clients included.
#[derive(Clone, Copy, Debug)]
pub struct Isolate(pub NodeId);

impl Rule for Isolate {
    fn cuts(&self, _: u64, from: Address, to: Address) -> bool {
        from != to && (from == Address::Node(self.0) || to == Address::Node(self.0))
    }
}

/// A node's packets, to it and from it, wait until a time and then come in a burst.
#[derive(Clone, Copy, Debug)]
pub struct Clog {
    /// Whose.
    pub node: NodeId,
    /// Until when, in virtual time.
    pub until: u64,
}

impl Rule for Clog {
    fn verdict(&mut self, packet: &Packet, _: &mut Random) -> Verdict {
        let node = Address::Node(self.node);
        if packet.from == node || packet.to == node {
            Verdict::HoldUntil(self.until)
        } else {
            Verdict::Pass
        }
    }
}

/// What clients ask of a node waits until a time, while the node goes on, and may come to lead: by
/// then the clients have long asked another.
#[derive(Clone, Copy, Debug)]
pub struct LateRequests {
    /// Of which node.
    pub node: NodeId,
    /// Until when, in virtual time.
    pub until: u64,
}

impl Rule for LateRequests {
    fn verdict(&mut self, packet: &Packet, _: &mut Random) -> Verdict {
        match (packet.from, packet.to) {
            (Address::Client(_), Address::Node(node)) if node == self.node => {
                Verdict::HoldUntil(self.until)
            }
            _ => Verdict::Pass,
        }
    }
}

/// The packets of some directed links wait until a time.
#[derive(Clone, Debug)]
pub struct ClogLinks {
    /// From the first of each pair to the second.
    pub links: BTreeSet<(NodeId, NodeId)>,
    /// Until when, in virtual time.
    pub until: u64,
}

impl Rule for ClogLinks {
    fn verdict(&mut self, packet: &Packet, _: &mut Random) -> Verdict {
        match (packet.from, packet.to) {
            (Address::Node(from), Address::Node(to)) if self.links.contains(&(from, to)) => {
                Verdict::HoldUntil(self.until)
            }
            _ => Verdict::Pass,
        }
    }
}

/// Links that come and go: cut in the first half of each period.
#[derive(Clone, Debug)]
pub struct Flap {
    /// Which ones.
    pub cut: Cut,
    /// How long cut and whole take together, in microseconds.
    pub period: u64,
}

impl Rule for Flap {
    fn cuts(&self, now: u64, from: Address, to: Address) -> bool {
        now % self.period < self.period / 2 && self.cut.cuts(now, from, to)
    }
}

/// Answers of this node to clients are lost: what it did is done, and nobody hears of it.
#[derive(Clone, Copy, Debug)]
pub struct LoseReplies(pub NodeId);

impl Rule for LoseReplies {
    fn verdict(&mut self, packet: &Packet, _: &mut Random) -> Verdict {
        match packet.payload {
            Payload::Replies(_) if packet.from == Address::Node(self.0) => Verdict::Drop,
            _ => Verdict::Pass,
        }
    }
}

/// A kind of message, for [`Filter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Votes and pre-votes, asked and given.
    Votes,
    /// Appends.
    Appends,
    /// Answers to appends.
    AppendResponses,
    /// Heartbeats and their answers.
    Heartbeats,
    /// Snapshot chunks.
    Snapshots,
    /// Answers to snapshot chunks.
    SnapshotResponses,
}

impl MessageKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Votes,
        Self::Appends,
        Self::AppendResponses,
        Self::Heartbeats,
        Self::Snapshots,
        Self::SnapshotResponses,
    ];

    fn is(self, body: &Body) -> bool {
        match self {
            Self::Votes => matches!(
                body,
                Body::PreVote { .. }
                    | Body::PreVoteResponse { .. }
                    | Body::RequestVote { .. }
                    | Body::RequestVoteResponse { .. }
            ),
            Self::Appends => matches!(body, Body::AppendEntries { .. }),
            Self::AppendResponses => matches!(body, Body::AppendEntriesResponse(_)),
            Self::Heartbeats => {
                matches!(
                    body,
                    Body::Heartbeat { .. }
                        | Body::HeartbeatResponse { .. }
                        | Body::Sleep { .. }
                        | Body::SleepResponse { .. }
                )
            }
            Self::Snapshots => matches!(body, Body::InstallSnapshot { .. }),
            Self::SnapshotResponses => matches!(body, Body::InstallSnapshotResponse { .. }),
        }
    }
}

/// One kind of message between nodes is lost, while everything else passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What is lost.
    pub kind: MessageKind,
    /// Only of this node, if any.
    pub from: Option<NodeId>,
}

impl Rule for Filter {
    fn verdict(&mut self, packet: &Packet, _: &mut Random) -> Verdict {
        let Payload::Messages(messages) = &packet.payload else {
            return Verdict::Pass;
        };
        let ours = self
            .from
            .is_none_or(|node| packet.from == Address::Node(node));
        if ours && messages.iter().any(|message| self.kind.is(&message.body)) {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    }
}

/// The labs' unreliable network: every call is delayed 0 to 26 ms, one in ten calls and one in ten
/// answers are lost.
#[derive(Clone, Copy, Debug)]
pub struct Unreliable;

impl Rule for Unreliable {
    fn verdict(&mut self, packet: &Packet, random: &mut Random) -> Verdict {
        let delay = random.below(27_000);
        if chance(random, 100) {
            Verdict::Drop
        } else if is_answer(&packet.payload) {
            Verdict::Pass
        } else {
            Verdict::Delay(delay)
        }
    }
}

/// The labs' long reordering: two thirds of the answers take 200 to 2,200 ms longer, shorter times
/// being likelier (a uniform part of a uniform time).
#[derive(Clone, Copy, Debug)]
pub struct LongReordering;

impl Rule for LongReordering {
    fn verdict(&mut self, packet: &Packet, random: &mut Random) -> Verdict {
        let late = random.below(3) < 2;
        let most = random.below(2_000_000) + 1;
        let delay = 200_000 + random.below(most);
        if late && is_answer(&packet.payload) {
            Verdict::Delay(delay)
        } else {
            Verdict::Pass
        }
    }
}

/// Whether a frame answers calls and asks nothing.
fn is_answer(payload: &Payload) -> bool {
    match payload {
        Payload::Messages(messages) => messages.iter().all(|message| is_response(&message.body)),
        Payload::Requests(_) => false,
        Payload::Replies(_) => true,
    }
}

/// Whether a message answers another one.
#[must_use]
pub fn is_response(body: &Body) -> bool {
    match body {
        Body::PreVoteResponse { .. }
        | Body::RequestVoteResponse { .. }
        | Body::AppendEntriesResponse(_)
        | Body::HeartbeatResponse { .. }
        | Body::SleepResponse { .. }
        | Body::InstallSnapshotResponse { .. } => true,
        Body::PreVote { .. }
        | Body::RequestVote { .. }
        | Body::AppendEntries { .. }
        | Body::Heartbeat { .. }
        | Body::Sleep { .. }
        | Body::InstallSnapshot { .. }
        | Body::TimeoutNow
        | Body::ReadIndex { .. } => false,
        Body::ReadIndexResponse { .. } | Body::Digest(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use quorate_rsm::ClientId;

    use super::*;

    const A: Address = Address::Node(NodeId(1));
    const B: Address = Address::Node(NodeId(2));
    const CLIENT: Address = Address::Client(ClientId(1));

    #[test]
    fn partition_cuts_between_its_sides_only() {
        let rule = Partition::new([&[NodeId(1)], &[NodeId(2), NodeId(3)]]);
        let c = Address::Node(NodeId(3));
        assert!(rule.cuts(0, A, B) && rule.cuts(0, B, A));
        assert!(!rule.cuts(0, B, c) && !rule.cuts(0, CLIENT, A) && !rule.cuts(0, A, CLIENT));
    }

    #[test]
    fn one_way_cut_lets_the_other_way_pass() {
        let rule = Cut::one_way([(NodeId(1), NodeId(2))]);
        assert!(rule.cuts(0, A, B) && !rule.cuts(0, B, A));
        let rule = Cut::both_ways([(NodeId(1), NodeId(2))]);
        assert!(rule.cuts(0, A, B) && rule.cuts(0, B, A));
    }

    #[test]
    fn flapping_link_is_cut_half_of_the_time() {
        let rule = Flap {
            cut: Cut::one_way([(NodeId(1), NodeId(2))]),
            period: 100,
        };
        let cut = (0..1_000).filter(|&now| rule.cuts(now, A, B)).count();
        assert_eq!(cut, 500);
        assert!(!rule.cuts(0, B, A));
    }

    #[test]
    fn isolated_node_is_cut_from_clients_too() {
        let rule = Isolate(NodeId(1));
        assert!(rule.cuts(0, A, B) && rule.cuts(0, CLIENT, A) && !rule.cuts(0, CLIENT, B));
    }
}
