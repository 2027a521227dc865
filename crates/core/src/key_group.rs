//! Key groups: the unit in which keyed state moves between subtasks.
//!
//! `group = stable_hash(key) mod max_parallelism`; the owner of group `k` at parallelism `p` is
//! `⌊k·p / max_parallelism⌋`, so that each subtask owns a contiguous range.
//!
//! INVARIANT: both functions are part of the savepoint format. Golden values below hold them.

/// The 64-bit hash of a key's canonical bytes, equal on every platform and in every version.
pub fn stable_hash_bytes(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// The key group of a stable hash.
pub fn key_group(hash: u64, max_parallelism: u32) -> u32 {
    // The remainder is below a u32.
    (hash % u64::from(max_parallelism)) as u32
}

/// The subtask that owns `group`.
pub fn owner(group: u32, parallelism: u32, max_parallelism: u32) -> u32 {
    (u64::from(group) * u64::from(parallelism) / u64::from(max_parallelism)) as u32
}

/// The key groups of instance `index` of `parallelism`: those that it is the [`owner`] of.
pub fn groups_of(index: u32, parallelism: u32, max_parallelism: u32) -> std::ops::Range<u32> {
    let (index, parallelism) = (u64::from(index), u64::from(parallelism));
    let start = |index: u64| (index * u64::from(max_parallelism)).div_ceil(parallelism) as u32;
    start(index)..start(index + 1)
}

/// The default max parallelism for a parallelism, as Flink derives it: 1.5 times, rounded up to a
/// power of two, between 128 and 32768.
pub fn default_max_parallelism(parallelism: u32) -> u32 {
    let wanted = u64::from(parallelism) + u64::from(parallelism) / 2;
    wanted.next_power_of_two().clamp(128, 32_768) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_and_groups_keep_their_golden_values() {
        assert_eq!(stable_hash_bytes(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(stable_hash_bytes(b"a"), 0xe6c6_32b6_1e96_4e1f);
        assert_eq!(key_group(0xe6c6_32b6_1e96_4e1f, 128), 31);
    }

    #[test]
    fn without_a_setting_there_are_half_as_many_groups_again_as_instances_and_some_more() {
        for (parallelism, groups) in [(1, 128), (85, 128), (86, 256), (1000, 2048)] {
            assert_eq!(
                default_max_parallelism(parallelism),
                groups,
                "{parallelism}"
            );
        }
        assert_eq!(default_max_parallelism(32_768), 32_768);
    }

    #[test]
    fn every_subtask_owns_one_contiguous_range_and_all_groups_are_owned() {
        for max in [1u32, 7, 128, 1000] {
            for parallelism in 1..=max.min(40) {
                let owners: Vec<u32> = (0..max).map(|g| owner(g, parallelism, max)).collect();
                assert!(owners.windows(2).all(|w| w[1] == w[0] || w[1] == w[0] + 1));
                assert_eq!(owners[0], 0);
                assert_eq!(owners.last().copied(), Some(parallelism - 1));
            }
        }
    }

    #[test]
    fn an_instance_has_the_groups_it_is_the_owner_of() {
        for (parallelism, max) in [(1, 8), (3, 8), (7, 128), (128, 128), (5, 5)] {
            for index in 0..parallelism {
                let owned: Vec<u32> = (0..max)
                    .filter(|group| owner(*group, parallelism, max) == index)
                    .collect();
                let groups: Vec<u32> = groups_of(index, parallelism, max).collect();
                assert_eq!(groups, owned);
            }
        }
    }
}
