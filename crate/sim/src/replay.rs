//! One world again, from a command line, natively and on wasm32: what it printed once it prints
//! always.

use core::time::Duration;

use crate::reduce::Reduction;
use crate::world::{Failure, Summary, World};

/// How long faults come in a world, if nothing else is said.
pub const TORMENT: Duration = Duration::from_secs(20);

/// Exit codes of the simulator, besides zero for success.
pub mod exit {
    /// The command line, or a file, cannot be understood.
    pub const USAGE: u8 = 2;
    /// A panic.
    pub const PANIC: u8 = 10;
    /// A safety property broke, or a history is not linearizable.
    pub const SAFETY: u8 = 11;
    /// A world did not become live.
    pub const LIVENESS: u8 = 12;
    /// Seeds give other worlds than they gave in other builds.
    pub const WITNESS: u8 = 13;
    /// Something that must come up in a long campaign never did.
    pub const MISSING: u8 = 14;
    /// A history took too long to decide.
    pub const UNDECIDED: u8 = 15;
}

/// Which world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The seed.
    pub seed: u64,
    /// What is taken away from its world.
    pub reduction: Reduction,
    /// Keep every event.
    pub trace: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which world.
    pub request: Request,
    /// What it was made of.
    pub shape: String,
    /// Its events, if they were kept.
    pub lines: String,
    /// What it was until its end.
    pub summary: Summary,
    /// Why it failed.
    pub failure: Option<Failure>,
}

impl Request {
    /// Reads `--seed N`, `--trace` and the options of a [`Reduction`].
    ///
    /// # Errors
    /// What cannot be understood.
    pub fn parse<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut args = args.into_iter();
        let mut request = Self::default();
        let mut seeded = false;
        while let Some(option) = args.next() {
            if option == "--trace" {
                request.trace = true;
                continue;
            }
            let value = args.next().ok_or(format!("{option} needs a value"))?;
            if option == "--seed" {
                let number = value.parse();
                request.seed = number.map_err(|_| format!("{value:?} is no seed"))?;
                seeded = true;
            } else if !request.reduction.parse(option, value)? {
                return Err(format!("unknown option {option:?}"));
            }
        }
        if seeded {
            Ok(request)
        } else {
            Err("--seed is missing".to_owned())
        }
    }

    /// Lives the world to its end.
    #[must_use]
    pub fn run(self) -> Report {
        let mut shape = self.reduction.draw(self.seed, TORMENT);
        shape.cluster.trace = self.trace;
        let text = format!("{shape:#?}");
        let mut world = World::new(shape);
        let (summary, failure) = match world.run() {
            Ok(summary) => (summary, None),
            Err(failure) => (world.summary(), Some(failure)),
        };
        Report {
            shape: text,
            lines: world.take_lines(),
            summary,
            failure,
            request: self,
        }
    }

    /// The one command that shows this world again.
    #[must_use]
    pub fn command(&self) -> String {
        let Self {
            seed, reduction, ..
        } = self;
        format!("npm run sim -- --seed {seed}{reduction} --trace")
    }
}

impl Report {
    /// What the program ends with.
    #[must_use]
    pub fn code(&self) -> u8 {
        match &self.failure {
            None => 0,
            Some(Failure::Safety(_)) => exit::SAFETY,
            Some(Failure::Liveness(_)) => exit::LIVENESS,
        }
    }

    /// What is printed of one world.
    #[must_use]
    pub fn text(&self) -> String {
        let Self {
            lines,
            shape,
            summary,
            ..
        } = self;
        format!("{lines}{shape}\n{summary:#?}\nhash {:016x}\n", summary.hash)
    }

    /// What is printed of its failure.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        let (seed, command) = (self.request.seed, self.request.command());
        Some(format!("seed {seed}: {failure}\nreplay: {command}"))
    }
}

/// By what two failures are the same: the class, and of a broken property its name, or of a panic its
/// place.
#[must_use]
pub fn signature(complaint: &str) -> Option<String> {
    complaint.lines().find_map(|line| {
        let (_, what) = line.strip_prefix("seed ")?.split_once(": ")?;
        if let Some(place) = what.strip_prefix("panicked at ") {
            let place = place.trim_end_matches(':');
            return Some(format!("panic at {place}"));
        }
        let (class, what) = what.split_once(": ")?;
        match class {
            "safety" => Some(format!("safety: {}", what.split(':').next()?)),
            "liveness" => Some("liveness".to_owned()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Violation;

    #[test]
    fn command_gives_the_request_again() {
        let words = "--seed 7 --seconds 0.5 --clients 1 --plain link";
        let request = Request::parse(words.split(' ')).unwrap();
        assert_eq!(request.command(), format!("npm run sim -- {words} --trace"));
        let again = request.command();
        let again = again.strip_prefix("npm run sim -- ").unwrap().split(' ');
        let traced = Request {
            trace: true,
            ..request
        };
        assert_eq!(Request::parse(again), Ok(traced));
        for bad in ["--seed", "--seed x", "--trace", "--seed 1 --fire 2", ""] {
            assert!(Request::parse(bad.split_whitespace()).is_err(), "{bad}");
        }
    }

    #[test]
    fn failures_are_the_same_by_their_class_and_property() {
        let mut report = Request::parse("--seed 7 --seconds 0.1".split(' '))
            .unwrap()
            .run();
        assert_eq!((report.code(), report.complaint()), (0, None));
        let mut sign = |failure| {
            report.failure = Some(failure);
            (
                report.code(),
                signature(&report.complaint().unwrap()).unwrap(),
            )
        };
        let safety = Failure::Safety(Violation {
            property: "Log Matching",
            seen: "this: and that".to_owned(),
        });
        assert_eq!(
            sign(safety),
            (exit::SAFETY, "safety: Log Matching".to_owned())
        );
        let liveness = Failure::Liveness("5 µs after the last fault: it hangs".to_owned());
        assert_eq!(sign(liveness), (exit::LIVENESS, "liveness".to_owned()));
        let panic = "\nseed 7: panicked at crate/raft/src/log.rs:5:9:\nassertion failed\nreplay: x";
        assert_eq!(
            signature(panic).unwrap(),
            "panic at crate/raft/src/log.rs:5:9"
        );
        assert_eq!(signature("nothing"), None);
    }
}
