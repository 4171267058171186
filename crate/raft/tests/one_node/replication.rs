//! §5.3 and §5.4.2 from both sides: what a follower takes, and how a leader sends.

use bytes::Bytes;
use quorate_raft::{Body, Config, Input, NodeId, ProgressMode, ProposeError};

use crate::host::{Host, accepted, heartbeat, id, notice, rejected, stored};

use ProgressMode::{Probe, Replicate};

fn follower(terms: &[u64]) -> Host {
    let term = terms.last().copied().unwrap_or(0);
    Host::with(Config::new(NodeId(1)), stored(3, term, None, terms))
}

fn leader(config: Config) -> Host {
    let mut host = Host::with(config, stored(3, 0, None, &[]));
    host.lead_in_step();
    host
}

fn config() -> Config {
    Config::new(NodeId(1))
}

#[test]
fn only_a_real_conflict_cuts_the_log() {
    let mut host = follower(&[1, 1, 1, 1]);
    host.append(2, 1, id(1, 1), 0, &[1]);
    assert_eq!(host.log(), [1, 1, 1, 1], "a shorter append");
    host.append(2, 1, id(0, 0), 0, &[]);
    assert_eq!(host.log(), [1, 1, 1, 1], "an empty one");
    assert_eq!(
        host.sent(),
        [(2, 1, accepted(2)), (2, 1, accepted(0))],
        "what is vouched for is what was shown, not what is there"
    );
    host.append(2, 2, id(1, 2), 0, &[2]);
    assert_eq!(host.log(), [1, 1, 2]);
    assert_eq!(host.sent(), [(2, 2, accepted(3))]);
}

#[test]
fn append_without_its_prev_is_refused_with_a_hint() {
    let cases = [
        // A shorter log says where it ends.
        (&[1, 1][..], id(1, 5), id(1, 2)),
        // Of another term at that place: the last that could be right.
        (&[1, 1, 2, 2, 2], id(1, 5), id(1, 2)),
        (&[1, 1, 2, 2, 2], id(3, 4), id(2, 4)),
    ];
    for (terms, prev, hint) in cases {
        let mut host = follower(terms);
        host.append(2, 4, prev, 0, &[4]);
        assert_eq!(host.sent(), [(2, 4, rejected(prev.index.0, hint))]);
        assert_eq!(host.log(), terms);
    }
}

#[test]
fn follower_commits_no_further_than_it_was_shown() {
    let mut host = follower(&[1, 1, 1]);
    host.append(2, 1, id(1, 1), 9, &[1]);
    assert_eq!(host.raft.commit().0, 2);
    host.hear(2, 1, notice(3));
    assert_eq!(host.raft.commit().0, 3, "the leader knows what matched");
    assert_eq!(host.applied(), [vec![1, 2], vec![3]]);
}

#[test]
fn late_append_below_the_commit_index_is_answered_with_it() {
    let mut host = follower(&[1, 1, 1, 1]);
    host.hear(2, 1, notice(3));
    host.append(2, 1, id(1, 1), 1, &[1]);
    host.append(2, 1, id(0, 0), 1, &[1, 1, 1, 1]);
    assert_eq!(host.sent(), [(2, 1, accepted(3)), (2, 1, accepted(4))]);
}

#[test]
fn commit_waits_for_an_entry_of_the_own_term() {
    let mut host = follower(&[1, 1]);
    host.prompt = true;
    host.lead();
    host.accept(2, 2);
    assert_eq!(
        host.raft.commit().0,
        0,
        "two of term 1 are on a quorum, and that is not enough"
    );
    host.accept(2, 3);
    assert_eq!(
        host.raft.commit().0,
        3,
        "with the first of term 2 all before it are committed"
    );
}

#[test]
fn commit_needs_more_than_half() {
    let mut host = Host::with(config(), stored(4, 0, None, &[]));
    host.lead();
    host.accept(2, 1);
    assert_eq!(host.raft.commit().0, 0);
    host.accept(3, 1);
    assert_eq!(host.raft.commit().0, 1);
}

#[test]
fn new_leader_probes_once_and_pipelines_when_it_is_answered() {
    let mut host = Host::new(3);
    host.lead();
    assert_eq!(host.progress(2), (0, 1, Probe));
    host.propose(10);
    host.propose(10);
    assert_eq!(host.appends_to(2), [], "the probe is not answered");
    host.accept(2, 1);
    assert_eq!(
        host.appends_to(2),
        [(2, 3, 20)],
        "what was waiting goes in one"
    );
    assert_eq!(host.progress(2), (1, 4, Replicate));
    host.propose(5);
    assert_eq!(
        host.appends_to(2),
        [(4, 4, 5)],
        "and the next without waiting"
    );
}

