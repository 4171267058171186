//! Where a call of the store goes, by its keys.
//!
//! What names no key (leases, compaction, what is kept) is a matter of each shard by itself, and so is a
//! range or a watch over several: their revisions have nothing to do with one another.

use bytes::Bytes;
use quorate_kv::{Command, KeyRange, Op, Query, Txn};
use quorate_raft::Table;

use crate::config::ShardId;
use crate::key::{shard_of, shard_of_range};

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// All of it is in one shard.
    One(ShardId),
    /// Each shard has its own answer: the caller says which it asks, or asks all of them.
    All,
    /// It would have to be done in several shards as one thing, which cannot be.
    Across {
        /// Of each of these shards the first key that it names, in the order of shards; of a range over
        /// several its bounds.
        keys: Vec<Bytes>,
    },
}

/// Where a [`Command`] goes. One that cannot be read goes to shard 0, which says so.
#[must_use]
pub fn route_command(command: &Bytes, shards: u32) -> Route {
    let mut places = Places::new(shards);
    match Command::decode(command) {
        Ok(command) if !is_keyless(&command) => places.command(&command),
        Ok(_) => return Route::All,
        Err(_) => {}
    }
    places.route()
}

/// Where a [`Query`] goes. One that cannot be read goes to shard 0, which says so.
#[must_use]
pub fn route_query(query: &Bytes, shards: u32) -> Route {
    let mut places = Places::new(shards);
    match Query::decode(query) {
        Ok(Query::Lease { .. } | Query::Leases { .. }) => return Route::All,
        Ok(Query::Changes(changes)) => {
            let mut watches = changes.watches.iter();
            watches.all(|watch| places.range(&watch.range));
        }
        Ok(query) => places.query(&query),
        Err(_) => {}
    }
    match places.route() {
        // Nothing has to be as one.
        Route::Across { .. } => Route::All,
        route => route,
    }
}

/// The keys of a [`Command`] that are not in `shard`, as [`Route::Across`] has them. A range over several
/// shards is no such thing: it means the part of it that is there. Of one that cannot be read there are
/// none.
#[must_use]
pub fn strays_of_command(command: &Bytes, shard: ShardId, shards: u32) -> Vec<Bytes> {
    let mut places = Places::new(shards);
    if let Ok(command) = Command::decode(command) {
        places.command(&command);
    }
    places.beside(shard)
}

/// The same of a [`Query`].
#[must_use]
pub fn strays_of_query(query: &Bytes, shard: ShardId, shards: u32) -> Vec<Bytes> {
    let mut places = Places::new(shards);
    if let Ok(query) = Query::decode(query) {
        places.query(&query);
    }
    places.beside(shard)
}

fn is_keyless(command: &Command) -> bool {
    match command {
        Command::LeaseGrant { .. }
        | Command::LeaseKeepAlive { .. }
        | Command::LeaseRevoke { .. }
        | Command::Compact { .. }
        | Command::SetRetention { .. } => true,
        Command::Put { .. }
        | Command::Delete { .. }
        | Command::DeleteRange { .. }
        | Command::Append { .. }
        | Command::CompareAndSwap { .. }
        | Command::Increment { .. }
        | Command::PutWith { .. }
        | Command::RemoveRange { .. }
        | Command::Txn(_) => false,
    }
}

/// The shards that a call is in.
struct Places {
    shards: u32,
    /// The first key of each.
    first: Table<ShardId, Bytes>,
    /// The bounds of a range that is in several.
    wide: Option<KeyRange>,
}

impl Places {
    fn new(shards: u32) -> Self {
        Self {
            shards,
            first: Table::default(),
            wide: None,
        }
    }

    fn key(&mut self, key: &Bytes) {
        self.note(shard_of(key, self.shards), key);
    }

    fn note(&mut self, shard: ShardId, key: &Bytes) {
        if !self.first.has(shard) {
            self.first.insert(shard, key.clone());
        }
    }

