//! A node's snapshots: when it takes one, how it is stored, whether it equals the others', and how a
//! leader's takes its place.

use quorate_raft::{EntryId, Index, NodeId, StateDigest};

use super::Node;
use crate::command::{Command, Kind};
use crate::interface::{HaltCause, Output};
use crate::machine::StateMachine;
use crate::snapshot::{Image, Snapshots};

/// What an entry counts at least, against the size of a snapshot.
const ENTRY_BYTES: u64 = 128;

impl<M: StateMachine> Node<M> {
    /// Sees to a snapshot when the log has grown enough since the last one: at least as much as that
    /// one was large, so that writing snapshots never costs more than writing the log. A leader has
    /// all nodes take it at the same entry; one that hears of none takes its own when twice as much
    /// has come together.
    pub(super) fn maybe_snapshot(&mut self) {
        let applied = self.raft.applied().index;
        let size = self.snapshots.latest_bytes();
        let entries = (applied - self.snapshots.latest())
            / self.config.snapshot_entries.max(size / ENTRY_BYTES).max(1);
        let bytes = self.bytes_since_snapshot / self.config.snapshot_bytes.max(size).max(1);
        let due = entries.max(bytes);
        if self.halted || due == 0 || self.snapshots.is_taking() {
            return;
        }
        if self.checkpoint <= applied && !self.propose_checkpoint() && due > 1 {
            self.begin_snapshot(applied, false);
        }
    }

    /// Whether this node leads, and could.
    fn propose_checkpoint(&mut self) -> bool {
        let checkpoint = Command {
            time_ms: self.clock.read(self.now),
            kind: Kind::Checkpoint,
        };
        let proposed = self.raft.propose(self.now, checkpoint.encode());
        self.checkpoint = proposed.map_or(self.checkpoint, |entry| entry.index);
        proposed.is_ok()
    }

    pub(super) fn begin_snapshot(&mut self, index: Index, is_checkpoint: bool) {
        if self.snapshots.is_taking() || !self.raft.may_snapshot() {
            return;
        }
        self.bytes_since_snapshot = 0;
        let image = Image::new(index, &self.machine, &self.sessions, self.clock.applied_ms);
        self.snapshots.begin(image, is_checkpoint);
        self.continue_snapshot();
    }

    /// Hands the next chunk to storage. One at a time, each when a round of writes is done, so that
    /// a large snapshot neither blocks messages nor piles up.
    pub(super) fn continue_snapshot(&mut self) {
        let Some((chunk, done)) = self.snapshots.next_chunk(self.config.snapshot_chunk_bytes)
        else {
            return;
        };
        let (index, chunks) = (chunk.snapshot, chunk.number + 1);
        let mut result = self
            .raft
            .handle(self.now, quorate_raft::Input::SnapshotChunk(chunk));
        if done {
            let compact_to =
                self.raft
                    .tail_start(index, self.config.keep_entries, self.config.keep_bytes);
            let ready = quorate_raft::Input::SnapshotReady {
                index,
                chunks,
                compact_to,
            };
            result = result.and_then(|()| self.raft.handle(self.now, ready));
        }
        if result.is_err() {
            // Overtaken by a leader's snapshot, or halted.
            return self.snapshots.abandon();
        }
        if let Some(digest) = self.snapshots.digest() {
            let own = self.config.raft.id;
            self.comparison.note(own, digest);
            match self.raft.leader() {
                Some(leader) if leader == own => self.handle_digest(own, digest),
                Some(leader) => self.raft.send_digest(leader, digest),
                None => {}
            }
        }
    }

    /// A leader hears what others' states come to, and the others what theirs should.
    pub(super) fn handle_digest(&mut self, from: NodeId, digest: StateDigest) {
        let own = self.config.raft.id;
        if !self.raft.is_leader() {
            let mine = self.comparison.of(own);
            let differs = |mine: StateDigest| {
                mine.index == digest.index
                    && mine.format == digest.format
                    && mine.hash != digest.hash
            };
            if self.raft.leader() == Some(from) && mine.is_some_and(differs) {
                self.halt(HaltCause::Diverged(digest.index));
            }
            return;
        }
        let conf_state = self.raft.conf_state();
        // What is not committed nobody has applied.
        if !conf_state.is_member(from) || digest.index > self.raft.commit() {
            return;
        }
        self.comparison.note(from, digest);
        let Some((right, differing)) = self.comparison.judge(conf_state, own) else {
            return;
        };
        let index = right.index;
        for &node in &differing {
            self.outputs.push_back(Output::Diverged { node, index });
            self.raft.send_digest(node, right);
        }
        if differing.contains(&own) {
            self.halt(HaltCause::Diverged(index));
        }
    }

    pub(super) fn restore(&mut self, snapshot: EntryId) -> Option<Output> {
        let restoring = self
            .restoring
            .take()
            .filter(|r| r.index() == snapshot.index)?;
        match restoring.finish() {
            Ok((machine, sessions, image)) => {
                self.machine = machine;
                self.sessions = sessions;
                self.clock.applied_ms = image.time_ms();
                self.bytes_since_snapshot = 0;
                self.snapshots = Snapshots::new(image);
                self.poll_parked();
                Some(Output::Restored { snapshot })
            }
            Err(bad) => {
                self.halt(HaltCause::BadSnapshot(bad.0));
                None
            }
        }
    }
}
