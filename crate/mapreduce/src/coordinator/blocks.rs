//! A list that is shared block by block: a copy costs a pointer for each block, and a change beside a
//! copy costs one block.

use std::collections::VecDeque;
use std::sync::Arc;

/// Things in order. All blocks but the last one are full.
#[derive(Clone, Debug)]
pub(super) struct Blocks<T> {
    blocks: VecDeque<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self {
            blocks: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T: Clone> Blocks<T> {
    /// How many things are in a block.
    pub(super) const SIZE: usize = 256;

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.blocks.get(at / Self::SIZE)?.get(at % Self::SIZE)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        let block = self.blocks.get_mut(at / Self::SIZE)?;
        Arc::make_mut(block).get_mut(at % Self::SIZE)
    }

    pub(super) fn push(&mut self, thing: T) {
        match self.blocks.back_mut() {
            Some(last) if last.len() < Self::SIZE => Arc::make_mut(last).push(thing),
            _ => self.blocks.push_back(Arc::new(vec![thing])),
        }
        self.len += 1;
    }

    /// Drops the first block; how many things that were.
    pub(super) fn drop_block(&mut self) -> usize {
        let dropped = self.blocks.pop_front().map_or(0, |block| block.len());
        self.len -= dropped;
        dropped
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.from(0)
    }

    /// All from the place `at` on.
    pub(super) fn from(&self, at: usize) -> impl Iterator<Item = &T> {
        let blocks = self.blocks.iter().skip(at / Self::SIZE);
        blocks.flat_map(|block| block.iter()).skip(at % Self::SIZE)
    }
}

impl<T: Clone> FromIterator<T> for Blocks<T> {
    fn from_iter<I: IntoIterator<Item = T>>(things: I) -> Self {
        let mut blocks = Self::default();
        things.into_iter().for_each(|thing| blocks.push(thing));
        blocks
    }
}
