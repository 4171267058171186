//! The clock and the one timeout. The only user of `gloo-timers`.
//!
//! A node's deadline moves with every message, mostly later. [`Alarm`] therefore re-arms only when
//! the deadline comes *nearer*; otherwise the timeout fires early, finds nothing due, and is armed
//! again. That replaces two calls into the platform per message by a few a second.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use gloo_timers::callback::Timeout;
use js_sys::{Function, Promise};
use quorate_raft::Instant;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

/// Platforms treat longer delays as zero.
const MAX_DELAY_MS: u64 = i32::MAX as u64;

/// No clock goes on for three hundred years.
const MAX_MICROS: f64 = 1e16;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now, catch)]
    fn performance_now() -> Result<f64, JsValue>;

    #[wasm_bindgen(js_namespace = Date, js_name = now, catch)]
    fn date_now() -> Result<f64, JsValue>;
}

/// The monotonic time of this thread, from an origin of its own.
#[must_use]
pub fn now() -> Instant {
    thread_local!(static LATEST: Cell<u64> = const { Cell::new(0) });
    // The platform promises monotonic; a clock that still steps back, fails, or says what no clock
    // says, because somebody has put another in its place, stands still.
    let micros = performance_now().unwrap_or_default() * 1_000.0;
    if micros < MAX_MICROS {
        LATEST.set(LATEST.get().max(micros as u64));
    }
    Instant(LATEST.get())
}

/// The wall clock's milliseconds; no number if it fails.
#[must_use]
pub fn wall_ms() -> f64 {
    date_now().unwrap_or(f64::NAN)
}

/// Waits for `start`'s `resolve` or `reject`, at most `ms` milliseconds; then it gives `None`.
pub fn within<'a>(
    ms: u32,
    start: impl FnOnce(Function, Function) + 'a,
) -> impl Future<Output = Result<Option<JsValue>, JsValue>> + 'a {
    // Boxed, so that there is one future for all callers, and not a copy for each.
    wait(ms, Box::new(start))
}

async fn wait(
    ms: u32,
    start: Box<dyn FnOnce(Function, Function) + '_>,
) -> Result<Option<JsValue>, JsValue> {
    let expired = Rc::new(Cell::new(false));
    let mut start = Some(start);
    let mut timeout = None;
    let promise = Promise::new(&mut |resolve, reject| {
        let (give_up, flag) = (resolve.clone(), expired.clone());
        timeout = Some(Timeout::new(ms.min(MAX_DELAY_MS as u32), move || {
            flag.set(true);
            let _ = give_up.call0(&JsValue::UNDEFINED);
        }));
        if let Some(start) = start.take() {
            start(resolve, reject);
        }
    });
    let ended = JsFuture::from(promise).await;
    drop(timeout);
    if expired.get() {
        Ok(None)
    } else {
        ended.map(Some)
    }
}

/// One timeout for the nearest of many deadlines.
pub struct Alarm {
    deadline: Cell<Instant>,
    timeout: RefCell<Option<Timeout>>,
    fired: Rc<dyn Fn()>,
}

impl Alarm {
    /// Calls `fired` at, or soon after, the deadline it is armed for, and sometimes before it.
    pub fn new(fired: impl Fn() + 'static) -> Rc<Self> {
        Rc::new(Self {
            deadline: Cell::new(Instant::NEVER),
            timeout: RefCell::new(None),
            fired: Rc::new(fired),
        })
    }

    /// Makes sure that the alarm fires at `deadline` or before.
    pub fn arm(self: &Rc<Self>, now: Instant, deadline: Instant) {
        if deadline >= self.deadline.get() {
            return;
        }
        self.deadline.set(deadline);
        let weak = Rc::downgrade(self);
        let timeout = Timeout::new(delay_ms(deadline.since(now)), move || {
            let Some(alarm) = weak.upgrade() else { return };
            alarm.deadline.set(Instant::NEVER);
            (alarm.fired)();
        });
        // Dropping the one before clears it.
        *self.timeout.borrow_mut() = Some(timeout);
    }

    /// Never fires again, unless armed anew.
    pub fn disarm(&self) {
        self.deadline.set(Instant::NEVER);
        self.timeout.borrow_mut().take();
    }

    /// Whether a timeout is pending.
    #[must_use]
    pub fn is_armed(&self) -> bool {
        self.deadline.get() != Instant::NEVER
    }
}

/// Rounded up, so that the deadline has passed when the timeout fires.
fn delay_ms(delay: Duration) -> u32 {
    delay
        .as_micros()
        .div_ceil(1_000)
        .min(u128::from(MAX_DELAY_MS)) as u32
}
