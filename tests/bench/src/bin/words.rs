//! `words INPUT OUTPUT`: counts words as one would without all of this, in one thread: runs of ASCII letters
//! and of bytes from 0x80 on.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};

fn main() -> io::Result<()> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = &paths[..] else {
        eprintln!("usage: words INPUT OUTPUT");
        std::process::exit(2);
    };
    let mut file = File::open(input)?;
    let mut counts: HashMap<Vec<u8>, u64> = HashMap::new();
    let mut word = Vec::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut chunk)?;
        for byte in &chunk[..read] {
            if byte.is_ascii_alphabetic() || *byte >= 0x80 {
                word.push(*byte);
            } else {
                count(&mut counts, &word);
                word.clear();
            }
        }
        if read == 0 {
            break;
        }
    }
    count(&mut counts, &word);

    let mut sorted: Vec<(Vec<u8>, u64)> = counts.into_iter().collect();
    sorted.sort_unstable();
    let mut out = BufWriter::new(File::create(output)?);
    for (word, number) in sorted {
        out.write_all(&word)?;
        writeln!(out, "\t{number}")?;
    }
    out.flush()
}

fn count(counts: &mut HashMap<Vec<u8>, u64>, word: &[u8]) {
    if word.is_empty() {
        return;
    }
    match counts.get_mut(word) {
        Some(number) => *number += 1,
        None => {
            counts.insert(word.to_vec(), 1);
        }
    }
}
