//! A shard on its way to this group: copies of it, one after another, each in pieces.
//!
//! The first copy is the whole shard, each further one what changed since the last; the final one, made
//! after the shard was frozen, brings its sessions and its time, too. All pieces come through the
//! group's log, so every node has the same, and whoever leads next goes on from there.

use bytes::Bytes;
use crc::{CRC_32_ISO_HDLC, Crc};
use quorate_kv::{Kv, KvPatch, KvRestore};
use quorate_raft::NodeId;
use quorate_rsm::{BadSnapshot, MachineRestore, StateMachine};

use crate::config::GroupId;
use crate::protocol::{Stage, StoreError};
use crate::shard::Clients;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// The checksum of a piece: CRC-32 (ISO-HDLC).
#[must_use]
pub fn checksum(data: &[u8]) -> u32 {
    CRC.checksum(data)
}

/// What has come of a shard so far.
pub(crate) struct Arrival {
    /// Who gives it.
    pub(crate) from: GroupId,
    /// Its nodes, when it still was in the configuration.
    pub(crate) nodes: Vec<NodeId>,
    /// The shard as of a mark of the giver.
    pub(crate) base: Option<(u64, Kv)>,
    /// Copies that are complete.
    pub(crate) copies: u32,
    /// Bytes of the last one.
    pub(crate) last_bytes: u64,
    /// The copy under way.
    pub(crate) copy: Option<Copy>,
}

/// One copy, as far as it is here.
pub(crate) struct Copy {
    pub(crate) mark: u64,
    pub(crate) base: Option<u64>,
    pub(crate) is_final: bool,
    /// Kept to be written into snapshots: what is built of them cannot be.
    pub(crate) pieces: Vec<Bytes>,
    /// Theirs.
    pub(crate) bytes: u64,
    building: Building,
}

/// A shard that is all here.
pub(crate) struct Arrived {
    pub(crate) kv: Kv,
    pub(crate) clients: Clients,
    /// The shard's time when it was frozen.
    pub(crate) time_ms: u64,
}

/// What a piece came to.
pub(crate) enum Staged {
    /// More will come.
    Taken,
    /// It was the last of the final copy.
    Arrived(Box<Arrived>),
}

struct Building {
    /// The head of a final copy, until it is whole.
    head: Option<Vec<u8>>,
    clients: Option<(u64, Clients)>,
    body: Body,
}

enum Body {
    Whole(Box<KvRestore>),
    Change(Box<KvPatch>),
}

impl Arrival {
    pub(crate) fn new(from: GroupId, nodes: Vec<NodeId>) -> Self {
        Self {
            from,
            nodes,
            base: None,
            copies: 0,
            last_bytes: 0,
            copy: None,
        }
    }

    /// Takes the next piece. A first piece begins a copy, whatever came of another before.
    pub(crate) fn stage(&mut self, stage: &Stage) -> Result<Staged, StoreError> {
        if checksum(&stage.data) != stage.crc {
            return Err(StoreError::BadChunk);
        }
        if stage.number == 0 {
            let has = self.base.as_ref().map(|(mark, _)| *mark);
            if stage.base.is_some() && stage.base != has {
                return Err(StoreError::OutOfOrder);
            }
        } else if !self.copy.as_ref().is_some_and(|copy| copy.expects(stage)) {
            return Err(StoreError::OutOfOrder);
        }
        let copy = match stage.number {
            0 => self.copy.insert(Copy::new(stage, self.base.as_ref())),
            _ => self.copy.as_mut().ok_or(StoreError::OutOfOrder)?,
        };
        let taken = copy.take(&stage.data);
        if taken.is_ok() && !stage.done {
            return Ok(Staged::Taken);
        }
        // It is complete, or of no use.
        let copy = self.copy.take().ok_or(StoreError::OutOfOrder)?;
        let bytes = copy.bytes;
        let (kv, clients) = taken
            .and_then(|()| copy.building.finish())
            .map_err(|_| StoreError::BadChunk)?;
        match clients {
            Some((time_ms, clients)) => Ok(Staged::Arrived(Box::new(Arrived {
                kv,
                clients,
                time_ms,
            }))),
            None => {
                self.base = Some((copy.mark, kv));
                self.copies += 1;
                self.last_bytes = bytes;
                Ok(Staged::Taken)
            }
        }
    }

