//! A storage that may have lost the end of what it said: see `tests/power` for what comes of it.

use quorate_raft::{Body, ConfState, Config, NodeId, Restored, RoleKind, StorageId, Table};

use crate::host::{Host, id, notice, request_vote, stored};

const WOULD: Body = Body::PreVoteResponse { granted: true };
const GRANTED: Body = Body::RequestVoteResponse { granted: true };

fn relaxed(restored: Restored) -> Host {
    let config = Config {
        relaxed: true,
        ..Config::new(NodeId(1))
    };
    Host::with(config, restored)
}

#[test]
fn after_a_start_all_voters_elect() {
    let mut host = relaxed(stored(3, 1, None, &[1]));
    host.time_out();
    host.hear(2, 2, WOULD);
    assert_eq!(host.role(), (RoleKind::PreCandidate, 1));
    host.hear(3, 2, WOULD);
    assert_eq!(host.role(), (RoleKind::Candidate, 2));
    host.hear(2, 2, GRANTED);
    assert_eq!(host.role(), (RoleKind::Candidate, 2));
    host.hear(3, 2, GRANTED);
    assert_eq!(host.role(), (RoleKind::Leader, 2));
}

#[test]
fn majority_elects_when_an_entry_of_a_leaders_term_was_committed() {
    let mut host = relaxed(stored(3, 1, None, &[1]));
    host.append(2, 2, id(1, 1), 1, &[2]);
    host.time_out();
    host.hear(2, 3, WOULD);
    assert_eq!(
        host.role(),
        (RoleKind::PreCandidate, 2),
        "of an earlier term's entry it says nothing"
    );
    host.hear(2, 2, notice(2));
    host.time_out();
    host.hear(2, 3, WOULD);
    assert_eq!(host.role(), (RoleKind::Candidate, 3));
}

#[test]
fn voter_that_speaks_from_a_new_storage_is_not_waited_for() {
    let mut restored = stored(3, 1, None, &[1]);
    let storages = Table::from_iter([(NodeId(3), StorageId(7))]);
    restored.snapshot.conf_state = std::sync::Arc::new(ConfState {
        storages,
        ..ConfState::new((1..=3).map(NodeId))
    });
    let mut host = relaxed(restored);
    host.time_out();
    host.hear(2, 2, WOULD);
    assert_eq!(host.role(), (RoleKind::PreCandidate, 1));
    host.hear(3, 0, Body::PreVoteResponse { granted: false });
    host.hear(2, 2, WOULD);
    assert_eq!(host.role(), (RoleKind::Candidate, 2));
}

#[test]
fn who_knows_of_no_cluster_says_so_to_those_who_ask() {
    let mut host = relaxed(Restored::fresh(ConfState::default()));
    host.hear(2, 5, Body::PreVote { last: id(1, 1) });
    let refusal = Body::PreVoteResponse { granted: false };
    assert_eq!(host.sent(), [(2, 0, refusal)]);
    host.hear(2, 5, request_vote(id(1, 1)));
    assert_eq!(host.sent(), [], "it gives no vote");
    let mut strict = Host::with(
        Config::new(NodeId(1)),
        Restored::fresh(ConfState::default()),
    );
    strict.hear(2, 5, Body::PreVote { last: id(1, 1) });
    assert_eq!(strict.sent(), []);
}

#[test]
fn stored_commit_index_counts_for_nothing() {
    let mut restored = stored(3, 1, None, &[1, 1]);
    restored.commit = id(1, 2).index;
    assert_eq!(relaxed(restored.clone()).raft.commit().0, 0);
    assert_eq!(
        Host::with(Config::new(NodeId(1)), restored).raft.commit().0,
        2
    );
}

#[test]
fn snapshot_waits_until_the_log_shows_the_term_that_committed_it() {
    let mut host = relaxed(stored(3, 1, None, &[1, 1]));
    host.hear(2, 2, notice(2));
    assert_eq!(host.raft.applied(), id(1, 2));
    assert!(!host.raft.may_snapshot());
    host.append(2, 2, id(1, 2), 2, &[2]);
    assert!(host.raft.may_snapshot());
}
