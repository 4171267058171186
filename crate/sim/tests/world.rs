//! Whole worlds: equal seeds are equal worlds, every kind of fault comes, and bad machines and bad
//! disks are found.

#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use quorate_raft::NodeId;
use quorate_rsm::{
    ApplyContext, ClientId, Request, RequestBody, RequestId, SessionId, StateMachine,
};
use quorate_sim::census::{Census, LONG};
use quorate_sim::checker::Violation;
use quorate_sim::cluster::{Cluster, ClusterConfig, Occurrence};
use quorate_sim::fault::FaultKind;
use quorate_sim::machine::{Journal, JournalSnapshot, tagged};
use quorate_sim::process::READABLE;
use quorate_sim::shape::Shape;
use quorate_sim::witness;
use quorate_sim::world::{Summary, World};

const TORMENT: Duration = Duration::from_secs(5);

fn run(seed: u64, trace: bool) -> (Summary, String) {
    let mut shape = Shape::draw(seed, TORMENT);
    shape.cluster.trace = trace;
    let mut world = World::new(shape);
    let summary = world
        .run()
        .unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    (summary, world.take_lines())
}

#[test]
fn a_seed_gives_the_same_world_twice_and_with_its_trace() {
    for seed in 1..=140 {
        let (first, _) = run(seed, false);
        let (second, _) = run(seed, false);
        let (traced, lines) = run(seed, true);
        assert_eq!(first, second, "seed {seed}");
        assert_eq!(first, traced, "seed {seed}");
        assert_eq!(lines.lines().count() as u64, traced.events);
    }
}

#[test]
fn a_seed_gives_the_same_world_in_every_build_and_on_every_machine() {
    let observed = witness::observed().unwrap_or_else(|failure| panic!("{failure}"));
    let expected = witness::EXPECTED;
    assert_eq!(
        observed, expected,
        "{observed:#018x} is not {expected:#018x}: if behavior was meant to change, write it anew"
    );
}

#[test]
fn seeds_differ_and_bring_every_kind_of_fault() {
    let mut hashes = BTreeSet::new();
    let mut census = Census::default();
    let mut total = Summary::default();
    for seed in 1..=140 {
        let (summary, _) = run(seed, false);
        hashes.insert(summary.hash);
        census.add(&summary);
        total.answered += summary.answered;
        total.failed += summary.failed;
        total.restores += summary.restores;
        total.torn += summary.torn;
        total.network.lost += summary.network.lost;
        total.network.dropped += summary.network.dropped;
        total.network.duplicated += summary.network.duplicated;
    }
    assert_eq!(hashes.len(), 140);
    assert_eq!(census.missing_faults(), []);
    let missing = census.missing_situations();
    assert!(missing.len() < 10, "{missing:?}");
    assert_eq!(census.complaint(), None, "a short campaign may lack some");
    let counters = total.network;
    assert!(counters.lost > 100 && counters.dropped > 100 && counters.duplicated > 100);
    assert!(
        total.answered > 1_000 && total.failed > 100 && total.restores > 10 && total.torn > 0,
        "{total:?}"
    );
}

#[test]
fn a_long_campaign_complains_of_what_never_came() {
    let mut census = Census::default();
    census.add(&run(1, false).0);
    census.worlds = LONG;
    let complaint = census.complaint().expect("one world does not bring all");
    for kind in census.missing_faults() {
        assert!(complaint.contains(&format!("{kind:?}")), "{complaint}");
    }
}

#[test]
fn a_muted_fault_is_drawn_and_does_not_come() {
    let shape = Shape::draw(3, TORMENT);
    let drawn = World::new(shape.clone()).run().unwrap().drawn;
    let mut mute = shape;
    mute.mute = (1..=10 * drawn).collect();
    let summary = World::new(mute).run().unwrap();
    assert_eq!((summary.starts, summary.drawn > 0), (3, true));
    let planned = FaultKind::planned();
    assert!(summary.faults.keys().all(|kind| !planned.contains(kind)));
}

