//! How large things may get. They are part of the protocol: every replica must refuse alike.

/// The longest key, in bytes. A range may begin or end one byte further.
pub const KEY_BYTES_MAX: usize = 4 << 10;

/// The longest value, in bytes; also what an append may grow it to.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// The keys and values of a range's reply, in bytes. The first record always comes, so that a range
/// makes progress; what is left out is named by the reply's `next`.
pub const RANGE_BYTES_MAX: usize = 1 << 20;

/// What the replies of a transaction, and the records that a removal gives back, may take together,
/// in bytes: two of the largest records.
pub const REPLY_BYTES_MAX: usize = 2 * (VALUE_BYTES_MAX + KEY_BYTES_MAX + 64);

/// The longest command that can succeed, in bytes: a compare-and-swap from one largest value to
/// another. A transaction has this limit, too.
pub const COMMAND_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX + KEY_BYTES_MAX + 16;

/// The longest time to live of a lease, in milliseconds: 285 years.
pub const TTL_MS_MAX: u64 = 9_000_000_000_000;

/// How many revisions are kept where `SetRetention` said nothing.
pub const RETENTION_REVISIONS: u64 = 10_000;

/// How many bytes of the past are kept where `SetRetention` said nothing: a store of large values
/// must not grow by its past alone.
pub const RETENTION_BYTES: u64 = 16 << 20;

/// Revisions and counts stay exact as JavaScript numbers. At a million changes a second this lasts
/// 285 years; a snapshot that claims more is damaged.
pub(crate) const NUMBER_MAX: u64 = (1 << 53) - 1;
