//! What can be done to the controller, and asked of it.

use bytes::Bytes;
use quorate_rsm::wire::{Malformed, Reader, Writer};

use crate::config::{GroupId, GroupInfo, ShardId, take_u32};

/// A change. Where it makes a configuration, it makes exactly one, and the reply is `Changed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControllerCommand {
    /// Says how many shards there are, once and for all: the first command. A second time, with the
    /// same number, it does nothing. Reply: `Unchanged`.
    Create {
        /// 1 to [`SHARDS_MAX`](crate::SHARDS_MAX).
        shards: u32,
    },
    /// Adds groups, and gives them shards of the others. Without groups it does nothing.
    Join {
        /// All in one configuration.
        groups: Vec<(GroupId, GroupInfo)>,
    },
    /// Takes groups out, and gives their shards to the others. Without groups it does nothing.
    Leave {
        /// All in one configuration.
        groups: Vec<GroupId>,
        /// Also when no group is left: what the shards hold is lost then.
        discard: bool,
    },
    /// Gives a shard to a group, until groups or weights change: then all are balanced again. Where the
    /// group has it already, it does nothing. Reply: `Changed`, or else `Unchanged`.
    Move {
        /// Which shard.
        shard: ShardId,
        /// Whose it shall be.
        group: GroupId,
    },
    /// Changes what part of the shards a group has. The weight it has already does nothing. Reply:
    /// `Changed`, or else `Unchanged`.
    SetWeight {
        /// Which group.
        group: GroupId,
        /// 1 to [`WEIGHT_MAX`](crate::WEIGHT_MAX).
        weight: u32,
    },
    /// A group says that all that a configuration asks of it is done: what left it is given and deleted,
    /// what came to it is there. An earlier number than it said before does nothing. Reply:
    /// `Progress`.
    Progress {
        /// Which group; also one that left.
        group: GroupId,
        /// Which configuration.
        number: u64,
    },
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControllerQuery {
    /// A configuration. Reply: `Configuration`.
    Query {
        /// Which; none is the latest.
        number: Option<u64>,
    },
    /// The configuration after this one. As a query that waits it is answered when there is one. Reply:
    /// `Configuration`, or `Unchanged` if there is none.
    Changes {
        /// What the asker has.
        after: u64,
    },
    /// How far everybody is. Reply: `Status`.
    Status,
}

const CREATE: u8 = 1;
const JOIN: u8 = 2;
const LEAVE: u8 = 3;
const MOVE: u8 = 4;
const SET_WEIGHT: u8 = 5;
const PROGRESS: u8 = 6;

/// Apart from the commands' tags, so that neither is taken for the other.
const QUERY: u8 = 0x41;
const CHANGES: u8 = 0x42;
const STATUS: u8 = 0x43;

impl ControllerCommand {
    /// The bytes that go into the log.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Create { shards } => {
                writer.byte(CREATE);
                writer.number((*shards).into());
            }
            Self::Join { groups } => {
                writer.byte(JOIN);
                writer.number(groups.len() as u64);
                for (id, info) in groups {
                    writer.number(id.0.into());
                    info.encode(&mut writer);
                }
            }
            Self::Leave { groups, discard } => {
                writer.byte(LEAVE);
                writer.number(groups.len() as u64);
                for id in groups {
                    writer.number(id.0.into());
                }
                writer.byte((*discard).into());
            }
            Self::Move { shard, group } => {
                writer.byte(MOVE);
                writer.number(shard.0.into());
                writer.number(group.0.into());
            }
            Self::SetWeight { group, weight } => {
                writer.byte(SET_WEIGHT);
                writer.number(group.0.into());
                writer.number((*weight).into());
            }
            Self::Progress { group, number } => {
                writer.byte(PROGRESS);
                writer.number(group.0.into());
                writer.number(*number);
            }
        }
        writer.finish().into()
    }

    /// Reads what [`ControllerCommand::encode`] wrote. Whether it can be done is another question.
    ///
    /// # Errors
    /// The bytes are no command.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(data);
        let command = match reader.byte() {
            CREATE => Self::Create {
                shards: take_u32(reader),
            },
            JOIN => Self::Join {
                groups: reader.list(3, |reader| (take_group(reader), GroupInfo::decode(reader))),
            },
            LEAVE => Self::Leave {
                groups: reader.list(1, take_group),
                discard: take_flag(reader),
            },
            MOVE => Self::Move {
                shard: ShardId(take_u32(reader)),
                group: take_group(reader),
            },
            SET_WEIGHT => Self::SetWeight {
                group: take_group(reader),
                weight: take_u32(reader),
            },
            PROGRESS => Self::Progress {
                group: take_group(reader),
                number: reader.number(),
            },
            _ => return Err(Malformed("no command of the controller")),
        };
        reader.end()?;
        Ok(command)
    }
}

impl ControllerQuery {
    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Query { number } => {
                writer.byte(QUERY);
                writer.byte(number.is_some().into());
                if let Some(number) = number {
                    writer.number(*number);
                }
            }
            Self::Changes { after } => {
                writer.byte(CHANGES);
                writer.number(*after);
            }
            Self::Status => writer.byte(STATUS),
        }
        writer.finish().into()
    }

    /// Reads what [`ControllerQuery::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no query.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(data);
        let query = match reader.byte() {
            QUERY => Self::Query {
                number: take_flag(reader).then(|| reader.number()),
            },
            CHANGES => Self::Changes {
                after: reader.number(),
            },
            STATUS => Self::Status,
            _ => return Err(Malformed("no query of the controller")),
        };
        reader.end()?;
        Ok(query)
    }
}

pub(super) fn take_group(reader: &mut Reader<'_>) -> GroupId {
    GroupId(take_u32(reader))
}

pub(super) fn take_flag(reader: &mut Reader<'_>) -> bool {
    match reader.byte() {
        0 => false,
        1 => true,
        _ => reader.fail("a flag is neither 0 nor 1"),
    }
}
