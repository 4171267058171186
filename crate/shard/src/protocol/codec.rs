//! How commands, queries and replies are written, and read: whatever the bytes are, by total functions.

use bytes::Bytes;
use quorate_raft::NodeId;
use quorate_rsm::wire::{Malformed, Reader, Writer};
use quorate_rsm::{RequestError, SessionId};

use super::{Body, Command, Elsewhere, Query, Reply, Stage, StoreError};
use crate::config::{Configuration, GroupId, ShardId};

const FOUND: u8 = 1;
const ADOPT: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const WRITE: u8 = 5;
const MARK: u8 = 6;
const FREEZE: u8 = 7;
const STAGE: u8 = 8;
const DELETE: u8 = 9;
const SKIP: u8 = 10;

/// None is 0: marks are indices of a log, which begin at 1.
fn put_mark(writer: &mut Writer, mark: Option<u64>) {
    writer.number(mark.unwrap_or(0));
}

fn take_mark(reader: &mut Reader<'_>) -> Option<u64> {
    Some(reader.number()).filter(|mark| *mark > 0)
}

fn take_flag(reader: &mut Reader<'_>) -> bool {
    match reader.byte() {
        0 => false,
        1 => true,
        _ => reader.fail("neither yes nor no"),
    }
}

fn take_u32(reader: &mut Reader<'_>) -> u32 {
    let number = reader.number();
    u32::try_from(number).unwrap_or_else(|_| reader.fail("a number exceeds 32 bits"))
}

fn take_shard(reader: &mut Reader<'_>) -> ShardId {
    ShardId(take_u32(reader))
}

impl Command {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        let mut step = |tag, shard: &ShardId, config: &u64| {
            writer.byte(tag);
            writer.number(u64::from(shard.0));
            writer.number(*config);
        };
        match self {
            Self::Mark {
                shard,
                config,
                base,
            } => {
                step(MARK, shard, config);
                put_mark(&mut writer, *base);
            }
            Self::Freeze {
                shard,
                config,
                base,
            } => {
                step(FREEZE, shard, config);
                put_mark(&mut writer, *base);
            }
            Self::Delete { shard, config } => step(DELETE, shard, config),
            Self::Stage(stage) => {
                step(STAGE, &stage.shard, &stage.config);
                writer.number(stage.mark);
                put_mark(&mut writer, stage.base);
                writer.byte(u8::from(stage.is_final));
                writer.number(u64::from(stage.number));
                writer.byte(u8::from(stage.done));
                writer.number(u64::from(stage.crc));
                writer.bytes(&stage.data);
            }
            Self::Found { group, shards } => {
                writer.byte(FOUND);
                writer.number(u64::from(group.0));
                writer.number(u64::from(*shards));
            }
            Self::Adopt(configuration) => {
                writer.byte(ADOPT);
                configuration.encode(&mut writer);
            }
            Self::Skip(configuration) => {
                writer.byte(SKIP);
                configuration.encode(&mut writer);
            }
            Self::Request { shard, body } => {
                let shard = u64::from(shard.0);
                match body {
                    Body::Open => {
                        writer.byte(OPEN);
                        writer.number(shard);
                    }
                    Body::Close { session } => {
                        writer.byte(CLOSE);
                        writer.number(shard);
                        writer.number(session.0);
                    }
                    Body::Write {
                        session,
                        sequence,
                        acknowledged,
                        command,
                    } => {
                        writer.reserve(command.len() + 24);
                        writer.byte(WRITE);
                        writer.number(shard);
                        writer.number(session.0);
                        writer.number(*sequence);
                        writer.number(sequence.saturating_sub(*acknowledged));
                        writer.raw(command);
                    }
                }
            }
        }
        Bytes::from(writer.finish())
    }

    /// Reads what [`Command::encode`] wrote; shares the buffer.
    ///
    /// # Errors
    /// The bytes are no command.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let command = Self::read(&mut reader);
        reader.end()?;
        Ok(command)
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        match reader.byte() {
            FOUND => Self::Found {
                group: GroupId(take_u32(reader)),
                shards: take_u32(reader),
            },
            ADOPT => Self::Adopt(Configuration::decode(reader)),
            SKIP => Self::Skip(Configuration::decode(reader)),
            OPEN => Self::Request {
                shard: take_shard(reader),
                body: Body::Open,
            },
            CLOSE => Self::Request {
                shard: take_shard(reader),
                body: Body::Close {
                    session: SessionId(reader.number()),
                },
            },
            WRITE => {
                let shard = take_shard(reader);
                let session = SessionId(reader.number());
                let sequence = reader.number();
                let behind = reader.number();
                let acknowledged = sequence
                    .checked_sub(behind)
                    .unwrap_or_else(|| reader.fail("more is acknowledged than was sent"));
                Self::Request {
                    shard,
                    body: Body::Write {
                        session,
                        sequence,
                        acknowledged,
                        command: reader.rest(),
                    },
                }
            }
            MARK => Self::Mark {
                shard: take_shard(reader),
                config: reader.number(),
                base: take_mark(reader),
            },
            FREEZE => Self::Freeze {
                shard: take_shard(reader),
                config: reader.number(),
                base: take_mark(reader),
            },
            STAGE => Self::Stage(Stage {
                shard: take_shard(reader),
                config: reader.number(),
                mark: reader.number(),
                base: take_mark(reader),
                is_final: take_flag(reader),
                number: take_u32(reader),
                done: take_flag(reader),
                crc: take_u32(reader),
                data: reader.bytes(),
            }),
            tag => {
                if tag != DELETE {
                    reader.refuse("an unknown command");
                }
                Self::Delete {
                    shard: take_shard(reader),
                    config: reader.number(),
                }
            }
        }
    }
}