    /// Whether it is in one shard.
    fn range(&mut self, range: &KeyRange) -> bool {
        let shard = shard_of_range(&range.start, range.end.as_deref(), self.shards);
        match shard {
            Some(shard) => self.note(shard, &range.start),
            None => self.wide = self.wide.take().or(Some(range.clone())),
        }
        shard.is_some()
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Put { key, .. }
            | Command::Delete { key }
            | Command::Append { key, .. }
            | Command::CompareAndSwap { key, .. }
            | Command::Increment { key, .. }
            | Command::PutWith { key, .. } => self.key(key),
            Command::DeleteRange { range } | Command::RemoveRange { range } => {
                self.range(range);
            }
            Command::Txn(txn) => self.txn(txn),
            // No part of a transaction: the store refuses it.
            Command::LeaseGrant { .. }
            | Command::LeaseKeepAlive { .. }
            | Command::LeaseRevoke { .. }
            | Command::Compact { .. }
            | Command::SetRetention { .. } => {}
        }
    }

    fn query(&mut self, query: &Query) {
        match query {
            Query::Get { key } => self.key(key),
            Query::Range { range, .. } | Query::RangeWith { range, .. } => {
                self.range(range);
            }
            // No part of a transaction: the store refuses it.
            Query::Changes(_) | Query::Lease { .. } | Query::Leases { .. } => {}
        }
    }

    /// As deep as one may be that decodes.
    fn txn(&mut self, txn: &Txn) {
        for compare in &txn.compares {
            self.range(&compare.range);
        }
        for op in txn.then.iter().chain(&txn.otherwise) {
            match op {
                Op::Do(command) => self.command(command),
                Op::Ask(query) => self.query(query),
            }
        }
    }

    fn beside(self, shard: ShardId) -> Vec<Bytes> {
        let others = self.first.into_iter().filter(|(it, _)| *it != shard);
        others.map(|(_, key)| key).collect()
    }

    fn route(self) -> Route {
        if let Some(KeyRange { start, end }) = self.wide {
            let keys = core::iter::once(start).chain(end).collect();
            return Route::Across { keys };
        }
        let mut shards = self.first.into_iter();
        match (shards.next(), shards.next()) {
            // Nothing in it is anywhere.
            (None, _) => Route::One(ShardId(0)),
            (Some((shard, _)), None) => Route::One(shard),
            (Some(first), Some(second)) => {
                let keys = [first, second].into_iter().chain(shards);
                let keys = keys.map(|(_, key)| key).collect();
                Route::Across { keys }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_kv::{Changes, Compare, Projection, Relation, Target, Watch};

    use super::*;

    const SHARDS: u32 = 64;

    fn put(key: &'static str) -> Command {
        let (key, value) = (Bytes::from(key), Bytes::new());
        Command::Put { key, value }
    }

    fn get(key: &'static str) -> Query {
        Query::Get { key: key.into() }
    }

    fn range(range: KeyRange) -> Query {
        Query::Range {
            range,
            limit: 0,
            projection: Projection::Records,
        }
    }

    fn one(key: &str) -> Route {
        Route::One(shard_of(key.as_bytes(), SHARDS))
    }

    fn across(keys: &[&'static str]) -> Route {
        let mut keys: Vec<_> = keys.iter().map(|key| Bytes::from(*key)).collect();
        keys.sort_by_key(|key| shard_of(key, SHARDS));
        Route::Across { keys }
    }

    fn routed(command: &Command) -> Route {
        route_command(&command.encode(), SHARDS)
    }

    fn asked(query: &Query) -> Route {
        route_query(&query.encode(), SHARDS)
    }

    #[test]
    fn a_key_says_which_shard() {
        assert_eq!(routed(&put("a")), one("a"));
        assert_eq!(routed(&put("{x}a")), one("x"));
        assert_eq!(asked(&get("a")), one("a"));
        let range = KeyRange::prefix("{x}");
        assert_eq!(routed(&Command::DeleteRange { range }), one("x"));
        let range = KeyRange::prefix("a");
        let wide = Route::Across {
            keys: vec!["a".into(), "b".into()],
        };
        assert_eq!(routed(&Command::RemoveRange { range }), wide);
    }

    #[test]
    fn what_is_asked_of_several_is_asked_of_all() {
        assert_eq!(asked(&range(KeyRange::prefix("{x}"))), one("x"));
        assert_eq!(asked(&range(KeyRange::prefix("a"))), Route::All);
        assert_eq!(asked(&range(KeyRange::all())), Route::All);
        let changes = |keys: &[&'static str]| {
            let watch = |key: &&'static str| Watch {
                range: KeyRange::single(*key),
                ..Watch::default()
            };
            let watches = keys.iter().map(watch).collect();
            Query::Changes(Changes {
                watches,
                ..Changes::default()
            })
        };
        assert_eq!(asked(&changes(&["{x}a", "{x}b"])), one("x"));
        assert_eq!(asked(&changes(&["a", "b"])), Route::All);
    }

    #[test]
    fn what_names_no_key_is_of_every_shard() {
        let grant = Command::LeaseGrant { id: 0, ttl_ms: 1 };
        assert_eq!(routed(&grant), Route::All);
        assert_eq!(routed(&Command::Compact { revision: 1 }), Route::All);
        assert_eq!(asked(&Query::Leases { start: 0 }), Route::All);
        let lease = Query::Lease { id: 1, keys: None };
        assert_eq!(asked(&lease), Route::All);
    }

    #[test]
    fn a_transaction_is_in_one_shard_or_names_the_keys() {
        let compare = |key: &'static str| Compare {
            range: KeyRange::single(key),
            relation: Relation::Equal,
            target: Target::Version(0),
        };
        let txn = |compares, then, otherwise| {
            let txn = Txn {
                compares,
                then,
                otherwise,
            };
            Command::Txn(Box::new(txn))
        };
        let does = |key| Op::Do(put(key));
        let asks = |key| Op::Ask(get(key));
        let within = txn(
            vec![compare("{x}a")],
            vec![does("{x}b")],
            vec![asks("{x}c")],
        );
        assert_eq!(routed(&within), one("x"));
        assert_eq!(routed(&txn(vec![], vec![], vec![])), Route::One(ShardId(0)));
        for (compares, then, otherwise) in [
            (vec![compare("a"), compare("b")], vec![], vec![]),
            (vec![compare("a")], vec![does("b")], vec![]),
            (vec![], vec![does("a")], vec![does("b")]),
            (vec![], vec![asks("a")], vec![asks("b")]),
            (
                vec![],
                vec![],
                vec![does("a"), Op::Do(txn(vec![], vec![does("b")], vec![]))],
            ),
        ] {
            assert_eq!(routed(&txn(compares, then, otherwise)), across(&["a", "b"]));
        }
        let wide = txn(
            vec![],
            vec![does("b"), Op::Ask(range(KeyRange::from("a")))],
            vec![],
        );
        let keys = vec!["a".into()];
        assert_eq!(routed(&wide), Route::Across { keys });
    }

    #[test]
    fn what_cannot_be_read_is_left_to_a_store() {
        assert_eq!(
            route_command(&Bytes::from_static(b"\xff"), SHARDS),
            Route::One(ShardId(0))
        );
        assert_eq!(
            route_query(&Bytes::from_static(b"\xff"), SHARDS),
            Route::One(ShardId(0))
        );
    }

    #[test]
    fn strays_are_the_keys_of_other_shards_and_never_a_wide_range() {
        let everything = KeyRange {
            start: Bytes::new(),
            end: None,
        };
        let here = shard_of(b"a", SHARDS);
        let strays = |command: &Command| strays_of_command(&command.encode(), here, SHARDS);
        assert_eq!(strays(&put("a")), Vec::<Bytes>::new());
        assert_eq!(strays(&put("b")), ["b"]);
        let range = everything.clone();
        assert_eq!(strays(&Command::DeleteRange { range }), Vec::<Bytes>::new());
        let revoke = Command::LeaseRevoke { id: 1 };
        assert_eq!(strays(&revoke), Vec::<Bytes>::new());
        let txn = Txn {
            compares: vec![],
            then: vec![Op::Do(put("{a}/1")), Op::Ask(get("b"))],
            otherwise: vec![Op::Do(Command::RemoveRange { range: everything })],
        };
        assert_eq!(strays(&Command::Txn(Box::new(txn))), ["b"]);
        let strays = |query: &Query| strays_of_query(&query.encode(), here, SHARDS);
        assert_eq!(strays(&get("{a}")), Vec::<Bytes>::new());
        assert_eq!(strays(&get("b")), ["b"]);
    }
}
