//! The words of a text: runs of ASCII letters and of bytes from 0x80 on. Eight bytes are looked at in a
//! step, so a short word is found, and read, in one.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// A word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// At most eight bytes: from the highest on, and zeros behind them.
    Short { prefix: u64, len: usize },
    /// More than that.
    Long(&'a [u8]),
}

/// Gives the words of `text`, in order.
#[inline]
pub(super) fn words<E>(
    text: &[u8],
    mut each: impl FnMut(Word<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut at = 0;
    while at < text.len() {
        let bytes = load(text, at);
        let inside = word_bytes(bytes);
        let gap = (inside.trailing_zeros() / 8) as usize;
        if gap > 0 {
            at += gap;
            continue;
        }
        let len = ((!inside & HIGH).trailing_zeros() / 8) as usize;
        if len < 8 {
            each(Word::Short {
                prefix: bytes.swap_bytes() & !(u64::MAX >> (8 * len)),
                len,
            })?;
            // What ends a word is no part of the next.
            at += len + 1;
            continue;
        }
        let from = at;
        loop {
            at += 8;
            let len = (!word_bytes(load(text, at)) & HIGH).trailing_zeros() as usize / 8;
            if len < 8 {
                at += len;
                break;
            }
        }
        each(match text[from..at].len() {
            8 => Word::Short {
                prefix: bytes.swap_bytes(),
                len: 8,
            },
            _ => Word::Long(&text[from..at]),
        })?;
        at += 1;
    }
    Ok(())
}

/// Eight bytes, the first one lowest; behind the end are zeros, which are in no word.
#[inline]
fn load(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(bytes)
        }
    }
}

/// The highest bit of each byte that belongs to a word.
#[inline]
fn word_bytes(bytes: u64) -> u64 {
    // Without case, and without the highest bits, so that nothing is carried into the next byte.
    let lower = (bytes | (LOW * 0x20)) & !HIGH;
    let from_a = lower + LOW * (0x80 - b'a' as u64);
    let above_z = lower + LOW * (0x7f - b'z' as u64);
    ((from_a & !above_z) | bytes) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let each = |word: Word<'_>| {
            found.push(match word {
                Word::Short { prefix, len } => prefix.to_be_bytes()[..len].to_vec(),
                Word::Long(bytes) => bytes.to_vec(),
            });
            Ok::<_, ()>(())
        };
        words(text, each).expect("each never fails");
        found
    }

    fn plainly(text: &[u8]) -> Vec<Vec<u8>> {
        text.split(|byte| !(byte.is_ascii_alphabetic() || *byte >= 0x80))
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    }

    #[test]
    fn each_byte_belongs_to_words_or_not_wherever_it_stands() {
        for byte in 0..=255 {
            for at in 0..20 {
                let mut text = *b"abcdefghijklmnopqrst";
                text[at] = byte;
                assert_eq!(found(&text), plainly(&text), "{byte} at {at}");
                let mut text = [b' '; 20];
                text[at] = byte;
                assert_eq!(found(&text), plainly(&text), "{byte} at {at} alone");
            }
        }
    }

    #[test]
    fn words_of_all_lengths_are_found_in_all_places() {
        for len in 0..40 {
            for gap in 1..12 {
                let word = "x".repeat(len);
                let text = format!("{word}{}{word}", "-".repeat(gap));
                assert_eq!(found(text.as_bytes()), plainly(text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn umlauts_are_letters() {
        let text = "Größe, naïve; 3x".as_bytes();
        let expected: [&[u8]; 3] = ["Größe".as_bytes(), "naïve".as_bytes(), b"x"];
        assert_eq!(found(text), expected);
    }
}
