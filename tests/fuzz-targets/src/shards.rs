//! Two groups of a sharded store that take commands and queries, well-formed or not, among them the
//! steps of migrations from one to the other; then their snapshots.
//!
//! Every answer can be read, what is refused changes nothing, and a group comes back from a snapshot
//! that is cut anywhere.

use bytes::Bytes;
use quorate_raft::{Index, NodeId, Term};
use quorate_rsm::{ApplyContext, MachineRestore, MachineSnapshot, SessionId, StateMachine};
use quorate_shard::{
    Body, Command, Configuration, GroupId, GroupInfo, Place, Query, Reply, ShardId, ShardStore,
    Stage, StoreError, checksum,
};

use crate::commands;
use crate::source::Source;

const SHARDS: u32 = 3;
const BYTES_MAX: usize = 1 << 20;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    match source.below(8) {
        0 => run_snapshot(&mut source),
        1 => run_codecs(&Bytes::copy_from_slice(source.rest())),
        _ => run_groups(&mut source),
    }
}

/// Any bytes, as everything that they may be.
fn run_codecs(data: &Bytes) {
    if let Ok(command) = Command::decode(data) {
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    }
    if let Ok(query) = Query::decode(data) {
        assert_eq!(Query::decode(&query.encode()), Ok(query));
    }
    if let Ok(reply) = Reply::decode(data) {
        assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }
}

/// A stream, in chunks of one size; the length of its head is made right.
fn run_snapshot(source: &mut Source<'_>) {
    let size = 1 + usize::from(source.byte());
    let (head, body) = (source.bytes(), source.rest());
    let length = (head.len() as u64).to_le_bytes();
    let whole = [&length[..], &head[..], body].concat();
    if let Some(store) = restore::<ShardStore>(&whole, size) {
        check_snapshot(&store, size);
    }
}

/// Chunks of `size` make the same again.
fn check_snapshot(store: &ShardStore, size: usize) {
    let whole = stream(store);
    let restored = restore::<ShardStore>(&whole, size).expect("its own snapshot");
    assert_eq!(stream(&restored), whole);
}

/// A machine from its snapshot, in chunks of one size, if it is one.
pub(crate) fn restore<M: StateMachine>(stream: &[u8], size: usize) -> Option<M>
where
    M::Restore: MachineRestore<Machine = M>,
{
    let mut restore = M::restore();
    for chunk in stream.chunks(size) {
        restore.chunk(&Bytes::copy_from_slice(chunk)).ok()?;
    }
    restore.finish().ok()
}

/// A machine's snapshot.
pub(crate) fn stream<M: StateMachine>(machine: &M) -> Vec<u8> {
    let mut snapshot = machine.snapshot();
    let (mut whole, mut number) = (Vec::new(), 0);
    loop {
        let (chunk, done) = snapshot.chunk(number, BYTES_MAX);
        whole.extend_from_slice(&chunk);
        number += 1;
        if done {
            return whole;
        }
    }
}

/// A group, and its log.
struct Group {
    store: ShardStore,
    index: u64,
    time_ms: u64,
    /// That it made.
    marks: Vec<u64>,
}

impl Group {
    fn apply(&mut self, command: &Bytes) {
        self.index += 1;
        self.time_ms += 1;
        let context = ApplyContext {
            index: Index(self.index),
            term: Term(1),
            time_ms: self.time_ms,
        };
        // What time alone does is done before, so that the rest is the command's.
        self.store.tick(&context);
        let before = stream(&self.store);
        let reply = Reply::decode(&self.store.apply(&context, command));
        match reply.expect("a reply can be read") {
            // Of a copy that cannot be right nothing is kept.
            Reply::Failed(StoreError::BadChunk) => {}
            Reply::Failed(_) | Reply::Elsewhere(_) | Reply::NotYet { .. } | Reply::Gone => {
                assert_eq!(stream(&self.store), before);
            }
            Reply::Marked { mark, .. } => self.marks.push(mark),
            Reply::Done(_) | Reply::Refused(_) | Reply::Ok => {}
            Reply::Chunk { .. } | Reply::MarkLost => panic!("a command is no query"),
        }
    }

    /// One of its marks, mostly a late one; or any.
    fn mark(&self, source: &mut Source<'_>) -> u64 {
        let back = source.below(4) as usize;
        match self.marks.iter().rev().nth(back) {
            Some(mark) => *mark,
            None => source.near(4).max(1),
        }
    }

    fn ask(&self, query: &Bytes) -> Reply {
        Reply::decode(&self.store.query(query)).expect("a reply can be read")
    }
}

