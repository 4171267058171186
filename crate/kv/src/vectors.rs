//! The encoding by examples: `tests/kv/wire.json`, which other codecs are tested with, too.
//!
//! With `QUORATE_REWRITE=1` the file is written anew, to be read as a change of the encoding.

mod describe;
mod samples;

use std::fmt::Write;

use bytes::Bytes;

use crate::command::Command;
use crate::error::{Code, Malformed};
use crate::limits::{
    COMMAND_BYTES_MAX, KEY_BYTES_MAX, RANGE_BYTES_MAX, REPLY_BYTES_MAX, TTL_MS_MAX, VALUE_BYTES_MAX,
};
use crate::query::Query;
use crate::reply::Reply;
use crate::txn::{TXN_DEPTH_MAX, TXN_OPS_MAX};
use describe::{Describe, Json, hex};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kv/wire.json");
/// As it was when this was compiled, which is all that wasm32 can read.
const EXAMPLES: &str = include_str!("../../../tests/kv/wire.json");

#[test]
fn the_encoding_is_that_of_the_examples() {
    let mut text = String::from("{");
    section(&mut text, "commands", commands());
    section(&mut text, "queries", queries());
    section(&mut text, "replies", replies());
    section(&mut text, "noReplies", no_replies());
    section(&mut text, "codes", codes());
    section(&mut text, "limits", limits());
    text.push_str("\n}\n");
    if std::env::var_os("QUORATE_REWRITE").is_some() {
        std::fs::write(FILE, text).expect("the file can be written");
        return;
    }
    for (number, (real, expected)) in (1..).zip(text.lines().zip(EXAMPLES.lines())) {
        assert_eq!(real, expected, "wire.json, line {number}");
    }
    assert_eq!(text.len(), EXAMPLES.len(), "wire.json has another length");
}

/// One line for each, so that a difference can be read.
fn section(out: &mut String, name: &str, lines: impl IntoIterator<Item = Json>) {
    let comma = if out.len() > 1 { "," } else { "" };
    write!(out, "{comma}\n  \"{name}\": [").expect("a string takes all");
    for (at, line) in lines.into_iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        write!(out, "{comma}\n    {line}").expect("a string takes all");
    }
    out.push_str("\n  ]");
}

fn vector(name: &str, bytes: &[u8], value: Json) -> Json {
    Json::Object(vec![
        ("name", Json::Text(name.into())),
        ("hex", hex(bytes)),
        ("value", value),
    ])
}

fn commands() -> Vec<Json> {
    let line = |(name, command): (&str, Command)| {
        let encoded = command.encode();
        assert_eq!(Command::decode(&encoded).as_ref(), Ok(&command), "{name}");
        vector(name, &encoded, command.describe())
    };
    samples::commands().into_iter().map(line).collect()
}

fn queries() -> Vec<Json> {
    let line = |(name, query): (&str, Query)| {
        let encoded = query.encode();
        assert_eq!(Query::decode(&encoded).as_ref(), Ok(&query), "{name}");
        vector(name, &encoded, query.describe())
    };
    samples::queries().into_iter().map(line).collect()
}

fn replies() -> Vec<Json> {
    let line = |(name, encoded): (String, Bytes)| {
        let reply = Reply::decode(&encoded).expect("the machine writes replies");
        vector(&name, &encoded, reply.describe())
    };
    samples::replies().into_iter().map(line).collect()
}

fn no_replies() -> Vec<Json> {
    let line = |(name, bytes): (&str, &'static [u8])| {
        assert_eq!(
            Reply::decode(&Bytes::from_static(bytes)),
            Err(Malformed),
            "{name}"
        );
        Json::Object(vec![("name", Json::Text(name.into())), ("hex", hex(bytes))])
    };
    samples::no_replies().into_iter().map(line).collect()
}

fn codes() -> impl Iterator<Item = Json> {
    Code::ALL.into_iter().map(|code| {
        Json::Object(vec![
            ("number", Json::Number(code.number().into())),
            ("name", Json::Text(code.name().into())),
            ("message", Json::Text(code.to_string())),
        ])
    })
}

fn limits() -> impl Iterator<Item = Json> {
    let sizes = [
        ("KEY_BYTES_MAX", KEY_BYTES_MAX as u64),
        ("VALUE_BYTES_MAX", VALUE_BYTES_MAX as u64),
        ("RANGE_BYTES_MAX", RANGE_BYTES_MAX as u64),
        ("REPLY_BYTES_MAX", REPLY_BYTES_MAX as u64),
        ("COMMAND_BYTES_MAX", COMMAND_BYTES_MAX as u64),
        ("TXN_OPS_MAX", TXN_OPS_MAX as u64),
        ("TXN_DEPTH_MAX", TXN_DEPTH_MAX as u64),
        ("TTL_MS_MAX", TTL_MS_MAX),
    ];
    sizes.into_iter().map(|(name, limit)| {
        Json::Object(vec![
            ("name", Json::Text(name.into())),
            ("limit", Json::Number(limit)),
        ])
    })
}
