//! What nodes say to one another, as bytes.

use std::sync::Arc;

use quorate_raft::{
    AppendOutcome, Body, ConfState, Entry, EntryId, Index, Message, NodeId, Payload, SnapshotMeta,
    SnapshotOutcome, StateDigest, StorageId, Table, Term,
};

use super::{MAX_SAFE, safe, small};
use crate::varint::{Reader, Writer};

/// An upper bound, so that a frame is one allocation.
pub(super) fn message_size(message: &Message) -> usize {
    64 + match &message.body {
        Body::AppendEntries { entries, .. } => entries.iter().map(entry_size).sum(),
        Body::InstallSnapshot { meta, data, .. } => data.len() + 16 + conf_size(&meta.conf_state),
        Body::PreVote { .. }
        | Body::PreVoteResponse { .. }
        | Body::RequestVote { .. }
        | Body::RequestVoteResponse { .. }
        | Body::AppendEntriesResponse(_)
        | Body::Heartbeat { .. }
        | Body::HeartbeatResponse { .. }
        | Body::InstallSnapshotResponse { .. }
        | Body::TimeoutNow
        | Body::ReadIndex { .. }
        | Body::ReadIndexResponse { .. }
        | Body::Digest(_)
        | Body::Sleep { .. }
        | Body::SleepResponse { .. } => 0,
    }
}

fn entry_size(entry: &Entry) -> usize {
    8 + match &entry.payload {
        Payload::Noop => 0,
        Payload::Command(data) => data.len(),
        Payload::Membership(conf_state) => conf_size(conf_state),
    }
}

fn conf_size(conf_state: &ConfState) -> usize {
    let ids: usize = id_lists(conf_state).iter().map(|list| list.len()).sum();
    let storages = conf_state.storages.len() + conf_state.storages_next.len();
    80 + 10 * ids + 18 * storages
}

