//! The node's snapshots: the machine's state together with the sessions, as one sequence of chunks.
//!
//! Chunk zero holds log time and the session table, the rest are the machine's. The images in force
//! share memory with the live state, and their chunks are cut when they are needed: for storage one
//! by one, for a follower as it asks.

use bytes::Bytes;
use quorate_raft::{Index, SnapshotChunk, StateDigest};

use crate::machine::{BadSnapshot, MachineRestore, MachineSnapshot, StateMachine};
use crate::session::Sessions;
use crate::varint::{Reader, Writer};

/// Version of chunk zero.
const HEAD_FORMAT: u64 = 1;

/// The state as of `index`.
pub(crate) struct Image<M: StateMachine> {
    index: Index,
    time_ms: u64,
    sessions: Sessions,
    machine: M::Snapshot,
    /// Its size, as far as its chunks were stored.
    bytes: u64,
}

impl<M: StateMachine> Image<M> {
    pub(crate) fn new(index: Index, machine: &M, sessions: &Sessions, time_ms: u64) -> Self {
        Self {
            index,
            time_ms,
            sessions: sessions.clone(),
            machine: machine.snapshot(),
            bytes: 0,
        }
    }

    /// Log time of the state.
    pub(crate) fn time_ms(&self) -> u64 {
        self.time_ms
    }

    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        let Some(number) = number.checked_sub(1) else {
            let mut writer = Writer::new();
            writer.number(self.time_ms);
            self.sessions.encode(&mut writer);
            return (Bytes::from(writer.finish()), false);
        };
        self.machine.chunk(number, max_bytes)
    }
}

/// The images a node can send from, and the one it is storing.
pub(crate) struct Snapshots<M: StateMachine> {
    /// The one before, which a follower may still be receiving.
    previous: Option<Image<M>>,
    current: Image<M>,
    taking: Option<Taking<M>>,
}

struct Taking<M: StateMachine> {
    image: Image<M>,
    /// The next chunk to store; `None` when all were handed out.
    next: Option<u32>,
    /// At a checkpoint, the hash of all bytes so far, wherever they were cut (FNV-1a).
    hash: Option<u64>,
}

impl<M: StateMachine> Snapshots<M> {
    pub(crate) fn new(current: Image<M>) -> Self {
        Self {
            previous: None,
            current,
            taking: None,
        }
    }

    /// The index of the latest one, durable or not.
    pub(crate) fn latest(&self) -> Index {
        self.current.index
    }

    /// Its size in bytes.
    pub(crate) fn latest_bytes(&self) -> u64 {
        self.current.bytes
    }

    pub(crate) fn is_taking(&self) -> bool {
        self.taking.is_some()
    }

    pub(crate) fn begin(&mut self, image: Image<M>, is_checkpoint: bool) {
        self.taking = Some(Taking {
            image,
            next: Some(0),
            hash: is_checkpoint.then_some(0xcbf2_9ce4_8422_2325),
        });
    }

    pub(crate) fn abandon(&mut self) {
        self.taking = None;
    }

    /// The next chunk to store, and whether it is the last.
    pub(crate) fn next_chunk(&mut self, max_bytes: usize) -> Option<(SnapshotChunk, bool)> {
        let taking = self.taking.as_mut()?;
        let number = taking.next?;
        let (data, done) = taking.image.chunk(number, max_bytes);
        taking.next = (!done).then_some(number + 1);
        taking.image.bytes += data.len() as u64;
        taking.hash = taking.hash.map(|hash| {
            let mix =
                |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            data.iter().fold(hash, mix)
        });
        Some((
            SnapshotChunk {
                snapshot: taking.image.index,
                number,
                data,
            },
            done,
        ))
    }

    /// What the state at a checkpoint comes to, once all its chunks were handed out.
    pub(crate) fn digest(&self) -> Option<StateDigest> {
        let taking = self
            .taking
            .as_ref()
            .filter(|taking| taking.next.is_none())?;
        let hash = taking.hash?;
        let Image { index, machine, .. } = &taking.image;
        Some(StateDigest {
            index: *index,
            format: u64::from(machine.format()) << 8 | HEAD_FORMAT,
            hash,
        })
    }

    /// The snapshot at `durable` is the latest that counts.
    pub(crate) fn handle_persisted(&mut self, durable: Index) {
        if let Some(taking) = self.taking.take_if(|taking| taking.image.index <= durable) {
            let image = taking.image;
            self.previous = Some(core::mem::replace(&mut self.current, image));
        }
    }

    /// A chunk for a follower; `None` if that snapshot is no longer kept.
    pub(crate) fn chunk(
        &mut self,
        snapshot: Index,
        number: u32,
        max_bytes: usize,
    ) -> Option<(Bytes, bool)> {
        let mut kept = self.previous.iter_mut().chain([&mut self.current]);
        Some(
            kept.find(|image| image.index == snapshot)?
                .chunk(number, max_bytes),
        )
    }
}

/// A node's state being built from chunks.
pub(crate) struct Restoring<M: StateMachine> {
    index: Index,
    head: Option<(u64, Sessions)>,
    machine: M::Restore,
    bytes: u64,
}

impl<M: StateMachine> Restoring<M> {
    pub(crate) fn new(index: Index, replaced: &M) -> Self {
        Self {
            index,
            head: None,
            machine: replaced.restore_in_place(),
            bytes: 0,
        }
    }

    pub(crate) fn index(&self) -> Index {
        self.index
    }

    pub(crate) fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        self.bytes += data.len() as u64;
        if self.head.is_some() {
            return self.machine.chunk(data);
        }
        let mut reader = Reader::new(data);
        let head = (reader.number(), Sessions::decode(&mut reader));
        reader
            .end()
            .map_err(|_| BadSnapshot("the head is malformed"))?;
        self.head = Some(head);
        Ok(())
    }

    /// The state, and the image that it came from.
    pub(crate) fn finish(self) -> Result<(M, Sessions, Image<M>), BadSnapshot> {
        let (time_ms, sessions) = self.head.ok_or(BadSnapshot("the head is missing"))?;
        let machine = self.machine.finish()?;
        let image = Image {
            bytes: self.bytes,
            ..Image::new(self.index, &machine, &sessions, time_ms)
        };
        Ok((machine, sessions, image))
    }
}
