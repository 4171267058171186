//! A storage that fails ends the node: it says why, and nothing else any more.

use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

/// A node on a storage that has run well so far, and what it says.
async fn node_on(storage: &JsValue) -> (quorate_wasm::Host, Heard<JsValue>, JsValue) {
    let (host, heard) = open(&with(&config(&unique("halt"), 1, 2), "storage", storage)).await;
    let (ours, theirs) = channel();
    host.connect_peer(2.0, ours).expect("an open node");
    let frames = script(
        "const frames = []; a.onmessage = (event) => frames.push(event.data); return frames;",
        &[&theirs],
    );
    // A candidate asks again and again, so it has something to write and to say for ever.
    until("the node speaks", || number(&frames, "length") > 0.0).await;
    (host, heard, frames)
}

#[wasm_bindgen_test]
async fn a_failed_write_halts_the_node_with_its_cause() {
    let causes = [
        (
            "new DOMException('full', 'QuotaExceededError')",
            "QUOTA_EXCEEDED",
        ),
        (
            "Object.assign(new Error('no space'), { code: 'QUOTA_EXCEEDED' })",
            "QUOTA_EXCEEDED",
        ),
        (
            "Object.assign(new Error('odd'), { code: 'my own!' })",
            "STORAGE_WRITE_FAILED",
        ),
        ("new Error('the cable')", "STORAGE_WRITE_FAILED"),
        ("'a string'", "STORAGE_WRITE_FAILED"),
    ];
    for (cause, code) in causes {
        let storage = memory_storage();
        let settings = with(&config(&unique("cause"), 1, 1), "storage", &storage);
        let (host, heard) = open(&settings).await;
        script(&format!("a.fail = {cause}"), &[&storage]);
        let event = heard.of_type("halted").await;
        assert_eq!(text(&event, "code"), code, "{cause}");
        assert!(property(&event, "group").is_null(), "the whole node");
        let status = status(&host);
        assert_eq!(text(&status, "halted.code"), code);
        assert_eq!(property(&status, "groups.0.halted"), true);
        close(&host).await;
        assert_eq!(number(&storage, "closed"), 1.0);
    }
}

#[wasm_bindgen_test]
async fn a_write_that_throws_instead_of_rejecting_halts_as_well() {
    let storage = memory_storage();
    let settings = with(&config(&unique("throws"), 1, 1), "storage", &storage);
    let (_host, heard) = open(&settings).await;
    script(
        "a.write = () => { throw new Error('at once'); }",
        &[&storage],
    );
    let event = heard.of_type("halted").await;
    assert_eq!(text(&event, "code"), "STORAGE_WRITE_FAILED");
    assert!(text(&event, "message").contains("at once"));
}

