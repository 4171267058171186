//! The client: bytes out and in, typed failures, and an end for every call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use js_sys::{Function, Uint8Array};
use quorate_kv::{Changes, Command, KeyRange, Query, Reply, Watch};
use quorate_rsm::codec;
use quorate_wasm::Client;
use quorate_wasm::calling::ClientHandler;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

const TIMEOUT_MS: f64 = 60_000.0;

type Ended = Rc<RefCell<BTreeMap<u64, Vec<Result<Reply, JsValue>>>>>;

/// In the way of the settings, from the node's own state, or once that has something to say.
const ANY: f64 = 0.0;
const OWN: f64 = 1.0;
const WAITING: f64 = 2.0;

pub fn put(key: &str, value: &str) -> Vec<u8> {
    let (key, value) = (key.to_owned().into(), value.to_owned().into());
    Command::Put { key, value }.encode().to_vec()
}

pub fn get(key: &str) -> Vec<u8> {
    let key = key.to_owned().into();
    Query::Get { key }.encode().to_vec()
}

/// A client whose answers can be waited for.
pub struct TestClient {
    pub client: Client,
    ended: Ended,
}

impl TestClient {
    pub fn new(nodes: u32) -> Self {
        Self::of_group(nodes, 0)
    }

    pub fn of_group(nodes: u32, group: u32) -> Self {
        let nodes: Vec<String> = (1..=nodes).map(|id| id.to_string()).collect();
        let nodes = nodes.join(",");
        Self::with(&json(&format!(
            r#"{{ "nodes": [{nodes}], "group": {group} }}"#
        )))
    }

    pub fn with(config: &JsValue) -> Self {
        let ended = Ended::default();
        let client = Client::new(config.clone(), handler(&ended)).expect("good settings");
        Self { client, ended }
    }

    fn ends(&self, call: f64) -> Vec<Result<Reply, JsValue>> {
        self.ended
            .borrow()
            .get(&(call as u64))
            .cloned()
            .unwrap_or_default()
    }

    pub async fn end(&self, call: f64) -> Result<Reply, JsValue> {
        until("the call ends", || !self.ends(call).is_empty()).await;
        let mut ends = self.ends(call);
        assert_eq!(ends.len(), 1, "each call ends once");
        ends.remove(0)
    }

    pub async fn answer(&self, call: f64) -> Reply {
        self.end(call)
            .await
            .unwrap_or_else(|error| panic!("the call fails: {}", describe(&error)))
    }

    pub async fn failure(&self, call: f64) -> JsValue {
        match self.end(call).await {
            Ok(_) => panic!("the call succeeds"),
            Err(error) => error,
        }
    }

    pub fn begin_put(&self, key: &str, value: &str) -> f64 {
        self.client
            .write(put(key, value), TIMEOUT_MS)
            .expect("begun")
    }

    pub fn begin_get(&self, key: &str) -> f64 {
        self.client.read(get(key), ANY, TIMEOUT_MS).expect("begun")
    }

    pub async fn put(&self, key: &str, value: &str) -> Reply {
        self.answer(self.begin_put(key, value)).await
    }

    pub async fn get(&self, key: &str) -> Option<String> {
        value(self.answer(self.begin_get(key)).await)
    }

    pub async fn increment(&self, key: &str, by: i64) -> i64 {
        let key = key.to_owned().into();
        let command = Command::Increment { key, by }.encode().to_vec();
        let call = self.client.write(command, TIMEOUT_MS).expect("begun");
        match self.answer(call).await {
            Reply::Incremented { value, .. } => value,
            other => panic!("{other:?}"),
        }
    }
}

/// The value that a `Got` carries.
fn value(reply: Reply) -> Option<String> {
    let Reply::Got { record, .. } = reply else {
        panic!("{reply:?}");
    };
    record.map(|record| String::from_utf8(record.value.to_vec()).expect("text"))
}

fn handler(ended: &Ended) -> ClientHandler {
    let (on_done, on_failed) = (ended.clone(), ended.clone());
    let done: Closure<dyn Fn(f64, Uint8Array)> =
        Closure::new(move |call: f64, reply: Uint8Array| {
            let reply = Reply::decode(&Bytes::from(reply.to_vec())).expect("a reply");
            on_done
                .borrow_mut()
                .entry(call as u64)
                .or_default()
                .push(Ok(reply));
        });
    let failed: Closure<dyn Fn(f64, JsValue)> = Closure::new(move |call: f64, error| {
        on_failed
            .borrow_mut()
            .entry(call as u64)
            .or_default()
            .push(Err(error));
    });
    let (done, failed) = (done.into_js_value(), failed.into_js_value());
    script("return { done: a, failed: b }", &[&done, &failed]).unchecked_into()
}

