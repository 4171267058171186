//! The jobs of the MapReduce lab, on texts in memory, and what comes of them one record after another in
//! one place.

use std::collections::BTreeMap;

use quorate_mapreduce::coordinator::{Range, Split};
use quorate_raft::Random;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// How often each word is there.
    WordCount,
    /// In which inputs each word is.
    Indexer,
}

/// What a poisonous record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    /// The worker says at which record it failed.
    Throws,
    /// The worker says nothing any more.
    Kills,
}

/// A program, its inputs, and how they are split.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// What is done.
    pub program: Program,
    sources: Vec<String>,
    /// A map task for each.
    pub splits: Vec<Split>,
    /// How many outputs there are.
    pub partitions: u32,
    /// Records that cannot be mapped, by source and offset.
    pub poison: BTreeMap<(u32, u64), Poison>,
    /// A key that cannot be reduced.
    pub bad_key: Option<String>,
}

/// A line of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it begins.
    pub at: u64,
    /// Where the next one does.
    pub next: u64,
    /// Its words.
    pub line: &'a str,
}

/// A key and a value.
pub type Pair = (String, String);

/// What a job makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// By partition.
    pub outputs: Vec<String>,
    /// Pairs that were mapped to.
    pub pairs: u64,
    /// Keys that were reduced.
    pub keys: u64,
}

impl Inputs {
    /// `sources` texts of `lines` lines each, cut into splits of about `split_bytes` wherever that is.
    #[must_use]
    pub fn new(program: Program, random: &mut Random, sources: u32, lines: u64) -> Self {
        let mut inputs = Self {
            program,
            sources: Vec::new(),
            splits: Vec::new(),
            partitions: 4,
            poison: BTreeMap::new(),
            bad_key: None,
        };
        for source in 0..sources {
            let mut text = String::new();
            for _ in 0..lines {
                let words = 1 + random.below(6);
                let words: Vec<String> = (0..words).map(|_| word(random)).collect();
                text.push_str(&words.join(" "));
                text.push('\n');
            }
            let end = text.len() as u64;
            let mut start = 0;
            while start < end {
                let next = end.min(start + 100 + random.below(100));
                inputs.splits.push(Split {
                    source,
                    start,
                    end: next,
                });
                start = next;
            }
            inputs.sources.push(text);
        }
        inputs
    }

    /// Makes one record of an input poisonous.
    pub fn spoil(&mut self, random: &mut Random, poison: Poison) {
        let source = random.below(self.sources.len() as u64) as u32;
        let records = self.all(source);
        let place = random.below(records.len() as u64) as usize;
        let at = records[place].at;
        self.poison.insert((source, at), poison);
    }

    fn all(&self, source: u32) -> Vec<Record<'_>> {
        let text = &self.sources[source as usize];
        let mut at = 0;
        let record = |line| {
            let (start, next) = (at, at + str::len(line) as u64);
            at = next;
            Record {
                at: start,
                next,
                line,
            }
        };
        text.split_inclusive('\n').map(record).collect()
    }

    /// The records of an input whose first byte lies in a range.
    #[must_use]
    pub fn records(&self, source: u32, range: Range) -> Vec<Record<'_>> {
        let mut records = self.all(source);
        records.retain(|record| (range.start..range.end).contains(&record.at));
        records
    }

    /// What a record is mapped to.
    #[must_use]
    pub fn map(&self, source: u32, record: Record<'_>) -> Vec<Pair> {
        let value = match self.program {
            Program::WordCount => "1".to_owned(),
            Program::Indexer => source.to_string(),
        };
        let words = record.line.split_whitespace();
        words.map(|word| (word.to_owned(), value.clone())).collect()
    }

    /// The partition of a key.
    #[must_use]
    pub fn partition(&self, key: &str) -> u32 {
        let hash = key.bytes().fold(7_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        hash % self.partitions
    }

    /// The line that a key is reduced to, of its values in order.
    #[must_use]
    pub fn reduce(&self, key: &str, values: &[String]) -> String {
        match self.program {
            Program::WordCount => format!("{key}\t{}\n", values.len()),
            Program::Indexer => {
                let mut sources = values.to_vec();
                sources.dedup();
                format!("{key}\t{} {}\n", sources.len(), sources.join(","))
            }
        }
    }

    /// The results, record after record and key after key.
    #[must_use]
    pub fn sequential(&self) -> Results {
        let mut groups = vec![BTreeMap::<String, Vec<String>>::new(); self.partitions as usize];
        let mut pairs = 0;
        for source in 0..self.sources.len() as u32 {
            for record in self.all(source) {
                if self.poison.contains_key(&(source, record.at)) {
                    continue;
                }
                for (key, value) in self.map(source, record) {
                    pairs += 1;
                    let partition = self.partition(&key) as usize;
                    groups[partition].entry(key).or_default().push(value);
                }
            }
        }
        for groups in &mut groups {
            groups.retain(|key, _| Some(key) != self.bad_key.as_ref());
        }
        let output = |groups: &BTreeMap<String, Vec<String>>| {
            let lines = groups.iter().map(|(key, values)| self.reduce(key, values));
            lines.collect::<String>()
        };
        Results {
            outputs: groups.iter().map(output).collect(),
            pairs,
            keys: groups.iter().map(|groups| groups.len() as u64).sum(),
        }
    }
}

/// One of forty words, the first more often.
fn word(random: &mut Random) -> String {
    let most = 1 + random.below(40);
    format!("word{}", random.below(most))
}
