//! Many worlds, several at a time.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use quorate_sim::replay::{Report, Request, exit};
use quorate_sim::taught::TAUGHT;
use quorate_sim::witness;

use crate::cpu::busy_time;
use crate::options::Options;
use crate::panics;
use crate::total::Total;

/// Between two lines of progress, where they stay, and where the next one replaces them.
const PROGRESS: [Duration; 2] = [Duration::from_secs(30), Duration::from_millis(200)];

pub(crate) fn run(options: &Options) -> u8 {
    let range = options.first..options.first.saturating_add(options.count);
    let taught = TAUGHT.iter().map(|(seed, _)| *seed);
    let taught = taught.filter(|seed| !range.contains(seed));
    let seeds: Vec<u64> = range.clone().chain(taught).collect();
    let mut total = Total::default();
    let code = run_all(options, &seeds, &mut total);
    println!("{}", total.text());
    if code != 0 {
        return code;
    }
    if let Some(complaint) = total.census.complaint() {
        eprintln!("{complaint}");
        return exit::MISSING;
    }
    match witness::observed() {
        Ok(witness::EXPECTED) => 0,
        other => {
            eprintln!("the witnesses say {other:x?}, not {:#x}", witness::EXPECTED);
            exit::WITNESS
        }
    }
}

fn run_all(options: &Options, seeds: &[u64], total: &mut Total) -> u8 {
    let began = Instant::now();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let out_of_time = || options.limit.is_some_and(|limit| began.elapsed() >= limit);
    let work = |reports: mpsc::Sender<(Report, Duration)>| {
        let mut busy = busy_time();
        while !stop.load(Ordering::Relaxed) && !out_of_time() {
            let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            let request = Request {
                seed,
                reduction: options.reduction.clone(),
                trace: false,
            };
            panics::replay_with(&request);
            let report = request.run();
            let now = busy_time();
            drop(reports.send((report, now.saturating_sub(busy))));
            busy = now;
        }
    };
    let mut code = 0;
    thread::scope(|scope| {
        let (sender, reports) = mpsc::channel();
        for _ in 0..options.jobs.min(seeds.len()) {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let mut line = ProgressLine::default();
        for (report, busy) in reports {
            total.cpu += busy;
            match report.complaint() {
                None => total.add(report.request.seed, &report.summary),
                Some(complaint) => {
                    line.clear();
                    eprintln!("{complaint}");
                    total.failed += 1;
                    code = if code == 0 {
                        report.code()
                    } else {
                        code.min(report.code())
                    };
                    stop.fetch_or(!options.keep_going, Ordering::Relaxed);
                }
            }
            line.maybe_print(|| total.progress(seeds.len() as u64, began.elapsed()));
        }
        line.clear();
    });
    code
}

/// On a terminal a line that replaces itself, elsewhere one now and then.
struct ProgressLine {
    last: Instant,
    terminal: bool,
    width: usize,
}

impl Default for ProgressLine {
    fn default() -> Self {
        Self {
            last: Instant::now(),
            terminal: std::io::stdout().is_terminal(),
            width: 0,
        }
    }
}

impl ProgressLine {
    fn maybe_print(&mut self, text: impl FnOnce() -> String) {
        if self.last.elapsed() < PROGRESS[usize::from(self.terminal)] {
            return;
        }
        self.last = Instant::now();
        let text = text();
        if self.terminal {
            self.clear();
            self.width = text.chars().count();
            print!("{text}");
            drop(std::io::stdout().flush());
        } else {
            println!("{text}");
        }
    }

    fn clear(&mut self) {
        if self.width > 0 {
            print!("\r{}\r", " ".repeat(self.width));
            self.width = 0;
        }
    }
}
