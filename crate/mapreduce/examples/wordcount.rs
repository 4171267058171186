//! How fast words are counted, beside the pipeline of GNU coreutils that counts the same words:
//!
//!     cargo run --release -p quorate-mapreduce --example wordcount -- [megabytes] [threads] [--pipeline]
//!
//! The text is made up: words of two to twelve letters, some with umlauts, as frequent as in natural text
//! (Zipf's law over 200,000 words), in lines of about seventy bytes.

#![allow(clippy::disallowed_types, reason = "a measurement reads the clock")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use quorate_mapreduce::data::{Format, Index, Merge, Progress, Records, Section};
use quorate_mapreduce::jobs::{MapSide, MapTask, ReduceSide, ReduceTask, WordCount};
use quorate_rsm::raft::Random;

const PARTITIONS: u32 = 8;
const SPLIT_BYTES: usize = 16 << 20;
const CHUNK_BYTES: usize = 256 << 10;
const BUDGET_BYTES: usize = 32 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = arguments.iter().filter_map(|it| it.parse().ok());
    let megabytes: usize = numbers.next().unwrap_or(100);
    let threads = numbers.next().unwrap_or(1);

    let text = corpus(megabytes * 1_000_000);
    let (output, seconds) = timed(|| count(&text, threads));
    tell("quorate", megabytes, seconds);
    let lines: usize = output
        .iter()
        .map(|part| part.iter().filter(|it| **it == b'\n').count())
        .sum();
    println!("{lines} different words, {threads} threads");

    if arguments.iter().any(|it| it == "--pipeline") {
        let file = std::env::temp_dir().join(format!("wordcount-{}.txt", std::process::id()));
        fs::write(&file, &text).expect("the text can be written");
        let (theirs, seconds) = timed(|| pipeline(&file));
        fs::remove_file(&file).expect("it was just written");
        tell("tr | sort | uniq -c", megabytes, seconds);
        assert!(
            parse(&theirs, false) == parse(&output.concat(), true),
            "the counts differ"
        );
        println!("the counts are the same");
    }
}

fn tell(what: &str, megabytes: usize, seconds: f64) {
    println!(
        "{what:<20} {seconds:6.2} s {:8.1} MB/s",
        megabytes as f64 / seconds
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begin = Instant::now();
    let result = work();
    (result, begin.elapsed().as_secs_f64())
}

/// The output of each partition.
fn count(text: &[u8], threads: usize) -> Vec<Vec<u8>> {
    let splits = text.len().div_ceil(SPLIT_BYTES);
    let mapped = pool(threads, splits, |split| {
        let [start, end] = [split, split + 1].map(|it| (it * SPLIT_BYTES).min(text.len()));
        map(text, start as u64, end as u64)
    });
    pool(threads, PARTITIONS as usize, |partition| {
        let sections: Vec<&[u8]> = mapped
            .iter()
            .flatten()
            .filter_map(|(run, index)| {
                let section = index
                    .sections
                    .iter()
                    .find(|it| it.partition == partition as u32)?;
                let Section { offset, bytes, .. } = *section;
                Some(&run[offset as usize..][..bytes as usize])
            })
            .collect();
        reduce(partition as u32, &sections)
    })
}

/// Does all tasks, in order of their numbers, on so many threads.
fn pool<T: Send>(threads: usize, tasks: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = Mutex::new(0..tasks);
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(task) = next.lock().expect("nobody panics").next() else {
                        break;
                    };
                    let result = work(task);
                    done.lock().expect("nobody panics").insert(task, result);
                }
            });
        }
    });
    done.into_inner()
        .expect("nobody panics")
        .into_values()
        .collect()
}

