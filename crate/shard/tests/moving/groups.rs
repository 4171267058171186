//! Groups without logs: commands are applied as they come.

use bytes::Bytes;
use quorate_kv as kv;
use quorate_raft::{Index, NodeId, Term};
use quorate_rsm::{ApplyContext, MachineRestore, MachineSnapshot, SessionId, StateMachine};
use quorate_shard::{
    Body, Command, Configuration, GroupId, GroupInfo, Query, Reply, ShardId, ShardStore, Stage,
    checksum, shard_of,
};

pub(crate) const SHARDS: u32 = 3;
pub(crate) const A: GroupId = GroupId(1);
pub(crate) const B: GroupId = GroupId(2);

/// A configuration of both groups.
pub(crate) fn configuration(number: u64, shards: [GroupId; 3]) -> Configuration {
    let info = |id: u64| GroupInfo::new(vec![NodeId(id)]);
    Configuration {
        number,
        shards: shards.to_vec(),
        groups: [(A, info(1)), (B, info(2))].into_iter().collect(),
    }
}

/// Some key of a shard.
pub(crate) fn key(shard: ShardId) -> Bytes {
    let keys = (0_u32..).map(|n| Bytes::from(format!("k{n}")));
    let mut keys = keys.filter(|key| shard_of(key, SHARDS) == shard);
    keys.next().expect("there are many")
}

pub(crate) fn kv_reply(bytes: &Bytes) -> kv::Reply {
    kv::Reply::decode(bytes).expect("a reply of the store")
}

pub(crate) struct Group {
    pub(crate) store: ShardStore,
    pub(crate) time_ms: u64,
    index: u64,
}

impl Group {
    pub(crate) fn unfounded() -> Self {
        Self {
            store: ShardStore::default(),
            time_ms: 1_000,
            index: 0,
        }
    }

    pub(crate) fn new(id: GroupId) -> Self {
        let mut group = Self::unfounded();
        // Indices of two groups are never the same in a test.
        group.index = u64::from(id.0) * 1_000;
        assert_eq!(group.found(id, SHARDS), Reply::Ok);
        group
    }

