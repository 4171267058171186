//! Values that cross to JavaScript at human rate: settings in, status and events out. The only user
//! of `serde-wasm-bindgen`; whatever is frequent goes by as bytes or numbers.

use js_sys::Object;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsCast, JsValue};

use crate::error::Failure;

/// The largest number that JavaScript holds exactly.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Reads settings: `what` names them in the error, `fields` are all there are. A name that is not
/// among them is refused, since a misspelled setting would be ignored for ever.
pub fn read<T: DeserializeOwned>(
    value: JsValue,
    what: &str,
    fields: &[&str],
) -> Result<T, Failure> {
    let Some(object) = value.dyn_ref::<Object>() else {
        return Err(Failure::argument(format!("{what} must be an object")));
    };
    for key in Object::keys(object)
        .iter()
        .filter_map(|key| key.as_string())
    {
        if !fields.contains(&key.as_str()) {
            return Err(Failure::argument(format!(
                "{what} has no setting \"{key}\""
            )));
        }
    }
    serde_wasm_bindgen::from_value(value)
        .map_err(|error| Failure::argument(format!("{what}: {error}")))
}

/// Writes a plain object; absent values become `null`.
pub fn write(value: &impl Serialize) -> JsValue {
    value
        .serialize(&Serializer::new().serialize_missing_as_null(true))
        // Only a number above 2^53 is refused, and none of ours gets there.
        .unwrap_or(JsValue::NULL)
}

/// A count or id from JavaScript.
pub fn whole(value: f64, what: &str) -> Result<u64, Failure> {
    if value.fract() == 0.0 && (0.0..=NUMBER_MAX as f64).contains(&value) {
        Ok(value as u64)
    } else {
        Err(Failure::argument(format!(
            "{what} must be a whole number from 0 to 2^53 - 1"
        )))
    }
}
