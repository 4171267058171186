//! Log compaction and the transfer of snapshots (§7), a chunk at a time.
//!
//! The bytes are the machine's: this file asks for them, sends, orders and stores them. A chunk is
//! acknowledged when it is durable, so what waits here is one chunk; a leader that does not hear
//! repeats it after the next answered heartbeat, and goes on where the follower says.

use bytes::Bytes;

use crate::entry::{SnapshotChunk, SnapshotManifest, SnapshotMeta};
use crate::error::InputError;
use crate::membership::Membership;
use crate::message::{Body, SnapshotOutcome};
use crate::output::Output;
use crate::persistence::RestsOn;
use crate::progress::{Mode, SnapshotTransfer};
use crate::raft::Raft;
use crate::role::Role;
use crate::types::{EntryId, Index, NodeId};

/// A leader's snapshot that is arriving. Forgotten when the leader or the term changes, because
/// another leader may cut its chunks elsewhere.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Receiving {
    last: EntryId,
    from: NodeId,
    next: u32,
}

impl Raft {
    /// The machine has given all chunks of its state as of `index`.
    pub(crate) fn handle_snapshot_ready(
        &mut self,
        index: Index,
        chunks: u32,
        compact_to: Index,
    ) -> Result<(), InputError> {
        // A node that was never told of a member has no membership to record.
        let Some(term) = self.log.term_at(index).filter(|_| {
            index <= self.applied
                && !self.membership.at(index).voters.is_empty()
                && index > self.log.snapshot.last.index
                && compact_to <= index
                && self.persistence.can_snapshot(index)
        }) else {
            return Err(InputError::UnexpectedSnapshot { index });
        };
        let compact_to = compact_to
            .max(self.log.start().index)
            .min(self.transfer_floor());
        let log_start_term = self
            .log
            .term_at(compact_to)
            .expect("between the start and index");
        self.persistence.push_manifest(SnapshotManifest {
            meta: SnapshotMeta {
                last: EntryId::new(term, index),
                conf_state: self.membership.at(index).clone(),
            },
            chunks,
            log_start: EntryId::new(log_start_term, compact_to),
            clear_log: false,
        });
        Ok(())
    }

    /// The log must not be cut beyond the end of the snapshot that a live follower is receiving, or
    /// it would need another one at once. This holds for one snapshot interval: a transfer older
    /// than the snapshot in force does not hold the log.
    fn transfer_floor(&self) -> Index {
        let Role::Leader(leader) = &self.role else {
            return Index(u64::MAX);
        };
        let (current, patience) = (self.log.snapshot.last, self.config.election_timeout);
        let receiving = leader
            .progress
            .iter()
            .any(|(_, progress)| match &progress.mode {
                Mode::Snapshot(transfer) => {
                    transfer.meta.last == current && self.now < progress.last_heard.after(patience)
                }
                Mode::Probe { .. } | Mode::Replicate(_) => false,
            });
        if receiving {
            current.index
        } else {
            Index(u64::MAX)
        }
    }

    /// A manifest is durable: the snapshot counts, and the log can shrink.
    pub(crate) fn handle_snapshot_durable(&mut self, manifest: SnapshotManifest) {
        let previous = core::mem::replace(&mut self.log.snapshot, manifest.meta).last;
        if !manifest.clear_log {
            self.log.compact(manifest.log_start.index);
        }
        // The machine keeps its last two snapshots: a transfer of an older one starts again.
        let current = self.log.snapshot.clone();
        self.membership.compact(current.last.index);
        if let Role::Leader(leader) = &mut self.role {
            for (_, progress) in leader.progress.iter_mut() {
                if let Mode::Snapshot(transfer) = &mut progress.mode
                    && transfer.meta.last.index < previous.index
                {
                    *transfer = SnapshotTransfer::new(current.clone());
                    self.flush_due = true;
                }
            }
        }
    }