fn map(text: &[u8], start: u64, end: u64) -> Vec<(Vec<u8>, Index)> {
    let records = Records::new(Format::Lines, start, end).expect("lines always can be read");
    let mut task = MapTask::new(WordCount::new(false), records, PARTITIONS, BUDGET_BYTES);
    let mut runs = Vec::new();
    while !task.is_done() {
        let rest = &text[task.position() as usize..];
        let chunk = &rest[..rest.len().min(CHUNK_BYTES)];
        if chunk.is_empty() {
            task.finish().expect("the text has no long lines");
        } else if task.feed(chunk).expect("the text has no long lines") < chunk.len()
            && !task.is_done()
        {
            runs.push(spill(&mut task));
        }
    }
    if !task.is_empty() {
        runs.push(spill(&mut task));
    }
    runs
}

fn spill(task: &mut MapTask<WordCount>) -> (Vec<u8>, Index) {
    let mut run = Vec::new();
    while let Some(chunk) = task.spill().expect("words can be spilled") {
        run.extend(chunk);
    }
    (run, task.index().expect("the run is complete").clone())
}

fn reduce(partition: u32, sections: &[&[u8]]) -> Vec<u8> {
    let merge = Merge::new(partition, sections.len()).expect("there are few splits");
    let mut task = ReduceTask::new(WordCount::new(false), merge);
    let mut places = vec![0; sections.len()];
    let mut output = Vec::new();
    loop {
        let progress = task.run().expect("nothing is damaged");
        output.extend(task.take());
        match progress {
            Progress::Need(section) => {
                let rest = &sections[section][places[section]..];
                let chunk = &rest[..rest.len().min(CHUNK_BYTES / 4)];
                task.feed(section, chunk).expect("nothing is cut");
                places[section] += chunk.len();
            }
            Progress::Output => {}
            Progress::Done => return output,
        }
    }
}

/// The same words: runs of ASCII letters and of bytes from 0x80 on.
fn pipeline(file: &std::path::Path) -> Vec<u8> {
    let script = r"tr -cs 'A-Za-z\200-\377' '\n' < $0 | sort | uniq -c";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(file)
        .env("LC_ALL", "C")
        .stderr(Stdio::inherit())
        .output()
        .expect("there is a shell");
    assert!(output.status.success(), "the pipeline failed");
    output.stdout
}

/// Counts by word, of lines `word\tcount`, or `count word`.
fn parse(lines: &[u8], word_first: bool) -> BTreeMap<&[u8], u64> {
    let mut counts = BTreeMap::new();
    for line in lines.split(|it| *it == b'\n') {
        let mut parts = line
            .split(|it| b" \t".contains(it))
            .filter(|it| !it.is_empty());
        let (Some(first), Some(second)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (word, number) = if word_first {
            (first, second)
        } else {
            (second, first)
        };
        let number = std::str::from_utf8(number).expect("a count is a number");
        counts.insert(word, number.parse().expect("a count is a number"));
    }
    counts
}

/// A text of so many bytes, always the same.
fn corpus(bytes: usize) -> Vec<u8> {
    const WORDS: usize = 200_000;
    let mut random = Random::new(1);
    let words: Vec<String> = (0..WORDS)
        .map(|rank| {
            let len = 2 + random.below(3 + u64::from((rank + 1).ilog2()).min(8));
            (0..len)
                .map(|_| match random.below(60) {
                    59 => 'ö',
                    letter => char::from(b'a' + (letter % 26) as u8),
                })
                .collect()
        })
        .collect();
    let mut ends = Vec::with_capacity(WORDS);
    let mut total = 0.0;
    for rank in 1..=WORDS {
        total += 1.0 / rank as f64;
        ends.push(total);
    }
    let mut text = Vec::with_capacity(bytes + 80);
    let mut line = 0;
    while text.len() < bytes {
        let at = random.next_u64() as f64 / u64::MAX as f64 * total;
        let word = &words[ends.partition_point(|end| *end < at).min(WORDS - 1)];
        let gap = match random.below(12) {
            0 => ", ",
            1 => ". ",
            _ => " ",
        };
        line += word.len() + gap.len();
        write!(text, "{word}{gap}").expect("it is memory");
        if line > 70 {
            line = 0;
            text.push(b'\n');
        }
    }
    text.truncate(bytes);
    text
}
