//! Messages that come from others: near to where the node is, which is where things go wrong, or
//! any that can be decoded.
//!
//! Raft tolerates crashes, not lies (`SECURITY.md`), and some lies end a node on purpose: `is_lie`
//! names those, and they are left out. Everything else comes, whether a sound cluster could say it
//! at this moment or not.

use bytes::Bytes;
use quorate_raft::{
    AppendOutcome, Body, ConfState, Entry, EntryId, Index, Message, NodeId, Payload, Raft,
    RoleKind, SnapshotMeta, SnapshotOutcome, Status, Term,
};
use quorate_rsm::codec::decode_messages;

use crate::commands::command;
use crate::source::Source;

/// The node under test.
pub(crate) const OWN: NodeId = NodeId(1);

/// Terms and indexes that no cluster reaches: beyond them nodes cannot tell each other any more.
const FAR: u64 = 1 << 40;

/// The next message; none if it is a lie.
pub(crate) fn message(source: &mut Source<'_>, raft: &Raft) -> Option<Message> {
    let status = raft.status();
    let message = if source.below(8) == 0 {
        decoded(source)?
    } else {
        near(source, raft, &status)
    };
    (!is_lie(&message, raft, &status)).then_some(message)
}

/// One that a frame could bring, from its tag on.
fn decoded(source: &mut Source<'_>) -> Option<Message> {
    // Version, kind, cluster, group, and a count of one.
    let head = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let frame = [&head[..], &source.bytes()].concat();
    let (.., messages) = decode_messages(&Bytes::from(frame)).ok()?;
    let mut message = messages.into_iter().next()?;
    message.to = OWN;
    Some(message)
}

fn near(source: &mut Source<'_>, raft: &Raft, status: &Status) -> Message {
    let kind = source.below(16);
    let from = NodeId(2 + source.below(5));
    let term = Term(source.near(status.term.0));
    let index = |source: &mut Source<'_>, base: Index| Index(source.near(base.0));
    let id = |source: &mut Source<'_>| {
        let index = index(source, status.last.index);
        let known = raft
            .entries_from(index)
            .first()
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
        10 => Body::Heartbeat {
            commit: index(source, status.last.index),
            round: source.flag().then(|| source.below(8)),
        },
        11 => Body::HeartbeatResponse {
            round: source.below(8),
        },
        12 | 13 => Body::InstallSnapshot {
            meta: SnapshotMeta {
                last: id(source),
                conf_state: conf_state(source),
            },
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
        _ => Body::TimeoutNow,
    };
    Message {
        from,
        to: OWN,
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
    let kind = source.below(5) as u8;
    // Small, so that one byte is the whole number; the session is the index of an early entry.
    let (time, session) = (source.byte() & 0x7f, source.byte() & 0x0f);
    let command = match kind {
        0 => return Payload::Noop,
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

fn conf_state(source: &mut Source<'_>) -> ConfState {
    let set = source.byte();
    let ids = (0..5).filter(|bit| set >> bit & 1 == 1);
    let mut conf_state = ConfState::new(ids.map(|bit| NodeId(1 + bit)));
    if set & 0x80 != 0 {
        conf_state.voters_outgoing = vec![OWN, NodeId(2)];
    }
    conf_state
}

/// What no node says that follows the protocol, and what would stop this one or its successor.
fn is_lie(message: &Message, raft: &Raft, status: &Status) -> bool {
    let Message { term, body, .. } = message;
    let committed = raft
        .entries_from(status.commit)
        .first()
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
        Body::AppendEntries { .. } | Body::Heartbeat { .. } | Body::InstallSnapshot { .. }
    );
    // Nobody is elected in term zero.
    (leads && term.0 == 0)
        || term.0 > FAR
        || match body {
            // There is one leader in a term.
            Body::AppendEntries { prev, entries, .. } => {
                let mut ids = entries.iter().map(|entry| entry.id);
                is_mine || is_foreign(*prev) || ids.any(is_foreign)
            }
            Body::Heartbeat { .. } => is_mine,
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
