//! Frames: what travels between nodes, and between clients and nodes.
//!
//! A frame begins with its format version and kind. Decoding is total: any bytes give a frame or an
//! error, never a panic, and memory in proportion to the bytes. Payloads share the frame's buffer.
//! `docs/protocol.md` has the tables.

mod message;
mod request;

use core::fmt;

use bytes::Bytes;
use quorate_raft::{Message, NodeId, StorageId};

use self::message::{message_size, read_message, write_message};
pub use self::message::{read_conf, write_conf};
pub(crate) use self::message::{
    read_entries, read_id, read_meta, write_entries, write_id, write_meta,
};
use self::request::{read_reply, read_request, write_reply, write_request};
use crate::request::{Reply, Request, RequestBody};
use crate::varint::{Malformed, Reader, Writer};

/// The version of all frames. A frame of another version is refused.
pub const FRAME_VERSION: u8 = 2;

/// Numbers that reach JavaScript stay below this (2^53).
const MAX_SAFE: u64 = 1 << 53;

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Of a version that this code does not speak.
    Version {
        /// The version found.
        found: u8,
    },
    /// Of another kind than was asked for.
    Kind {
        /// The kind found.
        found: u8,
    },
    /// No frame that `encode` makes.
    Malformed(&'static str),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found } => write!(f, "the frame has version {found}"),
            Self::Kind { found } => write!(f, "the frame is of kind {found}"),
            Self::Malformed(what) => write!(f, "the frame is malformed: {what}"),
        }
    }
}

impl core::error::Error for FrameError {}

impl From<Malformed> for FrameError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.0)
    }
}

type Decoded<T> = Result<T, FrameError>;

#[derive(Clone, Copy)]
enum Kind {
    Messages = 1,
    Requests = 2,
    Replies = 3,
    Groups = 4,
    Beat = 5,
}

/// All messages of one drain to one peer. `cluster` tells clusters apart that share a channel; the
/// sender's storage is said once, for all.
#[must_use]
pub fn encode_messages(cluster: u64, group: u32, messages: &[Message]) -> Vec<u8> {
    encode_messages_in(Vec::new(), cluster, group, messages)
}

/// The same, in a buffer that was used before.
#[must_use]
pub fn encode_messages_in(
    buffer: Vec<u8>,
    cluster: u64,
    group: u32,
    messages: &[Message],
) -> Vec<u8> {
    let size = 24 + messages.iter().map(message_size).sum::<usize>();
    let mut writer = begin_messages(buffer, Kind::Messages, size, cluster, messages.first());
    writer.number(u64::from(group));
    writer.number(messages.len() as u64);
    for message in messages {
        write_message(&mut writer, message);
    }
    writer.finish()
}

/// All messages of one drain to one peer, each with its group. Those of a group that follow one another
/// share its number; if they are all of one group, it is the frame of [`encode_messages`].
#[must_use]
pub fn encode_groups(cluster: u64, messages: &[(u32, Message)]) -> Vec<u8> {
    let parts = || messages.chunk_by(|(one, _), (next, _)| one == next);
    let count = parts().count();
    let several = count != 1;
    let kind = if several {
        Kind::Groups
    } else {
        Kind::Messages
    };
    let sizes = messages.iter().map(|(_, message)| message_size(message));
    // What a message may take has room for a part's head.
    let size = 24 + sizes.sum::<usize>();
    let first = messages.first().map(|(_, message)| message);
    let mut writer = begin_messages(Vec::new(), kind, size, cluster, first);
    if several {
        writer.number(count as u64);
    }
    for part in parts() {
        writer.number(u64::from(part[0].0));
        writer.number(part.len() as u64);
        for (_, message) in part {
            write_message(&mut writer, message);
        }
    }
    writer.finish()
}

/// `first` says whose storage it is: that of all of them.
fn begin_messages(
    buffer: Vec<u8>,
    kind: Kind,
    size: usize,
    cluster: u64,
    first: Option<&Message>,
) -> Writer {
    let mut writer = begin_in(buffer, kind, size);
    writer.raw(&cluster.to_le_bytes());
    let storage = first.map_or(0, |message| message.storage.0);
    writer.raw(&storage.to_le_bytes());
    writer
}

/// The cluster, the group and the messages of a frame.
///
/// # Errors
/// The bytes are no such frame.
pub fn decode_messages(frame: &Bytes) -> Decoded<(u64, u32, Vec<Message>)> {
    let mut messages = Vec::new();
    let (cluster, group) = read_groups(&mut messages, Kind::Messages, frame)?;
    let messages = messages.into_iter().map(|(_, message)| message);
    Ok((cluster, group, messages.collect()))
}

/// The cluster and the messages of a frame, of one group or of several, each with its group, in a list
/// that may have been used before. After an error what is in it does not count.
///
/// # Errors
/// The bytes are no such frame.
pub fn decode_groups_in(messages: &mut Vec<(u32, Message)>, frame: &Bytes) -> Decoded<u64> {
    let several = frame.get(1) == Some(&(Kind::Groups as u8));
    let kind = if several {
        Kind::Groups
    } else {
        Kind::Messages
    };
    read_groups(messages, kind, frame).map(|(cluster, _)| cluster)
}

