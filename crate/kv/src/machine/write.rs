//! The changes of keys.

use bytes::Bytes;

use super::{Kv, check_key, check_value, integer, is_expected};
use crate::command::Command;
use crate::error::Code;
use crate::limits::REPLY_BYTES_MAX;
use crate::range::KeyRange;
use crate::record::{Meta, Record};
use crate::reply;
use crate::system;
use crate::tree::Place;

impl Kv {
    /// Executes a command. If it fails, the state is as it was; within a transaction, its start
    /// comes back.
    pub(super) fn execute(&mut self, command: Command) -> Result<Bytes, Code> {
        match command {
            Command::Put { key, value } => {
                check_key(&key)?;
                let meta = self.write(&key, [&value, &[]], 0)?;
                Ok(reply::written(meta))
            }
            Command::PutWith {
                key,
                value,
                lease,
                previous,
            } => self.put_with(&key, value.as_deref(), lease, previous),
            Command::Append { key, value } => {
                check_key(&key)?;
                let old = self.live.get(&key).cloned();
                let head = old.as_ref().map_or(&[][..], Record::value);
                let meta = self.write(&key, [head, &value], lease_of(old.as_ref()))?;
                Ok(reply::written(meta))
            }
            Command::Increment { key, by } => {
                check_key(&key)?;
                let old = self.live.get(&key);
                let number = old.map_or(Ok(0), |record| integer(record.value()))?;
                let lease = lease_of(old);
                let value = number.checked_add(by).ok_or(Code::Overflow)?;
                let meta = self.write(&key, [value.to_string().as_bytes(), &[]], lease)?;
                Ok(reply::incremented(value, meta))
            }
            Command::CompareAndSwap { key, expected, new } => {
                check_key(&key)?;
                if let Some(value) = &new {
                    check_value(value.len())?;
                }
                let current = self.live.get(&key);
                if !is_expected(current, &expected) {
                    return Ok(reply::mismatch(current, self.now()));
                }
                match new {
                    Some(value) => Ok(reply::written(self.write(&key, [&value, &[]], 0)?)),
                    None => self.delete(&key),
                }
            }
            Command::Delete { key } => {
                check_key(&key)?;
                self.delete(&key)
            }
            Command::DeleteRange { range } => {
                range.check()?;
                let count = self.remove_range(&range)?;
                Ok(reply::deleted(count, self.now()))
            }
            Command::RemoveRange { range } => {
                range.check()?;
                let mut records = Vec::new();
                for record in self.in_range(&range) {
                    records.extend_from_slice(record.encoded());
                    if records.len() > REPLY_BYTES_MAX {
                        return Err(Code::ReplyTooLarge);
                    }
                }
                self.remove_range(&range)?;
                Ok(reply::removed(self.now(), &records))
            }
            Command::Txn(txn) => self.transact(*txn),
            Command::LeaseGrant { id, ttl_ms } => self.grant(id, ttl_ms),
            Command::LeaseKeepAlive { id } => self.keep_alive(id),
            Command::LeaseRevoke { id } => self.revoke(id),
            Command::Compact { revision } => self.compact(revision),
            Command::SetRetention {
                revisions,
                ms,
                bytes,
            } => Ok(self.set_retention(revisions, ms, bytes)),
        }
    }

    fn put_with(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        lease: Option<u64>,
        previous: bool,
    ) -> Result<Bytes, Code> {
        check_key(key)?;
        let old = self.live.get(key).cloned();
        if old.is_none() && (value.is_none() || lease.is_none()) {
            return Err(Code::KeyNotFound);
        }
        let lease = match lease {
            None => lease_of(old.as_ref()),
            Some(0) => 0,
            Some(id) => {
                self.terms(id)?;
                id
            }
        };
        let kept = old.as_ref().map_or(&[][..], Record::value);
        let value = value.unwrap_or(kept);
        let meta = self.write(key, [value, &[]], lease)?;
        Ok(reply::put(meta, old.as_ref().filter(|_| previous)))
    }

