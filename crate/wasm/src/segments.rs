//! Rounds as records of an append-only file, for a directory on Node: bytes in, bytes out.

use js_sys::{Array, Uint8Array};
use quorate_rsm::storage::{Round, Scan, ScannedRound, scan, seal_round as seal};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::convert::{Plain, list, whole};
use crate::error::Failure;

/// The record of a round, to be appended to a file. `sequence` numbers the rounds of a store.
#[wasm_bindgen(js_name = sealRound)]
pub fn seal_round(
    sequence: f64,
    #[wasm_bindgen(unchecked_param_type = "[from: string, to: string][]")] deletes: &Array,
    #[wasm_bindgen(unchecked_param_type = "[key: string, value: Uint8Array][]")] puts: &Array,
) -> Result<Vec<u8>, JsValue> {
    let round = Round {
        deletes: pairs(deletes, |to| to.as_string())?,
        puts: pairs(puts, |value| Some(value.dyn_ref::<Uint8Array>()?.to_vec()))?,
    };
    Ok(seal(whole(sequence, "sequence")?, &round))
}

/// All rounds of a file, and where they end. Damage that is no torn tail throws, with its offset.
#[wasm_bindgen(js_name = scanSegment, unchecked_return_type = "SegmentScan")]
pub fn scan_segment(bytes: &[u8]) -> Result<JsValue, JsValue> {
    let Scan {
        rounds,
        valid_bytes,
        torn,
    } = scan(bytes).map_err(Failure::from)?;
    let scan = Plain::new()
        .with("rounds", &list(rounds.iter().map(write_round)))
        .number("validBytes", valid_bytes as u64)
        .flag("torn", torn);
    Ok(scan.into())
}

fn write_round(scanned: &ScannedRound) -> Plain {
    let pair = |key: &str, value: &JsValue| Array::of2(&key.into(), value);
    let Round { deletes, puts } = &scanned.round;
    let deletes: Array = deletes
        .iter()
        .map(|(from, to)| pair(from, &to.into()))
        .collect();
    let puts: Array = puts
        .iter()
        .map(|(key, value)| pair(key, &Uint8Array::from(&value[..])))
        .collect();
    Plain::new()
        .number("sequence", scanned.sequence)
        .with("deletes", &deletes)
        .with("puts", &puts)
}

fn pairs<T>(
    list: &Array,
    second: impl Fn(&JsValue) -> Option<T>,
) -> Result<Vec<(String, T)>, Failure> {
    let read = |pair: JsValue| {
        let pair = pair.dyn_ref::<Array>()?;
        Some((pair.get(0).as_string()?, second(&pair.get(1))?))
    };
    list.iter()
        .map(read)
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::argument("a round is a list of [from, to] and of [key, bytes]"))
}
