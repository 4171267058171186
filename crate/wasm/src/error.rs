//! What can go wrong at the JavaScript edge: a stable code, a sentence for a person, the evidence.
//!
//! A [`Failure`] becomes an `Error` whose own properties carry `code`, `retryable` and, where they
//! mean something, `place`, `outcome` and `limit`, so that nothing is lost on the way through a port.

use std::borrow::Cow;
use std::ops::Deref;

use js_sys::{Error, Object, Reflect};
use quorate_rsm::storage::{Damage, StorageError};
use wasm_bindgen::{JsCast, JsValue};

use crate::convert::set;

/// An error on its way to JavaScript: one word in every result.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure(Box<Evidence>);

/// What an error says.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Stable; what a program looks at.
    pub code: Cow<'static, str>,
    /// What a person reads.
    pub message: String,
    /// The storage key, or file offset, that is damaged.
    pub place: Option<String>,
    /// Whether the call has taken effect: `notApplied`, `unknown` or `applied`.
    pub outcome: Option<&'static str>,
    /// The bound that was exceeded.
    pub limit: Option<f64>,
}

impl Failure {
    /// A failure without further evidence.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Evidence {
            code: code.into(),
            message: message.into(),
            place: None,
            outcome: None,
            limit: None,
        }))
    }

    /// An argument that makes no sense.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new("INVALID_ARGUMENT", message)
    }

    /// A call on something that was closed.
    pub fn closed(what: &str) -> Self {
        Self::new("CLOSED", format!("this {what} is closed"))
    }

    /// The same failure, at `place`.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.0.place = Some(place.into());
        self
    }

    /// The same failure, of a call with this outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: &'static str) -> Self {
        self.0.outcome = Some(outcome);
        self
    }

    /// The same failure, with the bound that was exceeded.
    #[must_use]
    pub fn with_limit(mut self, limit: f64) -> Self {
        self.0.limit = Some(limit);
        self
    }

    /// What an error of the package's own says; nothing if it is none.
    pub fn given(error: &JsValue) -> Option<Self> {
        let text = |name| get(error, name)?.as_string();
        Some(Self::new(text("code")?, text("message")?))
    }

    /// A failed storage operation. A full disk is told from the rest by the name that browsers
    /// give it; strings `code` and `place` on the reason, set by a storage in JavaScript, are kept.
    pub fn storage(code: &'static str, what: &str, reason: &JsValue) -> Self {
        let text = |name| get(reason, name).and_then(|value| value.as_string());
        let name = text("name").unwrap_or_else(|| "Error".into());
        let detail = text("message")
            .or_else(|| reason.as_string())
            .unwrap_or_default();
        let code = match text("code") {
            Some(own) if is_code(&own) => Cow::Owned(own),
            _ if name == "QuotaExceededError" => Cow::Borrowed("QUOTA_EXCEEDED"),
            _ => Cow::Borrowed(code),
        };
        let mut failure = Self::new(code, format!("{what}: {name}: {detail}"));
        failure.0.place = text("place");
        failure
    }
}

impl Deref for Failure {
    type Target = Evidence;

    fn deref(&self) -> &Evidence {
        &self.0
    }
}

/// Whether a program may simply try the same again.
fn is_retryable(code: &str) -> bool {
    matches!(
        code,
        "STORAGE_LOCKED" | "STORAGE_BLOCKED" | "TOO_MANY_CALLS" | "DEADLINE_EXCEEDED"
    )
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

/// The property `name` of any value; `None` where there is none.
pub(crate) fn get(value: &JsValue, name: &str) -> Option<JsValue> {
    let found = Reflect::get(value.dyn_ref::<Object>()?, &name.into()).ok()?;
    (!found.is_undefined() && !found.is_null()).then_some(found)
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let code = match error.damage {
            Damage::Version { .. } => "STORAGE_VERSION",
            Damage::Checksum
            | Damage::Malformed(_)
            | Damage::Missing(_)
            | Damage::Inconsistent(_) => "STORAGE_CORRUPT",
        };
        Self::new(code, error.to_string()).at(error.place)
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error = Error::new(&failure.message).into();
        set(&error, "retryable", &is_retryable(&failure.code).into());
        set(&error, "code", &failure.code.as_ref().into());
        if let Some(place) = &failure.place {
            set(&error, "place", &place.into());
        }
        if let Some(outcome) = failure.outcome {
            set(&error, "outcome", &outcome.into());
        }
        if let Some(limit) = failure.limit {
            set(&error, "limit", &limit.into());
        }
        error
    }
}
