//! What can be done to the store.

use bytes::Bytes;

use crate::error::Malformed;
use crate::range::{KeyRange, put_option, take_option};
use crate::txn::Txn;
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
    /// Stores a value, a lease, or both. Reply: `Put`.
    PutWith {
        /// Where.
        key: Bytes,
        /// What; none keeps the value of the key, which must exist.
        value: Option<Bytes>,
        /// The lease to hang the key on, 0 for none; without one it keeps that of the key, which must
        /// exist.
        lease: Option<u64>,
        /// Whether the record that was there comes back.
        previous: bool,
    },
    /// Removes all keys of a range, and gives them back. Reply: `Removed`.
    RemoveRange {
        /// Which.
        range: KeyRange,
    },
    /// Does several things as one. Reply: `Txn`.
    Txn(Box<Txn>),
    /// Makes a lease. Reply: `Lease`.
    LeaseGrant {
        /// Its name; 0 lets the store choose.
        id: u64,
        /// How long it lives after a sign of life, in milliseconds of log time.
        ttl_ms: u64,
    },
    /// Is a sign of life. Reply: `Lease`.
    LeaseKeepAlive {
        /// Of which lease.
        id: u64,
    },
    /// Ends a lease, and removes its keys. Reply: `Deleted`.
    LeaseRevoke {
        /// Which.
        id: u64,
    },
    /// Forgets what was before a revision. Reply: `Compacted`.
    Compact {
        /// The oldest revision that can be read afterwards.
        revision: u64,
    },
    /// Says what is kept from now on. Reply: `Compacted`.
    SetRetention {
        /// So many of the last revisions at most; 0 is any number.
        revisions: u64,
        /// Revisions not older than this, in milliseconds of log time; 0 is any age.
        ms: u64,
        /// So many bytes of old keys and values at most; 0 is any number.
        bytes: u64,
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
const PUT_WITH: u8 = 7;
const REMOVE_RANGE: u8 = 8;
const TXN: u8 = 9;
const LEASE_GRANT: u8 = 10;
const LEASE_KEEP_ALIVE: u8 = 11;
const LEASE_REVOKE: u8 = 12;
const COMPACT: u8 = 13;
const SET_RETENTION: u8 = 14;

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
            Self::PutWith {
                key,
                value,
                lease,
                previous,
            } => {
                out.push(PUT_WITH);
                put_bytes(&mut out, key);
                put_option(&mut out, value.as_ref());
                out.push(u8::from(lease.is_some()));
                if let Some(lease) = lease {
                    put_varint(&mut out, *lease);
                }
                out.push(u8::from(*previous));
            }
            Self::RemoveRange { range } => {
                out.push(REMOVE_RANGE);
                range.encode(&mut out);
            }
            Self::Txn(txn) => {
                out.push(TXN);
                txn.encode(&mut out);
            }
            Self::LeaseGrant { id, ttl_ms } => put_numbers(&mut out, LEASE_GRANT, &[*id, *ttl_ms]),
            Self::LeaseKeepAlive { id } => put_numbers(&mut out, LEASE_KEEP_ALIVE, &[*id]),
            Self::LeaseRevoke { id } => put_numbers(&mut out, LEASE_REVOKE, &[*id]),
            Self::Compact { revision } => put_numbers(&mut out, COMPACT, &[*revision]),
            Self::SetRetention {
                revisions,
                ms,
                bytes,
            } => {
                put_numbers(&mut out, SET_RETENTION, &[*revisions, *ms, *bytes]);
            }
        }
        out.into()
    }

    /// Reads what [`Command::encode`] wrote; shares the buffer.
    ///
    /// # Errors
    /// If the bytes are no command. Sizes are not checked here, but when it is executed.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        Self::decode_within(data, 0)
    }

    /// Reads a command that stands in so many transactions.
    pub(crate) fn decode_within(data: &Bytes, depth: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let command = Self::read(data, &mut reader, depth)?;
        reader.finish()?;
        Ok(command)
    }

    fn read(data: &Bytes, reader: &mut Reader<'_>, depth: usize) -> Result<Self, Malformed> {
        let tag = reader.byte();
        let key = match tag {
            PUT | DELETE | APPEND | COMPARE_AND_SWAP | INCREMENT | PUT_WITH => reader.shared(data),
            _ => Bytes::new(),
        };
        Ok(match tag {
            PUT => Self::Put {
                key,
                value: reader.shared(data),
            },
            DELETE => Self::Delete { key },
            DELETE_RANGE => Self::DeleteRange {
                range: KeyRange::decode(data, reader),
            },
            APPEND => Self::Append {
                key,
                value: reader.shared(data),
            },
            COMPARE_AND_SWAP => Self::CompareAndSwap {
                key,
                expected: Expected::decode(data, reader),
                new: take_option(data, reader),
            },
            INCREMENT => Self::Increment {
                key,
                by: reader.signed(),
            },
            PUT_WITH => Self::PutWith {
                key,
                value: take_option(data, reader),
                lease: reader.flag().then(|| reader.varint()),
                previous: reader.flag(),
            },
            REMOVE_RANGE => Self::RemoveRange {
                range: KeyRange::decode(data, reader),
            },
            TXN => Self::Txn(Box::new(Txn::decode(data, reader, depth)?)),
            LEASE_GRANT => Self::LeaseGrant {
                id: reader.varint(),
                ttl_ms: reader.varint(),
            },
            LEASE_KEEP_ALIVE => Self::LeaseKeepAlive {
                id: reader.varint(),
            },
            LEASE_REVOKE => Self::LeaseRevoke {
                id: reader.varint(),
            },
            COMPACT => Self::Compact {
                revision: reader.varint(),
            },
            SET_RETENTION => Self::SetRetention {
                revisions: reader.varint(),
                ms: reader.varint(),
                bytes: reader.varint(),
            },
            _ => return Err(Malformed),
        })
    }
}

