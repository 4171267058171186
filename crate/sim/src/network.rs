//! The network: what becomes of a packet. Each directed link delays, loses, repeats and reorders by
//! itself; faults on top of that are [`Rule`]s that return a [`Verdict`].

use core::fmt;
use std::collections::{BTreeMap, VecDeque};

use quorate_raft::{Message, NodeId, Random};
use quorate_rsm::{ClientId, Reply, Request};

use crate::by_node::ByNode;
use crate::streams::{Concern, Streams, chance, exponential, magnitude};

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
    /// When it was sent, in virtual time.
    pub sent: u64,
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
    /// Whether nothing passes from `from` to `to` at `now`, not even what is on its way.
    fn cuts(&self, now: u64, from: Address, to: Address) -> bool {
        let _ = (now, from, to);
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
    /// In a thousand, how many come once more as something that must be refused.
    pub spoil_permille: u64,
    /// How much a link between nodes holds.
    pub queue: Option<Bound>,
}

/// A bound on what is on its way from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// So many packets.
    pub packets: usize,
    /// Which one is lost when there is one more.
    pub loses: Loses,
}

/// Which packet is lost where one too many comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loses {
    /// The one that was sent first.
    Oldest,
    /// The one that comes.
    Newest,
    /// Any of them.
    Random,
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
        spoil_permille: 0,
        queue: None,
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
    /// Of those, up to a minute late.
    pub replayed: u64,
    /// Much later than others.
    pub tails: u64,
}

/// What becomes of a packet that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// When it arrives, and its duplicate.
    pub arrivals: [Option<u64>; 2],
    /// It comes once more, at the first of these times, as something that must be refused.
    pub spoiled: bool,
    /// Its number in its link's queue, where that is bounded.
    pub place: Option<u64>,
}

/// What is on its way on one directed link.
#[derive(Debug, Default)]
struct Way {
    next: u64,
    /// Numbers of packets, in the order in which they were sent.
    packets: VecDeque<u64>,
}

/// All links, and the rules in force.
pub struct Network {
    streams: Streams,
    node_randoms: ByNode<Random>,
    client_randoms: BTreeMap<ClientId, Random>,
    /// How links behave now.
    pub link: Link,
    rules: BTreeMap<RuleId, Box<dyn Rule>>,
    next_rule: u64,
    /// Links to and from clients keep order and repeat nothing, as ports do: a node's refusal must
    /// mean that this request is not taken.
    last_arrival: BTreeMap<(Address, Address), u64>,
    /// By sender, then by receiver.
    ways: ByNode<ByNode<Way>>,
    /// What it did.
    pub counters: Counters,
    /// Packets lost to full queues, by which one is lost.
    pub overflows: [u64; 3],
}

impl Network {
    /// A network without rules.
    #[must_use]
    pub fn new(streams: Streams, link: Link) -> Self {
        Self {
            streams,
            node_randoms: ByNode::new(),
            client_randoms: BTreeMap::new(),
            link,
            rules: BTreeMap::new(),
            next_rule: 0,
            last_arrival: BTreeMap::new(),
            ways: ByNode::new(),
            counters: Counters::default(),
            overflows: [0; 3],
        }
    }

    /// Puts a rule in force.
    pub fn add(&mut self, rule: impl Rule + 'static) -> RuleId {
        self.add_boxed(Box::new(rule))
    }

    /// Puts a rule in force.
    pub fn add_boxed(&mut self, rule: Box<dyn Rule>) -> RuleId {
        self.next_rule += 1;
        let id = RuleId(self.next_rule);
        self.rules.insert(id, rule);
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

    /// Whether any rule is in force.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Whether some rule cuts the way from `from` to `to` now.
    #[must_use]
    pub fn is_cut(&self, now: u64, from: Address, to: Address) -> bool {
        self.rules.values().any(|rule| rule.cuts(now, from, to))
    }

    /// Whether packets come twice. When that ends, what was still to come again does not: followers of a
    /// dead leader would take it for a sign of life, for as long as it lasts.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.link.duplicate_permille > 0
    }

