//! What a client makes of refusals, silence and lost nodes: whom it asks next, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use quorate_rsm::raft::{Instant, MAX_MEMBERS, NodeId};
use quorate_rsm::{ClientInput, RequestError};

use crate::caller::{Caller, DEADLINE, SILENCE, hint};

#[test]
fn any_node_may_be_the_first_that_is_asked() {
    let first = |seed| {
        let mut caller = Caller::new(3, seed, |_| {});
        caller.read();
        caller.one().to
    };
    let asked: BTreeSet<_> = (0..20).map(first).collect();
    assert_eq!(asked, BTreeSet::from([1, 2, 3].map(NodeId)));
}

#[test]
fn who_answers_is_asked_again_and_who_leads_by_its_word_at_once() {
    let mut caller = Caller::new(3, 1, |_| {});
    caller.read();
    let asked = caller.one();
    let leader = NodeId(asked.to.0 % 3 + 1);
    caller.refuse(&asked, hint(leader));
    let asked = caller.one();
    assert_eq!(asked.to, leader);
    caller.accept(&asked);
    caller.read();
    assert_eq!(caller.one().to, leader);
}

#[test]
fn hints_in_a_row_may_be_a_circle_and_cost_a_pause_until_there_is_an_answer() {
    let (mut caller, _) = Caller::in_session(3, |_| {});
    let other = |node: NodeId| NodeId(node.0 % 3 + 1);
    for _ in 0..2 {
        caller.read();
        let asked = caller.one();
        caller.refuse(&asked, hint(other(asked.to)));
        let second = caller.one();
        assert_eq!(second.to, other(asked.to), "followed at once");
        caller.refuse(&second, hint(other(second.to)));
        let (third, _) = caller.one_after_pause();
        assert_eq!(third.to, other(second.to));
        caller.accept(&third);
    }
}

#[test]
fn who_leads_by_the_word_of_the_owner_is_asked_at_once() {
    let mut caller = Caller::new(3, 1, |_| {});
    caller.read();
    let asked = caller.one();
    caller.refuse(&asked, SILENCE);
    assert!(caller.sent().is_empty(), "it pauses");
    // The circle would come to another one first.
    let leader = NodeId((asked.to.0 + 1) % 3 + 1);
    caller.input(ClientInput::Leads { node: leader });
    let asked = caller.one();
    assert_eq!(asked.to, leader);
    let other = NodeId(leader.0 % 3 + 1);
    caller.refuse(&asked, hint(other));
    assert_eq!(
        caller.one().to,
        other,
        "the word was wrong, and is no reason to pause"
    );
}

#[test]
fn who_leads_and_is_out_of_reach_is_not_asked() {
    let mut caller = Caller::new(3, 1, |_| {});
    caller.down(NodeId(2));
    caller.read();
    let asked = caller.one();
    caller.refuse(&asked, SILENCE);
    caller.input(ClientInput::Leads { node: NodeId(2) });
    assert!(caller.sent().is_empty(), "it pauses");
    let (next, _) = caller.one_after_pause();
    assert_ne!(next.to, NodeId(2));
}

#[test]
fn a_hint_at_nobody_at_oneself_or_at_a_lost_node_is_none() {
    for wrong in 0..3 {
        let mut caller = Caller::new(4, 1, |_| {});
        caller.read();
        let asked = caller.one();
        let circle = |steps| NodeId((asked.to.0 + steps - 1) % 4 + 1);
        caller.down(circle(1));
        let error = match wrong {
            0 => SILENCE,
            1 => hint(asked.to),
            _ => hint(circle(1)),
        };
        caller.refuse(&asked, error);
        let (next, _) = caller.one_after_pause();
        assert_eq!(next.to, circle(2), "the next that is up");
    }
}

#[test]
fn the_first_refusal_moves_all_calls_and_the_others_only_follow() {
    let mut caller = Caller::new(5, 1, |_| {});
    caller.read();
    caller.read();
    let asked = caller.sent();
    let circle = |steps| NodeId((asked[0].to.0 + steps - 1) % 5 + 1);
    assert_eq!(asked[1].to, asked[0].to);
    caller.refuse(&asked[0], hint(circle(2)));
    assert_eq!(caller.one().to, circle(2));
    caller.refuse(&asked[1], hint(circle(3)));
    assert_eq!(caller.one().to, circle(2));
}

#[test]
fn the_only_node_is_asked_again_after_a_pause() {
    let mut caller = Caller::new(1, 1, |_| {});
    caller.read();
    let asked = caller.one();
    caller.refuse(&asked, SILENCE);
    let (again, _) = caller.one_after_pause();
    assert_eq!(again.to, asked.to);
}

#[test]
fn pauses_double_from_the_shortest_to_the_longest_and_differ_between_clients() {
    let pauses = |seed, refusal: RequestError| {
        let mut caller = Caller::new(1, seed, |config| {
            config.backoff_min = Duration::from_millis(10);
            config.backoff_max = Duration::from_millis(100);
        });
        caller.read();
        let mut asked = caller.one();
        [(); 6].map(|()| {
            caller.refuse(&asked, refusal);
            let (again, pause) = caller.one_after_pause();
            asked = again;
            pause.as_micros()
        })
    };
    // From half of it to all of it.
    let longest = [20, 40, 80, 100, 100, 100].map(|ms| ms * 1_000);
    let mut seen = [(); 6].map(|()| BTreeSet::new());
    for seed in 0..100 {
        for (step, pause) in pauses(seed, SILENCE).into_iter().enumerate() {
            assert!((longest[step] / 2..=longest[step]).contains(&pause));
            seen[step].insert(pause);
        }
        let full = pauses(seed, RequestError::Overloaded);
        assert!(full.iter().all(|pause| (5_000..=10_000).contains(pause)));
    }
    for (seen, longest) in seen.into_iter().zip(longest) {
        assert!(seen.len() > 90, "they do not march in step");
        assert!(seen.first() < Some(&(longest * 6 / 10)));
        assert!(seen.last() > Some(&(longest * 9 / 10)));
    }
}

