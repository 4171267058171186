//! §7: compaction, and snapshots a chunk at a time.

use std::sync::Arc;

use bytes::Bytes;
use quorate_raft::{
    Body, ConfState, Config, EntryId, Index, Input, InputError, NodeId, Output, ProgressMode,
    SnapshotChunk, SnapshotMeta, SnapshotOutcome,
};

use crate::host::{Host, accepted, compacted, id, stored};

fn meta(last: EntryId) -> SnapshotMeta {
    let conf_state = Arc::new(ConfState::new((1..=3).map(NodeId)));
    SnapshotMeta { last, conf_state }
}

fn chunk(last: EntryId, number: u32, done: bool) -> Body {
    Body::InstallSnapshot {
        meta: Box::new(meta(last)),
        number,
        done,
        data: Bytes::from(format!("{last} {number}")),
    }
}

fn continues(snapshot: u64, next: u32) -> Body {
    Body::InstallSnapshotResponse {
        snapshot: Index(snapshot),
        outcome: SnapshotOutcome::Continue { next },
    }
}

fn installed(snapshot: u64, matched: u64) -> Body {
    Body::InstallSnapshotResponse {
        snapshot: Index(snapshot),
        outcome: SnapshotOutcome::Installed {
            matched: Index(matched),
        },
    }
}

/// The machine gives its state as of `index`, in one chunk.
fn take(host: &mut Host, index: u64, compact_to: u64) -> Result<(), InputError> {
    let chunk = SnapshotChunk {
        snapshot: Index(index),
        number: 0,
        data: Bytes::new(),
    };
    host.input(Input::SnapshotChunk(chunk));
    host.try_input(Input::SnapshotReady {
        index: Index(index),
        chunks: 1,
        compact_to: Index(compact_to),
    })
}

/// Chunks that the node asked its machine for: peer, snapshot, number.
fn asked(host: &mut Host) -> Vec<(u64, u64, u32)> {
    let ask = |effect: &Output| match effect {
        Output::SendSnapshot {
            to,
            snapshot,
            number,
        } => Some((to.0, snapshot.0, *number)),
        _ => None,
    };
    let asked = host.effects.iter().filter_map(ask).collect();
    host.effects.clear();
    asked
}

/// A leader of term 3 whose log begins after a snapshot at 2/5; node 2 needs it.
fn sender() -> Host {
    let mut host = Host::with(Config::new(NodeId(1)), compacted(3, id(2, 5)));
    host.lead();
    host.accept(3, 6);
    host.forget();
    host.reject(2, 5, EntryId::ZERO);
    host
}

fn receiver(terms: &[u64]) -> Host {
    Host::with(Config::new(NodeId(1)), stored(3, 2, None, terms))
}

#[test]
fn follower_takes_chunks_in_order_and_says_what_it_needs_next() {
    let mut host = receiver(&[]);
    host.hear(2, 2, chunk(id(1, 9), 1, false));
    assert_eq!(host.sent(), [(2, 2, continues(9, 0))], "not the first");
    host.hear(2, 2, chunk(id(1, 9), 0, false));
    host.hear(2, 2, chunk(id(1, 9), 0, false));
    host.hear(2, 2, chunk(id(1, 9), 2, true));
    let next = (2, 2, continues(9, 1));
    assert_eq!(host.sent(), [next.clone(), next.clone(), next]);
    host.hear(2, 2, chunk(id(1, 9), 1, true));
    assert_eq!(host.sent(), [(2, 2, installed(9, 9))]);
    let received: Vec<u32> = host
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Output::ReceiveSnapshot(chunk) => Some(chunk.number),
            _ => None,
        })
        .collect();
    assert_eq!(received, [0, 1]);
    assert!(host.effects.contains(&Output::Restore(meta(id(1, 9)))));
    host.append(2, 2, id(1, 9), 10, &[2]);
    assert_eq!(host.applied(), [vec![10]], "it goes on after the snapshot");
}

