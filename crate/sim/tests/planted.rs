//! Every checker must object to what it is there for: bad states, made by hand from real nodes that
//! contradict one another.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{
    AppendOutcome, Body, ConfState, Config, Entry, EntryId, HardState, Index, Input, Instant,
    Message, NodeId, Output, Payload, PersistBatch, Raft, Restored, SnapshotManifest, SnapshotMeta,
    StorageId, Term,
};
use quorate_sim::checker::state::State;
use quorate_sim::checker::{Violation, recovery};
use quorate_sim::machine::Applied;

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const ALL: [NodeId; 3] = [A, B, C];

fn entry(term: u64, index: u64, text: &'static str) -> Entry {
    let id = EntryId::new(Term(term), Index(index));
    Entry {
        id,
        payload: Payload::Command(Bytes::from_static(text.as_bytes())),
    }
}

/// A node that believes to be alone, so that it leads whenever it wants to.
fn alone(id: NodeId, term: u64, entries: Vec<Entry>) -> Raft {
    let restored = Restored {
        hard_state: HardState {
            term: Term(term - 1),
            vote: None,
        },
        entries,
        ..Restored::fresh(ConfState::new([id]))
    };
    let mut raft = Raft::new(Config::new(id), restored, Instant(0), 1).unwrap();
    let due = raft.next_timeout();
    raft.handle(due, Input::TimerFired).unwrap();
    raft
}

/// Drains a node, and makes every write durable at once.
fn settle(raft: &mut Raft) {
    while let Some(output) = raft.poll_output() {
        if let Output::Persist(batch) = output {
            raft.handle(Instant(0), Input::Persisted { seq: batch.seq })
                .unwrap();
        }
    }
}

/// A leader of `term` whose log is `entries` and its first entry.
fn leader(id: NodeId, term: u64, entries: Vec<Entry>) -> Raft {
    let mut raft = alone(id, term, entries);
    settle(&mut raft);
    assert!(raft.is_leader() && raft.term() == Term(term));
    raft
}

/// A leader of `term` whose first entry is not durable, and so not committed.
fn uncommitted_leader(id: NodeId, term: u64) -> Raft {
    let mut raft = alone(id, term, Vec::new());
    while let Some(output) = raft.poll_output() {
        if let Output::Persist(batch) = output
            && batch.entries.is_empty()
        {
            raft.handle(Instant(0), Input::Persisted { seq: batch.seq })
                .unwrap();
        }
    }
    assert!(raft.is_leader() && raft.commit() == Index(0));
    raft
}

/// A follower of node 9 that got these entries.
fn follower(id: NodeId, term: u64, entries: Vec<Entry>, commit: u64) -> Raft {
    let restored = Restored::fresh(ConfState::new([id, NodeId(9)]));
    let mut raft = Raft::new(Config::new(id), restored, Instant(0), 1).unwrap();
    let body = Body::AppendEntries {
        prev: EntryId::ZERO,
        commit: Index(commit),
        entries,
    };
    let message = Message {
        from: NodeId(9),
        to: id,
        storage: StorageId(0),
        term: Term(term),
        body,
    };
    raft.handle(Instant(0), Input::Message(message)).unwrap();
    settle(&mut raft);
    raft
}

fn started() -> State {
    let mut state = State::new(&ALL);
    for id in ALL {
        state
            .started(id, 1, &Restored::fresh(ConfState::new(ALL)))
            .unwrap();
    }
    state
}

fn batch(term: u64, vote: Option<NodeId>, entries: Vec<Entry>) -> PersistBatch {
    let hard_state = Some(HardState {
        term: Term(term),
        vote,
    });
    PersistBatch {
        seq: 1,
        hard_state,
        entries,
        ..PersistBatch::default()
    }
}

fn noop(term: u64, index: u64) -> Entry {
    Entry {
        payload: Payload::Noop,
        ..entry(term, index, "")
    }
}

/// A state in which node 1 led term 1 and committed its first entry, durable on nodes 1 and 2.
fn committed() -> State {
    let mut state = started();
    for id in [A, B] {
        state
            .persisted(id, &batch(1, Some(A), vec![noop(1, 1)]))
            .unwrap();
    }
    state.stepped(&leader(A, 1, Vec::new())).unwrap();
    assert_eq!(state.committed(), Index(1));
    state
}

#[track_caller]
fn objects(result: Result<(), Violation>, property: &str) {
    assert_eq!(
        result.expect_err("the checker must object").property,
        property
    );
}

#[test]
fn two_leaders_in_one_term() {
    let mut state = committed();
    objects(state.stepped(&leader(C, 1, vec![])), "Election Safety");
}

