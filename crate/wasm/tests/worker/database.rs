//! Records in IndexedDB, below the node.

use js_sys::Uint8Array;
use quorate_rsm::storage::Round;
use quorate_wasm::error::Failure;
use quorate_wasm::indexed_db::{DATABASE_VERSION, IndexedDb};
use quorate_wasm::storage::StorageEvent;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

const TIMEOUT_MS: u32 = 60_000;

fn round(deletes: &[(&str, &str)], puts: &[(&str, &[u8])]) -> Round {
    Round {
        deletes: deletes
            .iter()
            .map(|(from, to)| ((*from).into(), (*to).into()))
            .collect(),
        puts: puts
            .iter()
            .map(|(key, value)| ((*key).into(), value.to_vec()))
            .collect(),
    }
}

async fn open_database(name: &str) -> (IndexedDb, Heard<StorageEvent>) {
    let (sink, heard) = hear_storage();
    let database = IndexedDb::open(name, DATABASE_VERSION, TIMEOUT_MS, &sink).await;
    (database.expect("the database opens"), heard)
}

async fn written(heard: &Heard<StorageEvent>, rounds: usize) {
    let count = || {
        heard
            .all()
            .iter()
            .filter(|event| **event == StorageEvent::Written)
            .count()
    };
    until("the rounds are durable", || count() >= rounds).await;
}

async fn load(database: &IndexedDb) -> Vec<(String, Vec<u8>)> {
    let records = database.load().await.expect("the records load");
    records
        .into_iter()
        .map(|(key, value)| (key, value.to_vec()))
        .collect()
}

fn failure(event: &StorageEvent) -> Option<Failure> {
    match event {
        StorageEvent::Failed(failure) | StorageEvent::Gone(failure) => Some(failure.clone()),
        StorageEvent::Blocked | StorageEvent::Written => None,
    }
}

#[wasm_bindgen_test]
async fn what_was_written_is_there_after_a_reload() {
    let name = unique("reload");
    let (database, heard) = open_database(&name).await;
    database
        .write(&round(&[], &[("a", b"1"), ("b", b"2"), ("c", b"")]))
        .unwrap();
    written(&heard, 1).await;
    // Deletions come first, and end before their end.
    database
        .write(&round(&[("a", "c")], &[("a", b"new")]))
        .unwrap();
    written(&heard, 2).await;
    database.close();

    let (database, _) = open_database(&name).await;
    let records = load(&database).await;
    assert_eq!(
        records,
        [("a".into(), b"new".to_vec()), ("c".into(), Vec::new())]
    );
}

#[wasm_bindgen_test]
async fn an_empty_or_inverted_range_deletes_nothing() {
    let (database, heard) = open_database(&unique("ranges")).await;
    database
        .write(&round(&[], &[("a", b"1"), ("b", b"2")]))
        .unwrap();
    database
        .write(&round(&[("a", "a"), ("b", "a")], &[]))
        .unwrap();
    written(&heard, 2).await;
    assert_eq!(load(&database).await.len(), 2);
}

#[wasm_bindgen_test]
async fn loading_goes_page_by_page_and_misses_nothing() {
    let (database, heard) = open_database(&unique("pages")).await;
    let large = vec![7; 2 << 20];
    let mut expected = Vec::new();
    let mut all = Round::default();
    for number in 0..700_u32 {
        let value = if number % 200 == 3 {
            large.clone()
        } else {
            number.to_le_bytes().to_vec()
        };
        all.puts.push((format!("{number:08x}"), value.clone()));
        expected.push((format!("{number:08x}"), value));
    }
    database.write(&all).unwrap();
    written(&heard, 1).await;
    assert!(load(&database).await == expected, "all records, in order");
}

#[wasm_bindgen_test]
async fn a_crash_between_rounds_keeps_the_acknowledged_and_never_half_a_round() {
    for attempt in 0..8 {
        let name = unique("crash");
        let (database, heard) = open_database(&name).await;
        database
            .write(&round(&[], &[("a", b"1"), ("b", b"1")]))
            .unwrap();
        written(&heard, 1).await;
        database
            .write(&round(&[], &[("a", b"2"), ("b", b"2")]))
            .unwrap();
        // The crash comes somewhere in the second round: nobody waits for it.
        for _ in 0..attempt {
            resolved(js_sys::Promise::resolve(&JsValue::NULL)).await;
        }
        drop(database);

        let (database, _) = open_database(&name).await;
        let records = load(&database).await;
        let values: Vec<&[u8]> = records.iter().map(|(_, value)| &value[..]).collect();
        assert!(
            values == [b"1", b"1"] || values == [b"2", b"2"],
            "{records:?}"
        );
    }
}

