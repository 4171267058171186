//! A user who puts items into a queue, and takes them out: the oldest, by a transaction that needs it
//! to be as it was seen, and notes who took it. Where nothing is heard of that, the same is asked
//! again: it is done now, or what was noted says who did it.

use bytes::Bytes;
use quorate_kv::{
    Command, Compare, KeyRange, KeyValue, Op, Order, Query, RangeOptions, Relation, Reply, Target,
    Txn,
};
use quorate_raft::Random;

use super::Wish;
use super::history::History;
use crate::checker::Violation;
use crate::situation::Situation;

/// Places for items.
const PLACES: u64 = 4;

/// The keys of the queue.
pub(super) fn queue() -> KeyRange {
    KeyRange::prefix(&b"queue/"[..])
}

/// Which item a record is.
pub(super) fn item(record: &KeyValue) -> Option<u64> {
    core::str::from_utf8(&record.value).ok()?.parse().ok()
}

/// Where a taker stands.
#[derive(Debug)]
pub(super) struct Taker {
    number: u64,
    /// Where it notes what it took.
    note: Bytes,
    /// What it is about to take.
    target: Option<KeyValue>,
}

impl Taker {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            note: Bytes::from(format!("taken/{number}")),
            target: None,
        }
    }

    /// Whether it is about to take nothing.
    pub(super) fn is_settled(&self) -> bool {
        self.target.is_none()
    }

    pub(super) fn next(&mut self, random: &mut Random, history: &mut History) -> Wish {
        if let Some(target) = &self.target {
            return Wish::Write(self.take(target));
        }
        if random.below(2) == 0 {
            let place = Bytes::from(format!("queue/{}", random.below(PLACES)));
            return Wish::Write(put(place, history.taken.number()));
        }
        Wish::Read(Query::RangeWith {
            range: queue(),
            options: RangeOptions {
                limit: 1,
                order: Order::CreateRevision,
                ..RangeOptions::default()
            },
        })
    }

    pub(super) fn answered(
        &mut self,
        reply: &Reply,
        history: &mut History,
    ) -> Result<(), Violation> {
        if let Reply::Range { records, .. } = reply {
            self.target = records.first().cloned();
            return Ok(());
        }
        let (Some(target), Reply::Txn { replies, .. }) = (self.target.take(), reply) else {
            return Ok(());
        };
        let situation = match &replies[..] {
            [Reply::Deleted { .. }, _] => Situation::ItemTaken,
            [
                Reply::Got {
                    record: Some(noted),
                    ..
                },
            ] if noted.value == target.value => Situation::ItemTakenUnheard,
            _ => Situation::ItemTakenByAnother,
        };
        history.store.seen.note(situation);
        if situation == Situation::ItemTakenByAnother {
            return Ok(());
        }
        let item = item(&target).expect("only numbers are put in");
        history.taken.take(item, self.number)
    }

    fn take(&self, target: &KeyValue) -> Command {
        let (key, note) = (target.key.clone(), self.note.clone());
        Command::Txn(Box::new(Txn {
            compares: vec![Compare {
                range: KeyRange::single(key.clone()),
                relation: Relation::Equal,
                target: Target::ModRevision(target.meta.mod_revision),
            }],
            then: vec![
                Op::Do(Command::Delete { key }),
                Op::Do(Command::Put {
                    key: note.clone(),
                    value: target.value.clone(),
                }),
            ],
            otherwise: vec![Op::Ask(Query::Get { key: note })],
        }))
    }
}

/// Puts an item into a place, if that is free.
fn put(key: Bytes, item: u64) -> Command {
    Command::Txn(Box::new(Txn {
        compares: vec![Compare {
            range: KeyRange::single(key.clone()),
            relation: Relation::Equal,
            target: Target::CreateRevision(0),
        }],
        then: vec![Op::Do(Command::Put {
            key,
            value: Bytes::from(item.to_string()),
        })],
        otherwise: Vec::new(),
    }))
}
