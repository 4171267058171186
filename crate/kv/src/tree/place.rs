//! By what a tree is ordered, and places in that order.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::record::Record;

/// By what the records of a tree are ordered. No two are at one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum By {
    /// The key: it has one record.
    #[default]
    Key,
    /// The key, then the revision that made the record.
    Version,
    /// The revision that made the record, then the key. Records come at the end.
    Revision,
}

/// Where a record stands, or would.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) key: &'a [u8],
    /// Means nothing where records are ordered by their keys alone.
    pub(crate) revision: u64,
}

/// Between two neighbors. It owns its bytes, so that no node keeps a removed record alive.
#[derive(Clone, Debug, Default)]
pub(super) struct Divider {
    key: Key,
    revision: u64,
}

/// Most dividers are short, and a descent that finds them in the node itself is quicker.
#[derive(Clone, Debug)]
enum Key {
    Short { len: u8, bytes: [u8; SHORT_MAX] },
    Long(Arc<[u8]>),
}

/// As long as the other variant is large.
const SHORT_MAX: usize = 22;

impl By {
    /// Whether the places of two records are in order, and not the same.
    pub(crate) fn rises(self, low: &Record, high: &Record) -> bool {
        self.compare(low, high.place()).is_lt()
    }

    #[inline]
    pub(crate) fn compare(self, record: &Record, place: Place<'_>) -> Ordering {
        // As `order`, but reads no more of the record than it takes.
        let by_key = || record.key().cmp(place.key);
        let by_revision = || record.revision().cmp(&place.revision);
        match self {
            Self::Key => by_key(),
            Self::Version => by_key().then_with(by_revision),
            Self::Revision => by_revision().then_with(by_key),
        }
    }

    #[inline]
    pub(super) fn order(self, one: Place<'_>, other: Place<'_>) -> Ordering {
        let by_key = || one.key.cmp(other.key);
        let by_revision = || one.revision.cmp(&other.revision);
        match self {
            Self::Key => by_key(),
            Self::Version => by_key().then_with(by_revision),
            Self::Revision => by_revision().then_with(by_key),
        }
    }

    /// The shortest bytes above `left` and at or below `right`.
    pub(super) fn divider(self, left: &Record, right: &Record) -> Divider {
        let (left, right) = (left.place(), right.place());
        assert!(self.order(left, right).is_lt(), "records rise");
        if self == Self::Revision && left.revision < right.revision {
            return Divider {
                key: Key::default(),
                revision: right.revision,
            };
        }
        let pairs = left.key.iter().zip(right.key);
        let common = pairs.take_while(|(a, b)| a == b).count();
        match right.key.get(..=common) {
            Some(key) => Divider {
                key: key.into(),
                revision: if self == Self::Revision {
                    right.revision
                } else {
                    0
                },
            },
            None => Divider {
                key: right.key.into(),
                revision: right.revision,
            },
        }
    }
}

impl<'a> Place<'a> {
    pub(crate) fn new(key: &'a [u8], revision: u64) -> Self {
        Self { key, revision }
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Place<'a> {
    fn from(key: &'a T) -> Self {
        Self::new(key.as_ref(), 0)
    }
}

impl Divider {
    pub(super) fn place(&self) -> Place<'_> {
        let key = match &self.key {
            Key::Short { len, bytes } => &bytes[..usize::from(*len)],
            Key::Long(bytes) => bytes,
        };
        Place::new(key, self.revision)
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::from(&[][..])
    }
}

impl From<&[u8]> for Key {
    fn from(key: &[u8]) -> Self {
        let mut bytes = [0; SHORT_MAX];
        match bytes.get_mut(..key.len()) {
            Some(start) => {
                start.copy_from_slice(key);
                let len = key.len() as u8;
                Self::Short { len, bytes }
            }
            None => Self::Long(key.into()),
        }
    }
}