fn run_groups(source: &mut Source<'_>) {
    let size = 1 + usize::from(source.byte());
    let mut groups = [1, 2].map(|group| {
        let mut it = Group {
            store: ShardStore::default(),
            index: 0,
            time_ms: u64::from(group) * 1_000,
            marks: Vec::new(),
        };
        let found = Command::Found {
            group: GroupId(group),
            shards: SHARDS,
        };
        if source.below(8) > 0 {
            it.apply(&found.encode());
        }
        it
    });
    while !source.is_empty() {
        let at = source.below(2) as usize;
        match source.below(12) {
            0 => groups[at].apply(&source.bytes()),
            1 => drop(groups[at].ask(&source.bytes())),
            2 => {
                let query = commands::query(source);
                let shard = shard(source);
                groups[at].ask(&Query::Ask { shard, query }.encode());
            }
            3 | 4 => bring(&mut groups, at, source),
            5 => {
                let number = groups[at].store.configuration().number;
                let next = Command::Adopt(configuration(source, number + 1)).encode();
                groups.iter_mut().for_each(|group| group.apply(&next));
            }
            _ => {
                let number = groups[at].store.configuration().number;
                let base = source.flag().then(|| groups[at].mark(source));
                let command = command(source, number, base);
                groups[at].apply(&command.encode());
            }
        }
    }
    for group in &groups {
        check_snapshot(&group.store, size);
    }
}

/// A copy of a shard from the other group, perhaps the final one, and perhaps altered on its way.
fn bring(groups: &mut [Group; 2], to: usize, source: &mut Source<'_>) {
    let shard = shard(source);
    let taker = &groups[to].store;
    let config = taker.configuration().number;
    let place = taker.places().find(|(it, _)| *it == shard);
    let base = match place {
        Some((_, Place::Arriving(progress))) if source.flag() => progress.base,
        _ => None,
    };
    let is_final = source.flag();
    let giver = &mut groups[1 - to];
    giver.apply(&match is_final {
        true => Command::Freeze {
            shard,
            config,
            base,
        }
        .encode(),
        false => Command::Mark {
            shard,
            config,
            base,
        }
        .encode(),
    });
    let mark = giver.mark(source);
    let max_bytes = 16 + 4 * u32::from(source.byte());
    let mut bad = source.byte();
    for number in 0..64 {
        let query = Query::Chunk {
            shard,
            config,
            mark,
            base,
            number,
            max_bytes,
        };
        let Reply::Chunk {
            done,
            total,
            mut data,
            ..
        } = groups[1 - to].ask(&query.encode())
        else {
            return;
        };
        assert!(data.len() as u64 <= total && data.len() as u32 <= max_bytes);
        bad = bad.wrapping_add(1);
        if bad == 0 {
            data = source.bytes();
        }
        let stage = Stage {
            shard,
            config,
            mark,
            base,
            is_final,
            number,
            done,
            crc: checksum(&data),
            data,
        };
        groups[to].apply(&Command::Stage(stage).encode());
        if done {
            return;
        }
    }
}

/// A command that a group at a configuration may meet.
fn command(source: &mut Source<'_>, number: u64, base: Option<u64>) -> Command {
    let shard = shard(source);
    let config = match source.below(4) {
        0 => source.near(number),
        _ => number,
    };
    match source.below(10) {
        0 => Command::Found {
            group: GroupId(source.below(3) as u32),
            shards: source.near(u64::from(SHARDS)) as u32,
        },
        1 | 2 => Command::Adopt(configuration(source, number + 1)),
        3 => Command::Skip(configuration(source, number + 2)),
        4 => Command::Mark {
            shard,
            config,
            base,
        },
        5 => Command::Freeze {
            shard,
            config,
            base,
        },
        6 => Command::Delete { shard, config },
        7 => Command::Request {
            shard,
            body: match source.flag() {
                true => Body::Open,
                false => Body::Close {
                    session: SessionId(source.below(4)),
                },
            },
        },
        _ => {
            let sequence = source.near(4);
            Command::Request {
                shard,
                body: Body::Write {
                    session: SessionId(source.below(4)),
                    sequence,
                    acknowledged: source.near(0).min(sequence),
                    command: commands::command(source),
                },
            }
        }
    }
}

fn configuration(source: &mut Source<'_>, number: u64) -> Configuration {
    let info = |id| (GroupId(id), GroupInfo::new(vec![NodeId(id.into())]));
    let shards = SHARDS + u32::from(source.below(16) == 0);
    let shards: Vec<_> = (0..shards)
        .map(|_| GroupId(1 + source.below(2) as u32))
        .collect();
    Configuration {
        number,
        shards,
        groups: [info(1), info(2)].into_iter().collect(),
    }
}

fn shard(source: &mut Source<'_>) -> ShardId {
    ShardId(source.below(u64::from(SHARDS) + 1) as u32)
}
