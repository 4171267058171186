//! When a node takes snapshots, and what is in them besides the machine: one node, alone, whose
//! writes are done one by one.
#[cfg(target_arch = "wasm32")]
#[macro_use]
extern crate wasm_bindgen_test;

use bytes::Bytes;
use quorate_rsm::raft::{
    ConfState, EntryId, Index, Instant, NodeId, PersistBatch, Restored, SnapshotChunk,
};
use quorate_rsm::{
    ApplyContext, BadSnapshot, ClientId, Input, MachineRestore, MachineSnapshot, Node, NodeConfig,
    Output, Reply, Request, RequestBody, RequestId, SessionId, StateMachine,
};

/// Counts the bytes of its commands; its snapshots are as large as they were together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counter(usize);

impl StateMachine for Counter {
    type Snapshot = Self;
    type Restore = Self;

    fn apply(&mut self, _: &ApplyContext, command: &Bytes) -> Bytes {
        self.0 += command.len();
        Bytes::from(self.0.to_string())
    }

    fn query(&self, _: &Bytes) -> Bytes {
        Bytes::from(self.0.to_string())
    }

    fn snapshot(&self) -> Self {
        self.clone()
    }

    fn restore() -> Self {
        Self::default()
    }
}

impl MachineSnapshot for Counter {
    fn chunk(&mut self, number: u32, max_bytes: usize) -> (Bytes, bool) {
        let left = self.0 - (number as usize * max_bytes).min(self.0);
        (Bytes::from(vec![7; left.min(max_bytes)]), left <= max_bytes)
    }
}

impl MachineRestore for Counter {
    type Machine = Self;

    fn chunk(&mut self, data: &Bytes) -> Result<(), BadSnapshot> {
        self.0 += data.len();
        Ok(())
    }

    fn finish(self) -> Result<Self, BadSnapshot> {
        Ok(self)
    }
}

const ME: NodeId = NodeId(1);

fn config() -> NodeConfig {
    let mut config = NodeConfig::new(ME);
    config.snapshot_bytes = 10;
    config.keep_entries = 0;
    config.snapshot_chunk_bytes = 2;
    config
}

struct Host {
    node: Node<Counter>,
    /// The round of writes under way, and all that are done.
    writing: Option<PersistBatch>,
    written: Vec<PersistBatch>,
    replies: Vec<Reply>,
    asked: u64,
}

impl Host {
    /// Leads.
    fn start(restored: Restored, chunks: &[Bytes]) -> Self {
        let machine = Counter::default();
        let node = Node::new(config(), restored, chunks.to_vec(), machine, Instant(0), 1);
        let mut host = Self {
            node: node.expect("the state is sound"),
            writing: None,
            written: Vec::new(),
            replies: Vec::new(),
            asked: 0,
        };
        let due = host.node.next_timeout();
        host.input(due, Input::TimerFired);
        host.settle();
        assert!(host.node.raft().is_leader());
        host
    }

    fn new() -> Self {
        Self::start(Restored::fresh(ConfState::new([ME])), &[])
    }

    fn input(&mut self, now: Instant, input: Input) {
        let taken = self.node.handle(now, input);
        taken.expect("the law of use is kept");
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Persist(batch) => self.writing = Some(batch),
                Output::Reply { replies, .. } => self.replies.extend(replies),
                _ => {}
            }
        }
    }

    /// The write under way is done; whether there was one.
    fn write(&mut self) -> bool {
        let Some(batch) = self.writing.take() else {
            return false;
        };
        let seq = batch.seq;
        self.written.push(batch);
        self.input(Instant(0), Input::Persisted { seq });
        true
    }

    fn settle(&mut self) {
        while self.write() {}
    }

    fn ask(&mut self, body: RequestBody) {
        self.asked += 1;
        let request = Request {
            id: RequestId(self.asked),
            body,
        };
        let client = ClientId(1);
        self.input(Instant(0), Input::Request { client, request });
    }

    fn answer(&mut self) -> Bytes {
        let reply = self.replies.pop().expect("an answer");
        reply.result.expect("no error")
    }

    fn open_session(&mut self) -> SessionId {
        self.ask(RequestBody::OpenSession);
        self.settle();
        let id = self.answer();
        SessionId(u64::from_le_bytes(id[..].try_into().expect("eight bytes")))
    }

    fn snapshot(&self) -> Index {
        self.node.raft().snapshot().last.index
    }

    /// What would be found if the node crashed now.
    fn stored(&self) -> (Restored, Vec<Bytes>) {
        let mut restored = Restored::fresh(ConfState::new([ME]));
        let mut chunks: Vec<SnapshotChunk> = Vec::new();
        for batch in &self.written {
            restored.hard_state = batch.hard_state.unwrap_or(restored.hard_state);
            restored.entries.extend(batch.entries.iter().cloned());
            chunks.extend(batch.chunks.iter().cloned());
            if let Some(manifest) = &batch.snapshot {
                restored.snapshot = manifest.meta.clone();
                restored.log_start = manifest.log_start;
            }
        }
        let EntryId { index, .. } = restored.snapshot.last;
        restored.entries.retain(|entry| entry.id.index > index);
        chunks.retain(|chunk| chunk.snapshot == index);
        (
            restored,
            chunks.into_iter().map(|chunk| chunk.data).collect(),
        )
    }
}

fn write(session: SessionId, sequence: u64, bytes: usize) -> RequestBody {
    RequestBody::Write {
        session,
        sequence,
        acknowledged: 0,
        command: Bytes::from(vec![0; bytes]),
    }
}

#[test]
fn snapshot_that_falls_due_during_another_is_taken_with_the_next_entry() {
    let mut host = Host::new();
    let session = host.open_session();
    host.ask(write(session, 1, 20));
    host.write();
    // The checkpoint, which the write made due.
    let first = host.node.raft().applied().index.next();
    // Written two bytes at a time, with what comes meanwhile.
    host.ask(write(session, 2, 500));
    host.settle();
    assert_eq!(host.snapshot(), first);
    assert!(host.node.raft().applied().index > first);
    host.ask(write(session, 3, 1));
    host.settle();
    assert_eq!(host.snapshot(), host.node.raft().applied().index);
}

#[test]
fn retry_after_a_snapshot_gets_the_first_reply() {
    let mut host = Host::new();
    let session = host.open_session();
    host.ask(write(session, 1, 20));
    host.settle();
    assert_eq!(host.answer(), "20");
    let (restored, chunks) = host.stored();
    assert_eq!(
        (restored.snapshot.last.index, restored.entries.len()),
        (host.node.raft().applied().index, 0),
        "the write is in the snapshot, and nowhere else"
    );
    let mut host = Host::start(restored, &chunks);
    host.ask(write(session, 1, 20));
    host.settle();
    assert_eq!(host.answer(), "20");
    host.ask(write(session, 2, 1));
    host.settle();
    assert_eq!(host.answer(), "21", "it was executed once");
}