    /// Stores a value, as the concatenation of two.
    fn write(&mut self, key: &[u8], value: [&[u8]; 2], lease: u64) -> Result<Meta, Code> {
        check_value(value[0].len() + value[1].len())?;
        self.check_once(key)?;
        let (path, old) = self.live.find(key);
        let mut meta = match old {
            Some(old) => old.meta().changed(self.next()),
            None => Meta::created(self.next()),
        };
        let old_lease = std::mem::replace(&mut meta.lease, lease);
        let record = Record::new(key, meta, value);
        let old = self.live.put(path, record.clone());
        if old_lease != lease {
            self.let_go(old_lease, key);
            self.hang(lease, key);
        }
        if let Some(old) = old {
            self.past.insert(old);
        }
        self.note(record);
        Ok(meta)
    }

    fn delete(&mut self, key: &[u8]) -> Result<Bytes, Code> {
        let is_there = self.live.get(key).is_some();
        if is_there {
            self.check_once(key)?;
            self.remove(key);
        }
        Ok(reply::deleted(u64::from(is_there), self.now()))
    }

    /// Removes a key that this revision has not changed.
    pub(super) fn remove(&mut self, key: &[u8]) {
        if let Some(record) = self.live.remove(key) {
            self.bury(record);
        }
    }

    fn remove_range(&mut self, range: &KeyRange) -> Result<u64, Code> {
        if self.made > 0 {
            self.in_range(range)
                .try_for_each(|record| self.check_once(record.key()))?;
        }
        let end = range.end.as_deref();
        let removed = self.live.remove_range(&range.start, end);
        for record in removed.iter() {
            self.bury(record.clone());
        }
        Ok(removed.total().count)
    }

    /// Writes down that a record was removed from `live`.
    fn bury(&mut self, record: Record) {
        let (key, meta) = (record.key(), record.meta());
        self.let_go(meta.lease, key);
        let deletion = Record::new(key, Meta::deleted(self.next()), [&[], &[]]);
        self.past.insert(record);
        self.past.insert(deletion.clone());
        self.note(deletion);
    }

    pub(crate) fn hang(&mut self, lease: u64, key: &[u8]) {
        if lease != 0 {
            let hanging = system::hanging(lease, key);
            self.index.insert(system::mark(&hanging));
        }
    }

    pub(crate) fn let_go(&mut self, lease: u64, key: &[u8]) {
        if lease != 0 {
            self.index.remove(&system::hanging(lease, key));
        }
    }

    fn note(&mut self, made: Record) {
        self.log.insert(made);
        self.made += 1;
    }

    /// A revision changes a key once.
    fn check_once(&self, key: &[u8]) -> Result<(), Code> {
        if self.made > 0 && self.log.get(Place::new(key, self.next())).is_some() {
            return Err(Code::DuplicateKey);
        }
        Ok(())
    }

    /// Takes back what the revision in the making changed.
    pub(super) fn take_back(&mut self) {
        let first = Place::new(&[], self.next());
        let made: Vec<Record> = self.log.iter_from(first).cloned().collect();
        for record in made {
            let (place, key) = (record.place(), record.key());
            self.log.remove(place);
            if record.is_deletion() {
                self.past.remove(place);
            } else {
                self.live.remove(key);
                self.let_go(record.meta().lease, key);
            }
            // The last version of a key is in the past if this revision put it there, or removed it.
            let last = self.past.find_below(place);
            let is_replaced = |last: &Record| last.key() == key && !last.is_deletion();
            if let Some((path, _)) = last.filter(|(_, last)| is_replaced(last)) {
                let last = self.past.take(path);
                self.hang(last.meta().lease, key);
                self.live.insert(last);
            }
        }
        self.made = 0;
    }
}

fn lease_of(record: Option<&Record>) -> u64 {
    record.map_or(0, |record| record.meta().lease)
}
