//! The state as a stream of bytes, cut into chunks, and back.
//!
//! The stream is a header (format, numbers, and of three trees the number and bytes of their records,
//! where the dropping of old changes stands, and a digest), then the records of the trees in order:
//! `system`, `live`, `past`. Chunk k is its bytes from k times the size on: a function of content
//! alone, whatever the trees look like, exactly as large as asked for, and found in O(log n).

use bytes::Bytes;
use quorate_rsm::{BadSnapshot, MachineRestore, MachineSnapshot};

use crate::history::{self, INNER_KEY_BYTES_MAX, Terms};
use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX};
use crate::machine::{Kv, Numbers};
use crate::record::Record;
use crate::tree::{LEAF_MAX, Tree, reclaim};
use crate::wire::{ReadError, Reader, put_bytes, put_varint};

/// The store as of one revision.
pub struct KvSnapshot {
    trees: [Tree; TREES],
    header: Vec<u8>,
}

const FORMAT: u8 = 2;
const TREES: usize = 3;
const SYSTEM: usize = 0;
const LIVE: usize = 1;
const PAST: usize = 2;

impl KvSnapshot {
    pub(crate) fn new(kv: &Kv) -> Self {
        let trees = [kv.system.clone(), kv.live.clone(), kv.past.clone()];
        let mut header = vec![FORMAT];
        for number in kv.numbers.list() {
            put_varint(&mut header, number);
        }
        for tree in &trees {
            put_varint(&mut header, tree.total().count);
            put_varint(&mut header, tree.total().bytes);
        }
        put_bytes(&mut header, &kv.swept());
        header.extend_from_slice(&kv.digest().to_le_bytes());
        Self { trees, header }
    }
}

impl MachineSnapshot for KvSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        reclaim::free(reclaim::AT_CHUNK);
        let size = max_bytes.max(1) as u64;
        let records: u64 = self.trees.iter().map(|tree| tree.total().bytes).sum();
        let stream_len = self.header.len() as u64 + records;
        let start = u64::from(number).saturating_mul(size).min(stream_len);
        let end = start.saturating_add(size).min(stream_len);

        let mut out = Vec::with_capacity((end - start) as usize);
        let mut left = (end - start) as usize;
        // What is still to be passed by.
        let mut skip = start;
        take(&self.header, &mut skip, &mut left, &mut out);
        for tree in &self.trees {
            if left == 0 {
                break;
            }
            let len = tree.total().bytes;
            if skip >= len {
                skip -= len;
                continue;
            }
            let (records, within) = tree.iter_at(skip);
            skip = within as u64;
            for record in records {
                if left == 0 {
                    break;
                }
                take(record.encoded(), &mut skip, &mut left, &mut out);
            }
        }
        (out.into(), end == stream_len)
    }

    fn format(&self) -> u32 {
        u32::from(FORMAT)
    }
}

/// Copies what of the bytes is wanted.
fn take(bytes: &[u8], skip: &mut u64, left: &mut usize, out: &mut Vec<u8>) {
    let passed = (*skip).min(bytes.len() as u64);
    *skip -= passed;
    let bytes = &bytes[passed as usize..];
    let bytes = &bytes[..bytes.len().min(*left)];
    out.extend_from_slice(bytes);
    *left -= bytes.len();
}

/// A store being built from chunks of any size.
#[derive(Default)]
pub struct KvRestore {
    header: Option<Header>,
    trees: [Tree; TREES],
    /// Which tree the next record belongs to.
    at: usize,
    /// What follows from the records.
    index: Tree,
    /// Records that follow those in the tree, and go there by the leaf.
    leaf: Vec<Record>,
    /// The beginning of a header or record. What could grow longer than the longest is damaged.
    rest: Vec<u8>,
    /// Bytes of records taken.
    bytes: u64,
}

struct Header {
    numbers: Numbers,
    counts: [u64; TREES],
    bytes: [u64; TREES],
    swept: Vec<u8>,
    digest: u64,
}

