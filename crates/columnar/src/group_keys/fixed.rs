//! Keys of one or two numbers.

use std::borrow::Cow;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use std::hash::{BuildHasher, Hasher};
use thalweg_core::error::Result;

use super::HASHER;
use crate::integers::{narrowed, widened};
use crate::pages::Pages;

/// A place of the hash table: half of a key's hash, and its group number plus one, 0 if it is free.
#[derive(Clone, Copy, Default)]
struct Place {
    tag: u32,
    group: u32,
}

// Rows whose places are read together.
const ROWS_AHEAD: usize = 64;
const PLACES_MIN: usize = 64;

/// Keys of `N` numbers.
///
/// An open table of group numbers beside a list of keys: a table of keys would be several times as
/// large, and what a look-up costs in a large state is the memory that is not in a cache. The places
/// of many rows are read before any of them is looked at, so that the reads overlap.
pub struct FixedKeys<const N: usize> {
    // INVARIANT: a power of two, more than the keys.
    table: Vec<Place>,
    keys: Pages<[i64; N]>,
    // Numbers of removed keys.
    free: Vec<u32>,
}

impl<const N: usize> FixedKeys<N> {
    /// Room for some keys.
    pub fn with_capacity(keys: usize) -> Self {
        let places = (keys * 3 / 2 + 1).next_power_of_two().max(PLACES_MIN);
        FixedKeys {
            table: vec![Place::default(); places],
            keys: Pages::new(),
            free: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.keys.len() - self.free.len()
    }

    pub fn bound(&self) -> usize {
        self.keys.len()
    }

    pub fn free(&self) -> &[u32] {
        &self.free
    }

    pub fn byte_size(&self) -> usize {
        self.table.capacity() * size_of::<Place>() + self.keys.byte_size()
    }

    pub fn share(&mut self) -> Pages<[i64; N]> {
        self.keys.share()
    }

    /// Appends the numbers of keys whose columns have no NULL.
    pub fn intern(&mut self, columns: &[ArrayRef], groups: &mut Vec<u32>) -> Result<()> {
        let mut values: [Cow<'_, [i64]>; N] = [const { Cow::Borrowed(&[]) }; N];
        for (values, column) in values.iter_mut().zip(columns) {
            *values = widened(column)?;
        }
        let rows = values[0].len();
        // Checked once here, and so not in the loops below.
        let values: [&[i64]; N] = std::array::from_fn(|column| &values[column][..rows]);
        groups.reserve(rows);
        let mut keys = [[0; N]; ROWS_AHEAD];
        let mut hashes = [0; ROWS_AHEAD];
        let mut places = [Place::default(); ROWS_AHEAD];
        for start in (0..rows).step_by(ROWS_AHEAD) {
            let len = ROWS_AHEAD.min(rows - start);
            let mask = self.table.len() - 1;
            for at in 0..len {
                keys[at] = std::array::from_fn(|column| values[column][start + at]);
                hashes[at] = hash_key(&keys[at]);
                places[at] = self.table[hashes[at] as usize & mask];
            }
            for at in 0..len {
                let (key, hash, place) = (&keys[at], hashes[at], places[at]);
                // A place that was taken when it was read still is, or has moved with the table.
                let known = self.is_at(place, key, hash);
                groups.push(known.unwrap_or_else(|| self.number(key, hash)));
            }
        }
        Ok(())
    }

    #[inline]
    fn is_at(&self, place: Place, key: &[i64; N], hash: u64) -> Option<u32> {
        if place.group == 0 || place.tag != tag(hash) {
            return None;
        }
        let group = place.group - 1;
        (self.keys.get(group) == key).then_some(group)
    }

    fn number(&mut self, key: &[i64; N], hash: u64) -> u32 {
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        while self.table[at].group != 0 {
            if let Some(group) = self.is_at(self.table[at], key, hash) {
                return group;
            }
            at = (at + 1) & mask;
        }
        let group = match self.free.pop() {
            Some(group) => {
                *self.keys.get_mut(group) = *key;
                group
            }
            None => self.keys.push(*key),
        };
        self.table[at] = Place {
            tag: tag(hash),
            group: group + 1,
        };
        if self.len() * 3 > self.table.len() * 2 {
            self.grow();
        }
        group
    }

    fn grow(&mut self) {
        let places = vec![Place::default(); self.table.len() * 2];
        let old = std::mem::replace(&mut self.table, places);
        let mask = self.table.len() - 1;
        for place in old.into_iter().filter(|place| place.group != 0) {
            let mut at = hash_key(self.keys.get(place.group - 1)) as usize & mask;
            while self.table[at].group != 0 {
                at = (at + 1) & mask;
            }
            self.table[at] = place;
        }
    }

    /// Forgets a key; its number will be given again.
    pub fn remove(&mut self, group: u32) {
        let mask = self.table.len() - 1;
        let mut gap = hash_key(self.keys.get(group)) as usize & mask;
        while self.table[gap].group != group + 1 {
            if self.table[gap].group == 0 {
                return;
            }
            gap = (gap + 1) & mask;
        }
        self.free.push(group);
        // A search ends at a free place: what the gap would hide moves into it.
        let mut at = (gap + 1) & mask;
        while self.table[at].group != 0 {
            let home = hash_key(self.keys.get(self.table[at].group - 1)) as usize;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.table[gap] = self.table[at];
                gap = at;
            }
            at = (at + 1) & mask;
        }
        self.table[gap] = Place::default();
    }

    /// Appends the canonical bytes of a key.
    pub fn write_key(&self, group: u32, types: &[DataType], out: &mut Vec<u8>) {
        write_fixed(self.keys.get(group), types, out);
    }

    /// The key columns of some groups.
    pub fn columns(&self, groups: &[u32], types: &[DataType]) -> Result<Vec<ArrayRef>> {
        let column = |(at, data_type): (usize, &DataType)| {
            let values = groups.iter().map(|group| self.keys.get(*group)[at]);
            narrowed(values, data_type)
        };
        types.iter().enumerate().map(column).collect()
    }
}

/// Appends the canonical bytes of a key of columns of these types.
pub fn write_fixed(key: &[i64], types: &[DataType], out: &mut Vec<u8>) {
    for (value, data_type) in key.iter().zip(types) {
        let width = data_type.primitive_width().unwrap_or(8);
        out.push(1);
        out.extend_from_slice(&value.to_le_bytes()[..width]);
    }
}

#[inline]
fn hash_key<const N: usize>(key: &[i64; N]) -> u64 {
    let mut hasher = HASHER.build_hasher();
    for value in key {
        hasher.write_i64(*value);
    }
    hasher.finish()
}

/// The half of a hash that does not choose the place.
#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn numbers_equal_those_of_a_map<const N: usize>(keys: impl Fn(u64) -> [i64; N]) {
        let mut table = FixedKeys::<N>::with_capacity(0);
        let mut map: BTreeMap<[i64; N], u32> = BTreeMap::new();
        let mut random = 7u64;
        for rows in [1, 63, 64, 65, 1000, 20_000, 3] {
            let rows: Vec<[i64; N]> = (0..rows)
                .map(|_| {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    keys(random >> 33)
                })
                .collect();
            let columns: [ArrayRef; N] = std::array::from_fn(|column| -> ArrayRef {
                Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|key| key[column]),
                ))
            });
            let mut groups = Vec::new();
            table.intern(&columns, &mut groups).unwrap();
            let next = |map: &BTreeMap<_, u32>| map.len() as u32;
            for (row, group) in rows.iter().zip(groups) {
                let number = next(&map);
                assert_eq!(group, *map.entry(*row).or_insert(number));
            }
        }
        assert_eq!(table.len(), map.len());
    }

    #[test]
    fn keys_are_numbered_in_order_of_appearance_while_the_table_grows() {
        numbers_equal_those_of_a_map(|random| [random as i64 % 9000 - 4500]);
        numbers_equal_those_of_a_map(|random| [(random as i64 % 9000) << 40]);
        numbers_equal_those_of_a_map(|random| [random as i64 % 90, -(random as i64 >> 20) % 200]);
        // All in one batch and all the same, and the numbers at the ends.
        numbers_equal_those_of_a_map(|random| [i64::MIN + random as i64 % 2, i64::MAX]);
    }
}