/// The cluster, and the group of the last part.
fn read_groups(
    messages: &mut Vec<(u32, Message)>,
    kind: Kind,
    frame: &Bytes,
) -> Decoded<(u64, u32)> {
    messages.clear();
    let mut reader = open(frame, kind)?;
    let cluster = reader.fixed();
    let storage = StorageId(reader.fixed());
    let several = matches!(kind, Kind::Groups);
    // Each with its number, the count, and a message at least.
    let parts = if several { reader.count(6) } else { 1 };
    let mut is_proper = !several || parts > 1;
    let mut group = 0;
    for part in 0..parts {
        let last = core::mem::replace(&mut group, small(&mut reader));
        let count = reader.count(4);
        // A part has something to say, and what a group says next is of the same part.
        is_proper &= !several || (count > 0 && (part == 0 || group != last));
        messages.reserve(count);
        for _ in 0..count {
            messages.push((group, read_message(&mut reader, storage)));
        }
    }
    if !is_proper {
        reader.refuse("no parts of groups");
    }
    reader.end()?;
    if messages.is_empty() && storage != StorageId(0) {
        return Err(FrameError::Malformed("a storage of nobody"));
    }
    Ok((cluster, group))
}

/// Requests of one client to one node.
#[must_use]
pub fn encode_requests(group: u32, requests: &[Request]) -> Vec<u8> {
    let size = |request: &Request| match &request.body {
        RequestBody::OpenSession | RequestBody::CloseSession { .. } => 24,
        RequestBody::Write { command, .. } | RequestBody::Propose { command } => command.len() + 48,
        RequestBody::Read { query, .. } => query.len() + 24,
    };
    let mut writer = begin(
        Kind::Requests,
        16 + requests.iter().map(size).sum::<usize>(),
    );
    writer.number(u64::from(group));
    writer.number(requests.len() as u64);
    for request in requests {
        write_request(&mut writer, request);
    }
    writer.finish()
}

/// The group and the requests of a frame.
///
/// # Errors
/// The bytes are no such frame.
pub fn decode_requests(frame: &Bytes) -> Decoded<(u32, Vec<Request>)> {
    let mut reader = open(frame, Kind::Requests)?;
    let group = small(&mut reader);
    let requests = reader.list(2, read_request);
    reader.end()?;
    Ok((group, requests))
}

/// Answers of one node to one client.
#[must_use]
pub fn encode_replies(group: u32, replies: &[Reply]) -> Vec<u8> {
    let size = |reply: &Reply| reply.result.as_ref().map_or(0, Bytes::len) + 24;
    let mut writer = begin(Kind::Replies, 16 + replies.iter().map(size).sum::<usize>());
    writer.number(u64::from(group));
    writer.number(replies.len() as u64);
    for reply in replies {
        write_reply(&mut writer, reply);
    }
    writer.finish()
}

/// The group and the replies of a frame.
///
/// # Errors
/// The bytes are no such frame.
pub fn decode_replies(frame: &Bytes) -> Decoded<(u32, Vec<Reply>)> {
    let mut reader = open(frame, Kind::Replies)?;
    let group = small(&mut reader);
    let replies = reader.list(2, read_reply);
    reader.end()?;
    Ok((group, replies))
}

/// The sign of life of a node's host to another. `run` is drawn when it begins to run.
#[must_use]
pub fn encode_beat(cluster: u64, from: NodeId, run: u64) -> Vec<u8> {
    let mut writer = begin(Kind::Beat, 32);
    writer.raw(&cluster.to_le_bytes());
    writer.number(from.0);
    writer.raw(&run.to_le_bytes());
    writer.finish()
}

/// The cluster, the sender and its run of a frame.
///
/// # Errors
/// The bytes are no such frame.
pub fn decode_beat(frame: &Bytes) -> Decoded<(u64, NodeId, u64)> {
    let mut reader = open(frame, Kind::Beat)?;
    let cluster = reader.fixed();
    let from = NodeId(safe(&mut reader));
    let run = reader.fixed();
    reader.end()?;
    Ok((cluster, from, run))
}

fn begin(kind: Kind, size: usize) -> Writer {
    begin_in(Vec::new(), kind, size)
}

fn begin_in(buffer: Vec<u8>, kind: Kind, size: usize) -> Writer {
    let mut writer = Writer::reuse(buffer, size);
    writer.byte(FRAME_VERSION);
    writer.byte(kind as u8);
    writer
}

fn open(frame: &Bytes, kind: Kind) -> Decoded<Reader<'_>> {
    let mut reader = Reader::new(frame);
    let found = reader.byte();
    if found != FRAME_VERSION {
        reader.check()?;
        return Err(FrameError::Version { found });
    }
    let found = reader.byte();
    if found != kind as u8 {
        reader.check()?;
        return Err(FrameError::Kind { found });
    }
    Ok(reader)
}

pub(crate) fn small(reader: &mut Reader<'_>) -> u32 {
    let number = reader.number();
    u32::try_from(number).unwrap_or_else(|_| reader.fail("a number exceeds 32 bits"))
}

pub(crate) fn safe(reader: &mut Reader<'_>) -> u64 {
    let number = reader.number();
    if number < MAX_SAFE {
        number
    } else {
        reader.fail("a number exceeds 2^53")
    }
}