#[test]
fn chunks_of_different_snapshots_leaders_and_terms_are_not_mixed() {
    // Another snapshot; another term; another leader.
    for (from, term, index) in [(2, 2, 12), (2, 3, 9), (3, 3, 9)] {
        let mut host = receiver(&[]);
        host.hear(2, 2, chunk(id(1, 9), 0, false));
        host.sent();
        host.hear(from, term, chunk(id(1, index), 1, true));
        assert_eq!(host.sent_to(from), [continues(index, 0)]);
        assert_eq!(host.raft.commit().0, 0);
    }
}

#[test]
fn chunk_is_acknowledged_when_it_is_durable() {
    let mut host = receiver(&[]);
    host.prompt = false;
    for (number, done) in [(0, false), (1, true)] {
        host.hear(2, 2, chunk(id(1, 9), number, done));
        assert!(host.sent().is_empty());
        assert_eq!(host.writing().chunks.len(), 1);
        let manifest = host.writing().snapshot.as_ref();
        assert_eq!(manifest.map(|manifest| manifest.chunks), done.then_some(2));
        host.write();
        assert_eq!(host.sent().len(), 1);
    }
}

#[test]
fn chunk_that_comes_twice_is_acknowledged_when_the_first_is_durable() {
    let mut host = receiver(&[]);
    host.prompt = false;
    host.hear(2, 2, chunk(id(1, 9), 0, false));
    host.hear(2, 2, chunk(id(1, 9), 0, false));
    assert_eq!((host.sent(), host.writing().chunks.len()), (vec![], 1));
    host.write();
    assert_eq!(host.sent(), [(2, 2, continues(9, 1))], "once for both");
}

#[test]
fn installed_snapshot_clears_the_log_it_does_not_share() {
    let mut host = receiver(&[1, 1, 2, 2, 2]);
    host.prompt = false;
    host.hear(2, 3, chunk(id(3, 4), 0, true));
    assert_eq!((host.log(), host.raft.status().last), (vec![], id(3, 4)));
    let manifest = host.writing().snapshot.clone();
    let manifest = manifest.expect("the manifest goes with its last chunk");
    assert!(manifest.clear_log && manifest.log_start == id(3, 4));
    assert_eq!(host.raft.snapshot().last, EntryId::ZERO);
    host.write();
    assert_eq!(host.raft.snapshot().last, id(3, 4));
    assert_eq!(host.sent_to(2), [installed(4, 4)]);
}

#[test]
fn known_snapshot_only_teaches_the_commit_index() {
    let mut host = receiver(&[1, 1, 2, 2, 2]);
    host.hear(2, 2, chunk(id(2, 4), 0, true));
    assert_eq!((host.log(), host.raft.commit().0), (vec![1, 1, 2, 2, 2], 4));
    assert_eq!(host.sent(), [(2, 2, installed(4, 4))]);
    // An old one says nothing new, however it is cut.
    host.hear(2, 2, chunk(id(1, 2), 7, false));
    assert_eq!(host.sent(), [(2, 2, installed(2, 4))]);
    assert_eq!(host.applied(), [vec![1, 2, 3, 4]]);
    assert!(!host.effects.contains(&Output::Restore(meta(id(2, 4)))));
}

#[test]
fn snapshot_older_than_the_own_restores_nothing() {
    let mut host = Host::with(Config::new(NodeId(1)), compacted(3, id(2, 5)));
    host.hear(2, 2, chunk(id(1, 3), 0, true));
    assert_eq!(host.sent(), [(2, 2, installed(3, 5))]);
    assert_eq!(host.raft.status().last, id(2, 5));
    assert!(!host.effects.contains(&Output::Restore(meta(id(1, 3)))));
}

