//! Keys of one or two numbers, kept in the hash table itself.

use std::borrow::Cow;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use thalweg_core::error::Result;

use super::HASHER;
use crate::integers::{narrowed, widened};

/// Keys of `N` numbers.
pub struct FixedKeys<const N: usize> {
    table: HashTable<([i64; N], u32)>,
    keys: Vec<[i64; N]>,
}

impl<const N: usize> FixedKeys<N> {
    /// Room for some keys.
    pub fn with_capacity(keys: usize) -> Self {
        FixedKeys {
            table: HashTable::with_capacity(keys),
            keys: Vec::with_capacity(keys),
        }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn byte_size(&self) -> usize {
        self.table.capacity() * size_of::<([i64; N], u32)>()
            + self.keys.capacity() * size_of::<[i64; N]>()
    }

    /// Appends the numbers of keys whose columns have no NULL.
    pub fn intern(&mut self, columns: &[ArrayRef], groups: &mut Vec<u32>) -> Result<()> {
        let mut values: [Cow<'_, [i64]>; N] = [const { Cow::Borrowed(&[]) }; N];
        for (values, column) in values.iter_mut().zip(columns) {
            *values = widened(column)?;
        }
        let rows = values[0].len();
        groups.reserve(rows);
        // Neighbouring rows often share a key.
        let mut last: Option<([i64; N], u32)> = None;
        let key_of = |row: usize| std::array::from_fn(|column| values[column][row]);
        for key in (0..rows).map(key_of) {
            let group = match last {
                Some((known, group)) if known == key => group,
                _ => self.number(key),
            };
            last = Some((key, group));
            groups.push(group);
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self, key: [i64; N]) -> u32 {
        let hash = hash_key(&key);
        if let Some((_, group)) = self.table.find(hash, |(known, _)| *known == key) {
            return *group;
        }
        let group = self.keys.len() as u32;
        self.keys.push(key);
        let rehash = |(known, _): &([i64; N], u32)| hash_key(known);
        self.table.insert_unique(hash, (key, group), rehash);
        group
    }

    /// Appends the canonical bytes of a key.
    pub fn write_key(&self, group: u32, types: &[DataType], out: &mut Vec<u8>) {
        for (value, data_type) in self.keys[group as usize].iter().zip(types) {
            let width = data_type.primitive_width().unwrap_or(8);
            out.push(1);
            out.extend_from_slice(&value.to_le_bytes()[..width]);
        }
    }

    /// The key columns of some groups.
    pub fn columns(&self, groups: &[u32], types: &[DataType]) -> Result<Vec<ArrayRef>> {
        let column = |(at, data_type): (usize, &DataType)| {
            let values = groups.iter().map(|group| self.keys[*group as usize][at]);
            narrowed(values, data_type)
        };
        types.iter().enumerate().map(column).collect()
    }
}

#[inline]
fn hash_key<const N: usize>(key: &[i64; N]) -> u64 {
    HASHER.hash_one(key)
}
