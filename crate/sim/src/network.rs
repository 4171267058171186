//! The network: what becomes of a packet. Each directed link delays, loses, repeats and reorders by
//! itself; faults on top of that are [`Rule`]s that return a [`Verdict`].

use core::fmt;
use std::collections::BTreeMap;

use quorate_raft::{Message, NodeId, Random};
use quorate_rsm::{ClientId, Reply, Request};

use crate::streams::{Concern, Streams, chance, exponential};

/// Who sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A node.
    Node(NodeId),
    /// A client.
    Client(ClientId),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => f.pad(&node.to_string()),
            Self::Client(client) => f.pad(&format!("c{}", client.0)),
        }
    }
}

/// What travels in one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// From node to node.
    Messages(Vec<Message>),
    /// From client to node.
    Requests(Vec<Request>),
    /// From node to client.
    Replies(Vec<Reply>),
}

/// One frame on its way, as a rule sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// From whom.
    pub from: Address,
    /// For whom.
    pub to: Address,
    /// What is in it.
    pub payload: Payload,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This rule has nothing against it.
    Pass,
    /// It is lost.
    Drop,
    /// It takes this many microseconds longer.
    Delay(u64),
    /// It does not arrive before this time.
    HoldUntil(u64),
}

/// A fault of the network.
pub trait Rule {
    /// Whether nothing passes from `from` to `to`, not even what is on its way.
    fn cuts(&self, from: Address, to: Address) -> bool {
        let _ = (from, to);
        false
    }

    /// What becomes of a packet that is being sent.
    fn verdict(&mut self, packet: &Packet, random: &mut Random) -> Verdict {
        let _ = (packet, random);
        Verdict::Pass
    }
}

impl<F: FnMut(&Packet, &mut Random) -> Verdict> Rule for F {
    fn verdict(&mut self, packet: &Packet, random: &mut Random) -> Verdict {
        self(packet, random)
    }
}

/// How a link behaves when no rule says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Shortest delay in microseconds.
    pub delay_min: u64,
    /// Mean of what comes on top, exponentially distributed: this is what reorders.
    pub delay_mean: u64,
    /// In a thousand packets, how many take a hundred times the mean longer.
    pub tail_permille: u64,
    /// In a thousand, how many are lost.
    pub loss_permille: u64,
    /// In a thousand, how many arrive twice.
    pub duplicate_permille: u64,
    /// In a thousand duplicates, how many come up to a minute late.
    pub replay_permille: u64,
}

impl Link {
    /// A fair network: a millisecond or so, and nothing is lost.
    pub const FAIR: Self = Self {
        delay_min: 200,
        delay_mean: 800,
        tail_permille: 0,
        loss_permille: 0,
        duplicate_permille: 0,
        replay_permille: 0,
    };
}

/// A rule's name, to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleId(u64);

/// What the network did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames sent.
    pub frames: u64,
    /// Lost to chance.
    pub lost: u64,
    /// Lost to a rule.
    pub dropped: u64,
    /// Delivered twice.
    pub duplicated: u64,
}

/// All links, and the rules in force.
pub struct Network {
    streams: Streams,
    randoms: BTreeMap<Address, Random>,
    /// How links behave now.
    pub link: Link,
    rules: BTreeMap<RuleId, Box<dyn Rule>>,
    next_rule: u64,
    /// Links to and from clients keep order and repeat nothing, as ports do: a node's refusal must
    /// mean that this request is not taken.
    last_arrival: BTreeMap<(Address, Address), u64>,
    /// What it did.
    pub counters: Counters,
}

impl Network {
    /// A network without rules.
    #[must_use]
    pub fn new(streams: Streams, link: Link) -> Self {
        Self {
            streams,
            randoms: BTreeMap::new(),
            link,
            rules: BTreeMap::new(),
            next_rule: 0,
            last_arrival: BTreeMap::new(),
            counters: Counters::default(),
        }
    }

    /// Puts a rule in force.
    pub fn add(&mut self, rule: impl Rule + 'static) -> RuleId {
        self.next_rule += 1;
        let id = RuleId(self.next_rule);
        self.rules.insert(id, Box::new(rule));
        id
    }

    /// Ends a rule; nothing happens if it has ended.
    pub fn remove(&mut self, id: RuleId) {
        self.rules.remove(&id);
    }

    /// Ends all rules.
    pub fn heal(&mut self) {
        self.rules.clear();
    }

    /// Whether some rule cuts the way from `from` to `to` now.
    #[must_use]
    pub fn is_cut(&self, from: Address, to: Address) -> bool {
        self.rules.values().any(|rule| rule.cuts(from, to))
    }

    /// When the packet arrives, and its duplicate; `None` for what is lost.
    pub fn send(&mut self, now: u64, packet: &Packet) -> [Option<u64>; 2] {
        self.counters.frames += 1;
        let (from, to) = (packet.from, packet.to);
        let random = self.randoms.entry(from).or_insert_with(|| {
            let owner = match from {
                Address::Node(node) => node.0,
                Address::Client(client) => 1 << 32 | client.0,
            };
            self.streams.stream(Concern::Network, owner)
        });
        // The same draws for every packet, so that one that is lost shifts no other.
        let mut delay = self.link.delay_min + exponential(random, self.link.delay_mean);
        let between_nodes = matches!((from, to), (Address::Node(_), Address::Node(_)));
        // Where order is kept, one that is very late would stop everything behind it.
        if chance(random, self.link.tail_permille) && between_nodes {
            delay += self.link.delay_mean * 100;
        }
        let lost = chance(random, self.link.loss_permille);
        let duplicated = chance(random, self.link.duplicate_permille);
        let mut later = exponential(random, self.link.delay_mean);
        if chance(random, self.link.replay_permille) {
            later += random.below(60_000_000);
        }
        let mut arrival = now + delay;
        for rule in self.rules.values_mut() {
            if rule.cuts(from, to) {
                self.counters.dropped += 1;
                return [None, None];
            }
            match rule.verdict(packet, random) {
                Verdict::Pass => {}
                Verdict::Drop => {
                    self.counters.dropped += 1;
                    return [None, None];
                }
                Verdict::Delay(more) => arrival += more,
                Verdict::HoldUntil(time) => arrival = arrival.max(time),
            }
        }
        if lost {
            self.counters.lost += 1;
            return [None, None];
        }
        if between_nodes {
            self.counters.duplicated += u64::from(duplicated);
            return [Some(arrival), duplicated.then_some(arrival + later)];
        }
        let last = self.last_arrival.entry((from, to)).or_default();
        *last = arrival.max(*last);
        [Some(*last), None]
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Network {{ {:?}, {} rules, {:?} }}",
            self.link,
            self.rules.len(),
            self.counters
        )
    }
}
