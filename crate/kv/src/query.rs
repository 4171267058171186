//! What can be asked of the store.

use bytes::Bytes;

use crate::error::Malformed;
use crate::range::KeyRange;
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
                out.push(match projection {
                    Projection::Records => 0,
                    Projection::Keys => 1,
                    Projection::Count => 2,
                });
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
        let query = match reader.byte()? {
            GET => Self::Get {
                key: data.slice_ref(reader.bytes()?),
            },
            RANGE => Self::Range {
                range: KeyRange::decode(data, &mut reader)?,
                limit: reader.varint()?,
                projection: match reader.byte()? {
                    0 => Projection::Records,
                    1 => Projection::Keys,
                    2 => Projection::Count,
                    _ => return Err(Malformed),
                },
            },
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(query)
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
        for query in queries {
            let bytes = query.encode();
            check_codec(&query, &bytes, Query::decode, Query::encode);
            assert_eq!(Command::decode(&bytes), Err(Malformed));
        }
    }
}
