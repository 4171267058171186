//! How large things may get. They are part of the protocol: every replica must refuse alike.

/// The longest key, in bytes. A range may begin or end one byte further.
pub const KEY_BYTES_MAX: usize = 4 << 10;

/// The longest value, in bytes; also what an append may grow it to.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// The keys and values of a range's reply, in bytes. The first record always comes, so that a range
/// makes progress; what is left out is named by the reply's `next`.
pub const RANGE_BYTES_MAX: usize = 1 << 20;

/// The longest command that can succeed, in bytes: a compare-and-swap from one largest value to
/// another.
pub const COMMAND_BYTES_MAX: usize = 2 * VALUE_BYTES_MAX + KEY_BYTES_MAX + 16;

/// Revisions and counts stay exact as JavaScript numbers. At a million changes a second this lasts
/// 285 years; a snapshot that claims more is damaged.
pub(crate) const NUMBER_MAX: u64 = (1 << 53) - 1;