#[test]
fn unanswered_probe_is_repeated_after_an_answered_heartbeat() {
    let mut host = Host::new(3);
    host.lead();
    host.time_out();
    assert_eq!(host.appends_to(2), []);
    host.hear(2, 1, Body::HeartbeatResponse { round: 0 });
    assert_eq!(host.appends_to(2), [(1, 1, 0)]);
    host.hear(3, 1, Body::HeartbeatResponse { round: 0 });
    assert_eq!(host.appends_to(2), [], "an answer of another says nothing");
}

#[test]
fn window_is_bounded_in_messages_and_reopens_as_they_are_answered() {
    let mut host = leader(Config {
        max_inflight_messages: 3,
        ..config()
    });
    for _ in 0..5 {
        host.propose(1);
    }
    assert_eq!(host.appends_to(2), [(2, 2, 1), (3, 3, 1), (4, 4, 1)]);
    host.accept(2, 3);
    assert_eq!(host.appends_to(2), [(5, 6, 2)], "what waited goes in one");
    host.accept(2, 6);
    for _ in 0..3 {
        host.propose(1);
    }
    assert_eq!(host.appends_to(2).len(), 3, "every place is free again");
}

#[test]
fn window_is_bounded_in_bytes() {
    let mut host = leader(Config {
        max_inflight_bytes: 25,
        max_append_bytes: 20,
        ..config()
    });
    for _ in 0..5 {
        host.propose(10);
    }
    assert_eq!(host.appends_to(2), [(2, 2, 10), (3, 3, 10), (4, 4, 10)]);
    host.accept(2, 2);
    assert_eq!(host.appends_to(2), [(5, 6, 20)]);
}

#[test]
fn status_tells_how_much_is_on_its_way() {
    let mut host = Host::new(3);
    let inflight = |host: &Host| {
        let peers = host.raft.status().peers;
        let counts = peers.iter().map(|peer| (peer.id.0, peer.inflight));
        counts.collect::<Vec<_>>()
    };
    host.lead();
    assert_eq!(inflight(&host), [(2, 1), (3, 1)], "probes");
    host.accept(2, 1);
    host.propose(1);
    host.propose(1);
    assert_eq!(inflight(&host), [(2, 2), (3, 1)]);
    host.accept(2, 3);
    assert_eq!(inflight(&host), [(2, 0), (3, 1)]);
}

#[test]
fn append_is_limited_in_bytes_but_takes_at_least_one() {
    let mut host = Host::with(
        Config {
            max_append_bytes: 25,
            ..config()
        },
        stored(3, 0, None, &[]),
    );
    host.lead();
    for size in [10, 10, 10, 90, 10] {
        host.propose(size);
    }
    host.accept(2, 1);
    assert_eq!(
        host.appends_to(2),
        [(2, 3, 20), (4, 4, 10), (5, 5, 90), (6, 6, 10)]
    );
}

#[test]
fn heartbeat_answer_finds_a_lost_append() {
    let mut host = leader(config());
    host.propose(10);
    host.forget();
    host.hear(2, 1, Body::HeartbeatResponse { round: 0 });
    assert_eq!(host.appends_to(2), [(3, 2, 0)], "an empty one behind it");
    host.reject(2, 2, id(1, 1));
    assert_eq!(host.appends_to(2), [(2, 2, 10)]);
}

#[test]
fn full_window_lets_an_empty_append_through() {
    let mut host = leader(Config {
        max_inflight_messages: 1,
        ..config()
    });
    host.propose(10);
    host.propose(10);
    assert_eq!(host.appends_to(2), [(2, 2, 10)], "and it is lost");
    host.hear(2, 1, Body::HeartbeatResponse { round: 0 });
    assert_eq!(host.appends_to(2), [(3, 2, 0)]);
    host.reject(2, 2, id(1, 1));
    assert_eq!(host.appends_to(2), [(2, 3, 20)]);
}

#[test]
fn lost_connection_ends_the_pipeline() {
    let mut host = leader(config());
    host.propose(10);
    host.propose(10);
    host.forget();
    host.input(Input::Unreachable { peer: NodeId(2) });
    assert_eq!(host.progress(2), (1, 2, Probe));
    assert_eq!(host.appends_to(2), [(2, 3, 20)]);
    assert_eq!(host.progress(3).2, Replicate);
}

#[test]
fn hints_take_a_leader_back_a_term_at_a_time() {
    let mut host = Host::with(config(), stored(3, 5, None, &[1, 1, 1, 4, 4, 5, 5]));
    host.lead();
    // The follower's log is 1 1 1 2 2 2 2.
    host.reject(2, 7, id(2, 7));
    assert_eq!(host.appends_to(2), [(4, 8, 0)].map(|(a, b, _)| (a, b, 12)));
    host.accept(2, 8);
    assert_eq!(host.progress(2), (8, 9, Replicate));
}

