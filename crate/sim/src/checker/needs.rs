//! What the operations that are still to be explained need: it tells a search early that a place is
//! hopeless, and which guesses are idle.
//!
//! A read that gave a value needs the key to have it at some time; when the key has another, and
//! nothing is left that could write it, no order will come of this one. And a call of unknown outcome
//! is worth a guess only where somebody could tell that it took effect.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::history::{Action, Answer, Operation};

type Value = Option<Bytes>;

/// Counts over the operations that are not done.
#[derive(Debug)]
pub(super) struct Needs {
    /// Every value that somebody looks for, sorted.
    values: Vec<Value>,
    /// By value.
    counts: Vec<Counts>,
    /// By operation.
    looks: Vec<Option<Look>>,
    /// By operation, the values that it might leave behind.
    writes: Vec<Vec<usize>>,
    /// Operations that turn any number into any other.
    increments: usize,
    /// Removals that said how much they removed.
    removals: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Operations that must find it.
    finding: usize,
    /// Operations that act otherwise when they find it.
    minding: usize,
    /// Operations that must not find it, or act otherwise when they do not.
    missing: usize,
    /// Operations that might write it.
    writing: usize,
}

/// How an operation looks at the value it looks for.
#[derive(Clone, Copy, Debug)]
struct Look {
    value: usize,
    finds: bool,
    minds: bool,
    misses: bool,
}

impl Needs {
    pub(super) fn new(operations: &[&Operation]) -> Self {
        let mut values: Vec<Value> = operations.iter().filter_map(|o| looked_for(o)).collect();
        values.sort_unstable();
        values.dedup();
        let numbers: BTreeMap<&Value, usize> = values.iter().zip(0..).collect();
        let writes = operations.iter().map(|o| match &o.action {
            Action::Put(value) => numbers
                .get(&Some(value.clone()))
                .copied()
                .into_iter()
                .collect(),
            Action::Swap { new, .. } => numbers.get(new).copied().into_iter().collect(),
            Action::Delete => numbers.get(&None).copied().into_iter().collect(),
            Action::Append(more) => {
                let ends = |value: &Value| value.as_ref().is_some_and(|v| v.ends_with(more));
                (0..values.len()).filter(|&v| ends(&values[v])).collect()
            }
            Action::Get | Action::Increment(_) => Vec::new(),
        });
        let writes: Vec<Vec<usize>> = writes.collect();
        let looks = operations.iter().map(|o| {
            let value = numbers[&looked_for(o)?];
            let told = o.end.told();
            let fails = matches!(told, Some(Answer::Failed));
            let vague = told.is_none();
            Some(Look {
                value,
                finds: !fails && !vague,
                minds: !fails,
                misses: fails || vague,
            })
        });
        let looks = looks.collect();
        let mut needs = Self {
            counts: vec![Counts::default(); values.len()],
            looks,
            writes,
            values,
            increments: 0,
            removals: 0,
        };
        for (number, operation) in operations.iter().enumerate() {
            needs.count(number, operation, usize::wrapping_add);
        }
        needs
    }

    /// The operation is done.
    pub(super) fn take(&mut self, number: usize, operation: &Operation) {
        self.count(number, operation, usize::wrapping_sub);
    }

    /// It is not done after all.
    pub(super) fn put_back(&mut self, number: usize, operation: &Operation) {
        self.count(number, operation, usize::wrapping_add);
    }

    fn count(&mut self, number: usize, operation: &Operation, by: fn(usize, usize) -> usize) {
        if let Some(look) = self.looks[number] {
            let counts = &mut self.counts[look.value];
            counts.finding = by(counts.finding, usize::from(look.finds));
            counts.minding = by(counts.minding, usize::from(look.minds));
            counts.missing = by(counts.missing, usize::from(look.misses));
        }
        for &value in &self.writes[number] {
            self.counts[value].writing = by(self.counts[value].writing, 1);
        }
        let increments = matches!(operation.action, Action::Increment(_));
        let removes = matches!(operation.end.told(), Some(Answer::Removed(_)));
        self.increments = by(self.increments, usize::from(increments));
        self.removals = by(self.removals, usize::from(removes));
    }

    /// Whether somebody must find what will never be there again, now that the operation `number` was
    /// done and changed `before` to `after`.
    pub(super) fn is_hopeless(
        &self,
        number: usize,
        before: Option<&Bytes>,
        after: Option<&Bytes>,
    ) -> bool {
        let left = self.find(before);
        left.into_iter()
            .chain(self.writes[number].iter().copied())
            .any(|value| {
                let Counts {
                    finding, writing, ..
                } = self.counts[value];
                let is_there = self.values[value].as_ref() == after;
                finding > 0 && writing == 0 && self.increments == 0 && !is_there
            })
    }

    /// Whether somebody could tell that `before` was changed to `after`: what appends make of them
    /// begins with them.
    pub(super) fn can_be_told(&self, before: Option<&Bytes>, after: Option<&Bytes>) -> bool {
        let (Some(after), 0) = (after, self.increments + self.removals) else {
            return true;
        };
        self.any(Some(after), |counts| counts.minding > 0)
            || self.any(before, |counts| counts.missing > 0)
    }

    /// Whether this is so of some value that is `start`, or begins with it.
    fn any(&self, start: Option<&Bytes>, is_so: impl Fn(&Counts) -> bool) -> bool {
        let is_none = self.values.first().is_some_and(Option::is_none);
        let prefix = start.map_or(&b""[..], |start| start);
        let first = self
            .values
            .partition_point(|value| value.as_deref() < Some(prefix));
        let nothing = (start.is_none() && is_none).then_some(0);
        let with_prefix = (first..self.values.len()).take_while(|&value| {
            self.values[value]
                .as_ref()
                .is_some_and(|value| value.starts_with(prefix))
        });
        nothing
            .into_iter()
            .chain(with_prefix)
            .any(|value| is_so(&self.counts[value]))
    }

    fn find(&self, value: Option<&Bytes>) -> Option<usize> {
        self.values
            .binary_search_by(|known| known.as_ref().cmp(&value))
            .ok()
    }
}

/// The value that an operation looks for.
fn looked_for(operation: &Operation) -> Option<Value> {
    match (&operation.action, operation.end.told()) {
        (_, Some(Answer::Value(found) | Answer::Mismatch(found))) => {
            Some(found.as_ref().map(|(value, _)| value.clone()))
        }
        (_, Some(Answer::Text(found))) => Some(found.clone()),
        (Action::Swap { expected, .. }, _) => Some(expected.clone()),
        _ => None,
    }
}
