//! What there is to count: a text in lines, of which each is a split.

use std::collections::BTreeMap;

use crate::digest::Digest;

/// Words, and how often they occur.
pub(super) type Words = BTreeMap<String, u64>;

/// The text.
pub(super) const LINES: [&str; 6] = [
    "a leader asks and a majority answers",
    "no majority and no leader",
    "a term has one leader or none",
    "what a majority has is not lost",
    "a leader may be lost and the log is not",
    "the log is one and the term is many",
];

/// Where each line starts and ends, in bytes of the whole.
pub(super) fn splits() -> Vec<(u64, u64)> {
    let ends = LINES.iter().scan(0, |end, line| {
        let start = *end;
        *end += line.len() as u64 + 1;
        Some((start, *end))
    });
    ends.collect()
}

/// Counts the words of a line, by partition.
pub(super) fn map(line: &str, partitions: u32) -> Vec<Words> {
    let mut parts = vec![Words::new(); partitions as usize];
    for word in line.split_whitespace() {
        let part = Digest::of(word.as_bytes()) % u64::from(partitions);
        *parts[part as usize].entry(word.to_owned()).or_default() += 1;
    }
    parts
}

/// Adds counts to others.
pub(super) fn add(sum: &mut Words, words: &Words) {
    for (word, count) in words {
        *sum.entry(word.clone()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_all_lines_make_the_whole() {
        let mut sum = Words::new();
        for line in LINES {
            map(line, 3).iter().for_each(|part| add(&mut sum, part));
        }
        let whole = LINES.join(" ");
        assert_eq!(sum.values().sum::<u64>(), whole.split(' ').count() as u64);
        assert_eq!(sum["leader"], 4);
        assert_eq!(splits().last().map(|it| it.1), Some(whole.len() as u64 + 1));
    }
}
