use super::*;
use crate::data::{BLOCK_BYTES, Compaction, Progress, RunWriter};
use crate::testing::{Run, section};
use quorate_rsm::raft::Random;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Runs of one partition, each sorted; and all their pairs, sorted so that equal keys stay in order.
fn runs(count: usize, pairs: u64, random: &mut Random) -> (Vec<Run>, Pairs) {
    let mut all = Pairs::new();
    let mut runs = Vec::new();
    for number in 0..count {
        let mut own: Pairs = (0..random.below(pairs + 1))
            .map(|at| {
                let key = b"aab\0"[..random.below(5) as usize].to_vec();
                (key, format!("{number}-{at}").into_bytes())
            })
            .collect();
        own.sort_by(|a, b| a.0.cmp(&b.0));
        let mut writer = RunWriter::new(1);
        for (key, value) in &own {
            writer.push(0, key, value).expect("they are in order");
        }
        let index = writer.finish();
        runs.push((writer.take(), index));
        all.extend(own);
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    (runs, all)
}

fn sections(runs: &[Run]) -> Vec<&[u8]> {
    runs.iter().filter_map(|run| section(run, 0)).collect()
}

/// Gives the next bytes of a section, at most so many.
fn next<'a>(sections: &[&'a [u8]], fed: &mut [usize], number: usize, max: usize) -> &'a [u8] {
    let rest = &sections[number][fed[number]..];
    let chunk = &rest[..rest.len().min(max)];
    fed[number] += chunk.len();
    chunk
}

fn merged(sections: &[&[u8]], chunk: usize) -> Pairs {
    let mut merge = Merge::new(0, sections.len()).expect("they are few");
    let mut fed = vec![0; sections.len()];
    let mut pairs = Pairs::new();
    loop {
        match merge.step().expect("nothing is damaged") {
            Step::Pair(pair) => pairs.push((pair.key.to_vec(), pair.value.to_vec())),
            Step::Need(number) => {
                let bytes = next(sections, &mut fed, number, chunk);
                merge.feed(number, bytes).expect("nothing is cut");
            }
            Step::End => return pairs,
        }
    }
}

fn compacted(sections: &[&[u8]]) -> Run {
    let merge = Merge::new(0, sections.len()).expect("they are few");
    let mut compaction = Compaction::new(merge, 1);
    let mut fed = vec![0; sections.len()];
    let mut run = Vec::new();
    loop {
        let progress = compaction.run().expect("nothing is damaged");
        run.extend(compaction.take());
        match progress {
            Progress::Need(number) => {
                let bytes = next(sections, &mut fed, number, 100);
                compaction.feed(number, bytes).expect("nothing is cut");
            }
            Progress::Output => {}
            Progress::Done => return (run, compaction.index().expect("it is done").clone()),
        }
    }
}

#[test]
fn merge_is_a_stable_sort_for_any_number_of_sections() {
    let mut random = Random::new(11);
    for count in (0..=FAN_IN_MAX)
        .chain([1; 20])
        .chain([2; 20])
        .chain([3; 20])
    {
        let (runs, all) = runs(count, 12, &mut random);
        let chunk = 1 + random.below(60) as usize;
        assert_eq!(merged(&sections(&runs), chunk), all, "{count} sections");
    }
}

#[test]
fn merging_in_passes_comes_to_the_same() {
    let mut random = Random::new(12);
    for fan_in in [2, 3, 5, 16] {
        for count in [1, 2, 6, 17, 40] {
            let (mut runs, all) = runs(count, 12, &mut random);
            runs.retain(|run| section(run, 0).is_some());
            loop {
                let sizes: Vec<u64> = sections(&runs).iter().map(|it| it.len() as u64).collect();
                let Some(range) = next_merge(&sizes, fan_in) else {
                    break;
                };
                assert!((2..=fan_in).contains(&range.len()), "{range:?}");
                let run = compacted(&sections(&runs[range.clone()]));
                runs.splice(range, [run]);
            }
            assert!(runs.len() <= fan_in);
            assert_eq!(
                merged(&sections(&runs), 50),
                all,
                "{count} sections, {fan_in} at once"
            );
        }
    }
}

#[test]
fn the_smallest_neighbors_are_merged_first() {
    assert_eq!(next_merge(&[9, 1, 1, 9], 3), Some(1..3));
    assert_eq!(next_merge(&[1, 9, 2, 2, 2, 9], 3), Some(2..5));
    assert_eq!(next_merge(&[1, 1, 1], 3), None);
    assert_eq!(next_merge(&[], 3), None);
    assert_eq!(next_merge(&vec![u64::MAX; 200], 1000), Some(0..64));
}

#[test]
fn memory_is_a_block_for_each_section() {
    const SECTIONS: usize = 16;
    let value = [b'v'; 100];
    let mut writer = RunWriter::new(1);
    for number in 0_u32..20_000 {
        writer
            .push(0, &number.to_be_bytes(), &value)
            .expect("they are in order");
    }
    let index = writer.finish();
    let run = (writer.take(), index);
    let sections = vec![section(&run, 0).expect("it has pairs"); SECTIONS];
    assert!(sections[0].len() > 30 * BLOCK_BYTES);
    let mut merge = Merge::new(0, SECTIONS).expect("they are few");
    let mut fed = vec![0; SECTIONS];
    let (mut pairs, mut most) = (0, 0);
    loop {
        match merge.step().expect("nothing is damaged") {
            Step::Pair(_) => pairs += 1,
            Step::Need(number) => {
                let bytes = next(&sections, &mut fed, number, BLOCK_BYTES);
                merge.feed(number, bytes).expect("nothing is cut");
                most = most.max(merge.memory());
            }
            Step::End => break,
        }
    }
    assert_eq!(pairs, SECTIONS * 20_000);
    // What is fed, what was left of a block before it, and the room of a buffer that has grown.
    assert!(most <= SECTIONS * 4 * BLOCK_BYTES, "{most}");
}

#[test]
fn what_cannot_be_merged_is_refused() {
    assert!(Merge::new(0, FAN_IN_MAX + 1).is_err());
    assert!(Merge::new(PARTITIONS_MAX, 1).is_err());
    let mut merge = Merge::new(0, 1).expect("one can be merged");
    assert!(merge.feed(1, b"x").is_err());
}
