//! What an observer in JavaScript is told, while it is at hand: numbers alone, one call each. What
//! they are called, what is counted of them, and what is written about them, is the observer's affair
//! (`pkg/src/observe`).
//!
//! It is called while the node is borrowed, so it must not call back. What it throws is its own affair.

use quorate_raft::{
    AppendOutcome, Body, Instant, Message, NodeId, PersistBatch, RoleKind, SnapshotOutcome, Term,
};
use quorate_rsm::{Node, ReadAt, Reply, Request, RequestBody, RequestError};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::machine::Machine;

#[wasm_bindgen]
extern "C" {
    /// The observer.
    #[wasm_bindgen(typescript_type = "Probe")]
    pub type Probe;

    #[wasm_bindgen(method, structural, catch, js_name = note)]
    fn try_note(
        this: &Probe,
        what: u32,
        a: f64,
        b: f64,
        c: f64,
        d: f64,
        e: f64,
    ) -> Result<(), JsValue>;
}

/// Where a message was seen: added to its tag.
#[derive(Clone, Copy)]
pub enum Way {
    /// Handed over to its link.
    Sent = 0,
    /// Taken in.
    Received = 32,
    /// Lost to a rule, to a missing port, or to a bound.
    Lost = 64,
}

const STEP: u32 = 96;
const BATCH: u32 = 97;
const WRITE: u32 = 98;
const WRITTEN: u32 = 99;
const REQUESTS: u32 = 100;
const REPLIES: u32 = 101;
const ROLE: u32 = 102;

impl Probe {
    fn note(&self, what: u32, a: f64, b: f64, c: f64, d: f64, e: f64) {
        let _ = self.try_note(what, a, b, c, d, e);
    }

    /// An event was handled, and all outputs are out: when it came, and where the log stands now.
    pub fn step(&self, now: Instant, node: &Node<Machine>) {
        let raft = node.raft();
        self.note(
            STEP,
            now.0 as f64 / 1_000.0,
            u8::from(raft.is_leader()).into(),
            raft.last().index.0 as f64,
            raft.commit().0 as f64,
            raft.applied().index.0 as f64,
        );
    }

    /// Role, term or known leader changed.
    pub fn role(&self, role: RoleKind, term: Term, leader: Option<NodeId>) {
        let leader = leader.map_or(0, |leader| leader.0);
        self.note(
            ROLE,
            f64::from(role as u32),
            term.0 as f64,
            leader as f64,
            0.0,
            0.0,
        );
    }

    /// What the next round has to make durable, among others.
    pub fn batch(&self, batch: &PersistBatch) {
        self.note(
            BATCH,
            batch.entries.len() as f64,
            batch.entries.last().map_or(0, |entry| entry.id.index.0) as f64,
            batch.chunks.len() as f64,
            (batch.snapshot.as_ref()).map_or(0, |manifest| manifest.meta.last.index.0) as f64,
            u8::from(batch.hard_state.is_some()).into(),
        );
    }

    /// A round of writes begins.
    pub fn write(&self, records: usize, bytes: usize) {
        self.note(WRITE, records as f64, bytes as f64, 0.0, 0.0, 0.0);
    }

    /// The round is durable.
    pub fn written(&self) {
        self.note(WRITTEN, 0.0, 0.0, 0.0, 0.0, 0.0);
    }

    /// A client's frame: how many writes, reads of the three linearizable ways, reads of the own
    /// state, and watches are in it.
    pub fn requests(&self, requests: &[Request]) {
        let mut counts = [0.0; 4];
        for request in requests {
            counts[match &request.body {
                RequestBody::OpenSession
                | RequestBody::CloseSession { .. }
                | RequestBody::Write { .. }
                | RequestBody::Propose { .. } => 0,
                RequestBody::Read { at, .. } => match at {
                    ReadAt::Leader | ReadAt::Here | ReadAt::Lease => 1,
                    ReadAt::Local => 2,
                    ReadAt::Watch => 3,
                },
            }] += 1.0;
        }
        let [writes, reads, local, watches] = counts;
        self.note(REQUESTS, writes, reads, local, watches, 0.0);
    }

    /// Answers to a client: how many say what was asked for, ask the leader, do not know what came
    /// of it, say that there is too much, and refuse.
    pub fn replies(&self, replies: &[Reply]) {
        let mut counts = [0.0; 5];
        for reply in replies {
            counts[match &reply.result {
                Ok(_) => 0,
                Err(RequestError::NotLeader { .. }) => 1,
                Err(RequestError::LeadershipLost { .. }) => 2,
                Err(RequestError::Overloaded) => 3,
                Err(
                    RequestError::SessionExpired
                    | RequestError::TooLarge { .. }
                    | RequestError::WindowExceeded,
                ) => 4,
            }] += 1.0;
        }
        let [done, redirected, lost, overloaded, refused] = counts;
        self.note(REPLIES, done, redirected, lost, overloaded, refused);
    }

    /// A message, by its tag on the wire, with what can be said of it in three numbers.
    pub fn message(&self, way: Way, peer: NodeId, message: &Message) {
        let (tag, [c, d, e]) = sketch(&message.body);
        self.note(
            way as u32 + tag,
            peer.0 as f64,
            message.term.0 as f64,
            c as f64,
            d as f64,
            e as f64,
        );
    }
}

