use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::data::{Format, Merge, Progress, Records, boundaries};
use crate::testing::{Run, pieces, section};
use quorate_rsm::raft::Random;

const PARTITIONS: u32 = 3;

/// How a job is run: nothing of it may be seen in the output, but for the partitions.
struct Way {
    splits: usize,
    /// Longest chunk of input.
    chunk: u64,
    budget: usize,
    /// Most bytes of a section at a time.
    block: usize,
}

fn ways() -> [Way; 5] {
    let way = |splits, chunk, budget, block| Way {
        splits,
        chunk,
        budget,
        block,
    };
    [
        way(1, 1 << 20, 1 << 30, 1 << 20),
        way(1, 7, 1 << 30, 10),
        way(3, 100, 12_000, 100),
        way(5, 1, 1, 33),
        way(9, 5000, 20_000, 1000),
    ]
}

/// The runs of a map task, in order.
fn map<J: Job>(job: J, text: &[u8], split: (u64, u64), way: &Way, random: &mut Random) -> Vec<Run> {
    let records = Records::new(Format::Lines, split.0, split.1).expect("it is a split");
    let mut task = MapTask::new(job, records, PARTITIONS, way.budget);
    let mut runs = Vec::new();
    let from = task.position() as usize;
    for mut piece in pieces(&text[from..], way.chunk, random) {
        while !piece.is_empty() && !task.is_done() {
            let taken = task.feed(piece).expect("lines are short");
            piece = &piece[taken..];
            if !piece.is_empty() && !task.is_done() {
                runs.push(spill(&mut task));
            }
        }
    }
    task.finish().expect("lines are short");
    if !task.is_empty() {
        runs.push(spill(&mut task));
    }
    runs
}

fn spill(task: &mut impl MapSide) -> Run {
    let mut run = Vec::new();
    while let Some(chunk) = task.spill().expect("pairs are short") {
        run.extend(chunk);
    }
    (run, task.index().expect("it is complete").clone())
}

fn reduce<J: Job>(job: J, partition: u32, runs: &[Run], way: &Way) -> Vec<u8> {
    let sections: Vec<&[u8]> = runs
        .iter()
        .filter_map(|run| section(run, partition))
        .collect();
    let merge = Merge::new(partition, sections.len()).expect("there are few");
    let mut task = ReduceTask::new(job, merge);
    let mut fed = vec![0; sections.len()];
    let mut output = Vec::new();
    loop {
        let progress = task.run().expect("nothing is damaged");
        output.extend(task.take());
        match progress {
            Progress::Need(number) => {
                let rest = &sections[number][fed[number]..];
                let chunk = &rest[..rest.len().min(way.block)];
                fed[number] += chunk.len();
                task.feed(number, chunk).expect("nothing is cut");
            }
            Progress::Output => {}
            Progress::Done => return output,
        }
    }
}

/// The outputs of the partitions.
fn run<J: Job>(job: impl Fn() -> J, text: &[u8], way: &Way, random: &mut Random) -> Vec<Vec<u8>> {
    let step = text.len().div_ceil(way.splits).max(1);
    let mut runs = Vec::new();
    for start in (0..text.len()).step_by(step) {
        let end = (start + step).min(text.len());
        runs.extend(map(job(), text, (start as u64, end as u64), way, random));
    }
    (0..PARTITIONS)
        .map(|partition| reduce(job(), partition, &runs, way))
        .collect()
}

/// A text of words of all lengths, in short lines so that spills are few.
fn text(lines: usize) -> Vec<u8> {
    let mut random = Random::new(5);
    let mut text = String::new();
    for _ in 0..lines {
        for _ in 0..random.below(12) {
            let rank = random.below(40).min(random.below(40));
            let word = "The größte naïve antidisestablishmentarianism of a b c XYZ Лев eightbit"
                .split(' ')
                .nth((rank % 11) as usize)
                .expect("there are so many");
            text.push_str(word);
            text.extend(["x", "Y", ""].iter().take(rank as usize % 3).copied());
            text.push_str([" ", ", ", "-", "7"][random.below(4) as usize]);
        }
        text.push_str(["\n", "\r\n"][random.below(2) as usize]);
    }
    text.into_bytes()
}

fn plain_words(text: &[u8], fold: bool) -> impl Iterator<Item = Vec<u8>> {
    text.split(|byte| !(byte.is_ascii_alphabetic() || *byte >= 0x80))
        .filter(|word| !word.is_empty())
        .map(move |word| match fold {
            true => word.to_ascii_lowercase(),
            false => word.to_vec(),
        })
}

/// Every line in the partition that its key belongs to.
fn by_partition(lines: BTreeMap<Vec<u8>, String>) -> Vec<Vec<u8>> {
    let mut outputs = vec![Vec::new(); PARTITIONS as usize];
    for (key, rest) in lines {
        let output = &mut outputs[crate::data::by_hash(&key, PARTITIONS) as usize];
        output.extend(key);
        output.extend(rest.bytes());
        output.push(b'\n');
    }
    outputs
}

