//! One `Raft` and its host, which keeps the law of use: messages, writes, timers, proposals, reads,
//! snapshots and crashes, in any order.

use core::time::Duration;

use bytes::Bytes;
use quorate_raft::{
    Body, Config, Entry, Index, Input, InputError, Instant, Message, NodeId, Output, Raft,
    Restored, SnapshotChunk, Status,
};

use crate::disk::Disk;
use crate::peer::{OWN, STORAGE, change, message};
use crate::source::Source;

const STEPS_MAX: usize = 300;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let mut host = Host::new(1 + source.below(5));
    for _ in 0..STEPS_MAX {
        if source.is_empty() || host.raft.status().halted {
            break;
        }
        host.step(&mut source);
    }
    host.restart(false);
}

struct Host {
    raft: Raft,
    disk: Disk,
    now: Instant,
    runs: u64,
    /// The last entry that was given to be applied.
    applied: Index,
    /// Reads that wait, and how many there were.
    reads: Vec<u64>,
    next_read: u64,
    /// The first that was asked since the last drain.
    drained: u64,
    /// Chunks that the node wants to send.
    wanted: Vec<(NodeId, Index, u32)>,
    /// Inputs since the last drain.
    inputs: usize,
}

/// Small limits, so that they are reached.
fn config() -> Config {
    Config {
        storage: STORAGE,
        lease_reads: true,
        quiesce_after: Some(Duration::from_millis(400)),
        max_append_bytes: 64,
        max_inflight_messages: 2,
        max_inflight_bytes: 128,
        max_uncommitted_bytes: 512,
        max_pending_reads: 4,
        max_apply_bytes: 64,
        ..Config::new(OWN)
    }
}

impl Host {
    fn new(voters: u64) -> Self {
        let mut disk = Disk::new(voters);
        let restored = disk.restart(false).restored;
        Self {
            raft: open(restored, 0),
            disk,
            now: Instant(0),
            runs: 0,
            applied: Index(0),
            reads: Vec::new(),
            next_read: 0,
            drained: 0,
            wanted: Vec::new(),
            inputs: 0,
        }
    }

    fn step(&mut self, source: &mut Source<'_>) {
        match source.below(16) {
            0..=5 => {
                if let Some(message) = message(source, &self.raft, self.disk.asked) {
                    self.input(Input::Message(message)).expect("a message");
                }
            }
            6 | 7 => {
                if let Some(seq) = self.disk.finish() {
                    self.input(Input::Persisted { seq }).expect("under way");
                }
            }
            8 => {
                let next = self.raft.next_timeout();
                if next < Instant::NEVER {
                    self.now = self.now.max(next);
                }
                self.input(Input::TimerFired).expect("a timer");
            }
            9 => {
                self.now = self.now.after(Duration::from_millis(source.below(256)));
                self.input(Input::TimerFired).expect("a timer");
            }
            10 => {
                let data = Bytes::from(vec![7; usize::from(source.byte())]);
                if let Ok(id) = self.raft.propose(self.now, data) {
                    assert_eq!(id, self.raft.status().last);
                }
            }
            11 => {
                let taken = if source.flag() {
                    self.raft.read_index(self.now, self.next_read)
                } else {
                    self.raft.lease_read(self.now, self.next_read)
                };
                if taken.is_ok() {
                    self.reads.push(self.next_read);
                    self.next_read += 1;
                }
            }
            12 => self.take_snapshot(source),
            13 => self.send_chunk(source),
            14 => match source.below(3) {
                0 => {
                    let input = match NodeId(1 + source.below(5)) {
                        NodeId(1) => Input::Reachable,
                        peer => Input::Unreachable { peer },
                    };
                    self.input(input).expect("a peer");
                }
                1 => self.change_membership(source),
                _ => {
                    let to = NodeId(1 + source.below(6));
                    let begun = self.raft.transfer_leadership(self.now, to);
                    assert!(begun.is_err() || self.raft.is_leader());
                }
            },
            _ => match source.below(5) {
                4 => self.input(Input::ClockStopped).expect("a clock"),
                0 => {
                    let seq = source.number() | 1 << 63;
                    let refused = self.input(Input::Persisted { seq });
                    assert!(matches!(
                        refused,
                        Err(InputError::UnexpectedPersisted { .. })
                    ));
                }
                1 => {
                    self.input(Input::PersistFailed).expect("not halted yet");
                    assert!(self.raft.status().halted);
                    assert_eq!(self.input(Input::TimerFired), Err(InputError::Halted));
                }
                keep => self.restart(keep == 2),
            },
        }
        // Several inputs may come before a drain.
        if source.below(4) > 0 {
            self.drain();
        }
        self.disk.check_status(&self.raft.status());
    }

