//! Freeing large trees piece by piece.
//!
//! A hundred megabytes take a hundred milliseconds to free, and whoever drops the last handle would
//! wait: the host that is done with a snapshot, the node that replaces its machine by one from the
//! leader, the command that removes a range. So the root of a large tree goes to a list of the
//! thread, and each call of any machine on it frees a few nodes. A call that changes a tree makes
//! at most one node a level, fewer than are freed: so the list shrinks under use, and all that
//! exists stays within what was in use at once. A thread that ends frees the rest.

use std::cell::RefCell;
use std::sync::Arc;

use super::node::{Child, Node};

/// Trees of up to so many records are freed at once: it takes some ten microseconds.
const SMALL: u64 = 512;

/// How many nodes a call frees: more than a tree of a billion records has levels.
pub(super) const NODES_PER_STEP: usize = 8;

thread_local! {
    static RELEASED: RefCell<Vec<Arc<Node>>> = const { RefCell::new(Vec::new()) };
}

/// Lets go of a tree that will not be used.
pub(super) fn release(root: &mut Child) {
    if root.total.count > SMALL && is_unshared(&root.node) {
        let node = std::mem::take(root).node;
        // While the thread ends there is no list any more, and nobody who waits: it is freed here.
        let _ = RELEASED.try_with(|released| released.borrow_mut().push(node));
    }
}

/// Frees a few nodes.
pub(crate) fn step() {
    for _ in 0..NODES_PER_STEP {
        let Some(node) = RELEASED.with_borrow_mut(Vec::pop) else {
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
