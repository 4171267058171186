//! The configurations that are explored, smallest first.

use quorate_raft::{Change, NodeId, StorageId};

use crate::bounds::{Bounds, Clocks, Delivery, Elections, Start, Writes};
use crate::law::Situation::{
    self, Answered, AnsweredAfterSecond, AnsweredByFollower, AnsweredUnderLease, Changed,
    CommittedByAll, Elected, Installed, SecondLeaderCommits,
};

const READS: &[Situation] = &[Answered, AnsweredByFollower, AnsweredAfterSecond];

const TWO_LEADERS: &[Situation] = &[Elected, CommittedByAll, SecondLeaderCommits];

/// Two nodes, two terms, one command; a message may arrive again and again; no timers but those of
/// elections.
const BASE: Bounds = Bounds {
    name: "",
    about: "",
    nodes: 2,
    voters: 2,
    terms: 2,
    start: Start::Empty,
    proposals: 1,
    crashes: 0,
    snapshots: 0,
    changes: &[],
    transfers: 0,
    reads: 0,
    network: Delivery::Any,
    writes: Writes::Prompt,
    elections: Elections::Asked,
    clocks: Clocks::Slow,
    heartbeats: 0,
    expected: TWO_LEADERS,
    depth: None,
};

/// Each message arrives once or never.
const ONCE: Delivery = Delivery::Once {
    duplicates: 0,
    in_flight: 4,
};

const ADD: &[&[Change]] = &[&[Change::AddVoter {
    id: NodeId(3),
    storage: StorageId(0),
}]];

/// Two at once: majorities before and after need not meet.
const REMOVE: &[&[Change]] = &[&[
    Change::Remove { id: NodeId(2) },
    Change::Remove { id: NodeId(3) },
]];

/// All configurations, as deep as the command goes, each with how deep the tests go: zero is all
/// the way.
fn table() -> Vec<(Bounds, usize)> {
    let bounds = |name, about| Bounds {
        name,
        about,
        ..BASE
    };
    let three = |name, about| Bounds {
        name,
        about,
        nodes: 3,
        voters: 3,
        elections: Elections::Forced,
        clocks: Clocks::Still,
        ..BASE
    };
    let leases = |bounds| Bounds {
        start: Start::Led,
        network: Delivery::Once {
            duplicates: 0,
            in_flight: 6,
        },
        elections: Elections::Few(1),
        clocks: Clocks::Together {
            ticks: 2,
            freezes: 1,
        },
        proposals: 0,
        transfers: 1,
        reads: 1,
        heartbeats: 1,
        expected: &[Answered, AnsweredUnderLease],
        depth: Some(10),
        ..bounds
    };
    vec![
        (
            Bounds {
                nodes: 1,
                voters: 1,
                terms: 3,
                proposals: 2,
                crashes: 2,
                snapshots: 1,
                writes: Writes::Slow,
                ..bounds("one", "a node alone: slow writes, crashes, a snapshot")
            },
            0,
        ),
        (
            Bounds {
                clocks: Clocks::Any,
                heartbeats: 1,
                terms: 1,
                expected: &[Elected, CommittedByAll],
                ..bounds("two-clocks", "heartbeats, fresh and silent leaders")
            },
            0,
        ),
        (
            Bounds {
                writes: Writes::Slow,
                elections: Elections::Forced,
                crashes: 1,
                ..bounds("two-crash", "slow writes and a crash")
            },
            0,
        ),
        (
            Bounds {
                writes: Writes::Slow,
                depth: Some(22),
                ..bounds("two-pre-vote", "slow writes and pre-votes")
            },
            14,
        ),
        (
            Bounds {
                terms: 1,
                snapshots: 1,
                expected: &[Elected, CommittedByAll, Installed],
                ..three(
                    "three-snapshot",
                    "a snapshot in two chunks for one who is behind",
                )
            },
            15,
        ),
        (
            Bounds {
                terms: 3,
                network: ONCE,
                depth: Some(13),
                ..three("three-leaders", "three terms, messages lost and overtaking")
            },
            10,
        ),
        (
            Bounds {
                network: Delivery::Once {
                    duplicates: 1,
                    in_flight: 4,
                },
                proposals: 2,
                expected: &[Elected],
                depth: Some(11),
                ..three("three-again", "two commands, messages that arrive again")
            },
            9,
        ),
        (
            Bounds {
                network: ONCE,
                writes: Writes::Slow,
                crashes: 1,
                expected: &[Elected],
                depth: Some(13),
                ..three("three-crash", "slow writes and a crash")
            },
            10,
        ),
        (
            Bounds {
                voters: 2,
                network: ONCE,
                changes: ADD,
                expected: &[Elected, Changed],
                depth: Some(21),
                ..three("three-added", "two nodes become three")
            },
            16,
        ),
        (
            Bounds {
                network: ONCE,
                proposals: 0,
                changes: REMOVE,
                expected: &[Elected, Changed],
                depth: Some(14),
                ..three("three-removed", "three nodes become one, whoever leads")
            },
            10,
        ),
        (
            Bounds {
                network: ONCE,
                transfers: 2,
                depth: Some(12),
                ..three("three-transfer", "leadership is handed over")
            },
            10,
        ),
        (
            Bounds {
                network: ONCE,
                proposals: 0,
                heartbeats: 2,
                depth: Some(12),
                expected: &[Elected, SecondLeaderCommits],
                ..three("three-heartbeats", "heartbeats to those who share nothing")
            },
            10,
        ),
        (
            Bounds {
                clocks: Clocks::Any,
                heartbeats: 2,
                elections: Elections::Asked,
                expected: &[Elected],
                depth: Some(11),
                ..three(
                    "three-clocks",
                    "pre-votes, heartbeats, fresh and silent leaders",
                )
            },
            8,
        ),
        (
            Bounds {
                network: ONCE,
                elections: Elections::Forced,
                clocks: Clocks::Still,
                crashes: 1,
                reads: 2,
                heartbeats: 1,
                expected: READS,
                depth: Some(13),
                start: Start::Led,
                ..bounds("two-reads", "reads of leaders and followers, a crash")
            },
            8,
        ),
        (
            Bounds {
                crashes: 1,
                elections: Elections::Few(2),
                depth: None,
                ..leases(bounds("two-leases", "leases, drift, a freeze, a crash"))
            },
            10,
        ),
        (
            Bounds {
                network: ONCE,
                proposals: 0,
                reads: 2,
                heartbeats: 1,
                expected: READS,
                depth: Some(11),
                start: Start::Led,
                ..three("three-reads", "reads of leaders and followers")
            },
            7,
        ),
        (
            leases(three("three-leases", "leases, drift, a freeze, a transfer")),
            7,
        ),
    ]
}

/// All configurations.
#[must_use]
pub fn all() -> Vec<Bounds> {
    table().into_iter().map(|(bounds, _)| bounds).collect()
}

/// All configurations, as far as a few seconds allow. What takes more steps is not expected.
#[must_use]
pub fn quick() -> Vec<Bounds> {
    let quick = |(bounds, depth): (Bounds, usize)| match depth {
        0 => bounds,
        _ => Bounds {
            depth: Some(depth),
            expected: &[Elected],
            ..bounds
        },
    };
    table().into_iter().map(quick).collect()
}