#[test]
fn word_count_is_that_of_a_sequential_run_whichever_way() {
    let text = text(30);
    for fold in [false, true] {
        let mut counts = BTreeMap::<Vec<u8>, u64>::new();
        for word in plain_words(&text, fold) {
            *counts.entry(word).or_default() += 1;
        }
        let expected = by_partition(
            counts
                .into_iter()
                .map(|(word, count)| (word, format!("\t{count}")))
                .collect(),
        );
        for (number, way) in ways().iter().enumerate() {
            let output = run(|| WordCount::new(fold), &text, way, &mut Random::new(1));
            assert_eq!(output, expected, "way {number}");
        }
    }
}

#[test]
fn runs_do_not_depend_on_how_the_input_was_cut_into_chunks() {
    let text = text(200);
    let whole = (0, text.len() as u64);
    let of = |chunk| {
        let way = Way {
            splits: 1,
            chunk,
            budget: 9_000,
            block: 1,
        };
        map(
            WordCount::new(false),
            &text,
            whole,
            &way,
            &mut Random::new(chunk),
        )
    };
    let expected = of(1 << 20);
    assert!(
        expected.len() > 3,
        "it spills more than once: {}",
        expected.len()
    );
    for chunk in [1, 10, 1000] {
        assert_eq!(of(chunk), expected, "chunks of at most {chunk}");
    }
}

#[test]
fn index_names_each_document_once() {
    let documents = [text(10), text(20)[300..].to_vec(), b"only here".to_vec()];
    let mut found = BTreeMap::<Vec<u8>, BTreeSet<usize>>::new();
    for (number, document) in documents.iter().enumerate() {
        for word in plain_words(document, false) {
            found.entry(word).or_default().insert(number);
        }
    }
    let names = |found: BTreeSet<usize>| found.iter().map(|it| format!("\tdoc {it}")).collect();
    let expected = by_partition(
        found
            .into_iter()
            .map(|(word, it)| (word, names(it)))
            .collect(),
    );
    // The documents have two splits each.
    for (number, way) in ways().iter().enumerate().filter(|(_, way)| way.budget > 1) {
        let mut runs = Vec::new();
        for (number, document) in documents.iter().enumerate() {
            let (half, end) = (document.len() as u64 / 2, document.len() as u64);
            for split in [(0, half), (half, end)] {
                let job = InvertedIndex::new(false, format!("doc {number}").into_bytes());
                runs.extend(map(job, document, split, way, &mut Random::new(2)));
            }
        }
        let output: Vec<_> = (0..PARTITIONS)
            .map(|it| reduce(InvertedIndex::new(false, vec![]), it, &runs, way))
            .collect();
        assert_eq!(output, expected, "way {number}");
    }
}

#[test]
fn grep_gives_lines_in_order() {
    let text = text(30);
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let mut expected = Vec::new();
    for line in lines.filter(|line| line.windows(4).any(|it| it == b"bitx")) {
        expected.extend(
            line.strip_suffix(b"\r\n")
                .unwrap_or(&line[..line.len() - 1]),
        );
        expected.push(b'\n');
    }
    assert!(!expected.is_empty());
    for (number, way) in ways().iter().enumerate() {
        let output = run(
            || Grep::new(b"bitx", 5, PARTITIONS),
            &text,
            way,
            &mut Random::new(1),
        );
        assert_eq!(output, [&[][..], &[], &expected], "way {number}");
    }
}

#[test]
fn sort_gives_all_lines_in_order_over_all_partitions() {
    let text = text(30);
    let mut lines: Vec<&[u8]> = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            line.strip_suffix(b"\r\n")
                .unwrap_or(&line[..line.len() - 1])
        })
        .collect();
    let samples = lines.iter().step_by(3).map(|line| line.to_vec()).collect();
    let boundaries = boundaries(samples, PARTITIONS);
    lines.sort_unstable();
    let expected: Vec<u8> = lines.iter().flat_map(|it| [*it, b"\n"].concat()).collect();
    for (number, way) in ways().iter().enumerate() {
        let output = run(
            || Sort::new(boundaries.clone()),
            &text,
            way,
            &mut Random::new(1),
        );
        assert!(
            output.iter().all(|part| part.len() > text.len() / 6),
            "way {number}"
        );
        assert_eq!(output.concat(), expected, "way {number}");
    }
}

#[test]
fn nothing_comes_of_nothing() {
    for way in &ways() {
        let output = run(|| WordCount::new(false), b"", way, &mut Random::new(1));
        assert_eq!(output, vec![Vec::<u8>::new(); PARTITIONS as usize]);
    }
}
