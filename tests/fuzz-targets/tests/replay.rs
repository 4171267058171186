//! The corpus, given to its targets without a fuzzer.

use std::fs;
use std::path::Path;

use quorate_fuzz_targets::{INPUT_BYTES_MAX, TARGETS, run, seeds};

/// Every input of one target, in the order of the names.
fn replay(target: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("a corpus for each target")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "the corpus of {target} is empty");
    for path in paths {
        let data = fs::read(&path).expect("an input");
        assert!(
            data.len() <= INPUT_BYTES_MAX,
            "{} is too long",
            path.display()
        );
        // Shown by a test that fails: the last one is the input that did it.
        println!("{}", path.display());
        run(target, &data);
    }
}

macro_rules! replay {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($target)),*];
            assert!(TARGETS.iter().map(|(name, _)| *name).eq(replayed));
        }
    };
}

replay!(messages requests commands records segments snapshots deltas controller coordinator shards runs raft node);

#[test]
fn seeds_of_a_real_cluster_hold() {
    for (target, data) in seeds() {
        run(target, &data);
    }
}
