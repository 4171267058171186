//! A node's disk: an ordered map from keys to bytes, written in atomic rounds. It outlives the
//! node's runs; a crash takes the round under way, or the round just made it. A [`Medium::File`]
//! keeps the same records as a host with a directory does, and may be torn at its end.

use bytes::Bytes;
use quorate_raft::Random;
use quorate_rsm::storage::{Round, StorageError, scan, seal_round};

use crate::records::Records;
use crate::streams::{chance, exponential};

/// How a disk behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskProfile {
    /// Shortest time of a round in microseconds.
    pub write_min: u64,
    /// Mean of what comes on top, exponentially distributed.
    pub write_mean: u64,
    /// In a thousand crashes, how often the round under way is kept.
    pub kept_permille: u64,
}

impl DiskProfile {
    /// A good disk.
    pub const FAIR: Self = Self {
        write_min: 300,
        write_mean: 700,
        kept_permille: 500,
    };
}

/// What the records lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A store of records that are written together or not at all.
    Records,
    /// A file to which rounds are appended.
    File,
}

/// One disk.
#[derive(Debug)]
pub struct Disk {
    records: Records,
    file: Option<File>,
    writing: Option<Round>,
    random: Random,
    /// The next reading sees one bit otherwise than it was written.
    misreading: bool,
    rot: Option<Rot>,
    locked: bool,
    /// How it behaves now.
    pub profile: DiskProfile,
    /// The next round, or the one under way, fails.
    pub failing: bool,
    /// Bytes for which there is room, if there is not for any number.
    pub room: Option<u64>,
    /// The next round takes so much longer, in microseconds.
    pub stall: u64,
    /// Rounds that became durable.
    pub rounds: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Rounds of which a part was found at the end of a file, and dropped.
    pub torn: u64,
    /// Rounds that a crash lost.
    pub lost: u64,
    /// Rounds under way that a crash kept.
    pub kept: u64,
}

/// A bit that changed for good.
#[derive(Clone, Debug)]
enum Rot {
    /// In the record under this key, until it is written anew or removed.
    Record(String, u64),
    /// In the file, until that is written anew.
    File,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(random: Random, profile: DiskProfile, medium: Medium) -> Self {
        Self {
            records: Records::default(),
            file: match medium {
                Medium::Records => None,
                Medium::File => Some(File::default()),
            },
            writing: None,
            random,
            misreading: false,
            rot: None,
            locked: false,
            profile,
            failing: false,
            room: None,
            stall: 0,
            rounds: 0,
            bytes: 0,
            torn: 0,
            lost: 0,
            kept: 0,
        }
    }

    /// Takes the lock that every writer holds while it runs. Whether it was free.
    pub fn lock(&mut self) -> bool {
        !core::mem::replace(&mut self.locked, true)
    }

    /// The writer is gone.
    pub fn unlock(&mut self) {
        self.locked = false;
    }

    /// Begins a round; how long it takes in microseconds.
    pub fn begin(&mut self, round: Round) -> u64 {
        assert!(self.writing.is_none(), "one round of writes at a time");
        self.writing = Some(round);
        let stall = core::mem::take(&mut self.stall);
        stall + self.profile.write_min + exponential(&mut self.random, self.profile.write_mean)
    }

    /// Whether the round under way fails, when its time has come.
    pub fn fails(&mut self) -> bool {
        let size = self.writing.as_ref().map_or(0, round_bytes);
        let full = self.room.is_some_and(|room| room < size);
        if let (false, Some(room)) = (full, &mut self.room) {
            *room -= size;
        }
        core::mem::take(&mut self.failing) || full
    }

    /// The round under way is durable.
    pub fn finish(&mut self) {
        let round = self.writing.take().expect("a round is under way");
        self.rounds += 1;
        self.bytes += round_bytes(&round);
        if let Some(Rot::Record(key, _)) = &self.rot {
            let removed = |(first, end): &(String, String)| (first..end).contains(&key);
            if round.puts.iter().any(|(put, _)| put == key) || round.deletes.iter().any(removed) {
                self.rot = None;
            }
        }
        if let Some(file) = &mut self.file {
            file.append(&round);
        }
        self.records.apply(round);
        if let Some(file) = &mut self.file
            && file.maybe_rewrite(&self.records)
        {
            self.rot = None;
        }
    }

    /// The run that wrote ends. Whether the round under way was kept, if there was one.
    pub fn crash(&mut self) -> Option<bool> {
        let kept = chance(&mut self.random, self.profile.kept_permille);
        let round = self.writing.as_ref()?;
        if kept {
            self.kept += 1;
            self.finish();
        } else {
            self.lost += 1;
            if let Some(file) = &mut self.file {
                file.tear(round, &mut self.random);
            }
            self.writing = None;
        }
        Some(kept)
    }