#[test]
fn leader_sends_a_chunk_at_a_time_and_then_the_log() {
    let mut host = sender();
    assert_eq!(asked(&mut host), [(2, 5, 0)]);
    assert_eq!(host.progress(2).2, ProgressMode::Snapshot);
    let data = |number, done| Input::SnapshotData {
        to: NodeId(2),
        snapshot: Index(5),
        number,
        done,
        data: Bytes::from(format!("{} {number}", id(2, 5))),
    };
    host.input(data(1, false));
    assert!(host.sent().is_empty(), "not what is wanted");
    host.input(data(0, false));
    assert_eq!(host.sent(), [(2, 3, chunk(id(2, 5), 0, false))]);
    host.propose(10);
    assert_eq!(host.sent_to(2), [], "no entries meanwhile");
    host.hear(2, 3, continues(5, 1));
    host.hear(2, 3, continues(5, 1));
    assert_eq!(
        asked(&mut host),
        [(2, 5, 1)],
        "a repeated answer asks for nothing"
    );
    host.input(data(1, true));
    assert_eq!(host.sent(), [(2, 3, chunk(id(2, 5), 1, true))]);
    host.hear(2, 3, installed(5, 5));
    assert_eq!(host.appends_to(2), [(6, 7, 10)]);
    assert_eq!(host.progress(2), (5, 6, ProgressMode::Probe));
}

#[test]
fn transfer_goes_on_where_the_follower_says() {
    let mut host = sender();
    host.hear(2, 3, continues(5, 4));
    host.hear(2, 3, continues(4, 9));
    host.hear(2, 3, continues(5, 0));
    let wanted = [(2, 5, 0), (2, 5, 4), (2, 5, 0)];
    assert_eq!(
        asked(&mut host),
        wanted,
        "an answer about another snapshot says nothing"
    );
}

#[test]
fn late_answer_sends_nothing_again_unless_nothing_else_moves() {
    let mut host = sender();
    for next in [4, 3, 2, 4] {
        host.hear(2, 3, continues(5, next));
    }
    let wanted = [(2, 5, 0), (2, 5, 4)];
    assert_eq!(asked(&mut host), wanted, "each would be answered again");
    host.hear(2, 3, Body::HeartbeatResponse { round: 0 });
    host.hear(2, 3, continues(5, 3));
    assert_eq!(
        asked(&mut host),
        [(2, 5, 3)],
        "it restarted, and came so far"
    );
    host.hear(2, 3, continues(5, 2));
    assert_eq!(asked(&mut host), []);
}

#[test]
fn lost_chunk_is_sent_again_after_answered_heartbeats() {
    let mut host = sender();
    asked(&mut host);
    host.hear(2, 3, Body::HeartbeatResponse { round: 0 });
    assert_eq!(asked(&mut host), [], "it may be on its way");
    host.hear(2, 3, Body::HeartbeatResponse { round: 0 });
    assert_eq!(asked(&mut host), [(2, 5, 0)]);
}

#[test]
fn silent_follower_gets_no_snapshot_until_it_answers() {
    let mut host = leader_of_eleven();
    assert_eq!(take(&mut host, 11, 11), Ok(()));
    host.pass(300);
    host.input(Input::Unreachable { peer: NodeId(3) });
    assert_eq!(asked(&mut host), []);
    host.hear(3, 1, Body::HeartbeatResponse { round: 0 });
    assert_eq!(asked(&mut host), [(3, 11, 0)]);
}

#[test]
fn more_than_the_snapshot_ends_the_transfer() {
    let mut host = sender();
    host.accept(2, 6);
    assert_eq!(host.progress(2), (6, 7, ProgressMode::Probe));
}

/// A leader that has applied 11 entries: its first and ten commands.
fn leader_of_eleven() -> Host {
    let mut host = Host::new(3);
    host.lead_in_step();
    for _ in 0..10 {
        host.propose(10);
    }
    host.accept(2, 11);
    host.forget();
    host
}

#[test]
fn own_snapshot_shortens_the_log_when_it_is_durable_and_keeps_a_tail() {
    let mut host = leader_of_eleven();
    host.prompt = false;
    assert_eq!(host.raft.tail_start(Index(9), 3, 1_000), Index(6));
    assert_eq!(host.raft.tail_start(Index(9), 100, 25), Index(7));
    assert_eq!(take(&mut host, 9, 6), Ok(()));
    assert_eq!(host.raft.log_start().index.0, 0);
    while host.is_writing() {
        host.write();
    }
    assert_eq!(host.raft.log_start(), id(1, 6));
    assert_eq!(host.raft.snapshot().last, id(1, 9));
    assert_eq!(host.raft.log_bytes(), 50);
    // The tail serves a slow follower without a snapshot.
    host.accept(3, 7);
    host.forget();
    host.reject(3, 10, id(1, 7));
    assert_eq!(host.appends_to(3), [(8, 11, 40)]);
}

