use std::collections::BTreeMap;

use super::*;
use quorate_rsm::raft::Random;

/// All sums, in order.
fn sums(counter: &mut Counter) -> Vec<(u32, Vec<u8>, u64)> {
    counter.sort();
    let mut scratch = Vec::new();
    (0..)
        .map_while(|place| {
            let pair = counter.pair(place, &mut scratch)?;
            let number = sum(pair.value).expect("it is a sum");
            Some((pair.partition, pair.key.to_vec(), number))
        })
        .collect()
}

#[test]
fn sums_are_those_of_an_ordered_map() {
    let mut random = Random::new(21);
    let mut counter = Counter::new(5, 1 << 30, None);
    for spill in 0..3 {
        let mut expected = BTreeMap::<Vec<u8>, u64>::new();
        for _ in 0..30_000 {
            // Zeros tell a key from its prefix; a few bytes make many that are alike.
            let len = random.below(20) as usize;
            let key: Vec<u8> = (0..len)
                .map(|_| b"\0\0\0a"[random.below(4) as usize])
                .collect();
            let number = 1 << random.below(40);
            counter.add(&key, number).expect("it is short");
            *expected.entry(key).or_default() += number;
        }
        let mut expected: Vec<_> = expected
            .into_iter()
            .map(|(key, number)| (by_hash(&key, 5), key, number))
            .collect();
        expected.sort();
        assert!(expected.len() > 8 * ENTRIES_MIN, "the table grows");
        assert!(sums(&mut counter) == expected, "spill {spill}");
        counter.clear();
        assert!(counter.is_empty());
    }
}

#[test]
fn sums_of_all_sizes_are_written_and_read() {
    for number in (0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1, u64::MAX >> bit]) {
        let mut counter = Counter::new(1, 1 << 20, None);
        counter.add(b"key", number).expect("it is short");
        assert_eq!(sums(&mut counter), [(0, b"key".to_vec(), number)]);
    }
    assert_eq!(sum(&[1; 9]), Err(DataError::Damaged("a sum")));
}

#[test]
fn sum_stops_at_the_largest_number() {
    let mut counter = Counter::new(1, 1 << 20, None);
    for _ in 0..2 {
        counter.add(b"key", u64::MAX).expect("it is short");
    }
    assert_eq!(sums(&mut counter), [(0, b"key".to_vec(), u64::MAX)]);
}

#[test]
fn memory_stays_within_twice_the_budget() {
    const BUDGET: usize = 1 << 20;
    for len in [4, 8, 9, 300] {
        let mut counter = Counter::new(1, BUDGET, None);
        let mut number = 0_u64;
        for _ in 0..3 {
            while !counter.is_full() {
                number += 1;
                let mut key = vec![b'x'; len];
                let bytes = number.to_be_bytes();
                key[..4].copy_from_slice(&bytes[4..]);
                counter.add(&key, 1).expect("it is short");
            }
            assert!(counter.memory() <= 2 * BUDGET, "{}", counter.memory());
            counter.clear();
        }
    }
}
