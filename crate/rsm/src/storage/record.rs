//! The envelope of every stored value.
//!
//! ```text
//!   0      2        3      4               8                12         12+n
//!   ┌──────┬────────┬──────┬───────────────┬────────────────┬──────────┬──────────────────┐
//!   │ "QR" │ version│ kind │ length n (u32)│ CRC-32 of 0..8 │ payload  │ CRC-32 of place, │
//!   │      │        │      │               │                │          │ kind and payload │
//!   └──────┴────────┴──────┴───────────────┴────────────────┴──────────┴──────────────────┘
//! ```
//! Numbers are little-endian. The first twelve bytes keep this shape in all versions, so that a
//! newer record is told from a damaged one, and a wrong length from a torn write.

use std::sync::LazyLock;

use crc::{CRC_32_ISO_HDLC, Crc, Table};

use super::Damage;

/// The format version of stored records.
pub const STORAGE_VERSION: u8 = 2;

pub(super) const HEADER_BYTES: usize = 12;
pub(super) const OVERHEAD_BYTES: usize = HEADER_BYTES + 4;
const MAGIC: [u8; 2] = *b"QR";

/// Sixteen bytes a step. Computed when first needed: as data it would be a tenth of the module.
static CRC: LazyLock<Crc<u32, Table<16>>> =
    LazyLock::new(|| Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC));

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ident = 1,
    Hard = 2,
    Log = 3,
    Chunk = 4,
    Manifest = 5,
    Round = 6,
}

/// Wraps `payload` for the place it will be read from.
pub(super) fn seal(kind: Kind, place: &[u8], payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("a record is far below 4 GiB");
    let mut record = Vec::with_capacity(payload.len() + OVERHEAD_BYTES);
    record.extend_from_slice(&MAGIC);
    record.extend_from_slice(&[STORAGE_VERSION, kind as u8]);
    record.extend_from_slice(&len.to_le_bytes());
    record.extend_from_slice(&CRC.checksum(&record).to_le_bytes());
    record.extend_from_slice(payload);
    record.extend_from_slice(&checksum(kind as u8, place, payload).to_le_bytes());
    record
}

/// The length of the payload, if the header is intact and of this version.
pub(super) fn payload_len(record: &[u8]) -> Result<usize, Damage> {
    let header: &[u8; HEADER_BYTES] = record.first_chunk().ok_or(Damage::Checksum)?;
    let [m0, m1, version, _, l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let intact = CRC.checksum(&header[..8]) == u32::from_le_bytes([c0, c1, c2, c3]);
    if [m0, m1] != MAGIC || !intact {
        return Err(Damage::Checksum);
    }
    if version != STORAGE_VERSION {
        return Err(Damage::Version { found: version });
    }
    usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).map_err(|_| Damage::Checksum)
}

/// The payload of a whole record that was read from `place`.
pub(super) fn unseal<'a>(kind: Kind, place: &[u8], record: &'a [u8]) -> Result<&'a [u8], Damage> {
    let len = payload_len(record)?;
    let body = &record[HEADER_BYTES..];
    let payload = body.get(..len).ok_or(Damage::Checksum)?;
    let checked = checksum(record[3], place, payload).to_le_bytes();
    if body[len..] != checked {
        return Err(Damage::Checksum);
    }
    if record[3] == kind as u8 {
        Ok(payload)
    } else {
        Err(Damage::Malformed("of another kind"))
    }
}

fn checksum(kind: u8, place: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = CRC.digest();
    hasher.update(&[kind]);
    hasher.update(place);
    // The length parts place from payload.
    hasher.update(&(place.len() as u32).to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_comes_back_from_its_place_only() {
        let record = seal(Kind::Log, b"0000/log/1", b"entries");
        assert_eq!(
            unseal(Kind::Log, b"0000/log/1", &record),
            Ok(&b"entries"[..])
        );
        assert_eq!(
            unseal(Kind::Log, b"0000/log/2", &record),
            Err(Damage::Checksum)
        );
        let of_another_kind = Damage::Malformed("of another kind");
        assert_eq!(
            unseal(Kind::Hard, b"0000/log/1", &record),
            Err(of_another_kind)
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let record = seal(Kind::Hard, b"0000/hard", b"term and vote");
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                unseal(Kind::Hard, b"0000/hard", &flipped),
                Err(Damage::Checksum),
                "{bit}"
            );
        }
        for cut in 0..record.len() {
            let cut = unseal(Kind::Hard, b"0000/hard", &record[..cut]);
            assert_eq!(cut, Err(Damage::Checksum));
        }
        let longer = [&record[..], b"x"].concat();
        assert_eq!(
            unseal(Kind::Hard, b"0000/hard", &longer),
            Err(Damage::Checksum)
        );
    }

    #[test]
    fn newer_version_is_told_from_damage() {
        let mut record = seal(Kind::Hard, b"0000/hard", b"from the future");
        record[2] = 9;
        let crc = CRC.checksum(&record[..8]);
        record[8..12].copy_from_slice(&crc.to_le_bytes());
        let found = unseal(Kind::Hard, b"0000/hard", &record);
        assert_eq!(found, Err(Damage::Version { found: 9 }));
    }
}