#[test]
fn a_leader_that_leads_again_after_a_restart() {
    let mut state = committed();
    state.crashed(A);
    let restored = Restored {
        hard_state: HardState {
            term: Term(1),
            vote: Some(A),
        },
        entries: vec![noop(1, 1)],
        ..Restored::fresh(ConfState::new(ALL))
    };
    state.started(A, 2, &restored).unwrap();
    objects(state.stepped(&leader(A, 1, Vec::new())), "Election Safety");
}

#[test]
fn a_leader_that_cuts_its_log() {
    let mut state = started();
    let mut long = uncommitted_leader(A, 1);
    let short = uncommitted_leader(A, 1);
    long.propose(Instant(0), Bytes::from_static(b"x")).unwrap();
    state.stepped(&long).unwrap();
    objects(state.stepped(&short), "Leader Append-Only");
}

#[test]
fn one_name_for_two_entries() {
    let mut state = started();
    state
        .stepped(&follower(A, 1, vec![entry(1, 1, "x")], 0))
        .unwrap();
    objects(
        state.stepped(&follower(B, 1, vec![entry(1, 1, "y")], 0)),
        "Log Matching",
    );
}

#[test]
fn one_entry_after_two_pasts() {
    let mut state = started();
    state
        .stepped(&follower(A, 2, vec![entry(1, 1, "x"), entry(2, 2, "z")], 0))
        .unwrap();
    let other = follower(B, 2, vec![entry(2, 1, "x"), entry(2, 2, "z")], 0);
    objects(state.stepped(&other), "Log Matching");
}

#[test]
fn a_payload_that_changes_silently() {
    let mut state = started();
    state
        .stepped(&follower(A, 1, vec![entry(1, 1, "x")], 0))
        .unwrap();
    objects(
        state.check_all(&follower(A, 1, vec![entry(1, 1, "y")], 0)),
        "Log Matching",
    );
}

#[test]
fn a_leader_without_a_committed_entry() {
    let mut state = committed();
    objects(
        state.stepped(&uncommitted_leader(C, 2)),
        "Leader Completeness",
    );
}

#[test]
fn an_entry_committed_behind_a_later_leader() {
    let mut state = started();
    // Node 3 leads term 2 with an empty log, and has committed nothing.
    let later = uncommitted_leader(C, 2);
    state.stepped(&later).unwrap();
    for id in [A, B] {
        state
            .persisted(id, &batch(1, Some(A), vec![noop(1, 1)]))
            .unwrap();
    }
    objects(
        state.stepped(&leader(A, 1, Vec::new())),
        "Leader Completeness",
    );
}

#[test]
fn two_entries_committed_at_one_index() {
    let mut state = committed();
    objects(
        state.stepped(&follower(C, 2, vec![entry(2, 1, "y")], 1)),
        "State Machine Safety",
    );
}

#[test]
fn a_commit_that_is_not_durable_on_a_quorum() {
    let mut state = started();
    state
        .persisted(A, &batch(1, Some(A), vec![noop(1, 1)]))
        .unwrap();
    let result = state.stepped(&leader(A, 1, Vec::new()));
    objects(result, "Commit index is durable on a quorum");
}

#[test]
fn a_commit_that_no_leader_made() {
    let mut state = started();
    for id in [A, B] {
        state
            .persisted(id, &batch(1, None, vec![entry(1, 1, "x")]))
            .unwrap();
    }
    let result = state.stepped(&follower(A, 2, vec![entry(1, 1, "x")], 1));
    objects(result, "Commit by counting own-term entries only");
}

#[test]
fn a_term_that_falls() {
    let mut state = started();
    state.stepped(&follower(A, 5, Vec::new(), 0)).unwrap();
    objects(
        state.stepped(&follower(A, 4, Vec::new(), 0)),
        "Terms never fall",
    );
}

#[test]
fn a_commit_index_that_falls() {
    let mut state = committed();
    let result = state.stepped(&follower(A, 2, vec![noop(1, 1)], 0));
    objects(result, "Commit and applied never fall");
}

fn vote(from: NodeId, to: NodeId, term: u64) -> Message {
    Message {
        from,
        to,
        storage: StorageId(0),
        term: Term(term),
        body: Body::RequestVoteResponse { granted: true },
    }
}

#[test]
fn a_vote_that_is_not_durable() {
    let mut state = started();
    objects(
        state.sent(&vote(A, B, 1)),
        "Nothing is promised before it is durable",
    );
    state.persisted(A, &batch(1, Some(B), Vec::new())).unwrap();
    state.sent(&vote(A, B, 1)).unwrap();
}

#[test]
fn two_votes_in_one_term() {
    let mut state = started();
    state.persisted(A, &batch(1, Some(B), Vec::new())).unwrap();
    state.sent(&vote(A, B, 1)).unwrap();
    objects(state.sent(&vote(A, C, 1)), "One vote in a term");
    objects(
        state.persisted(A, &batch(1, Some(C), Vec::new())),
        "Votes and terms are never taken back",
    );
}