    /// Everything that is durable. A torn end of the file is cut off.
    ///
    /// # Errors
    /// What is there was not written so.
    pub fn read(&mut self) -> Result<Vec<(String, Bytes)>, StorageError> {
        let misreading = core::mem::take(&mut self.misreading);
        let records = match &mut self.file {
            Some(file) => {
                let flip = misreading.then(|| self.random.below(file.valid as u64 * 8));
                let (records, torn) = file.read(flip)?;
                self.torn += u64::from(torn);
                records.into_rows()
            }
            None if misreading => self.misread_record(),
            None => self.rotten_records(),
        };
        Ok(records)
    }

    /// The next reading sees one bit otherwise than it was written.
    pub fn misread(&mut self) {
        self.misreading = true;
    }

    /// One bit of what is durable changes for good. Whoever reads it before it is written anew
    /// must not take it for the truth.
    pub fn begin_to_rot(&mut self) {
        if self.is_empty() || self.rot.is_some() {
            return;
        }
        self.rot = Some(if let Some(file) = &mut self.file {
            flip_bit(&mut file.bytes, self.random.below(file.valid as u64 * 8));
            Rot::File
        } else {
            let nth = self.random.below(self.records.rows().len() as u64) as usize;
            let (key, value) = &self.records.rows()[nth];
            Rot::Record(key.clone(), self.random.below(value.len() as u64 * 8))
        });
    }

    /// Whether something that is stored is not what was written.
    #[must_use]
    pub fn is_rotten(&self) -> bool {
        self.rot.is_some()
    }

    /// Whether nothing was ever written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.rows().is_empty()
    }

    /// All records that are durable, as they were written.
    pub fn written(&self) -> impl Iterator<Item = (String, Bytes)> {
        self.records.rows().iter().cloned()
    }

    /// Keys and sizes of the durable records whose keys begin with `prefix`, by key.
    pub fn sizes<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, usize)> {
        let records = self.records.from(prefix).iter();
        records
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.as_str(), value.len()))
    }

    fn rotten_records(&self) -> Vec<(String, Bytes)> {
        let mut records = self.records.rows().to_vec();
        if let Some(Rot::Record(key, bit)) = &self.rot {
            let rotten = records.iter_mut().find(|(other, _)| other == key);
            let (_, value) = rotten.expect("what rots is kept");
            let mut bytes = value.to_vec();
            flip_bit(&mut bytes, *bit);
            *value = Bytes::from(bytes);
        }
        records
    }

    fn misread_record(&mut self) -> Vec<(String, Bytes)> {
        let mut records = self.records.rows().to_vec();
        let nth = self.random.below(records.len() as u64) as usize;
        let (_, value) = records.get_mut(nth).expect("the disk holds something");
        let mut bytes = value.to_vec();
        flip_bit(&mut bytes, self.random.below(value.len() as u64 * 8));
        *value = Bytes::from(bytes);
        records
    }
}

/// Rounds one after another, as a host with a directory keeps them.
#[derive(Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// What lies behind is the torn part of a round.
    valid: usize,
    sequence: u64,
    /// Rewritten when longer than this.
    rewrite_at: usize,
}

/// What a disk writes as a whole.
const SECTOR_BYTES: usize = 512;
/// A round in a file ends with so many.
const CHECKSUM_BYTES: usize = 4;
/// Files shorter than this are left as they are.
const REWRITE_MIN: usize = 16 << 10;

impl File {
    fn append(&mut self, round: &Round) {
        self.sequence += 1;
        self.bytes.truncate(self.valid);
        self.bytes
            .extend_from_slice(&seal_round(self.sequence, round));
        self.valid = self.bytes.len();
    }

    /// A file that is mostly history begins anew, with what is still needed.
    fn maybe_rewrite(&mut self, records: &Records) -> bool {
        if self.valid <= self.rewrite_at.max(REWRITE_MIN) {
            return false;
        }
        self.valid = 0;
        let puts = records
            .rows()
            .iter()
            .map(|(key, value)| (key.clone(), value.to_vec()));
        self.append(&Round {
            puts: puts.collect(),
            ..Round::default()
        });
        self.rewrite_at = 4 * self.valid;
        true
    }

    /// The crash came while the round was written: its first bytes are there, and the file may be
    /// as long as if all were, with sectors of zeros behind.
    fn tear(&mut self, round: &Round, random: &mut Random) {
        let whole = seal_round(self.sequence + 1, round);
        let cut = random.below(whole.len() as u64) as usize;
        self.bytes.extend_from_slice(&whole[..cut]);
        let (written, end) = (self.bytes.len(), self.valid + whole.len());
        let sector = (written / SECTOR_BYTES * SECTOR_BYTES).max(self.valid);
        // Less than a checksum of zeros is not told from damage, and stops the node.
        if random.below(2) == 0 && end - sector >= CHECKSUM_BYTES {
            self.bytes.truncate(sector);
            self.bytes.resize(end, 0);
        }
    }

    /// The records, and whether there was a torn round behind them.
    fn read(&mut self, flip: Option<u64>) -> Result<(Records, bool), StorageError> {
        if let Some(bit) = flip {
            flip_bit(&mut self.bytes, bit);
        }
        let scan = scan(&self.bytes);
        if let Some(bit) = flip {
            flip_bit(&mut self.bytes, bit);
        }
        let scan = scan?;
        self.bytes.truncate(scan.valid_bytes);
        let mut records = Records::default();
        scan.rounds
            .into_iter()
            .for_each(|scanned| records.apply(scanned.round));
        Ok((records, scan.torn))
    }
}

