use super::*;
use crate::data::{Merge, Pair, Step};

/// Pairs by partition, in their order.
type Pairs = Vec<(u32, Vec<u8>, Vec<u8>)>;

/// A few in each of three of four partitions; one does not fit in a block.
fn pairs() -> Pairs {
    let mut pairs = Pairs::new();
    for partition in [0, 1, 3] {
        for number in 0..6_u8 {
            let key = [b"key-".as_slice(), &[b'a' + number / 2]].concat();
            pairs.push((partition, key, vec![number; number.into()]));
        }
    }
    pairs.push((3, b"long".to_vec(), vec![7; BLOCK_BYTES + 1]));
    pairs.push((3, b"z".to_vec(), vec![]));
    pairs
}

fn write(pairs: &Pairs, partitions: u32) -> Vec<u8> {
    let mut writer = RunWriter::new(partitions);
    for (partition, key, value) in pairs {
        writer
            .push(*partition, key, value)
            .expect("they are in order");
    }
    writer.finish();
    writer.take()
}

/// Reads a run as a host does: trailer, index, sections.
fn read(run: &[u8]) -> Result<Pairs, DataError> {
    let Some((rest, trailer)) = run.split_last_chunk::<TRAILER_BYTES>() else {
        return Err(DataError::Cut);
    };
    let len = Index::bytes(trailer)?;
    let offset = rest.len().checked_sub(len).ok_or(DataError::Cut)?;
    let index = Index::read(&rest[offset..], offset as u64)?;
    let mut pairs = Pairs::new();
    for section in &index.sections {
        let from = section.offset as usize;
        let bytes = &rest[from..from + section.bytes as usize];
        let mut merge = Merge::new(section.partition, 1)?;
        let mut fed = 0;
        let before = pairs.len();
        loop {
            match merge.step()? {
                Step::Pair(Pair {
                    partition,
                    key,
                    value,
                }) => {
                    pairs.push((partition, key.to_vec(), value.to_vec()));
                }
                Step::Need(_) => {
                    let chunk = &bytes[fed..bytes.len().min(fed + 1000)];
                    fed += chunk.len();
                    merge.feed(0, chunk)?;
                }
                Step::End => break,
            }
        }
        assert_eq!((pairs.len() - before) as u64, section.pairs);
    }
    Ok(pairs)
}

#[test]
fn pairs_come_back_as_they_were() {
    assert_eq!(read(&write(&pairs(), 4)), Ok(pairs()));
    assert_eq!(read(&write(&Pairs::new(), 1024)), Ok(Pairs::new()));
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    let mut pairs = pairs();
    // All that has a shape of its own is in a short run, too.
    pairs.retain(|(_, _, value)| value.len() < 100);
    let run = write(&pairs, 4);
    for bit in 0..run.len() * 8 {
        let mut flipped = run.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let found = read(&flipped);
        assert!(
            matches!(found, Err(DataError::Damaged(_) | DataError::Cut)),
            "bit {bit}: {found:?}"
        );
    }
    for cut in 0..run.len() {
        assert!(read(&run[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn cut_section_is_found_also_between_blocks() {
    let run = write(&pairs(), 4);
    let len = Index::bytes(&run[run.len() - TRAILER_BYTES..]).expect("it was just written");
    let offset = run.len() - TRAILER_BYTES - len;
    let index = Index::read(&run[offset..], offset as u64).expect("it was just written");
    let last = index.sections.last().expect("there are three");
    let section = &run[last.offset as usize..][..last.bytes as usize];
    for cut in (0..section.len()).rev() {
        let mut merge = Merge::new(last.partition, 1).expect("one can be merged");
        let fed = (merge.feed(0, &section[..cut]), merge.feed(0, &[]));
        let read = loop {
            match merge.step() {
                Ok(Step::Pair(_)) => {}
                other => break other.map(|_| ()),
            }
        };
        // The host that asks again is told that there is nothing.
        assert!(
            fed.1 == Err(DataError::Cut) || read.is_err(),
            "cut at {cut}"
        );
    }
}

#[test]
fn section_of_another_partition_or_order_is_refused() {
    let run = write(&pairs(), 4);
    let read = |partition, bytes: &[u8]| {
        let mut merge = Merge::new(partition, 1).expect("one can be merged");
        merge.feed(0, bytes).expect("it is something");
        merge.step().map(|step| matches!(step, Step::Pair(_)))
    };
    let wrong = Err(DataError::Damaged("a block is in the wrong place"));
    assert_eq!((read(0, &run), read(1, &run)), (Ok(true), wrong));
    // The second block of the last section, without the first.
    let (_, payload) = unseal(&run).expect("it is whole").expect("it is there");
    let first = payload.len() + 20;
    let mut at = first;
    for _ in 0..2 {
        let (_, payload) = unseal(&run[at..])
            .expect("it is whole")
            .expect("it is there");
        at += payload.len() + 20;
    }
    assert_eq!(read(3, &run[at..]), wrong);
}

#[test]
fn newer_version_is_told_from_damage() {
    let mut run = write(&pairs(), 4);
    run[0] = RUN_VERSION_NEXT;
    let sum = checksum([&run[..12], &[]]).to_le_bytes();
    run[12..16].copy_from_slice(&sum);
    let mut merge = Merge::new(0, 1).expect("one can be merged");
    merge.feed(0, &run).expect("it is something");
    let found = merge.step().map(|_| ());
    assert_eq!(
        found,
        Err(DataError::Version {
            found: RUN_VERSION_NEXT
        })
    );
}

const RUN_VERSION_NEXT: u8 = super::super::RUN_VERSION + 1;

#[test]
fn pairs_out_of_order_are_refused() {
    let mut writer = RunWriter::new(2);
    writer.push(1, b"b", b"").expect("it is the first");
    writer.push(1, b"b", b"").expect("it may be the same");
    assert_eq!(writer.push(1, b"a", b""), Err(DataError::OutOfOrder));
    assert_eq!(writer.push(0, b"c", b""), Err(DataError::OutOfOrder));
    let none = DataError::NoPartition { partition: 2 };
    assert_eq!(writer.push(2, b"c", b""), Err(none));
    let bytes = PAIR_BYTES_MAX + 1;
    let long = writer.push(1, b"c", &vec![0; PAIR_BYTES_MAX]);
    assert_eq!(long, Err(DataError::PairTooLong { bytes }));
}
