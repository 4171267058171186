//! §5.2, §5.4.1; pre-vote, stickiness and the leader's quorum check (thesis §9.6, §4.2.3, §6.2).

use std::sync::Arc;
use std::time::Duration;

use quorate_raft::{
    Body, ConfState, Config, Input, Instant, Message, NodeId, Raft, RoleKind, StorageId, Term,
};

use crate::host::{Host, heartbeat, id, rejected, request_vote, stored};

const GRANTED: Body = Body::RequestVoteResponse { granted: true };
const REFUSED: Body = Body::RequestVoteResponse { granted: false };
const WOULD: Body = Body::PreVoteResponse { granted: true };
const WOULD_NOT: Body = Body::PreVoteResponse { granted: false };

fn pre_vote(term: u64, index: u64) -> Body {
    Body::PreVote {
        last: id(term, index),
    }
}

#[test]
fn vote_is_given_once_in_a_term_and_again_to_the_same() {
    let mut host = Host::new(3);
    host.hear(2, 1, request_vote(id(0, 0)));
    host.hear(3, 1, request_vote(id(0, 0)));
    host.hear(2, 1, request_vote(id(0, 0)));
    assert_eq!(
        host.sent(),
        [(2, 1, GRANTED), (3, 1, REFUSED), (2, 1, GRANTED)]
    );
    host.hear(3, 2, request_vote(id(0, 0)));
    assert_eq!(host.sent(), [(3, 2, GRANTED)], "another term, another vote");
}

#[test]
fn vote_goes_to_logs_at_least_as_good() {
    let cases = [
        (id(2, 3), true),
        (id(2, 4), true),
        (id(3, 1), true),
        (id(2, 2), false),
        (id(1, 9), false),
    ];
    for (last, granted) in cases {
        let mut host = Host::with(Config::new(NodeId(1)), stored(3, 2, None, &[1, 2, 2]));
        host.hear(2, 3, request_vote(last));
        let answer = Body::RequestVoteResponse { granted };
        assert_eq!(host.sent(), [(2, 3, answer)], "vote for {last}");
        let mut host = Host::with(Config::new(NodeId(1)), stored(3, 2, None, &[1, 2, 2]));
        host.hear(2, 3, Body::PreVote { last });
        let term = if granted { 3 } else { 2 };
        let answer = Body::PreVoteResponse { granted };
        assert_eq!(host.sent(), [(2, term, answer)], "pre-vote for {last}");
    }
}

#[test]
fn term_whose_leader_is_known_has_no_vote_left() {
    let mut host = Host::new(3);
    host.hear(2, 1, heartbeat(0, 0));
    host.pass(300);
    host.sent();
    host.hear(3, 1, request_vote(id(0, 0)));
    assert_eq!(host.sent(), [(3, 1, REFUSED)]);
}

#[test]
fn deposed_leader_keeps_its_vote_in_the_same_term() {
    let mut host = Host::new(3);
    host.lead();
    host.time_out_without_answers();
    assert_eq!(host.role(), (RoleKind::Follower, 1));
    host.sent();
    host.hear(2, 1, request_vote(id(1, 9)));
    assert_eq!(host.sent(), [(2, 1, REFUSED)]);
}

impl Host {
    /// No one answers until the leader gives up.
    fn time_out_without_answers(&mut self) {
        for _ in 0..20 {
            if self.raft.is_leader() {
                self.time_out();
            }
        }
        assert!(!self.raft.is_leader());
    }
}

#[test]
fn vote_is_not_even_heard_while_the_leader_is_fresh() {
    let mut host = Host::new(3);
    host.hear(2, 1, heartbeat(0, 0));
    host.sent();
    host.pass(299);
    host.hear(3, 2, request_vote(id(9, 9)));
    assert_eq!((host.sent(), host.role().1), (vec![], 1));
    host.hear(3, 2, pre_vote(9, 9));
    assert_eq!(host.sent(), [(3, 1, WOULD_NOT)]);
    host.pass(1);
    host.hear(3, 2, pre_vote(9, 9));
    host.hear(3, 2, request_vote(id(9, 9)));
    assert_eq!(host.sent(), [(3, 2, WOULD), (3, 2, GRANTED)]);
}