#[test]
fn own_snapshot_covers_what_is_applied_and_is_newer_than_the_last() {
    let mut host = leader_of_eleven();
    host.propose(10);
    let refused = |index| {
        let index = Index(index);
        Err(InputError::UnexpectedSnapshot { index })
    };
    assert_eq!(take(&mut host, 12, 12), refused(12), "not applied");
    assert_eq!(take(&mut host, 9, 10), refused(9), "beyond its own end");
    assert_eq!(take(&mut host, 9, 9), Ok(()));
    assert_eq!(take(&mut host, 9, 9), refused(9), "there is one");
    host.prompt = false;
    assert_eq!(take(&mut host, 11, 11), Ok(()));
    assert_eq!(
        take(&mut host, 10, 10),
        refused(10),
        "a later one is being written"
    );
    host.write();
    assert_eq!(take(&mut host, 10, 10), refused(10));
}

#[test]
fn own_snapshot_waits_until_an_installed_one_is_durable() {
    let mut host = receiver(&[1, 1, 2]);
    host.prompt = false;
    host.append(2, 2, id(2, 3), 0, &[2]);
    host.hear(2, 3, chunk(id(3, 9), 0, true));
    let refused = Err(InputError::UnexpectedSnapshot { index: Index(9) });
    // First the manifest waits for the round under way, then it is in it.
    assert_eq!(take(&mut host, 9, 9), refused);
    host.write();
    assert_eq!(take(&mut host, 9, 9), refused);
    let manifest = host.writing().snapshot.as_ref();
    assert!(manifest.is_some_and(|manifest| manifest.clear_log));
}

#[test]
fn what_an_installed_snapshot_replaced_is_durable_no_longer() {
    let mut host = receiver(&[1; 12]);
    host.hear(2, 2, chunk(id(2, 9), 0, true));
    host.lead();
    host.accept(2, 10);
    host.prompt = false;
    host.propose(5);
    host.accept(2, 11);
    assert_eq!(
        host.raft.commit(),
        Index(10),
        "another entry 11 was durable"
    );
    host.write();
    assert_eq!(host.raft.commit(), Index(11));
}

#[test]
fn later_own_snapshot_may_follow_one_that_is_being_written() {
    let mut host = leader_of_eleven();
    host.prompt = false;
    assert_eq!(take(&mut host, 5, 5), Ok(()));
    let again = Err(InputError::UnexpectedSnapshot { index: Index(5) });
    assert_eq!(take(&mut host, 5, 5), again);
    assert_eq!(take(&mut host, 7, 7), Ok(()));
    host.write();
    host.write();
    assert_eq!(host.raft.snapshot().last.index, Index(7));
}

#[test]
fn log_is_not_cut_beyond_a_snapshot_on_its_way() {
    let mut host = sender();
    for _ in 0..4 {
        host.propose(10);
    }
    host.accept(3, 10);
    assert_eq!(host.raft.applied(), id(3, 10));
    assert_eq!(take(&mut host, 10, 10), Ok(()));
    assert_eq!(
        host.raft.log_start(),
        id(2, 5),
        "the receiver goes on after 5"
    );
    assert_eq!(host.raft.snapshot().last, id(3, 10));
    // The transfer is of the one before last now, and holds nothing any more.
    host.propose(10);
    host.accept(3, 11);
    assert_eq!(take(&mut host, 11, 11), Ok(()));
    assert_eq!(host.raft.log_start(), id(3, 11));
    assert_eq!(
        asked(&mut host).last(),
        Some(&(2, 11, 0)),
        "a transfer of what is gone starts again"
    );
}

#[test]
fn late_append_after_an_install_is_answered_with_what_is_there() {
    let mut host = receiver(&[]);
    host.hear(2, 2, chunk(id(1, 9), 0, true));
    host.sent();
    host.append(2, 2, id(0, 0), 0, &[1, 1, 1]);
    assert_eq!(host.sent(), [(2, 2, accepted(9))]);
}
