//! Which shard a key belongs to.
//!
//! The shard is a hash of the key, FNV-1a with 64 bits, modulo the number of shards. Where the key has
//! a tag, `{…}`, only what is between the braces counts, so that keys with one tag share a shard, and
//! transactions and ranges over them are possible. The tag is what lies between the first `{` and the
//! first `}` behind it, if that is not empty. This never changes: keys would be looked for where they
//! are not.

use crate::config::ShardId;

/// The shard of a key, of `shards`, at least 1.
#[must_use]
pub fn shard_of(key: &[u8], shards: u32) -> ShardId {
    let hash = fnv1a(tag(key).unwrap_or(key));
    ShardId((hash % u64::from(shards)) as u32)
}

/// The shard of all keys from `start` up to but without `end`, or of all from `start` on. `None` where
/// they may be in several: they are in one if there is but one shard, if the range holds one key at
/// most, and if what all its keys begin with has a whole tag.
#[must_use]
pub fn shard_of_range(start: &[u8], end: Option<&[u8]>, shards: u32) -> Option<ShardId> {
    let holds_one = end.is_some_and(|end| end <= start || end.strip_prefix(start) == Some(&[0]));
    if holds_one || shards == 1 {
        return Some(shard_of(start, shards));
    }
    let prefix = common(start, end?);
    tag(prefix).map(|_| shard_of(prefix, shards))
}

/// What counts of a key, if that is not all of it.
fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')? + 1;
    let len = key[open..].iter().position(|byte| *byte == b'}')?;
    (len > 0).then(|| &key[open..open + len])
}

/// What all keys of a range begin with.
fn common<'a>(start: &'a [u8], end: &[u8]) -> &'a [u8] {
    let same = start
        .iter()
        .zip(end)
        .take_while(|(one, other)| one == other);
    let len = same.count();
    // A range that ends just above a prefix, as in `a` to `b`, has the byte below in all its keys.
    match (start.get(len), &end[len..]) {
        (Some(low), [high]) if *low == high - 1 => &start[..=len],
        _ => &start[..len],
    }
}

/// The hash, by its authors' definition.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // From the test suite of the reference implementation.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(shard_of(b"a", 16), ShardId(0xc));
        assert_eq!(shard_of(b"foobar", 1_000), ShardId(968));
    }

    #[test]
    fn a_tag_alone_decides() {
        let shards = 4_096;
        let of = |key: &[u8]| shard_of(key, shards);
        assert_eq!(of(b"cart/{ann}/1"), of(b"ann"));
        assert_eq!(of(b"{ann}"), of(b"{ann}}"));
        assert_eq!(
            of(b"{{ann}"),
            of(b"{ann"),
            "the first of two braces begins it"
        );
        assert_eq!(
            of(b"}{ann}"),
            of(b"ann"),
            "what closes before it opens is none"
        );
        for key in [&b"{}ann"[..], b"{}{ann}", b"{ann", b"ann}"] {
            let hash = (fnv1a(key) % u64::from(shards)) as u32;
            assert_eq!(of(key), ShardId(hash), "{key:?} has no tag");
        }
    }

    #[test]
    fn keys_spread_over_the_shards() {
        for shards in [10, 16, 64] {
            for shape in ["{}", "user/{}", "{}/name", "00{}-x"] {
                let mut held = vec![0_u32; shards as usize];
                for number in 0..1_000 * shards {
                    let key = shape.replace("{}", &number.to_string());
                    held[shard_of(key.as_bytes(), shards).0 as usize] += 1;
                }
                let most = held.iter().max().expect("there are shards");
                assert!(*most < 1_200, "{shards} shards, {shape}: {held:?}");
            }
        }
    }

    #[test]
    fn ranges_that_stay_in_a_shard_are_known() {
        let of = |start: &[u8], end: &[u8]| shard_of_range(start, Some(end), 4_096);
        let ann = Some(shard_of(b"ann", 4_096));
        assert_eq!(of(b"ann", b"ann\0"), ann, "one key");
        assert_eq!(of(b"ann", b"ann"), ann, "none");
        assert_eq!(of(b"{ann}/", b"{ann}0"), ann, "a prefix behind the tag");
        assert_eq!(of(b"{ann}", b"{ann~"), ann, "the tag itself as a prefix");
        assert_eq!(of(b"{ann}\xff", b"{ann~"), ann);
        assert_eq!(of(b"{ann}/a", b"{ann}/q"), ann);
        assert_eq!(of(b"{ann", b"{ano"), None);
        assert_eq!(of(b"{}/a", b"{}/b"), None, "an empty tag is none");
        assert_eq!(of(b"ann", b"ann\x01"), None);
        assert_eq!(shard_of_range(b"{ann}", None, 4_096), None);
        assert_eq!(shard_of_range(b"a", None, 1), Some(ShardId(0)));
    }

    /// All strings of these letters, up to a length.
    fn strings(letters: &[u8], len: usize) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut first = 0;
        for _ in 0..len {
            let end = all.len();
            for at in first..end {
                for letter in letters {
                    let mut longer = all[at].clone();
                    longer.push(*letter);
                    all.push(longer);
                }
            }
            first = end;
        }
        all.sort();
        all
    }

    /// Behind `}` come `~` and 0x7f.
    #[test]
    fn no_key_of_a_range_is_in_another_shard() {
        const SHARDS: u32 = 1 << 20;
        let (bounds, keys) = (strings(b"{}~\x7f", 4), strings(b"{}~\x7f", 5));
        for start in &bounds {
            for end in &bounds {
                let Some(shard) = shard_of_range(start, Some(end), SHARDS) else {
                    continue;
                };
                let from = keys.partition_point(|key| key < start);
                let inside = keys[from..].iter().take_while(|key| *key < end);
                for key in inside {
                    assert_eq!(
                        shard_of(key, SHARDS),
                        shard,
                        "{key:?} of {start:?} to {end:?}"
                    );
                }
            }
        }
    }
}
