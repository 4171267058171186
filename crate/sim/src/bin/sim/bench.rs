//! How long the checker takes, in processor time where the system tells it.

use std::time::{Duration, Instant};

use quorate_sim::checker::linearizability::{Verdict, check};
use quorate_sim::checker::synthetic::{Damage, Load, history};
use quorate_sim::replay::exit;

use crate::cpu::busy_time;

/// Histories of each kind; the slowest is told.
const SEEDS: u64 = 5;

pub(crate) fn run() -> u8 {
    let mut code = 0;
    println!("| 7,000 operations | explained | bad read early | bad read late |");
    println!("| --- | --- | --- | --- |");
    for load in Load::ALL {
        let mut cells = Vec::new();
        for damage in Damage::ALL {
            let mut slowest = 0;
            for seed in 1..=SEEDS {
                let operations = history(&load, damage, seed);
                let (began, busy) = (Instant::now(), busy_time());
                let verdict = check(&operations);
                let took = match busy_time().saturating_sub(busy) {
                    Duration::ZERO => began.elapsed(),
                    took => took,
                };
                slowest = slowest.max(took.as_micros());
                let right = match verdict {
                    Verdict::Linearizable => damage == Damage::None,
                    Verdict::Illegal { .. } => damage != Damage::None,
                    Verdict::Undecided { .. } => false,
                };
                if !right {
                    eprintln!("{}, {damage:?}, seed {seed}: {verdict:?}", load.name);
                    code = exit::UNDECIDED;
                }
            }
            cells.push(format!("{}.{} ms", slowest / 1_000, slowest / 100 % 10));
        }
        println!("| {} | {} |", load.name, cells.join(" | "));
    }
    code
}
