//! A store from the bytes of its snapshot, whatever they are.
//!
//! Every length is checked before its bytes are waited for, and every record when it is there: alone,
//! by the one before it, and the past by what followed. What would not fit makes no store.

use bytes::Bytes;
use quorate_rsm::{BadSnapshot, MachineRestore};

use super::{Header, TREES};
use crate::limits::{KEY_BYTES_MAX, NUMBER_MAX};
use crate::machine::{Kv, Numbers};
use crate::record::{Meta, Record};
use crate::system::{self, Terms};
use crate::tree::{LEAF_MAX, Tree, reclaim};
use crate::wire::ReadError;

/// A store being built from chunks of any size.
#[derive(Default)]
pub struct KvRestore {
    header: Option<Header>,
    kv: Kv,
    /// Which tree the next record belongs to.
    at: usize,
    /// The records of its next leaf.
    leaf: Vec<Record>,
    /// What live keys have before them, as far as it is kept, and the past did not bring yet.
    awaited: u64,
    /// How many bytes of records were taken.
    bytes: u64,
    /// What is not a whole header or record yet.
    rest: Vec<u8>,
}

const SYSTEM: usize = 0;
const LIVE: usize = 1;

const TOO_LONG: BadSnapshot = BadSnapshot("the store is longer than it says");
const DAMAGED: BadSnapshot = BadSnapshot("a record of the store is damaged");
const NO_HISTORY: BadSnapshot = BadSnapshot("the past of a key does not lead to what it is");

impl MachineRestore for KvRestore {
    type Machine = Kv;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(data);
        let mut used = 0;
        while used < rest.len() {
            match self.take(&rest[used..])? {
                Some(len) => used += len,
                None => break,
            }
        }
        rest.drain(..used);
        self.rest = rest;
        let bytes = self.bytes + self.rest.len() as u64;
        if self
            .header
            .as_ref()
            .is_some_and(|header| bytes > header.total())
        {
            return Err(TOO_LONG);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Kv, BadSnapshot> {
        self.flush();
        let header = self
            .header
            .ok_or(BadSnapshot("the store's header is cut short"))?;
        if !self.rest.is_empty() || self.bytes != header.total() {
            return Err(BadSnapshot("the store is cut short"));
        }
        let kv = self.kv;
        for (at, tree) in kv.carried().iter().enumerate() {
            let total = tree.total();
            if (total.count, total.bytes) != (header.counts[at], header.bytes[at]) {
                return Err(BadSnapshot(
                    "the store has another number of records than it says",
                ));
            }
        }
        let last = kv.past.last();
        let ended = last.map_or(Ok(0), |last| ended_by_live(&kv, last, &header))?;
        if ended != self.awaited {
            return Err(NO_HISTORY);
        }
        let swept = kv.swept().map(Record::place);
        if swept.map_or((0, &[][..]), |swept| (swept.revision, swept.key))
            != (header.swept.0, &header.swept.1[..])
        {
            return Err(BadSnapshot("the oldest change is another than it says"));
        }
        if kv.digest() != header.digest {
            return Err(BadSnapshot("the store's digest differs"));
        }
        Ok(kv)
    }
}

impl KvRestore {
    /// Takes the header or a record from the front, and says how long it was; none if it is not
    /// all there.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, BadSnapshot> {
        let Some(header) = &self.header else {
            let parsed = Header::parse(bytes);
            let header = whole(parsed, BadSnapshot("the store's header is damaged"))?;
            return Ok(header.map(|(header, len)| {
                self.kv.numbers = header.numbers;
                self.header = Some(header);
                len
            }));
        };
        let Some((record, len)) = whole(Record::parse(bytes), DAMAGED)? else {
            return Ok(None);
        };
        self.bytes += len as u64;
        let counts = header.counts;
        while self.at < TREES && self.taken() == counts[self.at] {
            self.flush();
            self.at += 1;
        }
        if self.at == TREES {
            return Err(TOO_LONG);
        }
        let tree = self.kv.carried()[self.at];
        let last = self.leaf.last().or_else(|| tree.last());
        if last.is_some_and(|last| !tree.rises(last, &record)) {
            return Err(BadSnapshot("the records are not in order"));
        }
        let last = last.cloned();
        self.check(&record, last)?;
        self.leaf.push(record);
        if self.leaf.len() == LEAF_MAX {
            self.flush();
        }
        Ok(Some(len))
    }

    /// How many records of the tree there are.
    fn taken(&self) -> u64 {
        self.kv.carried()[self.at].total().count + self.leaf.len() as u64
    }