#[test]
fn lost_leader_is_not_waited_for_and_the_next_of_the_voters_goes_first() {
    for (own, first_wait) in [(1, 0), (3, 15)] {
        let mut host = Host::with(Config::new(NodeId(own)), stored(3, 1, None, &[1]));
        host.hear(2, 1, heartbeat(0, 0));
        host.sent();
        host.input(Input::Unreachable { peer: NodeId(2) });
        assert_eq!(host.raft.leader(), None);
        assert_eq!(
            host.raft.next_timeout(),
            host.now.after(Duration::from_millis(first_wait))
        );
        host.time_out();
        assert_eq!(
            host.role(),
            (RoleKind::PreCandidate, 1),
            "it asks, and moves no term"
        );
    }
}

#[test]
fn where_nobody_leads_a_connection_is_worth_a_question() {
    for (own, first_wait) in [(1, 60), (3, 90)] {
        let mut host = Host::with(Config::new(NodeId(own)), stored(3, 1, None, &[1]));
        let soon = host.now.after(Duration::from_millis(first_wait));
        host.input(Input::Reachable);
        assert_eq!(host.raft.next_timeout(), soon);
        host.pass(10);
        host.input(Input::Reachable);
        assert_eq!(host.raft.next_timeout(), soon, "the first one counts");
        host.time_out();
        assert_eq!(host.role(), (RoleKind::PreCandidate, 1));
        host.input(Input::Reachable);
        let again = host.now.after(Duration::from_millis(first_wait));
        assert_eq!(
            host.raft.next_timeout(),
            again,
            "who can be reached now was not asked"
        );
    }
    let mut host = Host::new(3);
    host.hear(2, 1, heartbeat(0, 0));
    let deadline = host.raft.next_timeout();
    host.input(Input::Reachable);
    assert_eq!(host.raft.next_timeout(), deadline);
}

#[test]
fn where_leaders_read_by_what_others_said_nothing_is_sooner() {
    let config = Config {
        lease_reads: true,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 1, None, &[1]));
    let deadline = host.raft.next_timeout();
    host.input(Input::Reachable);
    assert_eq!(host.raft.next_timeout(), deadline);
    host.hear(2, 1, heartbeat(0, 0));
    let deadline = host.raft.next_timeout();
    host.input(Input::Unreachable { peer: NodeId(2) });
    assert_eq!(host.raft.next_timeout(), deadline);
}

#[test]
fn who_was_told_that_it_could_win_has_time_for_that() {
    let mut host = Host::with(Config::new(NodeId(2)), stored(3, 1, None, &[1]));
    host.input(Input::Reachable);
    host.pass(75);
    // A moment before the own question.
    host.hear(1, 2, pre_vote(1, 1));
    assert_eq!(
        host.raft.next_timeout(),
        host.now.after(Duration::from_millis(60))
    );
    host.hear(1, 2, pre_vote(0, 0));
    assert_eq!(host.sent(), [(1, 2, WOULD), (1, 1, WOULD_NOT)]);
}

#[test]
fn of_two_who_ask_the_one_with_the_higher_id_gives_way() {
    let mut host = Host::with(Config::new(NodeId(2)), stored(3, 1, None, &[1]));
    host.time_out();
    host.hear(3, 2, pre_vote(1, 1));
    assert_eq!(host.role(), (RoleKind::PreCandidate, 1));
    host.hear(1, 2, pre_vote(0, 0));
    assert_eq!(host.role(), (RoleKind::PreCandidate, 1), "it could not win");
    host.hear(1, 2, pre_vote(1, 1));
    assert_eq!(host.role(), (RoleKind::Follower, 1));
    host.hear(3, 2, WOULD);
    assert_eq!(host.role(), (RoleKind::Follower, 1));
}

