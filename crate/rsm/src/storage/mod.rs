//! What durable records look like, for every kind of store.
//!
//! A store is an ordered map from string keys to byte values, written in atomic [`Round`]s. Keys:
//! `ident`; and for each group `{group:04x}/hard`, `{group:04x}/log/{first index:016x}` (one record
//! for all entries of a round), `{group:04x}/snap/{index:016x}/{chunk:08x}`, `{group:04x}/manifest`.
//! Every value is sealed ([`record`](self)): checksummed, versioned, and bound to its key.
//! `docs/storage.md` has the tables.

mod ident;
mod layout;
mod load;
mod record;
mod segment;

use core::fmt;

use quorate_raft::CorruptState;

pub use ident::Ident;
pub use layout::Layout;
pub use load::{Loaded, LoadedGroup, load};
pub use record::STORAGE_VERSION;
pub use segment::{Scan, ScannedRound, scan, seal_round};

/// One atomic and durable step of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Half-open key ranges `[from, to)`, removed first.
    pub deletes: Vec<(String, String)>,
    /// Then these are stored.
    pub puts: Vec<(String, Vec<u8>)>,
}

impl Round {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deletes.is_empty() && self.puts.is_empty()
    }
}

/// What is wrong with stored state, and where. The node must not start (fail-stop).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageError {
    /// The key of the record, or the byte offset in a file.
    pub place: String,
    /// What is wrong there.
    pub damage: Damage,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its bytes are not those that were written here.
    Checksum,
    /// It was written by other software.
    Version {
        /// The format version found.
        found: u8,
    },
    /// Its content makes no sense, though its bytes are intact.
    Malformed(&'static str),
    /// It should be there, and is not.
    Missing(&'static str),
    /// The records are intact, and contradict one another.
    Inconsistent(CorruptState),
}

impl StorageError {
    pub(crate) fn new(place: impl Into<String>, damage: Damage) -> Self {
        Self {
            place: place.into(),
            damage,
        }
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match &self.damage {
            Damage::Checksum => write!(f, "the record at {place} fails its checksum"),
            Damage::Version { found } => {
                write!(f, "the record at {place} has format version {found}")
            }
            Damage::Malformed(what) => write!(f, "the record at {place} is malformed: {what}"),
            Damage::Missing(what) => write!(f, "{what} is missing at {place}"),
            Damage::Inconsistent(corrupt) => write!(f, "at {place}: {corrupt}"),
        }
    }
}

impl core::error::Error for StorageError {}