/// A node that leads alone, and a client of it.
async fn single() -> (quorate_wasm::Host, TestClient) {
    let settings = with(
        &config(&unique("client"), 1, 1),
        "storage",
        &memory_storage(),
    );
    let (host, _) = open(&settings).await;
    let client = TestClient::new(1);
    let (ours, theirs) = channel();
    host.connect_client(1.0, ours).expect("an open node");
    client.client.connect(1.0, theirs).expect("an open client");
    (host, client)
}

#[wasm_bindgen_test]
async fn commands_and_queries_go_through_as_they_are() {
    let (host, test) = single().await;
    let Reply::Written { meta } = test.put("a", "1").await else {
        panic!("not written");
    };
    assert_eq!((meta.mod_revision, meta.version), (1, 1));
    test.put("a", "22").await;
    assert_eq!(test.get("a").await.as_deref(), Some("22"));
    assert_eq!(test.get("nothing").await, None);
    assert_eq!(test.increment("n", 40).await, 40);
    assert_eq!(test.increment("n", -100).await, -60);
    let refused = test.begin_put("", "");
    let refused = test.answer(refused).await;
    assert_eq!(refused, Reply::Failed(quorate_kv::Code::EmptyKey));
    let own = test.client.read(get("a"), OWN, TIMEOUT_MS).expect("begun");
    assert_eq!(value(test.answer(own).await).as_deref(), Some("22"));

    let too_large = "x".repeat(3 << 20);
    let call = test.begin_put("a", &too_large);
    let error = test.failure(call).await;
    assert_eq!(text(&error, "code"), "TOO_LARGE");
    assert_eq!(text(&error, "outcome"), "notApplied");
    assert!(error.is_instance_of::<js_sys::Error>());
    assert_eq!(test.client.pending(), 0);
    close(&host).await;
}

#[wasm_bindgen_test]
async fn a_query_that_waits_is_answered_by_the_change_it_waits_for() {
    let (host, test) = single().await;
    let watch = Watch {
        range: KeyRange::single("a"),
        ..Watch::default()
    };
    let query = Query::Changes(Changes {
        watches: vec![watch],
        from: 1,
        ..Changes::default()
    });
    let query = query.encode().to_vec();
    let call = test.client.read(query, WAITING, TIMEOUT_MS).expect("begun");
    test.put("b", "1").await;
    test.put("a", "2").await;
    let Reply::Changes { events, next, .. } = test.answer(call).await else {
        panic!("no changes");
    };
    assert_eq!((events.len(), next), (1, 3));
    assert_eq!(&events[0].record.value[..], b"2");
    close(&host).await;
}

#[wasm_bindgen_test]
async fn every_call_ends_by_its_deadline_without_any_node() {
    let test = TestClient::new(3);
    let call = test.client.write(put("k", "v"), 50.0).expect("begun");
    let error = test.failure(call).await;
    assert_eq!(text(&error, "code"), "DEADLINE_EXCEEDED");
    assert_eq!(text(&error, "outcome"), "notApplied", "it was never sent");
    assert_eq!(property(&error, "retryable"), true);

    // A node that takes everything in and says nothing.
    let (silent, _kept) = channel();
    test.client.connect(2.0, silent).expect("an open client");
    let call = test.client.read(get("k"), ANY, 50.0).expect("begun");
    assert_eq!(text(&test.failure(call).await, "code"), "DEADLINE_EXCEEDED");
    assert_eq!(test.client.pending(), 0);
}

#[wasm_bindgen_test]
async fn calls_of_one_turn_share_a_frame() {
    let test = TestClient::new(1);
    let (ours, theirs) = channel();
    let frames = script(
        "const frames = []; a.onmessage = (event) => frames.push(event.data); return frames;",
        &[&theirs],
    );
    test.client.connect(1.0, ours).expect("an open client");
    for number in 0..10 {
        test.begin_get(&number.to_string());
    }
    assert_eq!(
        number(&frames, "length"),
        0.0,
        "nothing leaves within the turn"
    );
    until("a frame arrives", || number(&frames, "length") > 0.0).await;
    let frame = Uint8Array::new(&property(&frames, "0")).to_vec();
    let (group, requests) = codec::decode_requests(&frame.into()).expect("a frame");
    assert_eq!((group, requests.len()), (0, 10));
    test.client.close();
}

