//! Explores configurations, and prints what there was to see.
//!
//! ```text
//! model [--quick] [--list] [--only NAME,NAME] [--depth N] [--terms N] [--proposals N] [--reads N] …
//! ```
//! Exit codes: 0 all laws hold, 2 wrong usage, 11 a law was broken, 14 something expected was never
//! seen.

use std::process::ExitCode;

use quorate_model::bounds::Bounds;
use quorate_model::configurations;
use quorate_model::report::explore;

const USAGE: &str = "\
usage: model [options]
  --list         print the configurations
  --only A,B     explore these configurations alone
  --quick        only as deep as the tests do
  --depth N      stop after N steps; 0: never
  --nodes N, --terms N, --proposals N, --crashes N, --snapshots N, --reads N
                 other bounds than the configuration's own";

const EXIT_USAGE: u8 = 2;
const EXIT_SAFETY: u8 = 11;
const EXIT_UNSEEN: u8 = 14;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(what) => {
            eprintln!("model: {what}\n{USAGE}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if options.help {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if options.list {
        for bounds in &options.chosen {
            println!("{:<16} {}", bounds.name, bounds.about);
        }
        return ExitCode::SUCCESS;
    }
    quorate_model::model::quiet_panics();
    run(&options.chosen)
}

fn run(chosen: &[Bounds]) -> ExitCode {
    let mut distinct = 0;
    let mut code = ExitCode::SUCCESS;
    for bounds in chosen {
        let report = explore(bounds);
        println!("{report}");
        distinct += report.distinct;
        if report.violation.is_some() {
            return ExitCode::from(EXIT_SAFETY);
        }
        if !report.unseen.is_empty() {
            code = ExitCode::from(EXIT_UNSEEN);
        }
    }
    println!("{} explored, {distinct} distinct states", chosen.len());
    code
}

#[derive(Default)]
struct Options {
    chosen: Vec<Bounds>,
    list: bool,
    help: bool,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let (mut only, mut quick): (Option<String>, bool) = (None, false);
        let mut changes: Vec<(String, u64)> = Vec::new();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                "--quick" => quick = true,
                "--only" => only = Some(args.next().ok_or("--only needs names")?),
                "--depth" | "--nodes" | "--terms" | "--proposals" | "--crashes" | "--snapshots"
                | "--reads" => {
                    let value = args.next().ok_or(format!("{arg} needs a number"))?;
                    let number = value
                        .parse::<u8>()
                        .map_err(|_| format!("{arg} needs a small number, not {value:?}"))?;
                    changes.push((arg, number.into()));
                }
                _ => return Err(format!("unknown option {arg:?}")),
            }
        }
        let all = if quick {
            configurations::quick()
        } else {
            configurations::all()
        };
        options.chosen = match only {
            None => all,
            Some(names) => names
                .split(',')
                .map(|name| {
                    let found = all.iter().find(|bounds| bounds.name == name);
                    found.cloned().ok_or(format!("no configuration {name:?}"))
                })
                .collect::<Result<_, _>>()?,
        };
        for bounds in &mut options.chosen {
            changes
                .iter()
                .for_each(|(what, number)| change(bounds, what, *number));
        }
        Ok(options)
    }
}

fn change(bounds: &mut Bounds, what: &str, number: u64) {
    let small = u8::try_from(number).unwrap_or(u8::MAX);
    match what {
        "--depth" => bounds.depth = Some(number as usize).filter(|depth| *depth > 0),
        "--nodes" => (bounds.nodes, bounds.voters) = (number.clamp(1, 5), number.clamp(1, 5)),
        "--terms" => bounds.terms = number,
        "--proposals" => bounds.proposals = small,
        "--crashes" => bounds.crashes = small,
        "--reads" => bounds.reads = small,
        _ => bounds.snapshots = small,
    }
}
