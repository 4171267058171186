//! What the store costs, from ten thousand keys to a million, and that nothing stalls.
//!
//! `cargo run --release -p quorate-kv --example cost`

#![allow(clippy::disallowed_types, reason = "a measurement reads the clock")]

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quorate_kv::{
    Command, Compare, KeyRange, Kv, KvDelta, KvPatch, Op, Projection, Query, Relation, Target, Txn,
};
use quorate_rsm::raft::{Index, Term};
use quorate_rsm::{ApplyContext, MachineRestore, MachineSnapshot, StateMachine};

/// Each in a process of its own, where no memory is there to be used again.
const PARTS: [(&str, fn()); 5] = [
    ("memory", per_key),
    ("revisions", per_revision),
    ("operations", per_operation),
    ("snapshots", per_snapshot),
    ("differences", per_difference),
];

fn main() {
    let asked = std::env::args().nth(1);
    for (name, part) in PARTS {
        match &asked {
            Some(asked) if asked == name => part(),
            Some(_) => {}
            None => {
                let path = std::env::current_exe().expect("it runs");
                let status = std::process::Command::new(path).arg(name).status();
                assert!(status.is_ok_and(|status| status.success()));
            }
        }
    }
}

fn per_key() {
    const KEYS: usize = 1_000_000;
    let before = resident_bytes();
    let mut kv = Kv::new();
    let load = each(KEYS, |at| apply(&mut kv, &put(key(at), 16)));
    let memory = (resident_bytes() - before) / KEYS;
    println!("{KEYS} keys put once: {load} ns, {memory} bytes each");
}

const CONTEXT: ApplyContext = ApplyContext {
    index: Index(1),
    term: Term(1),
    time_ms: 0,
};

fn per_revision() {
    const KEYS: usize = 100_000;
    let mut kv = Kv::new();
    let keep = Command::SetRetention {
        revisions: 0,
        ms: 0,
        bytes: 0,
    };
    apply(&mut kv, &keep.encode());
    for times in ["first", "second", "third"] {
        let before = resident_bytes();
        let put = each(KEYS, |at| apply(&mut kv, &put(key(at), 16)));
        let memory = (resident_bytes() - before) / KEYS;
        println!("{times} put of each key, all kept: {put} ns, {memory} bytes");
    }
}

fn per_operation() {
    println!("\nns per operation, 16-byte keys in random order, 16-byte values\n");
    println!(
        "{:>9} {:>7} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9}",
        "keys",
        "insert",
        "overwrite",
        "txn",
        "get",
        "count",
        "1,000",
        "delete",
        "put+share",
        "del.range"
    );
    for size in [10_000, 100_000, 1_000_000] {
        let mut kv = Kv::new();
        let insert = each(size, |at| apply(&mut kv, &put(key(at), 16)));
        // Each number is coprime to every size, so that a walk by it meets all keys.
        let sample = size.min(100_000);
        let overwrite = each(sample, |at| {
            apply(&mut kv, &put(key(at * 7_919 % size), 16));
        });
        let txn = each(sample, |at| {
            apply(&mut kv, &put_if_there(key(at * 7_919 % size)));
        });
        let get = each(sample, |at| {
            let query = Query::Get {
                key: key(at * 6_101 % size),
            }
            .encode();
            black_box(kv.query(&query));
        });
        let count = each(sample, |at| {
            let range = KeyRange::between(key(at), key(at * 3_571 % size));
            let query = Query::Range {
                range,
                limit: 0,
                projection: Projection::Count,
            }
            .encode();
            black_box(kv.query(&query));
        });
        let thousand = each(sample.min(1_000), |at| {
            let query = Query::Range {
                range: KeyRange::from(key(at * 3_571 % size)),
                limit: 1_000,
                projection: Projection::Records,
            }
            .encode();
            black_box(kv.query(&query));
        });
        // A snapshot before each: every put copies its whole path.
        let shared = each(sample.min(10_000), |at| {
            let snapshot = kv.snapshot();
            apply(&mut kv, &put(key(at * 7_919 % size), 16));
            drop(snapshot);
        });
        let delete = each(sample / 2, |at| {
            let command = Command::Delete {
                key: key(at * 5_003 % size),
            };
            apply(&mut kv, &command.encode());
        });
        let deleted_range = each(64, |at| {
            let range = KeyRange::prefix(vec![at as u8]);
            apply(&mut kv, &Command::DeleteRange { range }.encode());
        });
        println!(
            "{size:>9} {insert:>7} {overwrite:>9} {txn:>7} {get:>7} {count:>7} {thousand:>7} \
             {delete:>7} {shared:>9} {deleted_range:>9}"
        );
    }
}

