//! `quorate-work NODES ENTRIES WINDOW SIZE WIRE(0|1) [BATCH [REPEAT]]`: the work, as a line of JSON.
//! `quorate-work NODES SEEDS`: so many elections, as a line of JSON.

use std::time::Instant;

use quorate_work::{Work, election, run};

fn main() {
    let args: Vec<u64> = std::env::args()
        .skip(1)
        .map(|arg| arg.parse().expect("a number"))
        .collect();
    if let [nodes, seeds] = args[..] {
        return elections(nodes as usize, seeds);
    }
    let work = Work {
        nodes: args[0] as usize,
        entries: args[1],
        window: args[2],
        size: args[3] as usize,
        wire: args[4] != 0,
    };
    for _ in 0..args.get(6).copied().unwrap_or(1) {
        let (cpu, begun) = (cpu_seconds(), Instant::now());
        let stats = run(work, 7);
        let (cpu, secs) = (cpu_seconds() - cpu, begun.elapsed().as_secs_f64());
        let entries = work.entries as f64;
        println!(
            "{{\"peer\":\"quorate\",\"nodes\":{},\"entries\":{},\"window\":{},\"size\":{},\"wire\":{},\"secs\":{secs:.4},\"cpu_secs\":{cpu:.4},\"entries_per_cpu_s\":{:.0},\"msgs_per_entry\":{:.3},\"bytes_per_entry\":{:.1},\"rounds\":{},\"lat_leader\":{},\"lat_all\":{},\"election_ticks\":{},\"election_msgs\":{},\"applied_bytes\":{},\"peak_kib\":{}}}",
            work.nodes,
            work.entries,
            work.window,
            work.size,
            work.wire,
            // A short work is over before the system has counted any.
            entries / cpu.max(1e-9),
            stats.messages as f64 / entries,
            stats.bytes as f64 / entries,
            stats.rounds,
            stats.leader_rounds,
            stats.all_rounds,
            stats.election_ticks,
            stats.election_messages,
            stats.applied_bytes,
            peak_kib()
        );
    }
}

/// Ticks on average, and messages by median and at most. The least election timeout is ten ticks.
fn elections(nodes: usize, seeds: u64) {
    let all: Vec<(u64, u64)> = (1..=seeds).map(|seed| election(nodes, seed)).collect();
    let ticks = all.iter().map(|(ticks, _)| ticks).sum::<u64>() as f64 / seeds as f64;
    let mut messages: Vec<u64> = all.into_iter().map(|(_, messages)| messages).collect();
    messages.sort_unstable();
    println!(
        "{{\"ticks\":{ticks:.2},\"messages\":{},\"most\":{}}}",
        messages[messages.len() / 2],
        messages[messages.len() - 1]
    );
}

/// The process's, from /proc: user and system time, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = stat
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(0.0) / 1e9
}

/// The most memory that the process had so far, from /proc.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}
