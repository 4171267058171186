//! A store brought to a later state by the bytes of a difference, whatever they are.
//!
//! Each record costs a few descents, and is checked when it is there: alone, and by what the store had
//! and the records before it brought. What would not fit makes no store. `log` and `index` are kept by
//! the changes, too. So the store that comes out is one that `KvRestore` could have made, as long as
//! the one that went in was.

use std::cmp::Ordering;

use bytes::Bytes;
use quorate_rsm::BadSnapshot;

use super::check::{
    DAMAGED, DISORDERED, NO_HISTORY, NO_LEASE, TOO_NEW, check_system, is_version, is_whole,
    take_whole, whole,
};
use super::delta::{DeltaHeader, List, is_place};
use crate::machine::Kv;
use crate::record::Record;
use crate::system::{self, Terms};
use crate::tree::{Place, Tree, reclaim};

const TOO_LONG: BadSnapshot = BadSnapshot("the difference is longer than it says");
const SHORT: BadSnapshot = BadSnapshot("the difference is cut short");
const BACKWARD: BadSnapshot = BadSnapshot("the difference does not lead to a later state");
const NOT_THERE: BadSnapshot = BadSnapshot("the store has not what is to change");

/// A store that is brought to a later state by the stream of a [`KvDelta`](super::KvDelta), in chunks
/// of any size.
pub struct KvPatch {
    state: State,
    /// What is not a whole header or record yet.
    rest: Vec<u8>,
}

enum State {
    /// There is no header yet.
    Waiting(Box<Kv>),
    Changing(Box<Changing>),
}

impl KvPatch {
    /// Begins with a store in the state that the difference is from. A clone of it stays as it is,
    /// whatever comes, and costs a few pointers.
    #[must_use]
    pub fn new(base: Kv) -> Self {
        Self {
            state: State::Waiting(Box::new(base)),
            rest: Vec::new(),
        }
    }

