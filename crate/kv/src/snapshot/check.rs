//! What holds for each record of a store, whatever bytes it comes from.

use bytes::Bytes;
use quorate_rsm::BadSnapshot;

use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX};
use crate::machine::Numbers;
use crate::record::{Meta, Record};
use crate::system::{self, Terms};
use crate::wire::ReadError;

pub(super) const TOO_NEW: BadSnapshot = BadSnapshot("a record is newer than the store");
pub(super) const DAMAGED: BadSnapshot = BadSnapshot("a record of the store is damaged");
pub(super) const DISORDERED: BadSnapshot = BadSnapshot("the records are not in order");
pub(super) const NO_LEASE: BadSnapshot = BadSnapshot("a key hangs on a lease that is not there");
pub(super) const NO_HISTORY: BadSnapshot =
    BadSnapshot("the past of a key does not lead to what it is");

/// Takes what is whole from the front of `rest` with `data` behind it, and leaves the others there.
pub(super) fn take_whole(
    rest: &mut Vec<u8>,
    data: &Bytes,
    mut take: impl FnMut(&[u8]) -> Result<Option<usize>, BadSnapshot>,
) -> Result<(), BadSnapshot> {
    rest.extend_from_slice(data);
    let mut used = 0;
    while used < rest.len() {
        match take(&rest[used..])? {
            Some(len) => used += len,
            None => break,
        }
    }
    rest.drain(..used);
    Ok(())
}

/// What was parsed, or none if it is not all there.
pub(super) fn whole<T>(
    parsed: Result<T, ReadError>,
    damage: BadSnapshot,
) -> Result<Option<T>, BadSnapshot> {
    match parsed {
        Ok(parsed) => Ok(Some(parsed)),
        Err(ReadError::Short) => Ok(None),
        Err(ReadError::Bad) => Err(damage),
    }
}

/// Whether it can be a version of a key, or, in the past, a deletion.
pub(super) fn is_version(record: &Record, is_past: bool) -> bool {
    let meta = record.meta();
    let is_deletion = meta == Meta::deleted(meta.mod_revision) && record.value().is_empty();
    let is_possible = meta.is_possible() || (is_past && is_deletion);
    record.key().len() <= KEY_BYTES_MAX && is_possible
}

/// Whether a version of a key, or its deletion, has before it in the past what it must.
pub(super) fn is_whole(older: Option<&Record>, record: &Record, is_logged: bool) -> bool {
    let meta = record.meta();
    match older {
        Some(older) => is_logged && follows(older.meta(), meta),
        None if record.is_deletion() => false,
        None => meta.version == 1 || !is_logged,
    }
}

/// Whether a version of a key, or its deletion, can come next after another.
pub(super) fn follows(older: Meta, newer: Meta) -> bool {
    let is_later = newer.mod_revision > older.mod_revision;
    let fits = match (older.version, newer.version) {
        (0, 0) => false,
        (0, _) => {
            newer
                == Meta {
                    lease: newer.lease,
                    ..Meta::created(newer.mod_revision)
                }
        }
        (_, 0) => true,
        _ => newer.create_revision == older.create_revision && newer.version == older.version + 1,
    };
    is_later && fits
}

/// Whether it is a record of leases or times; of a lease, its deadline as the index has it.
pub(super) fn check_system(record: &Record, numbers: Numbers) -> Option<Option<Vec<u8>>> {
    if !system::is_no_meta(record.meta()) {
        return None;
    }
    if let Some(id) = system::take_lease(record.key()) {
        let terms = Terms::decode(record.value())?;
        let is_possible = (1..=NUMBER_MAX).contains(&id)
            && terms.deadline_ms >= terms.ttl_ms
            && terms.deadline_ms <= numbers.time_ms.saturating_add(terms.ttl_ms);
        return is_possible.then(|| Some(system::deadline(terms.deadline_ms, id)));
    }
    let (time_ms, revision) = system::take_time(record)?;
    (time_ms <= numbers.time_ms && revision <= numbers.revision).then_some(None)
}
