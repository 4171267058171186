//! Histories from outside, one operation a line, so that what real nodes did is judged by the same
//! checker as what simulated ones did.
//!
//! ```text
//! {"client":1,"call":12.5,"return":14.0,"op":"put","key":"k","value":"v","ok":true}
//! {"client":2,"call":13.0,"return":13.9,"op":"get","key":"k","value":null,"ok":true}
//! {"client":2,"call":15.0,"return":null,"op":"cas","key":"k","expect":"v","value":"w","ok":null}
//! ```
//!
//! - `call` and `return` are times of one clock, in any unit. An answer that comes at the time of a
//!   call counts as side by side with it. `return` is `null` when no answer came.
//! - `op` is `get`, `put`, `append`, `cas` or `delete`. `value` is what was stored, added or, by
//!   `get`, found; `expect` is what `cas` wants to find. `null` is no value: of `get`, nothing was
//!   there; of `cas`, nothing must be there, or the key is removed.
//! - `ok` is `true` when it was done; `false` when it certainly never takes effect, and of `cas` with a
//!   `return`, when it found something else than it wants; `null` when nobody knows. What never takes
//!   effect explains nothing, but is named if it is what a bad history lacks ([`Lines::denied`]).
//! - `client` is for the reader. Other fields are not looked at; lines may stand in any order, and
//!   empty ones are skipped.

use core::fmt;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::history::{Action, Answer, End, Operation};
use super::json::{self, Value};
use super::linearizability::{Verdict, check};

/// A history, and what its operations are called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lines {
    /// The operations that explain or must be explained.
    pub operations: Vec<Operation>,
    /// Of each of them, its line, counted from one.
    pub lines: Vec<usize>,
    /// The names of the keys, by their numbers.
    pub keys: Vec<String>,
    /// Calls that certainly never take effect, each with its line, as calls of unknown outcome.
    pub never: Vec<(usize, Operation)>,
}

impl Lines {
    /// Of a key whose history is bad: the lines that say that something never takes effect, and with
    /// whose effects there is an order after all; as few as will do. None if nothing can help.
    #[must_use]
    pub fn denied(&self, key: u64) -> Vec<usize> {
        let of_key = |operation: &&Operation| operation.key == key;
        let known: Vec<&Operation> = self.operations.iter().filter(of_key).collect();
        let explain = |denied: &[&(usize, Operation)]| {
            let denied = denied.iter().map(|(_, operation)| operation);
            let all: Vec<Operation> = known.iter().copied().chain(denied).cloned().collect();
            check(&all) == Verdict::Linearizable
        };
        let mut denied: Vec<_> = self.never.iter().filter(|(_, o)| o.key == key).collect();
        if !explain(&denied) {
            return Vec::new();
        }
        for at in (0..denied.len()).rev() {
            let one = denied.remove(at);
            if !explain(&denied) {
                denied.insert(at, one);
            }
        }
        denied.into_iter().map(|(line, _)| *line).collect()
    }
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Which one, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl core::error::Error for BadLine {}

/// One line, with its times as they were told.
struct Told {
    key: String,
    action: Action,
    called: f64,
    answer: Option<(f64, Answer)>,
    /// It certainly never takes effect.
    never: bool,
}

/// Reads a history.
///
/// # Errors
/// The first line that cannot be read.
pub fn read(text: &str) -> Result<Lines, BadLine> {
    let mut told = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let operation = operation(text).map_err(|what| BadLine { line, what })?;
        told.extend(operation.map(|operation| (line, operation)));
    }
    Ok(number(told))
}

