//! Every configuration, as far as a few seconds allow; and the machinery itself.

use std::collections::BTreeSet;

use quorate_model::bounds::{Bounds, Writes};
use quorate_model::configurations::quick;
use quorate_model::law::Law;
use quorate_model::report::{Report, explore};
use quorate_model::world::World;

fn named(name: &str) -> Bounds {
    let found = quick().into_iter().find(|bounds| bounds.name == name);
    found.expect("a configuration has this name")
}

fn explored(name: &str) -> Report {
    let report = explore(&named(name));
    println!("{report}");
    report
}

/// One test for each configuration, so that they run side by side.
macro_rules! laws_hold {
    ($($test:ident: $name:literal, $distinct:literal;)*) => {
        $(#[test]
        fn $test() {
            let report = explored($name);
            assert!(report.is_good(), "{report}");
            // Far fewer states would mean that something no longer happens.
            assert!(report.distinct >= $distinct, "{report}");
        })*

        #[test]
        fn every_configuration_is_explored() {
            let names: Vec<&str> = quick().iter().map(|bounds: &Bounds| bounds.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

laws_hold! {
    a_node_alone: "one", 6_000;
    two_nodes_and_their_clocks: "two-clocks", 21_000;
    two_nodes_slow_writes_and_a_crash: "two-crash", 31_000;
    two_nodes_and_pre_votes: "two-pre-vote", 19_000;
    a_snapshot_for_one_who_is_behind: "three-snapshot", 21_000;
    three_leaders_one_after_another: "three-leaders", 43_000;
    messages_that_arrive_again: "three-again", 69_000;
    three_nodes_slow_writes_and_a_crash: "three-crash", 33_000;
    two_nodes_become_three: "three-added", 19_000;
    three_nodes_become_one: "three-removed", 44_000;
    leadership_is_handed_over: "three-transfer", 44_000;
    heartbeats_to_those_who_share_nothing: "three-heartbeats", 62_000;
    three_nodes_and_their_clocks: "three-clocks", 16_000;
    reads_of_two_nodes: "two-reads", 34_000;
    leases_of_two_nodes: "two-leases", 115_000;
    reads_of_three_nodes: "three-reads", 28_000;
    leases_of_three_nodes: "three-leases", 67_000;
}

#[test]
fn a_disk_that_lies_is_found_out_by_the_shortest_path() {
    let report = explore(&Bounds {
        writes: Writes::Lying,
        ..named("two-crash")
    });
    let story = report.violation.expect("a vote was lost");
    assert!(story.contains(Law::PromisesDurable.name()), "{story}");
    assert!(
        story.starts_with("  1. n1: told to campaign now\n"),
        "{story}"
    );
    assert!(story.contains("broken after 1 steps"), "{story}");
}

#[test]
fn what_is_not_seen_is_told() {
    let report = explore(&Bounds {
        proposals: 0,
        ..named("two-clocks")
    });
    assert!(report.violation.is_none() && !report.is_good(), "{report}");
    assert!(report.to_string().contains("never seen: a command"));
}

/// All worlds within so many steps.
fn worlds(bounds: &Bounds, steps: usize) -> Vec<World> {
    let mut all = vec![World::new(bounds)];
    let mut known = BTreeSet::from([all[0].digest()]);
    let mut next = 0..1;
    for _ in 0..steps {
        for at in next.clone() {
            let mut actions = Vec::new();
            all[at].actions(bounds, &mut actions);
            let world = all[at].clone();
            let after = actions
                .iter()
                .filter_map(|action| world.after(action, bounds));
            all.extend(after.filter(|world| known.insert(world.digest())));
        }
        next = next.end..all.len();
    }
    all
}

/// Whoever adds a moment to the core writes it in one form too, or states multiply.
#[test]
fn no_moment_tells_worlds_apart() {
    let known = [0, 1_000_000, 1_000_001, 2_000_000, 3_000_000, u64::MAX];
    for name in [
        "two-clocks",
        "two-pre-vote",
        "three-transfer",
        "three-reads",
    ] {
        for world in worlds(&named(name), 9) {
            for node in world.nodes() {
                let text = format!("{:?}", node.raft());
                for moment in text.split("Instant(").skip(1) {
                    let number = moment.split(')').next().and_then(|n| n.parse().ok());
                    assert!(number.is_some_and(|n: u64| known.contains(&n)), "{moment}");
                }
            }
        }
    }
}