#[test]
fn leader_that_was_lost_by_mistake_is_followed_again() {
    let mut host = Host::new(3);
    host.hear(2, 1, heartbeat(0, 0));
    host.input(Input::Unreachable { peer: NodeId(2) });
    host.time_out();
    host.hear(3, 1, WOULD_NOT);
    host.hear(2, 1, heartbeat(0, 1));
    assert_eq!(host.role(), (RoleKind::Follower, 1));
    assert_eq!(host.raft.leader(), Some(NodeId(2)));
}

#[test]
fn peer_that_does_not_lead_is_lost_without_consequence() {
    let mut host = Host::new(3);
    host.hear(2, 1, heartbeat(0, 0));
    let deadline = host.raft.next_timeout();
    host.input(Input::Unreachable { peer: NodeId(3) });
    assert_eq!(host.raft.leader(), Some(NodeId(2)));
    assert_eq!(host.raft.next_timeout(), deadline);
}

#[test]
fn word_given_to_a_leader_that_reads_by_it_outlives_its_connection() {
    let config = Config {
        lease_reads: true,
        ..Config::new(NodeId(1))
    };
    let mut host = Host::with(config, stored(3, 1, None, &[1]));
    host.pass(1_000);
    host.hear(2, 1, heartbeat(0, 0));
    host.sent();
    host.input(Input::Unreachable { peer: NodeId(2) });
    host.hear(3, 2, pre_vote(9, 9));
    assert_eq!(host.sent(), [(3, 1, WOULD_NOT)]);
    host.pass(300);
    host.hear(3, 2, pre_vote(9, 9));
    assert_eq!(host.sent(), [(3, 2, WOULD)]);
}

#[test]
fn fresh_leader_itself_may_ask_and_so_may_one_it_sent() {
    let mut host = Host::new(3);
    host.hear(2, 1, heartbeat(0, 0));
    host.sent();
    host.hear(2, 2, pre_vote(0, 0));
    assert_eq!(host.sent(), [(2, 2, WOULD)]);
    let body = Body::RequestVote {
        last: id(0, 0),
        transfer: true,
    };
    host.hear(3, 2, body);
    assert_eq!(host.sent(), [(3, 2, GRANTED)]);
}

#[test]
fn leader_with_a_quorum_hears_no_vote_and_grants_no_pre_vote() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.hear(3, 5, request_vote(id(9, 9)));
    host.hear(3, 5, pre_vote(9, 9));
    assert_eq!(host.sent(), [(3, 1, WOULD_NOT)]);
    assert_eq!(host.role(), (RoleKind::Leader, 1));
}

#[test]
fn leader_hears_a_vote_as_soon_as_its_quorum_is_gone() {
    let mut host = Host::new(3);
    host.lead_in_step();
    host.pass(299);
    host.hear(3, 5, request_vote(id(9, 9)));
    assert_eq!((host.sent(), host.role()), (vec![], (RoleKind::Leader, 1)));
    host.pass(1);
    host.hear(3, 5, request_vote(id(9, 9)));
    assert_eq!(host.sent(), [(3, 5, GRANTED)]);
}

#[test]
fn pre_vote_changes_nothing_at_the_asked() {
    let mut host = Host::new(3);
    let before = host.raft.status();
    host.hear(2, 9, pre_vote(0, 0));
    assert_eq!(host.sent(), [(2, 9, WOULD)]);
    assert_eq!(host.raft.status(), before);
}

#[test]
fn pre_vote_moves_no_term_before_a_quorum_would() {
    let mut host = Host::new(5);
    host.time_out();
    let asked: Vec<_> = (2..=5).map(|to| (to, 1, pre_vote(0, 0))).collect();
    assert_eq!(host.sent(), asked);
    host.hear(2, 1, WOULD);
    host.hear(2, 1, WOULD);
    assert_eq!(
        host.role(),
        (RoleKind::PreCandidate, 0),
        "one grant, however often"
    );
    host.hear(3, 1, WOULD);
    assert_eq!(host.role(), (RoleKind::Candidate, 1));
}