#[test]
fn without_pauses_by_the_settings_the_next_moment_will_do() {
    let mut caller = Caller::new(1, 1, |config| {
        config.backoff_min = Duration::ZERO;
        config.backoff_max = Duration::ZERO;
    });
    caller.read();
    for _ in 0..3 {
        let asked = caller.one();
        caller.refuse(&asked, SILENCE);
        caller.at(Instant(caller.now.0 + 1));
    }
    assert_eq!(caller.sent().len(), 1);
}

#[test]
fn a_pause_wakes_only_a_client_that_could_then_send() {
    let mut caller = Caller::new(1, 1, |config| config.window_bytes = 0);
    let read = caller.read();
    let asked = caller.one();
    let expires = Instant(1_000_000);
    assert_eq!(caller.client.next_timeout(), expires);
    caller.refuse(&asked, SILENCE);
    let pause = caller.client.next_timeout();
    assert!(pause > caller.now && pause < expires);
    caller.down(NodeId(1));
    assert_eq!(caller.client.next_timeout(), DEADLINE, "nobody is up");
    // A node that comes ends the pause.
    caller.up(NodeId(1));
    let asked = caller.one();
    caller.refuse(&asked, SILENCE);
    assert!(caller.client.next_timeout() < expires);
    // One that was there does not.
    caller.up(NodeId(1));
    assert!(caller.sent().is_empty());
    caller.input(ClientInput::Cancel { call: read });
    assert_eq!(
        caller.client.next_timeout(),
        Instant::NEVER,
        "nothing to do"
    );

    // What waits for another reason than the pause is not woken by one that is over.
    caller.at(expires);
    caller.read();
    caller.read();
    caller.one();
    assert_eq!(caller.client.next_timeout(), Instant(2_000_000));
}

#[test]
fn no_more_nodes_are_known_than_a_cluster_can_have() {
    let most = MAX_MEMBERS as u64;
    let mut caller = Caller::new(0, 1, |_| {});
    caller.read();
    for node in 1..=most + 1 {
        caller.up(NodeId(node));
    }
    assert_eq!(caller.one().to, NodeId(1));
    for node in 1..most {
        caller.down(NodeId(node));
    }
    assert_eq!(caller.sent().last().map(|sent| sent.to), Some(NodeId(most)));
    caller.down(NodeId(most));
    assert!(caller.sent().is_empty(), "nobody is left");
    caller.up(NodeId(most + 1));
    assert_eq!(caller.one().to, NodeId(most + 1));
}

#[test]
fn a_lost_node_takes_its_own_attempts_along_and_no_others() {
    let (mut caller, leader) = Caller::in_session(3, |_| {});
    let other = NodeId(leader.0 % 3 + 1);
    caller.write();
    let first = caller.one();
    caller.write();
    let second = caller.one();
    caller.refuse(&second, hint(other));
    assert_eq!((first.to, caller.one().to), (leader, other));
    caller.down(leader);
    let again = caller.one();
    assert_eq!((again.to, again.numbers()), (other, first.numbers()));
    caller.down(NodeId(6 - leader.0 - other.0));
    assert!(caller.sent().is_empty(), "nobody had asked it");
}

#[test]
fn silence_moves_on_around_the_circle() {
    let mut caller = Caller::new(3, 1, |_| {});
    let calls = [caller.read(), caller.read()];
    let mut asked = caller.sent().remove(0).to;
    for second in 1..=4 {
        let due = Instant(second * 1_000_000);
        assert_eq!(caller.client.next_timeout(), due);
        caller.at(Instant(due.0 - 1));
        assert!(caller.sent().is_empty());
        caller.at(due);
        let again = caller.sent();
        assert_eq!(again.len(), calls.len());
        let next = NodeId(asked.0 % 3 + 1);
        assert!(again.iter().all(|sent| sent.to == next), "one step for all");
        asked = next;
    }
}

#[test]
fn late_answers_count_and_late_refusals_do_not() {
    let mut caller = Caller::new(2, 1, |_| {});
    let read = caller.read();
    let early = caller.one();
    caller.at(Instant(1_000_000));
    let again = caller.one();
    assert_ne!(early.to, again.to);
    for error in [SILENCE, RequestError::TooLarge { limit: 1 }] {
        caller.refuse(&early, error);
        assert!(caller.sent().is_empty() && caller.done.is_empty());
    }
    caller.answer(&early, Ok(Bytes::from_static(b"late")));
    assert_eq!(
        caller.done.remove(&read),
        Some(Ok(Bytes::from_static(b"late")))
    );
    caller.accept(&again);
    assert!(caller.done.is_empty(), "it has ended");
    caller.read();
    assert_eq!(caller.one().to, early.to, "who answers leads");
}

#[test]
fn an_attempt_that_got_more_time_leaves_no_timer_behind() {
    let mut caller = Caller::new(1, 1, |_| {});
    caller.read();
    caller.read();
    let asked = caller.sent();
    caller.at(Instant(700_000));
    caller.accept(&asked[0]);
    caller.at(Instant(1_000_000));
    assert!(caller.sent().is_empty());
    assert_eq!(caller.client.next_timeout(), Instant(1_700_000));
    caller.accept(&asked[1]);
    assert_eq!(caller.client.next_timeout(), Instant::NEVER);
}
