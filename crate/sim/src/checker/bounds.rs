//! Windows, queues and messages stay below the bounds that a node was given.

use quorate_raft::{Body, Entry, Message, NodeId};
use quorate_rsm::{NodeConfig, NodeStatus};

use crate::checker::Violation;

/// What is broken.
const BOUNDS: &str = "Queues and windows keep their bounds";

/// Looks at a node after a step.
///
/// # Errors
/// A queue or a window holds more than it may.
pub fn check(settings: &NodeConfig, status: &NodeStatus) -> Result<(), Violation> {
    let id = status.raft.id;
    if status.waiting > settings.max_waiting {
        return broken(id, "requests wait", status.waiting, settings.max_waiting);
    }
    if status.sessions > settings.sessions.max_sessions {
        let max = settings.sessions.max_sessions;
        return broken(id, "sessions are open", status.sessions, max);
    }
    let window = settings.raft.max_inflight_messages;
    for peer in &status.raft.peers {
        if peer.inflight > window {
            return broken(id, "appends are under way", peer.inflight, window);
        }
    }
    Ok(())
}

/// Looks at a message that a node sends.
///
/// # Errors
/// It is larger than it may be.
pub fn check_message(settings: &NodeConfig, message: &Message) -> Result<(), Violation> {
    match &message.body {
        Body::AppendEntries { entries, .. } if entries.len() > 1 => {
            let sizes = entries.iter().map(Entry::size_bytes);
            // One that is larger travels with such as have none.
            let one = sizes.clone().filter(|size| *size > 0).count() <= 1;
            let (bytes, max) = (sizes.sum(), settings.raft.max_append_bytes);
            if bytes > max && !one {
                return broken(message.from, "bytes are in an append", bytes, max);
            }
        }
        Body::InstallSnapshot { data, .. } if data.len() > chunk_max(settings) => {
            let max = chunk_max(settings);
            return broken(message.from, "bytes are in a chunk", data.len(), max);
        }
        _ => {}
    }
    Ok(())
}

/// A chunk ends after the record that fills it.
fn chunk_max(settings: &NodeConfig) -> usize {
    settings.snapshot_chunk_bytes + settings.max_command_bytes
}

fn broken(id: NodeId, what: &str, count: usize, max: usize) -> Result<(), Violation> {
    let seen = format!("{id}: {count} {what}, at most {max} may be");
    Err(Violation::new(BOUNDS, seen))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use quorate_raft::{
        ConfState, Config, EntryId, Index, Instant, Payload, PeerStatus, ProgressMode, Raft,
        Restored, StorageId, Term,
    };

    use super::*;

    fn status() -> NodeStatus {
        let restored = Restored::fresh(ConfState::new([NodeId(1), NodeId(2)]));
        let raft = Raft::new(Config::new(NodeId(1)), restored, Instant(0), 1).unwrap();
        NodeStatus {
            raft: raft.status(),
            sessions: 0,
            waiting: 0,
            reads: 0,
            parked: 0,
            log_bytes: 0,
            time_ms: 0,
        }
    }

    #[test]
    fn one_too_many_is_found_everywhere() {
        let settings = NodeConfig::new(NodeId(1));
        let peer = |inflight| PeerStatus {
            id: NodeId(2),
            matched: Index(0),
            next: Index(1),
            mode: ProgressMode::Replicate,
            inflight,
            amnesiac: None,
        };
        let fill = |more: usize| {
            let mut full = [status(), status(), status()];
            full[0].waiting = settings.max_waiting + more;
            full[1].sessions = settings.sessions.max_sessions + more;
            full[2].raft.peers = vec![peer(settings.raft.max_inflight_messages + more)];
            full
        };
        for status in fill(0) {
            check(&settings, &status).unwrap();
        }
        for status in fill(1) {
            assert_eq!(check(&settings, &status).unwrap_err().property, BOUNDS);
        }
    }

    #[test]
    fn one_large_entry_travels_alone_and_two_do_not() {
        let settings = NodeConfig::new(NodeId(1));
        let entry = |index| Entry {
            id: EntryId::new(Term(1), Index(index)),
            payload: Payload::Command(Bytes::from(vec![0; settings.raft.max_append_bytes])),
        };
        let append = |entries| Message {
            from: NodeId(1),
            to: NodeId(2),
            term: Term(1),
            storage: StorageId::default(),
            body: Body::AppendEntries {
                prev: EntryId::ZERO,
                commit: Index(0),
                entries,
            },
        };
        check_message(&settings, &append(vec![entry(1)])).unwrap();
        let two = append(vec![entry(1), entry(2)]);
        assert!(check_message(&settings, &two).is_err());
    }
}
