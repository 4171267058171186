//! Messages that come from others: near to where the node is, which is where things go wrong, or
//! any that can be decoded.
//!
//! Raft tolerates crashes, not lies (`SECURITY.md`), and some lies end a node on purpose: `is_lie`
//! names those, and they are left out. Everything else comes, whether a sound cluster could say it
//! at this moment or not.

use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{
    AppendOutcome, Body, Change, ConfState, Entry, EntryId, Index, Message, NodeId, Payload, Raft,
    RoleKind, SnapshotMeta, SnapshotOutcome, StateDigest, Status, StorageId, Term,
};
use quorate_rsm::codec::{FRAME_VERSION, decode_messages};

use crate::commands::command;
use crate::source::Source;

/// The node under test.
pub(crate) const OWN: NodeId = NodeId(1);

/// Its storage. That of a member has the member's number, too, unless it was lost.
pub(crate) const STORAGE: StorageId = StorageId(1);

/// Terms and indexes that no cluster reaches: beyond them nodes cannot tell each other any more.
const FAR: u64 = 1 << 40;

/// The next message; none if it is a lie. `asked` is the name of the node's last question.
pub(crate) fn message(source: &mut Source<'_>, raft: &Raft, asked: u64) -> Option<Message> {
    let status = raft.status();
    let message = if source.below(8) == 0 {
        decoded(source)?
    } else {
        near(source, raft, &status, asked)
    };
    (!is_lie(&message, raft, &status)).then_some(message)
}

/// One that a frame could bring, from its tag on.
fn decoded(source: &mut Source<'_>) -> Option<Message> {
    // Version and kind; cluster and storage; group, and a count of one.
    let head = [FRAME_VERSION, 1];
    let frame = [&head[..], &[0; 16], &[0, 1], &source.bytes()].concat();
    let (.., messages) = decode_messages(&Bytes::from(frame)).ok()?;
    let mut message = messages.into_iter().next()?;
    message.to = OWN;
    message.storage = StorageId(message.from.0);
    Some(message)
}

fn near(source: &mut Source<'_>, raft: &Raft, status: &Status, asked: u64) -> Message {
    let kind = source.below(19);
    let from = NodeId(2 + source.below(5));
    let storage = match source.below(8) {
        0 => StorageId(from.0 + 100),
        _ => StorageId(from.0),
    };
    let term = Term(source.near(status.term.0));
    let index = |source: &mut Source<'_>, base: Index| Index(source.near(base.0));
    let id = |source: &mut Source<'_>| {
        let index = index(source, status.last.index);
        let known = raft
            .entries_from(index)
            .next()
            .map_or(status.last.term, |entry| entry.id.term);
        let term = if source.flag() {
            Term(source.near(known.0))
        } else {
            known
        };
        if index.0 == 0 {
            EntryId::ZERO
        } else {
            EntryId::new(term, index)
        }
    };
    let body = match kind {
        0 => Body::PreVote { last: id(source) },
        1 => Body::PreVoteResponse {
            granted: source.flag(),
        },
        2 => Body::RequestVote {
            last: id(source),
            transfer: source.flag(),
        },
        3 => Body::RequestVoteResponse {
            granted: source.flag(),
        },
        4..=6 => {
            let prev = id(source);
            Body::AppendEntries {
                prev,
                commit: index(source, status.last.index),
                entries: entries(source, prev, term),
            }
        }
        7 | 8 => Body::AppendEntriesResponse(AppendOutcome::Accepted {
            matched: index(source, status.last.index),
        }),
        9 => Body::AppendEntriesResponse(AppendOutcome::Rejected {
            prev: index(source, status.last.index),
            hint: id(source),
        }),
        10 => {
            let last = index(source, status.last.index);
            let round = source.flag().then(|| source.below(16));
            match round.and_then(|round| round.checked_sub(8)) {
                Some(round) => Body::Sleep { last, round },
                None => Body::Heartbeat {
                    commit: last,
                    round,
                },
            }
        }
        11 => match source.below(16) {
            round @ 0..8 => Body::HeartbeatResponse { round },
            more => Body::SleepResponse { round: more - 8 },
        },
        12 | 13 => Body::InstallSnapshot {
            meta: Box::new(SnapshotMeta {
                last: id(source),
                conf_state: Arc::new(conf_state(source)),
            }),
            number: source.below(4) as u32,
            done: source.flag(),
            data: chunk(source),
        },
        14 => Body::InstallSnapshotResponse {
            snapshot: index(source, status.snapshot.index),
            outcome: if source.flag() {
                SnapshotOutcome::Installed {
                    matched: index(source, status.last.index),
                }
            } else {
                SnapshotOutcome::Continue {
                    next: source.below(4) as u32,
                }
            },
        },
        15 => Body::ReadIndex {
            ctx: source.below(8),
        },
        16 => Body::ReadIndexResponse {
            ctx: source.near(asked),
            index: index(source, status.commit),
        },
        17 => Body::Digest(StateDigest {
            index: index(source, status.applied),
            format: source.below(2),
            hash: source.below(4),
        }),
        _ => Body::TimeoutNow,
    };
    Message {
        from,
        to: OWN,
        storage,
        term,
        body,
    }
}