/// A cluster with a leader and an open session.
fn ready<M: StateMachine + Default>(
    seed: u64,
) -> Result<(Cluster<M>, NodeId, SessionId), Violation> {
    let mut cluster = Cluster::<M>::new(ClusterConfig::fair(seed, 3));
    (1..=3).try_for_each(|id| cluster.start(NodeId(id)))?;
    while cluster.leaders().is_empty() {
        cluster.step()?;
    }
    let leader = cluster.leaders()[0];
    let open = Request {
        id: RequestId(0),
        body: RequestBody::OpenSession,
    };
    cluster.request(leader, ClientId(1), open)?;
    loop {
        if let Some(Occurrence::Replies { replies, .. }) = cluster.step()? {
            let data = replies[0].result.clone().expect("a leader opens sessions");
            let id = <[u8; 8]>::try_from(&data[..]).expect("a session id has eight bytes");
            return Ok((cluster, leader, SessionId(u64::from_le_bytes(id))));
        }
    }
}

fn write(sequence: u64, session: SessionId) -> Request {
    let command = tagged(sequence, b"x");
    let body = RequestBody::Write {
        session,
        sequence,
        acknowledged: 0,
        command,
    };
    Request {
        id: RequestId(sequence),
        body,
    }
}

fn pass(cluster: &mut Cluster<impl StateMachine + Default>, time: u64) -> Result<(), Violation> {
    let end = cluster.now() + time;
    cluster.wake_at(end, 0);
    while cluster.now() < end {
        cluster.step()?;
    }
    Ok(())
}

thread_local! {
    static APPLIED: Cell<u64> = const { Cell::new(0) };
}

/// A machine that looks at something that is not in the log.
#[derive(Default)]
struct Leaky(Journal);

impl StateMachine for Leaky {
    type Snapshot = JournalSnapshot;
    type Restore = LeakyRestore;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        self.0.apply(context, command);
        APPLIED.set(APPLIED.get() + 1);
        Bytes::copy_from_slice(&APPLIED.get().to_le_bytes())
    }

    fn query(&self, query: &Bytes) -> Bytes {
        self.0.query(query)
    }

    fn snapshot(&self) -> JournalSnapshot {
        self.0.snapshot()
    }

    fn restore() -> LeakyRestore {
        LeakyRestore
    }
}

struct LeakyRestore;

impl quorate_rsm::MachineRestore for LeakyRestore {
    type Machine = Leaky;

    fn chunk(&mut self, _: &Bytes) -> Result<(), quorate_rsm::BadSnapshot> {
        Ok(())
    }

    fn finish(self) -> Result<Leaky, quorate_rsm::BadSnapshot> {
        Ok(Leaky::default())
    }
}

#[test]
fn a_machine_that_is_not_deterministic_is_found() {
    let (mut cluster, leader, session) = ready::<Leaky>(1).unwrap();
    cluster
        .request(leader, ClientId(1), write(1, session))
        .unwrap();
    let violation = pass(&mut cluster, 1_000_000).expect_err("replicas differ");
    assert_eq!(violation.property, "State Machine Safety");
}

#[test]
fn a_good_machine_and_a_retry_pass() {
    let (mut cluster, leader, session) = ready::<Journal>(1).unwrap();
    for _ in 0..3 {
        cluster
            .request(leader, ClientId(1), write(1, session))
            .unwrap();
    }
    pass(&mut cluster, 1_000_000).unwrap();
    assert_eq!(cluster.machine(leader).unwrap().commands().len(), 1);
}

#[test]
fn any_flipped_bit_on_disk_stops_the_node_from_starting() {
    let mut places = BTreeSet::new();
    for seed in 0..60 {
        let (mut cluster, leader, session) = ready::<Journal>(seed).unwrap();
        (1..=20).for_each(|n| {
            cluster
                .request(leader, ClientId(1), write(n, session))
                .unwrap();
        });
        pass(&mut cluster, 200_000).unwrap();
        let victim = NodeId(seed % 3 + 1);
        cluster.crash(victim).unwrap();
        cluster.disk_mut(victim).misread();
        let violation = cluster
            .start(victim)
            .expect_err("damage is never read as truth");
        assert_eq!(violation.property, READABLE, "{violation}");
        assert!(!cluster.is_running(victim));
        let place = violation
            .seen
            .split('"')
            .nth(1)
            .expect("the place is named");
        places.insert(place.split('/').nth(1).unwrap_or("ident").to_owned());
        cluster.start(victim).unwrap();
    }
    assert!(places.len() >= 3, "{places:?}");
}

