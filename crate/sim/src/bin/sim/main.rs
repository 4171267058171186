//! Runs seeds, and says of each failure how to see it again. `sim --help` says the rest.

// A command line has a clock and threads; the library has neither.
#![allow(clippy::disallowed_types)]

mod bench;
mod campaign;
mod check;
mod connectivity;
mod cpu;
mod options;
mod panics;
mod shards;
mod shrink;
mod total;

use std::process::ExitCode;

use options::{Command, USAGE};
use quorate_sim::replay::{Request, exit};

/// Worlds allocate much and keep little: this is a tenth quicker than the system's.
#[cfg(not(target_arch = "wasm32"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let code = match options::parse(&words) {
        Ok(Command::Help) => {
            println!("{USAGE}");
            0
        }
        Ok(Command::Campaign(options)) => campaign::run(&options),
        Ok(Command::Single(request)) => single(request),
        Ok(Command::Shrink(request)) => shrink::run(&request),
        Ok(Command::Check(file)) => check::run(&file),
        Ok(Command::Connectivity(seeds)) => connectivity::run(seeds),
        Ok(Command::Shards { first, count }) => shards::run(first, count),
        Ok(Command::BenchChecker) => bench::run(),
        Err(what) => {
            eprintln!("sim: {what}\n{USAGE}");
            exit::USAGE
        }
    };
    ExitCode::from(code)
}

fn single(request: Request) -> u8 {
    panics::replay_with(&request);
    let report = request.run();
    print!("{}", report.text());
    if let Some(complaint) = report.complaint() {
        eprintln!("{complaint}");
    }
    report.code()
}