/// The tag of a message on the wire (`docs/protocol.md`), and three numbers of it.
fn sketch(body: &Body) -> (u32, [u64; 3]) {
    let either = |is, yes, no| if is { yes } else { no };
    match body {
        Body::PreVote { last } => (1, [last.index.0, last.term.0, 0]),
        Body::PreVoteResponse { granted } => (either(*granted, 2, 3), [0; 3]),
        Body::RequestVote { last, transfer } => {
            (either(*transfer, 5, 4), [last.index.0, last.term.0, 0])
        }
        Body::RequestVoteResponse { granted } => (either(*granted, 6, 7), [0; 3]),
        Body::AppendEntries {
            prev,
            commit,
            entries,
        } => (8, [prev.index.0, entries.len() as u64, commit.0]),
        Body::AppendEntriesResponse(AppendOutcome::Accepted { matched }) => (9, [matched.0, 0, 0]),
        Body::AppendEntriesResponse(AppendOutcome::Rejected { prev, hint }) => {
            (10, [prev.0, hint.index.0, hint.term.0])
        }
        Body::Heartbeat { commit, round } => match round {
            Some(round) => (11, [commit.0, *round, 0]),
            None => (12, [commit.0, 0, 0]),
        },
        Body::HeartbeatResponse { round } => (13, [*round, 0, 0]),
        Body::InstallSnapshot {
            meta,
            number,
            done,
            data,
        } => (
            either(*done, 15, 14),
            [meta.last.index.0, (*number).into(), data.len() as u64],
        ),
        Body::InstallSnapshotResponse { snapshot, outcome } => match outcome {
            SnapshotOutcome::Continue { next } => (16, [snapshot.0, (*next).into(), 0]),
            SnapshotOutcome::Installed { matched } => (17, [snapshot.0, matched.0, 0]),
        },
        Body::TimeoutNow => (18, [0; 3]),
        Body::ReadIndex { ctx } => (19, [*ctx, 0, 0]),
        Body::ReadIndexResponse { ctx, index } => (20, [*ctx, index.0, 0]),
        Body::Digest(digest) => (21, [digest.index.0, 0, 0]),
        Body::Sleep { last, round } => (22, [last.0, *round, 0]),
        Body::SleepResponse { round } => (23, [*round, 0, 0]),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::sync::Arc;

    use bytes::Bytes;
    use quorate_raft::{ConfState, EntryId, Index, SnapshotMeta, StateDigest, StorageId};
    use quorate_rsm::codec::encode_messages;

    use super::*;

    fn frame(body: Body) -> Vec<u8> {
        let message = Message {
            from: NodeId(1),
            to: NodeId(2),
            storage: StorageId(3),
            term: Term(9),
            body,
        };
        encode_messages(1, 0, &[message])
    }

    #[test]
    fn a_message_is_noted_by_its_tag_on_the_wire() {
        let last = EntryId::new(Term(4), Index(7));
        let meta = || {
            Box::new(SnapshotMeta {
                last,
                conf_state: Arc::new(ConfState::new([NodeId(1), NodeId(2)])),
            })
        };
        let chunk = |done| Body::InstallSnapshot {
            meta: meta(),
            number: 0,
            done,
            data: Bytes::new(),
        };
        let index = Index(7);
        let answer = |outcome| Body::InstallSnapshotResponse {
            snapshot: index,
            outcome,
        };
        let bodies = [
            Body::PreVote { last },
            Body::PreVoteResponse { granted: true },
            Body::PreVoteResponse { granted: false },
            Body::RequestVote {
                last,
                transfer: false,
            },
            Body::RequestVote {
                last,
                transfer: true,
            },
            Body::RequestVoteResponse { granted: true },
            Body::RequestVoteResponse { granted: false },
            Body::AppendEntries {
                prev: last,
                commit: index,
                entries: Vec::new(),
            },
            Body::AppendEntriesResponse(AppendOutcome::Accepted { matched: index }),
            Body::AppendEntriesResponse(AppendOutcome::Rejected {
                prev: index,
                hint: last,
            }),
            Body::Heartbeat {
                commit: index,
                round: Some(5),
            },
            Body::Heartbeat {
                commit: index,
                round: None,
            },
            Body::HeartbeatResponse { round: 5 },
            chunk(false),
            chunk(true),
            answer(SnapshotOutcome::Continue { next: 1 }),
            answer(SnapshotOutcome::Installed { matched: index }),
            Body::TimeoutNow,
            Body::ReadIndex { ctx: 1 },
            Body::ReadIndexResponse { ctx: 1, index },
            Body::Digest(StateDigest {
                index,
                format: 0,
                hash: 0,
            }),
            Body::Sleep {
                last: index,
                round: 5,
            },
            Body::SleepResponse { round: 5 },
        ];
        // Two without fields differ in their tags alone.
        let [granted, refused] = [bodies[1].clone(), bodies[2].clone()].map(frame);
        let mut bytes = granted.iter().zip(&refused);
        let place = bytes.position(|(one, other)| one != other).expect("a tag");
        for (at, body) in bodies.into_iter().enumerate() {
            let (tag, _) = sketch(&body);
            assert_eq!(tag as usize, at + 1);
            assert_eq!(u32::from(frame(body)[place]), tag);
        }
    }
}
