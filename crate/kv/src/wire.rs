//! Numbers and byte strings on the wire: LEB128 varints, and a length before its bytes.
//!
//! Each value has one encoding, so that equal things are equal bytes: a longer varint is refused.

use bytes::{BufMut, Bytes};

use crate::error::Malformed;

/// Why bytes end a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// More bytes could complete it.
    Short,
    /// Nothing can.
    Bad,
}

/// Reads from the front of a slice. What cannot be read is zero or empty, and so is everything behind
/// it: whoever reads asks once, at the end, whether it was there.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    failed: Option<ReadError>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            failed: None,
        }
    }

    /// What was read cannot be: nothing more is. The first reason counts.
    #[cold]
    pub(crate) fn refuse(&mut self, why: ReadError) {
        self.rest = &[];
        self.failed = self.failed.or(Some(why));
    }

    /// The same, in place of a value.
    fn fail<T: Default>(&mut self, why: ReadError) -> T {
        self.refuse(why);
        T::default()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else {
            return self.fail(ReadError::Short);
        };
        self.rest = rest;
        first
    }

    /// A byte below `end`.
    pub(crate) fn choice(&mut self, end: u8) -> u8 {
        let byte = self.byte();
        if byte < end {
            byte
        } else {
            self.fail(ReadError::Bad)
        }
    }

    /// A byte that is 0 or 1.
    pub(crate) fn flag(&mut self) -> bool {
        self.choice(2) == 1
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return self.fail(ReadError::Short);
        };
        self.rest = rest;
        taken
    }

    /// Eight bytes, for a number that is not counted.
    pub(crate) fn fixed(&mut self) -> u64 {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return self.fail(ReadError::Short);
        };
        self.rest = rest;
        u64::from_le_bytes(*bytes)
    }

    pub(crate) fn varint(&mut self) -> u64 {
        let mut value = 0;
        for (at, &byte) in self.rest.iter().enumerate() {
            // The tenth byte has room for one bit, and a zero at the end is a longer way to say it.
            if (at == 9 && byte > 1) || (at > 0 && byte == 0) {
                return self.fail(ReadError::Bad);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return value;
            }
        }
        self.fail(ReadError::Short)
    }

    pub(crate) fn signed(&mut self) -> i64 {
        let zigzag = self.varint();
        (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()
    }

    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        self.bytes_up_to(usize::MAX)
    }

    /// A byte string of at most `max` bytes; a longer one is bad even before it is there.
    pub(crate) fn bytes_up_to(&mut self, max: usize) -> &'a [u8] {
        let len = self.varint();
        if len > max as u64 {
            return self.fail(ReadError::Bad);
        }
        self.take(len as usize)
    }

    /// A byte string that shares `data`, which this reads from.
    pub(crate) fn shared(&mut self, data: &Bytes) -> Bytes {
        data.slice_ref(self.bytes())
    }

    /// A number, and so many things.
    pub(crate) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut list = Vec::new();
        for _ in 0..self.varint() {
            list.push(read(self));
            // The number may be any.
            if self.has_failed() {
                break;
            }
        }
        list
    }

    /// What is unread.
    pub(crate) fn rest(self) -> Result<&'a [u8], ReadError> {
        self.failed.map_or(Ok(self.rest), Err)
    }

    /// Everything must have been read.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        match self.rest() {
            Ok([]) => Ok(()),
            _ => Err(Malformed),
        }
    }
}

pub(crate) fn put_varint(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

pub(crate) fn put_bytes(out: &mut impl BufMut, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// How many bytes the varint takes.
pub(crate) fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_in_its_shortest_form() {
        let edges = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in edges.chain([u64::MAX]) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varint(), value);
            reader.finish().expect("nothing is left");

            let value = value.cast_signed();
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(Reader::new(&out).signed(), value);
        }
    }

    /// How a read ends.
    fn end<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> T) -> Result<T, ReadError> {
        let mut reader = Reader::new(bytes);
        let value = read(&mut reader);
        reader.rest().map(|_| value)
    }

    #[test]
    fn longer_forms_of_a_number_are_refused() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[0x80; 10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] {
            let varint = end(bytes, |reader| reader.varint());
            assert_eq!(varint, Err(ReadError::Bad), "{bytes:?}");
        }
        assert_eq!(
            end(&[0x80], |reader| reader.varint()),
            Err(ReadError::Short)
        );
    }

    #[test]
    fn a_string_that_is_too_long_is_bad_before_it_arrives() {
        let up_to_5 = |bytes| end(bytes, |reader| reader.bytes_up_to(5).len());
        assert_eq!(up_to_5(&[5]), Err(ReadError::Short));
        assert_eq!(up_to_5(&[6]), Err(ReadError::Bad));
    }

    #[test]
    fn nothing_is_read_behind_a_failure() {
        let mut reader = Reader::new(&[2, 7, 7]);
        assert!(!reader.flag(), "2 is neither");
        assert_eq!((reader.byte(), reader.bytes()), (0, &[][..]));
        assert_eq!(
            reader.rest(),
            Err(ReadError::Bad),
            "the first reason counts"
        );
    }

    #[test]
    fn a_list_ends_with_the_bytes_whatever_its_number() {
        let mut reader = Reader::new(&[100, 1, 2, 3]);
        let list = reader.list(|reader| reader.byte());
        assert_eq!(list, [1, 2, 3, 0]);
        assert_eq!(reader.rest(), Err(ReadError::Short));
    }
}