#[wasm_bindgen_test]
async fn a_round_is_one_strict_transaction() {
    let (database, heard) = open_database(&unique("strict")).await;
    let seen = script(
        "const original = IDBDatabase.prototype.transaction;
         const seen = [];
         IDBDatabase.prototype.transaction = function (...args) {
             const transaction = original.apply(this, args);
             seen.push(`${transaction.mode} ${transaction.durability}`);
             return transaction;
         };
         return { seen, restore() { IDBDatabase.prototype.transaction = original; } };",
        &[],
    );
    database
        .write(&round(&[("x", "y")], &[("a", b"1"), ("b", b"2")]))
        .unwrap();
    written(&heard, 1).await;
    script("a.restore()", &[&seen]);
    assert_eq!(number(&seen, "seen.length"), 1.0);
    assert_eq!(text(&seen, "seen.0"), "readwrite strict");
}

/// Makes the transactions of the page abort when they have put something, for a stated reason or none.
fn abort_puts(reason: &str) -> JsValue {
    script(
        "const original = IDBObjectStore.prototype.put;
         IDBObjectStore.prototype.put = function (...record) {
             const { transaction } = this;
             if (a) {
                 const error = new DOMException('full', a);
                 Object.defineProperty(transaction, 'error', { value: error });
             }
             const request = original.apply(this, record);
             request.onsuccess = () => transaction.abort();
             return request;
         };
         return () => { IDBObjectStore.prototype.put = original; };",
        &[&reason.into()],
    )
}

#[wasm_bindgen_test]
async fn an_aborted_transaction_is_a_failed_write_and_leaves_nothing() {
    let name = unique("aborted");
    let (database, heard) = open_database(&name).await;
    let restore = abort_puts("");
    database.write(&round(&[], &[("a", b"1")])).unwrap();
    let failure = heard.next("the write fails", failure).await;
    script("a()", &[&restore]);
    assert_eq!(failure.code, "STORAGE_WRITE_FAILED");
    database.close();
    assert!(raw_keys(&name).await.is_empty());
}

#[wasm_bindgen_test]
async fn a_round_counts_only_when_its_transaction_is_complete() {
    let name = unique("complete");
    let (database, heard) = open_database(&name).await;
    // Every request of the round succeeds; then the transaction aborts all the same.
    let restore = script(
        "const original = IDBObjectStore.prototype.put;
         IDBObjectStore.prototype.put = function (...record) {
             const request = original.apply(this, record);
             this.count().onsuccess = () => this.transaction.abort();
             return request;
         };
         return () => { IDBObjectStore.prototype.put = original; };",
        &[],
    );
    database.write(&round(&[], &[("a", b"1")])).unwrap();
    let failure = heard.next("the write fails", failure).await;
    script("a()", &[&restore]);
    assert_eq!(failure.code, "STORAGE_WRITE_FAILED");
    assert!(
        !heard.all().contains(&StorageEvent::Written),
        "never durable"
    );
    database.close();
    assert!(raw_keys(&name).await.is_empty());
}

#[wasm_bindgen_test]
async fn a_round_of_which_one_request_fails_is_not_stored() {
    let name = unique("failing");
    let (database, heard) = open_database(&name).await;
    database.write(&round(&[], &[("a", b"1")])).unwrap();
    written(&heard, 1).await;
    // What is there cannot be added: the request for "a" fails, after it was asked.
    let restore = script(
        "const original = IDBObjectStore.prototype.put;
         IDBObjectStore.prototype.put = function (...record) { return this.add(...record); };
         return () => { IDBObjectStore.prototype.put = original; };",
        &[],
    );
    let records: [(&str, &[u8]); 2] = [("b", b"2"), ("a", b"2")];
    database.write(&round(&[], &records)).unwrap();
    let failure = heard.next("the write fails", failure).await;
    script("a()", &[&restore]);
    assert_eq!(failure.code, "STORAGE_WRITE_FAILED");
    let events = heard.all().into_iter();
    let written = events.filter(|event| *event == StorageEvent::Written);
    assert_eq!(written.count(), 1, "the first round alone");
    database.close();
    assert_eq!(raw_keys(&name).await, ["a"]);
}

#[wasm_bindgen_test]
async fn a_full_disk_is_told_from_other_failures() {
    let (database, heard) = open_database(&unique("quota")).await;
    let restore = abort_puts("QuotaExceededError");
    database.write(&round(&[], &[("a", b"1")])).unwrap();
    let failure = heard.next("the write fails", failure).await;
    script("a()", &[&restore]);
    assert_eq!(failure.code, "QUOTA_EXCEEDED");
}

#[wasm_bindgen_test]
async fn a_write_that_cannot_begin_fails_at_once() {
    let (database, _) = open_database(&unique("closed")).await;
    database.close();
    let failure = database.write(&round(&[], &[("a", b"1")])).unwrap_err();
    assert_eq!(failure.code, "STORAGE_WRITE_FAILED");
}