fn round_bytes(round: &Round) -> u64 {
    let sizes = round.puts.iter().map(|(_, value)| value.len() as u64);
    sizes.sum()
}

fn flip_bit(bytes: &mut [u8], bit: u64) {
    bytes[bit as usize / 8] ^= 1 << (bit % 8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> Round {
        Round {
            puts: vec![(key.to_owned(), vec![1])],
            ..Round::default()
        }
    }

    fn disk(seed: u64, medium: Medium) -> Disk {
        Disk::new(Random::new(seed), DiskProfile::FAIR, medium)
    }

    /// The keys that a restart finds.
    fn keys(disk: &mut Disk) -> Vec<String> {
        disk.read()
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    }

    #[test]
    fn a_crash_takes_the_round_under_way_whole_or_not_at_all() {
        for medium in [Medium::Records, Medium::File] {
            let mut seen = [false; 2];
            for seed in 0..20 {
                let mut disk = disk(seed, medium);
                disk.begin(put("a"));
                disk.finish();
                disk.begin(put("b"));
                let kept = disk.crash().unwrap();
                seen[usize::from(kept)] = true;
                assert_eq!(keys(&mut disk).len(), 1 + usize::from(kept));
                assert_eq!(disk.crash(), None);
            }
            assert_eq!(seen, [true; 2]);
        }
    }

    #[test]
    fn deletes_come_before_puts_and_end_before_their_end() {
        for medium in [Medium::Records, Medium::File] {
            let mut disk = disk(1, medium);
            for key in ["a", "b", "c"] {
                disk.begin(put(key));
                disk.finish();
            }
            let deletes = vec![("a".to_owned(), "c".to_owned())];
            disk.begin(Round {
                deletes,
                ..put("b")
            });
            disk.finish();
            assert_eq!(keys(&mut disk), ["b", "c"]);
        }
    }

    #[test]
    fn a_torn_file_keeps_what_was_finished_and_takes_more() {
        let mut torn = 0;
        for seed in 0..300 {
            let mut disk = disk(seed, Medium::File);
            let large = |key: &str, len| Round {
                puts: vec![(key.to_owned(), vec![7; len])],
                ..Round::default()
            };
            disk.begin(large("a", seed as usize * 7));
            disk.finish();
            disk.begin(large("b", 1_500));
            let kept = disk.crash().unwrap();
            assert_eq!(keys(&mut disk).len(), 1 + usize::from(kept), "seed {seed}");
            disk.begin(put("c"));
            disk.finish();
            assert_eq!(keys(&mut disk).len(), 2 + usize::from(kept), "seed {seed}");
            torn += disk.torn;
        }
        assert!(torn > 100, "{torn}");
    }

    #[test]
    fn a_file_does_not_grow_with_its_history() {
        let mut disk = disk(1, Medium::File);
        for _ in 0..10_000 {
            disk.begin(put("a"));
            disk.finish();
        }
        assert!(disk.file.as_ref().unwrap().bytes.len() <= 2 * REWRITE_MIN);
        assert_eq!(keys(&mut disk), ["a"]);
    }

    #[test]
    fn what_rots_is_an_error_until_it_is_written_anew() {
        for (medium, seed) in [Medium::Records, Medium::File]
            .into_iter()
            .flat_map(|medium| (0..50).map(move |seed| (medium, seed)))
        {
            let mut disk = disk(seed, medium);
            let write = |disk: &mut Disk, key| {
                disk.begin(put(key));
                disk.finish();
            };
            for key in ["a", "b"] {
                write(&mut disk, key);
            }
            disk.begin_to_rot();
            write(&mut disk, "c");
            assert!(disk.is_rotten());
            let before = disk.records.clone();
            match disk.read() {
                Ok(records) => assert_ne!(records, before.into_rows()),
                Err(_) => assert_eq!(medium, Medium::File),
            }
            for _ in 0..2_000 {
                for key in ["a", "b"] {
                    write(&mut disk, key);
                }
            }
            assert!(!disk.is_rotten());
            assert_eq!(keys(&mut disk), ["a", "b", "c"]);
        }
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let mut disk = disk(1, Medium::Records);
        disk.room = Some(2);
        for fails in [false, false, true] {
            disk.begin(put("a"));
            assert_eq!(disk.fails(), fails);
            disk.finish();
        }
    }

    #[test]
    fn a_misread_file_is_an_error_once() {
        for seed in 0..200 {
            let mut disk = disk(seed, Medium::File);
            for key in ["a", "b", "c"] {
                disk.begin(put(key));
                disk.finish();
            }
            disk.misread();
            assert!(disk.read().is_err(), "seed {seed}");
            assert_eq!(keys(&mut disk), ["a", "b", "c"]);
        }
    }
}