#[wasm_bindgen_test]
async fn a_halted_node_sends_nothing_and_writes_nothing() {
    let storage = memory_storage();
    let (host, heard, _) = node_on(&storage).await;
    let vote = quorate_rsm::codec::encode_messages(
        tag(&text(&status(&host), "cluster")),
        0,
        &[quorate_raft::Message {
            from: quorate_raft::NodeId(2),
            to: quorate_raft::NodeId(1),
            storage: quorate_raft::StorageId(0),
            term: quorate_raft::Term(1_000),
            body: quorate_raft::Body::RequestVote {
                last: quorate_raft::EntryId::ZERO,
                transfer: true,
            },
        }],
    );
    let (ours, theirs) = channel();
    host.connect_peer(2.0, ours).expect("an open node");
    let count = |field: &str| number(&status(&host), &format!("peers.0.{field}"));
    host.set_link(2.0, json(r#"{ "delayMs": 1000 }"#))
        .expect("a rule");
    until("a frame is held back", || count("delayedFrames") > 0.0).await;
    // A vote for the other node needs a write: that one fails.
    script("a.fail = new Error('broken')", &[&storage]);
    let ask = || {
        let vote = js_sys::Uint8Array::from(&vote[..]);
        script("a.postMessage(b.buffer)", &[&theirs, &vote])
    };
    ask();
    heard.of_type("halted").await;
    let writes = number(&storage, "writes.length");
    let sent = count("sentFrames");
    // Many times the longest election timeout, and the delay is over as well.
    sleep(1_500).await;
    ask();
    sleep(500).await;
    assert_eq!(count("sentFrames"), sent);
    assert_eq!(number(&storage, "writes.length"), writes);
    let halted = heard
        .all()
        .iter()
        .filter(|event| text(event, "type") == "halted")
        .count();
    assert_eq!(halted, 1, "told once");
}

/// FNV-1a, as frames between nodes carry it.
pub fn tag(cluster: &str) -> u64 {
    let hash = cluster
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    // Zero is no cluster.
    hash | 1
}

#[wasm_bindgen_test]
async fn an_aborted_transaction_halts_a_node_on_indexed_db() {
    let cluster = unique("abort");
    let (host, heard) = open(&config(&cluster, 1, 1)).await;
    let restore = script(
        "const original = IDBObjectStore.prototype.put;
         IDBObjectStore.prototype.put = function (...record) {
             const request = original.apply(this, record);
             request.onsuccess = () => this.transaction.abort();
             return request;
         };
         return () => { IDBObjectStore.prototype.put = original; };",
        &[],
    );
    let event = heard.of_type("halted").await;
    script("a()", &[&restore]);
    assert_eq!(text(&event, "code"), "STORAGE_WRITE_FAILED");
    close(&host).await;
    // What was durable before is there, and the node runs again.
    let (host, _) = open(&config(&cluster, 1, 1)).await;
    leading(&host).await;
    close(&host).await;
}

#[wasm_bindgen_test]
async fn a_deleted_database_halts_its_node() {
    let cluster = unique("deleted");
    let (host, heard) = open(&config(&cluster, 1, 1)).await;
    leading(&host).await;
    resolved(raw_delete(&format!("quorate/{cluster}/1"))).await;
    let event = heard.of_type("halted").await;
    assert_eq!(text(&event, "code"), "STORAGE_TAKEN_AWAY");
    close(&host).await;
}

#[wasm_bindgen_test]
async fn closing_a_node_that_halted_waits_for_its_transaction() {
    let (host, heard) = open(&config(&unique("transaction"), 1, 1)).await;
    // The next round goes on until it is released, and meanwhile somebody deletes the database.
    let round = script(
        "const { transaction } = IDBDatabase.prototype;
         const round = { open: 0, released: false };
         IDBDatabase.prototype.transaction = function (...options) {
             IDBDatabase.prototype.transaction = transaction;
             const begun = this.transaction(...options);
             const [store] = begun.objectStoreNames;
             const goOn = () => {
                 if (!round.released) begun.objectStore(store).get(0).onsuccess = goOn;
             };
             goOn();
             round.open++;
             for (const end of ['complete', 'abort']) begun.addEventListener(end, () => round.open--);
             queueMicrotask(() => this.dispatchEvent(new Event('versionchange')));
             return begun;
         };
         return round;",
        &[],
    );
    heard.of_type("halted").await;
    let closed = host.close();
    sleep(50).await;
    assert_eq!(number(&round, "open"), 1.0, "it ends by itself");
    script("a.released = true", &[&round]);
    resolved(closed).await;
    assert_eq!(number(&round, "open"), 0.0);
}

#[wasm_bindgen_test]
async fn closing_waits_for_the_write_under_way() {
    let storage = memory_storage();
    let settings = with(&config(&unique("closing"), 1, 1), "storage", &storage);
    let (host, _) = open(&settings).await;
    script(
        "a.gate = new Promise((resolve) => { a.release = resolve; })",
        &[&storage],
    );
    until("a write is under way", || {
        property(&status(&host), "storage.writing") == true
    })
    .await;
    let writes = number(&storage, "writes.length");
    let closed = host.close();
    sleep(20).await;
    assert_eq!(number(&storage, "closed"), 0.0, "not under the write");
    script("a.release()", &[&storage]);
    resolved(closed).await;
    assert_eq!(number(&storage, "writes.length"), writes + 1.0);
    assert_eq!(number(&storage, "closed"), 1.0);
    resolved(host.close()).await;
    assert_eq!(number(&storage, "closed"), 1.0, "once");
    let error = host.status().expect_err("closed");
    assert_eq!(text(&error, "code"), "CLOSED");
}
