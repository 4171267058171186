//! Queries that any node answers from its own state: at once, or when that has something to say.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

mod harness;

use std::time::Duration;

use bytes::Bytes;
use harness::Cluster;
use quorate_rsm::raft::{Change, NodeId};
use quorate_rsm::{
    Call, ClientId, HaltCause, Input, Output, ReadAt, Reply, RequestBody, RequestError, RequestId,
};

fn read(at: ReadAt, query: &'static str) -> RequestBody {
    let query = Bytes::from_static(query.as_bytes());
    RequestBody::Read { query, at }
}

/// Waits for the text to have so many letters.
fn watch(length: &'static str) -> RequestBody {
    read(ReadAt::Watch, length)
}

/// The answers since the last time, by the request's name.
fn answers(cluster: &mut Cluster) -> Vec<(u64, Result<Bytes, RequestError>)> {
    let replies = core::mem::take(&mut cluster.replies);
    let named = |reply: Reply| (reply.id.0, reply.result);
    replies.into_iter().map(named).collect()
}

fn text(text: &'static str) -> Result<Bytes, RequestError> {
    Ok(Bytes::from_static(text.as_bytes()))
}

fn parked(cluster: &Cluster, id: NodeId) -> usize {
    let status = cluster.nodes[&id].status();
    assert!(status.waiting >= status.parked);
    status.parked
}

/// A cluster in which nobody has waited long enough.
fn patient() -> Cluster {
    Cluster::new(|config| config.park_timeout = Duration::from_secs(1_000))
}

#[test]
fn a_watch_is_answered_by_the_entry_it_waits_for_on_a_leader_and_on_a_follower() {
    let mut cluster = patient();
    for id in [cluster.leader(), cluster.follower()] {
        let length = cluster.nodes[&id].machine().0.len();
        let [one, two] = [["1", "2"], ["3", "4"]][length / 2];
        for (name, length) in [(1, two), (2, one), (3, one), (4, "9")] {
            cluster.request(id, 2, name, watch(length));
        }
        assert_eq!((answers(&mut cluster), parked(&cluster, id)), (vec![], 4));
        cluster.write_now("x");
        let [first, second] = [["x", "xx"], ["xxx", "xxxx"]][length / 2].map(text);
        let expected = vec![(2, first.clone()), (3, first)];
        assert_eq!(
            answers(&mut cluster),
            expected,
            "in the order in which they came"
        );
        cluster.write_now("x");
        assert_eq!(answers(&mut cluster), [(1, second)], "and once");
        assert_eq!(parked(&cluster, id), 1);
    }
}

#[test]
fn a_watch_is_answered_at_once_where_there_is_something_to_say() {
    let mut cluster = patient();
    let id = cluster.follower();
    cluster.write_now("abc");
    cluster.request(id, 2, 1, watch("3"));
    assert_eq!(answers(&mut cluster), [(1, text("abc"))]);
    assert_eq!(parked(&cluster, id), 0);
}

#[test]
fn a_watch_that_has_waited_long_enough_is_answered_with_what_there_is() {
    let mut cluster = Cluster::new(|_| {});
    let ids = [cluster.leader(), cluster.follower()];
    cluster.write_now("abc");
    for (id, name) in ids.into_iter().zip([1, 2]) {
        cluster.request(id, 2, name, watch("4"));
    }
    cluster.pass(Duration::from_millis(1));
    cluster.request(ids[1], 2, 3, watch("4"));
    cluster.pass(Duration::from_millis(4_998));
    assert_eq!(answers(&mut cluster), []);
    cluster.pass(Duration::from_millis(1));
    let mut early = answers(&mut cluster);
    early.sort_by_key(|(name, _)| *name);
    assert_eq!(early, [(1, text("abc")), (2, text("abc"))]);
    cluster.pass(Duration::from_millis(1));
    assert_eq!(answers(&mut cluster), [(3, text("abc"))]);
}

#[test]
fn the_node_asks_to_be_woken_for_its_first_watch() {
    let mut cluster = Cluster::new(|config| config.park_timeout = Duration::from_millis(1));
    let id = cluster.leader();
    let before = cluster.nodes[&id].next_timeout();
    cluster.request(id, 2, 1, watch("1"));
    let due = cluster.now.after(Duration::from_millis(1));
    assert!(due < before);
    assert_eq!(cluster.nodes[&id].next_timeout(), due);
}

