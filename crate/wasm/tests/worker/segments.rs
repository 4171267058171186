//! Rounds as records of a file, across the border.

use js_sys::{Array, Uint8Array};
use quorate_wasm::segments::{scan_segment, seal_round};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::*;

fn seal(sequence: f64, deletes: &str, puts: &str) -> Result<Vec<u8>, JsValue> {
    let list = |body: &str| -> Array { script(&format!("return {body}"), &[]).unchecked_into() };
    seal_round(sequence, &list(deletes), &list(puts))
}

#[wasm_bindgen_test]
fn rounds_come_back_from_a_file() {
    let mut file = seal(1.0, "[]", "[['a', new Uint8Array([1, 2])]]").unwrap();
    file.extend(seal(2.0, "[['a', 'b']]", "[]").unwrap());
    let whole = file.len();
    let unfinished = seal(3.0, "[]", "[['c', new Uint8Array(100)]]").unwrap();
    file.extend(&unfinished[..40]);
    let scan = scan_segment(&file).expect("a torn tail is no damage");
    assert_eq!(number(&scan, "rounds.length"), 2.0);
    assert_eq!(number(&scan, "rounds.0.sequence"), 1.0);
    assert_eq!(text(&scan, "rounds.0.puts.0.0"), "a");
    let value: Uint8Array = property(&scan, "rounds.0.puts.0.1")
        .dyn_into()
        .expect("bytes");
    assert_eq!(value.to_vec(), [1, 2]);
    assert_eq!(text(&scan, "rounds.1.deletes.0.1"), "b");
    assert_eq!(number(&scan, "validBytes"), whole as f64);
    assert_eq!(property(&scan, "torn"), true);
}

#[wasm_bindgen_test]
fn damage_is_named_by_its_offset() {
    let mut file = seal(1.0, "[]", "[['a', new Uint8Array([1, 2])]]").unwrap();
    let second = file.len();
    file.extend(seal(2.0, "[]", "[['b', new Uint8Array([3])]]").unwrap());
    file[second + 14] ^= 1;
    let error = scan_segment(&file).expect_err("damage");
    assert_eq!(text(&error, "code"), "STORAGE_CORRUPT");
    assert_eq!(text(&error, "place"), second.to_string());
}

#[wasm_bindgen_test]
fn rounds_that_make_no_sense_are_refused() {
    for (deletes, puts) in [
        ("[]", "[['a', 'text']]"),
        ("[]", "[['a']]"),
        ("[]", "['a']"),
        ("[['a']]", "[]"),
        ("[[1, 2]]", "[]"),
    ] {
        let error = seal(1.0, deletes, puts).expect_err("nonsense");
        assert_eq!(text(&error, "code"), "INVALID_ARGUMENT", "{deletes} {puts}");
    }
    assert!(seal(-1.0, "[]", "[]").is_err());
    assert!(seal(1.5, "[]", "[]").is_err());
}
