//! Key columns to dense group numbers, a batch at a time.
//!
//! Three forms: one or two integer-like columns without NULLs are kept as integers, beside the hash
//! table; anything else as canonical row bytes in blocks. A table of integers changes to bytes when it
//! meets its first NULL.
//!
//! The number of a key that is removed is given again. A snapshot shares the keys as they are
//! ([`SharedKeys`]); it does not need the hash table.

mod bytes;
mod fixed;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use foldhash::fast::FixedState;
use thalweg_core::error::{Error, Result};

use self::bytes::{ByteKeys, SharedBytes};
use self::fixed::{FixedKeys, write_fixed};
use crate::encoded_rows::EncodedRows;
use crate::integers::is_integer_like;
use crate::pages::Pages;
use crate::row_codec::RowCodec;

/// The distinct keys that are kept, numbered in order of appearance.
pub struct GroupKeys {
    codec: RowCodec,
    form: Form,
    encoded: EncodedRows,
}

enum Form {
    One(FixedKeys<1>),
    Two(FixedKeys<2>),
    Bytes(ByteKeys),
}

const HASHER: FixedState = FixedState::with_seed(0x7468_616c_7765_6721);

impl GroupKeys {
    /// No keys yet, of columns of these types.
    pub fn new(types: Vec<DataType>) -> Self {
        GroupKeys::with_capacity(types, 0)
    }