#[test]
fn a_node_whose_disk_has_rotten_never_starts_again_and_the_others_go_on() {
    let (mut cluster, leader, session) = ready::<Journal>(3).unwrap();
    assert!(cluster.rot(leader), "one of three may go");
    let other = NodeId(leader.0 % 3 + 1);
    assert!(!cluster.rot(other), "and not two");
    cluster
        .request(leader, ClientId(1), write(1, session))
        .unwrap();
    pass(&mut cluster, 1_000_000).unwrap();
    cluster.crash(leader).unwrap();
    cluster.restart(leader).unwrap();
    cluster.restart(leader).unwrap();
    assert!(!cluster.is_running(leader));
    assert_eq!(cluster.survivors().count(), 2);
    pass(&mut cluster, 3_000_000).unwrap();
    assert_eq!(cluster.leaders().len(), 1);
}

#[test]
fn a_second_process_is_refused_while_the_first_runs_or_is_paused() {
    let (mut cluster, leader, _) = ready::<Journal>(1).unwrap();
    for pause in [false, true] {
        if pause {
            cluster.pause(leader);
        }
        let starts = cluster.starts();
        cluster.start_twice(leader).unwrap();
        assert_eq!(cluster.starts(), starts);
    }
    cluster.crash(leader).unwrap();
    cluster.start_twice(leader).unwrap();
    assert!(cluster.is_running(leader));
}

/// Else a node would go on while its clock stands still, in worlds whose clocks are said to be true.
#[test]
fn a_frozen_node_goes_on_with_its_clock_alone() {
    let (mut cluster, leader, _) = ready::<Journal>(3).unwrap();
    cluster.freeze(leader);
    cluster.pause(leader);
    cluster.resume(leader);
    assert!(cluster.is_paused(leader));
    pass(&mut cluster, 3_000_000).unwrap();
    assert_eq!(cluster.leaders().len(), 2, "it knows of no other");
    cluster.thaw(leader, false).unwrap();
    assert!(!cluster.is_paused(leader));
    pass(&mut cluster, 1_000_000).unwrap();
    assert_eq!(cluster.leaders().len(), 1);
}

#[test]
fn a_node_crashes_between_any_two_effects_of_a_step() {
    let mut crashed = 0;
    for effects in 0..40 {
        let (mut cluster, leader, session) = ready::<Journal>(5).unwrap();
        cluster.crash_mid_step(leader, effects);
        for n in 1..=3 {
            cluster
                .request(leader, ClientId(1), write(n, session))
                .unwrap();
        }
        pass(&mut cluster, 500_000).unwrap();
        crashed += u64::from(!cluster.is_running(leader));
        cluster.restart(leader).unwrap();
        pass(&mut cluster, 2_000_000).unwrap();
        assert_eq!(cluster.leaders().len(), 1, "{effects}");
    }
    assert!(crashed >= 30, "{crashed}");
}

#[test]
fn a_slow_node_takes_one_thing_at_a_time_and_keeps_its_order() {
    let (mut cluster, leader, session) = ready::<Journal>(1).unwrap();
    let busy = 2_000;
    for id in 1..=3 {
        cluster.slow(NodeId(id), Some(busy));
    }
    let requests = (1..=20).map(|n| write(n, session));
    for request in requests {
        cluster.send_requests(ClientId(1), leader, vec![request]);
    }
    pass(&mut cluster, 20 * busy).unwrap();
    let halfway = cluster.machine(leader).unwrap().commands().len();
    pass(&mut cluster, 2_000_000).unwrap();
    let commands = cluster.machine(leader).unwrap().commands().len();
    assert!(halfway < 20 && commands == 20, "{halfway}, {commands}");
}
