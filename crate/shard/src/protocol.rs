//! What clients, movers and groups say to each other: commands for a group's log, queries, replies.
//!
//! All of it travels inside `rsm`'s requests, as commands outside of its sessions: a shard keeps the
//! sessions of its clients itself, so that they travel with it, and whatever a mover asks for does
//! nothing a second time.

mod codec;

use bytes::Bytes;
use quorate_raft::NodeId;
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