impl MachineRestore for KvRestore {
    type Machine = Kv;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(data);
        let mut used = 0;
        while used < rest.len() {
            match self.take(&rest[used..])? {
                Some(len) => used += len,
                None => break,
            }
        }
        rest.drain(..used);
        self.rest = rest;
        let bytes = self.bytes + self.rest.len() as u64;
        if self
            .header
            .as_ref()
            .is_some_and(|header| bytes > header.total())
        {
            return Err(TOO_LONG);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Kv, BadSnapshot> {
        self.flush();
        let header = self
            .header
            .ok_or(BadSnapshot("the store's header is cut short"))?;
        if !self.rest.is_empty() || self.bytes != header.total() {
            return Err(BadSnapshot("the store is cut short"));
        }
        for (at, tree) in self.trees.iter().enumerate() {
            let total = tree.total();
            if (total.count, total.bytes) != (header.counts[at], header.bytes[at]) {
                return Err(BadSnapshot(
                    "the store has another number of records than it says",
                ));
            }
        }
        let [system, live, past] = self.trees;
        let kv = Kv::from_parts([live, past, system, self.index], header.numbers);
        if kv.swept() != header.swept {
            return Err(BadSnapshot("the oldest change is another than it says"));
        }
        if kv.digest() != header.digest {
            return Err(BadSnapshot("the store's digest differs"));
        }
        Ok(kv)
    }
}

const TOO_LONG: BadSnapshot = BadSnapshot("the store is longer than it says");
const DAMAGED: BadSnapshot = BadSnapshot("a record of the store is damaged");

impl KvRestore {
    /// Takes the header or a record from the front, and says how long it was; none if it is not
    /// all there.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, BadSnapshot> {
        let Some(header) = &self.header else {
            let parsed = Header::parse(bytes);
            return Ok(
                whole(parsed, BadSnapshot("the store's header is damaged"))?.map(
                    |(header, len)| {
                        self.header = Some(header);
                        len
                    },
                ),
            );
        };
        let parsed = whole(Record::parse(bytes), DAMAGED)?;
        let Some((record, len)) = parsed else {
            return Ok(None);
        };
        self.bytes += len as u64;
        let counts = header.counts;
        loop {
            let tree = self.trees.get(self.at).ok_or(TOO_LONG)?;
            if tree.total().count + (self.leaf.len() as u64) < counts[self.at] {
                break;
            }
            self.flush();
            self.at += 1;
        }
        let last = self.leaf.last().or_else(|| self.trees[self.at].last());
        if last.is_some_and(|last| last.key() >= record.key()) {
            return Err(BadSnapshot("the records are not in order"));
        }
        self.check(&record)?;
        self.leaf.push(record);
        if self.leaf.len() == LEAF_MAX {
            self.flush();
        }
        Ok(Some(len))
    }

