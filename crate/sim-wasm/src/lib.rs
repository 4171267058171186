//! The simulator for pages: worlds that are watched, broken, and lived again.
//!
//! Pure, like what it wraps: `quorate_sim::stage` is all there is to it. Specs and acts come in as plain objects, and are checked here;
//! what happened goes out as rows. `www/src/sim/chunk.ts` and `module.ts` say what they look like on the other side.

mod given;
mod hunt;
mod planted;

use quorate_sim::checker::{CLUSTER_PROPERTIES, JOB_PROPERTIES, PROPERTIES, SHARD_PROPERTIES};
use quorate_sim::stage;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

use given::{GivenAct, GivenSpec, Problem};

/// So many events are lived in one call.
const EVENTS_MAX: f64 = 50_000.0;

/// A world under way.
#[wasm_bindgen]
pub struct Stage {
    stage: stage::Stage,
    nodes: Vec<u64>,
    bug: Option<String>,
}

#[wasm_bindgen]
impl Stage {
    /// The world of a spec, before its first event.
    ///
    /// # Errors
    /// The spec is none: an `Error` with a sentence.
    #[wasm_bindgen(constructor)]
    pub fn new(spec: JsValue) -> Result<Self, JsError> {
        let given: GivenSpec = read(spec)?;
        let bug = given.bug.clone();
        let spec = given.checked()?;
        let nodes = spec.nodes();
        planted::set(bug.as_deref()).map_err(Problem)?;
        let stage = stage::Stage::new(spec);
        Ok(Self { stage, nodes, bug })
    }

    /// Goes on by at most `events` events, and not beyond `until` (microseconds).
    ///
    /// # Errors
    /// There is no such number of events, or no such time: an `Error` with a sentence.
    pub fn advance(&mut self, events: f64, until: f64) -> Result<JsValue, JsError> {
        self.plant()?;
        let events = given::count(events, "events", EVENTS_MAX)?;
        let until = given::time(until, "until")?;
        write(&self.stage.advance(events, until))
    }

    /// The same without telling.
    ///
    /// # Errors
    /// There is no such number of events: an `Error` with a sentence.
    pub fn skip(&mut self, events: f64) -> Result<(), JsError> {
        self.plant()?;
        self.stage
            .skip(given::count(events, "events", given::WHOLE_MAX)?);
        Ok(())
    }

    /// Does something between two events.
    ///
    /// # Errors
    /// It cannot be done: an `Error` with a sentence.
    pub fn act(&mut self, act: JsValue) -> Result<JsValue, JsError> {
        self.plant()?;
        let given: GivenAct = read(act)?;
        let act = given.checked(&self.nodes)?;
        write(&self.stage.act(act).map_err(Problem)?)
    }

    /// Checks what clients saw so far.
    ///
    /// # Errors
    /// Never.
    pub fn judge(&self) -> Result<JsValue, JsError> {
        write(&self.stage.judge())
    }

    /// Several worlds of one module may have different bugs.
    fn plant(&self) -> Result<(), Problem> {
        planted::set(self.bug.as_deref()).map_err(Problem)
    }
}

/// Lives one world of a campaign to its end. `torment` in milliseconds.
///
/// # Errors
/// There is no such seed, or no such bug: an `Error` with a sentence.
#[wasm_bindgen]
pub fn hunt(seed: f64, torment: f64, bug: Option<String>) -> Result<JsValue, JsError> {
    let bug = bug.map(String::into_boxed_str);
    planted::set(bug.as_deref()).map_err(Problem)?;
    let seed = given::seed(seed)?;
    let torment = given::count(torment, "torment", given::TORMENT_MAX)?;
    write(&hunt::hunt(seed, torment))
}

/// The names of all properties that are checked in worlds of a kind.
#[wasm_bindgen]
#[must_use]
pub fn properties(world: &str) -> Vec<String> {
    let (some, more): (&[&str], &[&str]) = match world {
        "shards" => (&CLUSTER_PROPERTIES, &SHARD_PROPERTIES),
        "job" => (&CLUSTER_PROPERTIES, &JOB_PROPERTIES),
        _ => (&PROPERTIES, &[]),
    };
    let names = some.iter().chain(more);
    names.map(|name| (*name).to_owned()).collect()
}

/// The names of the bugs that this module has.
#[wasm_bindgen]
#[must_use]
pub fn bugs() -> Vec<String> {
    planted::names()
        .iter()
        .map(|name| (*name).to_owned())
        .collect()
}

fn read<T: serde::de::DeserializeOwned>(value: JsValue) -> Result<T, Problem> {
    serde_wasm_bindgen::from_value(value).map_err(|error| Problem(error.to_string()))
}

fn write(value: &impl Serialize) -> Result<JsValue, JsError> {
    let serializer = Serializer::new()
        .serialize_missing_as_null(true)
        .serialize_maps_as_objects(true);
    Ok(value.serialize(&serializer)?)
}
