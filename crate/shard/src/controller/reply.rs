//! What the controller answers.

use bytes::Bytes;
use quorate_raft::{NodeId, Table};
use quorate_rsm::wire::{Malformed, Reader, Writer};

use super::ControllerError;
use super::command::{take_flag, take_group};
use crate::config::{Configuration, GroupId, are_valid, put_nodes, take_nodes};

/// The answer to a command or a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControllerReply {
    /// It made a configuration.
    Changed {
        /// The number of it.
        number: u64,
    },
    /// There was nothing to do, or there is nothing new.
    Unchanged {
        /// The latest configuration.
        number: u64,
    },
    /// A group's progress is noted.
    Progress {
        /// The latest configuration that it is done with, by all that it said.
        number: u64,
    },
    /// The configuration asked for.
    Configuration {
        /// It.
        configuration: Configuration,
        /// The number of the latest.
        latest: u64,
    },
    /// How far everybody is.
    Status(ControllerStatus),
    /// It failed, and changed nothing.
    Failed(ControllerError),
}

/// How far everybody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerStatus {
    /// The latest configuration.
    pub number: u64,
    /// The oldest that is kept.
    pub oldest: u64,
    /// The groups of the latest configuration, and those that left and are not drained.
    pub groups: Table<GroupId, GroupStatus>,
    /// Groups that left and have given everything away, with the last configuration that they were done
    /// with: nobody needs their replicas. At most [`DRAINED_MAX`](crate::DRAINED_MAX), the last ones
    /// last.
    pub drained: Vec<(GroupId, u64)>,
}

/// How far a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStatus {
    /// The latest configuration that it is done with. A group that joins begins with the one before: it
    /// has nothing there, and need not go through those that it missed.
    pub progress: u64,
    /// That it left, if so.
    pub left: Option<Left>,
}

/// A group that left, and still has something to give away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The configuration that is the first without it: when it is done with that, it is drained.
    pub number: u64,
    /// Where its replicas are.
    pub nodes: Vec<NodeId>,
}

const FAILED: u8 = 0;
const CHANGED: u8 = 1;
const UNCHANGED: u8 = 2;
const PROGRESS: u8 = 3;
const CONFIGURATION: u8 = 4;
const STATUS: u8 = 5;

impl ControllerReply {
    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Changed { number } => {
                writer.byte(CHANGED);
                writer.number(*number);
            }
            Self::Unchanged { number } => {
                writer.byte(UNCHANGED);
                writer.number(*number);
            }
            Self::Progress { number } => {
                writer.byte(PROGRESS);
                writer.number(*number);
            }
            Self::Configuration {
                configuration,
                latest,
            } => {
                writer.byte(CONFIGURATION);
                configuration.encode(&mut writer);
                writer.number(*latest);
            }
            Self::Status(status) => {
                writer.byte(STATUS);
                writer.number(status.number);
                writer.number(status.oldest);
                put_groups(&mut writer, &status.groups);
                put_drained(&mut writer, status.drained.iter());
            }
            Self::Failed(error) => {
                writer.byte(FAILED);
                error.encode(&mut writer);
            }
        }
        writer.finish().into()
    }

    /// Reads what [`ControllerReply::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no reply.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(data);
        let reply = match reader.byte() {
            CHANGED => Self::Changed {
                number: reader.number(),
            },
            UNCHANGED => Self::Unchanged {
                number: reader.number(),
            },
            PROGRESS => Self::Progress {
                number: reader.number(),
            },
            CONFIGURATION => Self::Configuration {
                configuration: Configuration::decode(reader),
                latest: reader.number(),
            },
            STATUS => Self::Status(ControllerStatus {
                number: reader.number(),
                oldest: reader.number(),
                groups: take_groups(reader),
                drained: take_drained(reader),
            }),
            FAILED => Self::Failed(ControllerError::decode(reader)),
            _ => return Err(Malformed("no reply of the controller")),
        };
        reader.end()?;
        Ok(reply)
    }
}

pub(super) fn put_groups(writer: &mut Writer, groups: &Table<GroupId, GroupStatus>) {
    writer.number(groups.len() as u64);
    for (id, status) in groups.iter() {
        writer.number(id.0.into());
        writer.number(status.progress);
        writer.byte(status.left.is_some().into());
        if let Some(left) = &status.left {
            writer.number(left.number);
            put_nodes(writer, &left.nodes);
        }
    }
}

pub(super) fn take_groups(reader: &mut Reader<'_>) -> Table<GroupId, GroupStatus> {
    let groups = reader.list(3, |reader| {
        let (id, progress) = (take_group(reader), reader.number());
        let left = take_flag(reader).then(|| Left {
            number: reader.number(),
            nodes: take_nodes(reader),
        });
        (id, GroupStatus { progress, left })
    });
    let has_nodes = |left: &Left| are_valid(&left.nodes);
    let is_valid = groups.is_sorted_by(|(one, _), (next, _)| one < next)
        && groups
            .first()
            .is_none_or(|(first, _)| *first > GroupId::NONE)
        && groups
            .iter()
            .all(|(_, status)| status.left.as_ref().is_none_or(has_nodes));
    if !is_valid {
        return reader.fail("the status of the groups cannot be");
    }
    groups.into_iter().collect()
}

pub(super) fn put_drained<'a>(
    writer: &mut Writer,
    drained: impl ExactSizeIterator<Item = &'a (GroupId, u64)>,
) {
    writer.number(drained.len() as u64);
    for (id, number) in drained {
        writer.number(id.0.into());
        writer.number(*number);
    }
}

pub(super) fn take_drained(reader: &mut Reader<'_>) -> Vec<(GroupId, u64)> {
    reader.list(2, |reader| (take_group(reader), reader.number()))
}