    /// Builds again what the pieces of the copy under way come to, after they were read from a snapshot.
    pub(crate) fn rebuild(&mut self) -> Result<(), BadSnapshot> {
        let base = self.base.as_ref();
        match &mut self.copy {
            Some(copy) => copy.rebuild(base),
            None => Ok(()),
        }
    }
}

impl Copy {
    /// A copy of which nothing was looked at yet: see [`Arrival::rebuild`].
    pub(crate) fn stored(mark: u64, base: Option<u64>, is_final: bool) -> Self {
        Self {
            mark,
            base,
            is_final,
            pieces: Vec::new(),
            bytes: 0,
            building: Building::new(is_final, None),
        }
    }

    fn new(stage: &Stage, has: Option<&(u64, Kv)>) -> Self {
        let base = has.filter(|(mark, _)| stage.base == Some(*mark));
        Self {
            mark: stage.mark,
            base: stage.base,
            is_final: stage.is_final,
            pieces: Vec::new(),
            bytes: 0,
            building: Building::new(stage.is_final, base.map(|(_, kv)| kv)),
        }
    }

    fn expects(&self, stage: &Stage) -> bool {
        (self.mark, self.base, self.is_final) == (stage.mark, stage.base, stage.is_final)
            && self.pieces.len() == stage.number as usize
    }

    /// Adds a piece, without looking at it.
    pub(crate) fn keep(&mut self, piece: Bytes) {
        self.bytes += piece.len() as u64;
        self.pieces.push(piece);
    }

    fn take(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        self.keep(data.clone());
        self.building.take(data)
    }

    fn rebuild(&mut self, has: Option<&(u64, Kv)>) -> Result<(), BadSnapshot> {
        let base = has.filter(|(mark, _)| self.base == Some(*mark));
        if self.base.is_some() && base.is_none() {
            return Err(BadSnapshot("a copy stands on a mark that is not there"));
        }
        self.building = Building::new(self.is_final, base.map(|(_, kv)| kv));
        self.pieces
            .iter()
            .try_for_each(|piece| self.building.take(piece))
    }
}

/// Bytes of the length before a head.
const LENGTH: usize = 4;

impl Building {
    fn new(is_final: bool, base: Option<&Kv>) -> Self {
        Self {
            head: is_final.then(Vec::new),
            clients: None,
            body: match base {
                Some(kv) => Body::Change(Box::new(KvPatch::new(kv.clone()))),
                None => Body::Whole(Box::new(Kv::restore())),
            },
        }
    }

    fn take(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        let Some(mut head) = self.head.take() else {
            return self.body.take(data);
        };
        let before = head.len();
        head.extend_from_slice(data);
        let length = head.first_chunk::<LENGTH>().copied();
        let end = length.map(|length| LENGTH + u32::from_le_bytes(length) as usize);
        let Some(end) = end.filter(|end| *end <= head.len()) else {
            self.head = Some(head);
            return Ok(());
        };
        head.truncate(end);
        let clients = Clients::read(&Bytes::from(head).slice(LENGTH..));
        self.clients = Some(clients.ok_or(BadSnapshot("the sessions are malformed"))?);
        self.body.take(&data.slice(end - before..))
    }

    fn finish(self) -> Result<(Kv, Option<(u64, Clients)>), BadSnapshot> {
        if self.head.is_some() {
            return Err(BadSnapshot("the sessions are cut short"));
        }
        let kv = match self.body {
            Body::Whole(restore) => restore.finish()?,
            Body::Change(patch) => patch.finish()?,
        };
        Ok((kv, self.clients))
    }
}

impl Body {
    fn take(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        if data.is_empty() {
            return Ok(());
        }
        match self {
            Self::Whole(restore) => restore.chunk(data),
            Self::Change(patch) => patch.chunk(data),
        }
    }
}
