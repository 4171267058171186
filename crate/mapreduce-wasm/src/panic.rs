//! A panic ends this instance of the module: it is reported once, with its place, and then the
//! instance traps. Nothing of it may be used again; the owner ends the worker and starts a new one,
//! which recovers from what was durable.

use std::cell::RefCell;
use std::panic;

use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local!(static HANDLER: RefCell<Option<Function>> = const { RefCell::new(None) });

/// Calls `handler(message, place)` synchronously in a panic, at most once.
#[wasm_bindgen(js_name = setPanicHandler)]
pub fn set_panic_handler(handler: Function) {
    HANDLER.with(|slot| *slot.borrow_mut() = Some(handler));
    panic::set_hook(Box::new(|info| {
        let message = match info.payload_as_str() {
            Some(text) => text.to_owned(),
            None => "unknown cause".to_owned(),
        };
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // The handler is taken out first: a second panic, even one inside it, stays silent.
        let handler = HANDLER.with(|slot| slot.try_borrow_mut().ok().and_then(|mut h| h.take()));
        if let Some(handler) = handler {
            let _ = handler.call2(&JsValue::UNDEFINED, &message.into(), &place.into());
        }
    }));
}
