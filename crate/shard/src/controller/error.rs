//! Why the controller refused something. Nothing changed then.

use core::fmt;

use quorate_rsm::wire::{Reader, Writer};

use crate::config::{GROUP_NODES_MAX, GROUPS_MAX, GroupId, SHARDS_MAX, ShardId, WEIGHT_MAX};

/// Why a command or query was refused. Every replica gives the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControllerError {
    /// The bytes are no command, or no query. The sender runs other code: update it.
    Malformed,
    /// The number of shards was not yet said.
    NotCreated,
    /// The number of shards is another, and never changes.
    ShardCount {
        /// What it is.
        shards: u32,
    },
    /// A number of shards is 0 or above [`SHARDS_MAX`].
    BadShardCount,
    /// A group's id is 0.
    BadGroup,
    /// A weight is 0 or above [`WEIGHT_MAX`].
    BadWeight {
        /// Of which group.
        group: GroupId,
    },
    /// A group's nodes are none, more than [`GROUP_NODES_MAX`], not all different, or have an id that is
    /// 0 or above 2^53 - 1.
    BadNodes {
        /// Of which group.
        group: GroupId,
    },
    /// There is such a group already, or the command has it twice.
    GroupExists {
        /// Which.
        group: GroupId,
    },
    /// There is no such group.
    UnknownGroup {
        /// Which.
        group: GroupId,
    },
    /// There is no such shard.
    UnknownShard {
        /// Which.
        shard: ShardId,
    },
    /// No group would be left, and what the shards hold would be lost. Join another one first, or say
    /// that it is to be lost.
    LastGroup,
    /// More than [`GROUPS_MAX`], with those that left and are not drained.
    TooManyGroups,
    /// The group left, is not drained, and comes back with other nodes. Wait until it is drained, or
    /// take another id.
    GroupLeaving {
        /// Which.
        group: GroupId,
    },
    /// The group is so many configurations behind that those it needs cannot all be kept. See why it
    /// does not go on.
    GroupBehind {
        /// Which.
        group: GroupId,
    },
    /// The configuration is not kept any more.
    ConfigCompacted {
        /// The oldest that is.
        oldest: u64,
    },
    /// There is no such configuration yet.
    FutureConfig {
        /// The latest.
        latest: u64,
    },
}

impl ControllerError {
    /// The name that never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::NotCreated => "NOT_CREATED",
            Self::ShardCount { .. } => "SHARD_COUNT",
            Self::BadShardCount => "BAD_SHARD_COUNT",
            Self::BadGroup => "BAD_GROUP",
            Self::BadWeight { .. } => "BAD_WEIGHT",
            Self::BadNodes { .. } => "BAD_NODES",
            Self::GroupExists { .. } => "GROUP_EXISTS",
            Self::UnknownGroup { .. } => "UNKNOWN_GROUP",
            Self::UnknownShard { .. } => "UNKNOWN_SHARD",
            Self::LastGroup => "LAST_GROUP",
            Self::TooManyGroups => "TOO_MANY_GROUPS",
            Self::GroupLeaving { .. } => "GROUP_LEAVING",
            Self::GroupBehind { .. } => "GROUP_BEHIND",
            Self::ConfigCompacted { .. } => "CONFIG_COMPACTED",
            Self::FutureConfig { .. } => "FUTURE_CONFIG",
        }
    }

    /// Its number, and the number of what it names; 0 where it names nothing.
    fn numbers(self) -> (u8, u64) {
        match self {
            Self::Malformed => (1, 0),
            Self::NotCreated => (2, 0),
            Self::ShardCount { shards } => (3, shards.into()),
            Self::BadShardCount => (4, 0),
            Self::BadGroup => (5, 0),
            Self::BadWeight { group } => (6, group.0.into()),
            Self::BadNodes { group } => (7, group.0.into()),
            Self::GroupExists { group } => (8, group.0.into()),
            Self::UnknownGroup { group } => (9, group.0.into()),
            Self::UnknownShard { shard } => (10, shard.0.into()),
            Self::LastGroup => (11, 0),
            Self::TooManyGroups => (12, 0),
            Self::GroupLeaving { group } => (13, group.0.into()),
            Self::GroupBehind { group } => (14, group.0.into()),
            Self::ConfigCompacted { oldest } => (15, oldest),
            Self::FutureConfig { latest } => (16, latest),
        }
    }

    pub(super) fn encode(self, writer: &mut Writer) {
        let (number, named) = self.numbers();
        writer.byte(number);
        writer.number(named);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Self {
        let (number, named) = (reader.byte(), reader.number());
        let group = GroupId(named as u32);
        let error = match number {
            2 => Self::NotCreated,
            3 => Self::ShardCount {
                shards: named as u32,
            },
            4 => Self::BadShardCount,
            5 => Self::BadGroup,
            6 => Self::BadWeight { group },
            7 => Self::BadNodes { group },
            8 => Self::GroupExists { group },
            9 => Self::UnknownGroup { group },
            10 => Self::UnknownShard {
                shard: ShardId(named as u32),
            },
            11 => Self::LastGroup,
            12 => Self::TooManyGroups,
            13 => Self::GroupLeaving { group },
            14 => Self::GroupBehind { group },
            15 => Self::ConfigCompacted { oldest: named },
            16 => Self::FutureConfig { latest: named },
            _ => Self::Malformed,
        };
        if error.numbers() != (number, named) {
            reader.refuse("no error of the controller");
        }
        error
    }
}

impl fmt::Display for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "the bytes are no command or query of the controller"),
            Self::NotCreated => write!(f, "the number of shards was not yet said"),
            Self::ShardCount { shards } => write!(f, "there are {shards} shards, for good"),
            Self::BadShardCount => write!(f, "there can be 1 to {SHARDS_MAX} shards"),
            Self::BadGroup => write!(f, "a group's id is above 0"),
            Self::BadWeight { group } => {
                write!(
                    f,
                    "the weight of group {} must be 1 to {WEIGHT_MAX}",
                    group.0
                )
            }
            Self::BadNodes { group } => write!(
                f,
                "group {} needs 1 to {GROUP_NODES_MAX} different nodes, with ids from 1 to 2^53 - 1",
                group.0
            ),
            Self::GroupExists { group } => write!(f, "there is a group {} already", group.0),
            Self::UnknownGroup { group } => write!(f, "there is no group {}", group.0),
            Self::UnknownShard { shard } => write!(f, "there is no shard {}", shard.0),
            Self::LastGroup => write!(f, "no group would be left for what the shards hold"),
            Self::TooManyGroups => write!(f, "there can be {GROUPS_MAX} groups at most"),
            Self::GroupLeaving { group } => write!(
                f,
                "group {} has left with other nodes, and still has shards to give away",
                group.0
            ),
            Self::GroupBehind { group } => write!(
                f,
                "group {} is too many configurations behind: no other can be made",
                group.0
            ),
            Self::ConfigCompacted { oldest } => {
                write!(f, "configurations before {oldest} are not kept")
            }
            Self::FutureConfig { latest } => write!(f, "the latest configuration is {latest}"),
        }
    }
}

impl core::error::Error for ControllerError {}
