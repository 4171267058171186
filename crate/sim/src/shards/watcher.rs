//! A user who watches a shard, from its beginning, wherever it goes: it is told of each change once, in
//! order.

use bytes::Bytes;
use quorate_kv::{Changes, Event, KeyRange, Query, Reply, Watch};
use quorate_rsm::ReadAt;

use crate::checker::Violation;
use crate::workload::Wish;

/// Where a watch stands.
pub(super) struct Watcher {
    from: u64,
    key: Option<Bytes>,
    /// What it was told.
    pub(super) events: Vec<Event>,
}

impl Watcher {
    pub(super) fn new() -> Self {
        Self {
            from: 1,
            key: None,
            events: Vec::new(),
        }
    }

    fn query(&self) -> Query {
        Query::Changes(Changes {
            watches: vec![Watch {
                range: KeyRange::all(),
                ..Watch::default()
            }],
            from: self.from,
            key: self.key.clone(),
            ..Changes::default()
        })
    }

    /// The next call.
    pub(super) fn next(&self) -> Wish {
        Wish::Ask {
            query: self.query(),
            at: ReadAt::Watch,
        }
    }

    /// What the store says.
    pub(super) fn answered(&mut self, reply: Reply) -> Result<(), Violation> {
        match reply {
            Reply::Changes {
                events, next, key, ..
            } => {
                self.events.extend(events);
                (self.from, self.key) = (next, key);
                Ok(())
            }
            other => {
                let seen = format!("a watcher was told {other:?}");
                Err(Violation::new("Replies are the store's", seen))
            }
        }
    }

    /// Whether what it was told is what `ask` tells, from the beginning.
    pub(super) fn check_end(&self, ask: impl Fn(&Query) -> Option<Reply>) -> Result<(), Violation> {
        let mut all = Self::new();
        while (all.from, &all.key) < (self.from, &self.key) {
            let reply = ask(&all.query()).filter(|_| all.events.len() < self.events.len());
            match reply {
                Some(reply) => all.answered(reply)?,
                None => break,
            }
        }
        if all.events.get(..self.events.len()) != Some(&self.events) {
            let differs = |(one, other)| one != other;
            let place = all.events.iter().zip(&self.events).position(differs);
            let seen = format!(
                "told of {} events, of {} there are: they differ at {place:?}",
                self.events.len(),
                all.events.len()
            );
            return Err(Violation::new("A watch tells of everything once", seen));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_kv::{Command, Kv};
    use quorate_raft::{Index, Term};
    use quorate_rsm::{ApplyContext, StateMachine};

    fn store() -> Kv {
        let mut store = Kv::new();
        for number in 1..=4 {
            let context = ApplyContext {
                index: Index(number),
                term: Term(1),
                time_ms: 0,
            };
            let key = Bytes::from(format!("key/{number}"));
            let value = Bytes::from_static(b"value");
            store.apply(&context, &Command::Put { key, value }.encode());
        }
        store
    }

    fn ask(store: &Kv, query: &Query) -> Option<Reply> {
        Reply::decode(&store.query(&query.encode())).ok()
    }

    #[test]
    fn a_watcher_that_misses_an_event_or_is_told_of_it_twice_objects() {
        let store = store();
        let mut watcher = Watcher::new();
        watcher
            .answered(ask(&store, &watcher.query()).unwrap())
            .unwrap();
        assert_eq!(watcher.events.len(), 4);
        let check = |watcher: &Watcher| watcher.check_end(|query| ask(&store, query));
        assert_eq!(check(&watcher), Ok(()));
        let event = watcher.events.remove(2);
        assert!(check(&watcher).is_err());
        watcher.events.insert(2, event.clone());
        assert_eq!(check(&watcher), Ok(()));
        watcher.events.push(event);
        assert!(check(&watcher).is_err());
    }
}
