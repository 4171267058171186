//! What can be done to the store.

use bytes::Bytes;

use crate::error::Malformed;
use crate::range::{KeyRange, put_option, take_option};
use crate::wire::{Reader, put_bytes, put_signed, put_varint};

/// A change to the store. Whatever changes something makes one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Stores a value. Reply: `Written`.
    Put {
        /// Where.
        key: Bytes,
        /// What.
        value: Bytes,
    },
    /// Removes a key. Reply: `Deleted`.
    Delete {
        /// Which.
        key: Bytes,
    },
    /// Removes all keys of a range. Reply: `Deleted`.
    DeleteRange {
        /// Which.
        range: KeyRange,
    },
    /// Adds to the end of a value; an absent key counts as empty. Reply: `Written`.
    Append {
        /// Where.
        key: Bytes,
        /// What comes to the end.
        value: Bytes,
    },
    /// Stores or removes, if the key is as expected. Reply: `Written` or `Deleted`, else `Mismatch`.
    CompareAndSwap {
        /// Where.
        key: Bytes,
        /// How it must be.
        expected: Expected,
        /// The new value; without one the key is removed.
        new: Option<Bytes>,
    },
    /// Adds to a value that is a decimal integer; an absent key counts as 0. Reply: `Incremented`.
    Increment {
        /// Where.
        key: Bytes,
        /// How much; may be negative.
        by: i64,
    },
}

/// How a key must be for a compare-and-swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It must not exist.
    Absent,
    /// It must have been changed last by this revision.
    Revision(u64),
    /// It must have this value.
    Value(Bytes),
}

const PUT: u8 = 1;
const DELETE: u8 = 2;
const DELETE_RANGE: u8 = 3;
const APPEND: u8 = 4;
const COMPARE_AND_SWAP: u8 = 5;
const INCREMENT: u8 = 6;

impl Command {
    /// The bytes that go into the log.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Self::Put { key, value } => {
                out.reserve_exact(key.len() + value.len() + 16);
                out.push(PUT);
                put_bytes(&mut out, key);
                put_bytes(&mut out, value);
            }
            Self::Delete { key } => {
                out.push(DELETE);
                put_bytes(&mut out, key);
            }
            Self::DeleteRange { range } => {
                out.push(DELETE_RANGE);
                range.encode(&mut out);
            }
            Self::Append { key, value } => {
                out.push(APPEND);
                put_bytes(&mut out, key);
                put_bytes(&mut out, value);
            }
            Self::CompareAndSwap { key, expected, new } => {
                out.push(COMPARE_AND_SWAP);
                put_bytes(&mut out, key);
                expected.encode(&mut out);
                put_option(&mut out, new.as_ref());
            }
            Self::Increment { key, by } => {
                out.push(INCREMENT);
                put_bytes(&mut out, key);
                put_signed(&mut out, *by);
            }
        }
        out.into()
    }

    /// Reads what [`Command::encode`] wrote; shares the buffer.
    ///
    /// # Errors
    /// If the bytes are no command. Sizes are not checked here, but when it is executed.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let tag = reader.byte()?;
        if tag == DELETE_RANGE {
            let range = KeyRange::decode(data, &mut reader)?;
            reader.finish()?;
            return Ok(Self::DeleteRange { range });
        }
        let key = data.slice_ref(reader.bytes()?);
        let command = match tag {
            PUT => Self::Put {
                key,
                value: data.slice_ref(reader.bytes()?),
            },
            DELETE => Self::Delete { key },
            APPEND => Self::Append {
                key,
                value: data.slice_ref(reader.bytes()?),
            },
            COMPARE_AND_SWAP => Self::CompareAndSwap {
                key,
                expected: Expected::decode(data, &mut reader)?,
                new: take_option(data, &mut reader)?,
            },
            INCREMENT => Self::Increment {
                key,
                by: reader.signed()?,
            },
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(command)
    }
}

impl Expected {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Absent => out.push(0),
            Self::Revision(revision) => {
                out.push(1);
                put_varint(out, *revision);
            }
            Self::Value(value) => {
                out.push(2);
                put_bytes(out, value);
            }
        }
    }

    fn decode(data: &Bytes, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match reader.byte()? {
            0 => Self::Absent,
            1 => Self::Revision(reader.varint()?),
            2 => Self::Value(data.slice_ref(reader.bytes()?)),
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_codec, samples};

    fn commands() -> Vec<Command> {
        let key = || Bytes::from_static(b"key");
        let value = || Bytes::from_static(b"a value");
        let mut commands = vec![
            Command::Put {
                key: key(),
                value: value(),
            },
            Command::Delete { key: key() },
            Command::Append {
                key: key(),
                value: Bytes::new(),
            },
        ];
        commands.extend(samples::ranges().map(|range| Command::DeleteRange { range }));
        let expected = [
            Expected::Absent,
            Expected::Revision(300),
            Expected::Value(value()),
        ];
        for expected in expected {
            for new in [None, Some(value())] {
                commands.push(Command::CompareAndSwap {
                    key: key(),
                    expected: expected.clone(),
                    new,
                });
            }
        }
        let numbers = [0, 1, -1, 64, -65, i64::MAX, i64::MIN];
        commands.extend(numbers.map(|by| Command::Increment { key: key(), by }));
        commands
    }

    #[test]
    fn commands_survive_their_encoding_and_nothing_else_does() {
        for command in commands() {
            check_codec(
                &command,
                &command.encode(),
                Command::decode,
                Command::encode,
            );
        }
    }

    #[test]
    fn the_encoding_stays_as_it_is_in_stored_logs() {
        let key = Bytes::from_static(b"k");
        let value = Bytes::from_static(b"v");
        let put = Command::Put {
            key: key.clone(),
            value: value.clone(),
        };
        assert_eq!(put.encode(), &b"\x01\x01k\x01v"[..]);
        let delete = Command::Delete { key: key.clone() };
        assert_eq!(delete.encode(), &b"\x02\x01k"[..]);
        let range = KeyRange::prefix(key.clone());
        let delete_range = Command::DeleteRange { range };
        assert_eq!(delete_range.encode(), &b"\x03\x01k\x01\x01l"[..]);
        let append = Command::Append {
            key: key.clone(),
            value: value.clone(),
        };
        assert_eq!(append.encode(), &b"\x04\x01k\x01v"[..]);
        let swap = Command::CompareAndSwap {
            key: key.clone(),
            expected: Expected::Revision(5),
            new: Some(value),
        };
        assert_eq!(swap.encode(), &b"\x05\x01k\x01\x05\x01\x01v"[..]);
        let increment = Command::Increment { key, by: -1 };
        assert_eq!(increment.encode(), &b"\x06\x01k\x01"[..]);
    }
}
