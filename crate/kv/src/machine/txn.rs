//! Transactions: they run on the trees themselves, and what a failed one did is taken back.

use bytes::Bytes;

use super::{Kv, check_value};
use crate::error::Code;
use crate::limits::REPLY_BYTES_MAX;
use crate::record::Meta;
use crate::reply;
use crate::txn::{Compare, Op, Relation, TXN_OPS_MAX, Target, Txn};
use crate::wire::put_bytes;

impl Kv {
    pub(super) fn transact(&mut self, txn: Txn) -> Result<Bytes, Code> {
        if txn.size() > TXN_OPS_MAX {
            return Err(Code::TooManyOperations);
        }
        let result = self.run(txn);
        if result.is_err() {
            self.take_back();
        }
        result
    }

    fn run(&mut self, txn: Txn) -> Result<Bytes, Code> {
        let mut succeeded = true;
        for compare in &txn.compares {
            succeeded &= self.holds(compare)?;
        }
        let mut replies = Vec::new();
        for op in if succeeded { txn.then } else { txn.otherwise } {
            let reply = match op {
                Op::Do(crate::Command::Txn(txn)) => self.run(*txn),
                Op::Do(command) => self.execute(command),
                Op::Ask(query) => self.answer(query),
            }?;
            put_bytes(&mut replies, &reply);
            if replies.len() > REPLY_BYTES_MAX {
                return Err(Code::ReplyTooLarge);
            }
        }
        Ok(reply::txn(succeeded, self.now(), &replies))
    }

    fn holds(&self, compare: &Compare) -> Result<bool, Code> {
        compare.range.check()?;
        if let Target::Value(value) = &compare.target {
            check_value(value.len())?;
        }
        let mut records = self.in_range(&compare.range).peekable();
        if records.peek().is_none() {
            let none = Meta {
                create_revision: 0,
                mod_revision: 0,
                version: 0,
                lease: 0,
            };
            let of_value = matches!(compare.target, Target::Value(_));
            return Ok(!of_value && fits(compare, none, &[]));
        }
        Ok(records.all(|record| fits(compare, record.meta(), record.value())))
    }
}

fn fits(compare: &Compare, meta: Meta, value: &[u8]) -> bool {
    let ordering = match &compare.target {
        Target::Version(number) => meta.version.cmp(number),
        Target::CreateRevision(number) => meta.create_revision.cmp(number),
        Target::ModRevision(number) => meta.mod_revision.cmp(number),
        Target::Lease(number) => meta.lease.cmp(number),
        Target::Value(bytes) => value.cmp(bytes),
    };
    match compare.relation {
        Relation::Equal => ordering.is_eq(),
        Relation::NotEqual => ordering.is_ne(),
        Relation::Greater => ordering.is_gt(),
        Relation::Less => ordering.is_lt(),
    }
}
