//! Frames: what travels between nodes, and between clients and nodes.
//!
//! A frame begins with its format version and kind. Decoding is total: any bytes give a frame or an
//! error, never a panic, and memory in proportion to the bytes. Payloads share the frame's buffer.
//! `docs/protocol.md` has the tables.

use core::fmt;

use bytes::Bytes;
use quorate_raft::{
    AppendOutcome, Body, ConfState, Entry, EntryId, Index, Message, NodeId, Payload, SnapshotMeta,
    SnapshotOutcome, Term,
};

use crate::request::{Reply, Request, RequestBody, RequestError, RequestId, SessionId};
use crate::varint::{Malformed, Reader, Writer};

/// The version of all frames. A frame of another version is refused.
pub const FRAME_VERSION: u8 = 1;

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
}

/// All messages of one drain to one peer. `cluster` tells clusters apart that share a channel.
#[must_use]
pub fn encode_messages(cluster: u64, group: u32, messages: &[Message]) -> Vec<u8> {
    let mut writer = begin(
        Kind::Messages,
        16 + messages.iter().map(message_size).sum::<usize>(),
    );
    writer.raw(&cluster.to_le_bytes());
    writer.number(u64::from(group));
    writer.number(messages.len() as u64);
    for message in messages {
        write_message(&mut writer, message);
    }
    writer.finish()
}

/// The cluster, the group and the messages of a frame.
///
/// # Errors
/// The bytes are no such frame.
pub fn decode_messages(frame: &Bytes) -> Decoded<(u64, u32, Vec<Message>)> {
    let mut reader = open(frame, Kind::Messages)?;
    let cluster = reader.take(8)?;
    let cluster = <[u8; 8]>::try_from(&cluster[..]).map_or(0, u64::from_le_bytes);
    let group = group(&mut reader)?;
    let messages = list(&mut reader, 4, read_message)?;
    reader.end()?;
    Ok((cluster, group, messages))
}

