//! Key columns to dense group numbers, a batch at a time.
//!
//! Two forms: one integer-like column without NULLs is kept as integers; anything else as
//! canonical row bytes in one arena. A table changes from the first form to the second when it
//! meets its first NULL.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::DataType;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;
use thalweg_core::error::{Error, Result};

use crate::row_codec::{RowCodec, encode_value};

/// The distinct keys seen so far, numbered in order of appearance.
pub struct GroupKeys {
    codec: RowCodec,
    form: Form,
}

enum Form {
    Integers {
        table: HashTable<(i64, u32)>,
        keys: Vec<i64>,
    },
    Bytes {
        table: HashTable<(u64, u32)>,
        arena: Vec<u8>,
        ends: Vec<usize>,
        scratch: Vec<u8>,
    },
}

const HASHER: FixedState = FixedState::with_seed(0x7468_616c_7765_6721);

#[inline]
fn hash_integer(key: i64) -> u64 {
    HASHER.hash_one(key)
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    HASHER.hash_one(bytes)
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64)
}

impl GroupKeys {
    /// No keys yet, of columns of these types.
    pub fn new(types: Vec<DataType>) -> Self {
        let form = match types.as_slice() {
            [one] if is_integer(one) => Form::Integers {
                table: HashTable::new(),
                keys: Vec::new(),
            },
            _ => Form::bytes(),
        };
        GroupKeys {
            codec: RowCodec::new(types),
            form,
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Integers { keys, .. } => keys.len(),
            Form::Bytes { ends, .. } => ends.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the group number of every row, numbering new keys.
    ///
    /// # Errors
    /// `Unsupported` for a key type without a canonical form.
    pub fn intern(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        if let Form::Integers { table, keys } = &mut self.form {
            let column = columns.first().filter(|column| column.null_count() == 0);
            if let Some(column) = column {
                intern_integers(column.as_primitive::<Int64Type>(), table, keys, groups);
                return Ok(());
            }
            self.change_form()?;
        }
        let Form::Bytes {
            table,
            arena,
            ends,
            scratch,
        } = &mut self.form
        else {
            return Err(Error::internal("group keys have no form"));
        };
        for row in 0..rows {
            scratch.clear();
            for column in columns {
                encode_value(column.as_ref(), row, scratch)?;
            }
            groups.push(intern_bytes(scratch, table, arena, ends));
        }
        Ok(())
    }

    /// The number of a key given as canonical bytes, numbering it if it is new.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no key.
    pub fn intern_bytes(&mut self, key: &[u8]) -> Result<u32> {
        if matches!(self.form, Form::Integers { .. }) {
            let columns = self.codec.decode([key])?;
            let mut groups = Vec::with_capacity(1);
            self.intern(&columns, 1, &mut groups)?;
            return groups
                .pop()
                .ok_or_else(|| Error::internal("a key has no group"));
        }
        match &mut self.form {
            Form::Bytes {
                table, arena, ends, ..
            } => Ok(intern_bytes(key, table, arena, ends)),
            Form::Integers { .. } => Err(Error::internal("group keys have no form")),
        }
    }

    /// Appends the canonical bytes of a key.
    pub fn write_key(&self, group: u32, out: &mut Vec<u8>) {
        match &self.form {
            Form::Integers { keys, .. } => {
                out.push(1);
                out.extend_from_slice(&keys[group as usize].to_le_bytes());
            }
            Form::Bytes { arena, ends, .. } => out.extend_from_slice(key_at(arena, ends, group)),
        }
    }

    /// The key columns of some groups.
    ///
    /// # Errors
    /// `Corrupt` never, unless memory is.
    pub fn columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.form {
            Form::Integers { keys, .. } => {
                let values = groups.iter().map(|group| keys[*group as usize]);
                Ok(vec![Arc::new(Int64Array::from_iter_values(values))])
            }
            Form::Bytes { arena, ends, .. } => self
                .codec
                .decode(groups.iter().map(|group| key_at(arena, ends, *group))),
        }
    }

    /// An estimate of the bytes it keeps.
    pub fn byte_size(&self) -> usize {
        match &self.form {
            Form::Integers { table, keys } => table.capacity() * 16 + keys.capacity() * 8,
            Form::Bytes {
                table, arena, ends, ..
            } => table.capacity() * 16 + arena.capacity() + ends.capacity() * 8,
        }
    }

    /// From integers to bytes.
    fn change_form(&mut self) -> Result<()> {
        let mut bytes = GroupKeys {
            codec: self.codec.clone(),
            form: Form::bytes(),
        };
        let mut key = Vec::new();
        for group in 0..self.len() as u32 {
            key.clear();
            self.write_key(group, &mut key);
            bytes.intern_bytes(&key)?;
        }
        *self = bytes;
        Ok(())
    }
}

impl Form {
    fn bytes() -> Form {
        Form::Bytes {
            table: HashTable::new(),
            arena: Vec::new(),
            ends: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

fn intern_integers(
    column: &Int64Array,
    table: &mut HashTable<(i64, u32)>,
    keys: &mut Vec<i64>,
    groups: &mut Vec<u32>,
) {
    groups.reserve(column.len());
    // Neighbouring rows often share a key.
    let mut last: Option<(i64, u32)> = None;
    for key in column.values() {
        if let Some((value, group)) = last
            && value == *key
        {
            groups.push(group);
            continue;
        }
        let entry = table
            .entry(
                hash_integer(*key),
                |(known, _)| known == key,
                |(known, _)| hash_integer(*known),
            )
            .or_insert_with(|| {
                keys.push(*key);
                (*key, (keys.len() - 1) as u32)
            });
        let found = *entry.get();
        last = Some(found);
        groups.push(found.1);
    }
}

fn intern_bytes(
    key: &[u8],
    table: &mut HashTable<(u64, u32)>,
    arena: &mut Vec<u8>,
    ends: &mut Vec<usize>,
) -> u32 {
    let hash = hash_bytes(key);
    let known = table.find(hash, |(h, group)| {
        *h == hash && key_at(arena, ends, *group) == key
    });
    if let Some((_, group)) = known {
        return *group;
    }
    arena.extend_from_slice(key);
    ends.push(arena.len());
    let group = (ends.len() - 1) as u32;
    table.insert_unique(hash, (hash, group), |(h, _)| *h);
    group
}

#[inline]
fn key_at<'a>(arena: &'a [u8], ends: &[usize], group: u32) -> &'a [u8] {
    let group = group as usize;
    let start = if group == 0 { 0 } else { ends[group - 1] };
    &arena[start..ends[group]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::StringViewArray;

    fn integers(values: &[Option<i64>]) -> Vec<ArrayRef> {
        vec![Arc::new(Int64Array::from(values.to_vec()))]
    }

    #[test]
    fn groups_are_numbered_in_order_of_appearance() {
        let mut keys = GroupKeys::new(vec![DataType::Int64]);
        let mut groups = Vec::new();
        keys.intern(&integers(&[Some(7), Some(7), Some(3)]), 3, &mut groups)
            .unwrap();
        keys.intern(&integers(&[Some(3), Some(9)]), 2, &mut groups)
            .unwrap();
        assert_eq!(groups, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn the_first_null_changes_the_form_but_not_the_numbers() {
        let mut keys = GroupKeys::new(vec![DataType::Int64]);
        let mut groups = Vec::new();
        keys.intern(&integers(&[Some(7), Some(3)]), 2, &mut groups)
            .unwrap();
        keys.intern(&integers(&[None, Some(3), None]), 3, &mut groups)
            .unwrap();
        assert_eq!(groups, [0, 1, 2, 1, 2]);
        let columns = keys.columns(&[2, 0, 1]).unwrap();
        assert_eq!(&columns[0], &integers(&[None, Some(7), Some(3)])[0]);
    }

    #[test]
    fn keys_of_several_columns_are_told_apart_by_all_of_them() {
        let mut keys = GroupKeys::new(vec![DataType::Utf8View, DataType::Int64]);
        let names: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "ab", "a"]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2]));
        let mut groups = Vec::new();
        keys.intern(&[names, numbers], 3, &mut groups).unwrap();
        assert_eq!(groups, [0, 1, 2]);
    }
}
