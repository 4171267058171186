//! Partial connectivity, a sample: `sim connectivity` measures all of it.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use quorate_sim::connectivity::{Scenario, Times, run, settings};

const SHORT: Times = Times {
    cut: 3_000_000,
    settled: 6_000_000,
    end: 12_000_000,
};

/// The scenario is live, or is not, and in either case quiet, with a few seeds.
fn settles(scenario: Scenario, live: bool) {
    for seed in 1..=2 {
        let outcome = run(scenario, seed, SHORT, &settings());
        let outcome = outcome.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        assert_eq!(outcome.is_live(), live, "seed {seed}: {outcome:?}");
        assert_eq!(outcome.terms_after, 0, "seed {seed}: {outcome:?}");
        assert_eq!(outcome.changes_after, 0, "seed {seed}: {outcome:?}");
        assert!(outcome.terms_before <= 3, "seed {seed}: {outcome:?}");
        if live {
            assert!(outcome.pause < 1_000_000, "seed {seed}: {outcome:?}");
        }
    }
}

#[test]
fn follower_in_the_middle_of_a_star_takes_over() {
    settles(Scenario::QuorumLoss, true);
}

/// Only one node reaches a quorum, and it may not lead: others know more. Raft waits for a link.
#[test]
fn stale_node_in_the_middle_does_not_lead_and_terms_do_not_grow() {
    settles(Scenario::ConstrainedElection, false);
}

#[test]
fn leader_at_the_end_of_three_stays() {
    settles(Scenario::ChainOfThree, true);
}

#[test]
fn leader_at_the_end_of_five_gives_way() {
    settles(Scenario::ChainOfFive, true);
}

#[test]
fn one_edge_of_three_is_not_missed() {
    settles(Scenario::OneEdge, true);
}

#[test]
fn two_edges_of_five_are_not_missed() {
    settles(Scenario::TwoEdges, true);
}

#[test]
fn leader_that_is_not_heard_is_replaced() {
    settles(Scenario::DumbLeader, true);
}

#[test]
fn leader_that_hears_nothing_steps_down() {
    settles(Scenario::DeafLeader, true);
}

#[test]
fn follower_that_hears_nothing_disturbs_nobody() {
    settles(Scenario::DeafFollower, true);
}
