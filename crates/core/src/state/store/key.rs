//! Stored keys: where the state of a key group and of a table lies.

use crate::error::{Error, Result};
use crate::state::KeyGroups;

/// Key groups have two bytes in stored keys, and the bound behind the last one must fit as well.
pub const MAX_KEY_GROUPS: u32 = 1 << 15;

const GROUP: usize = 2;
const PREFIX: usize = GROUP + 1;

/// The parts of a stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredKey<'a> {
    /// The key group.
    pub group: u32,
    /// The number of the table.
    pub table: u8,
    /// The canonical bytes of the key.
    pub key: &'a [u8],
}

impl<'a> StoredKey<'a> {
    /// Takes a stored key apart.
    ///
    /// # Errors
    /// `Corrupt` if it is too short.
    pub fn parse(stored: &'a [u8]) -> Result<Self> {
        let Some(([high, low, table], key)) = stored.split_first_chunk::<PREFIX>() else {
            let bytes = stored.len();
            return Err(Error::corrupt(format!(
                "a stored key has {PREFIX} bytes at least, not {bytes}"
            )));
        };
        Ok(StoredKey {
            group: u32::from(u16::from_be_bytes([*high, *low])),
            table: *table,
            key,
        })
    }
}

/// Appends what stands before the canonical bytes of a key.
///
/// # Panics
/// If `group` is not below [`MAX_KEY_GROUPS`].
pub fn push_key_prefix(out: &mut Vec<u8>, group: u32, table: u8) {
    assert!(group < MAX_KEY_GROUPS, "key group {group} is out of range");
    out.extend_from_slice(&bound(group));
    out.push(table);
}

/// The bounds, `start..end`, of the stored keys of a range of key groups.
///
/// # Panics
/// If a group of the range is not below [`MAX_KEY_GROUPS`].
pub fn group_range(groups: &KeyGroups) -> ([u8; GROUP], [u8; GROUP]) {
    (bound(groups.start), bound(groups.end))
}

/// The bounds, `start..end`, of the stored keys of one table in one key group.
///
/// # Panics
/// If `group` is not below [`MAX_KEY_GROUPS`].
pub fn table_range(group: u32, table: u8) -> ([u8; PREFIX], [u8; PREFIX]) {
    assert!(group < MAX_KEY_GROUPS, "key group {group} is out of range");
    let ([high, low], [next_high, next_low]) = group_range(&(group..group + 1));
    let end = match table.checked_add(1) {
        Some(next) => [high, low, next],
        None => [next_high, next_low, 0],
    };
    ([high, low, table], end)
}

fn bound(group: u32) -> [u8; GROUP] {
    assert!(group <= MAX_KEY_GROUPS, "key group {group} is out of range");
    // Not above 2^15.
    (group as u16).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(group: u32, table: u8, key: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_key_prefix(&mut out, group, table);
        out.extend_from_slice(key);
        out
    }

    #[test]
    fn stored_keys_keep_their_golden_bytes() {
        assert_eq!(stored(0x1234, 7, b"k"), [0x12, 0x34, 7, b'k']);
        let parsed = StoredKey::parse(&[0x12, 0x34, 7, b'k']).unwrap();
        let expected = StoredKey {
            group: 0x1234,
            table: 7,
            key: b"k",
        };
        assert_eq!(parsed, expected);
        assert!(StoredKey::parse(&[1, 2]).is_err());
    }

    #[test]
    fn ranges_hold_the_keys_of_their_groups_and_tables_and_no_others() {
        let groups = [0, 1, 255, 256, 257, MAX_KEY_GROUPS - 1];
        for group in groups {
            for table in [0, 1, 254, 255] {
                for key in [b"" as &[u8], b"\0", b"\xff\xff\xff"] {
                    let stored = stored(group, table, key);
                    for other in groups {
                        let (start, end) = group_range(&(other..other + 1));
                        let inside =
                            stored.as_slice() >= &start[..] && stored.as_slice() < &end[..];
                        assert_eq!(inside, group == other);
                        let (start, end) = table_range(other, table);
                        let inside =
                            stored.as_slice() >= &start[..] && stored.as_slice() < &end[..];
                        assert_eq!(inside, group == other);
                        let (start, end) = table_range(group, table ^ 1);
                        assert!(stored.as_slice() < &start[..] || stored.as_slice() >= &end[..]);
                    }
                }
            }
        }
    }
}
