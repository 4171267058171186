//! What watches are told of.

use bytes::Bytes;

use super::Kv;
use crate::error::Code;
use crate::limits::RANGE_BYTES_MAX;
use crate::query::{Changes, Watch};
use crate::record::Record;
use crate::reply;
use crate::tree::Place;

/// How many changes are looked at for one reply.
const LOOK_MAX: u64 = 4096;

impl Kv {
    /// The reply, and whether it says nothing that was not known.
    pub(super) fn changes(&self, ask: &Changes) -> Result<(Bytes, bool), Code> {
        ask.watches
            .iter()
            .try_for_each(|watch| watch.range.check())?;
        let now = self.numbers.revision;
        if ask.from == 0 {
            return Ok((reply::changes(now, now + 1, None, &[]), false));
        }
        if ask.from <= self.numbers.compacted {
            return Ok((self.what_is_kept(), false));
        }
        let limit = if ask.limit == 0 { u64::MAX } else { ask.limit };
        let bytes = match ask.bytes {
            0 => RANGE_BYTES_MAX,
            bytes => bytes.min(RANGE_BYTES_MAX as u64) as usize,
        };
        let mut out = Vec::new();
        let (mut events, mut looked) = (0, 0);
        // The first revision met, the current one, and what was there when it began.
        let (mut first, mut current, mut begin) = (0, 0, (0, 0));
        let (mut next, mut next_key) = (ask.from.max(now + 1), None);
        let start = Place::new(ask.key.as_deref().unwrap_or_default(), ask.from);
        for record in self.log.iter_from(start) {
            let Place { key, revision } = record.place();
            if revision != current {
                (current, begin) = (revision, (out.len(), events));
                first = if first == 0 { revision } else { first };
            }
            let before = (out.len(), events);
            looked += 1;
            events += u64::from(self.event(ask, record, &mut out));
            let is_more = events > before.1 && events > 1;
            let is_full = is_more && (events > limit || out.len() > bytes);
            if is_full || looked > LOOK_MAX {
                // A revision is divided only if nothing else is in the reply.
                let is_divided = revision == first;
                let kept = if is_divided { before } else { begin };
                out.truncate(kept.0);
                events = kept.1;
                next = revision;
                next_key = is_divided.then_some(key);
                break;
            }
        }
        let is_silent = events == 0 && next > now;
        Ok((reply::changes(now, next, next_key, &out), is_silent))
    }

    /// Writes what a revision did to a key, if anyone wants to know.
    fn event(&self, ask: &Changes, record: &Record, out: &mut Vec<u8>) -> bool {
        let Place { key, revision } = record.place();
        let deleted = record.is_deletion();
        let wants = |watch: &&Watch| {
            let refuses = if deleted {
                watch.no_delete
            } else {
                watch.no_put
            };
            watch.range.contains(key) && !refuses
        };
        let mut watches = ask.watches.iter().filter(wants).peekable();
        if watches.peek().is_none() {
            return false;
        }
        out.push(u8::from(deleted));
        out.extend_from_slice(record.encoded());
        let previous = watches
            .any(|watch| watch.previous)
            .then(|| self.version(key, revision - 1))
            .flatten();
        out.push(u8::from(previous.is_some()));
        out.extend_from_slice(previous.map_or(&[], Record::encoded));
        true
    }
}