    pub(crate) fn context(&self) -> ApplyContext {
        ApplyContext {
            index: Index(self.index),
            term: Term(1),
            time_ms: self.time_ms,
        }
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Reply {
        self.index += 1;
        let reply = self.store.apply(&self.context(), &command.encode());
        Reply::decode(&reply).expect("a reply")
    }

    pub(crate) fn ask(&self, query: &Query) -> Reply {
        Reply::decode(&self.store.query(&query.encode())).expect("a reply")
    }

    pub(crate) fn found(&mut self, group: GroupId, shards: u32) -> Reply {
        self.apply(&Command::Found { group, shards })
    }

    pub(crate) fn adopt(&mut self, configuration: &Configuration) -> Reply {
        self.apply(&Command::Adopt(configuration.clone()))
    }

    pub(crate) fn tick(&mut self) {
        self.index += 1;
        self.store.tick(&self.context());
    }

    pub(crate) fn open(&mut self, shard: ShardId) -> SessionId {
        let body = Body::Open;
        let Reply::Done(id) = self.apply(&Command::Request { shard, body }) else {
            panic!("{shard} is not served");
        };
        SessionId(u64::from_le_bytes(id[..].try_into().expect("eight bytes")))
    }

    pub(crate) fn write(
        &mut self,
        shard: ShardId,
        session: SessionId,
        sequence: u64,
        command: &kv::Command,
    ) -> Reply {
        let body = Body::Write {
            session,
            sequence,
            acknowledged: 0,
            command: command.encode(),
        };
        self.apply(&Command::Request { shard, body })
    }

    pub(crate) fn get(&self, shard: ShardId) -> Option<Bytes> {
        let query = kv::Query::Get { key: key(shard) }.encode();
        let Reply::Done(reply) = self.ask(&Query::Ask { shard, query }) else {
            panic!("{shard} is not served");
        };
        match kv_reply(&reply) {
            kv::Reply::Got { record, .. } => record.map(|record| record.value),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn mark(&mut self, shard: ShardId, config: u64, base: Option<u64>) -> (u64, bool) {
        self.marked(&Command::Mark {
            shard,
            config,
            base,
        })
    }

    pub(crate) fn freeze(&mut self, shard: ShardId, config: u64, base: Option<u64>) -> (u64, bool) {
        self.marked(&Command::Freeze {
            shard,
            config,
            base,
        })
    }

    fn marked(&mut self, command: &Command) -> (u64, bool) {
        match self.apply(command) {
            Reply::Marked { mark, is_final } => (mark, is_final),
            other => panic!("{other:?}"),
        }
    }

    /// The pieces of a copy, as the taker gets them.
    pub(crate) fn stages(
        &self,
        shard: ShardId,
        config: u64,
        (mark, is_final): (u64, bool),
        base: Option<u64>,
        max_bytes: u32,
    ) -> Vec<Stage> {
        let mut stages = Vec::new();
        for number in 0.. {
            let query = Query::Chunk {
                shard,
                config,
                mark,
                base,
                number,
                max_bytes,
            };
            let Reply::Chunk {
                done, crc, data, ..
            } = self.ask(&query)
            else {
                panic!("{:?}", self.ask(&query));
            };
            stages.push(Stage {
                shard,
                config,
                mark,
                base,
                is_final,
                number,
                done,
                crc,
                data,
            });
            if done {
                break;
            }
        }
        stages
    }

    fn chunks(&self, size: usize) -> Vec<Bytes> {
        let mut snapshot = self.store.snapshot();
        let mut chunks = Vec::new();
        for number in 0.. {
            let (data, done) = snapshot.chunk(number, size);
            chunks.push(data);
            if done {
                break;
            }
        }
        chunks
    }

    pub(crate) fn snapshot(&self) -> Vec<u8> {
        self.chunks(1_000).concat()
    }

    /// The same group from its snapshot.
    pub(crate) fn restarted(&self) -> Self {
        self.restarted_at(1_000)
    }

    /// The same, whatever the size of the chunks.
    pub(crate) fn restarted_at_sizes(&self) -> Self {
        for size in [1, 7, 100] {
            assert_eq!(self.restarted_at(size).snapshot(), self.snapshot());
        }
        self.restarted()
    }

    fn restarted_at(&self, size: usize) -> Self {
        let mut restore = ShardStore::restore();
        for chunk in self.chunks(size) {
            restore.chunk(&chunk).expect("its own snapshot");
        }
        Self {
            store: restore.finish().expect("its own snapshot"),
            ..*self
        }
    }
}

/// With the checksum of its bytes.
pub(crate) fn sealed(stage: Stage) -> Stage {
    Stage {
        crc: checksum(&stage.data),
        ..stage
    }
}

pub(crate) fn put(
    group: &mut Group,
    shard: ShardId,
    session: SessionId,
    sequence: u64,
    value: &str,
) -> Reply {
    let command = kv::Command::Put {
        key: key(shard),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    group.write(shard, session, sequence, &command)
}

/// All pieces of a copy, from one to the other.
pub(crate) fn copy(
    from: &mut Group,
    to: &mut Group,
    shard: ShardId,
    config: u64,
    mark: (u64, bool),
    base: Option<u64>,
    max_bytes: u32,
) {
    for stage in from.stages(shard, config, mark, base, max_bytes) {
        assert_eq!(to.apply(&Command::Stage(stage)), Reply::Ok);
    }
}

/// All steps of a migration that both groups have adopted.
pub(crate) fn finish(groups: &mut [Group; 2], from: usize, to: usize, shard: ShardId, config: u64) {
    let mark = groups[from].mark(shard, config, None);
    for stage in groups[from].stages(shard, config, mark, None, 100) {
        assert_eq!(groups[to].apply(&Command::Stage(stage)), Reply::Ok);
    }
    let last = groups[from].freeze(shard, config, Some(mark.0));
    for stage in groups[from].stages(shard, config, last, Some(mark.0), 100) {
        assert_eq!(groups[to].apply(&Command::Stage(stage)), Reply::Ok);
    }
    let delete = Command::Delete { shard, config };
    assert_eq!(groups[from].apply(&delete), Reply::Ok);
}

/// A migration, from the configuration on.
pub(crate) fn move_shard(
    groups: &mut [Group; 2],
    from: usize,
    to: usize,
    shard: ShardId,
    config: u64,
) {
    let mut shards = [A; 3];
    shards[shard.0 as usize] = [A, B][to];
    for group in groups.iter_mut() {
        assert_eq!(group.adopt(&configuration(config, shards)), Reply::Ok);
    }
    finish(groups, from, to, shard, config);
}

/// The shards that a group serves.
pub(crate) fn serving(group: &Group) -> Vec<ShardId> {
    let shards = group.store.places().map(|(shard, _)| shard);
    shards.filter(|shard| group.store.serves(*shard)).collect()
}
