//! What the operations that are still to be explained need: it tells a search early that a place is
//! hopeless, and which guesses are idle.
//!
//! A read that gave a value needs the key to have it at some time; when the key has another, and
//! nothing is left that could write it, no order will come of this one. And a call of unknown outcome
//! is worth a guess only where somebody could tell that it took effect.

use core::ops::Range;
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
    /// By value, operations that act otherwise when they find it.
    minding: Sums,
    /// By value, operations that must not find it, or act otherwise when they do not.
    missing: Sums,
    /// By operation.
    looks: Vec<Option<Look>>,
    /// By operation, the values that it might leave behind.
    writes: Vec<Vec<usize>>,
    /// By operation, the values that begin with what it leaves; `None` if that may be anything.
    leaves: Vec<Option<Range<usize>>>,
    /// Operations that turn any number into any other.
    increments: usize,
    /// Removals that said how much they removed.
    removals: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Operations that must find it.
    finding: usize,
    /// Operations that might write it.
    writing: usize,
}

/// A state that is about to be changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// Somebody must not find it, or acts otherwise when it is not there.
    is_missed: bool,
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
        let leaves = operations.iter().map(|o| match &o.action {
            Action::Put(value) => Some(under(&values, Some(value))),
            Action::Swap { new, .. } => new.as_ref().map(|new| under(&values, Some(new))),
            Action::Append(_) | Action::Delete | Action::Get | Action::Increment(_) => None,
        });
        let leaves = leaves.collect();
        let mut needs = Self {
            counts: vec![Counts::default(); values.len()],
            minding: Sums::new(values.len()),
            missing: Sums::new(values.len()),
            looks,
            writes,
            leaves,
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
            self.minding
                .change(look.value, |n| by(n, usize::from(look.minds)));
            self.missing
                .change(look.value, |n| by(n, usize::from(look.misses)));
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

    /// Whether somebody could tell that the key was changed from `before` to what the operation `number`
    /// leaves: what appends make of either begins with it.
    pub(super) fn can_be_told(&self, number: usize, before: &Before) -> bool {
        let Some(after) = &self.leaves[number] else {
            return true;
        };
        before.is_missed || self.increments + self.removals > 0 || self.minding.within(after) > 0
    }

    /// What there is to know of a state before it is changed.
    pub(super) fn before(&self, value: Option<&Bytes>) -> Before {
        let is_missed = self.missing.within(&under(&self.values, value)) > 0;
        Before { is_missed }
    }

    fn find(&self, value: Option<&Bytes>) -> Option<usize> {
        self.values
            .binary_search_by(|known| known.as_ref().cmp(&value))
            .ok()
    }
}

/// Counts, of which sums are quick: each place holds the sum of as many as its lowest bit says.
#[derive(Debug)]
struct Sums(Vec<usize>);

impl Sums {
    fn new(len: usize) -> Self {
        Self(vec![0; len + 1])
    }

    fn change(&mut self, at: usize, by: impl Fn(usize) -> usize) {
        let mut place = at + 1;
        while let Some(sum) = self.0.get_mut(place) {
            *sum = by(*sum);
            place += place & place.wrapping_neg();
        }
    }

    fn within(&self, range: &Range<usize>) -> usize {
        self.before(range.end)
            .wrapping_sub(self.before(range.start))
    }

    /// The sum of the first `len`.
    fn before(&self, len: usize) -> usize {
        let (mut place, mut sum) = (len, 0_usize);
        while place > 0 {
            sum = sum.wrapping_add(self.0[place]);
            place &= place - 1;
        }
        sum
    }
}

/// Of these values, sorted, those that are `start`, or begin with it.
fn under(values: &[Value], start: Option<&Bytes>) -> Range<usize> {
    let Some(start) = start else {
        return 0..values.len();
    };
    let first = values.partition_point(|value| value.as_ref() < Some(start));
    let begins = |value: &Value| value.as_ref().is_some_and(|value| value.starts_with(start));
    first..first + values[first..].partition_point(begins)
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
