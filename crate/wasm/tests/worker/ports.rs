//! Frames over ports: transferred, counted, and never trusted.

use js_sys::Uint8Array;
use quorate_raft::{Body, EntryId, Message, NodeId, Term};
use quorate_rsm::codec;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::halting::tag;
use crate::support::*;

/// A node of two, and the other end of its link to the other one.
async fn half_a_cluster() -> (quorate_wasm::Host, JsValue, String) {
    let cluster = unique("ports");
    let settings = with(&config(&cluster, 1, 2), "storage", &memory_storage());
    let (host, _) = open(&settings).await;
    let (ours, theirs) = channel();
    host.connect_peer(2.0, ours).expect("an open node");
    (host, theirs, cluster)
}

fn heartbeat(from: u64, to: u64) -> Message {
    let body = Body::Heartbeat {
        commit: quorate_raft::Index(0),
        round: Some(1),
    };
    Message {
        from: NodeId(from),
        to: NodeId(to),
        storage: quorate_raft::StorageId(0),
        term: Term(50),
        body,
    }
}

pub fn post(port: &JsValue, frame: &[u8]) {
    script("a.postMessage(b.buffer)", &[port, &Uint8Array::from(frame)]);
}

#[wasm_bindgen_test]
async fn frames_are_transferred_array_buffers() {
    let (host, theirs, _) = half_a_cluster().await;
    let frames = script(
        "const frames = []; a.onmessage = (event) => frames.push(event.data); return frames;",
        &[&theirs],
    );
    until("a frame arrives", || number(&frames, "length") > 0.0).await;
    assert_eq!(
        script("return a[0] instanceof ArrayBuffer", &[&frames]),
        true
    );
    let frame = Uint8Array::new(&property(&frames, "0")).to_vec();
    let decoded = codec::decode_messages(&frame.into());
    let (_, group, messages) = decoded.expect("a frame of messages");
    assert_eq!((group, messages[0].to), (0, NodeId(2)));
    close(&host).await;
}

#[wasm_bindgen_test]
async fn a_frame_leaves_its_sender() {
    // Whatever port is given: the buffer must stand in the list of what is transferred.
    let settings = with(
        &config(&unique("transfer"), 1, 2),
        "storage",
        &memory_storage(),
    );
    let (host, _) = open(&settings).await;
    let port = script(
        "return { calls: [], postMessage(data, transfer) { this.calls.push(transfer[0] === data); } }",
        &[],
    );
    host.connect_peer(2.0, port.clone())
        .expect("anything with postMessage is a port");
    until("it sends", || number(&port, "calls.length") > 0.0).await;
    assert_eq!(property(&port, "calls.0"), true);
    close(&host).await;
}

#[wasm_bindgen_test]
async fn garbage_is_counted_and_harms_nothing() {
    let (host, theirs, cluster) = half_a_cluster().await;
    let count = |field: &str| number(&status(&host), &format!("peers.0.{field}"));
    let mut expected = 0.0;
    for odd in [
        "'text'",
        "42",
        "null",
        "{ term: 1 }",
        "new Uint8Array(8)",
        "new ArrayBuffer(0)",
    ] {
        script(&format!("a.postMessage({odd})"), &[&theirs]);
        expected += 1.0;
    }
    let good = codec::encode_messages(tag(&cluster), 0, &[heartbeat(2, 1)]);
    for cut in 0..good.len() {
        post(&theirs, &good[..cut]);
        expected += 1.0;
    }
    let mut noise = quorate_raft::Random::new(7);
    for _ in 0..200 {
        let length = noise.below(64) as usize;
        let bytes: Vec<u8> = (0..length).map(|_| noise.below(256) as u8).collect();
        post(&theirs, &bytes);
        expected += 1.0;
    }
    let from_elsewhere = [
        codec::encode_messages(tag("another cluster"), 0, &[heartbeat(2, 1)]),
        codec::encode_messages(tag(&cluster), 9, &[heartbeat(2, 1)]),
        codec::encode_messages(tag(&cluster), 0, &[heartbeat(3, 1)]),
        codec::encode_messages(tag(&cluster), 0, &[heartbeat(2, 3)]),
        codec::encode_requests(0, &[]),
        codec::encode_beat(tag(&cluster), NodeId(2), 1),
    ];
    for frame in &from_elsewhere {
        post(&theirs, frame);
        expected += 1.0;
    }
    until("all are counted", || count("receivedFrames") >= expected).await;
    assert_eq!(count("rejectedFrames"), expected);
    assert!(
        number(&status(&host), "groups.0.term") < 50.0,
        "none had an effect"
    );

    post(&theirs, &good);
    until("a good one has", || {
        number(&status(&host), "groups.0.term") == 50.0
    })
    .await;
    assert_eq!(count("rejectedFrames"), expected);
    assert_eq!(number(&status(&host), "groups.0.leader"), 2.0);
    close(&host).await;
}

