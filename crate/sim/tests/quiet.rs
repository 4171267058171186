//! Idle groups: silent, and awake when they are needed.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::time::Duration;

use quorate_raft::NodeId;
use quorate_rsm::{ClientId, Request, RequestBody, RequestId};
use quorate_sim::cluster::{Cluster, ClusterConfig, Traffic};
use quorate_sim::machine::Journal;

const SECOND: u64 = 1_000_000;
/// By then a group that has nothing to do sleeps.
const SETTLED: u64 = 5 * SECOND;

/// Three nodes that sleep after a second, or never.
fn cluster(seed: u64, sleeps: bool) -> Cluster<Journal> {
    let mut config = ClusterConfig::fair(seed, 3);
    config.node.raft.quiesce_after = sleeps.then_some(Duration::from_secs(1));
    let mut cluster = Cluster::new(config);
    for id in cluster.voters().to_vec() {
        cluster.start(id).expect("a new node");
    }
    pass(&mut cluster, SETTLED);
    cluster
}

fn pass(cluster: &mut Cluster<Journal>, time: u64) {
    let end = cluster.now() + time;
    cluster.wake_at(end, 0);
    while cluster.next_at().is_some_and(|at| at <= end) {
        cluster.step().expect("nothing breaks");
    }
}

fn leader(cluster: &Cluster<Journal>) -> NodeId {
    let leaders = cluster.leaders();
    assert_eq!(leaders.len(), 1, "one leads");
    leaders[0]
}

/// The term in which all follow the leader and sleep.
fn term_of_sleepers(cluster: &Cluster<Journal>) -> u64 {
    let leader = leader(cluster);
    let status = |id: &NodeId| cluster.status(*id).expect("it runs").raft;
    let all: Vec<_> = cluster.voters().iter().map(status).collect();
    for status in &all {
        assert!(status.asleep, "{status:?}");
        assert_eq!(status.leader, Some(leader));
        assert_eq!(status.term, all[0].term);
    }
    all[0].term.0
}

/// What is sent for one command, until a moment before the next heartbeat.
fn cost_of_a_command(cluster: &mut Cluster<Journal>) -> (u64, u64) {
    let Traffic {
        requests,
        responses,
        ..
    } = cluster.traffic;
    let last = cluster.state.committed();
    let request = Request {
        id: RequestId(1),
        body: RequestBody::OpenSession,
    };
    let leader = leader(cluster);
    cluster
        .request(leader, ClientId(1), request)
        .expect("nothing breaks");
    pass(cluster, SECOND / 25);
    assert_eq!(cluster.state.committed(), last.next());
    let after = cluster.traffic;
    (after.requests - requests, after.responses - responses)
}

#[test]
fn idle_group_is_silent_and_a_command_costs_what_it_always_does() {
    let mut cluster = cluster(1, true);
    let (traffic, steps) = (cluster.traffic, cluster.steps());
    pass(&mut cluster, 3_600 * SECOND);
    term_of_sleepers(&cluster);
    assert_eq!((cluster.traffic, cluster.steps()), (traffic, steps));

    let mut awake = self::cluster(1, false);
    let before = awake.traffic.requests;
    while awake.traffic.requests == before {
        awake.step().expect("nothing breaks");
    }
    pass(&mut awake, SECOND / 200);
    let usual = cost_of_a_command(&mut awake);
    assert_eq!(usual, (4, 2), "two appends, two notices, two answers");
    assert_eq!(cost_of_a_command(&mut cluster), usual);
    let traffic = cluster.traffic;
    pass(&mut cluster, 2 * SECOND);
    term_of_sleepers(&cluster);
    let sent = cluster.traffic.requests - traffic.requests;
    // A heartbeat to each of two for each 60 ms of a second, and the word to sleep.
    assert!((32..=40).contains(&sent), "{sent}");
}

#[test]
fn leader_that_ends_while_all_sleep_is_replaced_and_found_again() {
    for seed in 1..=10 {
        let mut cluster = cluster(seed, true);
        let (old, term) = (leader(&cluster), term_of_sleepers(&cluster));
        cluster.crash(old).expect("nothing breaks");
        // Beats are missed for an election timeout, and an election takes less than another.
        pass(&mut cluster, SECOND);
        assert_ne!(leader(&cluster), old, "seed {seed}");
        pass(&mut cluster, SETTLED);
        let status = cluster.status(leader(&cluster)).expect("it leads");
        assert!(!status.raft.asleep, "one is missing");
        cluster.restart(old).expect("nothing breaks");
        pass(&mut cluster, SETTLED);
        assert_eq!(term_of_sleepers(&cluster), term + 1, "seed {seed}");
    }
}

#[test]
fn node_that_restarts_while_others_sleep_joins_them_without_an_election() {
    for seed in 1..=10 {
        let mut cluster = cluster(seed, true);
        let (leader, term) = (leader(&cluster), term_of_sleepers(&cluster));
        let nodes = cluster.voters().iter().copied();
        for id in nodes.filter(|&id| id != leader).collect::<Vec<_>>() {
            cluster.crash(id).expect("nothing breaks");
            cluster.start(id).expect("it finds what it wrote");
            pass(&mut cluster, SETTLED);
            assert_eq!(term_of_sleepers(&cluster), term, "seed {seed}");
        }
    }
}

#[test]
fn member_that_lost_its_storage_while_others_slept_is_given_another() {
    let mut cluster = cluster(1, true);
    let leader = leader(&cluster);
    let mut nodes = cluster.voters().iter().copied();
    let lost = nodes.find(|&id| id != leader).expect("another");
    assert!(cluster.evict(lost).expect("nothing breaks"));
    cluster.start(lost).expect("it knows of nothing");
    pass(&mut cluster, 2 * SETTLED);
    assert!(cluster.all_vote());
    term_of_sleepers(&cluster);
}

#[test]
fn leader_that_is_cut_off_in_its_sleep_finds_out_when_it_is_asked() {
    use quorate_sim::rules::Isolate;
    let mut cluster = cluster(1, true);
    let old = leader(&cluster);
    let rule = cluster.network.add(Isolate(old));
    pass(&mut cluster, SETTLED);
    assert_eq!(
        cluster.leaders().len(),
        2,
        "it sleeps, and knows of nothing"
    );
    let request = Request {
        id: RequestId(1),
        body: RequestBody::OpenSession,
    };
    cluster
        .request(old, ClientId(1), request)
        .expect("nothing breaks");
    pass(&mut cluster, SECOND / 2);
    assert_ne!(leader(&cluster), old);
    cluster.network.remove(rule);
    pass(&mut cluster, SETTLED);
    term_of_sleepers(&cluster);
}