fn per_snapshot() {
    const KEYS: usize = 1_000_000;
    const CHUNK: usize = 256 << 10;
    println!("\na store of {KEYS} keys with 84-byte values, in chunks of 256 KiB\n");
    let mut kv = Kv::new();
    each(KEYS, |at| apply(&mut kv, &put(key(at), 84)));

    let (taken, mut snapshot) = timed(|| kv.snapshot());
    line("taking the snapshot", taken);
    let mut chunks = Vec::new();
    let mut cutting = Spans::default();
    loop {
        let (chunk, last) = cutting.add(|| snapshot.chunk(chunks.len() as u32, CHUNK));
        chunks.push(chunk);
        if last {
            break;
        }
    }
    let size: usize = chunks.iter().map(Bytes::len).sum();
    cutting.print(&format!("cutting a chunk ({} MB in all)", size / 1_000_000));

    let mut beside = Spans::default();
    (0..KEYS).for_each(|at| beside.add(|| apply(&mut kv, &put(key(at), 84))));
    beside.print("a put beside the snapshot, until all is copied");
    let (dropped, ()) = timed(|| drop(snapshot));
    line("dropping the snapshot, all of it old", dropped);
    reclaiming(&mut kv);

    let mut restoring = Spans::default();
    let mut restore = Kv::restore();
    for chunk in &chunks {
        restoring.add(|| restore.chunk(chunk).expect("it was cut here"));
    }
    restoring.print("restoring a chunk");
    let (finished, restored) = timed(|| restore.finish().expect("it was cut here"));
    line("finishing the restoration", finished);
    let (replaced, ()) = timed(|| kv = restored);
    line("replacing the store by the restored one", replaced);
    reclaiming(&mut kv);

    let all = Command::DeleteRange {
        range: KeyRange::all(),
    }
    .encode();
    let (cleared, ()) = timed(|| apply(&mut kv, &all));
    line("deleting all keys by one command", cleared);
    reclaiming(&mut kv);

    let restore = chunks.iter().fold(Kv::restore(), |mut restore, chunk| {
        restore.chunk(chunk).expect("it was cut here");
        restore
    });
    let (dropped, ()) = timed(|| drop(restore));
    line("giving up a restoration", dropped);
    std::thread::spawn(move || {
        let mut kv = Kv::new();
        let mut whole = Kv::restore();
        chunks
            .iter()
            .for_each(|chunk| whole.chunk(chunk).expect("it was cut here"));
        let whole = whole.finish().expect("it was cut here");
        let (freed, ()) = timed(|| drop(whole));
        line("(dropping a store", freed);
        let (freed, ()) = timed(|| (0..10_000).for_each(|_| apply(&mut kv, &put(key(0), 84))));
        line(" and what it would take at once)", freed);
    })
    .join()
    .expect("it measures only");
}

