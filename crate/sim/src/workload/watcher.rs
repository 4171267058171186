//! A user who watches: asks any node again and again for what happened since, from where the last
//! answer ended, whatever becomes of nodes and connections.

use bytes::Bytes;
use quorate_kv::{Changes, KeyRange, Query, Reply, Watch};
use quorate_raft::{NodeId, Random};
use quorate_rsm::ReadAt;

use super::Wish;
use super::draw;
use crate::checker::store::Seen;
use crate::situation::Situation;
use crate::streams::weighted;

/// Where a watch stands.
#[derive(Debug)]
pub(super) struct Watcher {
    watches: Vec<Watch>,
    from: u64,
    key: Option<Bytes>,
    /// Who answered last.
    node: Option<NodeId>,
}

impl Watcher {
    pub(super) fn new(random: &mut Random) -> Self {
        let watches = 1 + random.below(3);
        Self {
            watches: (0..watches).map(|_| watch(random)).collect(),
            // From the beginning, or from now on.
            from: random.below(2),
            key: None,
            node: None,
        }
    }

    pub(super) fn next(&mut self, random: &mut Random) -> Wish {
        let query = Query::Changes(Changes {
            watches: self.watches.clone(),
            from: self.from,
            key: self.key.clone(),
            limit: weighted(random, &[(3, 0), (1, 1), (1, 2), (1, 5)]),
            bytes: weighted(random, &[(4, 0), (1, 1), (1, 40)]),
        });
        let at = ReadAt::Watch;
        Wish::Ask { query, at }
    }

    pub(super) fn answered(&mut self, from: NodeId, reply: &Reply, seen: &mut Seen) {
        match reply {
            Reply::Changes { next, key, .. } => (self.from, self.key) = (*next, key.clone()),
            Reply::Compacted { compacted, .. } => (self.from, self.key) = (compacted + 1, None),
            _ => {}
        }
        let before = self.node.replace(from);
        seen.note_if(
            before.is_some_and(|before| before != from),
            Situation::WatchResumedElsewhere,
        );
    }

    /// Whether it was told of everything up to `revision`.
    pub(super) fn knows(&self, revision: u64) -> bool {
        self.key.is_none() && self.from == revision + 1
    }
}

fn watch(random: &mut Random) -> Watch {
    let range = match random.below(5) {
        0 => KeyRange::all(),
        1 => KeyRange::prefix(&b"key/"[..]),
        2 => KeyRange::single(draw::key(random.below(4))),
        _ => KeyRange::prefix(draw::PREFIX),
    };
    Watch {
        range,
        no_put: random.below(6) == 0,
        no_delete: random.below(6) == 0,
        previous: random.below(2) == 0,
    }
}
