//! A panic is reported, with its place, before the instance traps. Alone in its page, because the
//! instance cannot be trusted afterwards.

#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Function};
use quorate_wasm::panic::set_panic_handler;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
fn a_panic_is_reported_once_and_traps() {
    let reports = Array::new();
    let handler = Function::new_with_args("message, place", "this.push(message, place)");
    set_panic_handler(handler.bind0(&reports));

    let faulty: Closure<dyn Fn()> = Closure::new(|| panic!("the {} is wrong", "invariant"));
    let faulty: Function = faulty.into_js_value().unchecked_into();
    let trapped = faulty.call0(&JsValue::UNDEFINED);
    let again = faulty.call0(&JsValue::UNDEFINED);

    assert!(
        trapped.is_err() && again.is_err(),
        "JavaScript sees an exception"
    );
    assert_eq!(reports.length(), 2, "one message and one place");
    assert_eq!(reports.get(0), "the invariant is wrong");
    let place = reports.get(1).as_string().unwrap_or_default();
    assert!(place.contains("tests/panic.rs:"), "{place}");
}