/// Requests of one client to one node.
#[must_use]
pub fn encode_requests(group: u32, requests: &[Request]) -> Vec<u8> {
    let size = |request: &Request| match &request.body {
        RequestBody::OpenSession | RequestBody::CloseSession { .. } => 24,
        RequestBody::Write { command, .. } => command.len() + 48,
        RequestBody::Read { query } => query.len() + 24,
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
    let group = group(&mut reader)?;
    let requests = list(&mut reader, 2, read_request)?;
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
    let group = group(&mut reader)?;
    let replies = list(&mut reader, 2, read_reply)?;
    reader.end()?;
    Ok((group, replies))
}

fn begin(kind: Kind, size: usize) -> Writer {
    let mut writer = Writer::with_capacity(size);
    writer.byte(FRAME_VERSION);
    writer.byte(kind as u8);
    writer
}

fn open(frame: &Bytes, kind: Kind) -> Decoded<Reader> {
    let mut reader = Reader::new(frame.clone());
    match reader.byte()? {
        FRAME_VERSION => {}
        found => return Err(FrameError::Version { found }),
    }
    match reader.byte()? {
        found if found == kind as u8 => Ok(reader),
        found => Err(FrameError::Kind { found }),
    }
}

/// An upper bound, so that a frame is one allocation.
fn message_size(message: &Message) -> usize {
    64 + match &message.body {
        Body::AppendEntries { entries, .. } => {
            entries.iter().map(|entry| entry.size_bytes() + 8).sum()
        }
        Body::InstallSnapshot { meta, data, .. } => data.len() + 16 + conf_size(&meta.conf_state),
        Body::PreVote { .. }
        | Body::PreVoteResponse { .. }
        | Body::RequestVote { .. }
        | Body::RequestVoteResponse { .. }
        | Body::AppendEntriesResponse(_)
        | Body::Heartbeat { .. }
        | Body::HeartbeatResponse { .. }
        | Body::InstallSnapshotResponse { .. }
        | Body::TimeoutNow => 0,
    }
}

fn conf_size(conf_state: &ConfState) -> usize {
    let ConfState {
        voters,
        voters_outgoing,
        learners,
        learners_next,
    } = conf_state;
    10 * (4 + voters.len() + voters_outgoing.len() + learners.len() + learners_next.len())
}

const PRE_VOTE: u8 = 1;
const PRE_VOTE_GRANTED: u8 = 2;
const PRE_VOTE_REFUSED: u8 = 3;
const REQUEST_VOTE: u8 = 4;
const REQUEST_VOTE_TRANSFER: u8 = 5;
const VOTE_GRANTED: u8 = 6;
const VOTE_REFUSED: u8 = 7;
const APPEND: u8 = 8;
const APPEND_ACCEPTED: u8 = 9;
const APPEND_REJECTED: u8 = 10;
const HEARTBEAT: u8 = 11;
const COMMIT_NOTICE: u8 = 12;
const HEARTBEAT_RESPONSE: u8 = 13;
const SNAPSHOT: u8 = 14;
const SNAPSHOT_LAST: u8 = 15;
const SNAPSHOT_CONTINUE: u8 = 16;
const SNAPSHOT_INSTALLED: u8 = 17;
const TIMEOUT_NOW: u8 = 18;

fn write_message(writer: &mut Writer, message: &Message) {
    let Message {
        from,
        to,
        term,
        body,
    } = message;
    writer.byte(match body {
        Body::PreVote { .. } => PRE_VOTE,
        Body::PreVoteResponse { granted: true } => PRE_VOTE_GRANTED,
        Body::PreVoteResponse { granted: false } => PRE_VOTE_REFUSED,
        Body::RequestVote {
            transfer: false, ..
        } => REQUEST_VOTE,
        Body::RequestVote { transfer: true, .. } => REQUEST_VOTE_TRANSFER,
        Body::RequestVoteResponse { granted: true } => VOTE_GRANTED,
        Body::RequestVoteResponse { granted: false } => VOTE_REFUSED,
        Body::AppendEntries { .. } => APPEND,
        Body::AppendEntriesResponse(AppendOutcome::Accepted { .. }) => APPEND_ACCEPTED,
        Body::AppendEntriesResponse(AppendOutcome::Rejected { .. }) => APPEND_REJECTED,
        Body::Heartbeat { round: Some(_), .. } => HEARTBEAT,
        Body::Heartbeat { round: None, .. } => COMMIT_NOTICE,
        Body::HeartbeatResponse { .. } => HEARTBEAT_RESPONSE,
        Body::InstallSnapshot { done: false, .. } => SNAPSHOT,
        Body::InstallSnapshot { done: true, .. } => SNAPSHOT_LAST,
        Body::InstallSnapshotResponse {
            outcome: SnapshotOutcome::Continue { .. },
            ..
        } => SNAPSHOT_CONTINUE,
        Body::InstallSnapshotResponse {
            outcome: SnapshotOutcome::Installed { .. },
            ..
        } => SNAPSHOT_INSTALLED,
        Body::TimeoutNow => TIMEOUT_NOW,
    });
    writer.number(from.0);
    writer.number(to.0);
    writer.number(term.0);
    match body {
        Body::PreVote { last } | Body::RequestVote { last, .. } => write_id(writer, *last),
        Body::PreVoteResponse { .. } | Body::RequestVoteResponse { .. } | Body::TimeoutNow => {}
        Body::AppendEntries {
            prev,
            commit,
            entries,
        } => {
            write_id(writer, *prev);
            writer.number(commit.0);
            write_entries(writer, prev.term, entries);
        }
        Body::AppendEntriesResponse(AppendOutcome::Accepted { matched }) => {
            writer.number(matched.0);
        }
        Body::AppendEntriesResponse(AppendOutcome::Rejected { prev, hint }) => {
            writer.number(prev.0);
            write_id(writer, *hint);
        }
        Body::Heartbeat { commit, round } => {
            writer.number(commit.0);
            if let Some(round) = round {
                writer.number(*round);
            }
        }
        Body::HeartbeatResponse { round } => writer.number(*round),
        Body::InstallSnapshot {
            meta,
            number,
            done: _,
            data,
        } => {
            write_meta(writer, meta);
            writer.number(u64::from(*number));
            writer.bytes(data);
        }
        Body::InstallSnapshotResponse { snapshot, outcome } => {
            writer.number(snapshot.0);
            writer.number(match outcome {
                SnapshotOutcome::Continue { next } => u64::from(*next),
                SnapshotOutcome::Installed { matched } => matched.0,
            });
        }
    }
}

fn read_message(reader: &mut Reader) -> Decoded<Message> {
    let tag = reader.byte()?;
    let from = NodeId(safe(reader)?);
    let to = NodeId(safe(reader)?);
    let term = Term(safe(reader)?);
    let body = match tag {
        PRE_VOTE => Body::PreVote {
            last: read_id(reader)?,
        },
        PRE_VOTE_GRANTED => Body::PreVoteResponse { granted: true },
        PRE_VOTE_REFUSED => Body::PreVoteResponse { granted: false },
        REQUEST_VOTE => Body::RequestVote {
            last: read_id(reader)?,
            transfer: false,
        },
        REQUEST_VOTE_TRANSFER => Body::RequestVote {
            last: read_id(reader)?,
            transfer: true,
        },
        VOTE_GRANTED => Body::RequestVoteResponse { granted: true },
        VOTE_REFUSED => Body::RequestVoteResponse { granted: false },
        APPEND => {
            let prev = read_id(reader)?;
            let commit = Index(safe(reader)?);
            let entries = read_entries(reader, prev)?;
            Body::AppendEntries {
                prev,
                commit,
                entries,
            }
        }
        APPEND_ACCEPTED => {
            let matched = Index(safe(reader)?);
            Body::AppendEntriesResponse(AppendOutcome::Accepted { matched })
        }
        APPEND_REJECTED => {
            let prev = Index(safe(reader)?);
            let hint = read_id(reader)?;
            Body::AppendEntriesResponse(AppendOutcome::Rejected { prev, hint })
        }
        HEARTBEAT => {
            let commit = Index(safe(reader)?);
            Body::Heartbeat {
                commit,
                round: Some(safe(reader)?),
            }
        }
        COMMIT_NOTICE => Body::Heartbeat {
            commit: Index(safe(reader)?),
            round: None,
        },
        HEARTBEAT_RESPONSE => Body::HeartbeatResponse {
            round: safe(reader)?,
        },
        SNAPSHOT | SNAPSHOT_LAST => {
            let meta = read_meta(reader)?;
            let number = small(reader)?;
            let data = reader.bytes()?;
            Body::InstallSnapshot {
                meta,
                number,
                done: tag == SNAPSHOT_LAST,
                data,
            }
        }
        SNAPSHOT_CONTINUE => {
            let snapshot = Index(safe(reader)?);
            let outcome = SnapshotOutcome::Continue {
                next: small(reader)?,
            };
            Body::InstallSnapshotResponse { snapshot, outcome }
        }
        SNAPSHOT_INSTALLED => {
            let snapshot = Index(safe(reader)?);
            let outcome = SnapshotOutcome::Installed {
                matched: Index(safe(reader)?),
            };
            Body::InstallSnapshotResponse { snapshot, outcome }
        }
        TIMEOUT_NOW => Body::TimeoutNow,
        _ => return Err(FrameError::Malformed("an unknown message")),
    };
    Ok(Message {
        from,
        to,
        term,
        body,
    })
}

/// Consecutive entries after one of term `term`: each its kind and length in one number, and the
/// step of the term only where it rises. Also how entries are stored.
pub(crate) fn write_entries(writer: &mut Writer, mut term: Term, entries: &[Entry]) {
    writer.number(entries.len() as u64);
    for Entry { id, payload } in entries {
        let rises = id.term > term;
        let size = match payload {
            Payload::Noop => 0,
            Payload::Command(data) => data.len() as u64 + 1,
        };
        writer.number(size << 1 | u64::from(rises));
        if rises {
            writer.number(id.term.0 - term.0);
            term = id.term;
        }
        if let Payload::Command(data) = payload {
            writer.raw(data);
        }
    }
}

pub(crate) fn read_entries(reader: &mut Reader, prev: EntryId) -> Decoded<Vec<Entry>> {
    let count = reader.count(1)?;
    let EntryId {
        mut term,
        mut index,
    } = prev;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let head = reader.number()?;
        if head & 1 == 1 {
            let step = safe(reader)?;
            if step == 0 {
                return Err(FrameError::Malformed("a term that rises by nothing"));
            }
            term = Term(term.0 + step);
        }
        index = index.next();
        if term.0 >= MAX_SAFE || index.0 >= MAX_SAFE {
            return Err(FrameError::Malformed("a term or an index exceeds 2^53"));
        }
        let payload = match (head >> 1).checked_sub(1) {
            None => Payload::Noop,
            Some(len) => Payload::Command(reader.take(usize::try_from(len).unwrap_or(usize::MAX))?),
        };
        entries.push(Entry {
            id: EntryId::new(term, index),
            payload,
        });
    }
    Ok(entries)
}

