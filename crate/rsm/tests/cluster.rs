//! Three nodes, their clients and an obedient network, driven by hand: what a reader should see
//! first. Faults are the simulator's.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod harness;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use harness::{CLIENT, Cluster, Tape};
use quorate_rsm::raft::NodeId;
use quorate_rsm::{
    Call, CallError, ClientId, ClientOutput, HaltCause, Input, Node, Outcome, Output, Reply,
    Request, RequestBody, RequestError, RequestId, SessionId,
};

#[test]
fn write_is_applied_everywhere_and_read_back() {
    let mut cluster = Cluster::new(|_| {});
    assert_eq!(cluster.write("ab"), Ok(Bytes::from_static(b"2")));
    assert_eq!(cluster.write("c"), Ok(Bytes::from_static(b"3")));
    assert_eq!(cluster.read(), Ok(Bytes::from_static(b"abc")));
    assert_eq!(cluster.tapes(), ["abc"; 3]);
}

#[test]
fn calls_made_together_travel_together() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write("-").expect("a first write");
    let calls: Vec<_> = (0..256)
        .map(|_| cluster.call(Call::Write(Bytes::from_static(b"x"))))
        .collect();
    while let Some(output) = cluster.client.poll_output() {
        let ClientOutput::Send { to, requests } = output else {
            panic!("nothing can be done yet")
        };
        assert_eq!(requests.len(), 256);
        let node = cluster.nodes.get_mut(&to).expect("a known node");
        for request in requests {
            node.handle(
                cluster.now,
                Input::Request {
                    client: CLIENT,
                    request,
                },
            )
            .expect("taken");
        }
        cluster.input(to, Input::TimerFired);
    }
    assert_eq!(
        (cluster.mail.len(), cluster.writes.len()),
        (2, 1),
        "one append to each follower, one round of writes"
    );
    cluster.settle();
    assert!(calls.iter().all(|call| cluster.done.contains_key(call)));
}

#[test]
fn isolated_leader_answers_what_waits_and_the_client_gets_through_elsewhere() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write("a").expect("a first write");
    let old = cluster.leader();
    cluster.isolated = Some(old);
    assert_eq!(
        cluster.write("b"),
        Ok(Bytes::from_static(b"2")),
        "applied once, by the new leader"
    );
    assert_ne!(cluster.leader(), old);
    assert_eq!(
        cluster.nodes[&old].status().waiting,
        0,
        "nothing hangs on the old leader"
    );
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(2));
    assert_eq!(cluster.tapes(), ["ab"; 3]);
}

#[test]
fn lagging_follower_gets_a_snapshot_in_chunks_with_the_sessions() {
    let mut cluster = Cluster::new(|config| {
        config.snapshot_entries = 5;
        config.keep_entries = 0;
        config.snapshot_chunk_bytes = 3;
    });
    let leader = cluster.leader();
    let lagging = *cluster
        .nodes
        .keys()
        .find(|id| **id != leader)
        .expect("three nodes");
    cluster.isolated = Some(lagging);
    for _ in 0..12 {
        cluster.write("four").expect("two of three decide");
    }
    assert!(
        cluster.nodes[&leader].raft().log_start().index.0 > 0,
        "the log was compacted"
    );
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(3));
    assert_eq!(cluster.tapes(), vec!["four".repeat(12); 3]);
    let sessions: Vec<_> = cluster
        .nodes
        .values()
        .map(|node| node.status().sessions)
        .collect();
    assert_eq!(sessions, [1; 3]);
}

#[test]
fn snapshots_are_taken_when_the_log_has_doubled_the_state_not_at_every_write() {
    let mut cluster = Cluster::new(|config| {
        config.snapshot_entries = u64::MAX;
        config.snapshot_bytes = 1;
    });
    let leader = cluster.leader();
    let mut taken = BTreeSet::new();
    for _ in 0..64 {
        cluster.write("sixteen letters.").expect("a quorum");
        taken.insert(cluster.nodes[&leader].raft().snapshot().last.index);
    }
    assert_eq!(cluster.tapes(), vec!["sixteen letters.".repeat(64); 3]);
    assert!((4..=12).contains(&taken.len()), "{taken:?}");
}

