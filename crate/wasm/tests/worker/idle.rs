//! What groups cost that have nothing to do, counted in virtual time: frames, and groups that are served.

use bytes::Bytes;
use quorate_raft::{Beats, ConfState, Instant, NodeId};
use quorate_rsm::storage::LoadedGroup;
use quorate_rsm::{Input, Node, NodeConfig};
use quorate_wasm::config::go_quiet;
use quorate_wasm::groups::{Drained, Group, Groups};
use quorate_wasm::machine::Machine;
use wasm_bindgen_test::wasm_bindgen_test;

const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const CLUSTER: u64 = 7;

/// Three hosts without a platform: what one says reaches another at once, and what it writes is durable at
/// once.
struct Hosts {
    now: Instant,
    hosts: Vec<(Groups, Beats)>,
    counts: Counts,
}

/// What happened since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Frames of groups.
    frames: usize,
    beats: usize,
    /// Groups that had a turn.
    served: usize,
    /// Times at which a host was awake.
    turns: usize,
}

impl Hosts {
    /// With so many groups, which begin.
    fn new(count: u32) -> Self {
        let host = |node: NodeId| {
            let mut config = NodeConfig::new(node);
            go_quiet(&mut config.raft);
            let mut beats = Beats::new(&config.raft);
            let others = NODES.into_iter().filter(|other| *other != node);
            others.for_each(|other| beats.connect(other));
            let mut groups = Groups::new(CLUSTER);
            for id in 0..count {
                let fresh = LoadedGroup::fresh(id, &ConfState::new(NODES));
                let LoadedGroup {
                    restored,
                    chunks,
                    layout,
                } = fresh;
                let (machine, seed) = (Machine::of_group(id), node.0 << 32 | u64::from(id));
                let node = Node::new(config.clone(), restored, chunks, machine, Instant(0), seed);
                groups.add(id, Group::new(node.expect("fresh"), layout));
            }
            (groups, beats)
        };
        Self {
            now: Instant(0),
            hosts: NODES.into_iter().map(host).collect(),
            counts: Counts::default(),
        }
    }

    /// Lets time pass, and counts.
    fn run(&mut self, micros: u64) -> Counts {
        self.counts = Counts::default();
        let end = self.now.0 + micros;
        loop {
            let hosts = self.hosts.iter();
            let next = hosts.map(|(groups, beats)| groups.next_timeout().min(beats.next_timeout()));
            let next = next.min().expect("there are three").0;
            if next > end {
                self.now = Instant(end);
                return self.counts;
            }
            self.now = self.now.max(Instant(next));
            for at in 0..3 {
                self.turn(at);
            }
        }
    }

    /// What is due at a host.
    fn turn(&mut self, at: usize) {
        let now = self.now;
        let (groups, beats) = &mut self.hosts[at];
        if groups.next_timeout().min(beats.next_timeout()) > now {
            return;
        }
        self.counts.turns += 1;
        groups.handle_timers(now);
        if let Some(gone) = beats.turn(now) {
            assert_eq!(gone, [], "all are there");
            let peers: Vec<NodeId> = beats.peers().collect();
            for peer in peers {
                self.counts.beats += 1;
                let heard = self.host(peer).1.hear(NODES[at], Some(1));
                assert_eq!(heard, None);
            }
        }
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        let (now, groups) = (self.now, &mut self.hosts[at].0);
        let Drained {
            to_peers, batches, ..
        } = groups.drain(None);
        self.counts.served += groups.take_served().len();
        for (group, batch) in &batches {
            groups.handle(now, *group, Input::Persisted { seq: batch.seq });
        }
        let frames: Vec<_> = to_peers.into_iter().collect();
        self.counts.frames += frames.len();
        for (to, frame) in frames {
            let (groups, beats) = self.host(to);
            let taken = groups.handle_peer(now, NODES[at], to, &Bytes::from(frame), None);
            assert!(taken, "a frame of ours");
            beats.hear(NODES[at], None);
        }
        // What they answer they say before time goes on.
        let busy = self.hosts.iter().position(|(groups, _)| !groups.is_idle());
        if let Some(busy) = busy {
            self.drain(busy);
        }
    }

    fn host(&mut self, node: NodeId) -> &mut (Groups, Beats) {
        &mut self.hosts[node.0 as usize - 1]
    }

    fn asleep(&self) -> usize {
        let groups = self.hosts.iter().flat_map(|(groups, _)| groups.iter());
        let asleep = groups.filter(|(_, group)| group.node.status().raft.asleep);
        asleep.count()
    }
}

/// Of a heartbeat interval, and of the time in which idle groups fall asleep, in microseconds.
const INTERVAL: u64 = 60_000;
const REST: u64 = 5_000_000;

#[wasm_bindgen_test]
fn groups_that_sleep_cost_nothing_however_many_there_are() {
    let idle = |count: u32| {
        let mut hosts = Hosts::new(count);
        hosts.run(REST);
        assert_eq!(hosts.asleep(), 3 * count as usize);
        hosts.run(100 * INTERVAL)
    };
    let wanted = Counts {
        frames: 0,
        beats: 100 * 6,
        served: 0,
        turns: 100 * 3,
    };
    for count in [1, 100, 1_000] {
        assert_eq!(idle(count), wanted, "{count} groups");
    }
}

#[wasm_bindgen_test]
fn heartbeats_of_groups_that_are_awake_share_frames() {
    let awake = |count: u32| {
        let mut hosts = Hosts::new(count);
        hosts.run(REST);
        // They wake one after another, and keep pace with each other after that.
        for id in 0..count {
            let now = hosts.now;
            for node in NODES {
                hosts.host(node).0.handle(now, id, Input::Reachable);
            }
            hosts.run(INTERVAL / u64::from(count));
        }
        hosts.run(INTERVAL);
        let counts = hosts.run(5 * INTERVAL);
        assert_eq!(hosts.asleep(), 0);
        counts.frames
    };
    // To and from each of the others: a heartbeat, and an answer.
    assert_eq!(awake(1), 5 * 4);
    for count in [100, 1_000] {
        assert_eq!(awake(count), 5 * 12, "{count} groups");
    }
}
