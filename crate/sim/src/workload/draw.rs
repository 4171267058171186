//! What users ask who are up to nothing in particular: anything.
//!
//! Some keys are asked for one operation at a time, so that what was seen of each can be explained by
//! the search for linearizability, which knows nothing of the store. To others everything else is
//! done: transactions, leases, the past.

use bytes::Bytes;
use quorate_kv::{
    Changes, Command, Compare, Expected, KeyRange, Op, Order, Projection, Query, RangeOptions,
    Relation, Target, Txn, Watch,
};
use quorate_raft::Random;
use quorate_rsm::ReadAt;

use super::{Habits, Wish, name, wish};
use crate::checker::history::Action;
use crate::checker::store::Store;
use crate::streams::{between, chance, weighted};

/// What the other keys begin with.
pub(super) const PREFIX: &[u8] = b"t/";

/// One of the other keys.
pub(super) fn key(number: u64) -> Bytes {
    Bytes::from(format!("t/{number}"))
}

/// Ids of leases that users name themselves. The store chooses from 1 on, so it meets them.
const LEASES: u64 = 3;
/// How deep transactions stand in each other.
const DEPTH: u64 = 3;

/// A random wish, and what it means for single keys.
pub(crate) fn draw(
    random: &mut Random,
    habits: &Habits,
    store: &Store,
) -> (Wish, Vec<(u64, Action)>) {
    if chance(random, habits.other_permille) {
        let known = store.told_revision();
        let mut draw = Draw {
            random,
            habits,
            known,
        };
        return (draw.other(), Vec::new());
    }
    single(random, habits)
}

/// A wish for one key, of the kinds that are quickly understood.
pub(crate) fn plain(random: &mut Random, habits: &Habits) -> (Wish, Vec<(u64, Action)>) {
    let key = random.below(habits.keys);
    let action = match weighted(random, &[(4, 0), (4, 1), (1, 2), (1, 3)]) {
        0 => Action::Get,
        1 => Action::Put(Bytes::from(between(random, 1, 99).to_string())),
        2 => Action::Increment(1),
        _ => Action::Delete,
    };
    (wish(key, &action), vec![(key, action)])
}

fn single(random: &mut Random, habits: &Habits) -> (Wish, Vec<(u64, Action)>) {
    let fill = habits.value_bytes;
    let digits = |random: &mut Random| {
        let mut text = between(random, 1, 99).to_string();
        if fill > 0 && random.below(4) == 0 {
            let len = random.below(fill) as usize;
            text.extend(core::iter::repeat_n('0', len));
        }
        Bytes::from(text)
    };
    let key = random.below(habits.keys);
    let end = random.below(habits.keys + 1);
    let action = match weighted(
        random,
        &[
            (30, 0),
            (15, 1),
            (20, 2),
            (10, 3),
            (10, 4),
            (5, 5),
            (10, 6),
            (3, 7),
        ],
    ) {
        0 => Action::Get,
        1 => Action::Put(digits(random)),
        2 => Action::Append(digits(random)),
        3 => {
            let expected = (random.below(2) == 0).then(|| Bytes::from_static(b"1"));
            let new = (random.below(4) > 0).then(|| Bytes::from_static(b"1"));
            Action::Swap { expected, new }
        }
        4 => Action::Increment(between(random, 1, 9) as i64),
        5 => Action::Delete,
        6 => {
            let query = Query::Range {
                range: KeyRange::between(name(key), name(end)),
                limit: random.below(4),
                projection: projection(random),
            };
            return (Wish::Read(query), Vec::new());
        }
        _ => {
            let range = KeyRange::between(name(key), name(end));
            let actions = (key..end).map(|key| (key, Action::Delete)).collect();
            return (Wish::Write(Command::DeleteRange { range }), actions);
        }
    };
    (wish(key, &action), vec![(key, action)])
}

fn projection(random: &mut Random) -> Projection {
    [Projection::Records, Projection::Keys, Projection::Count][random.below(3) as usize]
}

struct Draw<'a> {
    random: &'a mut Random,
    habits: &'a Habits,
    /// A revision that somebody knows of.
    known: u64,
}

