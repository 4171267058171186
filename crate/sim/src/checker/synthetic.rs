//! Long histories made to measure [`super::linearizability`]: of a correct store under many clients,
//! or with one answer in it that no order explains.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::Random;

use super::history::{Action, Answer, Detail, End, Operation, State, apply};
use crate::streams::{between, chance, exponential};

/// What clients do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Its name.
    pub name: &'static str,
    /// How many calls.
    pub operations: u64,
    /// How many are open at a time.
    pub clients: u64,
    /// On how many keys.
    pub keys: u64,
    /// In a thousand calls, how many are never answered.
    pub unknown_permille: u64,
    /// Puts and reads only, rather than everything that a store can do.
    pub register: bool,
}

impl Load {
    /// From easy to hard.
    pub const ALL: [Self; 5] = [
        Self::new("10 clients, 5 keys", 10, 5, 0, false),
        Self::new("10 clients, 5 keys, 2 % unknown", 10, 5, 20, false),
        Self::new("5 clients, 1 key", 5, 1, 0, false),
        Self::new("10 clients, 1 key, puts and reads", 10, 1, 0, true),
        Self::new("5 clients, 1 key, 2 % unknown", 5, 1, 20, false),
    ];

    const fn new(
        name: &'static str,
        clients: u64,
        keys: u64,
        unknown: u64,
        register: bool,
    ) -> Self {
        Self {
            name,
            operations: 7_000,
            clients,
            keys,
            unknown_permille: unknown,
            register,
        }
    }

    /// The same with other many calls.
    #[must_use]
    pub fn with(self, operations: u64) -> Self {
        Self { operations, ..self }
    }

    fn action(&self, random: &mut Random, number: u64, known: Option<Bytes>) -> Action {
        let unique = Bytes::from(number.to_string());
        match random.below(if self.register { 10 } else { 16 }) {
            0..5 => Action::Get,
            5..10 => Action::Put(unique),
            10 | 11 => Action::Append(unique),
            12..15 => Action::Swap {
                expected: known,
                new: Some(unique),
            },
            _ => Action::Delete,
        }
    }
}

/// What is wrong with a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing.
    None,
    /// A read near the beginning gives a value that was long overwritten.
    Early,
    /// A read near the end does.
    Late,
}

impl Damage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Early, Self::Late];
}

/// A history of `load`, in the order in which calls were made.
///
/// # Panics
/// If it is too short to be damaged.
#[must_use]
pub fn history(load: &Load, damage: Damage, seed: u64) -> Vec<Operation> {
    let random = &mut Random::new(seed);
    let mut operations: Vec<Operation> = Vec::new();
    // By time and number of the operation: when it takes effect. Clients by when they are free.
    let mut effects: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    let mut free: Vec<u64> = (0..load.clients).map(|_| random.below(1_000)).collect();
    let mut keys: BTreeMap<u64, State> = BTreeMap::new();
    for number in 0..load.operations {
        let client = (0..free.len())
            .min_by_key(|&client| free[client])
            .expect("some client");
        let called = free[client] + 1 + exponential(random, 100);
        happen(&mut operations, &mut effects, &mut keys, called);
        let lasts = 100 + exponential(random, 1_000);
        let key = random.below(load.keys);
        let known = keys.get(&key).cloned().flatten().map(|(value, _)| value);
        let end = if chance(random, load.unknown_permille) {
            End::Unknown
        } else {
            End::Executed(called + lasts)
        };
        // Of two whose outcome is unknown, one never takes effect.
        if end != End::Unknown || random.below(2) == 0 {
            effects.insert((called + between(random, 0, lasts), number), number);
        }
        free[client] = called + lasts;
        operations.push(Operation {
            key,
            action: load.action(random, number, known),
            called,
            end,
            hint: 0,
        });
    }
    happen(&mut operations, &mut effects, &mut keys, u64::MAX);
    match damage {
        Damage::None => {}
        Damage::Early => spoil(&mut operations, load.operations as usize / 10),
        Damage::Late => spoil(&mut operations, load.operations as usize - 20),
    }
    operations
}

/// All that takes effect until `now` does, and its client will be told what came out.
fn happen(
    operations: &mut [Operation],
    effects: &mut BTreeMap<(u64, u64), u64>,
    keys: &mut BTreeMap<u64, State>,
    now: u64,
) {
    while let Some(first) = effects.first_entry().filter(|first| first.key().0 <= now) {
        let operation = &mut operations[first.remove() as usize];
        let state = keys.entry(operation.key).or_default();
        let (after, truth) = apply(Detail::Values, state, &operation.action);
        *state = after;
        if let End::Executed(at) = operation.end {
            let told = match truth {
                Answer::Value(hit) => Answer::Text(hit.map(|(value, _)| value)),
                Answer::Mismatch(_) => Answer::Failed,
                _ => Answer::Done,
            };
            operation.end = End::Answered(at, told);
        }
    }
}

/// A read at `place` or the next one gives a value that another had replaced before the read began.
fn spoil(operations: &mut [Operation], place: usize) {
    let puts = |operation: &&Operation| {
        matches!(operation.action, Action::Put(_)) && operation.end.at().is_some()
    };
    let (read, value) = (place..operations.len())
        .filter(|&read| {
            operations[read].action == Action::Get && operations[read].end.told().is_some()
        })
        .find_map(|read| {
            let (key, called) = (operations[read].key, operations[read].called);
            let mut earlier = operations[..read]
                .iter()
                .filter(|o| o.key == key)
                .filter(puts);
            let first = earlier.next()?;
            let replaced = |second: &Operation| {
                first.end.at() < Some(second.called) && second.end.at() < Some(called)
            };
            let Action::Put(value) = &first.action else {
                return None;
            };
            earlier.any(replaced).then(|| (read, value.clone()))
        })
        .expect("a history that is long enough");
    if let End::Answered(_, told) = &mut operations[read].end {
        *told = Answer::Text(Some(value));
    }
}