    /// Whether a record can stand where it does; notes in the index what follows from it.
    fn check(&mut self, record: &Record) -> Result<(), BadSnapshot> {
        let Some(header) = &self.header else {
            return Err(DAMAGED);
        };
        let numbers = header.numbers;
        let (key, meta) = (record.key(), record.meta());
        if meta.mod_revision > numbers.revision {
            return Err(BadSnapshot("a record is newer than the store"));
        }
        if self.at == SYSTEM {
            if let Some(deadline) = check_system(record, numbers).ok_or(DAMAGED)? {
                self.index.insert(history::mark(&deadline));
            }
            return Ok(());
        }
        let user_key = match self.at {
            LIVE => key.to_vec(),
            _ => history::user_key(key).ok_or(DAMAGED)?,
        };
        let is_deletion = meta == history::deletion(meta.mod_revision) && record.value().is_empty();
        let is_possible = meta.is_possible() || (self.at == PAST && is_deletion);
        if !(1..=KEY_BYTES_MAX).contains(&user_key.len()) || !is_possible {
            return Err(DAMAGED);
        }
        if self.at == LIVE && meta.lease != 0 {
            if self.trees[SYSTEM]
                .get(&history::lease(meta.lease))
                .is_none()
            {
                return Err(BadSnapshot("a key hangs on a lease that is not there"));
            }
            let hanging = history::hanging(meta.lease, &user_key);
            self.index.insert(history::mark(&hanging));
        }
        if self.at == PAST {
            let live = self.trees[LIVE].get(&user_key);
            let is_past = live.is_none_or(|live| live.meta().mod_revision > meta.mod_revision);
            if !is_past || history::version_at(&user_key, meta.mod_revision) != key {
                return Err(DAMAGED);
            }
        }
        let change = history::change(meta.mod_revision, &user_key);
        let is_kept = meta.mod_revision > numbers.compacted;
        let is_unswept = !header.swept.is_empty() && change >= header.swept;
        if is_kept || is_unswept {
            self.index.insert(history::mark(&change));
        }
        Ok(())
    }

    fn flush(&mut self) {
        reclaim::free(reclaim::AT_COMMAND);
        let leaf = std::mem::take(&mut self.leaf);
        if let Some(tree) = self.trees.get_mut(self.at) {
            tree.append(Tree::from_leaf(leaf));
        }
    }
}

/// Whether it is a record of leases or times; of a lease, its deadline as the index has it.
fn check_system(record: &Record, numbers: Numbers) -> Option<Option<Vec<u8>>> {
    if !history::is_no_meta(record.meta()) {
        return None;
    }
    if let Some(id) = history::take_lease(record.key()) {
        let terms = Terms::decode(record.value())?;
        let is_possible = (1..=NUMBER_MAX).contains(&id)
            && terms.deadline_ms >= terms.ttl_ms
            && terms.deadline_ms <= numbers.time_ms.saturating_add(terms.ttl_ms);
        return is_possible.then(|| Some(history::deadline(terms.deadline_ms, id)));
    }
    let (time_ms, revision) = history::take_time(record)?;
    (time_ms <= numbers.time_ms && revision <= numbers.revision).then_some(None)
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<(Self, usize), ReadError> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != FORMAT {
            return Err(ReadError::Bad);
        }
        let numbers = Numbers {
            revision: reader.varint()?,
            compacted: reader.varint()?,
            keep_revisions: reader.varint()?,
            keep_ms: reader.varint()?,
            time_ms: reader.varint()?,
            last_lease: reader.varint()?,
        };
        let is_possible = numbers.revision <= NUMBER_MAX
            && numbers.compacted <= numbers.revision
            && numbers.last_lease <= NUMBER_MAX;
        if !is_possible {
            return Err(ReadError::Bad);
        }
        let (mut counts, mut lengths) = ([0; TREES], [0; TREES]);
        for (count, len) in counts.iter_mut().zip(&mut lengths) {
            (*count, *len) = (reader.varint()?, reader.varint()?);
        }
        let header = Self {
            numbers,
            counts,
            bytes: lengths,
            swept: reader.bytes_up_to(INNER_KEY_BYTES_MAX)?.to_vec(),
            digest: u64::from_le_bytes(reader.array()?),
        };
        Ok((header, bytes.len() - reader.rest().len()))
    }

    fn total(&self) -> u64 {
        self.bytes
            .iter()
            .fold(0, |sum, len| sum.saturating_add(*len))
    }
}

/// What was parsed, or none if it is not all there.
fn whole<T>(parsed: Result<T, ReadError>, damage: BadSnapshot) -> Result<Option<T>, BadSnapshot> {
    match parsed {
        Ok(parsed) => Ok(Some(parsed)),
        Err(ReadError::Short) => Ok(None),
        Err(ReadError::Bad) => Err(damage),
    }
}

#[cfg(test)]
mod tests;
