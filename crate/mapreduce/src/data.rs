//! What workers do with records: inputs are cut into records, pairs are collected, sorted and merged.
//!
//! ```text
//!   input ── Records ──▶ map ── Collector ──▶ spills (runs: a section for each partition)
//!   sections of one partition ── Merge ──▶ groups ── reduce ──▶ output
//! ```
//! Nothing here reads or writes: hosts feed chunks of any size and take chunks away. What comes out is a
//! function of input, job, partitions, splits and budget, never of how the bytes were cut on the way.

mod batch;
mod block;
mod collector;
mod combining;
mod compaction;
mod counter;
mod error;
mod merge;
mod partition;
mod records;
mod run;
mod sink;
mod source;

pub use batch::{BY_HASH, Groups, PAIR_HEADER_BYTES, SAME_KEY, take_pair};
pub use block::{BLOCK_BYTES, RUN_VERSION};
pub use collector::Collector;
pub use combining::Combining;
pub use compaction::{Compaction, Progress};
pub use counter::{Counter, sum};
pub use error::DataError;
pub use merge::{FAN_IN_MAX, Merge, Step, next_merge};
pub use partition::{boundaries, by_hash, by_range};
pub use records::{Format, RECORD_BYTES_MAX, Record, Records};
pub use run::{Index, PARTITIONS_MAX, RunWriter, Section, TRAILER_BYTES};
pub use sink::{Drain, Pair, Sink};

/// The longest pair, key and value together: the longest record with something to go with it.
pub const PAIR_BYTES_MAX: usize = RECORD_BYTES_MAX + (64 << 10);
