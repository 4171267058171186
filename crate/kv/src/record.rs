//! A key with its value and numbers.
//!
//! [`Record`] is the stored form: one immutable allocation that holds the very bytes a snapshot
//! carries, so that cutting a chunk is copying, and a record can stand in many trees and old
//! snapshots for the price of a pointer. [`KeyValue`] is the form on the outside.

use std::sync::Arc;

use bytes::{BufMut, Bytes};

use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX, VALUE_BYTES_MAX};
use crate::tree::Place;
use crate::wire::{ReadError, Reader, put_bytes, put_varint, varint_len};

/// The numbers of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The revision that created the key.
    pub create_revision: u64,
    /// The revision that changed it last.
    pub mod_revision: u64,
    /// How often it changed since it was created; 1 when new.
    pub version: u64,
    /// The lease it hangs on; 0 is none.
    pub lease: u64,
}

impl Meta {
    /// The numbers of a key that `revision` creates, without a lease.
    pub(crate) fn created(revision: u64) -> Self {
        Self {
            create_revision: revision,
            mod_revision: revision,
            version: 1,
            lease: 0,
        }
    }

    /// The numbers after `revision` changed the key.
    pub(crate) fn changed(self, revision: u64) -> Self {
        Self {
            mod_revision: revision,
            version: self.version + 1,
            ..self
        }
    }

    /// The numbers of a deletion.
    pub(crate) fn deleted(revision: u64) -> Self {
        Self {
            create_revision: 0,
            mod_revision: revision,
            version: 0,
            lease: 0,
        }
    }

    /// Whether a key can have them.
    pub(crate) fn is_possible(self) -> bool {
        let Self {
            create_revision,
            mod_revision,
            version,
            lease,
        } = self;
        // A revision changes a key at most once, so its version cannot outrun them.
        (1..=NUMBER_MAX).contains(&create_revision)
            && (create_revision..=NUMBER_MAX).contains(&mod_revision)
            && (1..=mod_revision - create_revision + 1).contains(&version)
            && lease <= NUMBER_MAX
    }

    pub(crate) fn encode(self, out: &mut impl BufMut) {
        put_varint(out, self.create_revision);
        put_varint(out, self.mod_revision.wrapping_sub(self.create_revision));
        put_varint(out, self.version);
        put_varint(out, self.lease);
    }

    fn encoded_len(self) -> usize {
        varint_len(self.create_revision)
            + varint_len(self.mod_revision - self.create_revision)
            + varint_len(self.version)
            + varint_len(self.lease)
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Self {
        let create_revision = reader.varint();
        Self {
            create_revision,
            mod_revision: create_revision.wrapping_add(reader.varint()),
            version: reader.varint(),
            lease: reader.varint(),
        }
    }
}

/// A key with its value and numbers, as replies carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// Its value; empty where only keys were asked for.
    pub value: Bytes,
    /// Its numbers.
    pub meta: Meta,
}

impl KeyValue {
    pub(crate) fn decode(data: &Bytes, reader: &mut Reader<'_>) -> Self {
        let key = reader.shared(data);
        let meta = Meta::decode(reader);
        let value = reader.shared(data);
        Self { key, value, meta }
    }
}

/// A stored record: its hash and its revision, eight bytes each, then the encoding. One that stands in
/// two places is known to be equal without a look at its bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Record(Arc<[u8]>);

/// Of the hash and the revision, which is in the encoding, too: descents read it often.
const PREFIX_LEN: usize = 16;

impl Record {
    /// A record whose value is the concatenation of `value`.
    pub(crate) fn new(key: &[u8], meta: Meta, value: [&[u8]; 2]) -> Self {
        let value_len = value[0].len() + value[1].len();
        let len = varint_len(key.len() as u64)
            + key.len()
            + meta.encoded_len()
            + varint_len(value_len as u64)
            + value_len;
        Self::filled(len, meta.mod_revision, |mut out| {
            put_bytes(&mut out, key);
            meta.encode(&mut out);
            put_varint(&mut out, value_len as u64);
            out.put_slice(value[0]);
            out.put_slice(value[1]);
            debug_assert!(out.is_empty());
        })
    }

