//! What tests do again and again.

use quorate_rsm::raft::Random;

use crate::data::{Index, Section};

/// A run and its index.
pub(crate) type Run = (Vec<u8>, Index);

/// Cuts bytes into pieces of 1 to `max` bytes.
pub(crate) fn pieces<'a>(
    mut bytes: &'a [u8],
    max: u64,
    random: &mut Random,
) -> impl Iterator<Item = &'a [u8]> {
    core::iter::from_fn(move || {
        let len = (1 + random.below(max) as usize).min(bytes.len());
        let piece = bytes.split_off(..len)?;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The bytes of a partition in a run.
pub(crate) fn section((run, index): &Run, partition: u32) -> Option<&[u8]> {
    let found = index.sections.iter().find(|it| it.partition == partition)?;
    let Section { offset, bytes, .. } = *found;
    Some(&run[offset as usize..][..bytes as usize])
}