#[test]
fn rejection_goes_back_by_one_at_least_whatever_it_hints() {
    let mut host = Host::with(config(), stored(3, 1, None, &[1, 1, 1]));
    host.lead();
    for prev in [3, 2, 1] {
        assert_eq!(host.progress(2), (0, prev + 1, Probe));
        host.reject(2, prev, id(1, prev));
    }
    assert_eq!(host.progress(2), (0, 1, Probe));
}

#[test]
fn late_rejections_move_nothing() {
    let mut host = Host::with(config(), stored(3, 5, None, &[1, 1, 1, 4, 4, 5, 5]));
    host.lead();
    host.reject(2, 7, id(4, 5));
    assert_eq!(host.progress(2), (0, 6, Probe));
    host.reject(2, 7, id(4, 4));
    assert_eq!(host.progress(2), (0, 6, Probe), "not what is being probed");
    host.accept(2, 8);
    host.reject(2, 5, id(1, 2));
    assert_eq!(
        host.progress(2),
        (8, 9, Replicate),
        "what is acknowledged is there"
    );
    host.accept(2, 5);
    assert_eq!(
        host.progress(2),
        (8, 9, Replicate),
        "nor does a late acknowledgement"
    );
}

#[test]
fn heartbeat_tells_no_more_than_what_matched() {
    let mut host = leader(config());
    host.propose(10);
    host.accept(2, 2);
    host.forget();
    host.time_out();
    let expected = [(2, 1, heartbeat(2, 1)), (3, 1, heartbeat(1, 1))];
    assert_eq!(host.sent(), expected);
}

#[test]
fn commit_is_told_at_once_and_once() {
    let mut host = leader(config());
    host.propose(10);
    host.forget();
    host.accept(2, 2);
    assert_eq!(host.sent(), [(2, 1, notice(2))]);
    host.accept(3, 2);
    assert_eq!(host.sent(), [(3, 1, notice(2))]);
}

#[test]
fn uncommitted_tail_is_bounded_in_bytes() {
    let mut host = leader(Config {
        max_uncommitted_bytes: 100,
        ..config()
    });
    host.propose(1_000);
    let refused = |host: &mut Host, bytes| {
        let data = Bytes::from(vec![0; bytes]);
        host.raft.propose(host.now, data) == Err(ProposeError::Dropped)
    };
    assert!(
        refused(&mut host, 1),
        "one on an empty tail is taken, and no other"
    );
    host.accept(2, 2);
    host.propose(60);
    host.propose(40);
    assert!(refused(&mut host, 1));
    host.accept(2, 3);
    host.propose(60);
    assert!(refused(&mut host, 1), "40 and 60 are uncommitted");
    assert_eq!(
        host.raft.status().last.index.0,
        5,
        "what is refused is not there"
    );
}

#[test]
fn first_entry_of_a_term_weighs_nothing() {
    let config = Config {
        max_uncommitted_bytes: 1,
        ..config()
    };
    let mut host = Host::with(config, stored(3, 0, None, &[]));
    host.lead();
    assert_eq!((host.log(), host.raft.commit().0), (vec![1], 0));
    host.propose(10);
    assert_eq!(host.log(), [1, 1], "taken, as on an empty tail");
}

#[test]
fn entries_of_earlier_terms_are_no_part_of_the_uncommitted_tail() {
    let config = Config {
        max_uncommitted_bytes: 10,
        ..config()
    };
    let mut host = Host::with(config, stored(3, 1, None, &[1, 1, 1]));
    host.lead();
    host.propose(10);
    host.accept(2, 4);
    assert_eq!(host.raft.commit().0, 4, "nine bytes of term 1");
    let refused = host.raft.propose(host.now, Bytes::from_static(b"x"));
    assert_eq!(refused, Err(ProposeError::Dropped), "ten of term 2 remain");
    host.accept(2, 5);
    host.propose(10);
}

#[test]
fn follower_takes_no_proposal_and_says_who_does() {
    let mut host = Host::new(3);
    let propose = |host: &mut Host| host.raft.propose(host.now, Bytes::new());
    assert_eq!(
        propose(&mut host),
        Err(ProposeError::NotLeader { hint: None })
    );
    host.hear(3, 1, heartbeat(0, 0));
    let hint = Some(NodeId(3));
    assert_eq!(propose(&mut host), Err(ProposeError::NotLeader { hint }));
}

#[test]
fn what_is_committed_is_handed_out_in_order_in_limited_pieces() {
    let mut host = leader(Config {
        max_apply_bytes: 25,
        ..config()
    });
    for _ in 0..5 {
        host.propose(10);
    }
    host.forget();
    host.accept(3, 6);
    assert_eq!(host.applied(), [vec![2, 3], vec![4, 5], vec![6]]);
}
