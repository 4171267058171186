//! The records of a split.
//!
//! A record belongs to the split in which its first byte lies. So a reader of a split that does not begin
//! with its input looks at the bytes before it, to see whether a record begins there, and reads past
//! its end to finish its last record. Splits that cover an input thus give each record once, wherever
//! they are cut.

use core::ops::ControlFlow;

use memchr::memmem::Finder;

use super::DataError;

/// The longest record.
pub const RECORD_BYTES_MAX: usize = 16 << 20;
const DELIMITER_BYTES_MAX: usize = 1 << 10;

/// How an input is cut into records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// By `\n`; a `\r` before it is no part of the record. What follows the last `\n` is a record if it
    /// is anything.
    Lines,
    /// By these bytes. A record begins wherever they have just ended, also where they overlap
    /// themselves: otherwise one would have to read from the beginning to know.
    Delimiter(Vec<u8>),
    /// Each of so many bytes, but the last may be shorter.
    Length(usize),
    /// The whole input is one; an empty input has none.
    Whole,
}

/// A record, without what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where in the input it begins.
    pub offset: u64,
    /// What it is.
    pub bytes: &'a [u8],
}

/// Reads the records of a split.
#[derive(Debug)]
pub struct Records {
    cut: Cut,
    /// End of the split, exclusive.
    end: u64,
    /// Where the next byte that is fed stands in the input.
    position: u64,
    /// Where the record in hand begins, once that is known.
    begin: Option<u64>,
    /// What came of it in earlier chunks.
    carry: Vec<u8>,
    /// The last bytes before `position`: with them a delimiter may begin.
    before: Vec<u8>,
    done: bool,
}

#[derive(Debug)]
enum Cut {
    At(Box<Delimiter>),
    After(usize),
    Never,
}

#[derive(Debug)]
struct Delimiter {
    finder: Finder<'static>,
    is_line: bool,
}

impl Records {
    /// Those that begin in `start..end`.
    ///
    /// # Errors
    /// An empty or overlong delimiter, or length.
    pub fn new(format: Format, start: u64, end: u64) -> Result<Self, DataError> {
        let cut = match format {
            Format::Lines => Cut::At(Delimiter::new(b"\n", true).into()),
            Format::Delimiter(bytes) if (1..=DELIMITER_BYTES_MAX).contains(&bytes.len()) => {
                Cut::At(Delimiter::new(&bytes, false).into())
            }
            Format::Length(bytes) if (1..=RECORD_BYTES_MAX).contains(&bytes) => Cut::After(bytes),
            Format::Whole => Cut::Never,
            Format::Delimiter(_) => {
                return Err(DataError::Invalid("a delimiter must have 1 to 1,024 bytes"));
            }
            Format::Length(_) => {
                return Err(DataError::Invalid(
                    "a record's length must be 1 to 16,777,216 bytes",
                ));
            }
        };
        let (position, begin) = match &cut {
            _ if start == 0 => (0, Some(0)),
            Cut::At(delimiter) => (start.saturating_sub(delimiter.len() as u64), None),
            Cut::After(bytes) => match start.checked_next_multiple_of(*bytes as u64) {
                Some(begin) => (begin, Some(begin)),
                None => (start, Some(u64::MAX)),
            },
            Cut::Never => (start, Some(u64::MAX)),
        };
        Ok(Self {
            cut,
            end,
            position,
            begin,
            carry: Vec::new(),
            before: Vec::new(),
            done: begin.unwrap_or(start) >= end,
        })
    }

