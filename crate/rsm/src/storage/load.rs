//! From records back to the state of a node.

use bytes::Bytes;
use quorate_raft::{
    ConfState, CorruptState, Entry, EntryId, HardState, Index, NodeId, Restored, SnapshotMeta,
    Table,
};

use super::ident::{self, Ident};
use super::layout::{Layout, chunk_key, hard_key, log_key, manifest_key};
use super::record::{Kind, unseal};
use super::{Damage, StorageError};
use crate::codec::{read_entries, read_id, read_meta, safe, small};
use crate::varint::Reader;

/// Everything in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Whose it is; `None` if the store is empty.
    pub ident: Option<Ident>,
    /// Groups that have written something.
    pub groups: Table<u32, LoadedGroup>,
}

/// One group's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedGroup {
    /// For [`crate::Node::new`].
    pub restored: Restored,
    /// The chunks of `restored.snapshot`.
    pub chunks: Vec<Bytes>,
    /// For the rounds to come.
    pub layout: Layout,
}

impl LoadedGroup {
    /// A group that has never run, in a cluster with these founders.
    #[must_use]
    pub fn fresh(group: u32, founders: &ConfState) -> Self {
        Self {
            restored: Restored::fresh(founders.clone()),
            chunks: Vec::new(),
            layout: Layout::new(group),
        }
    }
}

/// Reads all records of a store, in any order.
///
/// # Errors
/// A record is damaged, unknown or missing, or they contradict one another. The place is its key.
pub fn load(records: impl IntoIterator<Item = (String, Bytes)>) -> Result<Loaded, StorageError> {
    let mut groups: Table<u32, Records> = Table::default();
    let mut ident = None;
    for (key, record) in records {
        if key == ident::KEY {
            ident = Some(Ident::read(&record)?);
            continue;
        }
        let Some((group, name)) = parse(&key) else {
            return Err(StorageError::new(key, Damage::Malformed("an unknown key")));
        };
        groups.or_default(group).read(name, &key, &record)?;
    }
    let Some(ident) = ident else {
        if groups.is_empty() {
            return Ok(Loaded::default());
        }
        return Err(StorageError::new(
            ident::KEY,
            Damage::Missing("the identity"),
        ));
    };
    let assembled = groups
        .into_iter()
        .map(|(group, records)| Ok((group, records.assemble(group, &ident.founders)?)))
        .collect::<Result<_, StorageError>>()?;
    Ok(Loaded {
        ident: Some(ident),
        groups: assembled,
    })
}

/// What a key names within its group.
#[derive(Clone, Copy)]
enum Name {
    Hard,
    Manifest,
    Log(Index),
    Chunk(Index, u32),
}

fn parse(key: &str) -> Option<(u32, Name)> {
    let (group, name) = key.split_once('/')?;
    let group = u32::from_str_radix(group, 16).ok()?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let mut parts = name.split('/');
    let name = match (parts.next()?, parts.next(), parts.next()) {
        ("hard", None, None) => Name::Hard,
        ("manifest", None, None) => Name::Manifest,
        ("log", Some(first), None) => Name::Log(Index(hex(first)?)),
        ("snap", Some(index), Some(number)) => {
            Name::Chunk(Index(hex(index)?), u32::try_from(hex(number)?).ok()?)
        }
        _ => return None,
    };
    // A key has one spelling.
    let spelled = match name {
        Name::Hard => hard_key(group),
        Name::Manifest => manifest_key(group),
        Name::Log(first) => log_key(group, first),
        Name::Chunk(index, number) => chunk_key(group, index, number),
    };
    (parts.next().is_none() && spelled == key).then_some((group, name))
}

/// A group's records, intact one by one.
#[derive(Default)]
struct Records {
    hard_state: Option<HardState>,
    manifest: Option<(SnapshotMeta, u32, EntryId)>,
    /// By first index: the commit index and the entries.
    log: Table<Index, (Index, Vec<Entry>)>,
    chunks: Table<(Index, u32), Bytes>,
}

