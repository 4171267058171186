//! Group commit: what all groups want to write while a round is under way becomes the next round.

use quorate_raft::Instant;
use quorate_rsm::storage::Round;

/// A group's batch that stands in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Which group.
    pub group: u32,
    /// The batch's number there.
    pub seq: u64,
}

/// What was written since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Written {
    /// Rounds that became durable.
    pub rounds: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Time from beginning to durability, summed over rounds.
    pub write_ms: f64,
}

/// Collects rounds, and knows which batches each one makes durable.
///
/// Bounded: a group hands out no batch before the one before it is durable, so at most one of each
/// is under way, and one waits.
#[derive(Default)]
pub struct Writer {
    waiting: Round,
    waiting_batches: Vec<Batch>,
    under_way: Option<UnderWay>,
    written: Written,
}

struct UnderWay {
    batches: Vec<Batch>,
    records: usize,
    bytes: usize,
    since: Instant,
}

impl Writer {
    /// Puts a batch into the next round; `fill` writes its records.
    pub fn add(&mut self, batch: Batch, fill: impl FnOnce(&mut Round)) {
        fill(&mut self.waiting);
        self.waiting_batches.push(batch);
    }

    /// Puts records into the next round that no batch asks for.
    #[cfg(feature = "shards")]
    pub fn also(&mut self, fill: impl FnOnce(&mut Round)) {
        fill(&mut self.waiting);
    }

    /// Takes a group out of the next round, and puts there what removes its records; they go with one
    /// that has batches, or by themselves.
    #[cfg(feature = "shards")]
    pub fn forget(&mut self, group: u32, fill: impl FnOnce(&mut Round)) {
        let mut round = Round::default();
        fill(&mut round);
        let is_gone = |key: &String| {
            round
                .deletes
                .iter()
                .any(|(from, to)| (from..to).contains(&key))
        };
        self.waiting.puts.retain(|(key, _)| !is_gone(key));
        self.waiting_batches.retain(|batch| batch.group != group);
        self.waiting.deletes.extend(round.deletes);
    }

    /// The round to write now, if there is one and none is under way.
    pub fn begin(&mut self, now: Instant) -> Option<Round> {
        if self.under_way.is_some() || self.waiting.is_empty() {
            return None;
        }
        let round = std::mem::take(&mut self.waiting);
        self.under_way = Some(UnderWay {
            batches: std::mem::take(&mut self.waiting_batches),
            records: round.puts.len(),
            bytes: round
                .puts
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum(),
            since: now,
        });
        Some(round)
    }

    /// The round under way is durable: these batches are.
    pub fn finish(&mut self, now: Instant) -> Vec<Batch> {
        let Some(done) = self.under_way.take() else {
            return Vec::new();
        };
        self.written.rounds += 1;
        self.written.records += done.records as u64;
        self.written.bytes += done.bytes as u64;
        self.written.write_ms += now.since(done.since).as_secs_f64() * 1_000.0;
        done.batches
    }

    /// The round under way failed: nothing is written any more.
    pub fn abandon(&mut self) {
        self.under_way = None;
        self.waiting = Round::default();
        self.waiting_batches.clear();
    }

    /// Whether a round is under way.
    pub fn is_writing(&self) -> bool {
        self.under_way.is_some()
    }

    /// What was written since the node started.
    pub fn written(&self) -> Written {
        self.written
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn put(key: &str) -> impl FnOnce(&mut Round) {
        move |round| round.puts.push((key.into(), vec![0; 8]))
    }

    #[test]
    fn what_comes_while_a_round_is_under_way_shares_the_next_one() {
        let mut writer = Writer::default();
        let batch = |group, seq| Batch { group, seq };
        assert!(writer.begin(Instant(0)).is_none());

        writer.add(batch(0, 1), put("a"));
        assert_eq!(
            writer.begin(Instant(0)).map(|round| round.puts.len()),
            Some(1)
        );
        writer.add(batch(1, 1), put("b"));
        writer.add(batch(2, 1), put("c"));
        assert!(writer.begin(Instant(1)).is_none(), "one round at a time");

        assert_eq!(writer.finish(Instant(2_000)), [batch(0, 1)]);
        assert_eq!(
            writer.begin(Instant(2_000)).map(|round| round.puts.len()),
            Some(2)
        );
        assert_eq!(writer.finish(Instant(5_000)), [batch(1, 1), batch(2, 1)]);
        assert_eq!(
            writer.written(),
            Written {
                rounds: 2,
                records: 3,
                bytes: 27,
                write_ms: 5.0
            }
        );
    }

    #[cfg(feature = "shards")]
    #[test]
    fn a_group_that_is_forgotten_is_in_no_later_round() {
        let mut writer = Writer::default();
        writer.add(Batch { group: 1, seq: 1 }, put("0001/a"));
        let _ = writer.begin(Instant(0));
        writer.add(Batch { group: 1, seq: 2 }, put("0001/b"));
        writer.add(Batch { group: 2, seq: 1 }, put("0002/a"));
        let gone = ("0001/".to_owned(), "00010".to_owned());
        let range = gone.clone();
        writer.forget(1, move |round| round.deletes.push(range));
        assert_eq!(writer.finish(Instant(1)).len(), 1);
        let round = writer.begin(Instant(1)).expect("there is a round");
        assert_eq!(round.deletes, std::slice::from_ref(&gone));
        let keys: Vec<_> = round.puts.iter().map(|(key, _)| &key[..]).collect();
        assert_eq!(keys, ["0002/a"]);
        assert_eq!(writer.finish(Instant(2)), [Batch { group: 2, seq: 1 }]);

        // Nobody else writes: they go all the same.
        let range = gone.clone();
        writer.forget(1, move |round| round.deletes.push(range));
        let round = writer.begin(Instant(3)).expect("there is a round");
        assert_eq!(round.deletes, [gone]);
    }

    #[test]
    fn an_abandoned_round_takes_the_waiting_one_along() {
        let mut writer = Writer::default();
        writer.add(Batch { group: 0, seq: 1 }, put("a"));
        let _ = writer.begin(Instant(0));
        writer.add(Batch { group: 1, seq: 1 }, put("b"));
        writer.abandon();
        assert!(writer.begin(Instant(1)).is_none());
        assert!(writer.finish(Instant(1)).is_empty());
    }
}
