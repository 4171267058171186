//! Numbers and byte strings on the wire: LEB128 varints, and a length before its bytes.
//!
//! Each value has one encoding, so that equal things are equal bytes: a longer varint is refused.

use bytes::BufMut;

use crate::error::Malformed;

/// Why bytes end a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// More bytes could complete it.
    Short,
    /// Nothing can.
    Bad,
}

impl From<ReadError> for Malformed {
    fn from(_: ReadError) -> Self {
        Self
    }
}

/// Reads from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is unread.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn byte(&mut self) -> Result<u8, ReadError> {
        let (&first, rest) = self.rest.split_first().ok_or(ReadError::Short)?;
        self.rest = rest;
        Ok(first)
    }

    /// A byte that is 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, ReadError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(ReadError::Bad),
        }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(ReadError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (&taken, rest) = self.rest.split_first_chunk().ok_or(ReadError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, ReadError> {
        let mut value = 0;
        for (at, &byte) in self.rest.iter().enumerate() {
            // The tenth byte has room for one bit, and a zero at the end is a longer way to say it.
            if (at == 9 && byte > 1) || (at > 0 && byte == 0) {
                return Err(ReadError::Bad);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(ReadError::Short)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, ReadError> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], ReadError> {
        self.bytes_up_to(usize::MAX)
    }

    /// A byte string of at most `max` bytes; a longer one is bad even before it is there.
    pub(crate) fn bytes_up_to(&mut self, max: usize) -> Result<&'a [u8], ReadError> {
        let len = usize::try_from(self.varint()?).map_err(|_| ReadError::Bad)?;
        if len > max {
            return Err(ReadError::Bad);
        }
        self.take(len)
    }

    /// Everything must have been read.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
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
            assert_eq!(reader.varint(), Ok(value));
            reader.finish().expect("nothing is left");

            let value = value.cast_signed();
            let mut out = Vec::new();
            put_signed(&mut out, value);
            assert_eq!(Reader::new(&out).signed(), Ok(value));
        }
    }

    #[test]
    fn longer_forms_of_a_number_are_refused() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[0x80; 10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        ] {
            assert_eq!(
                Reader::new(bytes).varint(),
                Err(ReadError::Bad),
                "{bytes:?}"
            );
        }
        assert_eq!(Reader::new(&[0x80]).varint(), Err(ReadError::Short));
    }

    #[test]
    fn a_string_that_is_too_long_is_bad_before_it_arrives() {
        assert_eq!(Reader::new(&[5]).bytes_up_to(5), Err(ReadError::Short));
        assert_eq!(Reader::new(&[6]).bytes_up_to(5), Err(ReadError::Bad));
    }
}
