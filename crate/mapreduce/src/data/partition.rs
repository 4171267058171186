//! Which partition a key belongs to.

/// By the hash of the key: FNV-1a of 64 bits.
#[must_use]
pub fn by_hash(key: &[u8], partitions: u32) -> u32 {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash % u64::from(partitions)) as u32
}

/// By ranges of keys: how many of the boundaries, which are in order, are not above the key.
#[must_use]
pub fn by_range(key: &[u8], boundaries: &[Vec<u8>]) -> u32 {
    boundaries.partition_point(|from| from.as_slice() <= key) as u32
}

/// Boundaries between so many partitions, of about the same size if `samples` are like all keys. Where
/// there are fewer different samples than that, some partitions stay empty.
#[must_use]
pub fn boundaries(mut samples: Vec<Vec<u8>>, partitions: u32) -> Vec<Vec<u8>> {
    samples.sort_unstable();
    let partitions = partitions as usize;
    let mut boundaries: Vec<Vec<u8>> = (1..partitions)
        .filter_map(|part| samples.get(part * samples.len() / partitions).cloned())
        .collect();
    boundaries.dedup();
    boundaries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_the_published_one() {
        // Vectors of the FNV authors: `a` and `foobar`.
        assert_eq!(
            by_hash(b"a", 1 << 31),
            (0xaf63_dc4c_8601_ec8c_u64 % (1 << 31)) as u32
        );
        assert_eq!(
            by_hash(b"foobar", 1 << 31),
            (0x8594_4171_f739_67e8_u64 % (1 << 31)) as u32
        );
    }

    #[test]
    fn ranges_are_about_equal_and_in_order() {
        let samples: Vec<Vec<u8>> = (0..=255).rev().map(|byte| vec![byte]).collect();
        let boundaries = boundaries(samples.clone(), 4);
        assert_eq!(boundaries, [[64], [128], [192]]);
        let of = |byte: u8| by_range(&[byte], &boundaries);
        assert_eq!(
            [of(0), of(63), of(64), of(127), of(128), of(255)],
            [0, 0, 1, 1, 2, 3]
        );
    }

    #[test]
    fn few_samples_give_few_boundaries() {
        assert_eq!(boundaries(vec![], 8), Vec::<Vec<u8>>::new());
        assert_eq!(boundaries(vec![b"x".to_vec(); 9], 8), [b"x".to_vec()]);
    }
}
