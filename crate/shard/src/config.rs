//! Configurations: which group has which shard, and which nodes a group has.

use core::fmt;

use quorate_raft::{NodeId, Table};
use quorate_rsm::wire::{Reader, Writer};

/// Shards of a cluster, at most; at least 1.
pub const SHARDS_MAX: u32 = 4_096;

/// Groups at a time, at most; those that left and still have something to give away count.
pub const GROUPS_MAX: usize = 1_024;

/// Nodes of a group, at most; at least 1.
pub const GROUP_NODES_MAX: usize = 15;

/// The greatest weight; the least is 1.
pub const WEIGHT_MAX: u32 = 1_000;

/// Numbers and ids of nodes stay exact as JavaScript numbers.
const SAFE_MAX: u64 = (1 << 53) - 1;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

id!(
    /// A group that holds shards.
    GroupId, "g"
);
id!(
    /// A part of the keys, counted from 0.
    ShardId, "s"
);

impl GroupId {
    /// No group: of a shard that nobody has.
    pub const NONE: Self = Self(0);
}

/// What a configuration says of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its part of the shards, against the weights of the others: 1 to [`WEIGHT_MAX`]. Default 1.
    pub weight: u32,
    /// Where its replicas are: 1 to [`GROUP_NODES_MAX`], none twice.
    pub nodes: Vec<NodeId>,
}

impl GroupInfo {
    /// A group on these nodes, with weight 1.
    #[must_use]
    pub fn new(nodes: Vec<NodeId>) -> Self {
        Self { weight: 1, nodes }
    }

    pub(crate) fn has_valid_weight(&self) -> bool {
        (1..=WEIGHT_MAX).contains(&self.weight)
    }

    pub(crate) fn has_valid_nodes(&self) -> bool {
        are_valid(&self.nodes)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.number(self.weight.into());
        put_nodes(writer, &self.nodes);
    }

    /// Whether it may be so is another question.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            weight: take_u32(reader),
            nodes: take_nodes(reader),
        }
    }
}

/// Whether a group can be on these nodes.
pub(crate) fn are_valid(nodes: &[NodeId]) -> bool {
    let is_id = |node: &NodeId| (1..=SAFE_MAX).contains(&node.0);
    (1..=GROUP_NODES_MAX).contains(&nodes.len())
        && nodes.iter().all(is_id)
        && (1..)
            .zip(nodes)
            .all(|(next, node)| !nodes[next..].contains(node))
}

/// Which group has which shard, from one number to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Counted from 0, in which there are no groups; each is one more than the one before.
    pub number: u64,
    /// The group of each shard. Invariant: a group of `groups`, or, where there are none,
    /// [`GroupId::NONE`].
    pub shards: Vec<GroupId>,
    /// All groups.
    pub groups: Table<GroupId, GroupInfo>,
}

impl Configuration {
    /// The one before there are groups.
    #[must_use]
    pub fn empty(shards: u32) -> Self {
        Self {
            number: 0,
            shards: vec![GroupId::NONE; shards as usize],
            groups: Table::default(),
        }
    }

    /// Who has the shard; none has one beyond the last.
    #[must_use]
    pub fn owner(&self, shard: ShardId) -> GroupId {
        let owner = self.shards.get(shard.0 as usize);
        owner.copied().unwrap_or(GroupId::NONE)
    }

    /// Appends it.
    pub fn encode(&self, writer: &mut Writer) {
        writer.number(self.number);
        writer.number(self.shards.len() as u64);
        for group in &self.shards {
            writer.number(group.0.into());
        }
        writer.number(self.groups.len() as u64);
        for (id, info) in self.groups.iter() {
            writer.number(id.0.into());
            info.encode(writer);
        }
    }

    /// Reads what [`Configuration::encode`] wrote. What cannot be one fails the reader, and comes back
    /// as something that means nothing.
    pub fn decode(reader: &mut Reader<'_>) -> Self {
        let number = reader.number();
        let shards = reader.list(1, |reader| GroupId(take_u32(reader)));
        let groups = reader.list(4, |reader| {
            (GroupId(take_u32(reader)), GroupInfo::decode(reader))
        });
        if !groups.is_sorted_by(|(one, _), (next, _)| one < next) {
            reader.refuse("groups are not in order");
            return Self::empty(1);
        }
        let configuration = Self {
            number,
            shards,
            groups: groups.into_iter().collect(),
        };
        if let Some(flaw) = configuration.flaw() {
            reader.refuse(flaw);
        }
        configuration
    }

    /// Why it cannot be, if so.
    fn flaw(&self) -> Option<&'static str> {
        let is_valid = |(id, info): (GroupId, &GroupInfo)| {
            id != GroupId::NONE && info.has_valid_weight() && info.has_valid_nodes()
        };
        let is_owned = |owner: &GroupId| match self.groups.is_empty() {
            true => *owner == GroupId::NONE,
            false => self.groups.has(*owner),
        };
        if self.number > SAFE_MAX {
            Some("a configuration's number exceeds 2^53")
        } else if !(1..=SHARDS_MAX as usize).contains(&self.shards.len()) {
            Some("so many shards cannot be")
        } else if self.groups.len() > GROUPS_MAX {
            Some("there are too many groups")
        } else if !self.groups.iter().all(is_valid) {
            Some("a group cannot be")
        } else if !self.shards.iter().all(is_owned) {
            Some("a shard belongs to a group that is not there")
        } else {
            None
        }
    }
}

