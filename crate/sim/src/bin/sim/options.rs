//! The command line.

use std::time::Duration;

use quorate_sim::reduce::{Reduction, seconds};
use quorate_sim::replay::Request;

pub(crate) const USAGE: &str = "\
usage: sim [options]              many worlds
  --seeds N        run N seeds (200)
  --from S         beginning with seed S (1)
  --jobs N         N at a time (1)
  --minutes M      begin no more after M minutes
  --seconds T      let faults come for T simulated seconds in each (20)
  --slower N       let calls and faults come N times more rarely, in worlds of an hour for example
  --keep-going     do not stop at the first failure
       sim --seed S [options]     one world, and what it was
  --trace          print every event, one line each
  --shrink         find the smallest world that fails as this one does
  --wasm           run it on wasm32 (through npm run sim)
 a smaller world:
  --seconds T --slower N   as above
  --without K,…    no faults of these kinds
  --faults N,…     these faults alone, by number; or none
  --clients N --nodes N
  --plain S,…      link, disk, medium, clock, node, frames, pipeline, keys, notices, store as in a fair world
       sim check FILE             a history of real clients, one operation a line; - reads the input
       sim connectivity [N]       partial connectivity, N seeds of each scenario (50)
       sim shards [--from S] [--seeds N]   worlds of sharded stores (200)
       sim --bench-checker        how long the checker takes for 7,000 operations
exit codes: 0 all is well, 2 usage or bad file, 10 panic, 11 safety, 12 liveness, 13 other worlds than
in other builds, 14 something never came up, 15 a history took too long to decide";

pub(crate) enum Command {
    Help,
    Campaign(Options),
    Single(Request),
    Shrink(Request),
    Check(String),
    Connectivity(u64),
    Shards { first: u64, count: u64 },
    BenchChecker,
}

pub(crate) struct Options {
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) jobs: usize,
    pub(crate) limit: Option<Duration>,
    /// What is different in all worlds.
    pub(crate) reduction: Reduction,
    pub(crate) keep_going: bool,
}

pub(crate) fn parse(words: &[&str]) -> Result<Command, String> {
    if words.contains(&"--help") || words.contains(&"-h") {
        return Ok(Command::Help);
    }
    match words {
        ["check", file] => Ok(Command::Check((*file).to_owned())),
        ["check", ..] => Err("check needs one file".to_owned()),
        ["connectivity"] => Ok(Command::Connectivity(50)),
        ["connectivity", seeds] => match seeds.parse() {
            Ok(seeds) if seeds > 0 => Ok(Command::Connectivity(seeds)),
            _ => Err(format!("{seeds:?} is no number of seeds")),
        },
        ["connectivity", ..] => Err("connectivity needs one number".to_owned()),
        ["shards", rest @ ..] => {
            let Options { first, count, .. } = parse_campaign(rest)?;
            Ok(Command::Shards { first, count })
        }
        ["--bench-checker"] => Ok(Command::BenchChecker),
        _ if words.contains(&"--seed") => {
            let rest = words.iter().copied().filter(|word| *word != "--shrink");
            let request = Request::parse(rest)?;
            if !words.contains(&"--shrink") {
                Ok(Command::Single(request))
            } else if request.trace {
                Err("--shrink prints no trace".to_owned())
            } else {
                Ok(Command::Shrink(request))
            }
        }
        _ => parse_campaign(words).map(Command::Campaign),
    }
}

fn parse_campaign(words: &[&str]) -> Result<Options, String> {
    let mut options = Options {
        first: 1,
        count: 200,
        jobs: 1,
        limit: None,
        reduction: Reduction::default(),
        keep_going: false,
    };
    let mut words = words.iter().copied();
    while let Some(option) = words.next() {
        let mut value = || words.next().ok_or(format!("{option} needs a number"));
        let number = |text: &str| {
            let number = text.parse::<u64>();
            number.map_err(|_| format!("{option} needs a number, not {text:?}"))
        };
        let positive = |text: &str| match number(text)? {
            0 => Err(format!("{option} must be above zero")),
            number => Ok(number),
        };
        match option {
            "--seeds" => options.count = positive(value()?)?,
            "--from" => options.first = number(value()?)?,
            "--jobs" => options.jobs = positive(value()?)?.min(1_000) as usize,
            "--minutes" => options.limit = Some(seconds(value()?)? * 60),
            "--seconds" | "--slower" => {
                options.reduction.parse(option, value()?)?;
            }
            "--keep-going" => options.keep_going = true,
            "--trace" | "--shrink" | "--without" | "--faults" | "--clients" | "--nodes"
            | "--plain" => {
                return Err(format!("{option} needs --seed"));
            }
            "--wasm" => return Err("--wasm needs --seed, and npm run sim".to_owned()),
            _ => return Err(format!("unknown option {option:?}")),
        }
    }
    Ok(options)
}
