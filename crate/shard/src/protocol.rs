//! What clients, movers and groups say to each other: commands for a group's log, queries, replies.
//!
//! All of it travels inside `rsm`'s requests, as commands outside of its sessions: a shard keeps the
//! sessions of its clients itself, so that they travel with it, and whatever a mover asks for does
//! nothing a second time.

use bytes::Bytes;
use quorate_raft::NodeId;
use quorate_rsm::wire::{Malformed, Reader, Writer};
use quorate_rsm::{RequestError, SessionId};

use crate::config::{Configuration, GroupId, ShardId};

/// A command of a group that holds shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The group's first: which one it is, and how many shards there are in all. A second time it does
    /// nothing.
    Found {
        /// Its id.
        group: GroupId,
        /// Of the whole cluster.
        shards: u32,
    },
    /// Takes over the next configuration, once the last one is done.
    Adopt(Configuration),
    /// To a group without shards that was away for long: go on from this configuration, which gives it
    /// none. The controller knows which one: see [`Mover`](crate::Mover).
    Skip(Configuration),
    /// Something of a client.
    Request {
        /// Where.
        shard: ShardId,
        /// What.
        body: Body,
    },
    /// To the giver: remember the shard as it is now, from which copies are made while it serves on.
    Mark {
        /// Which.
        shard: ShardId,
        /// By which configuration it leaves.
        config: u64,
        /// The mark up to which the taker has it.
        base: Option<u64>,
    },
    /// To the giver: serve the shard no longer. What it is now is what moves.
    Freeze {
        /// Which.
        shard: ShardId,
        /// By which configuration it leaves.
        config: u64,
        /// The mark up to which the taker has it.
        base: Option<u64>,
    },
    /// To the taker itself: a piece of a shard that arrives.
    Stage(Stage),
    /// To the giver itself: the taker has it. Its data goes.
    Delete {
        /// Which.
        shard: ShardId,
        /// By which configuration it left.
        config: u64,
    },
}

/// What a client asks of a shard, beside queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Open a session; the reply is its id as eight little-endian bytes.
    Open,
    /// End a session.
    Close {
        /// Which.
        session: SessionId,
    },
    /// Execute a command of the store, exactly once per (session, sequence).
    Write {
        /// The session.
        session: SessionId,
        /// The command's number in it, from 1.
        sequence: u64,
        /// Every sequence up to this one was answered.
        acknowledged: u64,
        /// The store's command.
        command: Bytes,
    },
}

/// A piece of one copy of a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Which shard.
    pub shard: ShardId,
    /// By which configuration it arrives.
    pub config: u64,
    /// The giver's mark that the copy leads to.
    pub mark: u64,
    /// The mark from which it leads there; without one it is the whole shard.
    pub base: Option<u64>,
    /// Whether the shard was frozen at the mark: with the last piece it is served here.
    pub is_final: bool,
    /// Which piece, from 0.
    pub number: u32,
    /// Whether it is the last.
    pub done: bool,
    /// CRC-32 of the bytes, by the giver.
    pub crc: u32,
    /// The bytes.
    pub data: Bytes,
}

/// A question to a group that holds shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// A query of the store in one shard.
    Ask {
        /// Where.
        shard: ShardId,
        /// The store's query.
        query: Bytes,
    },
    /// A piece of a copy. Any node that holds the mark answers alike.
    Chunk {
        /// Of which shard.
        shard: ShardId,
        /// By which configuration it leaves.
        config: u64,
        /// The mark that the copy leads to.
        mark: u64,
        /// The mark from which it leads there.
        base: Option<u64>,
        /// Which piece, from 0.
        number: u32,
        /// How many bytes a piece has.
        max_bytes: u32,
    },
    /// To the taker: whether the shard is there. As a watch it waits until it is.
    Arrived {
        /// Which.
        shard: ShardId,
        /// By which configuration.
        config: u64,
    },
}

/// An answer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The store's reply, or a session's.
    Done(Bytes),
    /// The session refuses.
    Refused(RequestError),
    /// `WRONG_GROUP`: the shard is not served here.
    Elsewhere(Elsewhere),
    /// It is so now, or was before.
    Ok,
    /// The shard is remembered, or frozen, as of this mark: an index of the giver's log.
    Marked {
        /// Its name.
        mark: u64,
        /// Whether it is frozen: no other mark will follow.
        is_final: bool,
    },
    /// A piece.
    Chunk {
        /// Whether it is the last.
        done: bool,
        /// CRC-32 of the bytes.
        crc: u32,
        /// How many bytes all pieces have.
        total: u64,
        /// The bytes.
        data: Bytes,
    },
    /// This group is not that far: ask again.
    NotYet {
        /// Its configuration.
        config: u64,
    },
    /// That migration is over.
    Gone,
    /// This node does not hold the mark (any more): ask another, or for a new one.
    MarkLost,
    /// It cannot be done. Nothing has changed.
    Failed(StoreError),
}

/// Where a shard may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// The configuration of the group that says so.
    pub config: u64,
    /// Who serves it as far as that group knows; `NONE` if nobody.
    pub owner: GroupId,
    /// The owner's nodes.
    pub nodes: Vec<NodeId>,
}

/// Why a group refuses. Each has a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The bytes are no command or query of this version.
    Malformed,
    /// The group was not told yet which one it is.
    NotFounded,
    /// It is another group, or another number of shards.
    Foreign,
    /// A configuration comes after the next one, or one before is not done.
    TooEarly,
    /// There are not so many shards.
    UnknownShard,
    /// The shard neither leaves nor arrives, or not by that configuration.
    NotMoving,
    /// A piece that is not the next one.
    OutOfOrder,
    /// A piece was cut or altered on its way, or does not fit those before.
    BadChunk,
    /// A shard that is still served is not deleted.
    NotFrozen,
}

impl StoreError {
    /// All of them, in the order of their numbers on the wire.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::NotFounded,
        Self::Foreign,
        Self::TooEarly,
        Self::UnknownShard,
        Self::NotMoving,
        Self::OutOfOrder,
        Self::BadChunk,
        Self::NotFrozen,
    ];

    /// A name that does not change.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::NotFounded => "GROUP_NOT_FOUNDED",
            Self::Foreign => "FOREIGN_CONFIGURATION",
            Self::TooEarly => "CONFIGURATION_TOO_EARLY",
            Self::UnknownShard => "UNKNOWN_SHARD",
            Self::NotMoving => "SHARD_NOT_MOVING",
            Self::OutOfOrder => "CHUNK_OUT_OF_ORDER",
            Self::BadChunk => "BAD_CHUNK",
            Self::NotFrozen => "SHARD_NOT_FROZEN",
        }
    }
}

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