#[test]
fn a_node_without_a_leader_sends_those_who_wait_elsewhere() {
    let mut cluster = patient();
    let refused = || Err(RequestError::NotLeader { hint: None });
    for cut in [cluster.follower(), cluster.leader()] {
        cluster.request(cut, 2, 1, watch("9"));
        assert_eq!(parked(&cluster, cut), 1);
        cluster.isolated = Some(cut);
        cluster.pass(Duration::from_secs(3));
        assert_eq!(cluster.nodes[&cut].status().raft.leader, None);
        assert_eq!(answers(&mut cluster), [(1, refused())]);
        cluster.request(cut, 2, 2, watch("9"));
        assert_eq!(answers(&mut cluster), [(2, refused())]);
        assert_eq!(parked(&cluster, cut), 0);
        cluster.isolated = None;
        cluster.pass(Duration::from_secs(3));
    }
}

#[test]
fn a_learner_without_a_leader_sends_those_who_wait_elsewhere() {
    let mut cluster = patient();
    cluster.write_now("a");
    let (leader, cut) = (cluster.leader(), cluster.follower());
    let node = cluster.nodes.get_mut(&leader).expect("a known node");
    let demote = Change::Demote { id: cut };
    node.change_membership(cluster.now, &[demote])
        .expect("it leads");
    cluster.pass(Duration::from_secs(1));
    assert!(
        cluster.nodes[&cut]
            .raft()
            .conf_state()
            .learners
            .contains(&cut)
    );
    cluster.isolated = Some(cut);
    cluster.request(cut, 2, 1, watch("9"));
    cluster.request(cut, 2, 2, read(ReadAt::Here, ""));
    assert_eq!(answers(&mut cluster), []);
    cluster.pass(Duration::from_secs(10));
    let refused = Err(RequestError::NotLeader { hint: None });
    assert_eq!(
        answers(&mut cluster),
        [(2, refused.clone()), (1, refused.clone())]
    );
    cluster.request(cut, 2, 3, watch("9"));
    assert_eq!(answers(&mut cluster), [(3, refused)]);
    cluster.isolated = None;
    cluster.pass(Duration::from_secs(1));
    cluster.request(cut, 2, 4, read(ReadAt::Here, ""));
    cluster.pass(Duration::from_secs(1));
    assert_eq!(answers(&mut cluster), [(4, text("a"))]);
}

#[test]
fn parked_queries_count_as_what_waits() {
    let mut cluster = Cluster::new(|config| {
        config.park_timeout = Duration::from_secs(1_000);
        config.max_waiting = 2;
    });
    cluster.write_now("a");
    let overloaded = Err(RequestError::Overloaded);
    let id = cluster.leader();
    for name in [1, 2, 3] {
        cluster.request(id, 2, name, watch("2"));
    }
    assert_eq!(answers(&mut cluster), [(3, overloaded.clone())]);
    assert_eq!(cluster.nodes[&id].status().waiting, 2);
    cluster.request(id, 2, 4, read(ReadAt::Leader, ""));
    cluster.request(id, 2, 5, RequestBody::OpenSession);
    assert_eq!(
        answers(&mut cluster),
        [(4, overloaded.clone()), (5, overloaded)]
    );
    // What needs not wait is answered.
    cluster.request(id, 2, 6, watch("1"));
    cluster.request(id, 2, 7, read(ReadAt::Local, ""));
    assert_eq!(answers(&mut cluster), [(6, text("a")), (7, text("a"))]);
}

#[test]
fn a_watch_goes_with_its_client() {
    let mut cluster = patient();
    let id = cluster.follower();
    cluster.request(id, 2, 1, watch("1"));
    cluster.request(id, 3, 2, watch("1"));
    let client = ClientId(2);
    cluster.input(id, Input::ClientGone { client });
    assert_eq!(parked(&cluster, id), 1);
    cluster.write_now("a");
    assert_eq!(answers(&mut cluster), [(2, text("a"))]);
}

