//! Which values each group has met, and in which calls: for inputs that only add.
//!
//! A value takes a bit a call. Neighbouring values share a block of 32 bits, so that dense
//! numbers, as identifiers are, take an eighth or less of the memory and of the cache misses;
//! numbers that are far apart take what they would take without blocks.

use super::block_table::{BlockTable, hash};

/// The most calls a value can have bits for.
pub const CALLS_MAX: usize = u32::BITS as usize;

// How far memory is asked for before it is looked at. Fewer rows wait for it; many more ask for
// more than the processor can have under way.
const ROWS_AHEAD: usize = 12;

/// The sets.
pub struct BitSets {
    blocks: BlockTable,
    /// Bits of a value: as many as there are calls, rounded up to a power of two.
    width: u32,
    /// Which groups have values.
    filled: Vec<bool>,
    /// The hashes of a batch.
    hashes: Vec<u64>,
}

impl BitSets {
    /// Empty sets for so many calls, at most [`CALLS_MAX`].
    pub fn new(calls: usize) -> Self {
        assert!(calls <= CALLS_MAX, "more calls than a block has bits");
        BitSets {
            blocks: BlockTable::new(),
            width: calls.next_power_of_two() as u32,
            filled: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// The same sets, to be read, whatever becomes of these.
    #[must_use]
    pub fn share(&mut self) -> Self {
        BitSets {
            blocks: self.blocks.share(),
            width: self.width,
            filled: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// Makes room for groups `0..groups`.
    pub fn resize(&mut self, groups: usize) {
        self.filled.resize(groups, false);
    }

    /// Whether a group has no value.
    pub fn is_empty(&self, group: u32) -> bool {
        !self.filled[group as usize]
    }

    // The logarithm of the values a block has.
    fn shift(&self) -> u32 {
        (u32::BITS / self.width).ilog2()
    }

    #[inline]
    fn offset(&self, value: i64) -> u32 {
        (value as u32 & ((1 << self.shift()) - 1)) * self.width
    }

    // All bits of a block's first value.
    fn mask(&self) -> u32 {
        u32::MAX >> (u32::BITS - self.width)
    }

    /// Adds the value of every row to the calls that `calls` has bits for, and leaves it with the
    /// bits of those calls that did not have the value. Tells values new to all calls of a group.
    pub fn add_rows(
        &mut self,
        groups: &[u32],
        values: &[i64],
        calls: &mut [u32],
        mut appeared: impl FnMut(i64),
    ) {
        let shift = self.shift();
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        let blocks = values.iter().map(|value| value >> shift);
        hashes.extend(groups.iter().zip(blocks).map(|(g, block)| hash(*g, block)));
        for hash in hashes.iter().take(ROWS_AHEAD) {
            self.blocks.prefetch(*hash);
        }
        for (row, calls) in calls.iter_mut().enumerate() {
            if let Some(hash) = hashes.get(row + ROWS_AHEAD) {
                self.blocks.prefetch(*hash);
            }
            if *calls != 0 {
                let new;
                (*calls, new) = self.set(hashes[row], groups[row], values[row], *calls);
                if new {
                    appeared(values[row]);
                }
            }
        }
        self.hashes = hashes;
    }

    /// Adds one value to at least one call; returns the calls that did not have it and whether
    /// none had.
    pub fn add(&mut self, group: u32, value: i64, calls: u32) -> (u32, bool) {
        self.set(hash(group, value >> self.shift()), group, value, calls)
    }

    #[inline]
    fn set(&mut self, hash: u64, group: u32, value: i64, calls: u32) -> (u32, bool) {
        let offset = self.offset(value);
        let block = value >> self.shift();
        let before = self.blocks.set(hash, group, block, calls << offset);
        let before = before >> offset & self.mask();
        self.filled[group as usize] |= before == 0;
        (calls & !before, before == 0)
    }

    /// All groups' values with the calls that have them.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i64, u32)> + '_ {
        self.blocks.iter().flat_map(|(group, block, bits)| {
            let values = self.values(block, bits);
            values.map(move |(value, calls)| (group, value, calls))
        })
    }

    fn values(&self, block: i64, bits: u32) -> impl Iterator<Item = (i64, u32)> + use<> {
        let (width, mask, shift) = (self.width, self.mask(), self.shift());
        (0..1 << shift).filter_map(move |lane: u32| {
            let calls = bits >> (lane * width) & mask;
            (calls != 0).then_some((block << shift | i64::from(lane), calls))
        })
    }

    /// Empties a group, telling its values. It looks at all groups' values: sets that are
    /// emptied one by one are better counted.
    pub fn clear(&mut self, group: u32, mut each: impl FnMut(i64)) {
        self.filled[group as usize] = false;
        let mut removed = Vec::new();
        self.blocks
            .remove_group(group, |block, bits| removed.push((block, bits)));
        for (block, bits) in removed {
            self.values(block, bits).for_each(|(value, _)| each(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn sets_are_those_of_a_map(
            calls in 1usize..=CALLS_MAX,
            rows in prop::collection::vec((0u32..3, -20i64..20, any::<u32>()), 0..200),
            far in any::<bool>(),
            cleared in 0u32..3,
        ) {
            let all = u32::MAX >> (32 - calls);
            let place = |value: i64| if far { value.wrapping_mul(i64::MAX / 7) } else { value };
            let mut sets = BitSets::new(calls);
            sets.resize(3);
            let mut model: BTreeMap<(u32, i64), u32> = BTreeMap::new();
            let groups: Vec<u32> = rows.iter().map(|row| row.0).collect();
            let values: Vec<i64> = rows.iter().map(|row| place(row.1)).collect();
            let mut changed: Vec<u32> = rows.iter().map(|row| row.2 & all).collect();
            let wanted = changed.clone();
            let mut appeared = Vec::new();
            sets.add_rows(&groups, &values, &mut changed, |value| appeared.push(value));
            let mut expected = Vec::new();
            for (row, want) in wanted.into_iter().enumerate().filter(|(_, want)| *want != 0) {
                let known = model.entry((groups[row], values[row])).or_insert(0);
                prop_assert_eq!(changed[row], want & !*known);
                if *known == 0 {
                    expected.push(values[row]);
                }
                *known |= want;
            }
            prop_assert_eq!(appeared, expected);
            sets.clear(cleared, |_| ());
            model.retain(|(group, _), _| *group != cleared);
            let kept: BTreeMap<(u32, i64), u32> =
                sets.iter().map(|(group, value, calls)| ((group, value), calls)).collect();
            prop_assert_eq!(&kept, &model);
            for group in 0..3 {
                let empty = model.keys().all(|(of, _)| *of != group);
                prop_assert_eq!(sets.is_empty(group), empty);
            }
        }
    }
}
