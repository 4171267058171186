//! Idle groups go quiet, and wake on demand.

use std::time::Duration;

use quorate_raft::{
    Body, Change, ConfState, Config, Index, Input, Instant, Message, NodeId, Restored, RoleKind,
    StorageId, Term,
};

use crate::host::{Host, accepted, heartbeat, id, rejected, request_vote, stored};

const QUIET_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600_000;

fn config() -> Config {
    Config {
        quiesce_after: Some(Duration::from_millis(QUIET_MS)),
        ..Config::new(NodeId(1))
    }
}

/// A leader of three in term 1 that has committed its first entry everywhere.
fn leader_with(config: Config) -> Host {
    let mut host = Host::with(config, stored(3, 0, None, &[]));
    host.lead_in_step();
    host
}

/// Its next round of heartbeats, or what takes their place.
fn beat(host: &mut Host) -> Vec<Body> {
    host.time_out();
    let sent = host.sent();
    assert_eq!(sent.iter().map(|(to, ..)| *to).collect::<Vec<_>>(), [2, 3]);
    sent.into_iter().map(|(.., body)| body).collect()
}

/// What a follower with the same log says to that.
fn answer(body: &Body) -> Body {
    match body {
        Body::Heartbeat {
            round: Some(round), ..
        } => Body::HeartbeatResponse { round: *round },
        Body::Sleep { round, .. } => Body::SleepResponse { round: *round },
        other => panic!("no heartbeat: {other:?}"),
    }
}

/// Waits until the leader tells all to sleep; how long that took, in milliseconds, and what it says.
fn until_told(host: &mut Host) -> (u64, Body) {
    let start = host.now;
    loop {
        let said = beat(host);
        if let Body::Sleep { .. } = said[0] {
            let waited = host.now.since(start).as_millis();
            return (u64::try_from(waited).expect("short"), said[0].clone());
        }
        for (peer, body) in [2, 3].into_iter().zip(&said) {
            host.hear(peer, 1, answer(body));
        }
        host.forget();
    }
}

/// The same leader, an hour after all fell asleep.
fn sleeper_with(config: Config) -> Host {
    let mut host = leader_with(config);
    let (_, told) = until_told(&mut host);
    for peer in [2, 3] {
        host.hear(peer, 1, answer(&told));
    }
    assert!(host.raft.status().asleep);
    host.forget();
    host.pass(HOUR_MS);
    host
}

/// Node 1 in term 1, told by node 2 that three entries are all there is, and asleep.
fn follower_with(config: Config) -> Host {
    let mut host = Host::with(config, stored(3, 1, None, &[1, 1, 1]));
    host.hear(2, 1, heartbeat(2, 8));
    host.forget();
    host.hear(2, 1, sleep(3, 9));
    assert_eq!(host.sent(), [(2, 1, Body::SleepResponse { round: 9 })]);
    host.pass(HOUR_MS);
    host
}

fn sleep(last: u64, round: u64) -> Body {
    Body::Sleep {
        last: Index(last),
        round,
    }
}

/// Whether it waits for what a follower or a leader that is awake waits for.
fn waits(host: &Host) -> bool {
    let next = host.raft.next_timeout();
    next > host.now && next <= host.now.after(Duration::from_millis(600))
}

#[test]
fn idle_leader_tells_all_to_sleep_and_is_silent_when_all_do() {
    let mut host = leader_with(config());
    let (waited, told) = until_told(&mut host);
    assert!((QUIET_MS..QUIET_MS + 120).contains(&waited), "{waited}");
    let Body::Sleep { last, round } = told else {
        panic!("{told:?}")
    };
    assert_eq!(last, Index(1));
    host.hear(2, 1, Body::SleepResponse { round });
    // Once more for the one that may not have heard.
    let again = beat(&mut host);
    assert_eq!(again[0], sleep(1, round + 1));
    assert!(!host.raft.status().asleep);
    host.hear(3, 1, answer(&again[1]));
    assert!(host.raft.status().asleep);
    assert_eq!(host.raft.next_timeout(), Instant::NEVER);
    host.pass(HOUR_MS);
    host.input(Input::TimerFired);
    assert_eq!(host.role(), (RoleKind::Leader, 1));
    assert_eq!(host.sent(), []);
}

#[test]
fn nobody_sleeps_where_nobody_is_to() {
    let mut host = leader_with(Config::new(NodeId(1)));
    for _ in 0..1_000 {
        for (peer, body) in [2, 3].into_iter().zip(beat(&mut host)) {
            assert!(matches!(body, Body::Heartbeat { .. }));
            host.hear(peer, 1, answer(&body));
        }
        host.forget();
    }
}