pub(crate) fn write_id(writer: &mut Writer, id: EntryId) {
    writer.number(id.term.0);
    writer.number(id.index.0);
}

pub(crate) fn read_id(reader: &mut Reader) -> Decoded<EntryId> {
    Ok(EntryId::new(Term(safe(reader)?), Index(safe(reader)?)))
}

pub(crate) fn write_meta(writer: &mut Writer, meta: &SnapshotMeta) {
    write_id(writer, meta.last);
    let ConfState {
        voters,
        voters_outgoing,
        learners,
        learners_next,
    } = &meta.conf_state;
    for ids in [voters, voters_outgoing, learners, learners_next] {
        writer.number(ids.len() as u64);
        for id in ids {
            writer.number(id.0);
        }
    }
}

pub(crate) fn read_meta(reader: &mut Reader) -> Decoded<SnapshotMeta> {
    let last = read_id(reader)?;
    let mut ids = || {
        let ids = list(reader, 1, |reader| safe(reader).map(NodeId))?;
        if ids.is_sorted_by(|a, b| a < b) {
            Ok(ids)
        } else {
            Err(FrameError::Malformed("a membership is not sorted"))
        }
    };
    let conf_state = ConfState {
        voters: ids()?,
        voters_outgoing: ids()?,
        learners: ids()?,
        learners_next: ids()?,
    };
    Ok(SnapshotMeta { last, conf_state })
}