impl Records {
    fn read(&mut self, name: Name, key: &str, record: &Bytes) -> Result<(), StorageError> {
        let kind = match name {
            Name::Hard => Kind::Hard,
            Name::Manifest => Kind::Manifest,
            Name::Log(_) => Kind::Log,
            Name::Chunk(..) => Kind::Chunk,
        };
        let payload = unseal(kind, key.as_bytes(), record)
            .map_err(|damage| StorageError::new(key, damage))?;
        // Entries and chunks share the record's buffer.
        let payload = record.slice_ref(payload);
        self.decode(name, &payload)
            .map_err(|what| StorageError::new(key, Damage::Malformed(what)))
    }

    fn decode(&mut self, name: Name, payload: &Bytes) -> Result<(), &'static str> {
        let mut reader = Reader::new(payload);
        match name {
            Name::Hard => {
                let term = quorate_raft::Term(safe(&mut reader));
                let vote = NodeId(safe(&mut reader));
                let vote = Some(vote).filter(|vote| vote.0 > 0);
                self.hard_state = Some(HardState { term, vote });
            }
            Name::Manifest => {
                let meta = read_meta(&mut reader);
                let chunks = small(&mut reader);
                let log_start = read_id(&mut reader);
                self.manifest = Some((meta, chunks, log_start));
            }
            Name::Log(first) => {
                let commit = Index(safe(&mut reader));
                let start = read_id(&mut reader);
                if start.index != first || first.0 == 0 {
                    reader.refuse("its index is not that of its key");
                }
                let prev = EntryId::new(start.term, first.prev());
                let entries = read_entries(&mut reader, prev);
                self.log.insert(first, (commit, entries));
            }
            Name::Chunk(index, number) => {
                self.chunks.insert((index, number), reader.rest());
            }
        }
        reader.end().map_err(|bad| bad.0)
    }

    fn assemble(mut self, group: u32, founders: &ConfState) -> Result<LoadedGroup, StorageError> {
        let mut loaded = LoadedGroup::fresh(group, founders);
        loaded.layout.starts = self.log.keys().map(|start| (start, ())).collect();
        let restored = &mut loaded.restored;
        let Some(hard_state) = self.hard_state else {
            if self.log.is_empty() && self.manifest.is_none() {
                return Ok(loaded); // Chunks of a snapshot that never completed, at most.
            }
            let damage = Damage::Missing("the hard state");
            return Err(StorageError::new(hard_key(group), damage));
        };
        restored.hard_state = hard_state;
        if let Some((meta, chunks, log_start)) = self.manifest {
            let index = meta.last.index;
            for number in 0..chunks {
                let chunk = self.chunks.remove((index, number)).ok_or_else(|| {
                    let damage = Damage::Missing("a chunk of the snapshot");
                    StorageError::new(chunk_key(group, index, number), damage)
                })?;
                loaded.chunks.push(chunk);
            }
            restored.snapshot = meta;
            restored.log_start = log_start;
        }
        for (first, (commit, entries)) in self.log {
            restored.commit = restored.commit.max(commit);
            extend(restored, first, entries)
                .map_err(|damage| StorageError::new(log_key(group, first), damage))?;
        }
        Ok(loaded)
    }
}

/// Adds a log record: it replaces what an earlier one has from `first` on.
fn extend(restored: &mut Restored, first: Index, entries: Vec<Entry>) -> Result<(), Damage> {
    let start = restored.log_start.index;
    let keep = usize::try_from(first.prev() - start).unwrap_or(usize::MAX);
    let after_start = entries
        .into_iter()
        .skip_while(|entry| entry.id.index <= start);
    if keep > restored.entries.len() {
        let expected = Index(start.0 + restored.entries.len() as u64 + 1);
        return Err(Damage::Inconsistent(CorruptState::Gap {
            expected,
            found: first,
        }));
    }
    restored.entries.truncate(keep);
    restored.entries.extend(after_start);
    Ok(())
}
