//! Frames between nodes. What decodes has one spelling, and no list in it has room for more than
//! the bytes could hold.

use bytes::Bytes;
use quorate_raft::Body;
use quorate_rsm::codec::{
    FrameError, decode_beat, decode_groups_in, decode_messages, encode_beat, encode_groups,
    encode_messages,
};

pub(crate) fn run(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    if let Ok((cluster, from, run)) = decode_beat(&frame) {
        assert_eq!(encode_beat(cluster, from, run), data);
    }
    let mut messages = Vec::new();
    let cluster = match decode_groups_in(&mut messages, &frame) {
        Ok(cluster) => cluster,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(messages.capacity() <= data.len());
    for (_, message) in &messages {
        if let Body::AppendEntries { entries, .. } = &message.body {
            assert!(entries.capacity() <= data.len());
        }
    }
    match decode_messages(&frame) {
        Ok((cluster, group, messages)) => {
            assert_eq!(encode_messages(cluster, group, &messages), data);
        }
        Err(error) => assert_eq!(error, FrameError::Kind { found: 4 }),
    }
    if !messages.is_empty() {
        assert_eq!(encode_groups(cluster, &messages), data);
    }
}
