//! Single ways through a world, longer than a search by breadth gets in a test. Each step is written
//! as a report prints it.

use quorate_model::bounds::{Bounds, Delivery, Elections};
use quorate_model::configurations::all;
use quorate_model::law::Situation;
use quorate_model::world::World;

/// The world after all `steps`, or the first of them that cannot happen or changes nothing.
fn walk<'a>(bounds: &Bounds, steps: &[&'a str]) -> Result<World, &'a str> {
    steps.iter().try_fold(World::new(bounds), |world, step| {
        let mut actions = Vec::new();
        world.actions(bounds, &mut actions);
        let action = actions.iter().find(|action| action.to_string() == *step);
        let after = action.and_then(|action| world.after(action, bounds));
        after.ok_or(*step)
    })
}

/// The first of `steps` that cannot happen or changes nothing. Were there none, a law would be broken.
fn refused<'a>(bounds: &Bounds, steps: &[&'a str]) -> &'a str {
    match walk(bounds, steps) {
        Ok(world) => panic!("{:?}", world.broken()),
        Err(step) => step,
    }
}

/// Three nodes, one of which leads and has a lease.
fn leases() -> Bounds {
    let found = all()
        .into_iter()
        .find(|bounds| bounds.name == "three-leases");
    Bounds {
        reads: 2,
        elections: Elections::Few(2),
        network: Delivery::Once {
            duplicates: 0,
            in_flight: 9,
        },
        ..found.expect("it has this name")
    }
}

/// The second node is elected by the third, commits, and the first is asked for a read.
const SECOND_LEADER: [&str; 8] = [
    "n2: the election timer fires",
    "n2 ▶ n3 t2 PreVote last t1/1",
    "n3 ▶ n2 t2 PreVoteResponse granted",
    "n2 ▶ n3 t2 RequestVote last t1/1",
    "n3 ▶ n2 t2 RequestVoteResponse granted",
    "n2 ▶ n3 t2 AppendEntries prev t1/1 commit 1 [t2/2·]",
    "n3 ▶ n2 t2 AppendEntriesResponse matched 2",
    "n1: a client asks for a read",
];

/// After these steps a second leader commits, and no law is broken when the first is asked for a read.
fn ends_lease(steps: &[&'static str]) {
    let steps = [steps, &SECOND_LEADER].concat();
    let world = walk(&leases(), &steps).expect("each step changes something");
    assert!(world.broken().is_none(), "{:?}", world.broken());
    assert!(world.shows(Situation::SecondLeaderCommits));
    assert!(!world.shows(Situation::AnsweredUnderLease));
}

#[test]
fn a_lease_ends_before_another_can_be_elected_by_the_worst_clocks() {
    ends_lease(&["half an election timeout passes"; 2]);
}

#[test]
fn a_clock_that_stood_still_ends_a_lease() {
    ends_lease(&[
        "half an election timeout passes, but not on n1",
        "half an election timeout passes",
    ]);
}

#[test]
fn a_lease_counts_from_when_its_round_began() {
    ends_lease(&[
        "n1: a heartbeat is due",
        "n1 ▶ n2 t1 Heartbeat commit 1 round 2",
        "half an election timeout passes",
        "n2 ▶ n1 t1 HeartbeatResponse round 2",
        "half an election timeout passes",
    ]);
}

/// A lease rests on the word of those who confirmed it. One of them then hears of a later term, from
/// someone who ran in it and won nothing.
#[test]
fn who_hears_of_a_later_term_still_keeps_its_word_to_a_leader_with_a_lease() {
    let steps = [
        "half an election timeout passes",
        "half an election timeout passes",
        "n2: the election timer fires",
        "n3: the election timer fires",
        "n3 ▶ n2 t2 PreVote last t1/1",
        "n2 ▶ n3 t2 PreVoteResponse granted",
        "n1: a client asks for a read",
        "n1 ▶ n2 t1 Heartbeat commit 1 round 2",
        "n2 ▶ n1 t1 HeartbeatResponse round 2",
        "n2 ▶ n3 t2 PreVote last t1/1",
        "n3 ▶ n2 t2 PreVoteResponse refused",
        "n3 ▶ n2 t2 RequestVote last t1/1",
        "n2 ▶ n3 t2 RequestVoteResponse granted",
        "n3 ▶ n2 t2 AppendEntries prev t1/1 commit 1 [t2/2·]",
        "n2 ▶ n3 t2 AppendEntriesResponse matched 2",
        "n1: a client asks for a read",
    ];
    assert_eq!(
        refused(&leases(), &steps),
        "n3 ▶ n2 t2 RequestVote last t1/1"
    );
}

/// It cannot know whom it confirmed before it went down.
#[test]
fn who_starts_again_keeps_a_word_that_it_may_have_given() {
    let bounds = Bounds {
        crashes: 1,
        ..leases()
    };
    let steps = [
        "half an election timeout passes",
        "half an election timeout passes",
        "n1: a client asks for a read",
        "n1 ▶ n2 t1 Heartbeat commit 1 round 2",
        "n2 ▶ n1 t1 HeartbeatResponse round 2",
        "n2: crashes and starts again",
        "n3: the election timer fires",
        "n3 ▶ n2 t2 PreVote last t1/1",
        "n2 ▶ n3 t2 PreVoteResponse granted",
        "n3 ▶ n2 t2 RequestVote last t1/1",
        "n2 ▶ n3 t2 RequestVoteResponse granted",
        "n3 ▶ n2 t2 AppendEntries prev t1/1 commit 1 [t2/2·]",
        "n2 ▶ n3 t2 AppendEntriesResponse matched 2",
        "n1: a client asks for a read",
    ];
    assert_eq!(
        refused(&bounds, &steps),
        "n2 ▶ n3 t2 PreVoteResponse granted"
    );
}