impl Draw<'_> {
    fn other(&mut self) -> Wish {
        if self.random.below(3) == 0 {
            let query = match self.random.below(6) {
                0..3 => self.query(),
                3 => {
                    let from = self.random.below(4) > 0;
                    let keys = from.then(|| self.key());
                    Query::Lease {
                        id: self.lease(),
                        keys,
                    }
                }
                4 => Query::Leases {
                    start: self.random.below(LEASES),
                },
                _ => Query::Changes(Changes {
                    watches: vec![Watch {
                        range: self.range(),
                        previous: true,
                        ..Watch::default()
                    }],
                    from: self.revision(),
                    key: (self.random.below(4) == 0).then(|| self.key()),
                    limit: self.random.below(3),
                    bytes: self.random.below(2) * 50,
                }),
            };
            return match self.random.below(3) {
                0 => Wish::Ask {
                    query,
                    at: ReadAt::Local,
                },
                _ => Wish::Read(query),
            };
        }
        Wish::Write(match self.random.below(40) {
            0..9 => self.txn(1),
            9..15 => Command::LeaseGrant {
                id: match self.random.below(3) {
                    0 => 0,
                    _ => self.lease(),
                },
                ttl_ms: self.ttl_ms(),
            },
            15..20 => Command::LeaseKeepAlive { id: self.lease() },
            20 => Command::LeaseRevoke { id: self.lease() },
            21 if self.habits.compacts => Command::Compact {
                revision: self.revision(),
            },
            22 if self.habits.compacts => Command::SetRetention {
                revisions: weighted(self.random, &[(1, 0), (1, 3), (2, 20), (2, 200)]),
                ms: weighted(self.random, &[(2, 0), (1, 100), (1, 2_000)]),
                bytes: 0,
            },
            _ => self.command(),
        })
    }

    /// What may stand in a transaction, but for one.
    fn command(&mut self) -> Command {
        let key = self.key();
        match self.random.below(15) {
            0 => Command::Put {
                key,
                value: self.value(),
            },
            1 => Command::Append {
                key,
                value: self.value(),
            },
            2 => Command::Increment { key, by: 1 },
            3 => Command::Delete { key },
            4 => Command::DeleteRange {
                range: self.range(),
            },
            5 => Command::RemoveRange {
                range: self.range(),
            },
            6 => Command::CompareAndSwap {
                key,
                expected: match self.random.below(3) {
                    0 => Expected::Absent,
                    1 => Expected::Value(self.value()),
                    _ => Expected::Revision(self.revision()),
                },
                new: (self.random.below(3) > 0).then(|| self.value()),
            },
            _ => Command::PutWith {
                key,
                value: (self.random.below(4) > 0).then(|| self.value()),
                lease: match self.random.below(4) {
                    0 => None,
                    1 => Some(0),
                    _ => Some(self.lease()),
                },
                previous: self.random.below(2) == 0,
            },
        }
    }

    fn txn(&mut self, depth: u64) -> Command {
        let compares = (0..self.random.below(3)).map(|_| self.compare()).collect();
        let [then, otherwise] = [0, 1].map(|_| {
            let ops = self.random.below(4);
            (0..ops).map(|_| self.op(depth)).collect()
        });
        Command::Txn(Box::new(Txn {
            compares,
            then,
            otherwise,
        }))
    }

    fn op(&mut self, depth: u64) -> Op {
        match self.random.below(8) {
            0 if depth < DEPTH => Op::Do(self.txn(depth + 1)),
            0..3 => Op::Ask(self.query()),
            _ => Op::Do(self.command()),
        }
    }

    fn query(&mut self) -> Query {
        let range = match self.random.below(4) {
            0 => return Query::Get { key: self.key() },
            1 => KeyRange::all(),
            _ => self.range(),
        };
        let (limit, projection) = (self.random.below(4), projection(self.random));
        if self.random.below(4) == 0 {
            return Query::Range {
                range,
                limit,
                projection,
            };
        }
        let orders = [
            Order::Key,
            Order::CreateRevision,
            Order::ModRevision,
            Order::Version,
            Order::Value,
        ];
        let mut bound = || match self.random.below(4) {
            0 => self.known.saturating_sub(self.random.below(40)),
            _ => 0,
        };
        let [min_mod, max_mod, min_create, max_create] = [bound(), bound(), bound(), bound()];
        Query::RangeWith {
            range,
            options: RangeOptions {
                at: self.random.below(2) * self.revision(),
                limit,
                projection,
                order: orders[self.random.below(5) as usize],
                descending: self.random.below(2) == 0,
                min_mod,
                max_mod,
                min_create,
                max_create,
            },
        }
    }

    fn compare(&mut self) -> Compare {
        let relations = [
            Relation::Equal,
            Relation::NotEqual,
            Relation::Greater,
            Relation::Less,
        ];
        Compare {
            range: match self.random.below(4) {
                0 => self.range(),
                _ => KeyRange::single(self.key()),
            },
            relation: relations[self.random.below(4) as usize],
            target: match self.random.below(5) {
                0 => Target::Version(self.random.below(4)),
                1 => Target::CreateRevision(self.random.below(2) * self.revision()),
                2 => Target::ModRevision(self.revision()),
                3 => Target::Lease(self.random.below(2) * self.lease()),
                _ => Target::Value(self.value()),
            },
        }
    }

    /// Seldom one that cannot be.
    fn key(&mut self) -> Bytes {
        match self.random.below(100) {
            0 => Bytes::new(),
            _ => key(self.random.below(self.habits.keys)),
        }
    }

    fn range(&mut self) -> KeyRange {
        let keys = self.habits.keys;
        let (start, end) = (self.random.below(keys), self.random.below(keys + 1));
        match self.random.below(4) {
            0 => KeyRange::prefix(PREFIX),
            _ => KeyRange::between(key(start), key(end)),
        }
    }

    fn value(&mut self) -> Bytes {
        Bytes::from(self.random.below(4).to_string())
    }

    fn lease(&mut self) -> u64 {
        between(self.random, 1, LEASES)
    }

    fn ttl_ms(&mut self) -> u64 {
        match self.random.below(32) {
            0 => 0,
            _ => between(self.random, 1, 6 * self.habits.ttl_ms),
        }
    }

    /// One that was not long ago, or does not exist yet.
    fn revision(&mut self) -> u64 {
        let before = weighted(self.random, &[(2, 4), (2, 30), (1, 1_000)]);
        (self.known + 2).saturating_sub(self.random.below(before))
    }
}
