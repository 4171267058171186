//! Freeing large trees piece by piece.
//!
//! A hundred megabytes take tens to hundreds of milliseconds to free, and whoever drops the last
//! handle would wait: the host that is done with a snapshot, the node that replaces its machine by
//! one from the leader, the command that removes a range. So the root of a large tree goes to a list
//! of the thread, and the calls of any machine on it free a few nodes each: [`AT_COMMAND`] is little,
//! for a host applies many commands in a row; [`AT_CHUNK`] is as much as a chunk is work.
//!
//! The list shrinks under use. Between two snapshots k commands copy, in a tree of three levels over
//! its leaves, at most 2k nodes and a handful, of which dropping the older snapshot frees
//! [`AT_CHUNK`] at once and the commands the others.
//! A thread that ends frees the rest.

use std::cell::RefCell;
use std::sync::Arc;

use super::node::{Child, Node};

/// Trees of up to so many records are freed at once: it takes some ten microseconds.
const SMALL: u64 = 512;

/// How many nodes a command frees. A put copies one leaf and seldom more, see above.
pub(crate) const AT_COMMAND: usize = 2;

/// How many nodes are freed beside a chunk, and beside what is let go.
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
