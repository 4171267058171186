//! The client: flat answers, typed failures, and an end for every call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::{Array, Function, Uint8Array};
use quorate_rsm::codec;
use quorate_wasm::KvClient;
use quorate_wasm::kv_client::{KvHandler, prefix_end};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

const TIMEOUT_MS: f64 = 60_000.0;

/// How a call ended.
#[derive(Clone)]
pub struct Answer {
    pub revision: f64,
    pub number: f64,
    pub more: bool,
    pub entries: Array,
}

type Ended = Rc<RefCell<BTreeMap<u64, Vec<Result<Answer, JsValue>>>>>;

/// A client whose answers can be waited for.
pub struct TestClient {
    pub client: KvClient,
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
        let client = KvClient::new(config.clone(), handler(&ended)).expect("good settings");
        Self { client, ended }
    }

    fn ends(&self, call: f64) -> Vec<Result<Answer, JsValue>> {
        self.ended
            .borrow()
            .get(&(call as u64))
            .cloned()
            .unwrap_or_default()
    }

    pub async fn end(&self, call: f64) -> Result<Answer, JsValue> {
        until("the call ends", || !self.ends(call).is_empty()).await;
        let mut ends = self.ends(call);
        assert_eq!(ends.len(), 1, "each call ends once");
        ends.remove(0)
    }

    pub async fn answer(&self, call: f64) -> Answer {
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
            .put(key.into(), value.into(), TIMEOUT_MS)
            .expect("begun")
    }

    pub async fn put(&self, key: &str, value: &str) -> Answer {
        self.answer(self.begin_put(key, value)).await
    }

    pub async fn get(&self, key: &str) -> Option<String> {
        let answer = self
            .answer(self.client.get(key.into(), TIMEOUT_MS).expect("begun"))
            .await;
        (answer.entries.length() > 0).then(|| string(&answer.entries, 1))
    }

    pub async fn increment(&self, key: &str, by: f64) -> f64 {
        let call = self
            .client
            .increment(key.into(), by, TIMEOUT_MS)
            .expect("begun");
        self.answer(call).await.number
    }
}