#[test]
fn grants_for_another_term_do_not_count() {
    let mut host = Host::with(Config::new(NodeId(1)), stored(3, 4, None, &[4]));
    host.time_out();
    for term in [3, 4, 6] {
        host.hear(2, term, WOULD);
    }
    assert_eq!(host.role(), (RoleKind::PreCandidate, 4));
    host.hear(2, 5, WOULD);
    assert_eq!(host.role(), (RoleKind::Candidate, 5));
    host.sent();
    host.hear(3, 4, GRANTED);
    assert_eq!(
        host.role(),
        (RoleKind::Candidate, 5),
        "a vote of an earlier term"
    );
    host.hear(3, 5, WOULD);
    assert_eq!(
        host.role(),
        (RoleKind::Candidate, 5),
        "a late grant is no vote"
    );
    host.hear(3, 5, GRANTED);
    assert_eq!(host.role(), (RoleKind::Leader, 5));
}

#[test]
fn refused_pre_vote_teaches_the_term() {
    let mut host = Host::new(3);
    host.time_out();
    host.hear(2, 7, WOULD_NOT);
    assert_eq!(host.role(), (RoleKind::Follower, 7));
    host.sent();
    host.time_out();
    assert_eq!(host.sent().first(), Some(&(2, 8, pre_vote(0, 0))));
}

#[test]
fn pre_vote_is_of_a_later_term_and_a_refusal_of_the_same_one_ends_nothing() {
    let mut host = Host::with(Config::new(NodeId(1)), stored(3, 2, None, &[]));
    host.hear(2, 2, pre_vote(1, 9));
    assert_eq!(
        host.sent(),
        [(2, 2, WOULD_NOT)],
        "that term is here already"
    );
    host.time_out();
    host.hear(2, 2, WOULD_NOT);
    assert_eq!(host.role(), (RoleKind::PreCandidate, 2));
}

#[test]
fn each_ballot_begins_without_a_leader_and_without_votes() {
    let mut host = Host::new(5);
    host.hear(2, 1, heartbeat(0, 0));
    host.time_out();
    assert_eq!(host.raft.leader(), None, "it has given its leader up");
    host.sent();
    host.hear(3, 2, pre_vote(0, 0));
    assert_eq!(host.sent(), [(3, 2, WOULD)], "and lets others run");
    host.hear(4, 2, WOULD);
    host.time_out();
    host.hear(5, 2, WOULD);
    assert_eq!(
        host.role(),
        (RoleKind::PreCandidate, 1),
        "one grant of the ballot before, and one of this"
    );
    host.hear(4, 2, WOULD);
    assert_eq!(host.role(), (RoleKind::Candidate, 2));
}

#[test]
fn peer_that_cannot_be_reached_grants_nothing() {
    let mut host = Host::new(3);
    host.time_out();
    for peer in [2, 3] {
        host.input(Input::Unreachable { peer: NodeId(peer) });
    }
    assert_eq!(host.role(), (RoleKind::PreCandidate, 0));
}

#[test]
fn every_ballot_waits_another_time() {
    let mut host = Host::new(3);
    let mut waits: Vec<u128> = Vec::new();
    for _ in 0..20 {
        host.time_out();
        waits.push(host.raft.next_timeout().since(host.now).as_millis());
    }
    assert!(waits.iter().all(|wait| (300..600).contains(wait)));
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 10, "{waits:?}");
}

#[test]
fn lost_ballot_is_tried_again_at_the_deadline() {
    let mut host = Host::new(3);
    host.time_out();
    host.hear(2, 1, WOULD);
    host.hear(2, 1, REFUSED);
    host.hear(3, 1, REFUSED);
    assert_eq!(host.role(), (RoleKind::Candidate, 1));
    host.time_out();
    assert_eq!(host.role(), (RoleKind::PreCandidate, 1));
}

