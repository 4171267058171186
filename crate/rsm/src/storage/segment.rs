//! Rounds in an append-only file: the same records, one after another.
//!
//! A record holds a whole round, so that a round is atomic, and the number of the round, so that a
//! block that was written or read in the wrong place is noticed. Only the end of the last file can
//! be unfinished: a torn tail that cannot have been acknowledged is dropped, and damage anywhere
//! else is an error.
//!
//! What counts as torn: fewer bytes than a header; nothing but zeros to the end (pages that were
//! never written), also from a sector's beginning within the header on; an intact header whose
//! record goes beyond the end of the file; a last record that fails its checksum and covers a whole
//! sector of zeros, or ends in a sector of zeros. A file's length becomes durable together with what
//! was appended, a record ends with a checksum, and its payload is masked so that zeros in a value
//! are none in the file: an acknowledged record is none of these, damaged or not.

use bytes::Bytes;
use quorate_raft::Random;

use super::record::{HEADER_BYTES, Kind, OVERHEAD_BYTES, payload_len, seal, unseal};
use super::{Damage, Round, StorageError};
use crate::varint::{Malformed, Reader, Writer};

const SECTOR_BYTES: usize = 512;
/// A record ends with so many.
const CHECKSUM_BYTES: usize = OVERHEAD_BYTES - HEADER_BYTES;
/// What a round is bound to besides its number.
const PLACE: &[u8] = b"segment";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Its rounds, numbered without gaps.
    pub rounds: Vec<ScannedRound>,
    /// Where the last of them ends. What follows is to be cut off.
    pub valid_bytes: usize,
    /// Whether anything follows.
    pub torn: bool,
}

/// A round and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedRound {
    /// Its number.
    pub sequence: u64,
    /// What it does.
    pub round: Round,
}

/// The record of a round, to be appended to a file. `sequence` numbers the rounds of a store.
#[must_use]
pub fn seal_round(sequence: u64, round: &Round) -> Vec<u8> {
    let size: usize = round
        .puts
        .iter()
        .map(|(key, value)| key.len() + value.len() + 10)
        .sum();
    let mut writer = Writer::with_capacity(size + 64 * round.deletes.len() + 32);
    writer.number(sequence);
    writer.number(round.deletes.len() as u64);
    for (from, to) in &round.deletes {
        writer.bytes(from.as_bytes());
        writer.bytes(to.as_bytes());
    }
    writer.number(round.puts.len() as u64);
    for (key, value) in &round.puts {
        writer.bytes(key.as_bytes());
        writer.bytes(value);
    }
    let mut payload = writer.finish();
    mask(&mut payload);
    seal(Kind::Round, PLACE, &payload)
}

/// Masks a payload, or unmasks it: exclusive or with a fixed sequence, so that a sector of zeros in
/// a record is one that was never written.
fn mask(payload: &mut [u8]) {
    let mut random = Random::new(0);
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        *word = (u64::from_le_bytes(*word) ^ random.next_u64()).to_le_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(random.next_u64().to_le_bytes()) {
        *byte ^= mask;
    }
}

/// Reads a file of rounds.
///
/// # Errors
/// Damage that is no torn tail; the place is its byte offset.
pub fn scan(file: &[u8]) -> Result<Scan, StorageError> {
    let mut scan = Scan::default();
    while scan.valid_bytes < file.len() {
        let offset = scan.valid_bytes;
        let rest = &file[offset..];
        let fail = |damage| StorageError::new(offset.to_string(), damage);
        let Some(len) = record_len(rest, offset).map_err(fail)? else {
            scan.torn = true;
            break;
        };
        let record = &rest[..len];
        let payload = match unseal(Kind::Round, PLACE, record) {
            Ok(payload) => payload,
            Err(Damage::Checksum) if len == rest.len() && has_unwritten_sector(record, offset) => {
                scan.torn = true;
                break;
            }
            Err(damage) => return Err(fail(damage)),
        };
        let round = read_round(payload).map_err(|bad| fail(Damage::Malformed(bad.0)))?;
        let follows = |last: &ScannedRound| last.sequence.checked_add(1) == Some(round.sequence);
        if !scan.rounds.last().is_none_or(follows) {
            return Err(fail(Damage::Malformed("a round is out of order")));
        }
        scan.rounds.push(round);
        scan.valid_bytes += len;
    }
    Ok(scan)
}

/// The length of the record that `rest` begins with; `None` if it is torn.
fn record_len(rest: &[u8], offset: usize) -> Result<Option<usize>, Damage> {
    let next_sector = offset.next_multiple_of(SECTOR_BYTES) - offset;
    let is_cut = next_sector < HEADER_BYTES && is_unwritten(&rest[next_sector.min(rest.len())..]);
    if rest.len() < HEADER_BYTES || is_unwritten(rest) || is_cut {
        return Ok(None);
    }
    let len = payload_len(rest)? + OVERHEAD_BYTES;
    Ok(Some(len).filter(|len| *len <= rest.len()))
}

/// Whether a sector of the file that begins within the record was never written.
fn has_unwritten_sector(record: &[u8], offset: usize) -> bool {
    let first = offset.next_multiple_of(SECTOR_BYTES) - offset;
    record
        .get(first..)
        .unwrap_or_default()
        .chunks(SECTOR_BYTES)
        .any(is_unwritten)
}

/// Nothing but zeros, and enough of them to be no part of a written record's end.
fn is_unwritten(bytes: &[u8]) -> bool {
    bytes.len() >= CHECKSUM_BYTES && bytes.iter().all(|byte| *byte == 0)
}

fn read_round(payload: &[u8]) -> Result<ScannedRound, Malformed> {
    let mut payload = payload.to_vec();
    mask(&mut payload);
    let payload = Bytes::from(payload);
    let mut reader = Reader::new(&payload);
    let sequence = reader.number();
    let round = Round {
        deletes: reader.list(2, |reader| (reader.text(), reader.text())),
        puts: reader.list(2, |reader| (reader.text(), reader.borrowed().to_vec())),
    };
    reader.end()?;
    Ok(ScannedRound { sequence, round })
}
