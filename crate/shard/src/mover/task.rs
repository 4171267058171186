//! What a call of a mover is for.

use crate::config::{GroupId, ShardId};

/// The group that it is made for comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// News of the controller.
    Watch,
    Configuration(GroupId),
    /// How far the controller knows a group to be.
    Status(GroupId),
    Report(GroupId, u64),
    Tell(GroupId),
    /// Mark or freeze.
    Mark(GroupId, ShardId),
    /// A piece of the copy that leads to a mark from another.
    Chunk(GroupId, ShardId, u32, (u64, Option<u64>)),
    Stage(GroupId, ShardId, u32, (u64, Option<u64>)),
    /// Of a shard that left by this configuration, the group it went to.
    Arrived(GroupId, ShardId, u64, GroupId),
    /// Whether that group has got through all it was in.
    Drained(GroupId, ShardId, u64, GroupId),
    Delete(GroupId, ShardId),
}

impl Task {
    /// For which group, if for one.
    pub(super) fn group(self) -> Option<GroupId> {
        match self {
            Self::Watch => None,
            Self::Configuration(group)
            | Self::Status(group)
            | Self::Report(group, _)
            | Self::Tell(group)
            | Self::Mark(group, _)
            | Self::Chunk(group, ..)
            | Self::Stage(group, ..)
            | Self::Arrived(group, ..)
            | Self::Drained(group, ..)
            | Self::Delete(group, _) => Some(group),
        }
    }
}
