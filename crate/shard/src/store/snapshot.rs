//! A group's state as bytes, and back.
//!
//! First the length of the head, then the head: which group, its configuration, of each shard its
//! phase, clock and sessions and the lengths of what follows; then shard by shard its store (of one
//! that arrives, the last complete copy) and the pieces of a copy under way.

use std::collections::VecDeque;

use bytes::Bytes;
use quorate_kv::{Kv, KvRestore};
use quorate_raft::{NodeId, Table};
use quorate_rsm::wire::{Reader, Writer};
use quorate_rsm::{BadSnapshot, MachineRestore, MachineSnapshot, Sessions, StateMachine};

use super::ShardStore;
use crate::arrival::{Arrival, Copy};
use crate::config::{Configuration, GroupId, ShardId};
use crate::shard::{Clients, Frozen, Phase, Shard};
use crate::stream::{Part, Stream};

const FORMAT: u8 = 1;

const SERVING: u8 = 0;
const LEAVING: u8 = 1;
const FROZEN: u8 = 2;
const ARRIVING: u8 = 3;

/// A group's state as of one entry.
pub struct ShardSnapshot(Stream);

impl ShardSnapshot {
    pub(super) fn new(store: &ShardStore) -> Self {
        let mut head = Writer::new();
        let mut body = Vec::new();
        head.byte(FORMAT);
        head.number(u64::from(store.group.0));
        store.configuration.encode(&mut head);
        head.number(store.shards.len() as u64);
        for (id, shard) in store.shards.iter() {
            head.number(u64::from(id.0));
            write_shard(shard, &mut head, &mut body);
        }
        let head = head.finish();
        let mut stream = Stream::default();
        let length = Bytes::copy_from_slice(&(head.len() as u64).to_le_bytes());
        stream.push(Part::Bytes(length));
        stream.push(Part::Bytes(head.into()));
        body.into_iter().for_each(|part| stream.push(part));
        Self(stream)
    }
}

fn write_shard(shard: &Shard, head: &mut Writer, body: &mut Vec<Part>) {
    let store = |kv: &Kv, head: &mut Writer, body: &mut Vec<Part>| {
        let state = kv.snapshot();
        head.number(state.len());
        body.push(Part::State(Box::new(state)));
    };
    match &shard.phase {
        Phase::Serving => head.byte(SERVING),
        Phase::Leaving { to, .. } => {
            head.byte(LEAVING);
            head.number(u64::from(to.0));
        }
        Phase::Frozen(frozen) => {
            head.byte(FROZEN);
            head.number(u64::from(frozen.to.0));
            head.number(frozen.time_ms);
            head.number(frozen.mark);
        }
        Phase::Arriving(arrival) => {
            head.byte(ARRIVING);
            head.number(u64::from(arrival.from.0));
            head.number(arrival.nodes.len() as u64);
            arrival.nodes.iter().for_each(|node| head.number(node.0));
            head.number(u64::from(arrival.copies));
            head.number(arrival.last_bytes);
            head.number(arrival.base.as_ref().map_or(0, |(mark, _)| *mark));
            if let Some((_, kv)) = &arrival.base {
                store(kv, head, body);
            }
            head.number(arrival.copy.as_ref().map_or(0, |copy| copy.mark));
            if let Some(copy) = &arrival.copy {
                head.number(copy.base.unwrap_or(0));
                head.byte(u8::from(copy.is_final));
                head.number(copy.pieces.len() as u64);
                for piece in &copy.pieces {
                    head.number(piece.len() as u64);
                    body.push(Part::Bytes(piece.clone()));
                }
            }
            return;
        }
    }
    head.number(shard.offset_ms.cast_unsigned());
    head.number(shard.clients.last);
    shard.clients.sessions.encode(head);
    store(&shard.kv, head, body);
}

impl MachineSnapshot for ShardSnapshot {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        self.0.chunk(number, max_bytes)
    }

    fn format(&self) -> u32 {
        u32::from(FORMAT) << 8 | Kv::new().snapshot().format()
    }
}

/// A group's state being built from chunks of any size.
#[derive(Default)]
pub struct ShardRestore {
    /// The length and the head, until they are whole.
    head: Vec<u8>,
    built: Option<Built>,
}

struct Built {
    store: ShardStore,
    /// What still follows.
    parts: VecDeque<Coming>,
}

/// A part that comes.
struct Coming {
    shard: ShardId,
    left: u64,
    what: What,
}

enum What {
    Store(Box<KvRestore>),
    Piece(Vec<u8>),
}

const BAD_HEAD: BadSnapshot = BadSnapshot("the head of the group's state is malformed");
const LENGTH: usize = 8;

impl MachineRestore for ShardRestore {
    type Machine = ShardStore;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        if let Some(built) = &mut self.built {
            return built.take(data.clone());
        }
        let before = self.head.len();
        self.head.extend_from_slice(data);
        let Some(length) = self.head.first_chunk::<LENGTH>() else {
            return Ok(());
        };
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| BAD_HEAD)?;
        let end = LENGTH.checked_add(length).ok_or(BAD_HEAD)?;
        if end > self.head.len() {
            return Ok(());
        }
        let mut head = core::mem::take(&mut self.head);
        head.truncate(end);
        let built = read_head(&Bytes::from(head).slice(LENGTH..)).ok_or(BAD_HEAD)?;
        let rest = data.slice(end - before..);
        self.built.insert(built).take(rest)
    }

    fn finish(self) -> Result<ShardStore, BadSnapshot> {
        let mut built = self.built.ok_or(BAD_HEAD)?;
        built.take(Bytes::new())?;
        if !built.parts.is_empty() {
            return Err(BadSnapshot("the group's state is cut short"));
        }
        let mut store = built.store;
        let ids: Vec<ShardId> = store.shards.keys().collect();
        for id in ids {
            if let Some(Shard {
                phase: Phase::Arriving(arrival),
                ..
            }) = store.shards.get_mut(id)
            {
                arrival.rebuild()?;
            }
            store.note_due(id);
        }
        Ok(store)
    }
}

