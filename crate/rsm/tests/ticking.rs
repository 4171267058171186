//! What is due by the clock is done by the log: once, at the same entry everywhere, never early.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod harness;

use std::time::Duration;

use bytes::Bytes;
use harness::Cluster;
use quorate_rsm::raft::{Index, Instant, NodeId};
use quorate_rsm::{
    ApplyContext, BadSnapshot, Input, MachineRestore, MachineSnapshot, RequestBody, StateMachine,
};

/// Rings after as many milliseconds as a command says, at most two alarms a tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Alarms {
    /// In the order in which they are due.
    set: Vec<u64>,
    /// When each was due, and when it rang.
    rung: Vec<(u64, u64)>,
    ticks: usize,
}

impl StateMachine for Alarms {
    type Snapshot = Self;
    type Restore = Self;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        let text = core::str::from_utf8(command).expect("a test sends text");
        let delay: u64 = text.parse().expect("a test sends a number");
        self.set.push(context.time_ms + delay);
        self.set.sort_unstable();
        Bytes::new()
    }

    fn query(&self, _: &Bytes) -> Bytes {
        Bytes::new()
    }

    fn due_ms(&self) -> Option<u64> {
        self.set.first().copied()
    }

    fn tick(&mut self, context: &ApplyContext) {
        self.ticks += 1;
        for _ in 0..2 {
            if self.set.first().is_some_and(|due| *due <= context.time_ms) {
                self.rung.push((self.set.remove(0), context.time_ms));
            }
        }
    }

    fn snapshot(&self) -> Self {
        self.clone()
    }

    fn restore() -> Self {
        Self::default()
    }
}

impl MachineSnapshot for Alarms {
    fn chunk(&mut self, _: u32, _: usize) -> (Bytes, bool) {
        unreachable!("too few entries for a snapshot")
    }
}

impl MachineRestore for Alarms {
    type Machine = Self;

    fn chunk(&mut self, _: &Bytes) -> Result<(), BadSnapshot> {
        unreachable!("nobody takes a snapshot")
    }

    fn finish(self) -> Result<Self, BadSnapshot> {
        unreachable!("nobody takes a snapshot")
    }
}

fn cluster() -> Cluster<Alarms> {
    let mut cluster = Cluster::with_machines(|_| {}, |_| Alarms::default());
    cluster.leader();
    cluster.pass(Duration::from_micros(2_300));
    cluster
}

fn alarms(cluster: &Cluster<Alarms>, id: NodeId) -> &Alarms {
    cluster.nodes[&id].machine()
}

/// What has rung everywhere.
fn rung(cluster: &Cluster<Alarms>) -> Vec<(u64, u64)> {
    let [first, second, third] = [1, 2, 3].map(|id| alarms(cluster, NodeId(id)));
    assert_eq!(first, second);
    assert_eq!(second, third);
    first.rung.clone()
}

fn last(cluster: &Cluster<Alarms>, id: NodeId) -> Index {
    cluster.nodes[&id].status().raft.last.index
}

/// The leader that comes after `old`, which is cut off, within a millisecond of its election.
fn another(cluster: &mut Cluster<Alarms>, old: NodeId) -> NodeId {
    for _ in 0..10_000 {
        let mut nodes = cluster.nodes.iter();
        let leads = nodes.find(|(id, node)| **id != old && node.raft().is_leader());
        if let Some((id, _)) = leads {
            return *id;
        }
        cluster.pass(Duration::from_millis(1));
    }
    panic!("no leader within ten seconds");
}

/// Log time of the last command.
fn time_ms(cluster: &Cluster<Alarms>, id: NodeId) -> u64 {
    cluster.nodes[&id].status().time_ms
}

#[test]
fn an_alarm_rings_everywhere_when_it_is_due_and_not_before() {
    let mut cluster = cluster();
    let leader = cluster.leader();
    cluster.write_now("700");
    let due = time_ms(&cluster, leader) + 700;
    cluster.pass(Duration::from_millis(699));
    assert_eq!(
        (rung(&cluster), alarms(&cluster, leader).ticks),
        (vec![], 0)
    );
    cluster.pass(Duration::from_millis(1));
    assert_eq!(rung(&cluster), [(due, due)]);
    assert_eq!(alarms(&cluster, leader).ticks, 1);
}

#[test]
fn a_group_that_sleeps_wakes_for_its_alarm_and_sleeps_again() {
    let quiet = Duration::from_secs(1);
    let mut cluster = Cluster::with_machines(
        |config| config.raft.quiesce_after = Some(quiet),
        |_| Alarms::default(),
    );
    let leader = cluster.leader();
    cluster.write_now("60000");
    let due = time_ms(&cluster, leader) + 60_000;
    let all_sleep = |cluster: &Cluster<Alarms>| {
        let mut nodes = cluster.nodes.values();
        nodes.all(|node| node.raft().status().asleep)
    };
    cluster.pass(2 * quiet);
    assert!(all_sleep(&cluster));
    cluster.pass(57 * quiet);
    assert!(all_sleep(&cluster));
    cluster.pass(quiet);
    assert_eq!(rung(&cluster), [(due, due)]);
    assert!(!all_sleep(&cluster));
    cluster.pass(2 * quiet);
    assert!(all_sleep(&cluster));
}

