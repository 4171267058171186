//! Why a command or query failed. Nothing changed then, not even the revision.

use core::fmt;

use crate::limits::{KEY_BYTES_MAX, REPLY_BYTES_MAX, TTL_MS_MAX, VALUE_BYTES_MAX};
use crate::txn::TXN_OPS_MAX;

/// Why a command or query failed. Every replica gives the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The bytes are no command, or no query. The sender runs other code: update it.
    Malformed,
    /// A key must have at least one byte.
    EmptyKey,
    /// A key exceeds [`KEY_BYTES_MAX`].
    KeyTooLarge,
    /// A value exceeds [`VALUE_BYTES_MAX`], or would after an append.
    ValueTooLarge,
    /// An increment met a value that is no decimal integer of 64 bits. Look at the value first.
    NotAnInteger,
    /// An increment would leave the signed 64-bit range.
    Overflow,
    /// A transaction changes a key twice.
    DuplicateKey,
    /// The revision asked for is below the compacted one: ask for a newer one.
    Compacted,
    /// The revision asked for is above the store's.
    FutureRevision,
    /// What should be kept of the key is not there, for there is no such key.
    KeyNotFound,
    /// A transaction exceeds [`TXN_OPS_MAX`].
    TooManyOperations,
    /// The reply would exceed [`REPLY_BYTES_MAX`]. Ask for less.
    ReplyTooLarge,
    /// There is no such lease, or no longer.
    LeaseNotFound,
    /// There is such a lease already.
    LeaseExists,
    /// A lease's id is above 2^53 - 1, or its time to live is 0 or above [`TTL_MS_MAX`].
    BadLease,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Malformed,
        Self::EmptyKey,
        Self::KeyTooLarge,
        Self::ValueTooLarge,
        Self::NotAnInteger,
        Self::Overflow,
        Self::DuplicateKey,
        Self::Compacted,
        Self::FutureRevision,
        Self::KeyNotFound,
        Self::TooManyOperations,
        Self::ReplyTooLarge,
        Self::LeaseNotFound,
        Self::LeaseExists,
        Self::BadLease,
    ];

    /// The name that never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "MALFORMED",
            Self::EmptyKey => "EMPTY_KEY",
            Self::KeyTooLarge => "KEY_TOO_LARGE",
            Self::ValueTooLarge => "VALUE_TOO_LARGE",
            Self::NotAnInteger => "NOT_AN_INTEGER",
            Self::Overflow => "OVERFLOW",
            Self::DuplicateKey => "DUPLICATE_KEY",
            Self::Compacted => "COMPACTED",
            Self::FutureRevision => "FUTURE_REVISION",
            Self::KeyNotFound => "KEY_NOT_FOUND",
            Self::TooManyOperations => "TOO_MANY_OPERATIONS",
            Self::ReplyTooLarge => "REPLY_TOO_LARGE",
            Self::LeaseNotFound => "LEASE_NOT_FOUND",
            Self::LeaseExists => "LEASE_EXISTS",
            Self::BadLease => "BAD_LEASE",
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Malformed => 1,
            Self::EmptyKey => 2,
            Self::KeyTooLarge => 3,
            Self::ValueTooLarge => 4,
            Self::NotAnInteger => 5,
            Self::Overflow => 6,
            Self::DuplicateKey => 7,
            Self::Compacted => 8,
            Self::FutureRevision => 9,
            Self::KeyNotFound => 10,
            Self::TooManyOperations => 11,
            Self::ReplyTooLarge => 12,
            Self::LeaseNotFound => 13,
            Self::LeaseExists => 14,
            Self::BadLease => 15,
        }
    }

    pub(crate) fn from_number(number: u8) -> Result<Self, Malformed> {
        Self::ALL
            .into_iter()
            .find(|code| code.number() == number)
            .ok_or(Malformed)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "the bytes are no command or query of this machine"),
            Self::EmptyKey => write!(f, "a key must have at least one byte"),
            Self::KeyTooLarge => write!(f, "a key may have at most {KEY_BYTES_MAX} bytes"),
            Self::ValueTooLarge => write!(f, "a value may have at most {VALUE_BYTES_MAX} bytes"),
            Self::NotAnInteger => write!(f, "the value is no decimal 64-bit integer"),
            Self::Overflow => write!(f, "the result would leave the signed 64-bit range"),
            Self::DuplicateKey => write!(f, "a transaction may change a key only once"),
            Self::Compacted => write!(f, "the revision is compacted away"),
            Self::FutureRevision => write!(f, "the store has no such revision yet"),
            Self::KeyNotFound => write!(f, "there is no such key"),
            Self::TooManyOperations => {
                write!(f, "a transaction may have at most {TXN_OPS_MAX} operations")
            }
            Self::ReplyTooLarge => write!(f, "the reply may have at most {REPLY_BYTES_MAX} bytes"),
            Self::LeaseNotFound => write!(f, "there is no such lease"),
            Self::LeaseExists => write!(f, "there is such a lease already"),
            Self::BadLease => write!(
                f,
                "a lease lives 1 to {TTL_MS_MAX} ms, and its id is below 2^53"
            ),
        }
    }
}

impl core::error::Error for Code {}

/// The bytes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bytes cannot be read")
    }
}

impl core::error::Error for Malformed {}
