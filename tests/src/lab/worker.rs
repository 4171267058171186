//! A clerk at work: it asks for the next thing as soon as the last one is answered, as the clients of
//! the labs' testers do.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::Random;
use quorate_sim::checker::linearizability::{Action, Answer, Versioned};

/// Which keys a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Always this one.
    One(u64),
    /// Any of so many.
    Any(u64),
}

/// What a worker asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the testers to 2024: appends and reads, half and half; among many keys also puts. On a key of
    /// its own it begins with an empty value.
    Appends,
    /// As the tester of 2025: puts of what is a version newer than what was read, each read back.
    Versions,
}

/// One worker.
#[derive(Debug)]
pub struct Worker {
    number: u64,
    form: Form,
    keys: Keys,
    random: Random,
    stopping: bool,
    /// Things appended or put.
    count: u64,
    /// What a key of its own must hold.
    own: Option<Vec<u8>>,
    /// What was read of keys.
    known: BTreeMap<u64, Option<Versioned>>,
    /// Puts that took effect, by key.
    puts: BTreeMap<u64, u64>,
    /// The key that is read back next.
    read_back: Option<u64>,
}

impl Worker {
    /// Worker number `number`, which has not begun.
    #[must_use]
    pub fn new(number: u64, form: Form, keys: Keys, random: Random) -> Self {
        Self {
            number,
            form,
            keys,
            random,
            stopping: false,
            count: 0,
            own: None,
            known: BTreeMap::new(),
            puts: BTreeMap::new(),
            read_back: None,
        }
    }

    /// It asks for nothing more.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Puts that it was told took effect, by key.
    #[must_use]
    pub fn puts(&self) -> &BTreeMap<u64, u64> {
        &self.puts
    }

    /// What a key of its own must hold.
    #[must_use]
    pub fn own(&self) -> Option<&[u8]> {
        self.own.as_deref()
    }

    /// What it asks next.
    pub fn ask(&mut self) -> Option<(u64, Action)> {
        if self.stopping {
            return None;
        }
        let key = match self.keys {
            Keys::One(key) => key,
            Keys::Any(keys) => self.random.below(keys),
        };
        Some(match self.form {
            Form::Appends => (key, self.append(key)),
            Form::Versions => self.version(key),
        })
    }

    fn append(&mut self, key: u64) -> Action {
        if self.keys == Keys::One(key) && self.own.is_none() {
            return Action::Put(Bytes::new());
        }
        let value = Bytes::from(format!("x {} {} y", self.number, self.count));
        if self.random.below(1_000) < 500 {
            self.count += 1;
            Action::Append(value)
        } else if self.keys != Keys::One(key) && self.random.below(1_000) < 100 {
            self.count += 1;
            Action::Put(value)
        } else {
            Action::Get
        }
    }

    fn version(&mut self, key: u64) -> (u64, Action) {
        if let Some(key) = self.read_back.take() {
            return (key, Action::Get);
        }
        let known = self.known.get(&key).cloned().flatten();
        let version = known.as_ref().map_or(0, |(_, version)| *version);
        let new = Bytes::from(format!("{} {version}", self.number));
        let expected = known.map(|(value, _)| value);
        self.read_back = Some(key);
        let new = Some(new);
        (key, Action::Swap { expected, new })
    }

    /// It was answered.
    ///
    /// # Errors
    /// Not as it must be.
    pub fn take(&mut self, key: u64, action: &Action, answer: &Answer) -> Result<(), String> {
        match (self.form, action, answer) {
            (Form::Appends, Action::Get, Answer::Value(value)) => {
                let value = value.as_ref().map(|(value, _)| &value[..]);
                if self.own.is_some() && value != self.own() {
                    let seen = value.map(String::from_utf8_lossy);
                    return Err(format!("worker {} found {seen:?}", self.number));
                }
            }
            (Form::Appends, Action::Put(value), Answer::Written(_)) => {
                if self.keys == Keys::One(key) {
                    self.own = Some(value.to_vec());
                }
            }
            (Form::Appends, Action::Append(value), Answer::Written(_)) => {
                if let Some(own) = &mut self.own {
                    own.extend_from_slice(value);
                }
            }
            (Form::Versions, Action::Get, Answer::Value(value)) => {
                self.known.insert(key, value.clone());
            }
            (Form::Versions, Action::Swap { .. }, Answer::Written(_)) => {
                *self.puts.entry(key).or_default() += 1;
            }
            (Form::Versions, Action::Swap { .. }, Answer::Mismatch(_)) => {}
            _ => return Err(format!("{action:?} was answered {answer:?}")),
        }
        Ok(())
    }
}
