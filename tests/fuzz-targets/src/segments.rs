//! Files of rounds, as they are and with right checksums. What is read back is what was written,
//! and every cut of an intact file opens with the rounds before the cut.

use quorate_rsm::storage::{Scan, scan, seal_round};

use crate::envelope;
use crate::source::Source;

pub(crate) fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let file = match source.below(2) {
        0 => source.rest().to_vec(),
        _ => sealed(&mut source),
    };
    let scanned = match scan(&file) {
        Ok(scanned) => scanned,
        Err(error) => {
            let offset: usize = error.place.parse().expect("the place is an offset");
            assert!(offset < file.len());
            return;
        }
    };
    let Scan {
        rounds,
        valid_bytes,
        torn,
    } = &scanned;
    assert_eq!(*torn, *valid_bytes < file.len());
    let again: Vec<u8> = rounds
        .iter()
        .flat_map(|round| seal_round(round.sequence, &round.round))
        .collect();
    assert!(again == file[..*valid_bytes], "rounds have one spelling");
    check_cuts(&scanned, &again);
}

/// Rounds with right checksums, then any bytes.
fn sealed(source: &mut Source<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    for _ in 0..source.below(4) {
        file.extend(envelope::seal_round(&source.bytes()));
    }
    file.extend(source.rest());
    file
}

/// A crash may leave any beginning of what was written.
fn check_cuts(whole: &Scan, file: &[u8]) {
    for cut in (0..file.len()).rev().step_by(1 + file.len() / 16) {
        let scanned = scan(&file[..cut]).expect("an intact file that is cut opens");
        let kept = scanned.rounds.len();
        assert!(kept < whole.rounds.len());
        assert_eq!(scanned.rounds, whole.rounds[..kept]);
    }
}
