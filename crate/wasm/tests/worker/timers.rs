//! The one timeout: it fires, comes nearer, never leaks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use quorate_raft::Instant;
use quorate_wasm::timer::{self, Alarm};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

/// Counts the calls of `setTimeout` and knows which timeouts are pending.
fn watch_timeouts() -> JsValue {
    script(
        "const { setTimeout: set, clearTimeout: clear } = globalThis;
         const watch = { made: 0, pending: new Set(), restore() {
             globalThis.setTimeout = set; globalThis.clearTimeout = clear;
         } };
         globalThis.setTimeout = (task, ms) => {
             watch.made += 1;
             const id = set(() => { watch.pending.delete(id); task(); }, ms);
             watch.pending.add(id);
             return id;
         };
         globalThis.clearTimeout = (id) => { watch.pending.delete(id); clear(id); };
         return watch;",
        &[],
    )
}

fn pending(watch: &JsValue) -> f64 {
    number(watch, "pending.size")
}

fn in_ms(ms: u64) -> Instant {
    timer::now().after(Duration::from_millis(ms))
}

fn counting() -> (Rc<Alarm>, Rc<Cell<u32>>) {
    let fired = Rc::new(Cell::new(0));
    let count = fired.clone();
    (Alarm::new(move || count.set(count.get() + 1)), fired)
}

#[wasm_bindgen_test]
async fn time_never_goes_back() {
    let mut latest = timer::now();
    for _ in 0..1_000 {
        let now = timer::now();
        assert!(now >= latest);
        latest = now;
    }
    sleep(10).await;
    assert!(timer::now() > latest);
}

#[wasm_bindgen_test]
async fn an_alarm_fires_once_its_deadline_has_passed() {
    let fired = Rc::new(RefCell::new(Vec::new()));
    let times = fired.clone();
    let alarm = Alarm::new(move || times.borrow_mut().push(timer::now()));
    let deadline = in_ms(20);
    alarm.arm(timer::now(), deadline);
    assert!(alarm.is_armed());
    until("the alarm fires", || !fired.borrow().is_empty()).await;
    // A timeout and the clock may round to different milliseconds.
    let rounding = Duration::from_millis(2);
    assert!(fired.borrow()[0].after(rounding) >= deadline);
    assert!(!alarm.is_armed());
    sleep(50).await;
    assert_eq!(fired.borrow().len(), 1, "once");
}

#[wasm_bindgen_test]
async fn a_deadline_that_moves_away_costs_no_timeout() {
    let (alarm, fired) = counting();
    let watch = watch_timeouts();
    let now = timer::now();
    for later in 0..1_000 {
        alarm.arm(now, in_ms(50 + later));
    }
    script("a.restore()", &[&watch]);
    assert_eq!(number(&watch, "made"), 1.0);
    until("it fires for the first one", || fired.get() == 1).await;
}

#[wasm_bindgen_test]
async fn a_nearer_deadline_replaces_a_far_one() {
    let (alarm, fired) = counting();
    let watch = watch_timeouts();
    alarm.arm(timer::now(), in_ms(3_600_000));
    alarm.arm(timer::now(), in_ms(10));
    assert_eq!(pending(&watch), 1.0, "the far one is cleared");
    until("the near one fires", || fired.get() == 1).await;
    script("a.restore()", &[&watch]);
    assert_eq!(pending(&watch), 0.0);
}

#[wasm_bindgen_test]
async fn a_deadline_beyond_the_platforms_limit_does_not_fire_at_once() {
    let (alarm, fired) = counting();
    alarm.arm(timer::now(), in_ms(1 << 40));
    sleep(50).await;
    assert_eq!(fired.get(), 0);
    alarm.arm(timer::now(), Instant::NEVER);
    alarm.disarm();
    assert!(!alarm.is_armed());
}

#[wasm_bindgen_test]
async fn neither_a_disarmed_nor_a_dropped_alarm_fires() {
    let watch = watch_timeouts();
    let (alarm, fired) = counting();
    alarm.arm(timer::now(), in_ms(1));
    alarm.disarm();
    assert_eq!(pending(&watch), 0.0);
    alarm.arm(timer::now(), in_ms(1));
    drop(alarm);
    assert_eq!(pending(&watch), 0.0);
    script("a.restore()", &[&watch]);
    sleep(50).await;
    assert_eq!(fired.get(), 0);
}

#[wasm_bindgen_test]
async fn a_closed_node_leaves_no_timeout() {
    let watch = watch_timeouts();
    let config = with(
        &config(&unique("timers"), 1, 1),
        "storage",
        &memory_storage(),
    );
    let (host, _) = open(&config).await;
    until("it has deadlines", || pending(&watch) > 0.0).await;
    close(&host).await;
    assert_eq!(pending(&watch), 0.0);
    let (host, _) = open(&with(&config, "storage", &memory_storage())).await;
    drop(host);
    assert_eq!(pending(&watch), 0.0, "nor does a dropped one");
    script("a.restore()", &[&watch]);
}
