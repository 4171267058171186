//! From settings to a running node, and every way that can be refused.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

/// A single node that has run once on IndexedDB, and been closed; the name of its database.
async fn used_database(cluster: &str) -> String {
    let (host, _) = open(&config(cluster, 1, 1)).await;
    leading(&host).await;
    close(&host).await;
    format!("quorate/{cluster}/1")
}

async fn log_key(database: &str) -> String {
    let keys = raw_keys(database).await;
    keys.into_iter()
        .find(|key| key.contains("/log/"))
        .expect("a log record")
}

#[wasm_bindgen_test]
async fn the_identity_is_durable_before_anything_is_sent() {
    let storage = memory_storage();
    let (host, _) = open(&with(&config(&unique("first"), 1, 2), "storage", &storage)).await;
    assert_eq!(
        number(&storage, "writes.length"),
        1.0,
        "nothing else was written yet"
    );
    assert_eq!(text(&storage, "writes.0.0"), "ident");
    assert_eq!(number(&storage, "writes.0.length"), 1.0);
    let status = status(&host);
    assert_eq!(text(&status, "storageId").len(), 16);
    close(&host).await;
    assert_eq!(number(&storage, "closed"), 1.0);
}

#[wasm_bindgen_test]
async fn a_storage_keeps_its_name_and_two_never_share_one() {
    let cluster = unique("names");
    let storage = memory_storage();
    let settings = with(&config(&cluster, 1, 1), "storage", &storage);
    let mut names = Vec::new();
    for _ in 0..2 {
        let (host, _) = open(&settings).await;
        names.push(text(&status(&host), "storageId"));
        close(&host).await;
    }
    assert_eq!(names[0], names[1]);
    let (host, _) = open(&with(&settings, "storage", &memory_storage())).await;
    assert_ne!(names[0], text(&status(&host), "storageId"));
}

#[wasm_bindgen_test]
async fn an_identity_that_cannot_be_written_opens_nothing() {
    let storage = memory_storage();
    script(
        "a.fail = new DOMException('full', 'QuotaExceededError')",
        &[&storage],
    );
    let error = refused(&with(&config(&unique("full"), 1, 1), "storage", &storage)).await;
    assert_eq!(text(&error, "code"), "QUOTA_EXCEEDED");
    assert_eq!(
        number(&storage, "closed"),
        1.0,
        "the storage was closed again"
    );
}

#[wasm_bindgen_test]
async fn a_wrong_checksum_is_named_by_its_key() {
    let database = used_database(&unique("checksum")).await;
    let key = log_key(&database).await;
    // A byte of the checksum itself: all that it guards could still be read.
    raw_flip(&database, &key, |record| record.len() - 1).await;
    let cluster = database.split('/').nth(1).expect("a cluster").to_owned();
    let error = refused(&config(&cluster, 1, 1)).await;
    assert_eq!(
        text(&error, "code"),
        "STORAGE_CORRUPT",
        "{}",
        describe(&error)
    );
    assert_eq!(text(&error, "place"), key);
    // Nothing was repaired, and nothing stays locked: a second try says the same.
    let again = refused(&config(&cluster, 1, 1)).await;
    assert_eq!(text(&again, "place"), key);
}

#[wasm_bindgen_test]
async fn a_record_of_a_newer_format_is_told_from_damage() {
    let cluster = unique("format");
    let database = used_database(&cluster).await;
    let key = log_key(&database).await;
    let record = raw_get(&database, &key).await;
    let mut bytes = js_sys::Uint8Array::new(&record).to_vec();
    bytes[2] = quorate_rsm::storage::STORAGE_VERSION + 1;
    let header = crc32(&bytes[..8]).to_le_bytes();
    bytes[8..12].copy_from_slice(&header);
    raw_put(&database, &key, &js_sys::Uint8Array::from(&bytes[..])).await;
    let error = refused(&config(&cluster, 1, 1)).await;
    assert_eq!(
        text(&error, "code"),
        "STORAGE_VERSION",
        "{}",
        describe(&error)
    );
    assert_eq!(text(&error, "place"), key);
}

/// CRC-32, bit by bit: a second and dumber one than the project's.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[wasm_bindgen_test]
async fn a_missing_identity_is_damage_and_no_fresh_start() {
    let storage = memory_storage();
    let settings = with(&config(&unique("anonymous"), 1, 1), "storage", &storage);
    let (host, _) = open(&settings).await;
    leading(&host).await;
    close(&host).await;
    script("a.records.delete('ident')", &[&storage]);
    let error = refused(&settings).await;
    assert_eq!(text(&error, "code"), "STORAGE_CORRUPT");
    assert_eq!(text(&error, "place"), "ident");
}

#[wasm_bindgen_test]
async fn a_storage_of_others_is_refused() {
    let storage = memory_storage();
    let cluster = unique("mine");
    let (host, _) = open(&with(&config(&cluster, 1, 3), "storage", &storage)).await;
    close(&host).await;
    for foreign in [config(&unique("other"), 1, 3), config(&cluster, 2, 3)] {
        let error = refused(&with(&foreign, "storage", &storage)).await;
        assert_eq!(
            text(&error, "code"),
            "STORAGE_FOREIGN",
            "{}",
            describe(&error)
        );
    }
    // Whom it was founded with it knows itself.
    let (host, _) = open(&with(&config(&cluster, 1, 5), "storage", &storage)).await;
    let voters = property(&status(&host), "groups.0.members.voters");
    assert_eq!(js_sys::Array::from(&voters).length(), 3);
    close(&host).await;
}

