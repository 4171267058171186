//! Runs every lab scenario and prints what each cost: `labs [--seeds N]`.

use std::process::ExitCode;

use quorate_tests::labs;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let seeds = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => 10,
        ["--seeds", count] if count.parse::<u64>().is_ok_and(|count| count > 0) => {
            count.parse().expect("checked")
        }
        _ => {
            eprintln!("usage: labs [--seeds N]");
            return ExitCode::from(2);
        }
    };
    let mut code = ExitCode::SUCCESS;
    println!("| scenario | nodes | virtual s | requests | messages | KB | commands |");
    println!("|---|---|---|---|---|---|---|");
    for scenario in labs::all() {
        let mut reports = Vec::new();
        for seed in 1..=seeds {
            match (scenario.run)(seed) {
                Ok(report) => reports.push(report),
                Err(failure) => {
                    eprintln!("{} seed {seed}: {failure}", scenario.name);
                    code = ExitCode::FAILURE;
                }
            }
        }
        let Some(first) = reports.first() else {
            continue;
        };
        let mean = |value: fn(&quorate_tests::lab::Report) -> u64| {
            reports.iter().map(value).sum::<u64>() / reports.len() as u64
        };
        let time = mean(|report| report.time / 100_000);
        println!(
            "| {} {} | {} | {}.{} | {} | {} | {} | {} |",
            scenario.lab,
            scenario.name,
            first.nodes,
            time / 10,
            time % 10,
            mean(|report| report.traffic.requests),
            mean(|report| report.traffic.requests + report.traffic.responses),
            mean(|report| report.traffic.bytes) / 1_000,
            mean(|report| report.commands),
        );
    }
    code
}
