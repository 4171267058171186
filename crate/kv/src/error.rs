//! Why a command or query failed. Nothing changed then, not even the revision.

use core::fmt;

use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

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
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Malformed,
        Self::EmptyKey,
        Self::KeyTooLarge,
        Self::ValueTooLarge,
        Self::NotAnInteger,
        Self::Overflow,
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
