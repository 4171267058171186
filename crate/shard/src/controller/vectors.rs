//! The encoding by examples: what is in a log, or on its way from a node of another version, must be
//! read as it was meant. A line that is here never changes.

use core::fmt::Debug;

use bytes::Bytes;
use quorate_raft::NodeId;
use quorate_rsm::wire::Malformed;

use super::*;

const COMMANDS: [&str; 6] = [
    "01 0a",
    "02 02 01 01 03 01 02 03 ac02 e807 01 ffffffffffffff0f",
    "03 02 01 ac02 01",
    "04 09 ac02",
    "05 01 e807",
    "06 01 ac02",
];

const QUERIES: [&str; 4] = ["41 00", "41 01 ac02", "42 00", "43"];

const REPLIES: [&str; 7] = [
    "01 ac02",
    "02 00",
    "03 05",
    "04 ac02 02 01 07 02 01 01 01 01 07 05 02 02 03 ad02",
    "05 ac02 01 02 01 05 00 07 06 01 08 02 02 03 01 09 04",
    "00 09 07",
    "00 0f ac02",
];

/// Every error with its number and what it names.
const ERRORS: [&str; 16] = [
    "01 00", "02 00", "03 0a", "04 00", "05 00", "06 07", "07 07", "08 07", "09 07", "0a 07",
    "0b 00", "0c 00", "0d 07", "0e 07", "0f 07", "10 07",
];

fn nodes(ids: &[u64]) -> Vec<NodeId> {
    ids.iter().map(|id| NodeId(*id)).collect()
}

fn info(weight: u32, ids: &[u64]) -> GroupInfo {
    let nodes = nodes(ids);
    GroupInfo { weight, nodes }
}

fn commands() -> [ControllerCommand; 6] {
    let [one, many] = [1, 300].map(GroupId);
    [
        ControllerCommand::Create { shards: 10 },
        ControllerCommand::Join {
            groups: vec![
                (one, info(1, &[1, 2, 3])),
                (many, info(1_000, &[(1 << 53) - 1])),
            ],
        },
        ControllerCommand::Leave {
            groups: vec![one, many],
            discard: true,
        },
        ControllerCommand::Move {
            shard: ShardId(9),
            group: many,
        },
        ControllerCommand::SetWeight {
            group: one,
            weight: 1_000,
        },
        ControllerCommand::Progress {
            group: one,
            number: 300,
        },
    ]
}

fn queries() -> [ControllerQuery; 4] {
    [
        ControllerQuery::Query { number: None },
        ControllerQuery::Query { number: Some(300) },
        ControllerQuery::Changes { after: 0 },
        ControllerQuery::Status,
    ]
}

fn replies() -> [ControllerReply; 7] {
    let [one, seven] = [1, 7].map(GroupId);
    let left = Left {
        number: 8,
        nodes: nodes(&[2, 3]),
    };
    let status = |progress, left| GroupStatus { progress, left };
    [
        ControllerReply::Changed { number: 300 },
        ControllerReply::Unchanged { number: 0 },
        ControllerReply::Progress { number: 5 },
        ControllerReply::Configuration {
            configuration: Configuration {
                number: 300,
                shards: vec![one, seven],
                groups: [(one, info(1, &[1])), (seven, info(5, &[2, 3]))]
                    .into_iter()
                    .collect(),
            },
            latest: 301,
        },
        ControllerReply::Status(ControllerStatus {
            number: 300,
            oldest: 1,
            groups: [(one, status(5, None)), (seven, status(6, Some(left)))]
                .into_iter()
                .collect(),
            drained: vec![(GroupId(9), 4)],
        }),
        ControllerReply::Failed(ControllerError::UnknownGroup { group: seven }),
        ControllerReply::Failed(ControllerError::ConfigCompacted { oldest: 300 }),
    ]
}

fn errors() -> [ControllerError; 16] {
    let (group, shard) = (GroupId(7), ShardId(7));
    [
        ControllerError::Malformed,
        ControllerError::NotCreated,
        ControllerError::ShardCount { shards: 10 },
        ControllerError::BadShardCount,
        ControllerError::BadGroup,
        ControllerError::BadWeight { group },
        ControllerError::BadNodes { group },
        ControllerError::GroupExists { group },
        ControllerError::UnknownGroup { group },
        ControllerError::UnknownShard { shard },
        ControllerError::LastGroup,
        ControllerError::TooManyGroups,
        ControllerError::GroupLeaving { group },
        ControllerError::GroupBehind { group },
        ControllerError::ConfigCompacted { oldest: 7 },
        ControllerError::FutureConfig { latest: 7 },
    ]
}

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| {
        let pair = str::from_utf8(pair).expect("the examples are ASCII");
        u8::from_str_radix(pair, 16).expect("the examples are hexadecimal")
    };
    digits.chunks(2).map(byte).collect()
}

/// What one thing alone encodes to: every other byte string is no thing, or another one.
fn check<T: PartialEq + Debug>(
    hex: &str,
    thing: &T,
    decode: fn(&Bytes) -> core::result::Result<T, Malformed>,
    encode: fn(&T) -> Bytes,
) {
    let bytes = bytes(hex);
    assert_eq!(encode(thing), bytes, "{thing:?}");
    assert_eq!(decode(&bytes).as_ref(), Ok(thing));
    for len in 0..bytes.len() {
        assert!(
            decode(&bytes.slice(..len)).is_err(),
            "{thing:?} up to {len}"
        );
    }
    for at in 0..=bytes.len() {
        for value in 0..=u8::MAX {
            let mut changed = bytes.to_vec();
            match changed.get_mut(at) {
                Some(byte) => *byte = value,
                None => changed.push(value),
            }
            let changed = changed.into();
            if let Ok(other) = decode(&changed) {
                assert_eq!(encode(&other), changed, "{thing:?} with {value} at {at}");
            }
        }
    }
}

#[test]
fn the_encoding_is_that_of_the_examples() {
    for (hex, command) in COMMANDS.iter().zip(&commands()) {
        check(
            hex,
            command,
            ControllerCommand::decode,
            ControllerCommand::encode,
        );
        assert!(ControllerQuery::decode(&command.encode()).is_err());
    }
    for (hex, query) in QUERIES.iter().zip(&queries()) {
        check(hex, query, ControllerQuery::decode, ControllerQuery::encode);
        assert!(ControllerCommand::decode(&query.encode()).is_err());
    }
    for (hex, reply) in REPLIES.iter().zip(&replies()) {
        check(hex, reply, ControllerReply::decode, ControllerReply::encode);
    }
    for (hex, error) in ERRORS.iter().zip(errors()) {
        let (hex, reply) = (format!("00 {hex}"), ControllerReply::Failed(error));
        check(
            &hex,
            &reply,
            ControllerReply::decode,
            ControllerReply::encode,
        );
    }
}

#[test]
fn codes_are_the_names_of_the_errors() {
    let codes = errors().map(ControllerError::code);
    let expected = "MALFORMED NOT_CREATED SHARD_COUNT BAD_SHARD_COUNT BAD_GROUP BAD_WEIGHT BAD_NODES \
        GROUP_EXISTS UNKNOWN_GROUP UNKNOWN_SHARD LAST_GROUP TOO_MANY_GROUPS GROUP_LEAVING \
        GROUP_BEHIND CONFIG_COMPACTED FUTURE_CONFIG";
    assert_eq!(codes.join(" "), expected);
}
