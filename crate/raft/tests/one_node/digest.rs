//! What the layer above compares: carried in the current term, between members by their storages.

use std::sync::Arc;

use quorate_raft::{Body, Config, Index, Input, Message, NodeId, Output, StateDigest};
use quorate_raft::{StorageId, Term};

use crate::host::{Host, stored};

const DIGEST: StateDigest = StateDigest {
    index: Index(3),
    format: 1,
    hash: 7,
};

fn heard(host: &Host) -> Vec<NodeId> {
    let digests = host.effects.iter().filter_map(|effect| match effect {
        Output::Digest { from, digest } if *digest == DIGEST => Some(*from),
        _ => None,
    });
    digests.collect()
}

#[test]
fn digest_is_handed_out_in_its_term_and_sent_in_the_own() {
    let mut host = Host::new(3);
    host.lead();
    let term = host.raft.term().0;
    host.hear(2, term - 1, Body::Digest(DIGEST));
    assert_eq!(heard(&host), []);
    host.hear(2, term, Body::Digest(DIGEST));
    assert_eq!(heard(&host), [NodeId(2)]);
    host.raft.send_digest(NodeId(3), DIGEST);
    host.raft.send_digest(NodeId(1), DIGEST);
    host.drain();
    assert_eq!(host.sent(), [(3, term, Body::Digest(DIGEST))]);
    host.input(Input::PersistFailed);
    host.raft.send_digest(NodeId(3), DIGEST);
    host.drain();
    assert_eq!(host.sent(), [], "it has halted");
}

#[test]
fn digest_of_another_storage_than_the_members_is_not_heard() {
    let mut restored = stored(3, 1, None, &[]);
    let storages = [(NodeId(2), StorageId(9))].into_iter().collect();
    Arc::make_mut(&mut restored.snapshot.conf_state).storages = storages;
    let mut host = Host::with(Config::new(NodeId(1)), restored);
    for storage in [8, 9] {
        host.input(Input::Message(Message {
            from: NodeId(2),
            to: NodeId(1),
            storage: StorageId(storage),
            term: Term(1),
            body: Body::Digest(DIGEST),
        }));
        assert_eq!(heard(&host).len(), usize::from(storage == 9));
    }
}
