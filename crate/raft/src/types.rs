//! The small words everything else is written in: who, when, and which entry.
//!
//! Newtypes, so that a term is never compared with an index. They hold `u64`; at the JavaScript
//! edge the largest value that survives is 2^53, which the codec enforces.

use core::fmt;
use core::ops::Sub;
use core::time::Duration;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

number!(
    /// One member of a cluster; an id is never given to another node.
    NodeId, "n"
);
number!(
    /// A node's storage, drawn when the storage was made. A member is a node together with its
    /// storage: one that was made again has forgotten what the node had promised. Zero where a
    /// host vouches for its storage itself, as simulations do.
    StorageId, "s"
);
number!(
    /// An election epoch (§5.1). Zero is "before any election".
    Term, "t"
);
number!(
    /// A position in the log. The first entry has index 1; zero is "before the log".
    Index, ""
);

impl Term {
    /// The term after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Index {
    /// The index after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The index before this one, or zero at the start of the log.
    #[must_use]
    pub fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl Sub for Index {
    type Output = u64;

    /// How many entries lie between; zero if `other` is beyond `self`.
    fn sub(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }
}

/// The name of an entry. Ordered as §5.4.1 orders logs: by term, then by index.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Term in which a leader created the entry.
    pub term: Term,
    /// Its position.
    pub index: Index,
}

impl EntryId {
    /// The id "before the log": term 0, index 0.
    pub const ZERO: Self = Self {
        term: Term(0),
        index: Index(0),
    };

    /// The entry at `index` made in `term`.
    #[must_use]
    pub fn new(term: Term, index: Index) -> Self {
        Self { term, index }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.term, self.index)
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A monotonic moment in microseconds since an origin that the host chooses once per node run.
///
/// The core never asks for the time; it is told, and it never goes back.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Instant(pub u64);

impl Instant {
    /// A moment that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `duration` later; saturates at [`Instant::NEVER`].
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// Time passed since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
