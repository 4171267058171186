//! §8, thesis §6.4: reads without a log entry.

use quorate_raft::{Body, Config, NodeId, Output, ReadError};

use crate::host::{Host, heartbeat, stored};

fn confirm(host: &mut Host, peer: u64, round: u64) {
    let term = host.raft.term().0;
    host.hear(peer, term, Body::HeartbeatResponse { round });
}

#[test]
fn read_waits_for_a_quorum_to_confirm_the_leader_after_it() {
    let mut host = Host::new(5);
    host.lead_in_step();
    host.read(7);
    let beats: Vec<_> = (2..=5).map(|to| (to, 1, heartbeat(1, 1))).collect();
    assert_eq!((host.sent(), host.reads()), (beats, vec![]));
    confirm(&mut host, 2, 0);
    confirm(&mut host, 3, 0);
    confirm(&mut host, 4, 1);
    confirm(&mut host, 4, 1);
    assert_eq!(host.reads(), [], "two old answers, and one new one twice");
    confirm(&mut host, 5, 1);
    assert_eq!(host.reads(), [(7, 1)]);
}

#[test]
fn read_waits_for_the_first_commit_of_the_term() {
    let mut host = Host::new(3);
    host.lead();
    host.read(7);
    confirm(&mut host, 2, 0);
    confirm(&mut host, 3, 0);
    confirm(&mut host, 2, 1);
    assert_eq!(
        (host.sent_to(3).contains(&heartbeat(0, 1)), host.reads()),
        (false, vec![])
    );
    host.accept(2, 1);
    confirm(&mut host, 2, 1);
    assert_eq!(host.reads(), [(7, 1)]);
}

#[test]
fn reads_that_come_during_a_round_share_the_next() {
    let mut host = Host::new(3);
    host.lead_in_step();
    for ctx in 1..=4 {
        host.read(ctx);
    }
    assert_eq!(host.sent_to(2), [heartbeat(1, 1)]);
    // What is committed meanwhile is in the index of the later ones.
    host.propose(10);
    host.accept(2, 2);
    host.forget();
    confirm(&mut host, 2, 1);
    assert_eq!(host.reads(), [(1, 1)]);
    assert_eq!(host.sent_to(3), [heartbeat(1, 2)]);
    confirm(&mut host, 3, 2);
    let mut reads = host.reads();
    reads.sort_unstable();
    assert_eq!(reads, [(1, 1), (2, 2), (3, 2), (4, 2)]);
}

#[test]
fn read_is_answered_after_what_it_must_see_is_handed_out() {
    let mut host = Host::new(1);
    host.lead();
    host.propose(10);
    host.read(7);
    let kinds: Vec<&str> = host
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Output::Apply(_) => Some("apply"),
            Output::ReadReady { .. } => Some("read"),
            _ => None,
        })
        .collect();
    assert_eq!((kinds, host.reads()), (vec!["apply", "read"], vec![(7, 2)]));
}

#[test]
fn waiting_reads_are_bounded() {
    let config = Config {
        max_pending_reads: 2,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 0, None, &[]));
    host.lead_in_step();
    host.read(1);
    host.read(2);
    assert_eq!(host.raft.read_index(host.now, 3), Err(ReadError::Dropped));
    confirm(&mut host, 2, 1);
    host.read(3);
}

#[test]
fn lost_leadership_voids_reads() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.read(7);
    host.hear(3, 2, heartbeat(1, 0));
    confirm(&mut host, 2, 1);
    host.hear(2, 1, Body::HeartbeatResponse { round: 1 });
    assert_eq!(host.reads(), []);
    let hint = Some(NodeId(3));
    assert_eq!(
        host.raft.read_index(host.now, 8),
        Err(ReadError::NotLeader { hint })
    );
}

#[test]
fn unanswered_round_is_repeated_with_the_heartbeat() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.read(7);
    host.forget();
    host.time_out();
    assert_eq!(host.sent_to(2), [heartbeat(1, 1)]);
    confirm(&mut host, 2, 1);
    assert_eq!(host.reads(), [(7, 1)]);
}
