//! A small ordered map: a sorted queue. For the few peers of a node and for keys that come in
//! order it is as quick as a tree, and a tenth of the code, which every visitor downloads.
//!
//! There are some twenty kinds of tables, each a copy of this code. So the loops are plain ones over
//! places: those that a queue brings along for its two halves are five times as long.

use std::collections::VecDeque;
use std::collections::vec_deque::IntoIter;

/// Values by key, in key order. Adding above all others and taking from the front are cheap;
/// elsewhere the nearer end moves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Table<K, V> {
    rows: VecDeque<(K, V)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            rows: VecDeque::new(),
        }
    }
}

impl<K: Ord + Copy, V> Table<K, V> {
    /// The value at `key`.
    #[must_use]
    pub fn get(&self, key: K) -> Option<&V> {
        self.find(key).ok().map(|at| &self.rows[at].1)
    }

    /// The value at `key`, to be changed.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.find(key).ok().map(|at| &mut self.rows[at].1)
    }

    /// Whether there is a value at `key`.
    #[must_use]
    pub fn has(&self, key: K) -> bool {
        self.find(key).is_ok()
    }

    /// Stores a value, and gives the earlier one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(key) {
            Ok(at) => Some(core::mem::replace(&mut self.rows[at].1, value)),
            Err(at) => {
                self.rows.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let at = self.find(key).ok()?;
        self.rows.remove(at).map(|(_, value)| value)
    }

    /// The value at `key`; a default one is put there first if need be.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.find(key).unwrap_or_else(|at| {
            self.rows.insert(at, (key, V::default()));
            at
        });
        &mut self.rows[at].1
    }

    /// The lowest key, and its value.
    #[must_use]
    pub fn first(&self) -> Option<(K, &V)> {
        self.rows.front().map(|(key, value)| (*key, value))
    }

    /// Takes the lowest key out, with its value.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        self.rows.pop_front()
    }

    /// Keeps what `keep` says.
    pub fn retain(&mut self, mut keep: impl FnMut(K, &V) -> bool) {
        let mut kept = 0;
        for at in 0..self.len() {
            let (key, value) = &self.rows[at];
            if keep(*key, value) {
                self.rows.swap(kept, at);
                kept += 1;
            }
        }
        for _ in kept..self.len() {
            self.rows.pop_back();
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All, in key order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> + Clone {
        (0..self.len()).map(|at| (self.rows[at].0, &self.rows[at].1))
    }

    /// All, in key order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut V)> {
        self.rows.iter_mut().map(|(key, value)| (*key, value))
    }

    /// All keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = K> + Clone {
        (0..self.len()).map(|at| self.rows[at].0)
    }

    /// Where it is, or belongs.
    fn find(&self, key: K) -> Result<usize, usize> {
        // Most keys come in order.
        if self.rows.back().is_none_or(|(last, _)| *last < key) {
            return Err(self.rows.len());
        }
        // Most go in order, too: the front is looked at first.
        let (mut low, mut middle, mut high) = (0, 0, self.rows.len());
        while low < high {
            if self.rows[middle].0 < key {
                low = middle + 1;
            } else {
                high = middle;
            }
            middle = low.midpoint(high);
        }
        if self.rows[low].0 == key {
            Ok(low)
        } else {
            Err(low)
        }
    }
}

impl<K, V> IntoIterator for Table<K, V> {
    type Item = (K, V);
    type IntoIter = IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl<K: Ord + Copy, V> FromIterator<(K, V)> for Table<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut table = Self::default();
        for (key, value) in rows {
            table.insert(key, value);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::random::Random;

    #[test]
    fn a_table_behaves_like_a_tree() {
        let (mut random, mut table, mut tree) = (Random::new(3), Table::default(), BTreeMap::new());
        for step in 0..4_000_u64 {
            let key = random.below(30);
            match random.below(6) {
                0 | 1 => assert_eq!(table.insert(key, step), tree.insert(key, step)),
                2 => assert_eq!(table.remove(key), tree.remove(&key)),
                3 => assert_eq!(table.or_default(key), tree.entry(key).or_default()),
                4 => assert_eq!(table.get(key), tree.get(&key)),
                _ if random.below(20) == 0 => {
                    table.retain(|key, _| key % 3 == 0);
                    tree.retain(|key, _| key % 3 == 0);
                }
                _ => assert_eq!(table.pop_first(), tree.pop_first()),
            }
            assert_eq!(table.has(key), tree.contains_key(&key));
            assert_eq!(table.len(), tree.len());
            assert_eq!(
                table.first(),
                tree.first_key_value().map(|(key, value)| (*key, value))
            );
        }
        assert!(
            table
                .iter()
                .eq(tree.iter().map(|(key, value)| (*key, value)))
        );
        assert!(table.keys().eq(tree.keys().copied()));
    }
}
