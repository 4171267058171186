//! The pairs of a section, read again.

use core::ops::Range;

use super::DataError;
use super::block::{CHECKSUM_BYTES, HEADER_BYTES, Kind, Place, unseal};

/// Reads a section.
#[derive(Debug)]
pub(super) struct Source {
    /// Of the next block.
    place: Place,
    buffer: Vec<u8>,
    /// What is left of the payload in hand.
    payload: Range<usize>,
    /// Where the next block begins.
    next: usize,
    state: State,
    key: Vec<u8>,
    value: Range<usize>,
    prefix: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The last block is in hand.
    Last,
    Ended,
}

/// What came of asking for the next pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advance {
    Pair,
    /// First more bytes must be fed.
    Need,
    End,
}

impl Source {
    pub(super) fn new(partition: u16) -> Self {
        Self {
            place: Place {
                kind: Kind::Pairs,
                partition,
                number: 0,
            },
            buffer: Vec::new(),
            payload: 0..0,
            next: 0,
            state: State::Open,
            key: Vec::new(),
            value: 0..0,
            prefix: 0,
        }
    }

    /// Takes the next bytes of the section; none if there are none.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        if bytes.is_empty() {
            return match self.state {
                State::Open => Err(DataError::Cut),
                State::Last | State::Ended => Ok(()),
            };
        }
        if self.payload.is_empty() {
            self.buffer.drain(..self.next);
            self.next = 0;
            self.payload = 0..0;
            self.value = 0..0;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Goes on to the next pair.
    pub(super) fn advance(&mut self) -> Result<Advance, DataError> {
        while self.payload.is_empty() {
            match self.state {
                State::Ended => return Ok(Advance::End),
                State::Last if self.next < self.buffer.len() => {
                    return Err(DataError::Damaged("bytes follow the end of a section"));
                }
                State::Last => {
                    self.state = State::Ended;
                    self.buffer = Vec::new();
                    self.next = 0;
                    return Ok(Advance::End);
                }
                State::Open => {
                    if !self.open()? {
                        return Ok(Advance::Need);
                    }
                }
            }
        }
        self.read().ok_or(DataError::Damaged("a pair"))?;
        Ok(Advance::Pair)
    }

    /// Takes the next block in hand, if it is there.
    fn open(&mut self) -> Result<bool, DataError> {
        let Some((place, payload)) = unseal(&self.buffer[self.next..])? else {
            return Ok(false);
        };
        let (is_last, len) = (place.kind == Kind::LastPairs, payload.len());
        let expected = Place {
            kind: if is_last {
                Kind::LastPairs
            } else {
                Kind::Pairs
            },
            ..self.place
        };
        if place != expected || len == 0 {
            return Err(DataError::Damaged("a block is in the wrong place"));
        }
        self.place.number += 1;
        let from = self.next + HEADER_BYTES;
        self.payload = from..from + len;
        self.next = self.payload.end + CHECKSUM_BYTES;
        if is_last {
            self.state = State::Last;
        }
        // A block's first key shares nothing.
        self.key.clear();
        self.prefix = 0;
        Ok(true)
    }

    fn read(&mut self) -> Option<()> {
        let mut left = &self.buffer[self.payload.clone()];
        let [shared, rest, value] = [
            take_number(&mut left)?,
            take_number(&mut left)?,
            take_number(&mut left)?,
        ];
        let (rest, left) = left.split_at_checked(rest)?;
        if shared > self.key.len() || value > left.len() {
            return None;
        }
        let from = self.payload.end - left.len();
        self.value = from..from + value;
        self.payload.start = self.value.end;
        // Most often the same key again.
        if !rest.is_empty() || shared < self.key.len() {
            self.key.truncate(shared);
            self.key.extend_from_slice(rest);
            self.prefix = prefix(&self.key);
        }
        Some(())
    }

    pub(super) fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.buffer[self.value.clone()]
    }

    /// The first eight bytes of the key, in their order.
    pub(super) fn prefix(&self) -> u64 {
        self.prefix
    }

    /// How much memory is in use, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.buffer.capacity() + self.key.capacity()
    }
}

/// The first eight bytes, as a number that is ordered as they are; zeros where there are fewer.
#[inline]
pub(super) fn prefix(key: &[u8]) -> u64 {
    match key.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(bytes)
        }
    }
}

fn take_number(left: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = left.split_first()?;
        *left = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(number).ok();
        }
    }
    None
}
