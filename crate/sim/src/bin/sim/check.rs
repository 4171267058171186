//! Judging a history from outside.

use std::io::Read;

use quorate_sim::checker::linearizability::{Verdict, WORK_MAX, check, culprit};
use quorate_sim::checker::lines::{self, Lines};
use quorate_sim::replay::exit;

/// Operations of the key that are shown before the one that cannot be explained.
const SHOWN: usize = 10;

pub(crate) fn run(file: &str) -> u8 {
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("sim: cannot read {file}: {error}");
            return exit::USAGE;
        }
    };
    let history = match lines::read(&text) {
        Ok(history) => history,
        Err(error) => {
            eprintln!("sim: {file}, {error}");
            return exit::USAGE;
        }
    };
    let Lines {
        operations, keys, ..
    } = &history;
    let unknown = operations.iter().filter(|o| o.end.at().is_none()).count();
    let of = format!(
        "{} operations on {} keys, {unknown} of unknown outcome",
        operations.len(),
        keys.len()
    );
    match check(operations) {
        Verdict::Linearizable => {
            println!("linearizable: {of}");
            0
        }
        Verdict::Undecided { key } => {
            let key = &keys[key as usize];
            eprintln!("undecided: {of}; the search for key {key:?} was given up");
            exit::UNDECIDED
        }
        Verdict::Illegal { key } => {
            eprintln!("not linearizable: {of}");
            show(&history, &text, key);
            exit::SAFETY
        }
    }
}

fn read(file: &str) -> std::io::Result<String> {
    if file != "-" {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// The operation that no order explains, after those of its key that were answered last before it.
fn show(history: &Lines, text: &str, key: u64) {
    let name = &history.keys[key as usize];
    let Some(culprit) = culprit(&history.operations, key, WORK_MAX) else {
        eprintln!("no order explains what clients saw of key {name:?}");
        return;
    };
    let until = history.operations[culprit].end.at();
    let mut earlier: Vec<(u64, usize)> = (0..history.operations.len())
        .filter(|&number| history.operations[number].key == key && number != culprit)
        .filter_map(|number| Some((history.operations[number].end.at()?, number)))
        .filter(|&(at, _)| Some(at) <= until)
        .collect();
    earlier.sort_unstable();
    let line = |number: usize| {
        text.lines()
            .nth(history.lines[number] - 1)
            .unwrap_or_default()
    };
    for &(_, number) in &earlier[earlier.len().saturating_sub(SHOWN)..] {
        eprintln!("  {}", line(number));
    }
    let number = history.lines[culprit];
    eprintln!("line {number}: no order explains this answer, of key {name:?}:");
    eprintln!("  {}", line(culprit));
    for number in history.denied(key) {
        eprintln!("line {number}: said never to take effect, and without it there is no order:");
        eprintln!("  {}", text.lines().nth(number - 1).unwrap_or_default());
    }
}
