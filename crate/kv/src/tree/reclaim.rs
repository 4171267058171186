//! Freeing large trees piece by piece.
//!
//! A hundred megabytes take tens to hundreds of milliseconds to free, and whoever drops the last
//! handle would wait: the host that is done with a snapshot, the node that replaces its machine by
//! one from the leader, the command that removes a range. So the root of a large tree goes to a list
//! of the thread, and whoever makes nodes frees some: a command, and a restoration for each leaf,
//! [`AT_COMMAND`]; [`AT_CHUNK`] go beside a chunk that is cut, and when a tree is let go.
//!
//! So the list shrinks under use. Between two snapshots k commands copy at most k nodes of each
//! level, and no node twice. Of ten million keys, three levels have many nodes and the others a
//! handful, which dropping the older snapshot frees, and the commands free 3k. A thread that ends
//! frees the rest.

use std::cell::RefCell;
use std::sync::Arc;

use super::node::{Child, Node};

/// Trees of up to so many records are freed at once: it takes some ten microseconds.
const SMALL: u64 = 512;

/// How many nodes a command frees. Little, for a host applies many commands in a row.
pub(crate) const AT_COMMAND: usize = 3;

/// How many nodes are freed beside what takes its time anyway.
pub(crate) const AT_CHUNK: usize = 32;

thread_local! {
    static RELEASED: RefCell<Vec<Arc<Node>>> = const { RefCell::new(Vec::new()) };
}

/// Lets go of a tree that will not be used.
pub(super) fn release(root: &mut Child) {
    if root.total.count > SMALL && is_unshared(&root.node) {
        let node = std::mem::take(root).node;
        // While the thread ends there is no list any more, and nobody who waits: it is freed here.
        let _ = RELEASED.try_with(|released| released.borrow_mut().push(node));
        free(AT_CHUNK);
    }
}

/// Frees a few nodes.
pub(crate) fn free(nodes: usize) {
    for _ in 0..nodes {
        let Ok(Some(node)) = RELEASED.try_with(|released| released.borrow_mut().pop()) else {
            return;
        };
        if let Some(Node::Inner(children)) = Arc::into_inner(node) {
            let nodes = children.into_iter().map(|child| child.node);
            RELEASED.with_borrow_mut(|released| released.extend(nodes.filter(is_unshared)));
        }
    }
}

/// Whether dropping it frees it. Another thread may let go in between: then it is freed at once.
fn is_unshared(node: &Arc<Node>) -> bool {
    Arc::strong_count(node) == 1
}

/// How many nodes wait to be freed, of those that are known.
#[cfg(test)]
pub(crate) fn waiting() -> usize {
    RELEASED.with_borrow(Vec::len)
}