    /// Whether a record can stand where it does; notes what follows from it. `last` is the one before
    /// it in its tree.
    fn check(&mut self, record: &Record, last: Option<Record>) -> Result<(), BadSnapshot> {
        let (kv, header) = match &self.header {
            Some(header) => (&mut self.kv, header),
            None => return Err(DAMAGED),
        };
        let (key, meta) = (record.key(), record.meta());
        if meta.mod_revision > header.numbers.revision {
            return Err(BadSnapshot("a record is newer than the store"));
        }
        if self.at == SYSTEM {
            if let Some(deadline) = check_system(record, header.numbers).ok_or(DAMAGED)? {
                kv.index.insert(system::mark(&deadline));
            }
            return Ok(());
        }
        let is_deletion = meta == Meta::deleted(meta.mod_revision) && record.value().is_empty();
        let is_possible = meta.is_possible() || (self.at > LIVE && is_deletion);
        if key.len() > KEY_BYTES_MAX || !is_possible {
            return Err(DAMAGED);
        }
        let is_logged = header.is_logged(record.place());
        // Whether the past has, or must have, a version before it.
        let is_next = meta.version != 1;
        if self.at == LIVE {
            self.awaited += u64::from(is_logged && is_next);
            if meta.lease != 0 {
                if kv.system.get(&system::lease(meta.lease)).is_none() {
                    return Err(BadSnapshot("a key hangs on a lease that is not there"));
                }
                let hanging = system::hanging(meta.lease, key);
                kv.index.insert(system::mark(&hanging));
            }
        } else {
            let older = match last {
                Some(last) if last.key() == key => Some(last),
                Some(last) => {
                    let ended = ended_by_live(kv, &last, header)?;
                    self.awaited = self.awaited.checked_sub(ended).ok_or(NO_HISTORY)?;
                    None
                }
                None => None,
            };
            let is_whole = match older {
                Some(older) => is_logged && follows(older.meta(), meta),
                None if is_deletion => false,
                None => !is_next || !is_logged,
            };
            if !is_whole {
                return Err(NO_HISTORY);
            }
        }
        if is_logged {
            kv.log.insert(record.clone());
        }
        Ok(())
    }

    fn flush(&mut self) {
        reclaim::free(reclaim::AT_COMMAND);
        let leaf = std::mem::take(&mut self.leaf);
        let trees = [&mut self.kv.system, &mut self.kv.live, &mut self.kv.past];
        if let Some(tree) = trees.into_iter().nth(self.at) {
            tree.append(Tree::from_leaf(tree.by(), leaf));
        }
    }
}

/// Whether the last version of a key in the past leads to what the key is; how many live keys have it
/// before them, one or none.
fn ended_by_live(kv: &Kv, last: &Record, header: &Header) -> Result<u64, BadSnapshot> {
    let is_deletion = last.is_deletion();
    match kv.live.get(last.key()) {
        None if is_deletion => Ok(0),
        Some(live) if follows(last.meta(), live.meta()) && header.is_logged(live.place()) => {
            Ok(u64::from(!is_deletion))
        }
        None | Some(_) => Err(NO_HISTORY),
    }
}

/// Whether a version of a key, or its deletion, can come next after another.
fn follows(older: Meta, newer: Meta) -> bool {
    let is_later = newer.mod_revision > older.mod_revision;
    let fits = match (older.version, newer.version) {
        (0, 0) => false,
        (0, _) => {
            newer
                == Meta {
                    lease: newer.lease,
                    ..Meta::created(newer.mod_revision)
                }
        }
        (_, 0) => true,
        _ => newer.create_revision == older.create_revision && newer.version == older.version + 1,
    };
    is_later && fits
}

/// Whether it is a record of leases or times; of a lease, its deadline as the index has it.
fn check_system(record: &Record, numbers: Numbers) -> Option<Option<Vec<u8>>> {
    if !system::is_no_meta(record.meta()) {
        return None;
    }
    if let Some(id) = system::take_lease(record.key()) {
        let terms = Terms::decode(record.value())?;
        let is_possible = (1..=NUMBER_MAX).contains(&id)
            && terms.deadline_ms >= terms.ttl_ms
            && terms.deadline_ms <= numbers.time_ms.saturating_add(terms.ttl_ms);
        return is_possible.then(|| Some(system::deadline(terms.deadline_ms, id)));
    }
    let (time_ms, revision) = system::take_time(record)?;
    (time_ms <= numbers.time_ms && revision <= numbers.revision).then_some(None)
}

/// What was parsed, or none if it is not all there.
fn whole<T>(parsed: Result<T, ReadError>, damage: BadSnapshot) -> Result<Option<T>, BadSnapshot> {
    match parsed {
        Ok(parsed) => Ok(Some(parsed)),
        Err(ReadError::Short) => Ok(None),
        Err(ReadError::Bad) => Err(damage),
    }
}