const ASK: u8 = 1;
const CHUNK: u8 = 2;
const ARRIVED: u8 = 3;

impl Query {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Ask { shard, query } => {
                writer.reserve(query.len() + 8);
                writer.byte(ASK);
                writer.number(u64::from(shard.0));
                writer.raw(query);
            }
            Self::Chunk {
                shard,
                config,
                mark,
                base,
                number,
                max_bytes,
            } => {
                writer.byte(CHUNK);
                writer.number(u64::from(shard.0));
                writer.number(*config);
                writer.number(*mark);
                put_mark(&mut writer, *base);
                writer.number(u64::from(*number));
                writer.number(u64::from(*max_bytes));
            }
            Self::Arrived { shard, config } => {
                writer.byte(ARRIVED);
                writer.number(u64::from(shard.0));
                writer.number(*config);
            }
        }
        Bytes::from(writer.finish())
    }

    /// Reads what [`Query::encode`] wrote; shares the buffer.
    ///
    /// # Errors
    /// The bytes are no query.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let query = match reader.byte() {
            ASK => Self::Ask {
                shard: take_shard(&mut reader),
                query: reader.rest(),
            },
            CHUNK => Self::Chunk {
                shard: take_shard(&mut reader),
                config: reader.number(),
                mark: reader.number(),
                base: take_mark(&mut reader),
                number: take_u32(&mut reader),
                max_bytes: take_u32(&mut reader),
            },
            tag => {
                if tag != ARRIVED {
                    reader.refuse("an unknown query");
                }
                Self::Arrived {
                    shard: take_shard(&mut reader),
                    config: reader.number(),
                }
            }
        };
        reader.end()?;
        Ok(query)
    }
}

const DONE: u8 = 1;
const EXPIRED: u8 = 2;
const WINDOW: u8 = 3;
const ELSEWHERE: u8 = 4;
const OK: u8 = 5;
const MARKED: u8 = 6;
const PIECE: u8 = 7;
const NOT_YET: u8 = 8;
const GONE: u8 = 9;
const MARK_LOST: u8 = 10;
const FAILED: u8 = 11;

impl Reply {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        match self {
            Self::Done(data) => {
                writer.reserve(data.len() + 1);
                writer.byte(DONE);
                writer.raw(data);
            }
            // The only ones that a session says.
            Self::Refused(RequestError::WindowExceeded) => writer.byte(WINDOW),
            Self::Refused(_) => writer.byte(EXPIRED),
            Self::Elsewhere(Elsewhere {
                config,
                owner,
                nodes,
            }) => {
                writer.byte(ELSEWHERE);
                writer.number(*config);
                writer.number(u64::from(owner.0));
                writer.number(nodes.len() as u64);
                for node in nodes {
                    writer.number(node.0);
                }
            }
            Self::Ok => writer.byte(OK),
            Self::Marked { mark, is_final } => {
                writer.byte(MARKED);
                writer.number(*mark);
                writer.byte(u8::from(*is_final));
            }
            Self::Chunk {
                done,
                crc,
                total,
                data,
            } => {
                writer.reserve(data.len() + 16);
                writer.byte(PIECE);
                writer.byte(u8::from(*done));
                writer.number(u64::from(*crc));
                writer.number(*total);
                writer.raw(data);
            }
            Self::NotYet { config } => {
                writer.byte(NOT_YET);
                writer.number(*config);
            }
            Self::Gone => writer.byte(GONE),
            Self::MarkLost => writer.byte(MARK_LOST),
            Self::Failed(error) => {
                writer.byte(FAILED);
                writer.byte(*error as u8);
            }
        }
        Bytes::from(writer.finish())
    }

    /// Reads what [`Reply::encode`] wrote; shares the buffer.
    ///
    /// # Errors
    /// The bytes are no reply.
    pub fn decode(data: &Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(data);
        let reply = match reader.byte() {
            DONE => Self::Done(reader.rest()),
            EXPIRED => Self::Refused(RequestError::SessionExpired),
            WINDOW => Self::Refused(RequestError::WindowExceeded),
            ELSEWHERE => Self::Elsewhere(Elsewhere {
                config: reader.number(),
                owner: GroupId(take_u32(&mut reader)),
                nodes: reader.list(1, |reader| NodeId(reader.number())),
            }),
            OK => Self::Ok,
            MARKED => Self::Marked {
                mark: reader.number(),
                is_final: take_flag(&mut reader),
            },
            PIECE => Self::Chunk {
                done: take_flag(&mut reader),
                crc: take_u32(&mut reader),
                total: reader.number(),
                data: reader.rest(),
            },
            NOT_YET => Self::NotYet {
                config: reader.number(),
            },
            GONE => Self::Gone,
            MARK_LOST => Self::MarkLost,
            tag => {
                if tag != FAILED {
                    reader.refuse("an unknown reply");
                }
                let number = usize::from(reader.byte());
                match StoreError::ALL.get(number) {
                    Some(error) => Self::Failed(*error),
                    None => {
                        reader.refuse("an unknown error");
                        Self::Failed(StoreError::Malformed)
                    }
                }
            }
        };
        reader.end()?;
        Ok(reply)
    }
}