impl Built {
    /// Gives the bytes to the parts that they are of.
    fn take(&mut self, mut data: Bytes) -> Result<(), BadSnapshot> {
        loop {
            let Some(part) = self.parts.front_mut() else {
                return match data.is_empty() {
                    true => Ok(()),
                    false => Err(BadSnapshot("the group's state is longer than it says")),
                };
            };
            let len = data
                .len()
                .min(usize::try_from(part.left).unwrap_or(usize::MAX));
            let piece = data.split_to(len);
            part.left -= len as u64;
            match &mut part.what {
                What::Store(_) if piece.is_empty() => {}
                What::Store(restore) => restore.chunk(&piece)?,
                What::Piece(bytes) => bytes.extend_from_slice(&piece),
            }
            if part.left > 0 {
                return Ok(());
            }
            let whole = self.parts.pop_front();
            whole.map_or(Ok(()), |part| self.place(part))?;
        }
    }

    /// Puts a part that is whole where it belongs.
    fn place(&mut self, part: Coming) -> Result<(), BadSnapshot> {
        let shard = self.store.shards.get_mut(part.shard).ok_or(BAD_HEAD)?;
        match (part.what, &mut shard.phase) {
            (What::Store(restore), Phase::Arriving(arrival)) => {
                if let Some((_, kv)) = &mut arrival.base {
                    *kv = restore.finish()?;
                }
            }
            (What::Store(restore), _) => shard.kv = restore.finish()?,
            (What::Piece(bytes), Phase::Arriving(arrival)) => {
                if let Some(copy) = &mut arrival.copy {
                    copy.keep(bytes.into());
                }
            }
            (What::Piece(_), _) => return Err(BAD_HEAD),
        }
        Ok(())
    }
}

fn read_head(bytes: &Bytes) -> Option<Built> {
    let mut reader = Reader::new(bytes);
    if reader.byte() != FORMAT {
        return None;
    }
    let mut built = Built {
        store: ShardStore {
            group: group(&mut reader),
            configuration: Configuration::decode(&mut reader),
            shards: Table::default(),
            due: Table::default(),
        },
        parts: VecDeque::new(),
    };
    for _ in 0..reader.count(3) {
        let id = ShardId(u32::try_from(reader.number()).ok()?);
        let shard = read_shard(id, &mut reader, &mut built.parts);
        let is_known = (id.0 as usize) < built.store.configuration.shards.len();
        if !is_known || built.store.shards.insert(id, shard).is_some() {
            return None;
        }
    }
    reader.end().ok()?;
    Some(built)
}

fn read_shard(id: ShardId, reader: &mut Reader<'_>, parts: &mut VecDeque<Coming>) -> Shard {
    let mut store = |reader: &mut Reader<'_>| {
        parts.push_back(Coming {
            shard: id,
            left: reader.number(),
            what: What::Store(Box::new(Kv::restore())),
        });
    };
    let mut phase = match reader.byte() {
        SERVING => Phase::Serving,
        LEAVING => Phase::Leaving {
            to: group(reader),
            marks: Vec::new(),
        },
        // Its head is written down again when its sessions are there.
        FROZEN => Phase::Frozen(Box::new(Frozen {
            to: group(reader),
            time_ms: reader.number(),
            mark: reader.number(),
            head: Bytes::new(),
            since: None,
        })),
        tag => {
            if tag != ARRIVING {
                reader.refuse("an unknown phase");
            }
            let from = group(reader);
            let nodes = reader.list(1, |reader| NodeId(reader.number()));
            let mut arrival = Arrival::new(from, nodes);
            arrival.copies = u32::try_from(reader.number()).unwrap_or_default();
            arrival.last_bytes = reader.number();
            let base = reader.number();
            if base > 0 {
                arrival.base = Some((base, Kv::new()));
                store(reader);
            }
            let mark = reader.number();
            if mark > 0 {
                let base = Some(reader.number()).filter(|base| *base > 0);
                let is_final = reader.byte() == 1;
                let lengths = reader.list(1, Reader::number);
                for left in lengths {
                    let what = What::Piece(Vec::new());
                    parts.push_back(Coming {
                        shard: id,
                        left,
                        what,
                    });
                }
                arrival.copy = Some(Copy::stored(mark, base, is_final));
            }
            return Shard::new(Phase::Arriving(Box::new(arrival)));
        }
    };
    let offset_ms = reader.number().cast_signed();
    let clients = Clients {
        last: reader.number(),
        sessions: Sessions::decode(reader),
    };
    store(reader);
    if let Phase::Frozen(frozen) = &mut phase {
        frozen.head = clients.written(frozen.time_ms);
    }
    Shard {
        clients,
        offset_ms,
        ..Shard::new(phase)
    }
}

fn group(reader: &mut Reader<'_>) -> GroupId {
    let number = reader.number();
    GroupId(u32::try_from(number).unwrap_or_else(|_| reader.fail("no group has such an id")))
}