    /// Sends the chunk that [`Output::SendSnapshot`] asked for, if it is still wanted.
    pub(crate) fn send_chunk(
        &mut self,
        to: NodeId,
        snapshot: Index,
        number: u32,
        done: bool,
        data: Bytes,
    ) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let Some(Mode::Snapshot(transfer)) = leader.progress.get(to).map(|peer| &peer.mode) else {
            return;
        };
        if transfer.meta.last.index == snapshot && transfer.number == number {
            let meta = Box::new(transfer.meta.clone());
            self.send(
                to,
                Body::InstallSnapshot {
                    meta,
                    number,
                    done,
                    data,
                },
            );
        }
    }

    pub(crate) fn handle_install_snapshot(
        &mut self,
        from: NodeId,
        meta: SnapshotMeta,
        number: u32,
        done: bool,
        data: Bytes,
    ) {
        let last = meta.last;
        // A snapshot of what the log has anyway teaches a commit index and changes nothing.
        if last.index <= self.commit || self.log.contains(last) {
            self.set_commit(last.index);
            self.receiving = None;
            return self.send_installed(from, last.index);
        }
        let next = match &self.receiving {
            Some(receiving) if receiving.last == last && receiving.from == from => receiving.next,
            Some(_) | None => 0,
        };
        if number != next {
            let outcome = SnapshotOutcome::Continue { next };
            let body = Body::InstallSnapshotResponse {
                snapshot: last.index,
                outcome,
            };
            return self.send_when(RestsOn::Chunks, from, body);
        }
        let chunk = SnapshotChunk {
            snapshot: last.index,
            number,
            data,
        };
        self.persistence.push_chunk(chunk.clone());
        self.outputs.push_back(Output::ReceiveSnapshot(chunk));
        if done {
            self.install(meta, number + 1);
            return self.send_installed(from, last.index);
        }
        self.receiving = Some(Receiving {
            last,
            from,
            next: number + 1,
        });
        let outcome = SnapshotOutcome::Continue { next: number + 1 };
        let body = Body::InstallSnapshotResponse {
            snapshot: last.index,
            outcome,
        };
        self.send_when(RestsOn::Chunks, from, body);
    }

    /// Replaces log, membership and machine by the snapshot, together.
    fn install(&mut self, meta: SnapshotMeta, chunks: u32) {
        let last = meta.last;
        self.receiving = None;
        self.persistence.handle_reset(last.index, self.commit);
        self.log.reset(last);
        self.membership = Membership::new(last.index, meta.conf_state.clone());
        self.set_commit(last.index);
        self.applied = last.index;
        self.outputs.push_back(Output::Restore(meta.clone()));
        let manifest = SnapshotManifest {
            meta,
            chunks,
            log_start: last,
            clear_log: true,
        };
        self.persistence.push_manifest(manifest);
    }

    fn send_installed(&mut self, to: NodeId, snapshot: Index) {
        let outcome = SnapshotOutcome::Installed {
            matched: snapshot.max(self.commit),
        };
        self.send_when(
            RestsOn::Log,
            to,
            Body::InstallSnapshotResponse { snapshot, outcome },
        );
    }

    pub(crate) fn handle_install_response(
        &mut self,
        from: NodeId,
        snapshot: Index,
        outcome: SnapshotOutcome,
    ) {
        let now = self.now;
        self.with_progress(from, |progress| {
            progress.last_heard = now;
            match (outcome, &mut progress.mode) {
                (SnapshotOutcome::Installed { matched }, _) => {
                    progress.handle_accepted(matched);
                }
                // Whoever has chunks asks for later ones only, unless it restarts with the first: what
                // says otherwise is late, and would send again what has come. An answer to what late
                // ones had sent is believed when nothing else moves.
                (SnapshotOutcome::Continue { next }, Mode::Snapshot(transfer))
                    if transfer.meta.last.index == snapshot
                        && transfer.number != next
                        && (next > transfer.number || next == 0 || transfer.stalled) =>
                {
                    transfer.number = next;
                    transfer.due = true;
                    transfer.stalled = false;
                }
                (SnapshotOutcome::Continue { .. }, _) => {}
            }
        });
        self.flush_due = true;
        self.maybe_commit();
    }
}
