//! Bytes made of parts that are written down when they are asked for: what a snapshot, or a shard on
//! its way, looks like.

use bytes::Bytes;
use quorate_kv::{KvDelta, KvSnapshot};

/// One part.
#[derive(Clone)]
pub(crate) enum Part {
    Bytes(Bytes),
    State(Box<KvSnapshot>),
    Change(Box<KvDelta>),
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::State(state) => state.len(),
            Self::Change(change) => change.len(),
        }
    }

    fn write(&self, from: u64, len: usize, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => {
                let from = from as usize;
                out.extend_from_slice(&bytes[from..from + len]);
            }
            Self::State(state) => state.write(from, len, out),
            Self::Change(change) => change.write(from, len, out),
        }
    }
}

/// Parts, one after another.
#[derive(Clone, Default)]
pub(crate) struct Stream {
    parts: Vec<Part>,
}

impl Stream {
    pub(crate) fn push(&mut self, part: Part) {
        self.parts.push(part);
    }

    pub(crate) fn len(&self) -> u64 {
        self.parts.iter().map(Part::len).sum()
    }

    /// The piece `number` of `max_bytes` each, and whether it is the last. There is at least one.
    pub(crate) fn chunk(&self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        let size = max_bytes.max(1) as u64;
        let total = self.len();
        let mut from = u64::from(number).saturating_mul(size).min(total);
        let end = from.saturating_add(size).min(total);
        let mut left = (end - from) as usize;
        let mut out = Vec::with_capacity(left);
        for part in &self.parts {
            let len = part.len();
            if from >= len {
                from -= len;
                continue;
            }
            let piece = left.min((len - from) as usize);
            part.write(from, piece, &mut out);
            left -= piece;
            from = 0;
            if left == 0 {
                break;
            }
        }
        (out.into(), end == total)
    }
}