/// Times become places in the order of all of them, and keys become numbers.
fn number(told: Vec<(usize, Told)>) -> Lines {
    let answered = |told: &Told| told.answer.as_ref().map(|(at, _)| *at);
    let mut times: Vec<f64> = told
        .iter()
        .flat_map(|(_, told)| [Some(told.called), answered(told)])
        .flatten()
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times.dedup();
    let place = |time: f64| times.partition_point(|&other| other < time) as u64;
    let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
    let mut lines = Lines::default();
    for (line, told) in told {
        let next = numbers.len() as u64;
        let key = *numbers.entry(told.key.clone()).or_insert(next);
        if key == next {
            lines.keys.push(told.key);
        }
        let operation = Operation {
            key,
            action: told.action,
            called: place(told.called),
            end: told.answer.map_or(End::Unknown, |(at, answer)| {
                End::Answered(place(at), answer)
            }),
            hint: 0,
        };
        if told.never {
            lines.never.push((line, operation));
        } else {
            lines.lines.push(line);
            lines.operations.push(operation);
        }
    }
    lines
}

/// `None` for a read that told nothing.
fn operation(line: &str) -> Result<Option<Told>, String> {
    let fields = json::object(line)?;
    let field = |name: &str| fields.get(name).unwrap_or(&Value::Null);
    let text = |name: &str| match field(name) {
        Value::Text(text) => Ok(Some(Bytes::copy_from_slice(text.as_bytes()))),
        Value::Null => Ok(None),
        other => Err(format!("{name:?} is {other:?}, which is no text")),
    };
    let time = |name: &str| match field(name) {
        // No zero is less than another.
        Value::Number(time) => Ok(Some(time + 0.0)),
        Value::Null => Ok(None),
        other => Err(format!("{name:?} is {other:?}, which is no time")),
    };
    let Value::Text(op) = field("op") else {
        return Err("\"op\" is missing".to_owned());
    };
    let Value::Text(key) = field("key") else {
        return Err("\"key\" is missing".to_owned());
    };
    let ok = match field("ok") {
        Value::Bool(ok) => Some(*ok),
        Value::Null => None,
        other => return Err(format!("\"ok\" is {other:?}")),
    };
    let called = time("call")?.ok_or("\"call\" is missing")?;
    let answered = time("return")?;
    if answered.is_some_and(|answered| answered < called) {
        return Err("the answer came before the call".to_owned());
    }
    let value = text("value")?;
    let needed = || value.clone().ok_or("\"value\" is missing");
    let (action, done, refused) = match op.as_str() {
        "get" => (Action::Get, Answer::Text(value), None),
        "put" => (Action::Put(needed()?), Answer::Done, None),
        "append" => (Action::Append(needed()?), Answer::Done, None),
        "delete" => (Action::Delete, Answer::Done, None),
        "cas" => {
            let (expected, new) = (text("expect")?, value);
            (
                Action::Swap { expected, new },
                Answer::Done,
                Some(Answer::Failed),
            )
        }
        other => return Err(format!("{other:?} is no operation")),
    };
    if action == Action::Get && ok != Some(true) {
        return Ok(None);
    }
    let (answer, never) = match (ok, answered) {
        (Some(false), Some(at)) if refused.is_some() => (refused.map(|told| (at, told)), false),
        (Some(false), _) => (None, true),
        (Some(true), Some(at)) => (Some((at, done)), false),
        (Some(true), None) => return Err("it was done, and has no \"return\"".to_owned()),
        (None, _) => (None, false),
    };
    Ok(Some(Told {
        key: key.clone(),
        action,
        called,
        answer,
        never,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::linearizability::{WORK_MAX, culprit};

    const GOOD: &str = r#"
{"client":1,"call":12.5,"return":14.0,"op":"put","key":"k","value":"v","ok":true}
{"client":2,"call":13.0,"return":13.9,"op":"get","key":"k","value":null,"ok":true}

{"client":2,"call":15.0,"return":null,"op":"cas","key":"k","expect":"v","value":"w","ok":null}
{"client":1,"call":15.5,"return":16,"op":"append","key":"l","value":"x","ok":false}
{"client":1,"call":16.5,"return":17,"op":"get","key":"k","value":null,"ok":null}
{"client":1,"call":17.5,"return":18,"op":"get","key":"k","value":"w","ok":true}
{"client":1,"call":18.5,"return":19,"op":"cas","key":"k","expect":"v","value":null,"ok":false}
{"client":3,"call":18.5,"return":19,"op":"delete","key":"other","ok":true}
{"client":3,"call":19,"return":20,"op":"append","key":"other","value":"x","ok":true}
"#;

    #[test]
    fn lines_become_operations_and_what_says_nothing_is_left_out() {
        let lines = read(GOOD).unwrap();
        assert_eq!(lines.lines, [2, 3, 5, 8, 9, 10, 11]);
        assert_eq!(lines.keys, ["k", "l", "other"]);
        assert_eq!(lines.never[0].0, 6);
        assert_eq!(lines.operations[2].end, End::Unknown);
        assert_eq!(lines.operations[4].end.told(), Some(&Answer::Failed));
        assert_eq!(check(&lines.operations), Verdict::Linearizable);
        // An answer and a call at one time are side by side, and so at one place.
        assert_eq!(
            lines.operations[5].end.at(),
            Some(lines.operations[6].called)
        );
    }

    #[test]
    fn bad_history_is_found_by_its_line() {
        let lines = read(&GOOD.replace(r#""value":"w","ok":true"#, r#""value":null,"ok":true"#));
        let lines = lines.unwrap();
        assert_eq!(check(&lines.operations), Verdict::Illegal { key: 0 });
        let culprit = culprit(&lines.operations, 0, WORK_MAX).unwrap();
        assert_eq!(lines.lines[culprit], 8);
    }

    #[test]
    fn what_never_takes_effect_is_named_if_it_did() {
        let history = |read: &str| {
            let lines = r#"
{"call":1,"return":2,"op":"put","key":"k","value":"v","ok":true}
{"call":3,"return":null,"op":"append","key":"k","value":"w","ok":false}
{"call":4,"return":null,"op":"cas","key":"k","expect":"vw","value":"x","ok":false}
{"call":4,"return":5,"op":"delete","key":"k","ok":false}
{"call":4,"return":5,"op":"put","key":"l","value":"x","ok":false}
{"call":6,"return":7,"op":"get","key":"k","value":"READ","ok":true}
{"call":8,"return":9,"op":"get","key":"k","value":null,"ok":false}
"#;
            let lines = super::read(&lines.replace("READ", read)).unwrap();
            (check(&lines.operations), lines.denied(0))
        };
        assert_eq!(history("v").0, Verdict::Linearizable);
        let bad = |lines: &[usize]| (Verdict::Illegal { key: 0 }, lines.to_vec());
        assert_eq!(history("vw"), bad(&[3]));
        assert_eq!(history("x"), bad(&[3, 4]));
        assert_eq!(history("y"), bad(&[]), "nobody asked for that");
    }

    #[test]
    fn lines_that_say_nonsense_are_refused() {
        let bad = [
            "nonsense",
            r#"{"call":1,"return":2,"op":"put","value":"v","ok":true}"#,
            r#"{"call":1,"return":2,"key":"k","value":"v","ok":true}"#,
            r#"{"call":1,"return":2,"op":"push","key":"k","value":"v","ok":true}"#,
            r#"{"call":1,"return":2,"op":"put","key":"k","ok":true}"#,
            r#"{"call":1,"return":2,"op":"put","key":"k","value":3,"ok":true}"#,
            r#"{"call":1,"return":2,"op":"put","key":"k","value":"v","ok":"yes"}"#,
            r#"{"return":2,"op":"put","key":"k","value":"v","ok":true}"#,
            r#"{"call":1,"return":null,"op":"put","key":"k","value":"v","ok":true}"#,
            r#"{"call":3,"return":2,"op":"put","key":"k","value":"v","ok":true}"#,
            r#"{"call":"1","return":2,"op":"put","key":"k","value":"v","ok":true}"#,
        ];
        for line in bad {
            let error = read(&format!("\n{line}")).expect_err(line);
            assert_eq!(error.line, 2, "{line}");
        }
    }
}
