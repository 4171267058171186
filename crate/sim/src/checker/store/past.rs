//! Every state that ever was: of each key all its versions, by revision. And a revision in the making.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate_kv::{Code, KeyRange, KeyValue, Meta};

/// What each revision made of each key; nothing is ever forgotten.
#[derive(Debug)]
pub struct Past {
    /// The revision, and what the key was from then on.
    keys: BTreeMap<Bytes, Vec<(u64, Option<KeyValue>)>>,
    /// By revision, in order.
    changed: Vec<Vec<Bytes>>,
}

impl Default for Past {
    fn default() -> Self {
        Self {
            keys: BTreeMap::new(),
            changed: vec![Vec::new()],
        }
    }
}

impl Past {
    /// The last revision.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.changed.len() as u64 - 1
    }

    /// A key as of a revision.
    #[must_use]
    pub fn at(&self, key: &[u8], revision: u64) -> Option<&KeyValue> {
        as_of(self.keys.get(key)?, revision)
    }

    /// The keys of a range as of a revision, in order.
    pub fn range(&self, range: &KeyRange, revision: u64) -> impl Iterator<Item = &KeyValue> {
        self.keys
            .range::<Bytes, _>(&range.start..)
            .take_while(|(key, _)| range.contains(key))
            .filter_map(move |(_, versions)| as_of(versions, revision))
    }

    /// The keys that a revision changed, in order.
    #[must_use]
    pub fn changed(&self, revision: u64) -> &[Bytes] {
        let changed = self.changed.get(revision as usize);
        changed.map_or(&[], Vec::as_slice)
    }

    /// Every record that ever was in a range.
    pub fn ever(&self, range: &KeyRange) -> impl Iterator<Item = &KeyValue> {
        let keys = self.keys.range::<Bytes, _>(&range.start..);
        keys.take_while(|(key, _)| range.contains(key))
            .flat_map(|(_, versions)| versions.iter().filter_map(|(_, record)| record.as_ref()))
    }

    /// Adds a revision, if it changes anything; how many keys it changes.
    pub fn commit(&mut self, changes: BTreeMap<Bytes, Option<KeyValue>>) -> u64 {
        let count = changes.len() as u64;
        if count > 0 {
            let next = self.revision() + 1;
            self.changed.push(changes.keys().cloned().collect());
            for (key, record) in changes {
                self.keys.entry(key).or_default().push((next, record));
            }
        }
        count
    }
}

fn as_of(versions: &[(u64, Option<KeyValue>)], revision: u64) -> Option<&KeyValue> {
    let after = versions.partition_point(|(made, _)| *made <= revision);
    versions[..after].last()?.1.as_ref()
}

/// A revision in the making.
#[derive(Debug)]
pub struct Draft<'a> {
    past: &'a Past,
    changes: BTreeMap<Bytes, Option<KeyValue>>,
}

impl<'a> Draft<'a> {
    /// Nothing is changed yet.
    #[must_use]
    pub fn new(past: &'a Past) -> Self {
        Self {
            past,
            changes: BTreeMap::new(),
        }
    }

    /// What it changes.
    #[must_use]
    pub fn finish(self) -> BTreeMap<Bytes, Option<KeyValue>> {
        self.changes
    }

    /// How many keys it changes.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.changes.len() as u64
    }

    /// The last revision that is whole.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.past.revision()
    }

    /// The revision as the command that is executed sees it.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.revision() + u64::from(!self.changes.is_empty())
    }

    /// The key as it is now.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&KeyValue> {
        match self.changes.get(key) {
            Some(change) => change.as_ref(),
            None => self.past.at(key, self.revision()),
        }
    }

    /// The keys of a range as they are now.
    #[must_use]
    pub fn range(&self, range: &KeyRange) -> Vec<KeyValue> {
        let before = self.past.range(range, self.revision());
        let mut records: BTreeMap<&Bytes, &KeyValue> =
            before.map(|record| (&record.key, record)).collect();
        for (key, change) in self.changes.iter().filter(|(key, _)| range.contains(key)) {
            match change {
                Some(record) => records.insert(key, record),
                None => records.remove(key),
            };
        }
        records.into_values().cloned().collect()
    }

    /// The keys of a range as of a revision that is whole.
    #[must_use]
    pub fn range_at(&self, range: &KeyRange, revision: u64) -> Vec<KeyValue> {
        self.past.range(range, revision).cloned().collect()
    }

    /// Stores a value.
    ///
    /// # Errors
    /// This revision has changed the key already.
    pub fn put(&mut self, key: &Bytes, value: Bytes, lease: u64) -> Result<Meta, Code> {
        let next = self.revision() + 1;
        let old = self.get(key).map(|old| old.meta);
        let meta = Meta {
            create_revision: old.map_or(next, |old| old.create_revision),
            mod_revision: next,
            version: old.map_or(1, |old| old.version + 1),
            lease,
        };
        let key = key.clone();
        self.change(key.clone(), Some(KeyValue { key, value, meta }))?;
        Ok(meta)
    }

    /// Removes the keys of a range.
    ///
    /// # Errors
    /// This revision has changed one of them already.
    pub fn remove(&mut self, range: &KeyRange) -> Result<Vec<KeyValue>, Code> {
        let gone = self.range(range);
        for record in &gone {
            self.change(record.key.clone(), None)?;
        }
        Ok(gone)
    }

    fn change(&mut self, key: Bytes, record: Option<KeyValue>) -> Result<(), Code> {
        match self.changes.insert(key, record) {
            None => Ok(()),
            Some(_) => Err(Code::DuplicateKey),
        }
    }
}