#[wasm_bindgen_test]
async fn garbage_of_clients_is_counted_too() {
    let (host, _, _) = half_a_cluster().await;
    let (ours, theirs) = channel();
    host.connect_client(7.0, ours).expect("an open node");
    post(&theirs, b"nonsense");
    post(&theirs, &codec::encode_requests(3, &[]));
    let count = |field: &str| number(&status(&host), &format!("clients.0.{field}"));
    until("both are counted", || count("receivedFrames") == 2.0).await;
    assert_eq!(count("rejectedFrames"), 2.0);
    assert_eq!(count("id"), 7.0);
    host.disconnect_client(7.0).expect("an open node");
    assert_eq!(number(&status(&host), "clients.length"), 0.0);
    close(&host).await;
}

#[wasm_bindgen_test]
async fn what_is_no_port_is_refused() {
    let (host, ..) = half_a_cluster().await;
    for odd in [
        JsValue::NULL,
        JsValue::from(1),
        json("{}"),
        json(r#"{ "postMessage": 1 }"#),
    ] {
        let error = host.connect_peer(2.0, odd.clone()).expect_err("no port");
        assert_eq!(text(&error, "code"), "INVALID_ARGUMENT");
        assert!(host.connect_client(1.0, odd).is_err());
    }
    for id in [1.0, 0.0, -1.0, 2.5, f64::NAN, 1e300] {
        let (port, _) = channel();
        let error = host.connect_peer(id, port).expect_err("no peer");
        assert_eq!(text(&error, "code"), "INVALID_ARGUMENT", "{id}");
    }
    close(&host).await;
}

#[wasm_bindgen_test]
async fn a_port_that_calls_back_at_once_is_served() {
    // The other end answers within `postMessage`, while the node is still sending.
    let (host, _, cluster) = half_a_cluster().await;
    let answer = codec::encode_messages(tag(&cluster), 0, &[heartbeat(2, 1)]);
    let port = script(
        "return { sent: 0, postMessage() {
             // Once: its answer to this would be answered again, without end.
             if (this.sent++ === 0) this.onmessage({ data: a.slice().buffer });
         } };",
        &[&Uint8Array::from(&answer[..])],
    );
    host.connect_peer(2.0, port.clone()).expect("an open node");
    until("it was served", || {
        number(&status(&host), "groups.0.term") == 50.0
    })
    .await;
    assert!(number(&port, "sent") >= 1.0);
    close(&host).await;
}

