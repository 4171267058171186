//! The machine: commands in, replies out.

mod changes;
mod keep;
mod lease;
mod read;
mod txn;
mod write;

use bytes::Bytes;
use quorate_rsm::{ApplyContext, StateMachine};

use crate::command::{Command, Expected};
use crate::error::Code;
use crate::limits::{KEY_BYTES_MAX, RETENTION_BYTES, RETENTION_REVISIONS, VALUE_BYTES_MAX};
use crate::query::Query;
use crate::record::{KeyValue, Record, hash};
use crate::reply;
use crate::snapshot::{KvRestore, KvSnapshot};
use crate::system;
use crate::tree::{By, Place, Tree};

/// The key-value store.
///
/// With n records, old ones included, an update of one key is O(log n) and the size of its value, and
/// so is the count of a range of now; the removal of k keys is O(k log n). A clone and a snapshot are
/// O(1) and share all records; the first change of a key beside them copies the O(log n) nodes above
/// it, not the records. A large state that is dropped, by whatever way, is freed piece by piece by
/// the calls that come after, on the same thread.
#[derive(Clone)]
pub struct Kv {
    pub(crate) live: Tree,
    pub(crate) past: Tree,
    pub(crate) log: Tree,
    pub(crate) system: Tree,
    pub(crate) index: Tree,
    pub(crate) numbers: Numbers,
    /// How many keys the revision in the making changed; 0 between commands.
    made: u64,
}

/// The state beside the trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) revision: u64,
    /// The oldest revision that can be read.
    pub(crate) compacted: u64,
    pub(crate) keep_revisions: u64,
    pub(crate) keep_ms: u64,
    pub(crate) keep_bytes: u64,
    /// The log time of the last command.
    pub(crate) time_ms: u64,
    /// The last id that the store chose for a lease.
    pub(crate) last_lease: u64,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            revision: 0,
            compacted: 0,
            keep_revisions: RETENTION_REVISIONS,
            keep_ms: 0,
            keep_bytes: RETENTION_BYTES,
            time_ms: 0,
            last_lease: 0,
        }
    }
}

impl Numbers {
    pub(crate) fn list(self) -> [u64; 7] {
        [
            self.revision,
            self.compacted,
            self.keep_revisions,
            self.keep_ms,
            self.keep_bytes,
            self.time_ms,
            self.last_lease,
        ]
    }
}

impl Default for Kv {
    fn default() -> Self {
        Self {
            live: Tree::new(By::Key),
            past: Tree::new(By::Version),
            log: Tree::new(By::Revision),
            system: Tree::new(By::Key),
            index: Tree::new(By::Key),
            numbers: Numbers::default(),
            made: 0,
        }
    }
}

impl Kv {
    /// An empty store at revision 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changes were made.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.numbers.revision
    }

    /// The oldest revision that can be read.
    #[must_use]
    pub fn compacted(&self) -> u64 {
        self.numbers.compacted
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.live.total().count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many leases there are.
    #[must_use]
    pub fn lease_count(&self) -> u64 {
        let [start, end] = system::LEASES;
        self.system.count(&start, Some(&end))
    }

    /// Encoded bytes of everything that a snapshot carries.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.carried().iter().map(|tree| tree.total().bytes).sum()
    }

    /// The record of a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<KeyValue> {
        self.live.get(key).map(Record::key_value)
    }

    /// All records in key order.
    pub fn iter(&self) -> impl Iterator<Item = KeyValue> {
        self.live.iter().map(Record::key_value)
    }

    /// A hash of everything that a snapshot carries: equal states have equal digests, and different
    /// states almost surely have not. O(log n).
    #[must_use]
    pub fn digest(&self) -> u64 {
        let swept = self.swept().map(Record::place);
        digest(self.carried(), self.numbers, swept)
    }

    /// The trees that a snapshot carries, in its order.
    pub(crate) fn carried(&self) -> [&Tree; 3] {
        [&self.system, &self.live, &self.past]
    }

    /// The revision that a change would have: all of a command have one.
    fn next(&self) -> u64 {
        self.numbers.revision + 1
    }

    /// The revision as the command that is executed sees it.
    fn now(&self) -> u64 {
        self.numbers.revision + u64::from(self.made > 0)
    }

    /// Ends the revision in the making, and says how many keys it changed.
    fn commit(&mut self) -> u64 {
        let made = std::mem::take(&mut self.made);
        if made > 0 {
            self.numbers.revision += 1;
            self.note_time();
        }
        made
    }
}

