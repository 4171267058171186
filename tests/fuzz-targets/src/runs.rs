//! What a worker of MapReduce reads: sections of sorted runs, as they are or with right checksums, merged
//! whatever the pieces; an index; and the records of an input, in splits and pieces.

use core::ops::ControlFlow;

use crc::{CRC_32_ISO_HDLC, Crc};
use quorate_mapreduce::data::{
    Compaction, DataError, Format, Index, Merge, Progress, RUN_VERSION, Records, Step,
};

use crate::source::Source;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    match source.below(3) {
        0 => merge(&mut source),
        1 => index(&mut source),
        _ => records(&mut source),
    }
}

/// A block, written a second time from the drawing in the module: so the two must agree.
fn block(kind: u8, partition: u16, number: u32, payload: &[u8]) -> Vec<u8> {
    let mut block = vec![RUN_VERSION, kind];
    block.extend(partition.to_le_bytes());
    block.extend((payload.len() as u32).to_le_bytes());
    block.extend(number.to_le_bytes());
    let sum = CRC.checksum(&[&block[..], payload].concat());
    block.extend(CRC.checksum(&block).to_le_bytes());
    block.extend(payload);
    block.extend(sum.to_le_bytes());
    block
}

/// The payload of a block: each pair shares some bytes with the one before.
fn pairs(source: &mut Source<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    for number in 0..=source.below(6) {
        let shared = if number == 0 { 0 } else { source.below(3) };
        let rest: Vec<u8> = (0..source.below(4)).map(|_| source.byte()).collect();
        let value: Vec<u8> = (0..source.below(9)).map(|_| source.byte()).collect();
        payload.extend([shared as u8, rest.len() as u8, value.len() as u8]);
        payload.extend(rest);
        payload.extend(value);
    }
    payload
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn merge(source: &mut Source<'_>) {
    let sections: Vec<Vec<u8>> = (0..source.below(5))
        .map(|_| {
            let mut section = Vec::new();
            let blocks = source.below(4);
            for number in 0..blocks {
                let kind = u8::from(number + 1 == blocks);
                section.extend(match source.byte() {
                    0 => source.bytes().to_vec(),
                    1 => block(
                        source.byte(),
                        source.byte().into(),
                        number as u32,
                        &source.bytes(),
                    ),
                    2 => block(kind, 0, number as u32, &source.bytes()),
                    _ => block(kind, 0, number as u32, &pairs(source)),
                });
            }
            section
        })
        .collect();
    let whole = merged(&sections, usize::MAX);
    let pieces = merged(&sections, 1 + source.below(40) as usize);
    assert_eq!(whole, pieces, "pieces are of no account");
    let Ok(pairs) = whole else {
        return;
    };
    match compacted(&sections) {
        Ok(run) => {
            let is_sorted = pairs.is_sorted_by(|a, b| a.0 <= b.0);
            assert!(is_sorted, "a run out of order was written");
            let sections = if pairs.is_empty() { vec![] } else { vec![run] };
            assert_eq!(merged(&sections, 100), Ok(pairs));
        }
        Err(error) => assert_eq!(error, DataError::OutOfOrder),
    }
}

/// Gives the next bytes of a section.
fn next<'a>(sections: &'a [Vec<u8>], fed: &mut [usize], number: usize, max: usize) -> &'a [u8] {
    let rest = &sections[number][fed[number]..];
    let piece = &rest[..rest.len().min(max)];
    fed[number] += piece.len();
    piece
}

fn merged(sections: &[Vec<u8>], max: usize) -> Result<Pairs, ()> {
    let mut merge = Merge::new(0, sections.len()).expect("they are few");
    let mut fed = vec![0; sections.len()];
    let mut pairs = Pairs::new();
    loop {
        match merge.step().map_err(drop)? {
            Step::Pair(pair) => pairs.push((pair.key.to_vec(), pair.value.to_vec())),
            Step::Need(number) => {
                let piece = next(sections, &mut fed, number, max);
                merge.feed(number, piece).map_err(drop)?;
            }
            // What follows the last block is found when it is fed, at the latest by the host that counts.
            Step::End if fed.iter().zip(sections).all(|(fed, all)| *fed == all.len()) => {
                return Ok(pairs);
            }
            Step::End => return Err(()),
        }
    }
}

/// The only section of the run that is made of these.
fn compacted(sections: &[Vec<u8>]) -> Result<Vec<u8>, DataError> {
    let mut compaction = Compaction::new(Merge::new(0, sections.len())?, 1);
    let mut fed = vec![0; sections.len()];
    let mut run = Vec::new();
    loop {
        let progress = compaction.run()?;
        run.extend(compaction.take());
        match progress {
            Progress::Need(number) => {
                compaction.feed(number, next(sections, &mut fed, number, 64))?;
            }
            Progress::Output => {}
            Progress::Done => {
                let index = compaction.index().expect("it is done");
                run.truncate(index.sections.first().map_or(0, |it| it.bytes as usize));
                return Ok(run);
            }
        }
    }
}

fn index(source: &mut Source<'_>) {
    let trailer = source.bytes();
    let _ = Index::bytes(&trailer);
    let bytes = match source.flag() {
        true => source.bytes().to_vec(),
        false => block(2, u16::MAX, 0, &source.bytes()),
    };
    let offset = source.number();
    if let Ok(index) = Index::read(&bytes, offset) {
        let end = index.sections.last().map_or(0, |it| it.offset + it.bytes);
        assert_eq!(end, offset, "sections go up to the index");
        let partitions = index.sections.iter().map(|it| it.partition);
        assert!(partitions.is_sorted_by(|a, b| a < b));
    }
}

fn records(source: &mut Source<'_>) {
    let format = match source.below(4) {
        0 => Format::Lines,
        1 => Format::Delimiter(source.bytes().to_vec()),
        2 => Format::Length(source.byte().into()),
        _ => Format::Whole,
    };
    let [cut, max] = [source.byte(), source.byte()].map(u64::from);
    let input = source.rest();
    let Some(whole) = read(input, &format, 0, u64::MAX, u64::MAX) else {
        return;
    };
    let mut parts = read(input, &format, 0, cut, 1 + max).expect("it was right");
    parts.extend(read(input, &format, cut, u64::MAX, 1 + max).expect("it was right"));
    assert_eq!(parts, whole, "splits and pieces are of no account");
}

fn read(
    input: &[u8],
    format: &Format,
    start: u64,
    end: u64,
    max: u64,
) -> Option<Vec<(u64, Vec<u8>)>> {
    let mut records = Records::new(format.clone(), start, end).ok()?;
    let mut read = Vec::new();
    while !records.is_done() {
        let rest = usize::try_from(records.position())
            .ok()
            .and_then(|at| input.get(at..));
        let rest = rest.unwrap_or_default();
        let piece = &rest[..rest.len().min(max.min(1 << 20) as usize)];
        if piece.is_empty() {
            break;
        }
        let fed = records.feed(piece, |record| {
            read.push((record.offset, record.bytes.to_vec()));
            Ok(ControlFlow::Continue(()))
        });
        fed.expect("an input of the fuzzer has no record that is too long");
    }
    let finished = records.finish(|record| {
        read.push((record.offset, record.bytes.to_vec()));
        Ok(())
    });
    finished.expect("an input of the fuzzer has no record that is too long");
    Some(read)
}
