//! Runs lab scenarios and prints what each cost: `labs [--seeds N] [--only NAME]...`.

use std::process::ExitCode;

use quorate_tests::lab::report::{Agreement, Limit};
use quorate_tests::lab::{MS, Report};
use quorate_tests::labs::{self, Scenario};

const USAGE: &str = "usage: labs [--seeds N] [--first SEED] [--only NAME]...
  --seeds N     how many seeds, 10 if not told
  --first SEED  the first of them, 1 if not told
  --only NAME   only this scenario, or this lab: Persist1, 4A, \"4A Snapshot\"";

fn main() -> ExitCode {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut code = ExitCode::SUCCESS;
    println!(
        "| scenario | seeds | nodes | s (120) | requests | messages | KB | commands | ms to agree: \
         mean, longest | the most seen, of what the tester allows |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for scenario in &options.scenarios {
        let mut reports = Vec::new();
        for seed in options.first..options.first + options.seeds {
            match (scenario.run)(seed) {
                Ok(report) => reports.push(report),
                Err(failure) => {
                    eprintln!("{} {} seed {seed}: {failure}", scenario.lab, scenario.name);
                    code = ExitCode::FAILURE;
                }
            }
        }
        print(scenario, &reports);
    }
    code
}

struct Options {
    first: u64,
    seeds: u64,
    scenarios: Vec<Scenario>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let (mut first, mut seeds, mut scenarios) = (1, 10, Vec::new());
        while let Some(option) = args.next() {
            let value = args.next()?;
            match option.as_str() {
                "--seeds" => seeds = value.parse().ok().filter(|count| *count > 0)?,
                "--first" => first = value.parse().ok()?,
                "--only" => match labs::find(&value) {
                    found if found.is_empty() => {
                        eprintln!("there is no scenario {value}");
                        return None;
                    }
                    found => scenarios.extend(found),
                },
                _ => return None,
            }
        }
        if scenarios.is_empty() {
            scenarios = labs::all();
        }
        Some(Self {
            first,
            seeds,
            scenarios,
        })
    }
}

fn print(scenario: &Scenario, reports: &[Report]) {
    let Some(first) = reports.first() else {
        return;
    };
    let count = reports.len() as u64;
    let mean = |value: fn(&Report) -> u64| reports.iter().map(value).sum::<u64>() / count;
    let mut agreement = Agreement::default();
    let mut limits: Vec<Limit> = Vec::new();
    for report in reports {
        agreement.join(report.agreement);
        report
            .limits
            .iter()
            .for_each(|limit| limit.note(&mut limits));
    }
    let limits: Vec<String> = limits.iter().map(Limit::to_string).collect();
    println!(
        "| {} {} | {count} | {} | {} | {} | {} | {} | {} | {}, {} | {} |",
        scenario.lab,
        scenario.name,
        first.nodes,
        tenths(mean(|report| report.time), 1_000 * MS),
        mean(|report| report.traffic.requests),
        mean(|report| report.traffic.requests + report.traffic.responses),
        mean(|report| report.traffic.bytes) / 1_000,
        mean(|report| report.commands),
        tenths(agreement.mean(), MS),
        agreement.longest / MS,
        limits.join("; "),
    );
}

fn tenths(value: u64, unit: u64) -> String {
    let tenths = value * 10 / unit;
    format!("{}.{}", tenths / 10, tenths % 10)
}
