//! One node, one storage, one writer: a Web Lock held for the node's life.
//!
//! A terminated worker's lock lingers for some milliseconds, so the next opener waits in line for a
//! bounded time. A lock can be stolen; then the node must say nothing more.

use std::cell::RefCell;

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};

use crate::error::{Failure, get};
use crate::storage::{Sink, StorageEvent};
use crate::timer;

#[wasm_bindgen]
extern "C" {
    /// `LockManager`, which web-sys still calls unstable.
    type Locks;

    #[wasm_bindgen(method, structural, catch)]
    fn request(
        this: &Locks,
        name: &str,
        options: &Object,
        granted: &JsValue,
    ) -> Result<Held, JsValue>;

    /// The promise of a request: pending while the lock is waited for or held.
    type Held;

    #[wasm_bindgen(method, js_name = catch)]
    fn on_rejected(this: &Held, listener: &JsValue);

    type AbortController;

    #[wasm_bindgen(constructor)]
    fn new() -> AbortController;

    #[wasm_bindgen(method, getter)]
    fn signal(this: &AbortController) -> JsValue;

    #[wasm_bindgen(method)]
    fn abort(this: &AbortController);
}

/// A lock that is held until it is released or dropped.
pub struct Lock {
    release: RefCell<Option<Function>>,
}

impl Lock {
    /// Waits for the lock `name`, at most `wait_ms`; then it is `STORAGE_LOCKED`. `None` where the
    /// platform has no locks: a webview, or an older Node.
    pub async fn acquire(name: &str, wait_ms: u32, sink: &Sink) -> Result<Option<Self>, Failure> {
        let Some(locks) = locks() else {
            return Ok(None);
        };
        let options = Object::new();
        let controller = AbortController::new();
        let _ = Reflect::set(&options, &"signal".into(), &controller.signal());

        let asked = timer::within(wait_ms, |resolve, reject| {
            // The lock is held as long as the promise given back here is pending.
            let granted = Closure::once_into_js(move || {
                Promise::new(&mut |release, _| {
                    let _ = resolve.call1(&JsValue::UNDEFINED, &release);
                })
            });
            match locks.request(name, &options, &granted) {
                Ok(held) => watch(&held, reject, sink.clone()),
                Err(reason) => {
                    let _ = reject.call1(&JsValue::UNDEFINED, &reason);
                }
            }
        })
        .await;
        match asked {
            Ok(Some(release)) => Ok(Some(Self {
                release: RefCell::new(Some(release.unchecked_into())),
            })),
            Ok(None) => {
                controller.abort();
                let message = "this node already runs on this storage, in another tab or worker";
                Err(Failure::new("STORAGE_LOCKED", message))
            }
            Err(reason) => Err(Failure::storage(
                "STORAGE_UNAVAILABLE",
                "the lock was refused",
                &reason,
            )),
        }
    }

    /// Lets the next opener in. A second time it does nothing.
    pub fn release(&self) {
        if let Some(release) = self.release.borrow_mut().take() {
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.release();
    }
}

/// The promise of a request rejects when the lock is refused, given up or, later, stolen.
fn watch(held: &Held, reject: Function, sink: Sink) {
    held.on_rejected(&Closure::once_into_js(move |reason: JsValue| {
        // Settles `acquire` where that still waits, and does nothing where it does not.
        let _ = reject.call1(&JsValue::UNDEFINED, &reason);
        sink.send(StorageEvent::Gone(Failure::new(
            "STORAGE_TAKEN_AWAY",
            "the lock on this node's storage was taken by another page",
        )));
    }));
}

fn locks() -> Option<Locks> {
    let navigator = get(&js_sys::global(), "navigator")?;
    get(&navigator, "locks").map(JsCast::unchecked_into)
}