fn put_numbers(out: &mut Vec<u8>, tag: u8, numbers: &[u64]) {
    out.push(tag);
    for number in numbers {
        put_varint(out, *number);
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

    fn decode(data: &Bytes, reader: &mut Reader<'_>) -> Self {
        match reader.choice(3) {
            0 => Self::Absent,
            1 => Self::Revision(reader.varint()),
            _ => Self::Value(reader.shared(data)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;
    use crate::testing::{check_codec, samples};
    use crate::txn::{Compare, Op, Relation, TXN_DEPTH_MAX, Target};

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
        for (value, lease, previous) in [
            (None, None, true),
            (Some(value()), Some(0), false),
            (Some(value()), Some(300), true),
        ] {
            commands.push(Command::PutWith {
                key: key(),
                value,
                lease,
                previous,
            });
        }
        commands.extend([
            Command::RemoveRange {
                range: KeyRange::single(key()),
            },
            Command::LeaseGrant { id: 0, ttl_ms: 300 },
            Command::LeaseKeepAlive { id: 7 },
            Command::LeaseRevoke { id: 7 },
            Command::Compact { revision: 300 },
            Command::SetRetention {
                revisions: 300,
                ms: 1,
                bytes: 70_000,
            },
        ]);
        let targets = [
            Target::Version(1),
            Target::CreateRevision(2),
            Target::ModRevision(300),
            Target::Lease(0),
            Target::Value(value()),
        ];
        let relations = [
            Relation::Equal,
            Relation::NotEqual,
            Relation::Greater,
            Relation::Less,
            Relation::Equal,
        ];
        let compare = |(target, relation)| Compare {
            range: KeyRange::prefix(key()),
            relation,
            target,
        };
        let within = Txn {
            compares: Vec::new(),
            then: vec![Op::Do(commands[0].clone())],
            otherwise: Vec::new(),
        };
        commands.push(Command::Txn(Box::new(Txn {
            compares: targets.into_iter().zip(relations).map(compare).collect(),
            then: vec![
                Op::Ask(Query::Get { key: key() }),
                Op::Do(Command::Txn(Box::new(within))),
            ],
            otherwise: vec![Op::Do(Command::Delete { key: key() })],
        })));
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
    fn transactions_stand_in_each_other_only_so_deep() {
        let nested = |depth| {
            (1..depth).fold(Txn::default(), |txn, _| Txn {
                then: vec![Op::Do(Command::Txn(Box::new(txn)))],
                ..Txn::default()
            })
        };
        let decoded = |depth| Command::decode(&Command::Txn(Box::new(nested(depth))).encode());
        assert!(decoded(TXN_DEPTH_MAX).is_ok());
        assert_eq!(decoded(TXN_DEPTH_MAX + 1), Err(Malformed));
        let forbidden = Txn {
            then: vec![Op::Do(Command::Compact { revision: 1 })],
            ..Txn::default()
        };
        let forbidden = Command::Txn(Box::new(forbidden)).encode();
        assert_eq!(Command::decode(&forbidden), Err(Malformed));
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
