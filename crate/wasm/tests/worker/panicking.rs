//! A panic is reported, with its place, before the instance traps.

use std::panic;

use js_sys::Function;
use quorate_wasm::panic::set_panic_handler;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

#[wasm_bindgen_test]
fn a_panic_is_reported_once_and_traps() {
    let reports = script("return []", &[]);
    let handler = script("return (...report) => a.push(report)", &[&reports]);
    let of_the_tests = panic::take_hook();
    set_panic_handler(handler.unchecked_into());

    let faulty: Closure<dyn Fn()> = Closure::new(|| panic!("the {} is wrong", "invariant"));
    let faulty: Function = faulty.into_js_value().unchecked_into();
    let trapped = faulty.call0(&JsValue::UNDEFINED);
    let again = faulty.call0(&JsValue::UNDEFINED);
    panic::set_hook(of_the_tests);

    assert!(
        trapped.is_err() && again.is_err(),
        "JavaScript sees an exception"
    );
    assert_eq!(number(&reports, "length"), 1.0);
    assert_eq!(text(&reports, "0.0"), "the invariant is wrong");
    assert!(text(&reports, "0.1").contains("panicking.rs:"));
}
