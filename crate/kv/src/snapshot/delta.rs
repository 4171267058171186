//! What leads from one state of a store to a later one, as a stream of bytes.
//!
//! The stream is a header (format, the header of the later state's snapshot, the digest of the state
//! that it applies to, and how many records and bytes follow), then lists of records in an order in
//! which each can be checked by what came before it. Where only a place is told, a deletion stands for
//! it. What was replaced or removed goes from the keys to the past as it is: its place is enough.

use super::{Header, KvSnapshot, cut, stream_len};
use crate::record::{Meta, Record};
use crate::tree::{By, Change, Tree};
use crate::wire::{ReadError, Reader, put_varint};

/// The difference between two states of one store. It holds handles of the records; what they hold is
/// copied when it is written.
#[derive(Clone)]
pub struct KvDelta {
    pub(super) lists: [Tree; LISTS],
    header: Vec<u8>,
}

/// A snapshot never begins with it, and its header and records have the form of format 2.
const FORMAT: u8 = 0x82;

/// What the records of a list say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// These places of `live` are in the past, too.
    ToPast,
    SystemAdded,
    /// Places.
    PastRemoved,
    PastAdded,
    /// Places.
    LiveRemoved,
    LiveAdded,
    /// Places.
    SystemRemoved,
}

pub(super) const LISTS: usize = List::ALL.len();

impl List {
    /// In the order of the stream.
    pub(super) const ALL: [Self; 7] = [
        Self::ToPast,
        Self::SystemAdded,
        Self::PastRemoved,
        Self::PastAdded,
        Self::LiveRemoved,
        Self::LiveAdded,
        Self::SystemRemoved,
    ];

    /// By what its records are ordered.
    pub(super) fn by(self) -> By {
        match self {
            Self::PastRemoved | Self::PastAdded => By::Version,
            Self::ToPast
            | Self::SystemAdded
            | Self::LiveRemoved
            | Self::LiveAdded
            | Self::SystemRemoved => By::Key,
        }
    }
}

impl KvDelta {
    /// What leads from the state `base` to the state `now`, which must be of the same store, and
    /// not earlier: else the difference comes out all the same, and no store takes it. If `now` came
    /// from `base` by k changes, it costs O(k log n); states that were restored share nothing, and
    /// are read whole.
    #[must_use]
    pub fn between(base: &KvSnapshot, now: &KvSnapshot) -> Self {
        let mut found: [Vec<Record>; LISTS] = Default::default();
        let mut put = |list: List, record| found[list as usize].push(record);
        let [system, live, past] = &now.trees;
        let [base_system, base_live, base_past] = &base.trees;
        for change in system.changes_since(base_system) {
            match change {
                Change::Removed(record) => put(List::SystemRemoved, place(record)),
                Change::Added(record) => put(List::SystemAdded, record.clone()),
            }
        }
        for change in live.changes_since(base_live) {
            match change {
                Change::Removed(record) => put(List::LiveRemoved, place(record)),
                Change::Added(record) => put(List::LiveAdded, record.clone()),
            }
        }
        for change in past.changes_since(base_past) {
            match change {
                Change::Removed(record) => put(List::PastRemoved, place(record)),
                Change::Added(record) if base_live.get(record.key()) == Some(record) => {
                    put(List::ToPast, place(record));
                }
                Change::Added(record) => put(List::PastAdded, record.clone()),
            }
        }
        Self::new(base, now, &found)
    }

    /// Of lists in order.
    pub(super) fn new(base: &KvSnapshot, now: &KvSnapshot, found: &[Vec<Record>; LISTS]) -> Self {
        let lists = List::ALL.map(|list| Tree::from_rising(list.by(), &found[list as usize]));
        let mut header = vec![FORMAT];
        header.extend_from_slice(&now.header);
        header.extend_from_slice(&base.digest().to_le_bytes());
        for list in &lists {
            put_varint(&mut header, list.total().count);
        }
        put_varint(&mut header, stream_len(&[], &lists));
        Self { lists, header }
    }

    /// How many bytes its stream has; some also where nothing changed.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a stream has a header at least"
    )]
    #[must_use]
    pub fn len(&self) -> u64 {
        stream_len(&self.header, &self.lists)
    }

    /// Appends `len` bytes of the stream from the byte `from` on, or as many as there are: at the end
    /// fewer, beyond it none. O(log k), and their number.
    pub fn write(&self, from: u64, len: usize, out: &mut Vec<u8>) {
        cut(&self.header, &self.lists, from, len, out);
    }
}

/// The place of a record alone.
pub(super) fn place(record: &Record) -> Record {
    let meta = Meta::deleted(record.revision());
    Record::new(record.key(), meta, [&[], &[]])
}

/// Whether a record says no more than its place.
pub(super) fn is_place(record: &Record) -> bool {
    record.meta() == Meta::deleted(record.revision()) && record.value().is_empty()
}

/// What a stream says of itself before the lists.
pub(super) struct DeltaHeader {
    /// Of the later state.
    pub(super) now: Header,
    /// The digest of the state that it applies to.
    pub(super) base: u64,
    pub(super) counts: [u64; LISTS],
    /// Of all lists.
    pub(super) bytes: u64,
}

impl DeltaHeader {
    /// From the front of bytes that may be anything, and how many were used.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, usize), ReadError> {
        let mut reader = Reader::new(bytes);
        if reader.byte() != FORMAT {
            reader.refuse(ReadError::Bad);
        }
        let rest = reader.rest()?;
        let (now, len) = Header::parse(rest)?;
        let mut reader = Reader::new(&rest[len..]);
        let header = Self {
            now,
            base: reader.fixed(),
            counts: [(); LISTS].map(|()| reader.varint()),
            bytes: reader.varint(),
        };
        Ok((header, bytes.len() - reader.rest()?.len()))
    }
}