#[wasm_bindgen_test]
async fn garbage_instead_of_answers_harms_nothing() {
    let (host, test) = single().await;
    let (ours, theirs) = channel();
    test.put("a", "1").await;
    test.client.connect(1.0, ours).expect("an open client");
    for odd in [
        "'text'",
        "null",
        "new ArrayBuffer(9)",
        "new ArrayBuffer(0)",
        "{}",
    ] {
        script(&format!("a.postMessage({odd})"), &[&theirs]);
    }
    let (ours, theirs) = channel();
    host.connect_client(2.0, ours).expect("an open node");
    test.client.connect(1.0, theirs).expect("an open client");
    assert_eq!(test.get("a").await.as_deref(), Some("1"));
    close(&host).await;
}

#[wasm_bindgen_test]
async fn calls_are_bounded_cancelled_and_closed() {
    let test = TestClient::with(&json(r#"{ "nodes": [1], "maxPending": 2 }"#));
    let first = test.begin_put("a", "1");
    let second = test.begin_put("b", "2");
    let error = test
        .client
        .read(get("a"), ANY, TIMEOUT_MS)
        .expect_err("too many");
    assert_eq!(text(&error, "code"), "TOO_MANY_CALLS");
    assert_eq!(test.client.pending(), 2);

    test.client.cancel(first).expect("a call id");
    let error = test.failure(first).await;
    assert_eq!(
        (text(&error, "code"), text(&error, "outcome")),
        ("CANCELLED".into(), "notApplied".into())
    );
    test.client
        .cancel(first)
        .expect("a second time does nothing");
    test.client.cancel(999.0).expect("nor does another's");

    test.client.close();
    let error = test.failure(second).await;
    assert_eq!(text(&error, "code"), "CLOSED");
    test.client.close();
    let error = test
        .client
        .read(get("a"), ANY, TIMEOUT_MS)
        .expect_err("closed");
    assert_eq!(text(&error, "code"), "CLOSED");
    let (port, _) = channel();
    assert_eq!(
        text(&test.client.connect(1.0, port).expect_err("closed"), "code"),
        "CLOSED"
    );
}

#[wasm_bindgen_test]
async fn a_handler_may_call_back_and_may_throw() {
    let (host, _) = single().await;
    let calls = script("return { ids: [], ended: [], again: undefined }", &[]);
    let handler = script(
        "return {
             done(call) {
                 a.ended.push(call);
                 if (a.again) a.again();
                 throw new Error('of the user');
             },
             failed(call, error) { a.ended.push(error.code); },
         }",
        &[&calls],
    );
    let client = Client::new(json(r#"{ "nodes": [1] }"#), handler.unchecked_into());
    let client = Rc::new(client.expect("good settings"));
    let (ours, theirs) = channel();
    host.connect_client(2.0, ours).expect("an open node");
    client.connect(1.0, theirs).expect("an open client");
    let caller = Rc::downgrade(&client);
    let again: Closure<dyn Fn()> = Closure::new(move || {
        if let Some(client) = caller.upgrade() {
            let _ = client.read(get("k"), ANY, TIMEOUT_MS).expect("begun");
        }
    });
    let again: Function = again.into_js_value().unchecked_into();
    script(
        "let left = 5; a.again = () => { if (left-- > 0) b(); }",
        &[&calls, &again],
    );
    client.write(put("k", "v"), TIMEOUT_MS).expect("begun");
    until("the chain ends", || number(&calls, "ended.length") == 6.0).await;
    assert_eq!(client.pending(), 0);
    close(&host).await;
}

#[wasm_bindgen_test]
async fn arguments_that_make_no_sense_are_refused() {
    for odd in [
        r#"{ "nodes": [] }"#,
        r#"{ "nodes": [1, 1] }"#,
        r#"{ "nodes": [0] }"#,
        r#"{ "nodes": [1], "maxPendings": 1 }"#,
        r#"{ "nodes": [1], "maxPending": 0 }"#,
        r#"{ "nodes": [1], "attemptTimeoutMs": 0 }"#,
        "[]",
        "7",
    ] {
        let refused = Client::new(json(odd), handler(&Ended::default()));
        let error = refused.err().unwrap_or_else(|| panic!("{odd} is taken"));
        assert_eq!(text(&error, "code"), "INVALID_ARGUMENT", "{odd}");
    }
    let no_handler: ClientHandler = json("{}").unchecked_into();
    assert!(Client::new(json(r#"{ "nodes": [1] }"#), no_handler).is_err());

    let test = TestClient::new(1);
    for timeout_ms in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(test.client.read(get("k"), ANY, timeout_ms).is_err());
    }
    for at in [-1.0, 0.5, 3.0, f64::NAN] {
        assert!(test.client.read(get("k"), at, TIMEOUT_MS).is_err());
    }
    assert_eq!(test.client.pending(), 0);
}
