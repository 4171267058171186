//! What clients did and were told, one key at a time, and what a correct key does: the model that
//! [`super::linearizability`] searches.
//!
//! A history need not tell everything. A client that saw no version, or only that its call took
//! effect, says so with [`Answer::Text`], [`Answer::Done`] and [`Answer::Failed`].

use bytes::Bytes;

/// What a client asked of one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Read it.
    Get,
    /// Store a value.
    Put(Bytes),
    /// Add to the end.
    Append(Bytes),
    /// Store `new`, if the value is `expected`.
    Swap {
        /// What must be there; `None` for nothing.
        expected: Option<Bytes>,
        /// What is stored; `None` removes the key.
        new: Option<Bytes>,
    },
    /// Add to a decimal integer.
    Increment(i64),
    /// Remove it.
    Delete,
}

/// A value and how often it changed since it was created.
pub type Versioned = (Bytes, u64);

/// A key: its value, if it has one.
pub type State = Option<Versioned>;

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// The key's value.
    Value(Option<Versioned>),
    /// Stored; the version is now this.
    Written(u64),
    /// The sum, and the version.
    Sum(i64, u64),
    /// How many keys were removed.
    Removed(u64),
    /// A swap found this instead.
    Mismatch(Option<Versioned>),
    /// It cannot be done, and nothing changed.
    Refused,
    /// The key's value; nothing is said of its version.
    Text(Option<Bytes>),
    /// It took effect; nothing more is said.
    Done,
    /// A swap did not find what it expected; nothing is said of what it found.
    Failed,
}

impl Answer {
    /// Whether this is said of what truly came out, which [`apply`] gives.
    #[must_use]
    pub fn fits(&self, truth: &Self) -> bool {
        match (self, truth) {
            (Self::Text(told), Self::Value(truth)) => {
                told.as_ref() == truth.as_ref().map(|(value, _)| value)
            }
            (Self::Done, Self::Written(_) | Self::Sum(..) | Self::Removed(_))
            | (Self::Failed, Self::Mismatch(_)) => true,
            _ => self == truth,
        }
    }

    /// Whether it tells of a version.
    fn is_versioned(&self) -> bool {
        match self {
            Self::Written(_) | Self::Sum(..) => true,
            Self::Value(found) | Self::Mismatch(found) => found.is_some(),
            Self::Removed(_) | Self::Refused | Self::Text(_) | Self::Done | Self::Failed => false,
        }
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Of which key.
    pub key: u64,
    /// What was asked.
    pub action: Action,
    /// Its place in the order of all calls and answers.
    pub called: u64,
    /// How it ended.
    pub end: End,
    /// Where it is thought to stand in the order that explains everything; zero where nobody knows.
    pub hint: u64,
}

impl Operation {
    /// Whether what was told says that it changed nothing, wherever it stands in the order.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        match self.end.told() {
            Some(Answer::Value(_) | Answer::Text(_)) => true,
            Some(Answer::Mismatch(_) | Answer::Failed | Answer::Refused) => true,
            Some(Answer::Removed(count)) => *count == 0,
            Some(Answer::Written(_) | Answer::Sum(..) | Answer::Done) | None => false,
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// With this answer, at this place in the order of all calls and answers.
    Answered(u64, Answer),
    /// Without an answer, but it had taken effect at this place.
    Executed(u64),
    /// Without an answer: it may have taken effect, or may yet.
    Unknown,
}

impl End {
    /// By when it had taken effect, if it must have.
    #[must_use]
    pub fn at(&self) -> Option<u64> {
        match self {
            Self::Answered(at, _) | Self::Executed(at) => Some(*at),
            Self::Unknown => None,
        }
    }

    /// What the client was told, if it was.
    #[must_use]
    pub fn told(&self) -> Option<&Answer> {
        match self {
            Self::Answered(_, told) => Some(told),
            Self::Executed(_) | Self::Unknown => None,
        }
    }

    /// Whether what truly came out can have ended so.
    #[must_use]
    pub fn allows(&self, truth: &Answer) -> bool {
        self.told().is_none_or(|told| told.fits(truth))
    }
}

/// How much of a key is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Its value and its version.
    Versions,
    /// Its value alone: nobody was told of versions, and to tell states apart by them is idle.
    Values,
}

impl Detail {
    /// What these operations speak of.
    pub fn of<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Self {
        let told = |operation: &Operation| operation.end.told().is_some_and(Answer::is_versioned);
        if operations.into_iter().any(told) {
            Self::Versions
        } else {
            Self::Values
        }
    }

    fn next(self, state: &State) -> u64 {
        match self {
            Self::Versions => state.as_ref().map_or(0, |(_, version)| *version) + 1,
            Self::Values => 0,
        }
    }
}

/// What a correct key does.
#[must_use]
pub fn apply(detail: Detail, state: &State, action: &Action) -> (State, Answer) {
    let version = detail.next(state);
    let written = |value| (Some((value, version)), Answer::Written(version));
    let removed = || (None, Answer::Removed(u64::from(state.is_some())));
    match action {
        Action::Get => (state.clone(), Answer::Value(state.clone())),
        Action::Put(value) => written(value.clone()),
        Action::Append(more) => {
            let before = state.as_ref().map_or(&b""[..], |(value, _)| value);
            written(Bytes::from([before, more].concat()))
        }
        Action::Swap { expected, new } => {
            if state.as_ref().map(|(value, _)| value) != expected.as_ref() {
                return (state.clone(), Answer::Mismatch(state.clone()));
            }
            new.clone().map_or_else(removed, written)
        }
        Action::Increment(by) => {
            let text = state.as_ref().map_or(&b"0"[..], |(value, _)| value);
            let number = core::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
                // As the store writes numbers, and no other way.
                .filter(|number| number.to_string().as_bytes() == text);
            match number.and_then(|number| number.checked_add(*by)) {
                Some(sum) => {
                    let value = Bytes::from(sum.to_string());
                    (Some((value, version)), Answer::Sum(sum, version))
                }
                None => (state.clone(), Answer::Refused),
            }
        }
        Action::Delete => removed(),
    }
}
