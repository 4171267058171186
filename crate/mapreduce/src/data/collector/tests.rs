use super::*;
use crate::data::{Combining, Drain, Groups, SAME_KEY, take_pair};

fn pair<'a>(partition: u32, key: &'a [u8], value: &'a [u8]) -> Pair<'a> {
    Pair {
        partition,
        key,
        value,
    }
}

/// All pairs of a collector, in order.
fn sorted(collector: &mut Collector) -> Vec<(u32, Vec<u8>, Vec<u8>)> {
    collector.sort();
    let mut scratch = Vec::new();
    (0..collector.pairs())
        .filter_map(|place| {
            let pair = collector.pair(place, &mut scratch)?;
            Some((pair.partition, pair.key.to_vec(), pair.value.to_vec()))
        })
        .collect()
}

#[test]
fn pairs_are_sorted_by_partition_and_key_and_stay_in_order_otherwise() {
    let mut collector = Collector::new(2, 1 << 20);
    let keys: [&[u8]; 8] = [
        b"b",
        b"",
        b"a\0",
        b"a",
        b"long key, 2",
        b"a",
        b"long key, 1",
        b"",
    ];
    let mut expected = Vec::new();
    for (number, key) in keys.into_iter().cycle().take(64).enumerate() {
        let (partition, value) = ((number % 3 % 2) as u32, vec![number as u8; number % 4]);
        collector
            .push(pair(partition, key, &value))
            .expect("it is short");
        expected.push((partition, key.to_vec(), value));
    }
    expected.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    assert_eq!(sorted(&mut collector), expected);
}

#[test]
fn memory_stays_within_twice_the_budget() {
    const BUDGET: usize = 1 << 20;
    for (key_len, value_len) in [(0, 0), (8, 0), (3, 500), (1000, 3000)] {
        let mut collector = Collector::new(1, BUDGET);
        for _ in 0..3 {
            while !collector.is_full() {
                let (key, value) = (vec![1; key_len], vec![2; value_len]);
                collector.push(pair(0, &key, &value)).expect("it is short");
            }
            assert!(collector.bytes() < BUDGET + ENTRY_BYTES + key_len + value_len);
            assert!(
                collector.memory() <= 2 * BUDGET + 10_000,
                "{}",
                collector.memory()
            );
            collector.clear();
            assert!(collector.is_empty() && !collector.is_full());
        }
    }
}

#[test]
fn what_is_no_pair_of_it_is_refused() {
    let mut collector = Collector::new(2, 1 << 20);
    let none = DataError::NoPartition { partition: 2 };
    assert_eq!(collector.push(pair(2, b"", b"")), Err(none));
    let bytes = PAIR_BYTES_MAX + 1;
    let long = collector.push(pair(0, &[1], &vec![0; PAIR_BYTES_MAX]));
    assert_eq!(long, Err(DataError::PairTooLong { bytes }));
    assert!(collector.is_empty());
}

/// Groups as they are read again.
fn decode(groups: &Groups, key: &mut Vec<u8>) -> Vec<(u32, Vec<u8>, Vec<u8>)> {
    let (mut bytes, table) = groups.parts();
    let (rows, _) = table.as_chunks();
    let mut read = Vec::new();
    for [partition, key_len, value_len] in rows {
        if *key_len != SAME_KEY {
            *key = bytes
                .split_off(..*key_len as usize)
                .expect("it is there")
                .to_vec();
        }
        let value = bytes.split_off(..*value_len as usize).expect("it is there");
        read.push((*partition, key.clone(), value.to_vec()));
    }
    assert!(bytes.is_empty());
    read
}

#[test]
fn combining_what_comes_back_as_it_was_is_a_plain_spill() {
    let fill = || {
        let mut collector = Collector::new(3, 1 << 20);
        for number in 0..500_u32 {
            let key = format!("key {}", number % 17);
            let value = number.to_string();
            let pair = pair(number % 3, key.as_bytes(), value.as_bytes());
            collector.push(pair).expect("it is short");
        }
        collector
    };
    let mut collector = fill();
    let mut drain = Drain::begin(&mut collector);
    let mut plain = Vec::new();
    while let Some(chunk) = drain.chunk(&mut collector).expect("they are in order") {
        plain.extend(chunk);
    }
    let mut collector = fill();
    let mut combining = Combining::begin(&mut collector);
    let mut key = Vec::new();
    let mut combined = Vec::new();
    loop {
        let pairs = decode(combining.groups(&collector, 100), &mut key);
        if pairs.is_empty() {
            break;
        }
        let mut batch = Vec::new();
        for (partition, key, value) in pairs {
            for number in [partition, key.len() as u32, value.len() as u32] {
                batch.extend(number.to_le_bytes());
            }
            batch.extend(key);
            batch.extend(value);
        }
        combining.combined(&batch, 3).expect("they are in order");
        combined.extend(combining.take());
    }
    assert!(combining.is_exhausted(&collector));
    let index = combining.finish(&mut collector);
    combined.extend(combining.take());
    assert_eq!(combined, plain);
    assert_eq!((Some(&index), collector.is_empty()), (drain.index(), true));
}

#[test]
fn changed_key_is_refused_by_what_combines() {
    let mut collector = Collector::new(1, 1 << 20);
    let mut combining = Combining::begin(&mut collector);
    let pair = |key| [&[0; 4][..], &[1, 0, 0, 0], &[0; 4], &[key]].concat();
    assert_eq!(
        combining.combined(&[pair(b'b'), pair(b'b')].concat(), 1),
        Ok(())
    );
    let changed = combining.combined(&pair(b'a'), 1);
    assert_eq!(changed, Err(DataError::OutOfOrder));
}

#[test]
fn batch_that_is_cut_is_refused() {
    let batch = [&[0xff; 4][..], &[1, 0, 0, 0], &[2, 0, 0, 0], b"kvv"].concat();
    let (found, rest) = take_pair(&batch, 8)
        .expect("it is whole")
        .expect("it is one");
    assert_eq!(found, pair(crate::data::by_hash(b"k", 8), b"k", b"vv"));
    assert_eq!(take_pair(rest, 8), Ok(None));
    for cut in 1..batch.len() {
        let cut = take_pair(&batch[..cut], 8);
        assert!(matches!(cut, Err(DataError::Invalid(_))), "{cut:?}");
    }
}

#[test]
fn same_key_in_another_partition_is_another_group() {
    let mut groups = Groups::default();
    for partition in [0, 0, 1] {
        groups.push(&pair(partition, b"k", b"v"));
    }
    let (bytes, table) = groups.parts();
    assert_eq!(bytes, b"kvvkv");
    assert_eq!(table, [0, 1, 1, 0, SAME_KEY, 1, 1, 1, 1]);
}
