//! What can be asked of the store.

use bytes::Bytes;

use crate::error::Malformed;
use crate::range::{KeyRange, put_option, take_option};
use crate::wire::{Reader, put_bytes, put_varint};

/// A question. It changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// One key. Reply: `Got`.
    Get {
        /// Which.
        key: Bytes,
    },
    /// The keys of a range, in order. Reply: `Range`.
    Range {
        /// Which.
        range: KeyRange,
        /// At most so many records; 0 means as many as a reply may hold.
        limit: u64,
        /// What of them.
        projection: Projection,
    },
    /// The keys of a range in any order, as of any revision that is kept. Reply: `Range`.
    RangeWith {
        /// Which.
        range: KeyRange,
        /// How.
        options: RangeOptions,
    },
    /// What revisions did. Reply: `Changes`, or `Compacted`.
    Changes(Changes),
    /// A lease. Reply: `Lease`.
    Lease {
        /// Which.
        id: u64,
        /// From which key on its keys come back, if they shall.
        keys: Option<Bytes>,
    },
    /// The leases in the order of their ids, at most 1,024. Reply: `Leases`.
    Leases {
        /// From which id on.
        start: u64,
    },
}

/// How a range comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RangeOptions {
    /// As of which revision; 0 is now.
    pub at: u64,
    /// At most so many records; 0 means as many as a reply may hold.
    pub limit: u64,
    /// What of them.
    pub projection: Projection,
    /// By what they are ordered; those that are equal in it, by their keys.
    pub order: Order,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// The least `mod_revision`.
    pub min_mod: u64,
    /// The greatest `mod_revision`; 0 is any.
    pub max_mod: u64,
    /// The least `create_revision`.
    pub min_create: u64,
    /// The greatest `create_revision`; 0 is any.
    pub max_create: u64,
}

/// By what the records of a range are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By the key.
    #[default]
    Key,
    /// By the revision that created it.
    CreateRevision,
    /// By the revision that changed it last.
    ModRevision,
    /// By how often it changed.
    Version,
    /// By the bytes of the value.
    Value,
}

/// A question for what revisions did, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Who wants to know. An event comes once if anybody wants it: whose it is, its key says.
    pub watches: Vec<Watch>,
    /// The first revision to tell of; 0 is the next one that will be made.
    pub from: u64,
    /// The first key to tell of in it, if a reply ended within that revision.
    pub key: Option<Bytes>,
    /// At most so many events, 0 for any number; a revision with more is divided.
    pub limit: u64,
    /// At most so many bytes of events, 0 for [`RANGE_BYTES_MAX`](crate::RANGE_BYTES_MAX), which is
    /// the most. One event always comes.
    pub bytes: u64,
}

/// What one watcher wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Of which keys.
    pub range: KeyRange,
    /// Not when they are stored.
    pub no_put: bool,
    /// Not when they are removed.
    pub no_delete: bool,
    /// With the records that were there before.
    pub previous: bool,
}

/// What of a range comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Projection {
    /// Whole records.
    #[default]
    Records,
    /// Records with empty values.
    Keys,
    /// Only how many there are.
    Count,
}

/// Apart from the commands' tags, so that neither is taken for the other.
const GET: u8 = 0x41;
const RANGE: u8 = 0x42;
const RANGE_WITH: u8 = 0x43;
const CHANGES: u8 = 0x44;
const LEASE: u8 = 0x45;
const LEASES: u8 = 0x46;

impl Query {
    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Self::Get { key } => {
                out.push(GET);
                put_bytes(&mut out, key);
            }
            Self::Range {
                range,
                limit,
                projection,
            } => {
                out.push(RANGE);
                range.encode(&mut out);
                put_varint(&mut out, *limit);
                out.push(projection.number());
            }
            Self::RangeWith { range, options } => {
                out.push(RANGE_WITH);
                range.encode(&mut out);
                options.encode(&mut out);
            }
            Self::Changes(changes) => {
                out.push(CHANGES);
                changes.encode(&mut out);
            }
            Self::Lease { id, keys } => {
                out.push(LEASE);
                put_varint(&mut out, *id);
                put_option(&mut out, keys.as_ref());
            }
            Self::Leases { start } => {
                out.push(LEASES);
                put_varint(&mut out, *start);
            }
        }
        out.into()
    }

    /// Reads what [`Query::encode`] wrote; shares the buffer.
    ///
    /// # Errors
    /// If the bytes are no query.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let query = match reader.byte() {
            GET => Self::Get {
                key: reader.shared(data),
            },
            RANGE => Self::Range {
                range: KeyRange::decode(data, &mut reader),
                limit: reader.varint(),
                projection: Projection::decode(&mut reader),
            },
            RANGE_WITH => Self::RangeWith {
                range: KeyRange::decode(data, &mut reader),
                options: RangeOptions::decode(&mut reader),
            },
            CHANGES => Self::Changes(Changes::decode(data, &mut reader)),
            LEASE => Self::Lease {
                id: reader.varint(),
                keys: take_option(data, &mut reader),
            },
            LEASES => Self::Leases {
                start: reader.varint(),
            },
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(query)
    }
}