#[wasm_bindgen_test]
async fn rules_block_drop_and_delay() {
    let (host, theirs, cluster) = half_a_cluster().await;
    let frames = script(
        "const frames = []; a.onmessage = (event) => frames.push(event.data); return frames;",
        &[&theirs],
    );
    let count = |field: &str| number(&status(&host), &format!("peers.0.{field}"));
    until("it sends", || number(&frames, "length") > 0.0).await;

    host.set_link(2.0, json(r#"{ "blocked": true }"#))
        .expect("a rule");
    let (sent, dropped) = (count("sentFrames"), count("droppedFrames"));
    until("frames are dropped", || {
        count("droppedFrames") >= dropped + 2.0
    })
    .await;
    assert_eq!(count("sentFrames"), sent);
    post(
        &theirs,
        &codec::encode_messages(tag(&cluster), 0, &[heartbeat(2, 1)]),
    );
    let vote = Body::RequestVote {
        last: EntryId::ZERO,
        transfer: false,
    };
    let vote = Message {
        from: NodeId(2),
        to: NodeId(1),
        storage: quorate_raft::StorageId(0),
        term: Term(60),
        body: vote,
    };
    post(&theirs, &codec::encode_messages(tag(&cluster), 0, &[vote]));
    sleep(100).await;
    assert!(
        number(&status(&host), "groups.0.term") < 50.0,
        "nothing comes in either"
    );
    assert_eq!(count("receivedFrames"), 0.0);

    host.set_link(2.0, json(r#"{ "drop": 1 }"#))
        .expect("a rule");
    let dropped = count("droppedFrames");
    until("frames are dropped", || {
        count("droppedFrames") >= dropped + 2.0
    })
    .await;
    assert_eq!(count("sentFrames"), sent);

    host.set_link(2.0, json(r#"{ "delayMs": 30, "jitterMs": 20 }"#))
        .expect("a rule");
    until("frames are held back", || count("delayedFrames") > 0.0).await;
    until("and sent", || count("sentFrames") > sent).await;

    host.set_link(2.0, json("{}")).expect("a rule");
    assert_eq!(property(&status(&host), "peers.0.rule.blocked"), false);
    for odd in [
        r#"{ "drop": 2 }"#,
        r#"{ "delayMs": -1 }"#,
        r#"{ "block": true }"#,
        "[7]",
        "7",
    ] {
        assert!(host.set_link(2.0, json(odd)).is_err(), "{odd}");
    }
    close(&host).await;
}

/// A port of plain JavaScript, with what is done to it.
fn plain_port() -> JsValue {
    script(
        "return { closed: 0, postMessage() {}, close() { this.closed += 1; } }",
        &[],
    )
}

#[wasm_bindgen_test]
async fn a_port_that_is_replaced_or_taken_away_is_closed_and_not_heard() {
    let (host, ..) = half_a_cluster().await;
    let ports: Vec<JsValue> = (0..4).map(|_| plain_port()).collect();
    let gone = |port: &JsValue| {
        number(port, "closed") == 1.0 && !property(port, "onmessage").is_function()
    };
    host.connect_peer(2.0, ports[0].clone()).expect("a port");
    host.connect_client(1.0, ports[1].clone()).expect("a port");
    assert!(
        ports[..2]
            .iter()
            .all(|port| property(port, "onmessage").is_function())
    );
    host.connect_peer(2.0, ports[2].clone()).expect("a port");
    host.connect_client(1.0, ports[3].clone()).expect("a port");
    assert!(gone(&ports[0]) && gone(&ports[1]), "replaced");
    host.disconnect_peer(2.0).expect("an open node");
    assert!(gone(&ports[2]), "taken away");
    assert_eq!(property(&status(&host), "peers.0.connected"), false);
    close(&host).await;
    assert!(gone(&ports[3]), "closed with the node");
}

#[wasm_bindgen_test]
async fn links_and_clients_are_bounded() {
    let (host, ..) = half_a_cluster().await;
    let lossy = || json(r#"{ "drop": 0.5 }"#);
    for id in 2..=256 {
        host.set_link(id.into(), lossy()).expect("room for 255");
    }
    assert!(host.set_link(257.into(), lossy()).is_err());
    assert!(host.connect_peer(257.into(), plain_port()).is_err());
    host.connect_peer(256.into(), plain_port())
        .expect("a known peer");
    // One that leads nowhere, and has no faults, makes room.
    host.set_link(255.into(), json("{}")).expect("a known peer");
    host.connect_peer(257.into(), plain_port()).expect("room");
    assert!(host.connect_peer(255.into(), plain_port()).is_err());
    host.disconnect_peer(257.into()).expect("a known peer");
    host.connect_peer(255.into(), plain_port()).expect("room");
    for id in 0..4_096 {
        host.connect_client(id.into(), plain_port())
            .expect("room for 4096");
    }
    let error = host
        .connect_client(4_096.into(), plain_port())
        .expect_err("no room");
    assert_eq!(text(&error, "code"), "INVALID_ARGUMENT");
    host.connect_client(7.into(), plain_port())
        .expect("a known client");
    close(&host).await;
}