    /// Where in the input the next byte to be fed stands.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether all records of the split were given: nothing more needs to be fed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Takes the next bytes of the input, and gives the records that end in them to `each`. Where that
    /// breaks off, the rest of the chunk is to be fed again. Returns how many bytes were taken.
    ///
    /// # Errors
    /// A record that is too long, or what `each` returns: the reader is of no use then.
    pub fn feed<F>(&mut self, chunk: &[u8], mut each: F) -> Result<usize, DataError>
    where
        F: FnMut(Record<'_>) -> Result<ControlFlow<()>, DataError>,
    {
        let base = self.position;
        let mut at = 0;
        while !self.done {
            let Some((end, dropped)) = self.record_end(chunk, at) else {
                if self.begin.is_some() {
                    self.keep(&chunk[at..])?;
                }
                at = chunk.len();
                break;
            };
            let flow = match self.begin {
                None => ControlFlow::Continue(()),
                Some(offset) => {
                    let is_carried = !self.carry.is_empty();
                    if is_carried {
                        self.keep(&chunk[at..end])?;
                    }
                    let whole = match is_carried {
                        true => &self.carry[..],
                        false => &chunk[at..end],
                    };
                    // Of a delimiter that overlaps the one before it, a part is in this record.
                    let bytes = &whole[..whole.len().saturating_sub(dropped)];
                    let flow = each(self.record(offset, bytes)?)?;
                    self.carry.clear();
                    flow
                }
            };
            at = end;
            let begin = base + end as u64;
            self.begin = Some(begin);
            self.done = begin >= self.end;
            if flow.is_break() {
                break;
            }
        }
        self.remember(&chunk[..at]);
        self.position = base + at as u64;
        Ok(at)
    }

    /// The input has ended: gives the last record, if that has no other end.
    ///
    /// # Errors
    /// As [`Records::feed`].
    pub fn finish<F>(&mut self, each: F) -> Result<(), DataError>
    where
        F: FnOnce(Record<'_>) -> Result<(), DataError>,
    {
        if let (false, Some(offset)) = (self.done, self.begin)
            && !self.carry.is_empty()
        {
            each(self.record(offset, &self.carry)?)?;
        }
        self.carry.clear();
        self.done = true;
        Ok(())
    }

    /// The end in the chunk of the record that begins at `at`, or before the chunk, and how many of its
    /// bytes are the delimiter's.
    fn record_end(&self, chunk: &[u8], at: usize) -> Option<(usize, usize)> {
        match &self.cut {
            Cut::At(delimiter) => {
                let end = delimiter.end(&self.before, chunk, at)?;
                Some((end, delimiter.len()))
            }
            Cut::After(bytes) => {
                let end = at + bytes - self.carry.len();
                (end <= chunk.len()).then_some((end, 0))
            }
            Cut::Never => None,
        }
    }

    fn record<'a>(&self, offset: u64, mut bytes: &'a [u8]) -> Result<Record<'a>, DataError> {
        if let Cut::At(delimiter) = &self.cut
            && delimiter.is_line
        {
            bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        }
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(DataError::RecordTooLong { offset });
        }
        Ok(Record { offset, bytes })
    }

    /// Keeps the beginning of a record. What ends it may come with it.
    fn keep(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        if self.carry.len() + bytes.len() > RECORD_BYTES_MAX + DELIMITER_BYTES_MAX {
            let offset = self.begin.unwrap_or_default();
            return Err(DataError::RecordTooLong { offset });
        }
        self.carry.extend_from_slice(bytes);
        Ok(())
    }

    /// Keeps what a delimiter may begin with.
    fn remember(&mut self, taken: &[u8]) {
        let Cut::At(delimiter) = &self.cut else {
            return;
        };
        let wanted = delimiter.len() - 1;
        let tail = &taken[taken.len().saturating_sub(wanted)..];
        let surplus = (self.before.len() + tail.len()).saturating_sub(wanted);
        self.before.drain(..surplus);
        self.before.extend_from_slice(tail);
    }
}

impl Delimiter {
    fn new(bytes: &[u8], is_line: bool) -> Self {
        Self {
            finder: Finder::new(bytes).into_owned(),
            is_line,
        }
    }

    fn len(&self) -> usize {
        self.finder.needle().len()
    }

    /// Where in the chunk it next ends, after `at`. It may begin in the chunk before.
    fn end(&self, before: &[u8], chunk: &[u8], at: usize) -> Option<usize> {
        if let [byte] = self.finder.needle() {
            return memchr::memchr(*byte, &chunk[at..]).map(|found| at + found + 1);
        }
        let overlap = self.len() - 1;
        if at < overlap {
            let before = &before[before.len().saturating_sub(overlap - at)..];
            let seam = [before, &chunk[..chunk.len().min(at + overlap)]].concat();
            if let Some(found) = self.finder.find(&seam) {
                return Some(found + self.len() - before.len());
            }
        }
        let from = at.saturating_sub(overlap);
        let found = self.finder.find(chunk.get(from..)?)?;
        Some(from + found + self.len())
    }
}

#[cfg(test)]
mod tests;