/// Three nodes that execute "drift" so, the leader first; and their ids in that order.
fn drifting(texts: [Option<&'static str>; 3]) -> (Cluster, [NodeId; 3]) {
    let change = |config: &mut quorate_rsm::NodeConfig| {
        config.snapshot_entries = 8;
        config.snapshot_chunk_bytes = 3;
    };
    // Who leads depends on the seeds alone.
    let leader = Cluster::new(change).leader();
    let ids = [0, 1, 2].map(|n| NodeId((leader.0 - 1 + n) % 3 + 1));
    let text = |id| {
        texts[ids
            .iter()
            .position(|other| *other == id)
            .expect("one of them")]
    };
    let mut cluster = Cluster::with_machines(change, |id| Tape(Vec::new(), text(id)));
    assert_eq!(cluster.leader(), leader);
    (cluster, ids)
}

fn diverged(cluster: &Cluster, id: NodeId) -> bool {
    matches!(cluster.halted.get(&id), Some(HaltCause::Diverged(index)) if index.0 > 0)
}

#[test]
fn the_follower_whose_state_differs_is_named_and_halts_and_the_others_go_on() {
    let (mut cluster, [leader, good, bad]) = drifting([None, None, Some("drown")]);
    cluster.write("drift").expect("a quorum");
    assert!(cluster.diverged.is_empty(), "not before they compare");
    for _ in 0..30 {
        cluster.write("x").expect("a quorum");
    }
    let [(teller, named, index)] = cluster.diverged[..] else {
        panic!("once: {:?}", cluster.diverged)
    };
    assert_eq!((teller, named), (leader, bad));
    assert_eq!(cluster.halted.get(&bad), Some(&HaltCause::Diverged(index)));
    assert!(!cluster.halted.contains_key(&good));
}

#[test]
fn the_leader_whose_state_differs_halts_itself_and_another_leads() {
    let (mut cluster, [bad, _, _]) = drifting([Some("drown"), None, None]);
    cluster.write("drift").expect("a quorum");
    for _ in 0..30 {
        cluster.write("x").expect("a quorum");
    }
    assert!(diverged(&cluster, bad));
    assert_eq!(cluster.halted.len(), 1);
    cluster.isolated = Some(bad);
    assert_ne!(cluster.leader(), bad);
    let text = cluster.read().expect("a quorum");
    assert!(text.starts_with(b"drift"), "{text:?}");
}

#[test]
fn where_no_two_states_are_equal_all_but_the_leader_halt() {
    let (mut cluster, [leader, second, third]) = drifting([None, Some("a"), Some("b")]);
    cluster.write("drift").expect("a quorum");
    for _ in 0..12 {
        let _ = cluster.write("x");
    }
    assert!(!cluster.halted.contains_key(&leader));
    assert!(diverged(&cluster, second) && diverged(&cluster, third));
    let told: BTreeSet<_> = cluster.diverged.iter().map(|(_, node, _)| *node).collect();
    assert_eq!(told, BTreeSet::from([second, third]));
}

#[test]
fn equal_states_are_compared_and_nobody_halts() {
    let (mut cluster, _) = drifting([None; 3]);
    for _ in 0..30 {
        cluster.write("drift").expect("a quorum");
    }
    assert!(cluster.halted.is_empty() && cluster.diverged.is_empty());
    assert!(cluster.digests.len() >= 3, "{:?}", cluster.digests);
    let mut told = cluster.digests.values();
    assert!(told.all(|nodes| nodes.len() == 2), "{:?}", cluster.digests);
    let mut states = cluster.digests.keys();
    assert!(
        states.all(|(_, format, _)| *format == 1),
        "nothing else is said"
    );
}

#[test]
fn a_node_that_halted_repeats_no_answers_from_its_state() {
    let (mut cluster, [leader, _, bad]) = drifting([None, None, Some("drown")]);
    cluster.request(leader, 2, 1, RequestBody::OpenSession);
    cluster.settle();
    let opened = cluster.replies.pop().and_then(|reply| reply.result.ok());
    let id = opened.as_deref().and_then(|id| id.try_into().ok());
    let write = RequestBody::Write {
        session: SessionId(u64::from_le_bytes(id.expect("eight bytes"))),
        sequence: 1,
        acknowledged: 0,
        command: Bytes::from_static(b"drift"),
    };
    cluster.request(leader, 2, 2, write.clone());
    for _ in 0..30 {
        cluster.write("x").expect("a quorum");
    }
    assert!(diverged(&cluster, bad));
    let (client, id) = (ClientId(2), RequestId(3));
    let request = Request { id, body: write };
    let node = cluster.nodes.get_mut(&bad).expect("a known node");
    let taken = node.handle(cluster.now, Input::Request { client, request });
    taken.expect("requests are always answered");
    let result = Err(RequestError::NotLeader { hint: None });
    let replies = vec![Reply { id, result }];
    assert_eq!(node.poll_output(), Some(Output::Reply { client, replies }));
}

#[test]
fn repeated_write_applies_once_with_the_first_reply() {
    let mut cluster = Cluster::new(|_| {});
    let leader = cluster.leader();
    let ask = |cluster: &mut Cluster, id, body| {
        let request = Request {
            id: RequestId(id),
            body,
        };
        cluster.input(
            leader,
            Input::Request {
                client: ClientId(2),
                request,
            },
        );
        cluster.settle();
        cluster.replies.pop().expect("an answer").result
    };
    let session = ask(&mut cluster, 1, RequestBody::OpenSession).expect("a session");
    let session = SessionId(u64::from_le_bytes(
        session[..].try_into().expect("eight bytes"),
    ));
    let write = |sequence| RequestBody::Write {
        session,
        sequence,
        acknowledged: 0,
        command: Bytes::from_static(b"x"),
    };
    assert_eq!(ask(&mut cluster, 2, write(1)), Ok(Bytes::from_static(b"1")));
    assert_eq!(ask(&mut cluster, 3, write(2)), Ok(Bytes::from_static(b"2")));
    assert_eq!(ask(&mut cluster, 4, write(1)), Ok(Bytes::from_static(b"1")));
    assert_eq!(
        ask(&mut cluster, 5, RequestBody::CloseSession { session }),
        Ok(Bytes::new())
    );
    assert_eq!(
        ask(&mut cluster, 6, write(3)),
        Err(RequestError::SessionExpired)
    );
    assert_eq!(cluster.tapes(), ["xx"; 3]);
}

#[test]
fn without_a_quorum_calls_end_by_their_deadline_and_say_what_they_know() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write("a").expect("a first write");
    cluster.silent = true;
    let exceeded = |outcome| Err(CallError::DeadlineExceeded { outcome });
    assert_eq!(
        cluster.write("b"),
        exceeded(Outcome::Unknown),
        "the old leader had taken it"
    );
    assert_eq!(
        cluster.write("c"),
        exceeded(Outcome::NotApplied),
        "nobody took it"
    );
    assert_eq!(cluster.read(), exceeded(Outcome::NotApplied));
    cluster.silent = false;
    cluster.pass(Duration::from_secs(3));
    assert!(cluster.write("d").is_ok());
    let tapes = cluster.tapes();
    assert!(
        ["ad", "abd"].contains(&&*tapes[0]),
        "what is unknown happens once or never"
    );
    assert_eq!(tapes, vec![tapes[0].clone(); 3]);
}