#[test]
fn whoever_does_not_sleep_keeps_all_awake() {
    let mut host = leader_with(config());
    for _ in 0..3 {
        let (_, mut told) = until_told(&mut host);
        let start = host.now;
        // For an election timeout it asks; then those that sleep are to wake.
        while let Body::Sleep { round, .. } = told {
            host.hear(2, 1, Body::SleepResponse { round });
            host.hear(3, 1, Body::HeartbeatResponse { round });
            host.forget();
            told = beat(&mut host)[0].clone();
            assert!(host.now.since(start) <= Duration::from_millis(300));
        }
        assert_eq!(host.now.since(start), Duration::from_millis(300));
        assert!(matches!(told, Body::Heartbeat { .. }));
    }
    // An answer to what was asked then is none to what is asked now.
    let (_, told) = until_told(&mut host);
    for peer in [2, 3] {
        host.hear(peer, 1, Body::SleepResponse { round: 20 });
    }
    assert!(!host.raft.status().asleep);
    for peer in [2, 3] {
        host.hear(peer, 1, answer(&told));
    }
    assert!(host.raft.status().asleep);
}

#[test]
fn leader_with_something_to_do_tells_nobody_to_sleep() {
    let busy: [fn(&mut Host); 4] = [
        |host| {
            host.propose(3);
        },
        |host| host.read(7),
        |host| {
            let moved = host.raft.transfer_leadership(host.now, NodeId(2));
            moved.expect("a voter");
        },
        // What it has is not known for certain any more.
        |host| host.input(Input::Unreachable { peer: NodeId(3) }),
    ];
    for (number, event) in busy.into_iter().enumerate() {
        let mut host = leader_with(config());
        for _ in 0..QUIET_MS {
            event(&mut host);
            host.pass(3);
            let before = host.raft.next_timeout();
            host.input(Input::TimerFired);
            for (to, _, body) in host.sent() {
                assert!(!matches!(body, Body::Sleep { .. }), "{number}");
                if let Body::Heartbeat { round: Some(_), .. } = body {
                    host.hear(to, 1, answer(&body));
                }
                if let Body::AppendEntries { .. } = body
                    && to == 2
                {
                    host.accept(to, host.raft.status().last.index.0);
                }
            }
            assert!(before <= host.now.after(Duration::from_millis(60)));
        }
    }
}

#[test]
fn leader_wakes_by_what_it_is_asked_and_speaks_to_all_at_once() {
    type Event = fn(&mut Host);
    type Says = fn(&Body) -> bool;
    let is_append: Says = |body| matches!(body, Body::AppendEntries { .. });
    let is_beat: Says = |body| matches!(body, Body::Heartbeat { round: Some(_), .. });
    let events: [(Event, Says); 9] = [
        (
            |host| {
                host.propose(3);
            },
            is_append,
        ),
        (|host| host.read(7), is_beat),
        (|host| host.hear(3, 1, Body::ReadIndex { ctx: 4 }), is_beat),
        (
            |host| host.hear(3, 2, Body::PreVote { last: id(1, 1) }),
            is_beat,
        ),
        (|host| host.hear(3, 2, request_vote(id(1, 1))), is_beat),
        (|host| host.input(Input::Reachable), is_beat),
        (|host| host.input(Input::ClockStopped), is_beat),
        (
            |host| {
                let learner = Change::AddLearner {
                    id: NodeId(4),
                    storage: StorageId(4),
                };
                let changed = host.raft.propose_membership(host.now, &[learner]);
                changed.expect("a step");
                host.drain();
            },
            is_append,
        ),
        (
            |host| {
                let moved = host.raft.transfer_leadership(host.now, NodeId(2));
                moved.expect("a voter");
                host.drain();
            },
            is_beat,
        ),
    ];
    for (number, (event, says)) in events.into_iter().enumerate() {
        let mut host = sleeper_with(config());
        event(&mut host);
        let sent = host.sent();
        for peer in [2, 3] {
            let to_it = sent.iter().filter(|(to, ..)| *to == peer);
            let said = to_it.filter(|(.., body)| says(body)).count();
            assert_eq!(said, 1, "{number}: {sent:?}");
        }
        assert!(!host.raft.status().asleep, "{number}");
        // It counts from now on whether it hears a quorum.
        host.time_out();
        assert_eq!(host.role(), (RoleKind::Leader, 1), "{number}");
        host.pass(300);
        host.input(Input::TimerFired);
        assert_eq!(host.role(), (RoleKind::Follower, 1), "{number}");
    }
}

