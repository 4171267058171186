//! The envelope of everything in a run.
//!
//! ```text
//!   0        1       2           4            8         12               16        16+n
//!   ┌────────┬───────┬───────────┬────────────┬─────────┬────────────────┬─────────┬────────────────────┐
//!   │ version│ kind  │ partition │ length n   │ number  │ CRC-32 of 0..12│ payload │ CRC-32 of 0..12    │
//!   │        │       │ (u16)     │ (u32)      │ (u32)   │                │         │ and of the payload │
//!   └────────┴───────┴───────────┴────────────┴─────────┴────────────────┴─────────┴────────────────────┘
//! ```
//! Numbers are little-endian. The first sixteen bytes keep this shape in all versions, so that another
//! version is told from damage. Partition and number, counted within a section, tell a block that is
//! read in the wrong place.

use std::sync::LazyLock;

use crc::{CRC_32_ISO_HDLC, Crc, Table};

use super::DataError;

/// The version of runs. They do not outlive a job: another one is made anew.
pub const RUN_VERSION: u8 = 1;
/// The payload of a block is cut when it has reached this; only a longer pair makes a longer one.
pub const BLOCK_BYTES: usize = 64 << 10;

pub(super) const HEADER_BYTES: usize = 16;
pub(super) const CHECKSUM_BYTES: usize = 4;

/// Sixteen bytes a step. Computed when first needed: as data it would be a good part of the module.
static CRC: LazyLock<Crc<u32, Table<16>>> =
    LazyLock::new(|| Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC));

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pairs, and more of the section follow.
    Pairs = 0,
    /// The last pairs of a section.
    LastPairs = 1,
    /// Where the sections are.
    Index = 2,
}

/// Where a block belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) partition: u16,
    pub(super) number: u32,
}

pub(super) fn checksum(parts: [&[u8]; 2]) -> u32 {
    let mut digest = CRC.digest();
    parts.into_iter().for_each(|part| digest.update(part));
    digest.finalize()
}

/// Appends a block.
pub(super) fn seal(place: Place, payload: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(payload.len()).expect("a block is little longer than a pair");
    let from = out.len();
    out.reserve(HEADER_BYTES + payload.len() + CHECKSUM_BYTES);
    out.extend_from_slice(&[RUN_VERSION, place.kind as u8]);
    out.extend_from_slice(&place.partition.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&place.number.to_le_bytes());
    let header = &out[from..];
    let of_header = checksum([header, &[]]);
    let of_payload = checksum([header, payload]);
    out.extend_from_slice(&of_header.to_le_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&of_payload.to_le_bytes());
}

/// A block at the front of `bytes`: its place, and its payload with the checksum behind it. `None` as
/// long as they are not all there.
pub(super) fn unseal(bytes: &[u8]) -> Result<Option<(Place, &[u8])>, DataError> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let [
        version,
        kind,
        p0,
        p1,
        l0,
        l1,
        l2,
        l3,
        n0,
        n1,
        n2,
        n3,
        c0,
        c1,
        c2,
        c3,
    ] = *header;
    if checksum([&header[..12], &[]]) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(DataError::Damaged("the header of a block"));
    }
    if version != RUN_VERSION {
        return Err(DataError::Version { found: version });
    }
    let kind = match kind {
        0 => Kind::Pairs,
        1 => Kind::LastPairs,
        2 => Kind::Index,
        _ => return Err(DataError::Damaged("the kind of a block")),
    };
    let place = Place {
        kind,
        partition: u16::from_le_bytes([p0, p1]),
        number: u32::from_le_bytes([n0, n1, n2, n3]),
    };
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let Some((payload, rest)) = bytes[HEADER_BYTES..].split_at_checked(len) else {
        return Ok(None);
    };
    let Some(sum) = rest.first_chunk() else {
        return Ok(None);
    };
    if checksum([&header[..12], payload]) != u32::from_le_bytes(*sum) {
        return Err(DataError::Damaged("a block"));
    }
    Ok(Some((place, payload)))
}