#[test]
fn failed_write_halts_the_node_and_the_others_go_on() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write("a").expect("a first write");
    let leader = cluster.leader();
    let node = cluster.nodes.get_mut(&leader).expect("a known node");
    node.handle(cluster.now, Input::PersistFailed)
        .expect("taken");
    let mut halted = false;
    while let Some(output) = node.poll_output() {
        halted |= output == Output::Halted(HaltCause::PersistFailed);
        assert!(!matches!(output, Output::Send(_) | Output::Persist(_)));
    }
    assert!(halted && node.handle(cluster.now, Input::TimerFired).is_err());
    cluster.isolated = Some(leader);
    let survivor = *cluster
        .nodes
        .keys()
        .find(|id| **id != leader)
        .expect("three nodes");
    for _ in 0..20 {
        // The halted node answers no timer, so the others are driven here.
        let next = cluster
            .nodes
            .values()
            .map(Node::next_timeout)
            .min()
            .expect("three nodes");
        cluster.now = cluster.now.max(next);
        for id in [1, 2, 3].map(NodeId).into_iter().filter(|id| *id != leader) {
            cluster.input(id, Input::TimerFired);
        }
        while let Some(message) = cluster.mail.pop_front() {
            if message.to != leader {
                cluster.input(message.to, Input::Message(message));
            }
            while let Some((id, batch)) = cluster.writes.pop_front() {
                cluster.input(id, Input::Persisted { seq: batch.seq });
            }
        }
    }
    assert!(
        cluster.nodes[&survivor]
            .status()
            .raft
            .leader
            .is_some_and(|id| id != leader)
    );
}

#[test]
fn oversized_command_and_full_queue_are_refused() {
    let mut cluster = Cluster::new(|config| {
        config.max_command_bytes = 3;
    });
    assert_eq!(
        cluster.write("four"),
        Err(CallError::TooLarge {
            limit: 3,
            outcome: Outcome::NotApplied
        })
    );
    assert_eq!(cluster.write("fit"), Ok(Bytes::from_static(b"3")));
}
