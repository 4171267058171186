//! The tasks of one kind: which one is next, and how long those took that are done.

use std::collections::{BTreeMap, BTreeSet};

use super::blocks::Blocks;
use super::task::Task;

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    tasks: Blocks<Task>,
    /// None from here on was ever begun.
    fresh: u32,
    /// Those before it that are idle: they were begun, and come first.
    again: BTreeSet<u32>,
    /// How many winners took how many milliseconds.
    times: BTreeMap<u64, u32>,
    completed: u32,
}

impl Table {
    pub(super) fn len(&self) -> u32 {
        self.tasks.len() as u32
    }

    pub(super) fn get(&self, index: u32) -> Option<&Task> {
        self.tasks.get(index as usize)
    }

    /// Whoever changes whether it is idle, or completed, says so.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Task> {
        self.tasks.get_mut(index as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Task)> {
        (0..).zip(self.tasks.iter())
    }

    pub(super) fn completed(&self) -> u32 {
        self.completed
    }

    pub(super) fn is_done(&self) -> bool {
        self.completed == self.len()
    }

    pub(super) fn has_idle(&self) -> bool {
        !self.again.is_empty() || self.fresh < self.len()
    }

    /// Takes the idle task that comes first.
    pub(super) fn next_idle(&mut self) -> Option<u32> {
        if let Some(index) = self.again.pop_first() {
            return Some(index);
        }
        let fresh = (self.fresh < self.len()).then_some(self.fresh)?;
        self.fresh += 1;
        Some(fresh)
    }

    /// Notes whether a task that was begun is idle now.
    pub(super) fn note_idle(&mut self, index: u32) {
        match self.get(index).is_some_and(Task::is_idle) {
            true => self.again.insert(index),
            false => self.again.remove(&index),
        };
    }

    pub(super) fn note_completed(&mut self, took_ms: u64) {
        self.completed += 1;
        *self.times.entry(took_ms).or_default() += 1;
    }

    /// The opposite.
    pub(super) fn note_lost(&mut self, took_ms: u64) {
        self.completed -= 1;
        if let Some(count) = self.times.get_mut(&took_ms) {
            *count -= 1;
            if *count == 0 {
                self.times.remove(&took_ms);
            }
        }
    }

    /// Beyond this a task takes long: one and a half times the median of those that are done.
    pub(super) fn slow_ms(&self) -> Option<u64> {
        let mut left = self.completed.div_ceil(2);
        for (took_ms, count) in &self.times {
            match left.checked_sub(*count) {
                None | Some(0) => return Some(took_ms.saturating_add(took_ms / 2)),
                Some(rest) => left = rest,
            }
        }
        None
    }
}

impl FromIterator<Task> for Table {
    fn from_iter<I: IntoIterator<Item = Task>>(tasks: I) -> Self {
        let tasks: Blocks<Task> = tasks.into_iter().collect();
        let begun = tasks.iter().take_while(|task| task.given > 0).count();
        let mut table = Self {
            tasks,
            fresh: begun as u32,
            ..Self::default()
        };
        for index in 0..table.fresh {
            table.note_idle(index);
        }
        let winners = table.tasks.iter().filter_map(Task::winner);
        let times: Vec<u64> = winners.map(|winner| winner.took_ms).collect();
        for took_ms in times {
            table.note_completed(took_ms);
        }
        table
    }
}
