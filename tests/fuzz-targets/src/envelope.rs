//! The envelope of stored records, written a second time from `docs/storage.md`: so a fuzzer gets
//! past the checksums, and the two must agree.

use crc::{CRC_32_ISO_HDLC, Crc};
use quorate_raft::Random;
use quorate_rsm::storage::STORAGE_VERSION;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident = 1,
    Hard = 2,
    Log = 3,
    Chunk = 4,
    Manifest = 5,
    Round = 6,
}

/// A record for the place `key`.
pub(crate) fn seal(kind: Kind, key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut record = vec![b'Q', b'R', STORAGE_VERSION, kind as u8];
    record.extend((payload.len() as u32).to_le_bytes());
    record.extend(CRC.checksum(&record).to_le_bytes());
    record.extend(payload);
    let key_len = (key.len() as u32).to_le_bytes();
    let checked = [&[kind as u8][..], key, &key_len, payload].concat();
    record.extend(CRC.checksum(&checked).to_le_bytes());
    record
}

/// The record of a round whose payload is `plain` before it is masked.
pub(crate) fn seal_round(plain: &[u8]) -> Vec<u8> {
    seal(Kind::Round, b"segment", &masked(plain))
}

/// The payload of a record that needs no looking at.
pub(crate) fn payload(record: &[u8]) -> &[u8] {
    &record[12..record.len() - 4]
}

/// Masks a round's payload, or unmasks it.
pub(crate) fn masked(payload: &[u8]) -> Vec<u8> {
    let mut random = Random::new(0);
    let masks = core::iter::from_fn(|| Some(random.next_u64().to_le_bytes())).flatten();
    payload.iter().zip(masks).map(|(a, b)| a ^ b).collect()
}

#[cfg(test)]
mod tests {
    use quorate_raft::{ConfState, NodeId, StorageId};
    use quorate_rsm::storage::{Ident, Round, seal_round as real_seal_round};

    use super::*;

    #[test]
    fn both_envelopes_agree() {
        let mut round = Round::default();
        let ident = Ident {
            cluster: "shop".into(),
            node: NodeId(2),
            storage: StorageId(77),
            cluster_id: 5,
            founders: ConfState::new([NodeId(2)]),
            machine: 0,
        };
        ident.put(&mut round);
        let (key, record) = &round.puts[0];
        assert_eq!(seal(Kind::Ident, key.as_bytes(), payload(record)), *record);
        let sealed = real_seal_round(5, &round);
        assert_eq!(seal_round(&masked(payload(&sealed))), sealed);
    }
}
