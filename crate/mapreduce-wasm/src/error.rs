//! What can go wrong at the JavaScript edge: an `Error` with a stable `code`, and a sentence for a person.

use js_sys::{Error, Reflect};
use quorate_mapreduce::data::DataError;
use quorate_rsm::BadSnapshot;
use wasm_bindgen::JsValue;

/// An error on its way to JavaScript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: &'static str,
    message: String,
    /// Where in the input the record begins that is to blame.
    offset: Option<u64>,
}

impl Failure {
    /// An argument that makes no sense.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self {
            code: "INVALID_ARGUMENT",
            message: message.into(),
            offset: None,
        }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self {
            code: error.code(),
            message: error.to_string(),
            offset: match error {
                DataError::RecordTooLong { offset } => Some(offset),
                _ => None,
            },
        }
    }
}

impl From<BadSnapshot> for Failure {
    fn from(bad: BadSnapshot) -> Self {
        Self {
            code: "BAD_SNAPSHOT",
            message: bad.to_string(),
            offset: None,
        }
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error = Error::new(&failure.message).into();
        // Cannot fail: the object is fresh and extensible.
        let _ = Reflect::set(&error, &"code".into(), &failure.code.into());
        if let Some(offset) = failure.offset {
            let _ = Reflect::set(&error, &"offset".into(), &(offset as f64).into());
        }
        error
    }
}
