//! Numbers and byte strings, written one after another and read back without trust.
//!
//! A number is LEB128: seven bits a byte, the lowest first, and no longer than it must be. Reading
//! never panics, and shares the buffer it reads from.

use bytes::Bytes;

/// Appends to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Begins anew in a buffer that was used before.
    pub(crate) fn reuse(mut buffer: Vec<u8>, bytes: usize) -> Self {
        buffer.clear();
        buffer.reserve(bytes);
        Self(buffer)
    }

    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.0.reserve(bytes);
    }

    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A byte string whose length is known from elsewhere.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A byte string after its length.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The bytes end too early, or are nothing that a [`Writer`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Takes from the front of a buffer.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    buffer: &'a Bytes,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(buffer: &'a Bytes) -> Self {
        Self {
            buffer,
            left: buffer,
        }
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&byte, left) = self.left.split_first().ok_or(TOO_EARLY)?;
        self.left = left;
        Ok(byte)
    }

    /// Eight bytes, for numbers that are drawn and not counted.
    pub(crate) fn fixed(&mut self) -> Result<u64, Malformed> {
        let (bytes, left) = self.left.split_first_chunk().ok_or(TOO_EARLY)?;
        self.left = left;
        Ok(u64::from_le_bytes(*bytes))
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        // Most are small.
        if let [byte @ 0..0x80, left @ ..] = self.left {
            self.left = left;
            return Ok(u64::from(*byte));
        }
        let mut number = 0;
        for (position, &byte) in self.left.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if position == 9 && byte > 1 {
                return Err(Malformed("a number exceeds 64 bits"));
            }
            number |= bits << (7 * position);
            if byte & 0x80 == 0 {
                if byte == 0 && position > 0 {
                    return Err(Malformed("a number is longer than it must be"));
                }
                self.left = &self.left[position + 1..];
                return Ok(number);
            }
        }
        Err(TOO_EARLY)
    }

    /// A number of things that follow, each at least `min_bytes` long: never more than the bytes
    /// left can hold, so that it may be reserved for.
    pub(crate) fn count(&mut self, min_bytes: usize) -> Result<usize, Malformed> {
        let count = self.number()?;
        let room = (self.left.len() / min_bytes.max(1)) as u64;
        if count > room {
            return Err(Malformed("a count exceeds the bytes that follow"));
        }
        Ok(count as usize)
    }

    /// The next `len` bytes, sharing the buffer.
    pub(crate) fn take(&mut self, len: usize) -> Result<Bytes, Malformed> {
        self.raw(len).map(|bytes| self.buffer.slice_ref(bytes))
    }

    /// A byte string after its length, sharing the buffer.
    pub(crate) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let len = self.count(1)?;
        self.take(len)
    }

    /// The same, to be copied.
    pub(crate) fn borrowed(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.count(1)?;
        self.raw(len)
    }

    fn raw(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, left) = self.left.split_at_checked(len).ok_or(TOO_EARLY)?;
        self.left = left;
        Ok(bytes)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.buffer.slice_ref(core::mem::take(&mut self.left))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Malformed("bytes follow the end"))
        }
    }
}

const TOO_EARLY: Malformed = Malformed("the bytes end too early");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_come_back() {
        for shift in 0..64 {
            for number in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut writer = Writer::new();
                writer.number(number);
                let bytes = Bytes::from(writer.finish());
                let mut reader = Reader::new(&bytes);
                assert_eq!(reader.number(), Ok(number));
                assert!(reader.is_empty());
            }
        }
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let long = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        let endless = [0xff; 11];
        for bytes in [&[][..], &[0x80], &[0x80, 0x00], &long, &endless] {
            assert!(
                Reader::new(&Bytes::copy_from_slice(bytes))
                    .number()
                    .is_err(),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn lengths_and_counts_never_exceed_what_is_there() {
        assert!(
            Reader::new(&Bytes::from_static(&[3, 1, 2]))
                .bytes()
                .is_err()
        );
        assert_eq!(
            Reader::new(&Bytes::from_static(&[4, 1, 2, 3, 4]))
                .count(2)
                .ok(),
            None
        );
        assert_eq!(
            Reader::new(&Bytes::from_static(&[2, 1, 2, 3, 4])).count(2),
            Ok(2)
        );
    }
}