impl StateMachine for Kv {
    type Snapshot = KvSnapshot;
    type Restore = KvRestore;

    fn apply(&mut self, context: &ApplyContext, command: &Bytes) -> Bytes {
        let mut made = self.expire(context);
        let reply = Command::decode(command)
            .map_err(|_| Code::Malformed)
            .and_then(|command| self.execute(command))
            .unwrap_or_else(reply::failed);
        made += self.commit();
        self.keep(made);
        reply
    }

    fn query(&self, query: &Bytes) -> Bytes {
        Query::decode(query)
            .map_err(|_| Code::Malformed)
            .and_then(|query| self.answer(query))
            .unwrap_or_else(reply::failed)
    }

    /// None as long as there is no change that a `Changes` asks for.
    fn poll(&self, query: &Bytes) -> Option<Bytes> {
        match Query::decode(query) {
            Ok(Query::Changes(ask)) => match self.changes(&ask) {
                Ok((_, true)) => None,
                Ok((reply, false)) => Some(reply),
                Err(code) => Some(reply::failed(code)),
            },
            _ => Some(self.query(query)),
        }
    }

    /// The earliest deadline of a lease.
    fn due_ms(&self) -> Option<u64> {
        self.first_deadline().map(|(deadline_ms, _)| deadline_ms)
    }

    /// Removes the keys of leases whose deadline has come, as each command does before it.
    fn tick(&mut self, context: &ApplyContext) {
        let made = self.expire(context);
        self.keep(made);
    }

    fn snapshot(&self) -> KvSnapshot {
        KvSnapshot::new(self)
    }

    fn restore() -> KvRestore {
        KvRestore::default()
    }
}

/// The digest of a state. A tree's part is a sum over its records, so it is known at any time.
pub(crate) fn digest(trees: [&Tree; 3], numbers: Numbers, swept: Option<Place<'_>>) -> u64 {
    let swept = swept.map_or([0, 0], |swept| [swept.revision, hash(swept.key)]);
    let mut bytes = Vec::with_capacity(88);
    let hashes = trees.map(|tree| tree.total().hash);
    for word in hashes.into_iter().chain(numbers.list()).chain(swept) {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    hash(&bytes)
}

pub(crate) fn check_key(key: &[u8]) -> Result<(), Code> {
    match key.len() {
        0 => Err(Code::EmptyKey),
        1..=KEY_BYTES_MAX => Ok(()),
        _ => Err(Code::KeyTooLarge),
    }
}

fn check_value(len: usize) -> Result<(), Code> {
    if len > VALUE_BYTES_MAX {
        Err(Code::ValueTooLarge)
    } else {
        Ok(())
    }
}

fn is_expected(current: Option<&Record>, expected: &Expected) -> bool {
    match expected {
        Expected::Absent => current.is_none(),
        Expected::Revision(revision) => {
            current.is_some_and(|record| record.meta().mod_revision == *revision)
        }
        Expected::Value(value) => current.is_some_and(|record| record.value() == &value[..]),
    }
}

/// The number that decimal text stands for, if it is written as JSON writes it: "007" and "+7" are
/// somebody's text, and adding to them would destroy it.
fn integer(text: &[u8]) -> Result<i64, Code> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text == digits,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let parse = || str::from_utf8(text).ok()?.parse().ok();
    canonical.then(parse).flatten().ok_or(Code::NotAnInteger)
}

#[cfg(test)]
mod tests;
