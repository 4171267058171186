//! Numbers and byte strings, written one after another and read back without trust.
//!
//! A number is LEB128: seven bits a byte, the lowest first, and no longer than it must be. Reading
//! never panics, and shares the buffer it reads from.

use bytes::Bytes;

/// Appends to a buffer.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Begins.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Begins anew in a buffer that was used before.
    pub fn reuse(mut buffer: Vec<u8>, bytes: usize) -> Self {
        buffer.clear();
        buffer.reserve(bytes);
        Self(buffer)
    }

    /// Makes room for so many bytes more.
    pub fn reserve(&mut self, bytes: usize) {
        self.0.reserve(bytes);
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// A number.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// A byte string whose length is known from elsewhere.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A byte string after its length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The bytes end too early, or are nothing that a [`Writer`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(
    /// What is wrong, as a person understands it.
    pub &'static str,
);

/// Takes from the front of a buffer. What cannot be read is zero or empty, and so is everything behind
/// it: whoever reads asks once, at the end, whether it was there.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    buffer: &'a Bytes,
    left: &'a [u8],
    failed: Option<Malformed>,
}

impl<'a> Reader<'a> {
    /// Begins at the front.
    pub fn new(buffer: &'a Bytes) -> Self {
        Self {
            buffer,
            left: buffer,
            failed: None,
        }
    }

    /// What was read cannot be: nothing more is. The first reason counts.
    #[cold]
    pub fn refuse(&mut self, why: &'static str) {
        self.left = &[];
        self.failed = self.failed.or(Some(Malformed(why)));
    }

    /// The same, in place of a value.
    pub fn fail<T: Default>(&mut self, why: &'static str) -> T {
        self.refuse(why);
        T::default()
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> u8 {
        let Some((&byte, left)) = self.left.split_first() else {
            return self.fail(TOO_EARLY);
        };
        self.left = left;
        byte
    }

    /// Eight bytes, for numbers that are drawn and not counted.
    pub fn fixed(&mut self) -> u64 {
        let Some((bytes, left)) = self.left.split_first_chunk() else {
            return self.fail(TOO_EARLY);
        };
        self.left = left;
        u64::from_le_bytes(*bytes)
    }

    /// A number.
    pub fn number(&mut self) -> u64 {
        // Most are small.
        if let [byte @ 0..0x80, left @ ..] = self.left {
            self.left = left;
            return u64::from(*byte);
        }
        let mut number = 0;
        for (position, &byte) in self.left.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if position == 9 && byte > 1 {
                return self.fail("a number exceeds 64 bits");
            }
            number |= bits << (7 * position);
            if byte & 0x80 == 0 {
                if byte == 0 && position > 0 {
                    return self.fail("a number is longer than it must be");
                }
                self.left = &self.left[position + 1..];
                return number;
            }
        }
        self.fail(TOO_EARLY)
    }

    /// A number of things that follow, each at least `min_bytes` long: never more than the bytes
    /// left can hold, so that it may be reserved for.
    pub fn count(&mut self, min_bytes: usize) -> usize {
        let count = self.number();
        let room = (self.left.len() / min_bytes.max(1)) as u64;
        if count > room {
            return self.fail("a count exceeds the bytes that follow");
        }
        count as usize
    }

    /// So many things, each at least `min_bytes` long.
    pub fn list<T>(&mut self, min_bytes: usize, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.count(min_bytes);
        let mut things = Vec::with_capacity(count);
        for _ in 0..count {
            things.push(read(self));
        }
        things
    }

    /// The next `len` bytes, sharing the buffer.
    pub fn take(&mut self, len: usize) -> Bytes {
        let bytes = self.raw(len);
        self.buffer.slice_ref(bytes)
    }

    /// A byte string after its length, sharing the buffer.
    pub fn bytes(&mut self) -> Bytes {
        let len = self.count(1);
        self.take(len)
    }

    /// The same, to be copied.
    pub fn borrowed(&mut self) -> &'a [u8] {
        let len = self.count(1);
        self.raw(len)
    }

    /// The same, if it is text.
    pub fn text(&mut self) -> String {
        match core::str::from_utf8(self.borrowed()) {
            Ok(text) => text.to_owned(),
            Err(_) => self.fail("a key is no text"),
        }
    }

    fn raw(&mut self, len: usize) -> &'a [u8] {
        let Some((bytes, left)) = self.left.split_at_checked(len) else {
            return self.fail(TOO_EARLY);
        };
        self.left = left;
        bytes
    }

    /// All that is left.
    pub fn rest(&mut self) -> Bytes {
        self.buffer.slice_ref(core::mem::take(&mut self.left))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Everything up to here was there.
    ///
    /// # Errors
    /// It was not.
    pub fn check(&self) -> Result<(), Malformed> {
        self.failed.map_or(Ok(()), Err)
    }

    /// The same, and nothing may be left.
    ///
    /// # Errors
    /// It was not, or something is.
    pub fn end(&self) -> Result<(), Malformed> {
        self.check()?;
        if self.is_empty() {
            Ok(())
        } else {
            Err(Malformed("bytes follow the end"))
        }
    }
}

const TOO_EARLY: &str = "the bytes end too early";

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
                assert_eq!(reader.number(), number);
                assert_eq!(reader.end(), Ok(()));
            }
        }
    }

    #[test]
    fn wrong_numbers_are_refused() {
        let long = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        let endless = [0xff; 11];
        for bytes in [&[][..], &[0x80], &[0x80, 0x00], &long, &endless] {
            let bytes = Bytes::copy_from_slice(bytes);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.number(), 0, "{bytes:?}");
            assert!(reader.check().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn lengths_and_counts_never_exceed_what_is_there() {
        let buffer = Bytes::from_static(&[3, 1, 2]);
        let mut reader = Reader::new(&buffer);
        assert_eq!(
            (reader.bytes(), reader.check().is_err()),
            (Bytes::new(), true)
        );
        for (bytes, count) in [(&[4, 1, 2, 3, 4], 0), (&[2, 1, 2, 3, 4], 2)] {
            let buffer = Bytes::copy_from_slice(bytes);
            let mut reader = Reader::new(&buffer);
            assert_eq!(reader.count(2), count);
            assert_eq!(reader.check().is_ok(), count > 0);
        }
    }

    #[test]
    fn nothing_is_read_behind_a_failure() {
        let buffer = Bytes::from_static(&[9, 1, 2]);
        let mut reader = Reader::new(&buffer);
        let why = "a count exceeds the bytes that follow";
        assert_eq!(reader.count(1), 0);
        assert_eq!((reader.byte(), reader.number(), reader.fixed()), (0, 0, 0));
        assert_eq!(
            (reader.bytes(), reader.rest()),
            (Bytes::new(), Bytes::new())
        );
        assert_eq!(reader.end(), Err(Malformed(why)), "the first reason counts");
    }
}
