//! Fingerprints: equal things have equal ones, in every run. They are most of what an exploration
//! does, so the mixing is plain: a multiplication to twice the width for each word, folded.

use std::hash::{Hash, Hasher};

/// The fingerprint of `value`.
pub fn digest(value: &(impl Hash + ?Sized)) -> u64 {
    let mut mixer = Mixer(START);
    value.hash(&mut mixer);
    mixer.finish()
}

struct Mixer(u64);

/// Digits of pi: odd, and with no pattern.
const START: u64 = 0x243f_6a88_85a3_08d3;
const FACTOR: u64 = 0x1319_8a2e_0370_7345;

impl Mixer {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        self.0 = (product as u64) ^ ((product >> 64) as u64).rotate_left(23) ^ word.rotate_left(32);
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        self.mix(bytes.len() as u64);
    }

    fn write_u8(&mut self, word: u8) {
        self.mix(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }

    fn finish(&self) -> u64 {
        let mut end = Self(self.0);
        end.mix(START);
        end.mix(FACTOR);
        end.0
    }
}
