//! What is durable on a disk: records by key, in the order of their keys. Most are added near the
//! end and removed from the front, so a sorted list is quicker than a tree.

use bytes::Bytes;
use quorate_rsm::storage::Round;

/// Values by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// Keys ascend.
    rows: Vec<(String, Bytes)>,
    /// Where the last put was.
    last: usize,
}

impl Records {
    /// Does what a round asks: deletes come before puts.
    pub(crate) fn apply(&mut self, round: Round) {
        for (first, end) in round.deletes {
            let (from, to) = (self.place(&first), self.place(&end));
            self.rows.drain(from..to.max(from));
        }
        for (key, value) in round.puts {
            let value = Bytes::from(value);
            let at = self.place_after_last(&key);
            self.last = at;
            match self.rows.get_mut(at) {
                Some(row) if row.0 == key => row.1 = value,
                _ => self.rows.insert(at, (key, value)),
            }
        }
    }

    /// All of them.
    pub(crate) fn rows(&self) -> &[(String, Bytes)] {
        &self.rows
    }

    /// Those from `first` on.
    pub(crate) fn from(&self, first: &str) -> &[(String, Bytes)] {
        &self.rows[self.place(first)..]
    }

    pub(crate) fn into_rows(self) -> Vec<(String, Bytes)> {
        self.rows
    }

    /// The same, for one that most often comes right after the last put, or is put again.
    fn place_after_last(&self, key: &str) -> usize {
        let key_at = |at: usize| self.rows.get(at).map(|(key, _)| key.as_str());
        match key_at(self.last) {
            Some(last) if last == key => self.last,
            Some(last) if last < key && key_at(self.last + 1).is_none_or(|next| key <= next) => {
                self.last + 1
            }
            _ => self.place(key),
        }
    }

    /// Where `key` is, or would be.
    fn place(&self, key: &str) -> usize {
        self.rows.partition_point(|(other, _)| other.as_str() < key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quorate_raft::Random;

    use super::*;

    #[test]
    fn they_behave_like_a_tree() {
        let mut random = Random::new(1);
        let (mut records, mut tree) = (Records::default(), BTreeMap::new());
        for step in 0..2_000_u64 {
            let mut key = || format!("{:02}", random.below(40));
            let (first, end, put) = (key(), key(), key());
            let mut round = Round {
                puts: vec![(put, step.to_le_bytes().to_vec())],
                ..Round::default()
            };
            if step % 5 == 0 {
                round.deletes.push((first, end));
            }
            for (first, end) in &round.deletes {
                tree.retain(|key, _| key < first || key >= end);
            }
            tree.extend(round.puts.iter().cloned());
            records.apply(round);
            let rows = records.rows().iter().map(|(key, value)| (key, &value[..]));
            assert!(rows.eq(tree.iter().map(|(key, value)| (key, &value[..]))));
            let from = records.from("20").len();
            assert_eq!(from, tree.range("20".to_owned()..).count());
        }
    }
}