const OPEN_SESSION: u8 = 1;
const CLOSE_SESSION: u8 = 2;
const WRITE: u8 = 3;
const READ: u8 = 4;

fn write_request(writer: &mut Writer, request: &Request) {
    writer.number(request.id.0);
    match &request.body {
        RequestBody::OpenSession => writer.byte(OPEN_SESSION),
        RequestBody::CloseSession { session } => {
            writer.byte(CLOSE_SESSION);
            writer.number(session.0);
        }
        RequestBody::Write {
            session,
            sequence,
            acknowledged,
            command,
        } => {
            writer.byte(WRITE);
            writer.number(session.0);
            writer.number(*sequence);
            writer.number(*acknowledged);
            writer.bytes(command);
        }
        RequestBody::Read { query } => {
            writer.byte(READ);
            writer.bytes(query);
        }
    }
}

fn read_request(reader: &mut Reader) -> Decoded<Request> {
    let id = RequestId(safe(reader)?);
    let body = match reader.byte()? {
        OPEN_SESSION => RequestBody::OpenSession,
        CLOSE_SESSION => RequestBody::CloseSession {
            session: SessionId(safe(reader)?),
        },
        WRITE => RequestBody::Write {
            session: SessionId(safe(reader)?),
            sequence: safe(reader)?,
            acknowledged: safe(reader)?,
            command: reader.bytes()?,
        },
        READ => RequestBody::Read {
            query: reader.bytes()?,
        },
        _ => return Err(FrameError::Malformed("an unknown request")),
    };
    Ok(Request { id, body })
}

