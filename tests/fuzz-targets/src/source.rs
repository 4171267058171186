//! Choices from bytes: every byte string is a sequence of choices, so no input is wasted.

use bytes::Bytes;

/// Takes choices from the front. When it is empty every choice is the first.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        u64::from(self.byte()) % end
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number near `base`, which is where things go wrong, or any other that a frame can bring.
    pub(crate) fn near(&mut self, base: u64) -> u64 {
        let number = match self.byte() {
            near @ 0..=0xef => base.saturating_add_signed(i64::from(near) - 4),
            _ => self.number(),
        };
        number.min((1 << 53) - 1)
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        let width = self.below(9) as usize;
        let mut bytes = [0; 8];
        for byte in &mut bytes[..width] {
            *byte = self.byte();
        }
        u64::from_le_bytes(bytes)
    }

    /// A byte string after its length: one byte, or two if the first is the largest.
    pub(crate) fn bytes(&mut self) -> Bytes {
        let len = match self.byte() {
            0xff => 256 * usize::from(self.byte()) + usize::from(self.byte()),
            len => usize::from(len),
        };
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        Bytes::copy_from_slice(taken)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }
}

/// A byte string as [`Source::bytes`] reads it.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() < 0xff {
        out.push(bytes.len() as u8);
    } else {
        out.extend([0xff, (bytes.len() >> 8) as u8, bytes.len() as u8]);
    }
    out.extend_from_slice(bytes);
}

/// A number as frames and records have it.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_strings_of_every_length_come_back() {
        for len in [0, 1, 254, 255, 256, 3_000] {
            let mut out = Vec::new();
            put_bytes(&mut out, &vec![7; len]);
            let mut source = Source::new(&out);
            assert_eq!(source.bytes().len(), len);
            assert!(source.is_empty());
        }
    }

    #[test]
    fn what_ends_early_is_zero_and_never_a_panic() {
        let mut source = Source::new(&[5, 1, 2]);
        assert_eq!(source.bytes(), &[1, 2][..]);
        assert_eq!((source.byte(), source.number(), source.near(9)), (0, 0, 5));
        assert!(source.bytes().is_empty() && source.rest().is_empty());
    }
}