#[wasm_bindgen_test]
async fn an_upgrade_blocked_by_another_page_ends_by_its_deadline() {
    let name = unique("blocked");
    let other = raw_open(&name, 1, true).await;
    let (sink, heard) = hear_storage();
    let refused = IndexedDb::open(&name, 2, 300, &sink).await;
    assert_eq!(
        refused.err().map(|failure| failure.code.clone()),
        Some("STORAGE_BLOCKED".into())
    );
    assert_eq!(heard.all(), [StorageEvent::Blocked]);
    // The request that was given up must not keep the database open once it is let in.
    other.close();
    resolved(raw_delete(&name)).await;
}

#[wasm_bindgen_test]
async fn an_open_behind_a_pending_deletion_ends_by_its_deadline() {
    let name = unique("deleting");
    let other = raw_open(&name, 1, true).await;
    let deleted = raw_delete(&name);
    let (sink, _) = hear_storage();
    let refused = IndexedDb::open(&name, 1, 300, &sink).await;
    assert_eq!(
        refused.err().map(|failure| failure.code.clone()),
        Some("STORAGE_BLOCKED".into())
    );
    other.close();
    resolved(deleted).await;
}

#[wasm_bindgen_test]
async fn a_database_that_another_page_deletes_is_let_go_and_gone() {
    let name = unique("taken");
    let (database, heard) = open_database(&name).await;
    resolved(raw_delete(&name)).await;
    let failure = heard.next("the storage goes", failure).await;
    assert_eq!(failure.code, "STORAGE_TAKEN_AWAY");
    assert!(database.write(&round(&[], &[("a", b"1")])).is_err());
}

#[wasm_bindgen_test]
async fn a_database_that_the_browser_closes_is_lost() {
    let opened = script(
        "const original = IDBFactory.prototype.open;
         const opened = { requests: [], restore() { IDBFactory.prototype.open = original; } };
         IDBFactory.prototype.open = function (...args) {
             const request = original.apply(this, args);
             opened.requests.push(request);
             return request;
         };
         return opened;",
        &[],
    );
    let (_database, heard) = open_database(&unique("lost")).await;
    script(
        "a.restore(); a.requests[0].result.dispatchEvent(new Event('close'))",
        &[&opened],
    );
    let failure = heard.next("the storage goes", failure).await;
    assert_eq!(failure.code, "STORAGE_LOST");
}

#[wasm_bindgen_test]
async fn an_open_that_fails_without_a_reason_is_tried_thrice() {
    for (failures, attempts, code) in [(2, 3.0, None), (9, 3.0, Some("STORAGE_UNAVAILABLE"))] {
        let opens = script(
            "const original = IDBFactory.prototype.open;
             const opens = { count: 0, restore() { IDBFactory.prototype.open = original; } };
             IDBFactory.prototype.open = function (...args) {
                 if (++opens.count > a) return original.apply(this, args);
                 const request = { error: new DOMException('odd', 'UnknownError') };
                 queueMicrotask(() => request.onerror());
                 return request;
             };
             return opens;",
            &[&failures.into()],
        );
        let (sink, _) = hear_storage();
        let opened = IndexedDb::open(&unique("odd"), 1, TIMEOUT_MS, &sink).await;
        script("a.restore()", &[&opens]);
        assert_eq!(
            opened.err().map(|failure| failure.code.clone()),
            code.map(Into::into)
        );
        assert_eq!(number(&opens, "count"), attempts);
    }
}

#[wasm_bindgen_test]
async fn a_newer_database_is_refused() {
    let name = unique("newer");
    raw_open(&name, DATABASE_VERSION + 1, true).await.close();
    let (sink, _) = hear_storage();
    let refused = IndexedDb::open(&name, DATABASE_VERSION, TIMEOUT_MS, &sink).await;
    assert_eq!(
        refused.err().map(|failure| failure.code.clone()),
        Some("STORAGE_VERSION".into())
    );
}

#[wasm_bindgen_test]
async fn a_value_that_is_no_record_is_named_by_its_key() {
    let name = unique("foreign");
    raw_put(&name, "good", &Uint8Array::from(&b"x"[..])).await;
    raw_put(&name, "odd", &"text".into()).await;
    let (database, _) = open_database(&name).await;
    let failure = database.load().await.unwrap_err();
    assert_eq!(
        (&*failure.code, failure.place.as_deref()),
        ("STORAGE_CORRUPT", Some("odd"))
    );
}

#[wasm_bindgen_test]
async fn a_platform_without_databases_is_told() {
    let hidden = script(
        "const own = Object.getOwnPropertyDescriptor(globalThis, 'indexedDB');
         Object.defineProperty(globalThis, 'indexedDB', { value: undefined, configurable: true });
         return () => {
             if (own) Object.defineProperty(globalThis, 'indexedDB', own);
             else delete globalThis.indexedDB;
         };",
        &[],
    );
    let (sink, _) = hear_storage();
    let refused = IndexedDb::open("none", 1, TIMEOUT_MS, &sink).await;
    script("a()", &[&hidden]);
    assert_eq!(
        refused.err().map(|failure| failure.code.clone()),
        Some("STORAGE_UNAVAILABLE".into())
    );
}
