//! Runs seeds, and says of each failure how to see it again.
//!
//! ```text
//! sim [--seeds N] [--from S] [--seed S] [--seconds T] [--trace] [--keep-going]
//! ```
//! Exit codes: 0 all seeds passed, 2 wrong usage, 10 a panic, 11 a safety property broke, 12 a world
//! did not become live, 13 seeds give other worlds than they gave in other builds, 14 a
//! kind of fault or a situation never came up.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate_sim::census::Census;
use quorate_sim::shape::Shape;
use quorate_sim::taught::TAUGHT;
use quorate_sim::witness;
use quorate_sim::world::{Failure, Summary, World};

const USAGE: &str = "\
usage: sim [options]
  --seeds N      run N seeds (200)
  --from S       beginning with seed S (1)
  --seed S       run one seed and print what it was
  --seconds T    let faults come for T simulated seconds in each (20)
  --trace        print every event, one line each (with --seed)
  --keep-going   do not stop at the first failure";

const EXIT_USAGE: u8 = 2;
const EXIT_PANIC: i32 = 10;
const EXIT_SAFETY: u8 = 11;
const EXIT_LIVENESS: u8 = 12;
const EXIT_WITNESS: u8 = 13;
const EXIT_MISSING: u8 = 14;

/// The seed under way, for the panic's message.
static SEED: AtomicU64 = AtomicU64::new(0);

struct Options {
    first: u64,
    count: u64,
    seconds: u64,
    single: bool,
    trace: bool,
    keep_going: bool,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("sim: {what}\n{USAGE}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let seconds = options.seconds;
    std::panic::set_hook(Box::new(move |panic| {
        let seed = SEED.load(Ordering::Relaxed);
        eprintln!("\nseed {seed}: {panic}\n{}", replay(seed, seconds));
        std::process::exit(EXIT_PANIC);
    }));
    run(&options)
}

fn run(options: &Options) -> ExitCode {
    let mut total = Total::default();
    let mut code = ExitCode::SUCCESS;
    let range = options.first..options.first.saturating_add(options.count);
    let taught = TAUGHT.iter().map(|(seed, _)| *seed);
    let taught = taught.filter(|seed| !options.single && !range.contains(seed));
    for seed in range.clone().chain(taught) {
        SEED.store(seed, Ordering::Relaxed);
        let mut shape = Shape::draw(seed, Duration::from_secs(options.seconds));
        shape.cluster.trace = options.trace;
        let text = format!("{shape:#?}");
        let mut world = World::new(shape);
        let result = world.run();
        if options.trace {
            print!("{}", world.take_lines());
        }
        if options.single {
            println!("{text}");
        }
        match result {
            Ok(summary) => {
                if options.single {
                    println!("{summary:#?}\nhash {:016x}", summary.hash);
                }
                total.add(&summary);
                progress(options, &total);
            }
            Err(failure) => {
                eprintln!(
                    "\nseed {seed}: {failure}\n{}",
                    replay(seed, options.seconds)
                );
                code = ExitCode::from(match failure {
                    Failure::Safety(_) => EXIT_SAFETY,
                    Failure::Liveness(_) => EXIT_LIVENESS,
                });
                if !options.keep_going {
                    return code;
                }
            }
        }
    }
    println!(
        "{}{}",
        if std::io::stdout().is_terminal() {
            "\r"
        } else {
            ""
        },
        total.sentence()
    );
    println!("{}", total.details());
    if let Some(complaint) = total.census.complaint() {
        eprintln!("{complaint}");
        return ExitCode::from(EXIT_MISSING);
    }
    match witness::observed() {
        _ if options.single => code,
        Ok(witness::EXPECTED) => code,
        other => {
            eprintln!("the witnesses say {other:x?}, not {:#x}", witness::EXPECTED);
            ExitCode::from(EXIT_WITNESS)
        }
    }
}

/// The one command that shows a failure again.
fn replay(seed: u64, seconds: u64) -> String {
    let seconds = if seconds == 20 {
        String::new()
    } else {
        format!(" --seconds {seconds}")
    };
    format!("replay: npm run sim -- --seed {seed}{seconds} --trace")
}

fn progress(options: &Options, total: &Total) {
    if std::io::stdout().is_terminal() && !options.single && total.seeds.is_multiple_of(5) {
        print!("\r{}", total.sentence());
        drop(std::io::stdout().flush());
    }
}

/// What all seeds were together.
#[derive(Default)]
struct Total {
    seeds: u64,
    sum: Summary,
    slowest_recovery: u64,
    census: Census,
}

impl Total {
    fn add(&mut self, summary: &Summary) {
        self.seeds += 1;
        self.slowest_recovery = self.slowest_recovery.max(summary.recovery);
        self.sum.hash = self.sum.hash.rotate_left(1) ^ summary.hash;
        self.sum.events += summary.events;
        self.sum.time += summary.time;
        self.sum.answered += summary.answered;
        self.sum.failed += summary.failed;
        self.sum.commands += summary.commands;
        self.sum.terms += summary.terms;
        self.sum.starts += summary.starts;
        self.sum.restores += summary.restores;
        self.sum.torn += summary.torn;
        self.census.add(summary);
    }

    fn sentence(&self) -> String {
        let (seeds, sum) = (self.seeds, &self.sum);
        format!(
            "{seeds} seeds passed: {} simulated s, {} events, {} commands, {} answers, hash {:016x}",
            sum.time / 1_000_000,
            sum.events,
            sum.commands,
            sum.answered,
            sum.hash
        )
    }

    fn details(&self) -> String {
        let sum = &self.sum;
        format!(
            "terms {}, starts {}, torn rounds {}, snapshots installed {}, calls without answer {}, \
             slowest recovery {} ms\n{}",
            sum.terms,
            sum.starts,
            sum.torn,
            sum.restores,
            sum.failed,
            self.slowest_recovery / 1_000,
            self.census
        )
    }
}

/// `None` if help was asked for.
fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        first: 1,
        count: 200,
        seconds: 20,
        single: false,
        trace: false,
        keep_going: false,
    };
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().ok_or(format!("{arg} needs a number"))?;
            value
                .parse::<u64>()
                .map_err(|_| format!("{arg} needs a number, not {value:?}"))
        };
        match arg.as_str() {
            "--seeds" => options.count = number()?,
            "--from" => options.first = number()?,
            "--seed" => (options.first, options.count, options.single) = (number()?, 1, true),
            "--seconds" => options.seconds = number()?,
            "--trace" => options.trace = true,
            "--keep-going" => options.keep_going = true,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option {arg:?}")),
        }
    }
    if options.count == 0 || options.seconds == 0 {
        return Err("--seeds and --seconds must be above zero".to_owned());
    }
    if options.trace && !options.single {
        return Err("--trace needs --seed".to_owned());
    }
    Ok(Some(options))
}
