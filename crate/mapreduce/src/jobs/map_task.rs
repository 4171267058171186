//! The map side of a job that comes with the package: a split goes in, runs come out.

use core::ops::ControlFlow;

use super::Job;
use crate::data::{DataError, Drain, Index, Records, Sink};

/// A map task of any job.
pub trait MapSide {
    /// Takes the next bytes of the input. Where fewer are taken than were given, the task is full: it must
    /// spill before it gets the rest. Returns how many were taken.
    ///
    /// # Errors
    /// A record or pair is too long; the task is of no use then.
    fn feed(&mut self, chunk: &[u8]) -> Result<usize, DataError>;

    /// The input has ended. What is left must be spilled.
    ///
    /// # Errors
    /// As [`MapSide::feed`].
    fn finish(&mut self) -> Result<(), DataError>;

    /// Whether all records of the split are read.
    fn is_done(&self) -> bool;

    /// Where in the input the next byte to be fed stands.
    fn position(&self) -> u64;

    /// Whether there is nothing to spill.
    fn is_empty(&self) -> bool;

    /// The next chunk of a run; `None` when it is complete. The first call after that begins another one.
    ///
    /// # Errors
    /// As [`MapSide::feed`].
    fn spill(&mut self) -> Result<Option<Vec<u8>>, DataError>;

    /// Where the sections of the last complete run are.
    fn index(&self) -> Option<&Index>;

    /// How many records were read.
    fn records(&self) -> u64;
}

/// A map task.
#[derive(Debug)]
pub struct MapTask<J: Job> {
    job: J,
    records: Records,
    sink: J::Sink,
    drain: Option<Drain>,
    index: Option<Index>,
    count: u64,
}

impl<J: Job> MapTask<J> {
    /// One that reads these records.
    pub fn new(job: J, records: Records, partitions: u32, budget: usize) -> Self {
        Self {
            sink: job.sink(partitions, budget),
            job,
            records,
            drain: None,
            index: None,
            count: 0,
        }
    }

    fn check_idle(&self) -> Result<(), DataError> {
        match self.drain {
            None => Ok(()),
            Some(_) => Err(DataError::Invalid("a spill must be taken away whole")),
        }
    }
}

impl<J: Job> MapSide for MapTask<J> {
    fn feed(&mut self, chunk: &[u8]) -> Result<usize, DataError> {
        self.check_idle()?;
        let (job, sink, count) = (&mut self.job, &mut self.sink, &mut self.count);
        if sink.is_full() {
            return Ok(0);
        }
        self.records.feed(chunk, |record| {
            job.map(record, sink)?;
            *count += 1;
            Ok(match sink.is_full() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })
    }

    fn finish(&mut self) -> Result<(), DataError> {
        self.check_idle()?;
        let (job, sink, count) = (&mut self.job, &mut self.sink, &mut self.count);
        self.records.finish(|record| {
            *count += 1;
            job.map(record, sink)
        })
    }

    fn is_done(&self) -> bool {
        self.records.is_done()
    }

    fn position(&self) -> u64 {
        self.records.position()
    }

    fn is_empty(&self) -> bool {
        self.sink.is_empty()
    }

    fn spill(&mut self) -> Result<Option<Vec<u8>>, DataError> {
        let sink = &mut self.sink;
        let drain = self.drain.get_or_insert_with(|| Drain::begin(sink));
        let chunk = drain.chunk(sink)?;
        if chunk.is_none() {
            self.index = drain.index().cloned();
            self.drain = None;
        }
        Ok(chunk)
    }

    fn index(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    fn records(&self) -> u64 {
        self.count
    }
}