/// What changed since a snapshot, against the whole.
fn per_difference() {
    const KEYS: usize = 100_000;
    println!("\na store of {KEYS} keys with 84-byte values\n");
    let mut kv = Kv::new();
    each(KEYS, |at| apply(&mut kv, &put(key(at), 84)));
    let mut whole = Vec::new();
    let (written, ()) = timed(|| kv.snapshot().write(0, usize::MAX, &mut whole));
    line(
        &format!("writing it whole ({} bytes)", whole.len()),
        written,
    );
    let stream = Bytes::from(whole);
    let (taken, far) = timed(|| {
        let mut restore = Kv::restore();
        restore.chunk(&stream).expect("it was cut here");
        restore.finish().expect("it was cut here")
    });
    line("restoring it whole", taken);
    for changes in [0, 100, 10_000] {
        let (base, mut now) = (kv.snapshot(), kv.clone());
        (0..changes).for_each(|at| apply(&mut now, &put(key(at * 7_919 % KEYS), 84)));
        let (found, delta) = timed(|| KvDelta::between(&base, &now.snapshot()));
        line(&format!("finding what {changes} puts changed"), found);
        let (apart, _) = timed(|| KvDelta::between(&far.snapshot(), &now.snapshot()));
        line("  where the states share nothing", apart);
        let mut stream = Vec::new();
        let (written, ()) = timed(|| delta.write(0, usize::MAX, &mut stream));
        line(&format!("  writing it ({} bytes)", stream.len()), written);
        let stream = Bytes::from(stream);
        let (taken, patched) = timed(|| {
            let mut patch = KvPatch::new(far.clone());
            patch.chunk(&stream).expect("it was cut here");
            patch.finish().expect("it was cut here")
        });
        line("  taking it", taken);
        assert_eq!(patched.digest(), now.digest());
    }
}

/// Puts until everything that was released is freed, and some more.
fn reclaiming(kv: &mut Kv) {
    let mut spans = Spans::default();
    (0..10_000).for_each(|at| spans.add(|| apply(kv, &put(key(at), 84))));
    spans.print("  then a put that also frees");
}

/// Keys in an order that has nothing to do with their numbers: a bijection on 64 bits.
fn key(number: usize) -> Bytes {
    let mut key = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key ^= key >> 32;
    let spread = key.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    [spread.to_be_bytes(), key.to_be_bytes()].concat().into()
}

fn put(key: Bytes, len: usize) -> Bytes {
    Command::Put {
        key,
        value: vec![b'v'; len].into(),
    }
    .encode()
}

/// The least transaction: one condition, one change.
fn put_if_there(key: Bytes) -> Bytes {
    Command::Txn(Box::new(Txn {
        compares: vec![Compare {
            range: KeyRange::single(key.clone()),
            relation: Relation::Greater,
            target: Target::Version(0),
        }],
        then: vec![Op::Do(Command::Put {
            key,
            value: vec![b'v'; 16].into(),
        })],
        otherwise: Vec::new(),
    }))
    .encode()
}

fn apply(kv: &mut Kv, command: &Bytes) {
    black_box(kv.apply(&CONTEXT, command));
}

/// Mean nanoseconds of the processor, or of the clock where the system does not count them.
fn each(times: usize, mut operation: impl FnMut(usize)) -> u128 {
    let (start, spent) = (Instant::now(), processor_ns());
    (0..times).for_each(&mut operation);
    let spent = processor_ns()
        .zip(spent)
        .map(|(after, before)| after - before);
    spent.unwrap_or_else(|| start.elapsed().as_nanos()) / times as u128
}

fn processor_ns() -> Option<u128> {
    let spent = fs::read_to_string("/proc/self/schedstat").ok()?;
    spent.split_whitespace().next()?.parse().ok()
}

fn timed<T>(operation: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = operation();
    (start.elapsed(), result)
}

fn line(what: &str, took: Duration) {
    println!("{what:<48} {:>10.1} us", took.as_secs_f64() * 1e6);
}

/// How long many of one kind took.
#[derive(Default)]
struct Spans(Vec<Duration>);

impl Spans {
    fn add<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        let (took, result) = timed(operation);
        self.0.push(took);
        result
    }

    fn print(mut self, what: &str) {
        let all: Duration = self.0.iter().sum();
        self.0.sort_unstable();
        let at = |part: usize| self.0[(self.0.len() - 1) * part / 1000].as_secs_f64() * 1e6;
        println!(
            "{what:<48} {:>10.1} us median {:>8.1} us p99.9 {:>8.1} us longest {:>8.1} ms all",
            at(500),
            at(999),
            at(1000),
            all.as_secs_f64() * 1e3
        );
    }
}

/// What the process holds, where the system says so; zero elsewhere.
fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}