    /// The same with room for some keys.
    pub fn with_capacity(types: Vec<DataType>, keys: usize) -> Self {
        let fixed = types.iter().all(is_integer_like);
        let form = match types.len() {
            1 if fixed => Form::One(FixedKeys::with_capacity(keys)),
            2 if fixed => Form::Two(FixedKeys::with_capacity(keys)),
            _ => Form::Bytes(ByteKeys::default()),
        };
        GroupKeys {
            codec: RowCodec::new(types),
            form,
            encoded: EncodedRows::default(),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::One(keys) => keys.len(),
            Form::Two(keys) => keys.len(),
            Form::Bytes(keys) => keys.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the highest number that was ever given.
    pub fn bound(&self) -> usize {
        match &self.form {
            Form::One(keys) => keys.bound(),
            Form::Two(keys) => keys.bound(),
            Form::Bytes(keys) => keys.bound(),
        }
    }

    /// Forgets a key. Its number is given to the next new one. Does nothing for a number that no key
    /// has.
    pub fn remove(&mut self, group: u32) {
        match &mut self.form {
            Form::One(keys) => keys.remove(group),
            Form::Two(keys) => keys.remove(group),
            Form::Bytes(keys) => keys.remove(group),
        }
    }

    /// The keys as they are now, whatever becomes of these.
    #[must_use]
    pub fn share(&mut self) -> SharedKeys {
        SharedKeys {
            types: self.codec.types().to_vec(),
            form: match &mut self.form {
                Form::One(keys) => SharedForm::One(keys.share()),
                Form::Two(keys) => SharedForm::Two(keys.share()),
                Form::Bytes(keys) => SharedForm::Bytes(keys.share()),
            },
        }
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
        if columns.iter().any(|column| column.null_count() > 0) {
            self.change_form();
        }
        match &mut self.form {
            Form::One(keys) => keys.intern(columns, groups),
            Form::Two(keys) => keys.intern(columns, groups),
            Form::Bytes(keys) => {
                self.encoded.encode(columns, rows)?;
                groups.extend(self.encoded.iter().map(|key| keys.intern(key)));
                Ok(())
            }
        }
    }

    /// The number of a key given as canonical bytes, numbering it if it is new.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no key.
    pub fn intern_bytes(&mut self, key: &[u8]) -> Result<u32> {
        if let Form::Bytes(keys) = &mut self.form {
            return Ok(keys.intern(key));
        }
        let columns = self.codec.decode([key])?;
        let mut groups = Vec::with_capacity(1);
        self.intern(&columns, 1, &mut groups)?;
        groups
            .pop()
            .ok_or_else(|| Error::internal("a key has no group"))
    }

    /// Appends the canonical bytes of a key.
    pub fn write_key(&self, group: u32, out: &mut Vec<u8>) {
        match &self.form {
            Form::One(keys) => keys.write_key(group, self.codec.types(), out),
            Form::Two(keys) => keys.write_key(group, self.codec.types(), out),
            Form::Bytes(keys) => out.extend_from_slice(keys.get(group)),
        }
    }

    /// The key columns of some groups.
    ///
    /// # Errors
    /// `Corrupt` never, unless memory is.
    pub fn columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        match &self.form {
            Form::One(keys) => keys.columns(groups, self.codec.types()),
            Form::Two(keys) => keys.columns(groups, self.codec.types()),
            Form::Bytes(keys) => self
                .codec
                .decode(groups.iter().map(|group| keys.get(*group))),
        }
    }

    /// An estimate of the bytes it keeps.
    pub fn byte_size(&self) -> usize {
        match &self.form {
            Form::One(keys) => keys.byte_size(),
            Form::Two(keys) => keys.byte_size(),
            Form::Bytes(keys) => keys.byte_size(),
        }
    }

    /// From integers to bytes.
    fn change_form(&mut self) {
        if matches!(self.form, Form::Bytes(_)) {
            return;
        }
        let mut bytes = ByteKeys::default();
        let mut key = Vec::new();
        let mut left_out = vec![false; self.bound()];
        let free = match &self.form {
            Form::One(keys) => keys.free(),
            Form::Two(keys) => keys.free(),
            Form::Bytes(_) => &[],
        };
        free.iter()
            .for_each(|group| left_out[*group as usize] = true);
        for (group, left_out) in left_out.into_iter().enumerate() {
            if left_out {
                bytes.leave_out();
                continue;
            }
            key.clear();
            self.write_key(group as u32, &mut key);
            bytes.append(&key);
        }
        self.form = Form::Bytes(bytes);
    }
}

/// Keys at one moment, to be written on another thread.
pub struct SharedKeys {
    types: Vec<DataType>,
    form: SharedForm,
}

enum SharedForm {
    One(Pages<[i64; 1]>),
    Two(Pages<[i64; 2]>),
    Bytes(SharedBytes),
}

impl SharedKeys {
    /// Appends the canonical bytes of a key that was there.
    pub fn write_key(&self, group: u32, out: &mut Vec<u8>) {
        match &self.form {
            SharedForm::One(keys) => write_fixed(keys.get(group), &self.types, out),
            SharedForm::Two(keys) => write_fixed(keys.get(group), &self.types, out),
            SharedForm::Bytes(keys) => out.extend_from_slice(keys.get(group)),
        }
    }
}

#[cfg(test)]
mod model;

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Date32Array, Int32Array, Int64Array, StringViewArray};
    use std::sync::Arc;

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

    #[test]
    fn narrow_and_negative_numbers_come_back_from_both_forms() {
        let types = vec![DataType::Int32, DataType::Date32];
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![-5, 7, -5]));
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![-1, 2, -1]));
        let columns = [numbers, dates];
        let mut keys = GroupKeys::new(types.clone());
        let mut groups = Vec::new();
        keys.intern(&columns, 3, &mut groups).unwrap();
        assert_eq!(groups, [0, 1, 0]);
        assert_eq!(keys.columns(&groups).unwrap(), columns);
        let mut restored = GroupKeys::new(types);
        for group in [1, 0] {
            let mut bytes = Vec::new();
            keys.write_key(group, &mut bytes);
            restored.intern_bytes(&bytes).unwrap();
        }
        let without: ArrayRef = Arc::new(Int32Array::from(vec![None]));
        let date: ArrayRef = Arc::new(Date32Array::from(vec![0]));
        let mut group = Vec::new();
        restored.intern(&[without, date], 1, &mut group).unwrap();
        assert_eq!(group, [2]);
        assert_eq!(restored.columns(&[1, 0, 1]).unwrap(), columns);
    }
}
