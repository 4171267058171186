//! The state as a stream of bytes, cut into chunks, and back.
//!
//! The stream is a header (format, revision, and of the records: number, bytes, digest), then the
//! records in key order. Chunk k is its bytes from k times the size on: a function of content alone,
//! whatever the tree looks like, exactly as large as asked for, and found in O(log n).

use bytes::Bytes;
use quorate_rsm::{BadSnapshot, MachineRestore, MachineSnapshot};

use crate::limits::NUMBER_MAX;
use crate::machine::{Kv, digest};
use crate::record::Record;
use crate::tree::{LEAF_MAX, Tree, reclaim};
use crate::wire::{ReadError, Reader, put_varint};

/// The store as of one revision.
pub struct KvSnapshot {
    tree: Tree,
    header: Vec<u8>,
}

const FORMAT: u8 = 1;

impl KvSnapshot {
    pub(crate) fn new(tree: Tree, revision: u64) -> Self {
        let total = tree.total();
        let mut header = vec![FORMAT];
        for number in [revision, total.count, total.bytes] {
            put_varint(&mut header, number);
        }
        header.extend_from_slice(&digest(total, revision).to_le_bytes());
        Self { tree, header }
    }
}

impl MachineSnapshot for KvSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        reclaim::free(reclaim::AT_CHUNK);
        let size = max_bytes.max(1) as u64;
        let header_len = self.header.len() as u64;
        let stream_len = header_len + self.tree.total().bytes;
        let start = u64::from(number).saturating_mul(size).min(stream_len);
        let end = start.saturating_add(size).min(stream_len);

        let mut out = Vec::with_capacity((end - start) as usize);
        if start < header_len {
            out.extend_from_slice(&self.header[start as usize..end.min(header_len) as usize]);
        }
        let (records, mut skip) = self.tree.iter_at(start.saturating_sub(header_len));
        let mut left = (end - start) as usize - out.len();
        for record in records {
            if left == 0 {
                break;
            }
            let bytes = &record.encoded()[skip..];
            let bytes = &bytes[..left.min(bytes.len())];
            out.extend_from_slice(bytes);
            left -= bytes.len();
            skip = 0;
        }
        (out.into(), end == stream_len)
    }
}

/// A store being built from chunks of any size.
#[derive(Default)]
pub struct KvRestore {
    header: Option<Header>,
    tree: Tree,
    /// Records that follow those in the tree, and go there by the leaf.
    leaf: Vec<Record>,
    /// The beginning of a header or record. What could grow longer than the longest is damaged.
    rest: Vec<u8>,
    /// Bytes of records taken.
    bytes: u64,
}

struct Header {
    revision: u64,
    count: u64,
    bytes: u64,
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
            .is_some_and(|header| bytes > header.bytes)
        {
            return Err(BadSnapshot("the store is longer than it says"));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Kv, BadSnapshot> {
        self.flush();
        let header = self
            .header
            .ok_or(BadSnapshot("the store's header is cut short"))?;
        if !self.rest.is_empty() || self.bytes != header.bytes {
            return Err(BadSnapshot("the store is cut short"));
        }
        if self.tree.total().count != header.count {
            return Err(BadSnapshot(
                "the store has another number of records than it says",
            ));
        }
        if digest(self.tree.total(), header.revision) != header.digest {
            return Err(BadSnapshot("the store's digest differs"));
        }
        Ok(Kv::from_parts(self.tree, header.revision))
    }
}

impl KvRestore {
    /// Takes the header or a record from the front, and says how long it was; none if it is not
    /// all there.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, BadSnapshot> {
        let Some(header) = &self.header else {
            let parsed = Header::parse(bytes);
            return Ok(
                whole(parsed, "the store's header is damaged")?.map(|(header, len)| {
                    self.header = Some(header);
                    len
                }),
            );
        };
        let parsed = whole(Record::parse(bytes), "a record of the store is damaged")?;
        let Some((record, len)) = parsed else {
            return Ok(None);
        };
        self.bytes += len as u64;
        if record.meta().mod_revision > header.revision {
            return Err(BadSnapshot("a record is newer than the store"));
        }
        let last = self.leaf.last().or_else(|| self.tree.last());
        if last.is_some_and(|last| last.key() >= record.key()) {
            return Err(BadSnapshot("the records are not in order"));
        }
        self.leaf.push(record);
        if self.leaf.len() == LEAF_MAX {
            self.flush();
        }
        Ok(Some(len))
    }

    fn flush(&mut self) {
        reclaim::free(reclaim::AT_COMMAND);
        let leaf = std::mem::take(&mut self.leaf);
        self.tree.append(Tree::from_leaf(leaf));
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<(Self, usize), ReadError> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != FORMAT {
            return Err(ReadError::Bad);
        }
        let revision = reader.varint()?;
        if revision > NUMBER_MAX {
            return Err(ReadError::Bad);
        }
        let header = Self {
            revision,
            count: reader.varint()?,
            bytes: reader.varint()?,
            digest: u64::from_le_bytes(reader.array()?),
        };
        Ok((header, bytes.len() - reader.rest().len()))
    }
}

/// What was parsed, or none if it is not all there.
fn whole<T>(parsed: Result<T, ReadError>, damage: &'static str) -> Result<Option<T>, BadSnapshot> {
    match parsed {
        Ok(parsed) => Ok(Some(parsed)),
        Err(ReadError::Short) => Ok(None),
        Err(ReadError::Bad) => Err(BadSnapshot(damage)),
    }
}

#[cfg(test)]
mod tests;
