//! The reduce side of a job that comes with the package: sections go in, output comes out.

use super::Job;
use crate::data::{DataError, Merge, Progress, Step};

/// The output is taken away when it is so many bytes.
const CHUNK_BYTES: usize = 256 << 10;

/// A reduce task of any job.
pub trait ReduceSide {
    /// Takes the next bytes of a section, as many as one likes; none if there are none.
    ///
    /// # Errors
    /// The section is cut, or there is none with this number.
    fn feed(&mut self, section: usize, bytes: &[u8]) -> Result<(), DataError>;

    /// Goes on as far as it can.
    ///
    /// # Errors
    /// A section is damaged; the task is of no use then.
    fn run(&mut self) -> Result<Progress, DataError>;

    /// Takes the output away.
    fn take(&mut self) -> Vec<u8>;

    /// How many groups have begun.
    fn groups(&self) -> u64;
}

/// A reduce task.
#[derive(Debug)]
pub struct ReduceTask<J> {
    job: J,
    merge: Merge,
    /// The key of the group in hand.
    key: Vec<u8>,
    groups: u64,
    is_done: bool,
    out: Vec<u8>,
}

impl<J: Job> ReduceTask<J> {
    /// One that reads what is merged.
    pub fn new(job: J, merge: Merge) -> Self {
        Self {
            job,
            merge,
            key: Vec::new(),
            groups: 0,
            is_done: false,
            out: Vec::new(),
        }
    }
}

impl<J: Job> ReduceSide for ReduceTask<J> {
    fn feed(&mut self, section: usize, bytes: &[u8]) -> Result<(), DataError> {
        self.merge.feed(section, bytes)
    }

    fn run(&mut self) -> Result<Progress, DataError> {
        while self.out.len() < CHUNK_BYTES {
            if self.is_done {
                return Ok(Progress::Done);
            }
            match self.merge.step()? {
                Step::Need(section) => return Ok(Progress::Need(section)),
                Step::End => {
                    if self.groups > 0 {
                        self.job.end(&mut self.out);
                    }
                    self.is_done = true;
                }
                Step::Pair(pair) => {
                    if self.groups == 0 || self.key != pair.key {
                        if self.groups > 0 {
                            self.job.end(&mut self.out);
                        }
                        self.groups += 1;
                        self.key.clear();
                        self.key.extend_from_slice(pair.key);
                        self.job.begin(pair.key, &mut self.out);
                    }
                    self.job.value(&pair, &mut self.out)?;
                }
            }
        }
        Ok(match self.is_done {
            true => Progress::Done,
            false => Progress::Output,
        })
    }

    fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.out)
    }

    fn groups(&self) -> u64 {
        self.groups
    }
}