#[test]
fn a_watch_is_answered_by_a_leaders_snapshot() {
    let mut cluster = Cluster::new(|config| {
        config.park_timeout = Duration::from_secs(1_000);
        config.snapshot_entries = 5;
        config.keep_entries = 0;
    });
    let (leader, lagging) = (cluster.leader(), cluster.follower());
    cluster.isolated = Some(lagging);
    // Until the snapshot has all, so that no entry comes after it.
    for _ in 0..20 {
        cluster.write_now("x");
        let status = cluster.nodes[&leader].status().raft;
        if status.snapshot == status.last && status.snapshot.index.0 > 0 {
            break;
        }
    }
    let all = cluster.nodes[&leader].machine().0.clone();
    cluster.isolated = None;
    while cluster.nodes[&lagging].status().raft.leader.is_none() {
        cluster.pass(Duration::from_millis(1));
    }
    cluster.request(lagging, 2, 1, watch("2"));
    cluster.request(lagging, 2, 2, watch("99"));
    assert!(answers(&mut cluster).is_empty());
    for _ in 0..100 {
        if cluster.restored.contains(&lagging) {
            break;
        }
        cluster.pass(Duration::from_millis(10));
    }
    let applied = cluster.nodes[&lagging].status().raft;
    assert_eq!(
        applied.applied, applied.snapshot.index,
        "a snapshot, and nothing else"
    );
    assert_eq!(answers(&mut cluster), [(1, Ok(Bytes::from(all)))]);
    assert_eq!(parked(&cluster, lagging), 1);
}

#[test]
fn a_node_that_halts_sends_those_who_wait_elsewhere_and_those_who_come() {
    let mut cluster = patient();
    let id = cluster.follower();
    cluster.request(id, 2, 1, watch("1"));
    cluster.input(id, Input::PersistFailed);
    assert_eq!(cluster.halted.get(&id), Some(&HaltCause::PersistFailed));
    let refused = Err(RequestError::NotLeader { hint: None });
    assert_eq!(answers(&mut cluster), [(1, refused.clone())]);
    assert_eq!(parked(&cluster, id), 0);
    let node = cluster.nodes.get_mut(&id).expect("a known node");
    for (name, body) in [(2, watch("1")), (3, read(ReadAt::Local, ""))] {
        let client = ClientId(2);
        let id = RequestId(name);
        let request = quorate_rsm::Request { id, body };
        let taken = node.handle(cluster.now, Input::Request { client, request });
        taken.expect("requests are always answered");
        let result = refused.clone();
        let replies = vec![Reply { id, result }];
        assert_eq!(node.poll_output(), Some(Output::Reply { client, replies }));
    }
}

#[test]
fn a_local_read_is_answered_at_once_and_may_be_stale() {
    let mut cluster = patient();
    cluster.write_now("a");
    let (leader, cut) = (cluster.leader(), cluster.follower());
    cluster.isolated = Some(cut);
    cluster.write("b").expect("two of three decide");
    assert_eq!(cluster.nodes[&cut].status().raft.leader, None);
    for (id, expected) in [(leader, "ab"), (cut, "a")] {
        cluster.request(id, 2, 1, read(ReadAt::Local, ""));
        assert_eq!(answers(&mut cluster), [(1, text(expected))]);
        assert_eq!(cluster.nodes[&id].status().waiting, 0);
    }
    cluster.request(cut, 2, 2, read(ReadAt::Here, ""));
    let refused = Err(RequestError::NotLeader { hint: None });
    assert_eq!(answers(&mut cluster), [(2, refused)]);
}

#[test]
fn a_clients_watch_waits_in_one_place_and_is_asked_again_when_its_node_goes() {
    let mut cluster = Cluster::new(|_| {});
    cluster.write_now("a");
    let (query, at) = (Bytes::from_static(b"2"), ReadAt::Watch);
    let call = cluster.call(Call::ReadAt { query, at });
    cluster.pass(Duration::from_millis(4_900));
    let all = |cluster: &Cluster| [1, 2, 3].map(|id| parked(cluster, NodeId(id)));
    let holder = all(&cluster).iter().position(|parked| *parked == 1);
    let holder = NodeId(holder.expect("it waits somewhere") as u64 + 1);
    assert_eq!(all(&cluster).iter().sum::<usize>(), 1);
    let node = holder;
    let gone = quorate_rsm::ClientInput::NodeDown { node };
    cluster.client.handle(cluster.now, gone);
    cluster.input(
        holder,
        Input::ClientGone {
            client: harness::CLIENT,
        },
    );
    cluster.pass(Duration::from_millis(200));
    assert_eq!(
        (
            all(&cluster).iter().sum::<usize>(),
            parked(&cluster, holder)
        ),
        (1, 0)
    );
    let back = quorate_rsm::ClientInput::NodeUp { node };
    cluster.client.handle(cluster.now, back);
    cluster.write_now("b");
    let answer = cluster.done.remove(&call).expect("it has ended");
    assert_eq!(answer, Ok(Bytes::from_static(b"ab")));
}
