//! What stands beside the nodes: who has which shard, or how far a job is. `www/src/sim/board.ts` has the same shapes.

#[cfg(feature = "serde")]
use serde::Serialize;

/// What is beside the nodes in worlds that have more than one group, or workers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize),
    serde(tag = "kind", rename_all = "camelCase")
)]
pub enum Board {
    /// A store of shards.
    Shards(ShardsBoard),
    /// A job of MapReduce.
    Job(JobBoard),
}

/// Who has which shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct ShardsBoard {
    /// The number of the latest configuration.
    pub number: u64,
    /// Of each shard, the group that it gives it to; 0 for none.
    pub owners: Vec<u32>,
    /// The groups, the controller's first: its number is 0.
    pub groups: Vec<GroupBoard>,
    /// Keys that clients named, and the shard of each.
    pub keys: Vec<(String, u32)>,
}

/// A group, as its most advanced node has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct GroupBoard {
    /// Its number.
    pub id: u32,
    /// Its nodes.
    pub nodes: Vec<u64>,
    /// The configuration that it carries out.
    pub number: u64,
    /// The shards that are here in any way.
    pub places: Vec<PlaceBoard>,
}

/// How a shard stands in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct PlaceBoard {
    /// Which shard.
    pub shard: u32,
    /// `serving`, `leaving`, `frozen` or `arriving`.
    pub stand: &'static str,
    /// Of one that arrives: copies that are complete.
    pub copies: u32,
    /// And pieces of the copy under way.
    pub pieces: u32,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct JobBoard {
    /// `none`, `waiting`, `mapping`, `reducing`, `publishing`, `completed`, `failed` or `cancelled`.
    pub phase: &'static str,
    /// All tasks, in the order of their phases.
    pub tasks: Vec<TaskBoard>,
    /// All workers that there ever were.
    pub workers: Vec<WorkerBoard>,
    /// What was published: words, and how often they occur.
    pub result: Vec<(String, u64)>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct TaskBoard {
    /// `map`, `reduce` or `publish`.
    pub kind: &'static str,
    /// Which of its kind.
    pub index: u32,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptBoard>,
}

/// An attempt at a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct AttemptBoard {
    /// Whose.
    pub worker: u64,
    /// `running`, `won`, `beaten` by another attempt, or `ended` otherwise: its worker was not heard any more, or gave it up.
    pub state: &'static str,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
pub struct WorkerBoard {
    /// Its number.
    pub id: u64,
    /// `working`, `waiting`, `dead`, or `home`: the job is over.
    pub state: &'static str,
    /// It takes ten times as long.
    pub slow: bool,
}
