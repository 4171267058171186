//! The difference between two states of a store: it brings the earlier state to the later one, whether
//! they share their trees or not; any other bytes are refused, or come to a state that is one.

use bytes::Bytes;
use quorate_kv::{Kv, KvDelta, KvPatch};
use quorate_raft::{Index, Term};
use quorate_rsm::{ApplyContext, BadSnapshot, MachineRestore, StateMachine};

use crate::commands::{chunks, command, past};
use crate::source::Source;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    match source.below(3) {
        0 => run_stream(&mut source),
        1 => run_states(&mut source),
        _ => run_damaged(&mut source),
    }
}

/// Any bytes, for an empty store.
fn run_stream(source: &mut Source<'_>) {
    let size = 1 + usize::from(source.byte());
    if let Ok(kv) = patched(&Kv::new(), source.rest(), size) {
        check(&kv, &restored(&kv));
    }
}

/// Two states and what leads from one to the other, in pieces of one size.
fn run_states(source: &mut Source<'_>) {
    let size = 1 + usize::from(source.byte());
    let (base, now) = states(source);
    let stream = stream(&base, &now);
    let parted = restored(&base);
    assert_eq!(self::stream(&parted, &restored(&now)), stream);
    for base in [base, parted] {
        check(&patched(&base, &stream, size).expect("its own"), &now);
    }
}

/// The same, with bytes that are others, gone or too many.
fn run_damaged(source: &mut Source<'_>) {
    let (base, now) = states(source);
    let mut stream = stream(&base, &now);
    for _ in 0..1 + source.below(4) {
        let at = source.number() as usize % stream.len();
        match source.below(3) {
            0 => stream[at] ^= source.byte(),
            1 => stream.insert(at, source.byte()),
            _ if stream.len() > 1 => drop(stream.remove(at)),
            _ => {}
        }
    }
    if let Ok(kv) = patched(&base, &stream, usize::MAX) {
        check(&kv, &now);
    }
}

/// What some commands make of a store, and some more.
fn states(source: &mut Source<'_>) -> (Kv, Kv) {
    let mut kv = Kv::new();
    let mut index = Index(0);
    let mut live = |kv: &mut Kv| {
        for _ in 0..source.below(12) {
            index = index.next();
            let context = ApplyContext {
                index,
                term: Term(1),
                time_ms: index.0,
            };
            kv.apply(&context, &command(source));
        }
    };
    live(&mut kv);
    let base = kv.clone();
    live(&mut kv);
    (base, kv)
}

/// What leads from one to the other.
pub(crate) fn stream(base: &Kv, now: &Kv) -> Vec<u8> {
    let delta = KvDelta::between(&base.snapshot(), &now.snapshot());
    let mut out = Vec::new();
    delta.write(0, usize::MAX, &mut out);
    assert_eq!(out.len() as u64, delta.len());
    out
}

fn patched(base: &Kv, stream: &[u8], size: usize) -> Result<Kv, BadSnapshot> {
    let mut patch = KvPatch::new(base.clone());
    for piece in stream.chunks(size) {
        patch.chunk(&Bytes::copy_from_slice(piece))?;
    }
    patch.finish()
}

fn restored(kv: &Kv) -> Kv {
    let mut restore = Kv::restore();
    for chunk in chunks(kv, 1 << 20) {
        restore.chunk(&chunk).expect("its own chunk");
    }
    restore.finish().expect("its own snapshot")
}

fn check(kv: &Kv, expected: &Kv) {
    assert_eq!(kv.digest(), expected.digest());
    assert_eq!(chunks(kv, 1 << 20), chunks(expected, 1 << 20));
    assert_eq!(past(kv), past(expected));
    assert_eq!(kv.due_ms(), expected.due_ms());
}
