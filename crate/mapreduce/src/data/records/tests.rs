use super::*;
use crate::testing::pieces;
use quorate_rsm::raft::Random;

/// What was read: offsets and bytes.
type Read = Vec<(u64, Vec<u8>)>;

/// Reads a split in pieces; breaks off now and then, and goes on.
fn read(input: &[u8], format: &Format, start: u64, end: u64, random: &mut Random) -> Read {
    let mut records = Records::new(format.clone(), start, end).expect("the format is right");
    let mut read = Read::new();
    let from = (records.position() as usize).min(input.len());
    let max = 1 + random.below(40);
    for piece in pieces(&input[from..], max, &mut random.clone()) {
        let mut piece = piece;
        while !piece.is_empty() && !records.is_done() {
            let taken = records.feed(piece, |record| {
                read.push((record.offset, record.bytes.to_vec()));
                Ok(match random.below(3) {
                    0 => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                })
            });
            let taken = taken.expect("records are short");
            piece = &piece[taken..];
        }
    }
    let last = records.finish(|record| {
        read.push((record.offset, record.bytes.to_vec()));
        Ok(())
    });
    last.expect("records are short");
    assert!(records.is_done());
    read
}

/// The records of an input, found the plain way.
fn plainly(input: &[u8], format: &Format) -> Read {
    let cut = |delimiter: &[u8]| {
        let len = delimiter.len();
        let ends = (len..=input.len()).filter(|end| input[..*end].ends_with(delimiter));
        let mut begin = 0;
        let mut read = Read::new();
        for end in ends {
            read.push((begin as u64, input[begin..begin.max(end - len)].to_vec()));
            begin = end;
        }
        if begin < input.len() {
            read.push((begin as u64, input[begin..].to_vec()));
        }
        read
    };
    match format {
        Format::Lines => {
            let mut lines = cut(b"\n");
            for (_, line) in &mut lines {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
            }
            lines
        }
        Format::Delimiter(delimiter) => cut(delimiter),
        Format::Length(len) => input
            .chunks(*len)
            .enumerate()
            .map(|(at, record)| ((at * len) as u64, record.to_vec()))
            .collect(),
        Format::Whole if input.is_empty() => vec![],
        Format::Whole => vec![(0, input.to_vec())],
    }
}

fn formats() -> Vec<Format> {
    let delimiters = ["ab", "aa", "aba", "\n\n", "b", "abaab"].map(|it| it.as_bytes().to_vec());
    let mut formats = vec![Format::Lines, Format::Whole];
    formats.extend([1, 3, 7].map(Format::Length));
    formats.extend(delimiters.map(Format::Delimiter));
    formats
}

#[test]
fn splits_give_each_record_once_wherever_they_are_cut() {
    let mut random = Random::new(7);
    for _ in 0..400 {
        let len = random.below(60) as usize;
        let letter = |random: &mut Random| b"ab\n\r"[random.below(4) as usize];
        let input: Vec<u8> = (0..len).map(|_| letter(&mut random)).collect();
        for format in formats() {
            let mut read_all = Read::new();
            let mut start = 0;
            while start < input.len() as u64 {
                let end = start + 1 + random.below(input.len() as u64 - start);
                let split = read(&input, &format, start, end, &mut random);
                assert!(
                    split.iter().all(|(at, _)| (start..end).contains(at)),
                    "{format:?}"
                );
                read_all.extend(split);
                start = end;
            }
            assert_eq!(
                read_all,
                plainly(&input, &format),
                "{format:?} of {input:?}"
            );
        }
    }
}

#[test]
fn text_is_whole_across_chunks_and_splits() {
    let text = "Größe\nпривет 🌍\n日本語\r\nnaïve";
    let mut random = Random::new(3);
    for cut in 0..=text.len() as u64 {
        let mut lines = read(text.as_bytes(), &Format::Lines, 0, cut, &mut random);
        lines.extend(read(
            text.as_bytes(),
            &Format::Lines,
            cut,
            1 << 40,
            &mut random,
        ));
        let lines: Vec<_> = lines
            .into_iter()
            .map(|(_, line)| String::from_utf8(line).expect("no character is cut"))
            .collect();
        assert_eq!(
            lines,
            ["Größe", "привет 🌍", "日本語", "naïve"],
            "cut at {cut}"
        );
    }
}

#[test]
fn no_more_is_read_than_the_last_record_needs() {
    let mut records = Records::new(Format::Lines, 0, 3).expect("lines always can be read");
    let taken = records.feed(b"ab\ncd\nef\n", |_| Ok(ControlFlow::Continue(())));
    assert_eq!(
        (taken, records.is_done(), records.position()),
        (Ok(3), true, 3)
    );
}

#[test]
fn record_beyond_the_limit_is_named() {
    let chunk = vec![b'x'; 1 << 20];
    for format in [
        Format::Lines,
        Format::Whole,
        Format::Delimiter(b"--".to_vec()),
    ] {
        let mut records = Records::new(format.clone(), 0, 1 << 40).expect("the format is right");
        let mut fed = 0;
        let error = loop {
            match records.feed(&chunk, |_| Ok(ControlFlow::Continue(()))) {
                Ok(taken) => fed += taken,
                Err(error) => break error,
            }
            assert!(
                fed <= RECORD_BYTES_MAX,
                "it is never more than the limit in memory"
            );
        };
        assert_eq!(error, DataError::RecordTooLong { offset: 0 }, "{format:?}");
    }
    // At the limit, it is one.
    let line = [vec![b'x'; RECORD_BYTES_MAX], b"\n".to_vec()].concat();
    for (line, fits) in [(&line[..], true), (&[b"x", &line[..]].concat(), false)] {
        let mut records = Records::new(Format::Lines, 0, 1).expect("lines always can be read");
        let fed = records.feed(line, |_| Ok(ControlFlow::Continue(())));
        assert_eq!(fed.is_ok(), fits);
    }
}

#[test]
fn formats_without_sense_are_refused() {
    let long = Format::Delimiter(vec![0; DELIMITER_BYTES_MAX + 1]);
    let lengths = [0, RECORD_BYTES_MAX + 1].map(Format::Length);
    for format in [Format::Delimiter(vec![]), long].into_iter().chain(lengths) {
        let error = Records::new(format, 0, 1).map(|_| ());
        assert!(matches!(error, Err(DataError::Invalid(_))));
    }
}
