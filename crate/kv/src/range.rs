//! Which keys: a half-open interval.

use bytes::Bytes;

use crate::error::Code;
use crate::limits::KEY_BYTES_MAX;
use crate::wire::{Reader, put_bytes};

/// The keys from `start`, up to but without `end`. Empty if `end` is not above `start`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that may be in it.
    pub start: Bytes,
    /// The first key beyond it; without one it reaches the last key.
    pub end: Option<Bytes>,
}

impl KeyRange {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The keys that begin with `prefix`; every key, if it is empty.
    #[must_use]
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let start = prefix.into();
        let end = start.iter().rposition(|&byte| byte < u8::MAX).map(|last| {
            let mut end = start[..=last].to_vec();
            end[last] += 1;
            end.into()
        });
        Self { start, end }
    }

    /// The keys from `start`, up to but without `end`.
    #[must_use]
    pub fn between(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self {
            start: start.into(),
            end: Some(end.into()),
        }
    }

    /// One key.
    #[must_use]
    pub fn single(key: impl Into<Bytes>) -> Self {
        let start = key.into();
        let end = [&start[..], &[0]].concat();
        Self::between(start, end)
    }

    /// The keys from `start` on.
    #[must_use]
    pub fn from(start: impl Into<Bytes>) -> Self {
        Self {
            start: start.into(),
            end: None,
        }
    }

    /// Whether the key is in it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        *key >= *self.start && self.end.as_ref().is_none_or(|end| *key < **end)
    }

    /// The bound just above the longest key has one byte more than a key may have.
    pub(crate) fn check(&self) -> Result<(), Code> {
        let longest = self
            .start
            .len()
            .max(self.end.as_ref().map_or(0, Bytes::len));
        if longest > KEY_BYTES_MAX + 1 {
            Err(Code::KeyTooLarge)
        } else {
            Ok(())
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.start);
        put_option(out, self.end.as_ref());
    }

    pub(crate) fn decode(data: &Bytes, reader: &mut Reader<'_>) -> Self {
        Self {
            start: reader.shared(data),
            end: take_option(data, reader),
        }
    }
}

/// A byte that says whether there is one, and the byte string.
pub(crate) fn put_option(out: &mut Vec<u8>, bytes: Option<&Bytes>) {
    out.push(u8::from(bytes.is_some()));
    if let Some(bytes) = bytes {
        put_bytes(out, bytes);
    }
}

pub(crate) fn take_option(data: &Bytes, reader: &mut Reader<'_>) -> Option<Bytes> {
    reader.flag().then(|| reader.shared(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        let end = |prefix: &'static [u8]| KeyRange::prefix(prefix).end.map(|end| end.to_vec());
        assert_eq!(end(b"cart/"), Some(b"cart0".to_vec()));
        assert_eq!(end(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(end(b"\xff\xff"), None);
        assert_eq!(end(b""), None);
    }

    #[test]
    fn a_range_is_half_open() {
        let range = KeyRange::between(&b"b"[..], &b"d"[..]);
        let within = |key: &[u8]| range.contains(key);
        assert!(within(b"b") && within(b"c\xff"));
        assert!(!within(b"a\xff") && !within(b"d"));
        assert!(KeyRange::from(&b"b"[..]).contains(b"\xff"));
        assert!(!KeyRange::between(&b"d"[..], &b"b"[..]).contains(b"c"));
    }
}
