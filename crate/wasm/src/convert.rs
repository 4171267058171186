//! Values that cross to JavaScript at human rate: settings in, status and events out. Settings are read
//! by hand, so that each error names its setting; status and events are written field by field, which
//! is half as large as what is derived, and whole records of one kind by `serde`. Whatever is frequent
//! crosses as bytes or numbers.

use std::cell::RefCell;
use std::time::Duration;

use js_sys::{Array, Object, Reflect};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsCast, JsValue};

use crate::error::{Failure, get};

/// The largest number that JavaScript holds exactly.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Writes records of one kind.
pub fn write(value: &impl Serialize) -> JsValue {
    value
        .serialize(&Serializer::new().serialize_maps_as_objects(true))
        // Only a number above 2^53 is refused, and none of ours gets there.
        .unwrap_or(JsValue::NULL)
}

/// A plain object that is being written, field by field.
#[derive(Default)]
pub struct Plain(Object);

impl Plain {
    /// One without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Any value.
    #[must_use]
    pub fn with(self, name: &str, value: &JsValue) -> Self {
        set(&self.0, name, value);
        self
    }

    /// A count or id. None of ours gets to 2^53.
    #[must_use]
    pub fn number(self, name: &str, value: u64) -> Self {
        self.with(name, &(value as f64).into())
    }

    /// A count or id, or `null`.
    #[must_use]
    pub fn number_or_null(self, name: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self.with(name, &JsValue::NULL),
        }
    }

    /// A text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.with(name, &value.into())
    }

    /// Yes or no.
    #[must_use]
    pub fn flag(self, name: &str, value: bool) -> Self {
        self.with(name, &value.into())
    }
}

impl From<Plain> for JsValue {
    fn from(plain: Plain) -> Self {
        plain.0.into()
    }
}

/// Sets a property of an object of ours.
pub fn set(object: &JsValue, name: &str, value: &JsValue) {
    // Cannot fail: the object is fresh and extensible.
    let _ = Reflect::set(object, &name.into(), value);
}

/// A list of counts or ids.
pub fn numbers(values: impl Iterator<Item = u64>) -> JsValue {
    let list = Array::new();
    for value in values {
        list.push(&(value as f64).into());
    }
    list.into()
}

/// A list of objects.
pub fn list(values: impl Iterator<Item = Plain>) -> JsValue {
    let list = Array::new();
    for value in values {
        list.push(&value.into());
    }
    list.into()
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

/// An object of settings. Each is asked for by its name; `finish` refuses the names that nobody has
/// asked for, since a misspelled setting would be ignored for ever.
pub struct Settings {
    object: Object,
    what: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl Settings {
    /// `what` names the whole in errors.
    pub fn new(value: JsValue, what: &'static str) -> Result<Self, Failure> {
        match value.dyn_into() {
            Ok(object) => Ok(Self {
                object,
                what,
                asked: RefCell::default(),
            }),
            Err(_) => Err(Failure::argument(format!("{what} must be an object"))),
        }
    }

    /// Whether every name was known.
    pub fn finish(self) -> Result<(), Failure> {
        let asked = self.asked.borrow();
        for key in Object::keys(&self.object)
            .iter()
            .filter_map(|key| key.as_string())
        {
            if !asked.contains(&key.as_str()) {
                return Err(Failure::argument(format!(
                    "{} have no \"{key}\"",
                    self.what
                )));
            }
        }
        Ok(())
    }

    /// Any value, if it is there.
    pub fn value(&self, name: &'static str) -> Option<JsValue> {
        self.asked.borrow_mut().push(name);
        get(&self.object, name)
    }

    /// A text that must be there.
    pub fn text(&self, name: &'static str) -> Result<String, Failure> {
        let text = self.value(name).and_then(|value| value.as_string());
        text.ok_or_else(|| self.wrong(name, "a string"))
    }

    /// Yes or no.
    pub fn flag(&self, name: &'static str) -> Result<Option<bool>, Failure> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| self.wrong(name, "true or false"))
    }

    /// A number.
    pub fn number(&self, name: &'static str) -> Result<Option<f64>, Failure> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        value
            .as_f64()
            .map(Some)
            .ok_or_else(|| self.wrong(name, "a number"))
    }

    /// A count or id.
    pub fn whole(&self, name: &'static str) -> Result<Option<u64>, Failure> {
        self.number(name)?
            .map(|number| whole(number, name))
            .transpose()
    }

    /// Counts or ids.
    pub fn list(&self, name: &'static str) -> Result<Option<Vec<u64>>, Failure> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let wrong = || self.wrong(name, "a list of whole numbers");
        let list = value.dyn_into::<Array>().map_err(|_| wrong())?;
        let number = |value: JsValue| whole(value.as_f64()?, name).ok();
        list.iter()
            .map(number)
            .collect::<Option<_>>()
            .map(Some)
            .ok_or_else(wrong)
    }

    /// Replaces a count, if one is given.
    pub fn count<T: TryFrom<u64>>(&self, name: &'static str, slot: &mut T) -> Result<(), Failure> {
        if let Some(number) = self.whole(name)? {
            *slot = T::try_from(number).map_err(|_| self.wrong(name, "smaller"))?;
        }
        Ok(())
    }

    /// Replaces a time in milliseconds, if one is given.
    pub fn millis(&self, name: &'static str, slot: &mut Duration) -> Result<(), Failure> {
        if let Some(number) = self.whole(name)? {
            let ms = u32::try_from(number).map_err(|_| self.wrong(name, "smaller"))?;
            *slot = Duration::from_millis(ms.into());
        }
        Ok(())
    }

    /// What a setting must be.
    pub fn wrong(&self, name: &str, must: &str) -> Failure {
        Failure::argument(format!("{}: {name} must be {must}", self.what))
    }
}
