//! Many sections of one partition, merged: their pairs in the order of keys, and those with the same key in
//! the order of the sections. A tree of losers says which comes next (Knuth, The Art of Computer
//! Programming, volume 3, 5.4.1).

use core::ops::Range;

use super::run::PARTITIONS_MAX;
use super::source::{Advance, Source};
use super::{DataError, Pair};

/// The most sections that are merged at once: each is an open file, and a block in memory.
pub const FAN_IN_MAX: usize = 64;

/// Which neighbours to merge into one before all are merged at once, by their sizes: those that are
/// smallest together. `None` if there are few enough.
#[must_use]
pub fn next_merge(sizes: &[u64], fan_in: usize) -> Option<Range<usize>> {
    let fan_in = fan_in.clamp(2, FAN_IN_MAX);
    let surplus = sizes.len().checked_sub(fan_in).filter(|it| *it > 0)?;
    let count = (surplus + 1).min(fan_in);
    let total = |window: &[u64]| {
        window
            .iter()
            .fold(0, |sum: u64, it| sum.saturating_add(*it))
    };
    let (from, _) = sizes
        .windows(count)
        .map(total)
        .enumerate()
        .min_by_key(|(_, total)| *total)?;
    Some(from..from + count)
}

/// Merges sections.
#[derive(Debug)]
pub struct Merge {
    partition: u32,
    sources: Vec<Source>,
    /// Losers of the inner nodes; at 0 the winner.
    tree: Vec<usize>,
    /// What must go on before the next pair is known.
    stale: Stale,
}

#[derive(Clone, Copy, Debug)]
enum Stale {
    /// This source, and those after it, have not begun.
    From(usize),
    /// The one whose pair was given last.
    Winner,
    Nothing,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A pair.
    Pair(Pair<'a>),
    /// First more bytes of this section, counted from 0, are to be fed.
    Need(usize),
    /// There is no more.
    End,
}

/// A node of the tree that nobody has come to.
const NOBODY: usize = usize::MAX;

impl Merge {
    /// Merges so many sections of a partition.
    ///
    /// # Errors
    /// More than [`FAN_IN_MAX`], or no such partition.
    pub fn new(partition: u32, sections: usize) -> Result<Self, DataError> {
        if partition >= PARTITIONS_MAX {
            return Err(DataError::NoPartition { partition });
        }
        if sections > FAN_IN_MAX {
            return Err(DataError::Invalid("at most 64 sections are merged at once"));
        }
        let source = || Source::new(partition as u16);
        Ok(Self {
            partition,
            sources: core::iter::repeat_with(source).take(sections).collect(),
            tree: vec![NOBODY; sections],
            stale: Stale::From(0),
        })
    }

    /// Takes the next bytes of a section, as many as one likes; none if there are none.
    ///
    /// # Errors
    /// The section is cut, or there is none with this number.
    pub fn feed(&mut self, section: usize, bytes: &[u8]) -> Result<(), DataError> {
        self.sources
            .get_mut(section)
            .ok_or(DataError::Invalid("there is no such section"))?
            .feed(bytes)
    }

    /// The next pair.
    ///
    /// # Errors
    /// A section is damaged; the merge is of no use then.
    #[inline]
    pub fn step(&mut self) -> Result<Step<'_>, DataError> {
        match self.stale {
            Stale::Nothing => {}
            Stale::Winner => {
                let winner = self.tree[0];
                if self.sources[winner].advance()? == Advance::Need {
                    return Ok(Step::Need(winner));
                }
                self.play(winner);
            }
            Stale::From(from) => {
                for section in from..self.sources.len() {
                    if self.sources[section].advance()? == Advance::Need {
                        self.stale = Stale::From(section);
                        return Ok(Step::Need(section));
                    }
                    self.play(section);
                }
            }
        }
        self.stale = Stale::Nothing;
        let Some(source) = self.tree.first().map(|winner| &self.sources[*winner]) else {
            return Ok(Step::End);
        };
        if source.is_ended() {
            return Ok(Step::End);
        }
        self.stale = Stale::Winner;
        Ok(Step::Pair(Pair {
            partition: self.partition,
            key: source.key(),
            value: source.value(),
        }))
    }

    /// How much memory is in use, in bytes: a little more than what was fed and is not used up.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.sources.iter().map(Source::memory).sum()
    }

    /// Plays the games from this leaf up.
    fn play(&mut self, leaf: usize) {
        let mut winner = leaf;
        let mut node = usize::midpoint(leaf, self.tree.len());
        while node > 0 {
            let loser = self.tree[node];
            if loser == NOBODY {
                // The first here waits for the other.
                self.tree[node] = winner;
                return;
            }
            if self.is_before(loser, winner) {
                self.tree[node] = winner;
                winner = loser;
            }
            node /= 2;
        }
        self.tree[0] = winner;
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        let [left, right] = [&self.sources[a], &self.sources[b]];
        // What has ended comes last.
        match (left.is_ended(), right.is_ended()) {
            (false, false) => {}
            (left, right) => return !left & right,
        }
        let prefixes = left.prefix().cmp(&right.prefix());
        prefixes
            .then_with(|| left.key().cmp(right.key()))
            .then_with(|| a.cmp(&b))
            .is_lt()
    }
}

#[cfg(test)]
mod tests;