#[test]
fn an_acknowledgement_that_is_not_durable() {
    let mut state = started();
    let outcome = AppendOutcome::Accepted { matched: Index(1) };
    let body = Body::AppendEntriesResponse(outcome);
    let message = Message {
        from: B,
        to: A,
        storage: StorageId(0),
        term: Term(1),
        body,
    };
    state.persisted(B, &batch(1, None, Vec::new())).unwrap();
    objects(
        state.sent(&message),
        "Nothing is promised before it is durable",
    );
    state
        .persisted(B, &batch(1, None, vec![entry(1, 1, "x")]))
        .unwrap();
    state
        .stepped(&follower(B, 1, vec![entry(1, 1, "x")], 0))
        .unwrap();
    state.sent(&message).unwrap();
}

#[test]
fn a_follower_that_speaks_as_leader() {
    let mut state = committed();
    let body = Body::Heartbeat {
        commit: Index(0),
        round: None,
    };
    let message = Message {
        from: B,
        to: C,
        storage: StorageId(0),
        term: Term(1),
        body,
    };
    objects(state.sent(&message), "Election Safety");
}

#[test]
fn a_disk_that_reads_otherwise_than_it_was_written() {
    let mut state = started();
    state
        .persisted(A, &batch(3, Some(B), vec![entry(3, 1, "x")]))
        .unwrap();
    state.crashed(A);
    let good = Restored {
        hard_state: HardState {
            term: Term(3),
            vote: Some(B),
        },
        entries: vec![entry(3, 1, "x")],
        ..Restored::fresh(ConfState::new(ALL))
    };
    let mut forgot_vote = good.clone();
    forgot_vote.hard_state.vote = None;
    let mut lost_entry = good.clone();
    lost_entry.entries.clear();
    let mut other_payload = good.clone();
    other_payload.entries = vec![entry(3, 1, "y")];
    for bad in [forgot_vote, lost_entry, other_payload] {
        objects(
            state.started(A, 2, &bad),
            "A restart finds what was durable",
        );
    }
    state.started(A, 2, &good).unwrap();
}

#[test]
fn a_committed_entry_that_a_quorum_loses() {
    let mut state = committed();
    // Node 2 may lose it if another has it; node 3 has not.
    let replaced = batch(2, None, vec![entry(2, 1, "y")]);
    objects(
        state.persisted(B, &replaced),
        "Commit index is durable on a quorum",
    );
    let mut state = committed();
    state
        .persisted(C, &batch(1, None, vec![noop(1, 1)]))
        .unwrap();
    state.persisted(B, &replaced).unwrap();
}

#[test]
fn a_durable_log_with_a_gap_and_a_snapshot_that_falls_back() {
    let mut state = started();
    let gap = batch(1, None, vec![entry(1, 2, "x")]);
    objects(state.persisted(A, &gap), "A durable log has no gaps");
    let snapshot = |index| {
        let last = EntryId::new(Term(1), Index(index));
        let meta = SnapshotMeta {
            last,
            conf_state: Arc::new(ConfState::new(ALL)),
        };
        let manifest = SnapshotManifest {
            meta,
            chunks: 1,
            log_start: last,
            clear_log: true,
        };
        PersistBatch {
            snapshot: Some(Box::new(manifest)),
            ..batch(1, None, Vec::new())
        }
    };
    state.persisted(A, &snapshot(5)).unwrap();
    objects(
        state.persisted(A, &snapshot(4)),
        "Snapshots never fall back",
    );
}

#[test]
fn an_acknowledged_command_that_was_not_executed() {
    let mut state = committed();
    objects(state.acknowledged(7), "Acknowledged means committed");
    let applied = Applied {
        index: Index(1),
        term: Term(1),
        tag: Some(7),
        time_ms: 0,
        digest: 0,
    };
    state.executed(A, &[applied]).unwrap();
    state.acknowledged(7).unwrap();
}

#[test]
fn a_command_executed_before_it_is_committed() {
    let mut state = committed();
    let early = Applied {
        index: Index(2),
        term: Term(1),
        tag: Some(7),
        time_ms: 0,
        digest: 0,
    };
    objects(
        state.executed(A, &[early]),
        "Only what is committed is applied",
    );
    let other_term = Applied {
        index: Index(1),
        term: Term(2),
        ..early
    };
    objects(
        state.executed(A, &[other_term]),
        "Only what is committed is applied",
    );
}

#[test]
fn a_committed_entry_that_no_survivor_has() {
    let mut state = committed();
    recovery::check(&state, &ALL, &[B, C]).unwrap();
    let replaced = batch(2, None, vec![entry(2, 1, "y")]);
    objects(
        state.persisted(B, &replaced),
        "Commit index is durable on a quorum",
    );
    objects(
        recovery::check(&state, &ALL, &[B, C]),
        "Committed entries survive",
    );
    recovery::check(&state, &ALL, &[C]).expect("one of three promises nothing");
}
