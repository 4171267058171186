//! Nodes whose groups all sleep: what they say is a beat, and whoever ends is missed all the same.

use std::collections::BTreeMap;

use js_sys::Array;
use quorate_kv::Reply;
use quorate_raft::NodeId;
use quorate_rsm::codec;
use quorate_shard::{ControllerCommand, GroupId};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::client::put;
use crate::halting::tag;
use crate::ports::post;
use crate::shards::{SHARDS, Store};
use crate::support::*;

const GROUPS: [u32; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
/// Default of nodes.
const INTERVAL_MS: f64 = 60.0;

/// A store with a value in each shard.
async fn written() -> Store {
    let store = Store::open().await;
    store
        .decide(ControllerCommand::Create { shards: SHARDS })
        .await;
    store.join(&GROUPS).await;
    store.settled(&GROUPS.map(|group| (group, 1))).await;
    write(&store, "before").await;
    store
}

/// A key in each shard.
fn keys(store: &Store) -> Vec<String> {
    let mut keys = BTreeMap::new();
    for number in 0.. {
        let key = format!("key-{number}");
        keys.entry(store.client.shard_of(key.as_bytes()))
            .or_insert(key);
        if keys.len() == SHARDS as usize {
            break;
        }
    }
    keys.into_values().collect()
}

async fn write(store: &Store, value: &str) {
    for key in keys(store) {
        let written = store.call(put(&key, value)).await;
        assert!(matches!(written, Reply::Written { .. }), "{written:?}");
    }
}

/// All groups of a node, the controller's among them.
fn groups(store: &Store, at: usize) -> Vec<JsValue> {
    let groups: Array = property(&status(&store.hosts[at].0), "groups").into();
    groups.iter().collect()
}

async fn all_sleep(store: &Store) {
    until("all groups sleep", || {
        (0..3).all(|at| {
            let groups = groups(store, at);
            let asleep = |group: &JsValue| property(group, "asleep").is_truthy();
            groups.len() == GROUPS.len() + 1 && groups.iter().all(asleep)
        })
    })
    .await;
}

/// Frames that a node sent to its peers so far.
fn sent(store: &Store, at: usize) -> f64 {
    let status = status(&store.hosts[at].0);
    let peers: Array = property(&status, "peers").into();
    peers.iter().map(|peer| number(&peer, "sentFrames")).sum()
}

#[wasm_bindgen_test]
async fn nodes_whose_groups_sleep_send_each_other_a_beat_in_an_interval() {
    let store = written().await;
    all_sleep(&store).await;
    let (began, before) = (js_sys::Date::now(), [0, 1, 2].map(|at| sent(&store, at)));
    sleep(3_000).await;
    let intervals = (js_sys::Date::now() - began) / INTERVAL_MS;
    for (at, before) in before.into_iter().enumerate() {
        let frames = sent(&store, at) - before;
        // Movers ask once in a while whether there is a new configuration.
        assert!(frames <= 2.0 * (intervals + 1.0) + 8.0, "{frames}");
        assert!(frames > 2.0, "it beats");
        for peer in [0, 1] {
            let rejected = format!("peers.{peer}.rejectedFrames");
            assert_eq!(number(&status(&store.hosts[at].0), &rejected), 0.0);
        }
    }
    for at in 0..3 {
        let is_awake = |group: &JsValue| !property(group, "asleep").is_truthy();
        assert!(!groups(&store, at).iter().any(is_awake), "nobody woke");
    }
    store.close().await;
}

#[wasm_bindgen_test]
async fn a_node_that_ends_while_its_groups_sleep_is_missed_and_is_caught_up_when_it_returns() {
    let mut store = written().await;
    all_sleep(&store).await;
    let leads = |at: usize| {
        let groups = groups(&store, at);
        let leads = |group: &&JsValue| text(group, "role") == "leader";
        groups.iter().filter(leads).count()
    };
    let gone = (0..3)
        .max_by_key(|at| leads(*at))
        .expect("there are three nodes");
    assert!(leads(gone) > 0);
    // Its peers are told nothing: whoever follows it sleeps, and expects no heartbeat.
    store.end(gone).await;
    write(&store, "meanwhile").await;

    store.restart(gone).await;
    all_sleep(&store).await;
    let applied = |at| {
        let groups = groups(&store, at);
        let applied = groups.iter().map(|group| number(group, "applied"));
        applied.collect::<Vec<_>>()
    };
    assert_eq!(applied(gone), applied((gone + 1) % 3));
    write(&store, "after").await;
    for key in keys(&store) {
        assert_eq!(store.value(&key).await.as_deref(), Some("after"));
    }
    store.close().await;
}

#[wasm_bindgen_test]
async fn nodes_that_were_cut_off_from_each_other_find_each_other_again() {
    let store = written().await;
    all_sleep(&store).await;
    let set = |blocked: bool| {
        for (at, (host, _)) in store.hosts.iter().enumerate() {
            for other in (0..3).filter(|other| *other != at) {
                let rule = with(&json("{}"), "blocked", &blocked.into());
                host.set_link(other as f64 + 1.0, rule)
                    .expect("an open node");
            }
        }
    };
    // Everybody takes everybody for gone, and looks for leaders.
    set(true);
    until("followers look for leaders", || {
        (0..3).all(|at| {
            let groups = groups(&store, at);
            groups
                .iter()
                .all(|group| text(group, "role") == "leader" || property(group, "leader").is_null())
        })
    })
    .await;
    set(false);
    // Movers turn to each other again: shards go from groups that are led on one node to those of another.
    let (groups, discard) = (GROUPS[..4].iter().copied().map(GroupId).collect(), false);
    let leave = ControllerCommand::Leave { groups, discard };
    store.decide(leave).await;
    let left: Vec<_> = GROUPS[4..].iter().map(|group| (*group, 2)).collect();
    store.settled(&left).await;
    for key in keys(&store) {
        assert_eq!(store.value(&key).await.as_deref(), Some("before"));
    }
    store.close().await;
}

#[wasm_bindgen_test]
async fn a_beat_counts_that_is_of_this_peer_in_this_cluster() {
    let cluster = unique("beats");
    let settings = with(&config(&cluster, 1, 2), "storage", &memory_storage());
    let (host, _) = open(&with(&settings, "sharded", &true.into())).await;
    let (ours, theirs) = channel();
    host.connect_peer(2.0, ours).expect("an open node");
    let count = |field: &str| number(&status(&host), &format!("peers.0.{field}"));
    let beat = codec::encode_beat(tag(&cluster), NodeId(2), 7);
    let mut longer = beat.clone();
    longer.push(0);
    let odd = [
        codec::encode_beat(tag("another cluster"), NodeId(2), 7),
        codec::encode_beat(tag(&cluster), NodeId(3), 7),
        beat[..beat.len() - 1].to_vec(),
        longer,
    ];
    for frame in [&odd[..], &[beat.clone(), beat]].concat() {
        post(&theirs, &frame);
    }
    until("all are counted", || count("receivedFrames") >= 6.0).await;
    assert_eq!(count("rejectedFrames"), odd.len() as f64);
    close(&host).await;
}