#[test]
fn candidate_follows_the_leader_of_its_term() {
    let mut host = Host::new(3);
    host.time_out();
    host.hear(2, 1, WOULD);
    assert_eq!(host.role(), (RoleKind::Candidate, 1));
    host.append(3, 1, id(0, 0), 0, &[1]);
    assert_eq!(host.role(), (RoleKind::Follower, 1));
    assert_eq!(host.raft.leader(), Some(NodeId(3)));
    host.hear(2, 1, GRANTED);
    assert_eq!(
        host.role(),
        (RoleKind::Follower, 1),
        "a vote comes too late"
    );
}

#[test]
fn any_later_term_ends_leadership() {
    for body in [rejected(0, id(0, 0)), heartbeat(0, 0), GRANTED] {
        let mut host = Host::new(3);
        host.lead();
        host.hear(2, 4, body);
        assert_eq!(host.role(), (RoleKind::Follower, 4));
    }
}

#[test]
fn leader_of_an_earlier_term_is_told_and_not_followed() {
    let mut host = Host::with(Config::new(NodeId(1)), stored(3, 4, None, &[1]));
    host.append(2, 3, id(1, 1), 1, &[3]);
    host.hear(2, 3, heartbeat(1, 0));
    let answer = rejected(0, id(0, 0));
    assert_eq!(host.sent(), [(2, 4, answer.clone()), (2, 4, answer)]);
    assert_eq!((host.log(), host.raft.commit().0), (vec![1], 0));
    assert_eq!(host.raft.leader(), None);
    host.hear(2, 3, request_vote(id(9, 9)));
    assert_eq!(host.sent(), [(2, 4, REFUSED)]);
}

#[test]
fn answers_of_an_earlier_term_are_void() {
    let mut host = Host::with(Config::new(NodeId(1)), stored(3, 4, None, &[4]));
    host.lead();
    let before = host.raft.status();
    let accepted = crate::host::accepted(2);
    for body in [accepted, Body::HeartbeatResponse { round: 0 }, WOULD_NOT] {
        host.hear(2, 4, body);
    }
    assert_eq!((host.sent(), host.raft.status()), (vec![], before));
}

#[test]
fn leader_without_a_quorum_steps_down_after_an_election_timeout() {
    let mut host = Host::new(5);
    host.lead_in_step();
    let start = host.now;
    for _ in 0..20 {
        host.time_out();
        if !host.raft.is_leader() {
            break;
        }
        // One of four is no quorum.
        host.hear(2, 1, Body::HeartbeatResponse { round: 0 });
    }
    assert_eq!(host.role(), (RoleKind::Follower, 1));
    assert_eq!(host.now.since(start), Duration::from_millis(300));
}

#[test]
fn leader_with_a_quorum_goes_on() {
    let mut host = Host::new(5);
    host.lead_in_step();
    for _ in 0..50 {
        host.time_out();
        for peer in [2, 3] {
            host.hear(peer, 1, Body::HeartbeatResponse { round: 0 });
        }
    }
    assert_eq!(host.role(), (RoleKind::Leader, 1));
}

#[test]
fn leader_puts_the_election_off_and_others_do_not() {
    let mut host = Host::new(3);
    let first = host.raft.next_timeout();
    host.pass(100);
    host.hear(3, 0, pre_vote(0, 0));
    host.hear(3, 2, pre_vote(9, 9));
    assert_eq!(host.raft.next_timeout(), first, "a question is no leader");
    host.hear(3, 2, rejected(0, id(0, 0)));
    assert_eq!(host.raft.next_timeout(), first, "nor is a term");
    host.now = first;
    host.hear(2, 2, heartbeat(0, 0));
    let earliest = first.after(Duration::from_millis(300));
    assert!(host.raft.next_timeout() >= earliest, "at the last moment");
    host.sent();
    host.input(Input::TimerFired);
    assert!(host.sent().is_empty(), "an early timer does no harm");
}