    fn change_membership(&mut self, source: &mut Source<'_>) {
        let changes: Vec<_> = (0..1 + source.below(3)).map(|_| change(source)).collect();
        if let Ok(id) = self.raft.propose_membership(self.now, &changes) {
            let status = self.raft.status();
            assert_eq!((id, status.conf_index), (status.last, id.index));
            assert!(!status.conf_state.voters.is_empty());
        }
    }

    fn input(&mut self, input: Input) -> Result<(), InputError> {
        self.inputs += 1;
        self.raft.handle(self.now, input)
    }

    /// A snapshot of the own machine, of one chunk, at a place that may be wrong.
    fn take_snapshot(&mut self, source: &mut Source<'_>) {
        let Status {
            applied, snapshot, ..
        } = self.raft.status();
        let index = Index(source.near(applied.0));
        let chunk = SnapshotChunk {
            snapshot: index,
            number: 0,
            data: Bytes::from_static(b"state"),
        };
        self.input(Input::SnapshotChunk(chunk)).expect("a chunk");
        let ready = Input::SnapshotReady {
            index,
            chunks: 1,
            compact_to: Index(source.near(index.0)),
        };
        if self.input(ready).is_ok() {
            assert!(index <= applied && index > snapshot.index);
        }
    }

    /// The next chunk that the node wants to send, or one that it does not want.
    fn send_chunk(&mut self, source: &mut Source<'_>) {
        let wanted = self.wanted.pop();
        let (to, snapshot, number) = wanted.unwrap_or((NodeId(2), Index(source.below(16)), 0));
        let data = Input::SnapshotData {
            to,
            snapshot,
            number,
            done: source.flag(),
            data: Bytes::from_static(b"state"),
        };
        self.input(data).expect("a chunk");
    }

    fn restart(&mut self, keep: bool) {
        let restored = self.disk.restart(keep).restored;
        self.runs += 1;
        self.now = Instant(0);
        self.applied = restored.snapshot.last.index;
        self.reads.clear();
        self.wanted.clear();
        self.raft = open(restored, self.runs);
        self.disk.check_status(&self.raft.status());
    }

    /// Takes all outputs. Their number is bounded by what there is to say.
    fn drain(&mut self) {
        let status = self.raft.status();
        let log = (status.last.index - status.log_start.index) as usize;
        let peers = status.conf_state.members().len();
        let most = 4 * log + (8 + 2 * peers) * (1 + core::mem::take(&mut self.inputs));
        for _ in 0..most {
            let Some(output) = self.raft.poll_output() else {
                self.check_drained();
                return;
            };
            self.take(output);
        }
        panic!("more than {most} outputs");
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Persist(batch) => self.disk.begin(batch),
            Output::Send(message) => {
                check_size(&message);
                self.disk.check_send(&message);
            }
            Output::Apply { first, last } => {
                assert_eq!(first, self.applied.next(), "applied in order");
                for index in first.0..=last.0 {
                    let entry = self.raft.entry(Index(index)).expect("it is kept");
                    assert_eq!(entry.id.index.0, index, "it is the one");
                }
                self.applied = last;
                assert!(self.applied <= self.raft.commit());
            }
            Output::Restore(meta) => {
                assert!(meta.last.index > self.applied);
                self.applied = meta.last.index;
            }
            Output::ReadReady { ctx, index } => {
                assert!(index <= self.applied, "a read waits for what it must see");
                let at = self.reads.iter().position(|read| *read == ctx);
                self.reads.swap_remove(at.expect("a read that waits"));
            }
            Output::RoleChanged { .. } => {
                // Whether those asked since the last drain came before or after, only the node knows.
                let drained = self.drained;
                self.reads.retain(|read| *read >= drained);
                self.wanted.clear();
            }
            Output::SendSnapshot {
                to,
                snapshot,
                number,
            } => self.wanted.push((to, snapshot, number)),
            Output::ReceiveSnapshot(_) | Output::Digest { .. } => {}
        }
    }

    fn check_drained(&mut self) {
        self.drained = self.next_read;
        let status = self.raft.status();
        // What a node that halts has not yet handed out stays with it.
        if !status.halted {
            assert_eq!(status.applied, self.applied);
            assert_eq!(status.applied, status.commit);
        }
        for peer in &status.peers {
            assert!(peer.matched < peer.next);
            assert!(peer.inflight <= config().max_inflight_messages);
        }
    }
}

fn open(restored: Restored, seed: u64) -> Raft {
    Raft::new(config(), restored, Instant(0), seed).expect("what was written is sound")
}

/// An append carries as many bytes as it may, or one entry that is larger.
fn check_size(message: &Message) {
    if let Body::AppendEntries { entries, .. } = &message.body {
        let bytes: usize = entries.iter().map(Entry::size_bytes).sum();
        let large = entries.iter().filter(|entry| entry.size_bytes() > 0);
        assert!(bytes <= config().max_append_bytes || large.count() == 1);
    }
}
