//! One node, one storage, one writer.

use quorate_wasm::lock::Lock;
use quorate_wasm::storage::StorageEvent;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

#[wasm_bindgen_test]
async fn a_second_opener_is_refused_until_the_first_closes() {
    let config = config(&unique("twice"), 1, 1);
    let (first, _) = open(&config).await;
    assert_eq!(property(&status(&first), "locked"), true);
    let error = refused(&config).await;
    assert_eq!(text(&error, "code"), "STORAGE_LOCKED");
    assert_eq!(property(&error, "retryable"), true);
    close(&first).await;
    let (second, _) = open(&config).await;
    close(&second).await;
}

#[wasm_bindgen_test]
async fn an_opener_waits_for_a_lock_that_is_about_to_go() {
    let config = config(&unique("lingering"), 1, 1);
    let (first, _) = open(&config).await;
    let patient = with(&config, "lockWaitMs", &60_000.into());
    spawn_local(async move {
        sleep(50).await;
        close(&first).await;
    });
    let (second, _) = open(&patient).await;
    close(&second).await;
}

#[wasm_bindgen_test]
async fn a_storage_of_the_users_is_not_locked_unless_asked() {
    let config = config(&unique("own"), 1, 1);
    let (first, _) = open(&with(&config, "storage", &memory_storage())).await;
    assert_eq!(property(&status(&first), "locked"), false);
    let (second, _) = open(&with(&config, "storage", &memory_storage())).await;
    let locked = with(
        &with(&config, "storage", &memory_storage()),
        "lock",
        &true.into(),
    );
    let (third, _) = open(&locked).await;
    let error = refused(&with(&locked, "storage", &memory_storage())).await;
    assert_eq!(text(&error, "code"), "STORAGE_LOCKED");
    for host in [first, second, third] {
        close(&host).await;
    }
}

#[wasm_bindgen_test]
async fn a_stolen_lock_silences_the_node() {
    let cluster = unique("stolen");
    let (host, heard) = open(&config(&cluster, 1, 1)).await;
    leading(&host).await;
    script(
        "navigator.locks.request(a, { steal: true }, () => {})",
        &[&format!("quorate/{cluster}/1").into()],
    );
    let event = heard.of_type("halted").await;
    assert_eq!(text(&event, "code"), "STORAGE_TAKEN_AWAY");
    assert!(property(&event, "group").is_null());
    assert_eq!(text(&status(&host), "halted.code"), "STORAGE_TAKEN_AWAY");
    // Then the database goes as well: the first cause stays, and is told once.
    resolved(raw_delete(&format!("quorate/{cluster}/1"))).await;
    let events = heard.all();
    let halted = events
        .iter()
        .filter(|event| text(event, "type") == "halted");
    assert_eq!(halted.count(), 1);
}

#[wasm_bindgen_test]
async fn a_dropped_lock_is_free() {
    let name = unique("dropped");
    let (sink, heard) = hear_storage();
    for _ in 0..3 {
        let lock = Lock::acquire(&name, 60_000, &sink)
            .await
            .expect("free")
            .expect("supported");
        let refused = Lock::acquire(&name, 50, &sink).await;
        assert_eq!(
            refused.err().map(|failure| failure.code.clone()),
            Some("STORAGE_LOCKED".into())
        );
        drop(lock);
    }
    let taken = |event: &StorageEvent| matches!(event, StorageEvent::Written);
    assert!(!heard.all().iter().any(taken));
}

#[wasm_bindgen_test]
async fn a_platform_without_locks_goes_without() {
    let restore = script(
        "const own = Object.getOwnPropertyDescriptor(WorkerNavigator.prototype, 'locks');
         delete WorkerNavigator.prototype.locks;
         return () => Object.defineProperty(WorkerNavigator.prototype, 'locks', own);",
        &[],
    );
    let (sink, _) = hear_storage();
    let lock = Lock::acquire("none", 1_000, &sink).await;
    script("a()", &[&restore]);
    assert!(lock.expect("no failure").is_none());
}