    /// What becomes of a packet.
    pub fn send(&mut self, packet: &Packet) -> Fate {
        self.counters.frames += 1;
        let (from, to, now) = (packet.from, packet.to, packet.sent);
        let stream = |owner| self.streams.stream(Concern::Network, owner);
        let random = match from {
            Address::Node(id) => self.node_randoms.or_insert_with(id, || stream(id.0)),
            Address::Client(id) => {
                let random = self.client_randoms.entry(id);
                random.or_insert_with(|| stream(1 << 32 | id.0))
            }
        };
        let link = &self.link;
        // The same draws for every packet, so that one that is lost shifts no other.
        let mut delay = link.delay_min + exponential(random, link.delay_mean);
        let between_nodes = matches!((from, to), (Address::Node(_), Address::Node(_)));
        // Where order is kept, one that is very late would stop everything behind it.
        let tail = chance(random, link.tail_permille) && between_nodes;
        if tail {
            delay += link.delay_mean * 100;
        }
        let lost = chance(random, link.loss_permille);
        let duplicated = chance(random, link.duplicate_permille);
        let spoiled = chance(random, link.spoil_permille) && between_nodes;
        let mut later = exponential(random, link.delay_mean);
        let replayed = chance(random, link.replay_permille);
        if replayed {
            // Any order of magnitude up to a minute.
            later += magnitude(random, REPLAY_MAX, 9);
        }
        let mut arrival = now + delay;
        for rule in self.rules.values_mut() {
            if rule.cuts(now, from, to) {
                self.counters.dropped += 1;
                return Fate::default();
            }
            match rule.verdict(packet, random) {
                Verdict::Pass => {}
                Verdict::Drop => {
                    self.counters.dropped += 1;
                    return Fate::default();
                }
                Verdict::Delay(more) => arrival += more,
                Verdict::HoldUntil(time) => arrival = arrival.max(time),
            }
        }
        if lost {
            self.counters.lost += 1;
            return Fate::default();
        }
        let (Address::Node(sender), Address::Node(receiver)) = (from, to) else {
            let last = self.last_arrival.entry((from, to)).or_default();
            *last = arrival.max(*last);
            let arrivals = [Some(*last), None];
            return Fate {
                arrivals,
                ..Fate::default()
            };
        };
        let place = link.queue.map(|bound| {
            let way = self.ways.or_default(sender).or_default(receiver);
            let (place, full) = way.take(bound, random);
            self.overflows[bound.loses as usize] += u64::from(full);
            place
        });
        self.counters.tails += u64::from(tail);
        self.counters.duplicated += u64::from(duplicated);
        self.counters.replayed += u64::from(duplicated && replayed);
        Fate {
            arrivals: [Some(arrival), duplicated.then_some(arrival + later)],
            spoiled,
            place,
        }
    }

    /// A packet that was given a place in its link's queue arrives; whether it was kept.
    pub fn arrives(&mut self, from: Address, to: Address, place: u64) -> bool {
        let (Address::Node(from), Address::Node(to)) = (from, to) else {
            return false;
        };
        let way = self.ways.get_mut(from).and_then(|ways| ways.get_mut(to));
        way.and_then(|way| {
            // Most come in the order in which they were sent.
            if way.packets.front() == Some(&place) {
                return way.packets.pop_front();
            }
            let at = way.packets.binary_search(&place).ok()?;
            way.packets.remove(at)
        })
        .is_some()
    }
}

impl Way {
    /// A place for one more packet, and whether a packet, maybe this one, is lost for it.
    fn take(&mut self, bound: Bound, random: &mut Random) -> (u64, bool) {
        self.next += 1;
        self.packets.push_back(self.next);
        let full = self.packets.len() > bound.packets;
        if full {
            match bound.loses {
                Loses::Oldest => self.packets.pop_front(),
                Loses::Newest => self.packets.pop_back(),
                Loses::Random => {
                    let at = random.below(self.packets.len() as u64) as usize;
                    self.packets.remove(at)
                }
            };
        }
        (self.next, full)
    }
}

/// The oldest packet that comes once more, in microseconds.
const REPLAY_MAX: u64 = 60_000_000;

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
