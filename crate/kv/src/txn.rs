//! Transactions: conditions, and what to do if they hold, or else.

use bytes::Bytes;

use crate::command::Command;
use crate::error::Malformed;
use crate::query::Query;
use crate::range::KeyRange;
use crate::wire::{Reader, put_bytes, put_varint};

/// Several operations that take effect as one, by one revision, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold.
    pub compares: Vec<Compare>,
    /// What is done then, in order. Each sees what those before it did.
    pub then: Vec<Op>,
    /// What is done otherwise.
    pub otherwise: Vec<Op>,
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A change of keys, or a transaction within: any but those of leases and compaction.
    Do(Command),
    /// `Get`, `Range` or `RangeWith`.
    Ask(Query),
}

/// A condition on every key of a range. Where there is no key, it is asked of one whose numbers are
/// all 0, and no condition on a value holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// Which keys; [`KeyRange::single`] for one.
    pub range: KeyRange,
    /// How the key's number or value must stand to that of `target`.
    pub relation: Relation,
    /// What of the key, and what it is compared with.
    pub target: Target,
}

/// How a key must stand to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// As the target is.
    Equal,
    /// Other than the target.
    NotEqual,
    /// Above the target.
    Greater,
    /// Below the target.
    Less,
}

/// What of a key is compared, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// How often it changed since it was created.
    Version(u64),
    /// The revision that created it.
    CreateRevision(u64),
    /// The revision that changed it last.
    ModRevision(u64),
    /// Its lease.
    Lease(u64),
    /// Its value, by its bytes.
    Value(Bytes),
}

/// How deep transactions may stand in each other; the outermost counts.
pub const TXN_DEPTH_MAX: usize = 8;

/// Operations of a branch, those of transactions within it counted; also conditions.
pub const TXN_OPS_MAX: usize = 128;

impl Txn {
    /// The longest of its lists, with what is nested in them.
    pub(crate) fn size(&self) -> usize {
        let sum = |ops: &[Op]| ops.iter().map(Op::size).sum::<usize>();
        self.compares
            .len()
            .max(sum(&self.then))
            .max(sum(&self.otherwise))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.compares.len() as u64);
        for compare in &self.compares {
            compare.encode(out);
        }
        for ops in [&self.then, &self.otherwise] {
            put_varint(out, ops.len() as u64);
            for op in ops {
                let encoded = match op {
                    Op::Do(command) => command.encode(),
                    Op::Ask(query) => query.encode(),
                };
                put_bytes(out, &encoded);
            }
        }
    }

    pub(crate) fn decode(
        data: &Bytes,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> Result<Self, Malformed> {
        if depth == TXN_DEPTH_MAX {
            return Err(Malformed);
        }
        let mut txn = Self {
            compares: reader.list(|reader| Compare::decode(data, reader)),
            ..Self::default()
        };
        for ops in [&mut txn.then, &mut txn.otherwise] {
            // Where the bytes end, nothing is no operation.
            for _ in 0..reader.varint() {
                ops.push(Op::decode(&reader.shared(data), depth + 1)?);
            }
        }
        Ok(txn)
    }
}

impl Op {
    fn size(&self) -> usize {
        match self {
            Self::Do(Command::Txn(txn)) => 1 + txn.size(),
            Self::Do(_) | Self::Ask(_) => 1,
        }
    }

    /// Commands and queries have tags of their own.
    fn decode(encoded: &Bytes, depth: usize) -> Result<Self, Malformed> {
        if let Ok(query) = Query::decode(encoded) {
            return match query {
                Query::Get { .. } | Query::Range { .. } | Query::RangeWith { .. } => {
                    Ok(Self::Ask(query))
                }
                Query::Changes(_) | Query::Lease { .. } | Query::Leases { .. } => Err(Malformed),
            };
        }
        match Command::decode_within(encoded, depth)? {
            Command::LeaseGrant { .. }
            | Command::LeaseKeepAlive { .. }
            | Command::LeaseRevoke { .. }
            | Command::Compact { .. }
            | Command::SetRetention { .. } => Err(Malformed),
            command => Ok(Self::Do(command)),
        }
    }
}

impl Compare {
    fn encode(&self, out: &mut Vec<u8>) {
        self.range.encode(out);
        out.push(match self.relation {
            Relation::Equal => 0,
            Relation::NotEqual => 1,
            Relation::Greater => 2,
            Relation::Less => 3,
        });
        let (tag, number) = match &self.target {
            Target::Version(number) => (0, *number),
            Target::CreateRevision(number) => (1, *number),
            Target::ModRevision(number) => (2, *number),
            Target::Lease(number) => (3, *number),
            Target::Value(value) => {
                out.push(4);
                return put_bytes(out, value);
            }
        };
        out.push(tag);
        put_varint(out, number);
    }

    fn decode(data: &Bytes, reader: &mut Reader<'_>) -> Self {
        Self {
            range: KeyRange::decode(data, reader),
            relation: match reader.choice(4) {
                0 => Relation::Equal,
                1 => Relation::NotEqual,
                2 => Relation::Greater,
                _ => Relation::Less,
            },
            target: match reader.choice(5) {
                0 => Target::Version(reader.varint()),
                1 => Target::CreateRevision(reader.varint()),
                2 => Target::ModRevision(reader.varint()),
                3 => Target::Lease(reader.varint()),
                _ => Target::Value(reader.shared(data)),
            },
        }
    }
}
