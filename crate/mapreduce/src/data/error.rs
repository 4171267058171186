//! What can be wrong with inputs, pairs and runs.

use core::fmt;

use super::block::RUN_VERSION;
use super::{PAIR_BYTES_MAX, RECORD_BYTES_MAX};

/// What can be wrong with inputs, pairs and runs. Whoever sees damage of a run has it made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataError {
    /// The record that begins at this offset is longer than [`RECORD_BYTES_MAX`].
    RecordTooLong {
        /// Where in the input it begins.
        offset: u64,
    },
    /// Key and value are longer than [`PAIR_BYTES_MAX`].
    PairTooLong {
        /// What they are together, in bytes.
        bytes: usize,
    },
    /// There is no such partition.
    NoPartition {
        /// The one that was named.
        partition: u32,
    },
    /// Pairs of a run do not come in the order of partitions and keys: what combines has changed a key.
    OutOfOrder,
    /// A setting, or a batch of pairs, makes no sense.
    Invalid(
        /// What it must be.
        &'static str,
    ),
    /// A run is damaged.
    Damaged(
        /// Where.
        &'static str,
    ),
    /// A run ends too early.
    Cut,
    /// A run of another version.
    Version {
        /// The one that was found.
        found: u8,
    },
}

impl DataError {
    /// Stable; what a program looks at.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::RecordTooLong { .. } => "RECORD_TOO_LONG",
            Self::PairTooLong { .. } => "PAIR_TOO_LONG",
            Self::NoPartition { .. } => "NO_PARTITION",
            Self::OutOfOrder => "OUT_OF_ORDER",
            Self::Invalid(_) => "INVALID_ARGUMENT",
            Self::Damaged(_) | Self::Cut => "RUN_CORRUPT",
            Self::Version { .. } => "RUN_VERSION",
        }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordTooLong { offset } => write!(
                f,
                "the record at offset {offset} is longer than {RECORD_BYTES_MAX} bytes"
            ),
            Self::PairTooLong { bytes } => {
                write!(f, "a pair of {bytes} bytes; at most {PAIR_BYTES_MAX}")
            }
            Self::NoPartition { partition } => write!(f, "there is no partition {partition}"),
            Self::OutOfOrder => f.write_str("pairs out of order: combine may not change the key"),
            Self::Invalid(what) => f.write_str(what),
            Self::Damaged(place) => write!(f, "a run is damaged: {place}"),
            Self::Cut => f.write_str("a run ends too early"),
            Self::Version { found } => {
                write!(f, "a run of version {found}; this is {RUN_VERSION}")
            }
        }
    }
}

impl core::error::Error for DataError {}