#[test]
fn read_of_a_sleeping_leader_waits_for_a_quorum() {
    let config = Config {
        lease_reads: true,
        ..config()
    };
    let mut host = leader_with(config);
    let (_, told) = until_told(&mut host);
    host.hear(2, 1, answer(&told));
    assert!(host.raft.holds_lease());
    host.hear(3, 1, answer(&told));
    host.forget();
    assert!(!host.raft.holds_lease(), "who sleeps holds none");
    host.raft.lease_read(host.now, 7).expect("it leads");
    host.drain();
    // What was said before it slept confirms nothing.
    host.hear(2, 1, answer(&told));
    host.hear(3, 1, answer(&told));
    assert_eq!(host.reads(), []);
    let round = host.sent_to(2).into_iter().find_map(|body| match body {
        Body::Heartbeat { round, .. } => round,
        _ => None,
    });
    let round = round.expect("it asks");
    host.hear(2, 1, Body::HeartbeatResponse { round });
    assert_eq!(host.reads(), [(7, 1)]);
}

#[test]
fn late_answers_do_not_wake_a_leader() {
    let mut host = sleeper_with(config());
    for peer in [2, 3] {
        host.hear(peer, 1, Body::HeartbeatResponse { round: 2 });
        host.hear(peer, 1, Body::SleepResponse { round: 2 });
        host.hear(peer, 1, accepted(1));
        host.hear(peer, 1, rejected(1, id(0, 0)));
        host.hear(peer, 1, Body::PreVoteResponse { granted: false });
    }
    host.input(Input::TimerFired);
    assert!(host.raft.status().asleep);
    assert_eq!(host.sent(), []);
}

#[test]
fn peer_that_a_sleeping_leader_lost_is_looked_for_when_there_is_something_to_say() {
    let mut host = sleeper_with(config());
    host.input(Input::Unreachable { peer: NodeId(3) });
    assert!(host.raft.status().asleep);
    assert_eq!(host.sent(), []);
    host.propose(3);
    assert_eq!(host.appends_to(3), [(2, 2, 3)]);
}

#[test]
fn silence_while_all_slept_is_no_reason_to_bind_a_member_to_another_storage() {
    let founders = ConfState {
        storages: [1, 2, 3]
            .map(|id| (NodeId(id), StorageId(0)))
            .into_iter()
            .collect(),
        ..ConfState::new([1, 2, 3].map(NodeId))
    };
    let mut host = Host::with(config(), Restored::fresh(founders));
    host.lead_in_step();
    let (_, told) = until_told(&mut host);
    for peer in [2, 3] {
        host.hear(peer, 1, answer(&told));
    }
    let Body::Sleep { round, .. } = told else {
        panic!("{told:?}")
    };
    host.pass(HOUR_MS);
    host.input(Input::Message(Message {
        from: NodeId(3),
        to: NodeId(1),
        storage: StorageId(9),
        term: Term(1),
        body: Body::HeartbeatResponse { round },
    }));
    let status = host.raft.status();
    assert!(!status.asleep, "a member answers from another storage");
    assert_eq!(
        status.last.index,
        Index(1),
        "and may yet answer from its own"
    );
}

#[test]
fn follower_sleeps_only_with_the_same_log() {
    let refused = Body::HeartbeatResponse { round: 9 };
    // Shorter, longer, and as long with an earlier term at its end.
    for (terms, term) in [(&[1, 1][..], 1), (&[1, 1, 1, 1], 1), (&[1, 1, 1], 2)] {
        let mut host = Host::with(config(), stored(3, term, None, terms));
        host.hear(2, term, sleep(3, 9));
        assert_eq!(host.sent(), [(2, term, refused.clone())]);
        assert!(waits(&host) && !host.raft.status().asleep);
    }
    let mut unaware = Host::with(Config::new(NodeId(1)), stored(3, 1, None, &[1]));
    unaware.hear(2, 1, sleep(1, 9));
    assert_eq!(unaware.sent(), [(2, 1, refused.clone())]);
    assert!(waits(&unaware));
    let mut asking = Host::with(config(), stored(3, 1, None, &[1]));
    asking.hear(2, 1, heartbeat(1, 8));
    asking.read(7);
    asking.forget();
    asking.hear(2, 1, sleep(1, 9));
    let sent = asking.sent_to(2);
    assert_eq!(sent[0], refused);
    assert!(matches!(sent[1], Body::ReadIndex { .. }), "{sent:?}");
}

