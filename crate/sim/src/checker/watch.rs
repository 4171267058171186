//! What watches are told: exactly what happened, in order, nothing lost and nothing twice, whichever
//! node answers, from where the last answer ended; or that it is compacted, if it is.

use bytes::Bytes;
use quorate_kv::{Changes, Event, KeyValue, Meta, Reply, Watch};

use super::store::{Past, Store};

/// A place between two events: the revision, and the first key of it that is still to come. Without a
/// key it is before all of them.
type Place<'a> = (u64, Option<&'a Bytes>);

impl Store {
    /// The first moment from `since` on in which this may be told of changes.
    pub(super) fn explain_changes(
        &self,
        ask: &Changes,
        since: usize,
        reply: &Reply,
    ) -> Option<usize> {
        match reply {
            Reply::Compacted {
                compacted,
                revision,
            } => {
                let is_gone = (1..=*compacted).contains(&ask.from);
                let mut moments = self.moments_of(Some(*revision), since);
                moments.find(|&moment| is_gone && self.compacted_at(moment) == *compacted)
            }
            Reply::Changes {
                events,
                next,
                key,
                revision,
            } => {
                let end = (*next, key.as_ref());
                if !tells_all(self.past(), ask, *revision, events, end) {
                    return None;
                }
                let mut moments = self.moments_of(Some(*revision), since);
                moments.find(|&moment| ask.from == 0 || ask.from > self.compacted_at(moment))
            }
            _ => None,
        }
    }
}

/// Whether a reply of a store at `revision` tells what happened between where it was asked from and
/// where it ends, and ends where it may.
fn tells_all(past: &Past, ask: &Changes, revision: u64, events: &[Event], end: Place<'_>) -> bool {
    if ask.from == 0 {
        return events.is_empty() && end == (revision + 1, None);
    }
    let start = (ask.from, ask.key.as_ref());
    let is_whole = end == (ask.from.max(revision + 1), None);
    let leads_on = end.0 <= revision && end > start;
    let is_divided = end.1.is_some();
    let fits = events.len() <= 1
        || (ask.limit == 0 || events.len() as u64 <= ask.limit)
            && (ask.bytes == 0 || events.iter().map(size).sum::<u64>() <= ask.bytes);
    (is_whole || leads_on)
        && fits
        // A revision is divided only where nothing else is told.
        && !(is_divided && events.iter().any(|event| event.record.meta.mod_revision != end.0))
        && between(past, ask, revision, start, end).eq(events.iter().cloned())
}

/// Less than what an event takes.
fn size(event: &Event) -> u64 {
    let size = |record: &KeyValue| record.key.len() + record.value.len();
    (size(&event.record) + event.previous.as_ref().map_or(0, size)) as u64
}

fn between<'a>(
    past: &'a Past,
    ask: &'a Changes,
    revision: u64,
    start: Place<'a>,
    end: Place<'a>,
) -> impl Iterator<Item = Event> + 'a {
    let revisions = start.0..=end.0.min(revision);
    let changed = revisions.flat_map(|at| past.changed(at).iter().map(move |key| (at, key)));
    changed
        .filter(move |&(at, key)| (at, Some(key)) >= start && (at, Some(key)) < end)
        .filter_map(|(at, key)| event(past, ask, at, key))
}

/// What a revision did to a key, if a watch wants to know.
fn event(past: &Past, ask: &Changes, revision: u64, key: &Bytes) -> Option<Event> {
    let now = past.at(key, revision);
    let deleted = now.is_none();
    let wants = |watch: &&Watch| {
        let refuses = if deleted {
            watch.no_delete
        } else {
            watch.no_put
        };
        watch.range.contains(key) && !refuses
    };
    let mut watches = ask.watches.iter().filter(wants).peekable();
    watches.peek()?;
    let record = now.cloned().unwrap_or_else(|| KeyValue {
        key: key.clone(),
        value: Bytes::new(),
        meta: Meta {
            create_revision: 0,
            mod_revision: revision,
            version: 0,
            lease: 0,
        },
    });
    let previous = watches.any(|watch| watch.previous);
    let previous = previous.then(|| past.at(key, revision - 1)).flatten();
    Some(Event {
        deleted,
        record,
        previous: previous.cloned(),
    })
}