#[test]
fn election_timeouts_spread_over_one_timeout() {
    let start = |seed| {
        let restored = stored(3, 0, None, &[]);
        let config = Config::new(NodeId(1));
        let raft = Raft::new(config, restored, Instant(0), seed).expect("sound");
        raft.next_timeout().0 / 1_000
    };
    let waits: Vec<u64> = (0..200).map(start).collect();
    assert!(waits.iter().all(|wait| (300..600).contains(wait)));
    for third in [300..400, 400..500, 500..600] {
        assert!(waits.iter().filter(|wait| third.contains(*wait)).count() > 30);
    }
}

#[test]
fn asked_by_its_leader_a_follower_runs_at_once() {
    let mut host = Host::new(3);
    host.append(2, 1, id(0, 0), 0, &[1]);
    host.sent();
    host.hear(2, 1, Body::TimeoutNow);
    let ask = Body::RequestVote {
        last: id(1, 1),
        transfer: true,
    };
    assert_eq!(host.sent(), [(2, 2, ask.clone()), (3, 2, ask)]);
    host.hear(2, 2, Body::TimeoutNow);
    assert_eq!(
        (host.sent(), host.role().1),
        (vec![], 2),
        "a candidate runs already"
    );
}

#[test]
fn node_without_a_vote_never_runs() {
    let mut restored = stored(3, 0, None, &[]);
    restored.snapshot.conf_state = Arc::new(ConfState {
        learners: vec![NodeId(1)],
        ..ConfState::new([NodeId(2), NodeId(3)])
    });
    let mut host = Host::with(Config::new(NodeId(1)), restored);
    assert_eq!(host.raft.next_timeout(), Instant::NEVER);
    host.pass(100_000);
    host.input(Input::TimerFired);
    host.hear(2, 0, Body::TimeoutNow);
    assert_eq!(
        (host.sent(), host.role()),
        (vec![], (RoleKind::Follower, 0))
    );
    // It may be a voter by now without knowing it, so its vote is given.
    host.hear(2, 1, request_vote(id(0, 0)));
    assert_eq!(host.sent(), [(2, 1, GRANTED)]);
}

#[test]
fn joint_membership_needs_both_halves() {
    let mut restored = stored(3, 0, None, &[]);
    let conf_state = Arc::make_mut(&mut restored.snapshot.conf_state);
    conf_state.voters_outgoing = (4..=6).map(NodeId).collect();
    let mut host = Host::with(Config::new(NodeId(1)), restored);
    host.time_out();
    for peer in [2, 3, 4] {
        host.hear(peer, 1, WOULD);
    }
    assert_eq!(host.role(), (RoleKind::PreCandidate, 0));
    host.hear(5, 1, WOULD);
    assert_eq!(host.role(), (RoleKind::Candidate, 1));
}

#[test]
fn message_for_another_node_is_not_heard() {
    let mut host = Host::new(3);
    for (from, to) in [(2, 3), (1, 1)] {
        host.input(Input::Message(Message {
            from: NodeId(from),
            to: NodeId(to),
            storage: StorageId(0),
            term: Term(5),
            body: heartbeat(0, 0),
        }));
    }
    assert_eq!((host.sent(), host.role().1), (vec![], 0));
}

#[test]
fn only_voter_leads_by_itself_when_its_vote_is_durable() {
    let mut host = Host::new(1);
    host.prompt = false;
    host.time_out();
    assert_eq!(host.role(), (RoleKind::Candidate, 1));
    assert_eq!(
        host.writing().hard_state.map(|h| h.vote),
        Some(Some(NodeId(1)))
    );
    host.write();
    assert_eq!(
        (host.role(), host.raft.commit().0),
        ((RoleKind::Leader, 1), 0)
    );
    host.write();
    assert_eq!(host.raft.commit().0, 1);
    assert_eq!(host.raft.next_timeout(), Instant::NEVER);
}
