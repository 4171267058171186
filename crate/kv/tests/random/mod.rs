//! Commands and queries by chance.

use bytes::Bytes;
use quorate_kv::{
    Changes, Command, Compare, KeyRange, Op, Order, Projection, Query, RangeOptions, Relation,
    Target, Txn, Watch,
};

/// A reproducible stream of commands and queries, about few keys and leases.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)) % end
    }

    pub(crate) fn key(&mut self) -> Bytes {
        // With zeros, which the trees escape.
        let len = 1 + self.below(2);
        (0..len)
            .map(|_| [0, 1, b'a', 255][self.below(4) as usize])
            .collect()
    }

    pub(crate) fn range(&mut self) -> KeyRange {
        match self.below(4) {
            0 => KeyRange::all(),
            1 => KeyRange::prefix(self.key()),
            2 => KeyRange::between(self.key(), self.key()),
            _ => KeyRange::single(self.key()),
        }
    }

    pub(crate) fn value(&mut self) -> Bytes {
        match self.below(5) {
            0 => Bytes::from_static(b"text"),
            number => number.to_string().into(),
        }
    }

    pub(crate) fn change(&mut self, depth: u64) -> Command {
        let key = self.key();
        match self.below(12) {
            0 => Command::DeleteRange {
                range: self.range(),
            },
            1 => Command::RemoveRange {
                range: self.range(),
            },
            2 => Command::Append {
                key,
                value: self.value(),
            },
            3 => Command::Increment { key, by: 1 },
            4..7 => Command::PutWith {
                key,
                value: (self.below(3) > 0).then(|| self.value()),
                lease: (self.below(3) > 0).then(|| self.below(8)),
                previous: self.below(2) == 0,
            },
            7 | 8 if depth < 3 => Command::Txn(Box::new(self.txn(depth))),
            _ => Command::Put {
                key,
                value: self.value(),
            },
        }
    }

    pub(crate) fn txn(&mut self, depth: u64) -> Txn {
        let number = self.below(4);
        let compare = Compare {
            range: self.range(),
            relation: [
                Relation::Equal,
                Relation::NotEqual,
                Relation::Greater,
                Relation::Less,
            ][self.below(4) as usize],
            target: match self.below(5) {
                0 => Target::Version(number),
                1 => Target::CreateRevision(number * 50),
                2 => Target::ModRevision(number * 50),
                3 => Target::Lease(number),
                _ => Target::Value(self.value()),
            },
        };
        let mut ops = |count| {
            let op = |random: &mut Self| match random.below(3) {
                0 => Op::Ask(random.range_with(1000)),
                _ => Op::Do(random.change(depth + 1)),
            };
            (0..count).map(|_| op(self)).collect()
        };
        Txn {
            compares: vec![compare],
            then: ops(3),
            otherwise: ops(2),
        }
    }

    pub(crate) fn range_with(&mut self, revision: u64) -> Query {
        let mut bound = |chance| match self.below(chance) {
            0 => self.below(revision + 2),
            _ => 0,
        };
        let options = RangeOptions {
            at: bound(2),
            min_mod: bound(4),
            max_mod: bound(4),
            min_create: bound(4),
            max_create: bound(4),
            limit: self.below(5),
            projection: [Projection::Records, Projection::Keys, Projection::Count]
                [self.below(3) as usize],
            order: [
                Order::Key,
                Order::CreateRevision,
                Order::ModRevision,
                Order::Version,
                Order::Value,
            ][self.below(5) as usize],
            descending: self.below(2) == 0,
        };
        Query::RangeWith {
            range: self.range(),
            options,
        }
    }

    pub(crate) fn command(&mut self, revision: u64) -> Command {
        let id = self.below(8);
        match self.below(40) {
            0..4 => Command::LeaseGrant {
                id,
                ttl_ms: 1 + self.below(200),
            },
            4..6 => Command::LeaseKeepAlive { id },
            6 => Command::LeaseRevoke { id },
            7 => Command::Compact {
                revision: (revision + 2).saturating_sub(self.below(30)),
            },
            8 if self.below(8) == 0 => Command::SetRetention {
                revisions: [0, 50, 500][self.below(3) as usize],
                ms: 0,
                bytes: 0,
            },
            _ => self.change(0),
        }
    }

    pub(crate) fn query(&mut self, revision: u64) -> Query {
        match self.below(5) {
            0 => Query::Lease {
                id: self.below(8),
                keys: (self.below(2) == 0).then(|| self.key()),
            },
            1 => Query::Leases {
                start: self.below(4),
            },
            2 => {
                let mut watch = || Watch {
                    range: self.range(),
                    no_put: self.below(4) == 0,
                    no_delete: self.below(4) == 0,
                    previous: self.below(2) == 0,
                };
                Query::Changes(Changes {
                    watches: vec![watch(), watch()],
                    from: (revision + 2).saturating_sub(self.below(30)),
                    key: None,
                    limit: 0,
                    bytes: 0,
                })
            }
            _ => self.range_with(revision),
        }
    }
}