#[test]
fn sleeping_follower_knows_that_all_is_committed_and_lets_no_election_time_out() {
    let mut host = follower_with(config());
    let status = host.raft.status();
    assert!(status.asleep);
    assert_eq!((status.commit, status.applied), (Index(3), Index(3)));
    assert_eq!(host.raft.leader(), Some(NodeId(2)));
    assert_eq!(host.raft.next_timeout(), Instant::NEVER);
    host.input(Input::TimerFired);
    // Told again, it answers again. What was said before is late.
    host.hear(2, 1, sleep(3, 10));
    host.hear(2, 1, sleep(3, 9));
    host.hear(2, 1, heartbeat(3, 9));
    assert_eq!(host.sent(), [(2, 1, Body::SleepResponse { round: 10 })]);
    assert_eq!(host.role(), (RoleKind::Follower, 1));
    assert_eq!(host.raft.next_timeout(), Instant::NEVER);
}

#[test]
fn follower_wakes_by_whatever_says_more() {
    type Event = fn(&mut Host);
    let events: [Event; 8] = [
        |host| host.hear(2, 1, heartbeat(3, 10)),
        |host| host.append(2, 1, id(1, 3), 3, &[1]),
        |host| host.hear(3, 2, Body::PreVote { last: id(1, 3) }),
        |host| host.hear(3, 2, request_vote(id(1, 3))),
        |host| host.hear(3, 2, heartbeat(3, 0)),
        |host| host.hear(3, 2, Body::RequestVoteResponse { granted: false }),
        |host| host.input(Input::ClockStopped),
        |host| host.read(7),
    ];
    for (number, event) in events.into_iter().enumerate() {
        let mut host = follower_with(config());
        event(&mut host);
        assert!(!host.raft.status().asleep, "{number}");
        assert!(waits(&host), "{number}");
        assert_eq!(host.role().0, RoleKind::Follower, "{number}");
    }
}

#[test]
fn who_is_asked_for_a_vote_in_its_sleep_keeps_to_its_leader_and_looks_for_it() {
    let mut host = follower_with(config());
    let ask = Body::PreVote { last: id(1, 3) };
    host.hear(3, 2, ask.clone());
    let refused = Body::PreVoteResponse { granted: false };
    assert_eq!(host.sent(), [(3, 1, refused)]);
    assert_eq!(host.raft.leader(), Some(NodeId(2)));
    // If the leader does not answer either, it is gone.
    host.pass(300);
    host.hear(3, 2, ask.clone());
    let granted = Body::PreVoteResponse { granted: true };
    assert_eq!(host.sent(), [(3, 2, granted.clone())]);
    // A leader that asks has forgotten that it was one.
    let mut host = follower_with(config());
    host.hear(2, 2, ask);
    assert_eq!(host.sent(), [(2, 2, granted)]);
}

#[test]
fn follower_whose_leader_is_gone_asks_at_once_and_under_leases_in_its_time() {
    let mut host = follower_with(config());
    host.input(Input::Unreachable { peer: NodeId(3) });
    assert!(host.raft.status().asleep, "another's end is nothing to it");
    host.input(Input::Unreachable { peer: NodeId(2) });
    assert_eq!(host.raft.leader(), None);
    assert_eq!(host.raft.next_timeout(), host.now);
    let mut host = follower_with(Config {
        lease_reads: true,
        ..config()
    });
    host.input(Input::Unreachable { peer: NodeId(2) });
    assert_eq!(host.raft.leader(), Some(NodeId(2)));
    assert!(waits(&host));
    host.time_out();
    assert_eq!(host.role().0, RoleKind::PreCandidate);
}

#[test]
fn aligned_heartbeats_are_due_at_multiples_of_their_interval_and_not_later() {
    let config = Config {
        align_heartbeats: true,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 0, None, &[]));
    host.lead_in_step();
    let mut last = host.now;
    for wait in [0, 0, 17, 0, 59, 1] {
        host.pass(wait);
        let due = host.raft.next_timeout();
        assert_eq!(due.0 % 60_000, 0);
        assert!(due > last && due <= last.after(Duration::from_millis(60)));
        host.now = host.now.max(due);
        last = host.now;
        host.input(Input::TimerFired);
        for (to, _, body) in host.sent() {
            host.hear(to, 1, answer(&body));
        }
        host.forget();
    }
}