impl Projection {
    fn number(self) -> u8 {
        match self {
            Self::Records => 0,
            Self::Keys => 1,
            Self::Count => 2,
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        match reader.choice(3) {
            0 => Self::Records,
            1 => Self::Keys,
            _ => Self::Count,
        }
    }
}

impl RangeOptions {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.at);
        put_varint(out, self.limit);
        out.push(self.projection.number());
        out.push(match self.order {
            Order::Key => 0,
            Order::CreateRevision => 1,
            Order::ModRevision => 2,
            Order::Version => 3,
            Order::Value => 4,
        });
        out.push(u8::from(self.descending));
        for bound in [self.min_mod, self.max_mod, self.min_create, self.max_create] {
            put_varint(out, bound);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Self {
        Self {
            at: reader.varint(),
            limit: reader.varint(),
            projection: Projection::decode(reader),
            order: match reader.choice(5) {
                0 => Order::Key,
                1 => Order::CreateRevision,
                2 => Order::ModRevision,
                3 => Order::Version,
                _ => Order::Value,
            },
            descending: reader.flag(),
            min_mod: reader.varint(),
            max_mod: reader.varint(),
            min_create: reader.varint(),
            max_create: reader.varint(),
        }
    }
}

impl Changes {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.watches.len() as u64);
        for watch in &self.watches {
            watch.range.encode(out);
            for flag in [watch.no_put, watch.no_delete, watch.previous] {
                out.push(u8::from(flag));
            }
        }
        put_varint(out, self.from);
        put_option(out, self.key.as_ref());
        put_varint(out, self.limit);
        put_varint(out, self.bytes);
    }

    fn decode(data: &Bytes, reader: &mut Reader<'_>) -> Self {
        Self {
            watches: reader.list(|reader| Watch {
                range: KeyRange::decode(data, reader),
                no_put: reader.flag(),
                no_delete: reader.flag(),
                previous: reader.flag(),
            }),
            from: reader.varint(),
            key: take_option(data, reader),
            limit: reader.varint(),
            bytes: reader.varint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::testing::{check_codec, samples};

    #[test]
    fn queries_survive_their_encoding_and_nothing_else_does() {
        let key = Bytes::from_static(b"key");
        let mut queries = vec![Query::Get { key }];
        for range in samples::ranges() {
            for projection in [Projection::Records, Projection::Keys, Projection::Count] {
                for limit in [0, 1, u64::MAX] {
                    queries.push(Query::Range {
                        range: range.clone(),
                        limit,
                        projection,
                    });
                }
            }
        }
        for order in [
            Order::Key,
            Order::CreateRevision,
            Order::ModRevision,
            Order::Version,
            Order::Value,
        ] {
            queries.push(Query::RangeWith {
                range: KeyRange::single(&b"key"[..]),
                options: RangeOptions {
                    at: 300,
                    order,
                    max_mod: 9,
                    ..RangeOptions::default()
                },
            });
        }
        let watches = samples::ranges().map(|range| Watch {
            range,
            no_delete: true,
            ..Watch::default()
        });
        queries.push(Query::Changes(Changes {
            watches: watches.collect(),
            from: 300,
            key: Some(Bytes::from_static(b"key")),
            limit: 1,
            bytes: 2,
        }));
        for keys in [None, Some(Bytes::new())] {
            queries.push(Query::Lease { id: 300, keys });
        }
        queries.push(Query::Leases { start: 1 });
        for query in queries {
            let bytes = query.encode();
            check_codec(&query, &bytes, Query::decode, Query::encode);
            assert_eq!(Command::decode(&bytes), Err(Malformed));
        }
    }
}