pub(crate) fn put_nodes(writer: &mut Writer, nodes: &[NodeId]) {
    writer.number(nodes.len() as u64);
    for node in nodes {
        writer.number(node.0);
    }
}

pub(crate) fn take_nodes(reader: &mut Reader<'_>) -> Vec<NodeId> {
    reader.list(1, |reader| NodeId(reader.number()))
}

pub(crate) fn take_u32(reader: &mut Reader<'_>) -> u32 {
    let number = reader.number();
    u32::try_from(number).unwrap_or_else(|_| reader.fail("a number exceeds 32 bits"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn encoded(configuration: &Configuration) -> Bytes {
        let mut writer = Writer::new();
        configuration.encode(&mut writer);
        writer.finish().into()
    }

    fn decoded(bytes: &Bytes) -> Option<Configuration> {
        let mut reader = Reader::new(bytes);
        let configuration = Configuration::decode(&mut reader);
        reader.end().ok().map(|()| configuration)
    }

    fn sample() -> Configuration {
        let group = |id, weight, nodes: &[u64]| {
            let nodes = nodes.iter().map(|id| NodeId(*id)).collect();
            (GroupId(id), GroupInfo { weight, nodes })
        };
        Configuration {
            number: 300,
            shards: [1, 300, 1, 300].map(GroupId).to_vec(),
            groups: [group(1, 1, &[1, 2, 3]), group(300, WEIGHT_MAX, &[9])]
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn a_configuration_survives_its_encoding_and_nothing_else_does() {
        for configuration in [Configuration::empty(1), sample()] {
            let bytes = encoded(&configuration);
            assert_eq!(decoded(&bytes).as_ref(), Some(&configuration));
            for len in 0..bytes.len() {
                assert_eq!(decoded(&bytes.slice(..len)), None, "up to {len}");
            }
            for at in 0..bytes.len() {
                for value in 0..=u8::MAX {
                    let mut changed = bytes.to_vec();
                    changed[at] = value;
                    let changed = Bytes::from(changed);
                    if let Some(other) = decoded(&changed) {
                        assert_eq!(encoded(&other), changed, "{value} at {at}");
                    }
                }
            }
        }
    }

    fn info(configuration: &mut Configuration) -> &mut GroupInfo {
        configuration
            .groups
            .get_mut(GroupId(1))
            .expect("it is there")
    }

    #[test]
    fn what_no_controller_makes_is_refused() {
        let refused = |what: &str, change: fn(&mut Configuration)| {
            let mut configuration = sample();
            change(&mut configuration);
            assert_eq!(decoded(&encoded(&configuration)), None, "{what}");
        };
        refused("number", |c| c.number = SAFE_MAX + 1);
        refused("no shards", |c| c.shards.clear());
        refused("too many shards", |c| c.shards.resize(4_097, GroupId(1)));
        refused("nobody's shard", |c| c.shards[1] = GroupId::NONE);
        refused("another group's shard", |c| c.shards[1] = GroupId(2));
        refused("shards without groups", |c| c.groups = Table::default());
        refused("no weight", |c| info(c).weight = 0);
        refused("much weight", |c| info(c).weight = WEIGHT_MAX + 1);
        refused("no nodes", |c| info(c).nodes.clear());
        refused("a node twice", |c| info(c).nodes[2] = NodeId(1));
        refused("node 0", |c| info(c).nodes[1] = NodeId(0));
        refused("a great node", |c| info(c).nodes[1] = NodeId(SAFE_MAX + 1));
        refused("many nodes", |c| {
            info(c).nodes = (1..=16).map(NodeId).collect();
        });
        refused("group 0", |c| {
            c.groups
                .insert(GroupId::NONE, GroupInfo::new(vec![NodeId(1)]));
        });
        refused("many groups", |c| {
            for id in 1_000..2_024 {
                c.groups
                    .insert(GroupId(id), GroupInfo::new(vec![NodeId(1)]));
            }
        });
    }

    #[test]
    fn groups_out_of_order_are_refused() {
        let bytes = encoded(&sample());
        let tail = [&[2_u8][..], &[1, 1, 3, 1, 2, 3], &[0xac, 2, 0xe8, 7, 1, 9]].concat();
        let head = bytes.strip_suffix(&tail[..]).expect("the groups are last");
        for groups in [
            [&[2_u8][..], &[0xac, 2, 0xe8, 7, 1, 9], &[1, 1, 3, 1, 2, 3]].concat(),
            [&[3_u8][..], &[1, 1, 1, 1], &tail[1..]].concat(),
        ] {
            assert_eq!(decoded(&[head, &groups].concat().into()), None);
        }
    }

    #[test]
    fn a_shard_beyond_the_last_has_no_owner() {
        assert_eq!(sample().owner(ShardId(1)), GroupId(300));
        assert_eq!(sample().owner(ShardId(4)), GroupId::NONE);
    }
}