fn handler(ended: &Ended) -> KvHandler {
    let (on_done, on_failed) = (ended.clone(), ended.clone());
    let done: Closure<dyn Fn(f64, f64, f64, bool, Array)> =
        Closure::new(move |call: f64, revision, number, more, entries| {
            let answer = Answer {
                revision,
                number,
                more,
                entries,
            };
            on_done
                .borrow_mut()
                .entry(call as u64)
                .or_default()
                .push(Ok(answer));
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

fn string(entries: &Array, index: u32) -> String {
    let bytes: Uint8Array = entries.get(index).dyn_into().expect("bytes");
    String::from_utf8(bytes.to_vec()).expect("text")
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
async fn every_operation_answers_flat() {
    let (host, test) = single().await;
    let client = &test.client;

    let put = test.put("a", "1").await;
    assert_eq!((put.revision, put.number, put.more), (1.0, 1.0, false));
    test.put("a", "22").await;
    let got = test
        .answer(client.get(b"a".to_vec(), TIMEOUT_MS).unwrap())
        .await;
    assert_eq!(got.entries.length(), 5);
    assert_eq!(
        (string(&got.entries, 0), string(&got.entries, 1)),
        ("a".into(), "22".into())
    );
    let numbers: Vec<f64> = (2..5)
        .filter_map(|index| got.entries.get(index).as_f64())
        .collect();
    assert_eq!(numbers, [1.0, 2.0, 2.0], "created, modified, version");
    assert_eq!(test.get("nothing").await, None);

    test.answer(
        client
            .append(b"a".to_vec(), b"!".to_vec(), TIMEOUT_MS)
            .unwrap(),
    )
    .await;
    assert_eq!(test.get("a").await.as_deref(), Some("22!"));
    assert_eq!(test.increment("n", 40.0).await, 40.0);
    assert_eq!(test.increment("n", -100.0).await, -60.0);

    let swap = |expected: Option<&str>, value: Option<&str>| {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let (expected, value) = (expected.map(bytes), value.map(bytes));
        client
            .compare_and_swap(b"a".to_vec(), expected, value, TIMEOUT_MS)
            .unwrap()
    };
    let refused = test.answer(swap(None, Some("x"))).await;
    assert_eq!(
        (refused.number, string(&refused.entries, 1)),
        (0.0, "22!".into())
    );
    assert_eq!(test.answer(swap(Some("22!"), Some("x"))).await.number, 1.0);
    assert_eq!(
        test.answer(swap(Some("x"), None)).await.number,
        1.0,
        "swapped for nothing"
    );
    assert_eq!(test.get("a").await, None);
    assert!(
        client
            .compare_and_swap(b"a".to_vec(), None, None, TIMEOUT_MS)
            .is_err()
    );

    for key in ["p/1", "p/2", "p/3", "q"] {
        test.put(key, key).await;
    }
    let end = prefix_end(b"p/".to_vec());
    assert_eq!(end.as_deref(), Some(&b"p0"[..]));
    let range = |end, limit, projection| {
        let range = client.range(b"p/".to_vec(), end, limit, projection, TIMEOUT_MS);
        range.expect("begun")
    };
    let all = test.answer(range(end.clone(), 0.0, 0.0)).await;
    assert_eq!(
        (all.number, all.more, all.entries.length()),
        (3.0, false, 15)
    );
    let some = test.answer(range(end.clone(), 2.0, 0.0)).await;
    assert_eq!(
        (some.number, some.more, some.entries.length()),
        (3.0, true, 10)
    );
    let open_ended = test.answer(range(None, 0.0, 0.0)).await;
    assert_eq!(open_ended.number, 4.0);
    let keys = test.answer(range(end.clone(), 0.0, 1.0)).await;
    assert_eq!(
        (string(&keys.entries, 0), string(&keys.entries, 1)),
        ("p/1".into(), String::new())
    );
    let count = test.answer(range(end.clone(), 0.0, 2.0)).await;
    assert_eq!((count.number, count.entries.length()), (3.0, 0));
    let deleted = client.delete(b"q".to_vec(), TIMEOUT_MS).unwrap();
    assert_eq!(test.answer(deleted).await.number, 1.0);
    let deleted = client
        .delete_range(b"p/".to_vec(), end, TIMEOUT_MS)
        .unwrap();
    assert_eq!(test.answer(deleted).await.number, 3.0);
    assert_eq!(client.pending(), 0);
    close(&host).await;
}

#[wasm_bindgen_test]
async fn refusals_of_the_store_carry_its_codes() {
    let (host, test) = single().await;
    let client = &test.client;
    test.put("text", "word").await;
    test.put("big", "9007199254740991").await;
    let cases = [
        (
            client.put(Vec::new(), Vec::new(), TIMEOUT_MS),
            "EMPTY_KEY",
            "notApplied",
        ),
        (
            client.put(vec![1; 4_097], Vec::new(), TIMEOUT_MS),
            "KEY_TOO_LARGE",
            "notApplied",
        ),
        (
            client.put(vec![1], vec![0; (1 << 20) + 1], TIMEOUT_MS),
            "VALUE_TOO_LARGE",
            "notApplied",
        ),
        (
            client.put(vec![1], vec![0; 3 << 20], TIMEOUT_MS),
            "TOO_LARGE",
            "notApplied",
        ),
        (
            client.increment(b"text".to_vec(), 1.0, TIMEOUT_MS),
            "NOT_AN_INTEGER",
            "notApplied",
        ),
        (
            client.increment(b"big".to_vec(), 1.0, TIMEOUT_MS),
            "NUMBER_TOO_LARGE",
            "applied",
        ),
    ];
    for (call, code, outcome) in cases {
        let error = test.failure(call.expect("begun")).await;
        assert_eq!(text(&error, "code"), code);
        assert_eq!(text(&error, "outcome"), outcome, "{code}");
        assert!(error.is_instance_of::<js_sys::Error>());
    }
    close(&host).await;
}

#[wasm_bindgen_test]
async fn every_call_ends_by_its_deadline_without_any_node() {
    let test = TestClient::new(3);
    let call = test
        .client
        .put(b"k".to_vec(), b"v".to_vec(), 50.0)
        .expect("begun");
    let error = test.failure(call).await;
    assert_eq!(text(&error, "code"), "DEADLINE_EXCEEDED");
    assert_eq!(text(&error, "outcome"), "notApplied", "it was never sent");
    assert_eq!(property(&error, "retryable"), true);

    // A node that takes everything in and says nothing.
    let (silent, _kept) = channel();
    test.client.connect(2.0, silent).expect("an open client");
    let call = test.client.get(b"k".to_vec(), 50.0).expect("begun");
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
        test.client.get(vec![number], TIMEOUT_MS).expect("begun");
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
        .get(b"a".to_vec(), TIMEOUT_MS)
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
        .get(b"a".to_vec(), TIMEOUT_MS)
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
    let client = KvClient::new(json(r#"{ "nodes": [1] }"#), handler.unchecked_into());
    let client = Rc::new(client.expect("good settings"));
    let (ours, theirs) = channel();
    host.connect_client(2.0, ours).expect("an open node");
    client.connect(1.0, theirs).expect("an open client");
    let caller = Rc::downgrade(&client);
    let again: Closure<dyn Fn()> = Closure::new(move || {
        if let Some(client) = caller.upgrade() {
            let _ = client.get(b"k".to_vec(), TIMEOUT_MS).expect("begun");
        }
    });
    let again: Function = again.into_js_value().unchecked_into();
    script(
        "let left = 5; a.again = () => { if (left-- > 0) b(); }",
        &[&calls, &again],
    );
    client
        .put(b"k".to_vec(), b"v".to_vec(), TIMEOUT_MS)
        .expect("begun");
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
        let refused = KvClient::new(json(odd), handler(&Ended::default()));
        let error = refused.err().unwrap_or_else(|| panic!("{odd} is taken"));
        assert_eq!(text(&error, "code"), "INVALID_ARGUMENT", "{odd}");
    }
    let no_handler: KvHandler = json("{}").unchecked_into();
    assert!(KvClient::new(json(r#"{ "nodes": [1] }"#), no_handler).is_err());

    let test = TestClient::new(1);
    for timeout_ms in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(test.client.get(b"k".to_vec(), timeout_ms).is_err());
    }
    for by in [0.5, f64::NAN, 1e300, f64::INFINITY] {
        assert!(
            test.client
                .increment(b"k".to_vec(), by, TIMEOUT_MS)
                .is_err()
        );
    }
    for limit in [-1.0, 0.5, f64::NAN] {
        assert!(
            test.client
                .range(Vec::new(), None, limit, 0.0, TIMEOUT_MS)
                .is_err()
        );
    }
    assert_eq!(test.client.pending(), 0);
}