    /// Reads a record from the front of bytes that may be anything, and says how many were used.
    /// What its key and numbers mean is not checked.
    pub(crate) fn parse(bytes: &[u8]) -> Result<(Self, usize), ReadError> {
        let mut reader = Reader::new(bytes);
        let key = reader.bytes_up_to(KEY_BYTES_MAX);
        let meta = Meta::decode(&mut reader);
        if key.is_empty() {
            reader.refuse(ReadError::Bad);
        }
        reader.bytes_up_to(VALUE_BYTES_MAX);
        let len = bytes.len() - reader.rest()?.len();
        let record = Self::filled(len, meta.mod_revision, |out| {
            out.copy_from_slice(&bytes[..len]);
        });
        Ok((record, len))
    }

    /// The encoding is written to where it stays.
    fn filled(len: usize, revision: u64, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, PREFIX_LEN + len).collect();
        let own = Arc::get_mut(&mut bytes).expect("it is new");
        fill(&mut own[PREFIX_LEN..]);
        let hash = hash(&own[PREFIX_LEN..]);
        own[..8].copy_from_slice(&hash.to_le_bytes());
        own[8..PREFIX_LEN].copy_from_slice(&revision.to_le_bytes());
        Self(bytes)
    }

    /// The bytes that stand for it in a snapshot and in a reply.
    #[inline]
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.0[PREFIX_LEN..]
    }

    /// The part of it before the value and its length.
    pub(crate) fn encoded_head(&self) -> &[u8] {
        let value = self.value().len();
        let encoded = self.encoded();
        &encoded[..encoded.len() - value - varint_len(value as u64)]
    }

    /// A hash of the encoding.
    pub(crate) fn hash(&self) -> u64 {
        self.number(0)
    }

    pub(crate) fn key(&self) -> &[u8] {
        let encoded = self.encoded();
        match encoded[0] {
            // Most keys are short, and descents read many.
            len @ 0..0x80 => &encoded[1..=usize::from(len)],
            _ => self.long_key(),
        }
    }

    #[cold]
    fn long_key(&self) -> &[u8] {
        self.reader().bytes()
    }

    /// The revision that made it.
    #[inline]
    pub(crate) fn revision(&self) -> u64 {
        self.number(8)
    }

    pub(crate) fn meta(&self) -> Meta {
        let mut reader = self.reader();
        reader.bytes();
        Meta::decode(&mut reader)
    }

    /// Where it stands in any tree.
    #[inline]
    pub(crate) fn place(&self) -> Place<'_> {
        Place::new(self.key(), self.revision())
    }

    /// Whether it says that its revision removed the key.
    pub(crate) fn is_deletion(&self) -> bool {
        self.meta().version == 0
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.parts().2
    }

    pub(crate) fn key_value(&self) -> KeyValue {
        let (key, meta, value) = self.parts();
        KeyValue {
            key: Bytes::copy_from_slice(key),
            value: Bytes::copy_from_slice(value),
            meta,
        }
    }

    /// In how many places it stands.
    #[cfg(test)]
    pub(crate) fn owners(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    #[inline]
    fn number(&self, at: usize) -> u64 {
        let bytes = self.0[at..].first_chunk();
        u64::from_le_bytes(*bytes.expect("it is in the prefix"))
    }

    fn parts(&self) -> (&[u8], Meta, &[u8]) {
        let mut reader = self.reader();
        (reader.bytes(), Meta::decode(&mut reader), reader.bytes())
    }

    /// Nothing fails: it was encoded here.
    fn reader(&self) -> Reader<'_> {
        Reader::new(self.encoded())
    }
}

#[cfg(test)]
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.key_value().fmt(f)
    }
}

/// A 64-bit hash, eight bytes at a time. It finds accidents, not attacks.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| (state.rotate_left(27) ^ word).wrapping_mul(FACTOR);
    let mut state = mix(FACTOR, bytes.len() as u64);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = mix(
            state,
            u64::from_le_bytes(word.try_into().expect("eight bytes")),
        );
    }
    let mut tail = [0; 8];
    tail[..words.remainder().len()].copy_from_slice(words.remainder());
    state = mix(state, u64::from_le_bytes(tail));
    state ^= state >> 32;
    state = state.wrapping_mul(FACTOR);
    state ^ (state >> 29)
}