#[wasm_bindgen_test]
async fn settings_that_make_no_sense_are_named() {
    let good = config(&unique("settings"), 1, 3);
    let bad: [(&str, JsValue, &str); 13] = [
        ("electionTimoutMs", 5.into(), "electionTimoutMs"),
        ("cluster", "".into(), "cluster"),
        ("cluster", JsValue::UNDEFINED, "cluster"),
        ("node", 0.into(), "node"),
        ("node", 1.5.into(), "node"),
        ("node", "1".into(), "node"),
        ("node", 9.into(), "voters"),
        ("voters", json("[1, 1]"), "voters"),
        ("groups", json("[]"), "groups"),
        ("groups", json("[65536]"), "groups"),
        ("electionTimeoutMs", 1.into(), "election_timeout"),
        ("heartbeatIntervalMs", (-1).into(), "heartbeatIntervalMs"),
        ("storage", json(r#"{ "load": 1 }"#), "load()"),
    ];
    for (name, value, named) in bad {
        let error = refused(&with(&good, name, &value)).await;
        assert_eq!(
            text(&error, "code"),
            "INVALID_ARGUMENT",
            "{name}: {}",
            describe(&error)
        );
        assert!(
            text(&error, "message").contains(named),
            "{name}: {}",
            describe(&error)
        );
    }
    let error = refused(&JsValue::from(7)).await;
    assert_eq!(text(&error, "code"), "INVALID_ARGUMENT");
}

#[wasm_bindgen_test]
async fn a_storage_that_gives_no_records_is_refused() {
    for load in [
        "throw new Error('no')",
        "return 7",
        "return [['a', 'text']]",
        "return ['a']",
    ] {
        let storage = memory_storage();
        script(&format!("a.load = async () => {{ {load} }}"), &[&storage]);
        let error = refused(&with(&config(&unique("load"), 1, 1), "storage", &storage)).await;
        let code = if load.starts_with("throw") {
            "STORAGE_READ_FAILED"
        } else {
            "INVALID_ARGUMENT"
        };
        assert_eq!(text(&error, "code"), code, "{load}: {}", describe(&error));
    }
}

#[wasm_bindgen_test]
async fn a_node_that_is_closed_while_it_is_told_its_cluster_never_runs() {
    let storage = memory_storage();
    let settings = json(&format!(
        r#"{{ "cluster": "{}", "node": 1 }}"#,
        unique("told")
    ));
    let settings = with(&settings, "storage", &storage);
    let (host, _) = open(&settings).await;
    script(
        "a.gate = new Promise(open => { a.open = open; })",
        &[&storage],
    );
    let host = Rc::new(host);
    let told = Rc::new(RefCell::new(None));
    let (telling, ended) = (host.clone(), told.clone());
    spawn_local(async move {
        let founders = js_sys::Array::new().into();
        let begun = telling.begin("0123456789abcdef".into(), founders).await;
        *ended.borrow_mut() = Some(begun);
    });
    sleep(20).await;
    let closed = host.close();
    sleep(20).await;
    assert_eq!(number(&storage, "closed"), 0.0, "it is being written");
    script("a.open()", &[&storage]);
    resolved(closed).await;
    assert_eq!(number(&storage, "closed"), 1.0);
    until("begin ends", || told.borrow().is_some()).await;
    let error = told.take().and_then(Result::err).expect("an error");
    assert_eq!(text(&error, "code"), "CLOSED");
    assert!(host.status().is_err());
}

#[wasm_bindgen_test]
async fn the_state_comes_back_after_a_crash() {
    let cluster = unique("recovery");
    let mut terms = Vec::new();
    for _ in 0..3 {
        let (host, _) = open(&config(&cluster, 1, 1)).await;
        leading(&host).await;
        terms.push(number(&status(&host), "groups.0.term"));
        // No farewell: the lock and the database are let go by the drop alone.
        drop(host);
    }
    assert!(
        terms[0] < terms[1] && terms[1] < terms[2],
        "each run began a new term: {terms:?}"
    );
}

#[wasm_bindgen_test]
async fn a_lock_stolen_while_opening_opens_nothing() {
    let cluster = unique("meanwhile");
    let storage = memory_storage();
    let restore = script(
        "const { request } = LockManager.prototype;
         let held;
         LockManager.prototype.request = function (...args) {
             return (held = request.apply(this, args));
         };
         a.load = async () => {
             const ours = held;
             request.call(navigator.locks, b, { steal: true }, () => {});
             await ours.catch(() => {});
             return [];
         };
         return () => { LockManager.prototype.request = request; };",
        &[&storage, &format!("quorate/{cluster}/1").into()],
    );
    let settings = with(&config(&cluster, 1, 1), "storage", &storage);
    let error = refused(&with(&settings, "lock", &true.into())).await;
    script("a()", &[&restore]);
    assert_eq!(text(&error, "code"), "STORAGE_TAKEN_AWAY");
    assert_eq!(number(&storage, "closed"), 1.0);
}

#[wasm_bindgen_test]
async fn an_open_that_waits_too_long_lets_the_next_one_in() {
    let cluster = unique("patience");
    let database = format!("quorate/{cluster}/1");
    let other = raw_open(&database, 1, true).await;
    let deleted = raw_delete(&database);
    let hasty = with(&config(&cluster, 1, 1), "openTimeoutMs", &300.into());
    let error = refused(&hasty).await;
    assert_eq!(text(&error, "code"), "STORAGE_BLOCKED");
    assert_eq!(property(&error, "retryable"), true);
    other.close();
    resolved(deleted).await;
    let (host, _) = open(&config(&cluster, 1, 1)).await;
    leading(&host).await;
    close(&host).await;
}
