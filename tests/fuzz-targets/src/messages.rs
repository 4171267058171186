//! Frames between nodes. What decodes has one spelling, and no list in it has room for more than
//! the bytes could hold.

use bytes::Bytes;
use quorate_raft::Body;
use quorate_rsm::codec::{decode_groups_in, encode_groups};

pub(crate) fn run(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    let (mut messages, mut parts) = (Vec::new(), Vec::new());
    let cluster = match decode_groups_in(&mut messages, &mut parts, &frame) {
        Ok(cluster) => cluster,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(messages.capacity() <= data.len());
    assert!(parts.len() <= data.len());
    for message in &messages {
        if let Body::AppendEntries { entries, .. } = &message.body {
            assert!(entries.capacity() <= data.len());
        }
    }
    let mut messages = messages.into_iter();
    let groups = parts.into_iter();
    let groups: Vec<_> = groups
        .map(|(group, count)| (group, messages.by_ref().take(count).collect()))
        .collect();
    assert_eq!(messages.len(), 0, "each is of a group");
    assert_eq!(encode_groups(cluster, &groups), data);
}
