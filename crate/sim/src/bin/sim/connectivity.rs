//! The table of partial connectivity.

use quorate_sim::connectivity::{Outcome, Scenario, Times, run as world, settings};
use quorate_sim::replay::exit;

pub(crate) fn run(seeds: u64) -> u8 {
    println!(
        "| scenario | live | windows with a commit | longest pause | terms, then | leader changes |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let (mut code, mut live) = (0, 0);
    for scenario in Scenario::ALL {
        let mut outcomes = Vec::new();
        for seed in 1..=seeds {
            match world(scenario, seed, Times::MINUTE, &settings()) {
                Ok(outcome) => outcomes.push(outcome),
                Err(violation) => {
                    eprintln!("{scenario}, seed {seed}: safety: {violation}");
                    code = exit::SAFETY;
                }
            }
        }
        live += u64::from(outcomes.iter().all(Outcome::is_live) && !outcomes.is_empty());
        println!("| {scenario} | {} |", row(&outcomes));
    }
    println!(
        "\nlive in {live} of {} with all of {seeds} seeds",
        Scenario::ALL.len()
    );
    code
}

fn row(outcomes: &[Outcome]) -> String {
    let count = outcomes.len() as u64;
    let live = outcomes.iter().filter(|outcome| outcome.is_live()).count();
    let most = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).max().unwrap_or_default();
    let windows = outcomes.iter().map(|o| o.permille).sum::<u64>() / count.max(1);
    let mut pauses: Vec<u64> = outcomes.iter().map(|o| o.pause / 1_000).collect();
    pauses.sort_unstable();
    let median = pauses.get(pauses.len() / 2).copied().unwrap_or_default();
    let pause = if live == 0 {
        "–".to_owned()
    } else {
        format!("{median} ms, at most {} ms", most(|o| o.pause / 1_000))
    };
    format!(
        "{live} of {count} | {}.{} % | {pause} | {}, then {} | {}",
        windows / 10,
        windows % 10,
        most(|o| o.terms_before),
        most(|o| o.terms_after),
        most(|o| o.changes_after),
    )
}
