//! Who took what from a queue: each item once, whatever its taker was told, and in the end each that
//! was ever put in is either still there or was taken.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::Violation;

/// The items of one queue, by number.
#[derive(Debug, Default)]
pub struct Taken {
    given: u64,
    by: BTreeMap<u64, u64>,
}

impl Taken {
    /// A number for an item that is to be put in.
    pub fn number(&mut self) -> u64 {
        self.given += 1;
        self.given
    }

    /// A taker knows that it has an item.
    ///
    /// # Errors
    /// Somebody had it already.
    pub fn take(&mut self, item: u64, taker: u64) -> Result<(), Violation> {
        match self.by.insert(item, taker) {
            None => Ok(()),
            Some(first) => {
                let seen = format!("{first} took item {item}, and so did {taker}");
                Err(Violation::new("A queue's item is taken once", seen))
            }
        }
    }

    /// Nobody is about to take anything: `ever` was put in, `left` is still there.
    ///
    /// # Errors
    /// An item is lost, or was taken and is still there, or was never there.
    pub fn check(&self, ever: &BTreeSet<u64>, left: &BTreeSet<u64>) -> Result<(), Violation> {
        let taken: BTreeSet<u64> = self.by.keys().copied().collect();
        let gone: BTreeSet<u64> = ever - left;
        if let Some(item) = (&gone ^ &taken).first() {
            let is_taken = taken.contains(item);
            let seen = format!(
                "item {item}: put in {}, still there {}, taken {is_taken}",
                ever.contains(item),
                left.contains(item)
            );
            return Err(Violation::new("A queue loses nothing", seen));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_twice_or_lost_is_found() {
        let mut taken = Taken::default();
        let items: Vec<u64> = (0..3).map(|_| taken.number()).collect();
        assert_eq!(items, [1, 2, 3]);
        taken.take(1, 7).unwrap();
        let set = |items: &[u64]| items.iter().copied().collect::<BTreeSet<u64>>();
        taken.check(&set(&[1, 2]), &set(&[2])).unwrap();
        for (ever, left) in [
            (&[1, 2][..], &[][..]),
            (&[1, 2], &[1, 2]),
            (&[2], &[2]),
            (&[1, 2, 3], &[2]),
        ] {
            let violation = taken.check(&set(ever), &set(left)).unwrap_err();
            assert_eq!(violation.property, "A queue loses nothing");
        }
        let violation = taken.take(1, 8).unwrap_err();
        assert_eq!(violation.property, "A queue's item is taken once");
    }
}
