//! What tests share: chance, and the law of a codec.

use std::fmt::Debug;

use bytes::Bytes;

use crate::error::Malformed;

/// A reproducible stream of numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 29)
    }

    /// From 0 up to but without `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// What one thing alone encodes to: every other byte string is no thing, or another one.
pub(crate) fn check_codec<T: PartialEq + Debug>(
    thing: &T,
    bytes: &Bytes,
    decode: fn(&Bytes) -> Result<T, Malformed>,
    encode: fn(&T) -> Bytes,
) {
    assert_eq!(decode(bytes).as_ref(), Ok(thing));
    for len in 0..bytes.len() {
        assert_eq!(
            decode(&bytes.slice(..len)),
            Err(Malformed),
            "{thing:?} up to {len}"
        );
    }
    for extra in [0, 1, 0xff] {
        let longer = [&bytes[..], &[extra]].concat().into();
        assert_eq!(decode(&longer), Err(Malformed), "{thing:?} and {extra}");
    }
    for at in 0..bytes.len() {
        for value in 0..=u8::MAX {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            let changed = changed.into();
            if let Ok(other) = decode(&changed) {
                assert_eq!(encode(&other), changed, "{thing:?} with {value} at {at}");
            }
        }
    }
}

pub(crate) mod samples {
    use crate::range::KeyRange;

    pub(crate) fn ranges() -> impl Iterator<Item = KeyRange> {
        [
            KeyRange::all(),
            KeyRange::prefix(&b"cart/"[..]),
            KeyRange::between(&b"a"[..], vec![b'b'; 200]),
            KeyRange::from(&b"a"[..]),
        ]
        .into_iter()
    }
}