fn id_lists(conf_state: &ConfState) -> [&Vec<NodeId>; 6] {
    [
        &conf_state.voters,
        &conf_state.voters_outgoing,
        &conf_state.learners,
        &conf_state.learners_next,
        &conf_state.joining,
        &conf_state.leaving,
    ]
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
const READ_INDEX: u8 = 19;
const READ_INDEX_RESPONSE: u8 = 20;
const DIGEST: u8 = 21;
const SLEEP: u8 = 22;
const SLEEP_RESPONSE: u8 = 23;

const NOOP: u8 = 0;
const MEMBERSHIP: u8 = 1;

pub(super) fn write_message(writer: &mut Writer, message: &Message) {
    let Message {
        from,
        to,
        storage: _,
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
        Body::ReadIndex { .. } => READ_INDEX,
        Body::ReadIndexResponse { .. } => READ_INDEX_RESPONSE,
        Body::Digest(_) => DIGEST,
        Body::Sleep { .. } => SLEEP,
        Body::SleepResponse { .. } => SLEEP_RESPONSE,
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
        Body::HeartbeatResponse { round } | Body::SleepResponse { round } => {
            writer.number(*round);
        }
        Body::Sleep { last, round } => {
            writer.number(last.0);
            writer.number(*round);
        }
        Body::ReadIndex { ctx } => writer.number(*ctx),
        Body::ReadIndexResponse { ctx, index } => {
            writer.number(*ctx);
            writer.number(index.0);
        }
        Body::Digest(StateDigest {
            index,
            format,
            hash,
        }) => {
            writer.number(index.0);
            writer.number(*format);
            writer.raw(&hash.to_le_bytes());
        }
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

pub(super) fn read_message(reader: &mut Reader<'_>, storage: StorageId) -> Message {
    let tag = reader.byte();
    let from = NodeId(safe(reader));
    let to = NodeId(safe(reader));
    let term = Term(safe(reader));
    let body = match tag {
        PRE_VOTE => Body::PreVote {
            last: read_id(reader),
        },
        PRE_VOTE_GRANTED => Body::PreVoteResponse { granted: true },
        PRE_VOTE_REFUSED => Body::PreVoteResponse { granted: false },
        REQUEST_VOTE => Body::RequestVote {
            last: read_id(reader),
            transfer: false,
        },
        REQUEST_VOTE_TRANSFER => Body::RequestVote {
            last: read_id(reader),
            transfer: true,
        },
        VOTE_GRANTED => Body::RequestVoteResponse { granted: true },
        VOTE_REFUSED => Body::RequestVoteResponse { granted: false },
        APPEND => {
            let prev = read_id(reader);
            let commit = Index(safe(reader));
            let entries = read_entries(reader, prev);
            Body::AppendEntries {
                prev,
                commit,
                entries,
            }
        }
        APPEND_ACCEPTED => {
            let matched = Index(safe(reader));
            Body::AppendEntriesResponse(AppendOutcome::Accepted { matched })
        }
        APPEND_REJECTED => {
            let prev = Index(safe(reader));
            let hint = read_id(reader);
            Body::AppendEntriesResponse(AppendOutcome::Rejected { prev, hint })
        }
        HEARTBEAT => {
            let commit = Index(safe(reader));
            Body::Heartbeat {
                commit,
                round: Some(safe(reader)),
            }
        }
        COMMIT_NOTICE => Body::Heartbeat {
            commit: Index(safe(reader)),
            round: None,
        },
        HEARTBEAT_RESPONSE => Body::HeartbeatResponse {
            round: safe(reader),
        },
        SNAPSHOT | SNAPSHOT_LAST => {
            let meta = Box::new(read_meta(reader));
            let number = small(reader);
            let data = reader.bytes();
            Body::InstallSnapshot {
                meta,
                number,
                done: tag == SNAPSHOT_LAST,
                data,
            }
        }
        SNAPSHOT_CONTINUE => {
            let snapshot = Index(safe(reader));
            let outcome = SnapshotOutcome::Continue {
                next: small(reader),
            };
            Body::InstallSnapshotResponse { snapshot, outcome }
        }
        SNAPSHOT_INSTALLED => {
            let snapshot = Index(safe(reader));
            let outcome = SnapshotOutcome::Installed {
                matched: Index(safe(reader)),
            };
            Body::InstallSnapshotResponse { snapshot, outcome }
        }
        READ_INDEX => Body::ReadIndex { ctx: safe(reader) },
        READ_INDEX_RESPONSE => Body::ReadIndexResponse {
            ctx: safe(reader),
            index: Index(safe(reader)),
        },
        DIGEST => Body::Digest(StateDigest {
            index: Index(safe(reader)),
            format: safe(reader),
            hash: reader.fixed(),
        }),
        SLEEP => Body::Sleep {
            last: Index(safe(reader)),
            round: safe(reader),
        },
        SLEEP_RESPONSE => Body::SleepResponse {
            round: safe(reader),
        },
        tag => {
            if tag != TIMEOUT_NOW {
                reader.refuse("an unknown message");
            }
            Body::TimeoutNow
        }
    };
    if !is_possible(term, &body) {
        reader.refuse("newer than its own term");
    }
    Message {
        from,
        to,
        storage,
        term,
        body,
    }
}

/// Whether a node of `term` can say this: nothing in it is of a later term, and whoever leads or runs
/// does so in a term. What a node took from another it must be able to read back from its storage.
fn is_possible(term: Term, body: &Body) -> bool {
    match body {
        Body::AppendEntries { prev, entries, .. } => {
            let last = entries.last().map_or(prev.term, |entry| entry.id.term);
            term.0 > 0 && last <= term
        }
        Body::InstallSnapshot { meta, .. } => term.0 > 0 && meta.last.term <= term,
        Body::PreVote { last } | Body::RequestVote { last, .. } => last.term < term,
        Body::Heartbeat { .. }
        | Body::Sleep { .. }
        | Body::TimeoutNow
        | Body::ReadIndexResponse { .. } => term.0 > 0,
        Body::PreVoteResponse { .. }
        | Body::RequestVoteResponse { .. }
        | Body::AppendEntriesResponse(_)
        | Body::HeartbeatResponse { .. }
        | Body::InstallSnapshotResponse { .. }
        | Body::ReadIndex { .. }
        | Body::SleepResponse { .. }
        | Body::Digest(_) => true,
    }
}

/// Consecutive entries after one of term `term`: each its kind and length in one number, and the
/// step of the term only where it rises. What is no command has length zero and says what it is.
/// Also how entries are stored.
pub(crate) fn write_entries(writer: &mut Writer, mut term: Term, entries: &[Entry]) {
    writer.number(entries.len() as u64);
    for Entry { id, payload } in entries {
        let rises = id.term > term;
        let size = match payload {
            Payload::Noop | Payload::Membership(_) => 0,
            Payload::Command(data) => data.len() as u64 + 1,
        };
        writer.number(size << 1 | u64::from(rises));
        if rises {
            writer.number(id.term.0 - term.0);
            term = id.term;
        }
        match payload {
            Payload::Noop => writer.byte(NOOP),
            Payload::Command(data) => writer.raw(data),
            Payload::Membership(conf_state) => {
                writer.byte(MEMBERSHIP);
                write_conf(writer, conf_state);
            }
        }
    }
}

pub(crate) fn read_entries(reader: &mut Reader<'_>, prev: EntryId) -> Vec<Entry> {
    let EntryId {
        mut term,
        mut index,
    } = prev;
    reader.list(1, |reader| {
        let head = reader.number();
        if head & 1 == 1 {
            let step = safe(reader);
            if step == 0 {
                reader.refuse("a term that rises by nothing");
            }
            term = Term(term.0 + step);
        }
        index = index.next();
        if term.0 >= MAX_SAFE || index.0 >= MAX_SAFE {
            reader.refuse("a term or an index exceeds 2^53");
        }
        let payload = match (head >> 1).checked_sub(1) {
            None => match reader.byte() {
                MEMBERSHIP => Payload::Membership(Arc::new(read_membership(reader))),
                kind => {
                    if kind != NOOP {
                        reader.refuse("an unknown entry");
                    }
                    Payload::Noop
                }
            },
            Some(len) => Payload::Command(reader.take(usize::try_from(len).unwrap_or(usize::MAX))),
        };
        Entry {
            id: EntryId::new(term, index),
            payload,
        }
    })
}

/// A configuration that is in force somewhere: it has voters.
fn read_membership(reader: &mut Reader<'_>) -> ConfState {
    let conf_state = read_conf(reader);
    if conf_state.voters.is_empty() {
        reader.refuse("a membership without voters");
    }
    conf_state
}

pub(crate) fn write_id(writer: &mut Writer, id: EntryId) {
    writer.number(id.term.0);
    writer.number(id.index.0);
}

pub(crate) fn read_id(reader: &mut Reader<'_>) -> EntryId {
    EntryId::new(Term(safe(reader)), Index(safe(reader)))
}

pub(crate) fn write_meta(writer: &mut Writer, meta: &SnapshotMeta) {
    write_id(writer, meta.last);
    write_conf(writer, &meta.conf_state);
}

pub(crate) fn read_meta(reader: &mut Reader<'_>) -> SnapshotMeta {
    SnapshotMeta {
        last: read_id(reader),
        conf_state: Arc::new(read_conf(reader)),
    }
}

/// Appends a membership.
pub fn write_conf(writer: &mut Writer, conf_state: &ConfState) {
    for ids in id_lists(conf_state) {
        writer.number(ids.len() as u64);
        for id in ids {
            writer.number(id.0);
        }
    }
    for storages in [&conf_state.storages, &conf_state.storages_next] {
        writer.number(storages.len() as u64);
        for (id, storage) in storages.iter() {
            writer.number(id.0);
            writer.raw(&storage.0.to_le_bytes());
        }
    }
}

/// Reads what [`write_conf`] wrote. What makes no sense fails the reader.
pub fn read_conf(reader: &mut Reader<'_>) -> ConfState {
    let ids = |reader: &mut Reader<'_>| reader.list(1, |reader| NodeId(safe(reader)));
    let storages = |reader: &mut Reader<'_>| -> Table<NodeId, StorageId> {
        let pairs = reader.list(9, |reader| {
            (NodeId(safe(reader)), StorageId(reader.fixed()))
        });
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            reader.refuse("a membership is not sorted");
        }
        pairs.into_iter().collect()
    };
    let conf_state = ConfState {
        voters: ids(reader),
        voters_outgoing: ids(reader),
        learners: ids(reader),
        learners_next: ids(reader),
        joining: ids(reader),
        leaving: ids(reader),
        storages: storages(reader),
        storages_next: storages(reader),
    };
    if !conf_state.is_sound() {
        reader.refuse("a membership makes no sense");
    }
    conf_state
}
