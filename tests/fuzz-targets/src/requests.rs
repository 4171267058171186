//! Frames between a client and a node, and the store's commands, queries and replies in them.

use bytes::Bytes;
use quorate_kv::{Command, Query, Reply as KvReply};
use quorate_rsm::codec::{decode_replies, decode_requests, encode_replies, encode_requests};
use quorate_rsm::{Reply, Request, RequestBody};

pub(crate) fn run(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    if let Ok((group, requests)) = decode_requests(&frame) {
        assert!(requests.capacity() <= data.len());
        assert_eq!(encode_requests(group, &requests), data);
        requests.iter().for_each(check_request);
    }
    if let Ok((group, replies)) = decode_replies(&frame) {
        assert!(replies.capacity() <= data.len());
        assert_eq!(encode_replies(group, &replies), data);
        replies.iter().for_each(check_reply);
    }
}

fn check_request(request: &Request) {
    match &request.body {
        RequestBody::Write { command, .. } | RequestBody::Propose { command } => {
            if let Ok(decoded) = Command::decode(command) {
                assert_eq!(decoded.encode(), command);
            }
        }
        RequestBody::Read { query, .. } => {
            if let Ok(decoded) = Query::decode(query) {
                assert_eq!(decoded.encode(), query);
            }
        }
        RequestBody::OpenSession | RequestBody::CloseSession { .. } => {}
    }
}

fn check_reply(reply: &Reply) {
    match &reply.result {
        Ok(data) => {
            if let Ok(KvReply::Range { records, .. }) = KvReply::decode(data) {
                // A record is six bytes at least, and a list doubles as it grows.
                assert!(records.len() <= data.len() / 6);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
