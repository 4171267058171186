//! A store from the bytes of its snapshot, whatever they are.
//!
//! Every length is checked before its bytes are waited for, and every record when it is there: alone,
//! by the one before it, and the past by what followed. What would not fit makes no store.

use bytes::Bytes;
use quorate_rsm::{BadSnapshot, MachineRestore};

use super::check::{
    DAMAGED, DISORDERED, NO_HISTORY, NO_LEASE, TOO_NEW, check_system, follows, is_version,
    is_whole, take_whole, whole,
};
use super::{Header, TREES};
use crate::machine::Kv;
use crate::record::Record;
use crate::system;
use crate::tree::{LEAF_MAX, Tree, reclaim};

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

impl MachineRestore for KvRestore {
    type Machine = Kv;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        let mut rest = std::mem::take(&mut self.rest);
        take_whole(&mut rest, data, |bytes| self.take(bytes))?;
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
        header.check_totals(&kv)?;
        let last = kv.past.last();
        let ended = last.map_or(Ok(0), |last| ended_by_live(&kv, last, &header))?;
        if ended != self.awaited {
            return Err(NO_HISTORY);
        }
        header.check_digest(&kv)?;
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
        if last.is_some_and(|last| !tree.by().rises(last, &record)) {
            return Err(DISORDERED);
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
            return Err(TOO_NEW);
        }
        if self.at == SYSTEM {
            if let Some(deadline) = check_system(record, header.numbers).ok_or(DAMAGED)? {
                kv.index.insert(system::mark(&deadline));
            }
            return Ok(());
        }
        if !is_version(record, self.at > LIVE) {
            return Err(DAMAGED);
        }
        let is_logged = header.is_logged(record.place());
        if self.at == LIVE {
            // What it was must be in the past.
            self.awaited += u64::from(is_logged && meta.version != 1);
            if meta.lease != 0 {
                if kv.system.get(&system::lease(meta.lease)).is_none() {
                    return Err(NO_LEASE);
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
            if !is_whole(older.as_ref(), record, is_logged) {
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