const DONE: u8 = 0;
const NOT_LEADER: u8 = 1;
const LEADERSHIP_LOST: u8 = 2;
const OVERLOADED: u8 = 3;
const SESSION_EXPIRED: u8 = 4;
const TOO_LARGE: u8 = 5;
const WINDOW_EXCEEDED: u8 = 6;

fn write_reply(writer: &mut Writer, reply: &Reply) {
    // Node ids start at 1, so zero can say "unknown".
    let hinted = |writer: &mut Writer, tag, hint: &Option<NodeId>| {
        writer.byte(tag);
        writer.number(hint.map_or(0, |node| node.0));
    };
    writer.number(reply.id.0);
    match &reply.result {
        Ok(data) => {
            writer.byte(DONE);
            writer.bytes(data);
        }
        Err(RequestError::NotLeader { hint }) => hinted(writer, NOT_LEADER, hint),
        Err(RequestError::LeadershipLost { hint }) => hinted(writer, LEADERSHIP_LOST, hint),
        Err(RequestError::Overloaded) => writer.byte(OVERLOADED),
        Err(RequestError::SessionExpired) => writer.byte(SESSION_EXPIRED),
        Err(RequestError::TooLarge { limit }) => {
            writer.byte(TOO_LARGE);
            writer.number(u64::from(*limit));
        }
        Err(RequestError::WindowExceeded) => writer.byte(WINDOW_EXCEEDED),
    }
}

fn read_reply(reader: &mut Reader) -> Decoded<Reply> {
    let id = RequestId(safe(reader)?);
    let hint = |reader: &mut Reader| -> Decoded<Option<NodeId>> {
        Ok(Some(NodeId(safe(reader)?)).filter(|node| node.0 > 0))
    };
    let result = match reader.byte()? {
        DONE => Ok(reader.bytes()?),
        NOT_LEADER => Err(RequestError::NotLeader {
            hint: hint(reader)?,
        }),
        LEADERSHIP_LOST => Err(RequestError::LeadershipLost {
            hint: hint(reader)?,
        }),
        OVERLOADED => Err(RequestError::Overloaded),
        SESSION_EXPIRED => Err(RequestError::SessionExpired),
        TOO_LARGE => Err(RequestError::TooLarge {
            limit: small(reader)?,
        }),
        WINDOW_EXCEEDED => Err(RequestError::WindowExceeded),
        _ => return Err(FrameError::Malformed("an unknown reply")),
    };
    Ok(Reply { id, result })
}

fn group(reader: &mut Reader) -> Decoded<u32> {
    small(reader)
}

fn small(reader: &mut Reader) -> Decoded<u32> {
    u32::try_from(reader.number()?).map_err(|_| FrameError::Malformed("a number exceeds 32 bits"))
}

pub(crate) fn safe(reader: &mut Reader) -> Decoded<u64> {
    let number = reader.number()?;
    if number < MAX_SAFE {
        Ok(number)
    } else {
        Err(FrameError::Malformed("a number exceeds 2^53"))
    }
}

/// Things that are each at least `min_bytes` long.
fn list<T>(
    reader: &mut Reader,
    min_bytes: usize,
    mut read: impl FnMut(&mut Reader) -> Decoded<T>,
) -> Decoded<Vec<T>> {
    let count = reader.count(min_bytes)?;
    let mut things = Vec::with_capacity(count);
    for _ in 0..count {
        things.push(read(reader)?);
    }
    Ok(things)
}