    /// Takes the next bytes of the stream. After an error the patch is of no use.
    pub fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        let mut rest = std::mem::take(&mut self.rest);
        take_whole(&mut rest, data, |bytes| self.take(bytes))?;
        self.rest = rest;
        match &self.state {
            State::Changing(changing) => changing.check_len(self.rest.len()),
            State::Waiting(_) => Ok(()),
        }
    }

    /// The store in the later state, once the whole stream was given.
    pub fn finish(self) -> Result<Kv, BadSnapshot> {
        match self.state {
            State::Changing(changing) if self.rest.is_empty() => changing.finish(),
            State::Changing(_) | State::Waiting(_) => Err(SHORT),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, BadSnapshot> {
        match &mut self.state {
            State::Changing(changing) => changing.take(bytes),
            State::Waiting(base) => {
                let parsed = DeltaHeader::parse(bytes);
                let damage = BadSnapshot("the difference's header is damaged");
                let Some((header, len)) = whole(parsed, damage)? else {
                    return Ok(None);
                };
                let changing = Changing::begin(std::mem::take(&mut **base), header)?;
                self.state = State::Changing(Box::new(changing));
                Ok(Some(len))
            }
        }
    }
}

/// A store on the way.
struct Changing {
    kv: Kv,
    header: DeltaHeader,
    /// The revision of the state before: what is new is newer.
    since: u64,
    /// Which list the next record belongs to.
    at: usize,
    /// How many it had.
    taken: u64,
    /// The last of them.
    last: Option<Record>,
    /// Of all lists.
    bytes: u64,
    /// How many records of the past the changes in `log` ask for.
    asked: u64,
    /// Of how many keys the past goes on beyond what they are.
    ahead: u64,
}

impl Changing {
    fn begin(mut kv: Kv, header: DeltaHeader) -> Result<Self, BadSnapshot> {
        if header.base != kv.digest() {
            return Err(BadSnapshot("the difference is of another state"));
        }
        let (old, new) = (kv.numbers, header.now.numbers);
        let is_later = new.revision >= old.revision
            && new.compacted >= old.compacted
            && new.time_ms >= old.time_ms;
        let order = |a: Place<'_>, b: Place<'_>| (a.revision, a.key).cmp(&(b.revision, b.key));
        let start = header.now.log_start();
        let unswept = Place::new(&[], old.compacted + 1);
        let old_start = kv.swept().map_or(unswept, Record::place);
        if !is_later || order(start, old_start) == Ordering::Less {
            return Err(BACKWARD);
        }
        let mut asked = kv.past.total().count;
        let kept = kv.log.split_off(start);
        let dropped = std::mem::replace(&mut kv.log, kept);
        for change in dropped.iter() {
            asked -= asks(change);
        }
        kv.numbers = new;
        Ok(Self {
            kv,
            header,
            since: old.revision,
            at: 0,
            taken: 0,
            last: None,
            bytes: 0,
            asked,
            ahead: 0,
        })
    }

    /// Takes a record from the front, and says how long it was; none if it is not all there.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, BadSnapshot> {
        let Some((record, len)) = whole(Record::parse(bytes), DAMAGED)? else {
            return Ok(None);
        };
        reclaim::free(reclaim::AT_COMMAND);
        self.bytes += len as u64;
        while self.header.counts.get(self.at) == Some(&self.taken) {
            (self.at, self.taken, self.last) = (self.at + 1, 0, None);
        }
        let list = *List::ALL.get(self.at).ok_or(TOO_LONG)?;
        let rises = |last: &Record| list.by().rises(last, &record);
        if !self.last.as_ref().is_none_or(rises) {
            return Err(DISORDERED);
        }
        match list {
            List::ToPast => self.tracked(&record, Self::copy_to_past),
            List::SystemAdded => self.add_system(&record),
            List::PastRemoved => self.tracked(&record, Self::remove_past),
            List::PastAdded => self.tracked(&record, Self::add_past),
            List::LiveRemoved => self.tracked(&record, Self::remove_live),
            List::LiveAdded => self.tracked(&record, Self::add_live),
            List::SystemRemoved => self.remove_system(&record),
        }?;
        self.taken += 1;
        self.last = Some(record);
        Ok(Some(len))
    }

    fn check_len(&self, rest: usize) -> Result<(), BadSnapshot> {
        if self.bytes + rest as u64 > self.header.bytes {
            return Err(TOO_LONG);
        }
        Ok(())
    }

    fn finish(self) -> Result<Kv, BadSnapshot> {
        let mut left = self.header.counts.into_iter().skip(self.at);
        let is_last = left.next().is_none_or(|count| count == self.taken);
        if !is_last || left.any(|count| count > 0) || self.bytes != self.header.bytes {
            return Err(SHORT);
        }
        self.header.now.check_totals(&self.kv)?;
        if self.ahead != 0 || self.kv.past.total().count != self.asked {
            return Err(NO_HISTORY);
        }
        self.header.now.check_digest(&self.kv)?;
        Ok(self.kv)
    }

    /// Makes a change of a key, and counts whether its past is beyond it.
    fn tracked(
        &mut self,
        record: &Record,
        change: fn(&mut Self, &Record) -> Result<(), BadSnapshot>,
    ) -> Result<(), BadSnapshot> {
        let was_ahead = is_ahead(&self.kv, record.key());
        change(self, record)?;
        let is_ahead = is_ahead(&self.kv, record.key());
        self.ahead = self.ahead + u64::from(is_ahead) - u64::from(was_ahead);
        Ok(())
    }

    fn copy_to_past(&mut self, place: &Record) -> Result<(), BadSnapshot> {
        let record = at(&self.kv.live, place)?.clone();
        match self.kv.past.insert(record) {
            None => Ok(()),
            Some(_) => Err(NO_HISTORY),
        }
    }

    fn add_past(&mut self, record: &Record) -> Result<(), BadSnapshot> {
        self.check_version(record, true)?;
        self.kv.past.insert(record.clone());
        self.note(record);
        Ok(())
    }

    /// What ended it must be forgotten: then the past need not have it, and no watch asks for it.
    fn remove_past(&mut self, place: &Record) -> Result<(), BadSnapshot> {
        let is_deletion = at(&self.kv.past, place)?.is_deletion();
        self.kv.past.remove(place.place());
        let is_logged = |record: &Record| self.header.now.is_logged(record.place());
        let key = place.key();
        let next = self.kv.past.next(place.place());
        let next = next.filter(|next| next.key() == key);
        let end = next.or_else(|| self.kv.live.get(key));
        if is_logged(place) || (!is_deletion && end.is_none_or(is_logged)) {
            return Err(NO_HISTORY);
        }
        Ok(())
    }

    fn add_live(&mut self, record: &Record) -> Result<(), BadSnapshot> {
        self.check_version(record, false)?;
        let lease = record.meta().lease;
        if lease != 0 && self.kv.system.get(&system::lease(lease)).is_none() {
            return Err(NO_LEASE);
        }
        if let Some(old) = self.kv.live.insert(record.clone()) {
            self.let_go(&old)?;
        }
        self.kv.hang(lease, record.key());
        self.note(record);
        Ok(())
    }

    fn remove_live(&mut self, place: &Record) -> Result<(), BadSnapshot> {
        let old = at(&self.kv.live, place)?.clone();
        self.kv.live.remove(place.key());
        self.let_go(&old)
    }

    /// Of a record that was in `live`. If `log` has it, the past must.
    fn let_go(&mut self, old: &Record) -> Result<(), BadSnapshot> {
        self.kv.let_go(old.meta().lease, old.key());
        let is_logged = self.header.now.is_logged(old.place());
        if is_logged && self.kv.past.get(old.place()).is_none() {
            return Err(NO_HISTORY);
        }
        Ok(())
    }

    fn add_system(&mut self, record: &Record) -> Result<(), BadSnapshot> {
        let deadline = check_system(record, self.header.now.numbers).ok_or(DAMAGED)?;
        if let Some(old) = self.kv.system.insert(record.clone()) {
            self.forget_deadline(&old);
        }
        if let Some(deadline) = deadline {
            self.kv.index.insert(system::mark(&deadline));
        }
        Ok(())
    }

    fn remove_system(&mut self, place: &Record) -> Result<(), BadSnapshot> {
        let old = at(&self.kv.system, place)?.clone();
        self.kv.system.remove(place.key());
        self.forget_deadline(&old);
        let lease = system::take_lease(place.key());
        if lease.is_some_and(|lease| self.kv.keys_of(lease, &[]).next().is_some()) {
            return Err(NO_LEASE);
        }
        Ok(())
    }

    fn forget_deadline(&mut self, old: &Record) {
        if let (Some(lease), Some(terms)) =
            (system::take_lease(old.key()), Terms::decode(old.value()))
        {
            let deadline = system::deadline(terms.deadline_ms, lease);
            self.kv.index.remove(&deadline);
        }
    }

    /// Whether a new version can be, by itself and by what the past has before it.
    fn check_version(&self, record: &Record, is_past: bool) -> Result<(), BadSnapshot> {
        let now = &self.header.now;
        if record.revision() > now.numbers.revision {
            return Err(TOO_NEW);
        }
        if !is_version(record, is_past) {
            return Err(DAMAGED);
        }
        let older = last_before(&self.kv.past, record.place());
        let is_new = record.revision() > self.since;
        if !is_new || !is_whole(older, record, now.is_logged(record.place())) {
            return Err(NO_HISTORY);
        }
        Ok(())
    }

    /// Writes down what a new version says that its revision did, if that is kept.
    fn note(&mut self, record: &Record) {
        if self.header.now.is_logged(record.place()) {
            self.asked += asks(record);
            self.kv.log.insert(record.clone());
        }
    }
}

/// The record at a place that was told.
fn at<'a>(tree: &'a Tree, place: &Record) -> Result<&'a Record, BadSnapshot> {
    let found = tree.get(place.place());
    found
        .filter(|found| is_place(place) && found.revision() == place.revision())
        .ok_or(NOT_THERE)
}

/// What a key was before a revision, as far as the past has it.
fn last_before<'a>(past: &'a Tree, place: Place<'_>) -> Option<&'a Record> {
    past.below(place).filter(|last| last.key() == place.key)
}

/// Whether the past of a key does not end before what it is.
fn is_ahead(kv: &Kv, key: &[u8]) -> bool {
    let last = last_before(&kv.past, Place::new(key, u64::MAX));
    last.is_some_and(|last| match kv.live.get(key) {
        Some(live) => last.revision() >= live.revision(),
        None => !last.is_deletion(),
    })
}

/// How many records the past has for the sake of a change: what it replaced, and itself if it is a
/// deletion.
fn asks(change: &Record) -> u64 {
    match change.meta().version {
        0 => 2,
        1 => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
