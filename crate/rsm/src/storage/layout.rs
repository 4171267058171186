//! From a round of the core's writes to records.

use std::sync::Arc;

use quorate_raft::{
    ConfState, EntryId, HardState, Index, PersistBatch, SnapshotManifest, SnapshotMeta, Table,
};

use super::Round;
use super::record::{Kind, seal};
use crate::codec::{write_entries, write_id, write_meta};
use crate::varint::Writer;

/// Knows which log records a group has, so that a round can drop those it no longer needs.
///
/// A log record that begins inside an earlier one cuts it: a truncation rewrites nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) group: u32,
    /// First index of each log record.
    pub(super) starts: Table<Index, ()>,
}

impl Layout {
    /// A group without records.
    #[must_use]
    pub fn new(group: u32) -> Self {
        Self {
            group,
            starts: Table::default(),
        }
    }

    /// Adds the records of `batch` to a round.
    pub fn round(&mut self, batch: &PersistBatch, round: &mut Round) {
        if let Some(manifest) = &batch.snapshot {
            self.drop_old(manifest, round);
        }
        if let Some(hard_state) = batch.hard_state {
            self.put_hard(hard_state, round);
        }
        if let Some(first) = batch.entries.first().map(|entry| entry.id.index) {
            self.put_log(first, batch, round);
        }
        for chunk in &batch.chunks {
            let key = chunk_key(self.group, chunk.snapshot, chunk.number);
            put(round, Kind::Chunk, key, &chunk.data);
        }
        if let Some(manifest) = &batch.snapshot {
            self.put_manifest(manifest, round);
        }
    }

    /// Adds the records of a group that begins now, in a cluster whose other groups may have had other
    /// founders: what comes back of them is [`LoadedGroup::fresh`](super::LoadedGroup::fresh).
    pub fn found(&self, founders: &ConfState, round: &mut Round) {
        self.put_hard(HardState::default(), round);
        let manifest = SnapshotManifest {
            meta: SnapshotMeta {
                last: EntryId::ZERO,
                conf_state: Arc::new(founders.clone()),
            },
            chunks: 0,
            log_start: EntryId::ZERO,
            clear_log: false,
        };
        self.put_manifest(&manifest, round);
    }

    /// Removes all records of the group.
    pub fn clear(&self, round: &mut Round) {
        // A zero is the character behind a slash.
        round
            .deletes
            .push((key(self.group, "/", &[]), key(self.group, "0", &[])));
    }

    fn put_hard(&self, hard_state: HardState, round: &mut Round) {
        let mut writer = Writer::new();
        writer.number(hard_state.term.0);
        // Node ids start at 1, so zero can say "nobody".
        writer.number(hard_state.vote.map_or(0, |vote| vote.0));
        put(round, Kind::Hard, hard_key(self.group), &writer.finish());
    }

    fn put_manifest(&self, manifest: &SnapshotManifest, round: &mut Round) {
        let mut writer = Writer::new();
        write_meta(&mut writer, &manifest.meta);
        writer.number(u64::from(manifest.chunks));
        write_id(&mut writer, manifest.log_start);
        let key = manifest_key(self.group);
        put(round, Kind::Manifest, key, &writer.finish());
    }

    /// Replaces everything stored at and above `first`.
    fn put_log(&mut self, first: Index, batch: &PersistBatch, round: &mut Round) {
        if self.starts.keys().next_back() >= Some(first) {
            self.delete_log(first, Index(u64::MAX), round);
        }
        self.starts.insert(first, ());
        let size: usize = batch
            .entries
            .iter()
            .map(|entry| entry.size_bytes() + 8)
            .sum();
        let mut writer = Writer::with_capacity(size + 32);
        writer.number(batch.commit.0);
        // The first term in full; the entries tell how it rises.
        let term = batch.entries[0].id.term;
        write_id(&mut writer, EntryId::new(term, first));
        write_entries(&mut writer, term, &batch.entries);
        put(
            round,
            Kind::Log,
            log_key(self.group, first),
            &writer.finish(),
        );
    }

    /// A snapshot is complete: what it replaces goes.
    fn drop_old(&mut self, manifest: &SnapshotManifest, round: &mut Round) {
        let next = manifest.log_start.index.next();
        let holds_next = self.starts.keys().rfind(|start| *start <= next);
        if manifest.clear_log {
            self.delete_log(Index(0), Index(u64::MAX), round);
        } else if let Some(holds_next) = holds_next {
            // The record that holds the first entry kept stays, with what it has before.
            if self.starts.keys().next() < Some(holds_next) {
                self.delete_log(Index(0), holds_next, round);
            }
        }
        // Chunks of newer ones stay: a leader's snapshot may be arriving. If it never completes,
        // the next one that does removes them.
        let chunks = |index| chunk_key(self.group, index, 0);
        round
            .deletes
            .push((chunks(Index(0)), chunks(manifest.meta.last.index)));
    }

    fn delete_log(&mut self, from: Index, to: Index, round: &mut Round) {
        self.starts.retain(|start, ()| start < from || start >= to);
        round
            .deletes
            .push((log_key(self.group, from), log_key(self.group, to)));
    }
}

fn put(round: &mut Round, kind: Kind, key: String, payload: &[u8]) {
    let record = seal(kind, key.as_bytes(), payload);
    round.puts.push((key, record));
}

pub(super) fn hard_key(group: u32) -> String {
    key(group, "/hard", &[])
}

pub(super) fn log_key(group: u32, first: Index) -> String {
    key(group, "/log", &[(first.0, 16)])
}

pub(super) fn chunk_key(group: u32, snapshot: Index, number: u32) -> String {
    key(group, "/snap", &[(snapshot.0, 16), (u64::from(number), 8)])
}

pub(super) fn manifest_key(group: u32) -> String {
    key(group, "/manifest", &[])
}

/// A key of four digits of the group, a name, and numbers with so many digits; all hexadecimal.
fn key(group: u32, name: &str, numbers: &[(u64, u32)]) -> String {
    let mut key = String::with_capacity(36);
    push_hex(&mut key, u64::from(group), 4);
    key.push_str(name);
    for &(number, digits) in numbers {
        key.push('/');
        push_hex(&mut key, number, digits);
    }
    key
}

/// Adds a number with at least `digits_min` digits.
fn push_hex(text: &mut String, number: u64, digits_min: u32) {
    let digits = u64::BITS.div_ceil(4) - number.leading_zeros() / 4;
    for place in (0..digits.max(digits_min)).rev() {
        let digit = number >> (4 * place) & 0xf;
        text.push(char::from(b"0123456789abcdef"[digit as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelled_in_hexadecimal_digits() {
        for group in [0, 1, 0xabc, 0xffff, 0x1_0000, u32::MAX] {
            assert_eq!(hard_key(group), format!("{group:04x}/hard"));
            assert_eq!(manifest_key(group), format!("{group:04x}/manifest"));
            for index in [0, 1, 0xf, 0x10, 0x0123_4567_89ab_cdef, u64::MAX] {
                assert_eq!(
                    log_key(group, Index(index)),
                    format!("{group:04x}/log/{index:016x}")
                );
                assert_eq!(
                    chunk_key(group, Index(index), group),
                    format!("{group:04x}/snap/{index:016x}/{group:08x}")
                );
            }
        }
    }
}