/// A few, consecutive, with terms that never fall.
fn entries(source: &mut Source<'_>, prev: EntryId, term: Term) -> Vec<Entry> {
    let mut last = prev;
    let count = source.below(5);
    let entry = |_| {
        if source.flag() {
            last.term = Term(source.near(last.term.0)).clamp(last.term, term.max(last.term));
        }
        last.index = Index(last.index.0.saturating_add(1));
        Entry {
            id: last,
            payload: payload(source),
        }
    };
    (0..count).map(entry).collect()
}

/// As `docs/protocol.md` says, or any bytes.
fn payload(source: &mut Source<'_>) -> Payload {
    let kind = source.below(6) as u8;
    // Small, so that one byte is the whole number; the session is the index of an early entry.
    let (time, session) = (source.byte() & 0x7f, source.byte() & 0x0f);
    let command = match kind {
        0 => return Payload::Noop,
        4 => return Payload::Membership(Arc::new(conf_state(source))),
        1 => vec![1, time],
        2 => vec![2, time, session],
        3 => {
            let (sequence, behind) = (source.byte() & 0x0f, source.byte() & 0x03);
            let head = [3, time, session, sequence, behind];
            [&head[..], &command(source)].concat()
        }
        _ => source.bytes().to_vec(),
    };
    Payload::Command(command.into())
}

/// The chunks of an empty store without sessions, or any bytes.
fn chunk(source: &mut Source<'_>) -> Bytes {
    match source.below(3) {
        0 => source.bytes(),
        1 => Bytes::from_static(&[9, 0]),
        _ => crate::commands::chunks(&quorate_kv::Kv::new(), 64)
            .concat()
            .into(),
    }
}

/// Some members, and perhaps what a change of them leaves to be done.
fn conf_state(source: &mut Source<'_>) -> ConfState {
    let set = |source: &mut Source<'_>| -> Vec<NodeId> {
        let bits = source.byte();
        let ids = (0..5).filter(|bit| bits >> bit & 1 == 1);
        ids.map(|bit| NodeId(1 + bit)).collect()
    };
    let mut conf_state = ConfState::new(set(source));
    if source.flag() {
        conf_state.voters_outgoing = set(source);
        conf_state.learners = set(source);
        conf_state.joining = conf_state.learners.clone();
    }
    for id in conf_state.members() {
        conf_state.storages.insert(id, StorageId(id.0));
    }
    if conf_state.is_sound() {
        conf_state
    } else {
        ConfState::new([OWN, NodeId(2), NodeId(3)])
    }
}

/// One part of a change that may be asked for.
pub(crate) fn change(source: &mut Source<'_>) -> Change {
    let id = NodeId(1 + source.below(6));
    let storage = StorageId(id.0 + 100 * source.below(2));
    match source.below(6) {
        0 => Change::AddVoter { id, storage },
        1 => Change::AddLearner { id, storage },
        2 => Change::Promote { id },
        3 => Change::Demote { id },
        4 => Change::Remove { id },
        _ => Change::Rebind { id, storage },
    }
}

/// What no node says that follows the protocol, and what would stop this one or its successor.
fn is_lie(message: &Message, raft: &Raft, status: &Status) -> bool {
    let Message { term, body, .. } = message;
    let committed = raft
        .entries_from(status.commit)
        .next()
        .map(|entry| entry.id);
    let committed = committed
        .filter(|id| id.index == status.commit)
        .unwrap_or(status.log_start);
    // A leader's log has what is committed, nothing after it from earlier terms, and nothing from
    // later terms than its own.
    let is_foreign = |id: EntryId| {
        let goes_back = id.index > committed.index && id.term < committed.term;
        goes_back || id.term > *term || id.index.0 > FAR
    };
    let is_mine = status.role == RoleKind::Leader && *term == status.term;
    let leads = matches!(
        body,
        Body::AppendEntries { .. }
            | Body::Heartbeat { .. }
            | Body::Sleep { .. }
            | Body::InstallSnapshot { .. }
    );
    // Nobody is elected in term zero.
    (leads && term.0 == 0)
        || term.0 > FAR
        || match body {
            // There is one leader in a term.
            Body::AppendEntries { prev, entries, .. } => {
                let is_wrong = |entry: &Entry| {
                    let is_nobody = match &entry.payload {
                        Payload::Membership(conf_state) => conf_state.voters.is_empty(),
                        Payload::Noop | Payload::Command(_) => false,
                    };
                    is_nobody || is_foreign(entry.id)
                };
                is_mine || is_foreign(*prev) || entries.iter().any(is_wrong)
            }
            Body::Heartbeat { .. } | Body::Sleep { .. } => is_mine,
            Body::InstallSnapshot { meta, .. } => {
                is_mine || is_foreign(meta.last) || meta.conf_state.voters.is_empty()
            }
            // Nobody has what was never sent.
            Body::AppendEntriesResponse(AppendOutcome::Accepted { matched }) => {
                is_mine && *matched > status.last.index
            }
            _ => false,
        }
}