#[test]
fn nothing_is_written_while_nothing_is_due() {
    let mut cluster = cluster();
    let leader = cluster.leader();
    cluster.write_now("100");
    let before = last(&cluster, leader);
    cluster.pass(Duration::from_secs(60));
    assert_eq!(rung(&cluster).len(), 1);
    assert_eq!(
        last(&cluster, leader),
        before.next(),
        "one tick for one alarm"
    );
}

#[test]
fn what_one_tick_leaves_the_next_one_does_at_once() {
    let mut cluster = cluster();
    let leader = cluster.leader();
    (0..5).for_each(|_| cluster.write_now("100"));
    let due = time_ms(&cluster, leader) + 100;
    cluster.now = cluster.now.after(Duration::from_millis(100));
    cluster.input(leader, Input::TimerFired);
    cluster.settle();
    assert_eq!(rung(&cluster), vec![(due, due); 5]);
    assert_eq!(alarms(&cluster, leader).ticks, 3);
}

#[test]
fn one_tick_is_open_at_a_time() {
    let mut cluster = cluster();
    let leader = cluster.leader();
    cluster.write_now("100");
    let before = last(&cluster, leader);
    cluster.silent = true;
    cluster.now = cluster.now.after(Duration::from_millis(100));
    for _ in 0..3 {
        cluster.input(leader, Input::TimerFired);
        cluster.settle();
    }
    assert_eq!(last(&cluster, leader), before.next());
    let node = &cluster.nodes[&leader];
    assert!(node.next_timeout() > cluster.now, "it waits for the commit");
}

#[test]
fn followers_write_no_ticks() {
    let mut cluster = cluster();
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.write_now("100");
    cluster.isolated = Some(follower);
    let before = last(&cluster, follower);
    let node = &cluster.nodes[&follower];
    assert_eq!(node.machine().set.len(), 1);
    assert_eq!(node.next_timeout(), node.raft().next_timeout());
    cluster.pass(Duration::from_secs(5));
    assert_eq!(last(&cluster, follower), before);
    assert_eq!(alarms(&cluster, leader).rung.len(), 1);
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(2));
    assert_eq!(rung(&cluster).len(), 1);
}

#[test]
fn a_new_leader_rings_what_was_set_under_the_old_one_and_not_early() {
    let mut cluster = cluster();
    let old = cluster.leader();
    cluster.write_now("3000");
    let (due, written) = (time_ms(&cluster, old) + 3_000, cluster.now);
    cluster.pass(Duration::from_millis(900));
    cluster.isolated = Some(old);
    let new = another(&mut cluster, old);
    // Log time goes on from where the log is.
    let left = Duration::from_millis(due - time_ms(&cluster, new));
    let elected = cluster.now;
    while alarms(&cluster, new).rung.is_empty() {
        assert!(cluster.now.since(elected) <= left, "it rings");
        cluster.pass(Duration::from_millis(1));
    }
    assert!(cluster.now.since(elected) >= left - Duration::from_millis(1));
    assert!(cluster.now.since(written) >= Duration::from_millis(3_000));
    let [(was_due, at)] = alarms(&cluster, new).rung[..] else {
        panic!("it rings once")
    };
    assert_eq!((was_due, at), (due, due));
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(2));
    assert_eq!(rung(&cluster), [(due, at)]);
}

#[test]
fn a_tick_that_is_refused_is_written_later() {
    let mut cluster = cluster();
    let (leader, follower) = (cluster.leader(), cluster.follower());
    cluster.write_now("100");
    let due = time_ms(&cluster, leader) + 100;
    cluster.isolated = Some(follower);
    cluster.pass(Duration::from_millis(50));
    // Nothing can be written till that is given up.
    let node = cluster.nodes.get_mut(&leader).expect("a known node");
    let transferred = node.transfer_leadership(cluster.now, follower);
    transferred.expect("it leads");
    let before = last(&cluster, leader);
    cluster.now = cluster.now.after(Duration::from_millis(50));
    cluster.input(leader, Input::TimerFired);
    assert_eq!(last(&cluster, leader), before);
    let next: Instant = cluster.nodes[&leader].next_timeout();
    assert!(next > cluster.now, "it does not try again and again");
    cluster.pass(Duration::from_secs(3));
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(3));
    let [(was_due, at)] = rung(&cluster)[..] else {
        panic!("it rings once")
    };
    assert_eq!(was_due, due);
    assert!(at > due);
}

#[test]
fn a_tick_that_was_lost_holds_up_no_other() {
    let mut cluster = cluster();
    let old = cluster.leader();
    cluster.write_now("100");
    cluster.isolated = Some(old);
    for name in 1..=9 {
        cluster.request(old, 2, name, RequestBody::OpenSession);
    }
    cluster.now = cluster.now.after(Duration::from_millis(100));
    cluster.input(old, Input::TimerFired);
    let lost = last(&cluster, old);
    let new = another(&mut cluster, old);
    cluster.pass(Duration::from_millis(200));
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(2));
    assert_eq!(rung(&cluster).len(), 1);
    let node = cluster.nodes.get_mut(&new).expect("a known node");
    let transferred = node.transfer_leadership(cluster.now, old);
    transferred.expect("it leads");
    cluster.input(new, Input::TimerFired);
    cluster.pass(Duration::from_millis(10));
    assert_eq!(cluster.leader(), old);
    cluster.write_now("100");
    assert!(last(&cluster, old) < lost);
    cluster.pass(Duration::from_millis(100));
    assert_eq!(rung(&cluster).len(), 2);
}
