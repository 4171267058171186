//! Settings from JavaScript, and small objects for it. Whatever is frequent crosses as bytes or numbers.

use js_sys::{Array, Float64Array, Object, Reflect, Uint8Array, Uint32Array};
use quorate_mapreduce::data::{Format, Groups, Index, PARTITIONS_MAX};
use wasm_bindgen::{JsCast, JsValue};

use crate::error::Failure;

/// The largest number that JavaScript holds exactly.
const NUMBER_MAX: f64 = ((1_u64 << 53) - 1) as f64;

/// The property `name` of an object; `None` where there is none.
pub(crate) fn get(value: &JsValue, name: &str) -> Option<JsValue> {
    let found = Reflect::get(value.dyn_ref::<Object>()?, &name.into()).ok()?;
    (!found.is_undefined() && !found.is_null()).then_some(found)
}

/// A count or place.
pub(crate) fn whole(value: f64, what: &str) -> Result<u64, Failure> {
    if value.fract() == 0.0 && (0.0..=NUMBER_MAX).contains(&value) {
        Ok(value as u64)
    } else {
        Err(Failure::argument(format!(
            "{what} must be a whole number from 0 to 2^53 - 1"
        )))
    }
}

/// A number of partitions.
pub(crate) fn partitions(value: u32) -> Result<u32, Failure> {
    if (1..=PARTITIONS_MAX).contains(&value) {
        Ok(value)
    } else {
        Err(Failure::argument("partitions must be 1 to 1,024"))
    }
}

/// Bytes, or a text as UTF-8.
pub(crate) fn bytes(value: &JsValue, what: &str) -> Result<Vec<u8>, Failure> {
    if let Some(text) = value.as_string() {
        return Ok(text.into_bytes());
    }
    value
        .dyn_ref::<Uint8Array>()
        .map(Uint8Array::to_vec)
        .ok_or_else(|| Failure::argument(format!("{what} must be a string or a Uint8Array")))
}

/// How an input is cut into records.
pub(crate) fn format(value: &JsValue) -> Result<Format, Failure> {
    match value.as_string().as_deref() {
        Some("lines") => return Ok(Format::Lines),
        Some("whole") => return Ok(Format::Whole),
        _ => {}
    }
    if let Some(delimiter) = get(value, "delimiter") {
        return Ok(Format::Delimiter(bytes(&delimiter, "delimiter")?));
    }
    match get(value, "length").and_then(|length| length.as_f64()) {
        Some(length) => Ok(Format::Length(whole(length, "length")? as usize)),
        None => Err(Failure::argument(
            "a format is \"lines\", \"whole\", { delimiter } or { length }",
        )),
    }
}

/// A list of byte strings.
pub(crate) fn list(value: &JsValue, what: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let Some(list) = value.dyn_ref::<Array>() else {
        return Err(Failure::argument(format!("{what} must be a list")));
    };
    list.iter().map(|item| bytes(&item, what)).collect()
}

/// A plain object.
pub(crate) fn object(fields: &[(&str, &JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Cannot fail: the object is fresh and extensible.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}

/// Values with their keys.
pub(crate) fn groups(groups: &Groups) -> JsValue {
    let (bytes, table) = groups.parts();
    object(&[
        ("bytes", &Uint8Array::from(bytes).into()),
        ("table", &Uint32Array::from(table).into()),
    ])
}

/// Where sections are: four numbers for each.
pub(crate) fn index(index: &Index) -> Float64Array {
    let rows: Vec<f64> = index
        .sections
        .iter()
        .flat_map(|it| {
            [
                f64::from(it.partition),
                it.offset as f64,
                it.bytes as f64,
                it.pairs as f64,
            ]
        })
        .collect();
    Float64Array::from(&rows[..])
}
