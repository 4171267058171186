//! Frames between nodes. What decodes has one spelling, and no list in it has room for more than
//! the bytes could hold.

use bytes::Bytes;
use quorate_raft::Body;
use quorate_rsm::codec::{decode_messages, encode_messages};

pub(crate) fn run(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let (cluster, group, messages) = match decode_messages(&frame) {
        Ok(decoded) => decoded,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(messages.capacity() <= data.len());
    for message in &messages {
        if let Body::AppendEntries { entries, .. } = &message.body {
            assert!(entries.capacity() <= data.len());
        }
    }
    assert_eq!(encode_messages(cluster, group, &messages), data);
}
