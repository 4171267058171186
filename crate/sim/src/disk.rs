//! A node's disk: an ordered map from keys to bytes, written in atomic rounds. It outlives the
//! node's runs; a crash takes the round under way, or the round just made it.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_raft::Random;
use quorate_rsm::storage::Round;

use crate::streams::{chance, exponential};

/// How a disk behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskProfile {
    /// Shortest time of a round in microseconds.
    pub write_min: u64,
    /// Mean of what comes on top, exponentially distributed.
    pub write_mean: u64,
    /// In a thousand crashes, how often the round under way is kept.
    pub kept_permille: u64,
}

impl DiskProfile {
    /// A good disk.
    pub const FAIR: Self = Self {
        write_min: 300,
        write_mean: 700,
        kept_permille: 500,
    };
}

/// One disk.
#[derive(Debug)]
pub struct Disk {
    records: BTreeMap<String, Bytes>,
    writing: Option<Round>,
    random: Random,
    /// How it behaves now.
    pub profile: DiskProfile,
    /// The next round, or the one under way, fails.
    pub failing: bool,
    /// Rounds that became durable.
    pub rounds: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(random: Random, profile: DiskProfile) -> Self {
        Self {
            records: BTreeMap::new(),
            writing: None,
            random,
            profile,
            failing: false,
            rounds: 0,
            bytes: 0,
        }
    }

    /// Begins a round; how long it takes in microseconds.
    pub fn begin(&mut self, round: Round) -> u64 {
        assert!(self.writing.is_none(), "one round of writes at a time");
        self.writing = Some(round);
        self.profile.write_min + exponential(&mut self.random, self.profile.write_mean)
    }

    /// The round under way is durable.
    pub fn finish(&mut self) {
        let round = self.writing.take().expect("a round is under way");
        self.rounds += 1;
        for (first, end) in round.deletes {
            let gone: Vec<String> = self
                .records
                .range(first..end)
                .map(|(k, _)| k.clone())
                .collect();
            for key in gone {
                self.records.remove(&key);
            }
        }
        for (key, value) in round.puts {
            self.bytes += value.len() as u64;
            self.records.insert(key, Bytes::from(value));
        }
    }

    /// The run that wrote ends. Whether the round under way was kept, if there was one.
    pub fn crash(&mut self) -> Option<bool> {
        let kept = chance(&mut self.random, self.profile.kept_permille);
        self.writing.as_ref()?;
        if kept {
            self.finish();
        } else {
            self.writing = None;
        }
        Some(kept)
    }

    /// Everything that is durable.
    pub fn records(&self) -> impl Iterator<Item = (String, Bytes)> + '_ {
        self.records
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
    }

    /// Flips one bit of one record, for tests of what a node does then; the key of that record.
    pub fn damage(&mut self) -> Option<String> {
        let nth = self.random.below(self.records.len() as u64) as usize;
        let (key, value) = self.records.iter_mut().nth(nth)?;
        let mut bytes = value.to_vec();
        let bit = self.random.below(bytes.len() as u64 * 8) as usize;
        *bytes.get_mut(bit / 8)? ^= 1 << (bit % 8);
        *value = Bytes::from(bytes);
        Some(key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> Round {
        Round {
            puts: vec![(key.to_owned(), vec![1])],
            ..Round::default()
        }
    }

    fn keys(disk: &Disk) -> Vec<String> {
        disk.records().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_crash_takes_the_round_under_way_whole_or_not_at_all() {
        let mut seen = [false; 2];
        for seed in 0..20 {
            let mut disk = Disk::new(Random::new(seed), DiskProfile::FAIR);
            disk.begin(put("a"));
            disk.finish();
            disk.begin(put("b"));
            let kept = disk.crash().unwrap();
            seen[usize::from(kept)] = true;
            assert_eq!(keys(&disk).len(), 1 + usize::from(kept));
            assert_eq!(disk.crash(), None);
        }
        assert_eq!(seen, [true; 2]);
    }

    #[test]
    fn deletes_come_before_puts_and_end_before_their_end() {
        let mut disk = Disk::new(Random::new(1), DiskProfile::FAIR);
        for key in ["a", "b", "c"] {
            disk.begin(put(key));
            disk.finish();
        }
        let deletes = vec![("a".to_owned(), "c".to_owned())];
        disk.begin(Round {
            deletes,
            ..put("b")
        });
        disk.finish();
        assert_eq!(keys(&disk), ["b", "c"]);
    }
}
