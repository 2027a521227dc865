//! Numbers that stand for the arguments of `DISTINCT` calls.
//!
//! A whole number stands for itself. Anything else is kept once, as canonical bytes, and numbered
//! for as long as a set has it.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use thalweg_columnar::{EncodedRows, Pages, RowCodec, is_integer_like, narrowed, widened};
use thalweg_core::data::{Data, take_bytes, take_len};
use thalweg_core::error::Result;

const HASHER: FixedState = FixedState::with_seed(0x6469_7374_696e_6374);

/// The numbers of one argument list.
pub enum ValueNumbers {
    /// One argument of this integer-like type.
    Integers(DataType),
    /// Any arguments.
    Interned(InternedValues),
}

impl ValueNumbers {
    /// For arguments of these types.
    pub fn new(types: &[DataType]) -> Self {
        match types {
            [only] if is_integer_like(only) => ValueNumbers::Integers(only.clone()),
            _ => ValueNumbers::Interned(InternedValues::new(types.to_vec())),
        }
    }

    /// The number of every row's arguments; any number where `calls` is 0.
    ///
    /// # Errors
    /// `Unsupported` for a type without a canonical form.
    pub fn of_rows<'a>(&mut self, args: &'a [ArrayRef], calls: &[u32]) -> Result<Cow<'a, [i64]>> {
        match self {
            ValueNumbers::Integers(_) => widened(&args[0]),
            ValueNumbers::Interned(values) => values.of_rows(args, calls).map(Cow::Owned),
        }
    }

    /// The arguments that numbers stand for.
    ///
    /// # Errors
    /// `Corrupt` never, unless memory is.
    pub fn columns(&self, numbers: &[i64]) -> Result<Vec<ArrayRef>> {
        match self {
            ValueNumbers::Integers(of) => Ok(vec![narrowed(numbers.iter().copied(), of)?]),
            ValueNumbers::Interned(values) => {
                let bytes = numbers.iter().map(|number| values.bytes(*number));
                values.codec.decode(bytes)
            }
        }
    }

    /// Appends what a number stands for.
    pub fn write(&self, number: i64, out: &mut Vec<u8>) {
        match self {
            ValueNumbers::Integers(_) => number.encode(out),
            ValueNumbers::Interned(values) => {
                let bytes = values.bytes(number);
                (bytes.len() as u32).encode(out);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Reads what [`ValueNumbers::write`] wrote.
    ///
    /// # Errors
    /// `Corrupt` if the bytes end too early.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<i64> {
        match self {
            ValueNumbers::Integers(_) => i64::decode(input),
            ValueNumbers::Interned(values) => {
                let len = take_len(input, 1)?;
                Ok(values.intern(take_bytes(input, len)?))
            }
        }
    }

    /// The same numbers, to be read, whatever becomes of these.
    #[must_use]
    pub fn share(&mut self) -> Self {
        match self {
            ValueNumbers::Integers(of) => ValueNumbers::Integers(of.clone()),
            ValueNumbers::Interned(values) => ValueNumbers::Interned(InternedValues {
                codec: values.codec.clone(),
                encoded: EncodedRows::default(),
                table: HashTable::new(),
                values: values.values.share(),
                released: Vec::new(),
                free: Vec::new(),
            }),
        }
    }

    /// A set has the value that it did not have before.
    #[inline]
    pub fn keep(&mut self, number: i64) {
        if let ValueNumbers::Interned(values) = self {
            values.values.get_mut(number as u32).uses += 1;
        }
    }

    /// A set no longer has the value.
    #[inline]
    pub fn release(&mut self, number: i64) {
        if let ValueNumbers::Interned(values) = self {
            values.values.get_mut(number as u32).uses -= 1;
            values.released.push(number);
        }
    }

    /// Forgets released values that no set has; numbers of rows given out before may be theirs.
    pub fn forget_released(&mut self) {
        if let ValueNumbers::Interned(values) = self {
            values.forget_released();
        }
    }
}

#[derive(Clone)]
struct Interned {
    bytes: Arc<[u8]>,
    /// How many sets have it.
    uses: usize,
}

/// Values of any type, numbered in order of appearance.
pub struct InternedValues {
    codec: RowCodec,
    encoded: EncodedRows,
    table: HashTable<(u64, u32)>,
    values: Pages<Interned>,
    released: Vec<i64>,
    free: Vec<u32>,
}

impl InternedValues {
    fn new(types: Vec<DataType>) -> Self {
        InternedValues {
            codec: RowCodec::new(types),
            encoded: EncodedRows::default(),
            table: HashTable::new(),
            values: Pages::new(),
            released: Vec::new(),
            free: Vec::new(),
        }
    }

    fn bytes(&self, number: i64) -> &[u8] {
        &self.values.get(number as u32).bytes
    }

    fn of_rows(&mut self, args: &[ArrayRef], calls: &[u32]) -> Result<Vec<i64>> {
        let mut encoded = std::mem::take(&mut self.encoded);
        encoded.encode(args, calls.len())?;
        let number = |(bytes, calls): (&[u8], &u32)| match calls {
            0 => 0,
            _ => self.intern(bytes),
        };
        let numbers = encoded.iter().zip(calls).map(number).collect();
        self.encoded = encoded;
        Ok(numbers)
    }

    fn intern(&mut self, bytes: &[u8]) -> i64 {
        let hash = HASHER.hash_one(bytes);
        let known = self.table.find(hash, |(known, at)| {
            *known == hash && &*self.values.get(*at).bytes == bytes
        });
        if let Some((_, at)) = known {
            return i64::from(*at);
        }
        let new = Interned {
            bytes: bytes.into(),
            uses: 0,
        };
        let at = match self.free.pop() {
            Some(at) => {
                *self.values.get_mut(at) = new;
                at
            }
            None => self.values.push(new),
        };
        self.table
            .insert_unique(hash, (hash, at), |(hash, _)| *hash);
        i64::from(at)
    }

    fn forget_released(&mut self) {
        while let Some(number) = self.released.pop() {
            let value = self.values.get(number as u32);
            if value.uses > 0 {
                continue;
            }
            let hash = HASHER.hash_one(&*value.bytes);
            let found = |(_, at): &(u64, u32)| i64::from(*at) == number;
            // A value released twice has been forgotten before.
            if let Ok(entry) = self.table.find_entry(hash, found) {
                entry.remove();
                self.values.get_mut(number as u32).bytes = Arc::default();
                self.free.push(number as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, StringViewArray};

    fn texts(values: &[&str]) -> Vec<ArrayRef> {
        vec![Arc::new(StringViewArray::from(values.to_vec()))]
    }

    #[test]
    fn equal_values_have_a_number_until_no_set_has_them() {
        let mut numbers = ValueNumbers::new(&[DataType::Utf8View]);
        let args = texts(&["a", "b", "a", "c"]);
        let first = numbers.of_rows(&args, &[1, 1, 1, 0]).unwrap();
        assert_eq!(first[..3], [0, 1, 0]);
        numbers.keep(0);
        numbers.keep(1);
        numbers.keep(1);
        for number in [0, 1] {
            numbers.release(number);
        }
        numbers.forget_released();
        // "b" is still in a set, the number of "a" is free.
        let args = texts(&["c", "b", "a"]);
        let second = numbers.of_rows(&args, &[1, 1, 1]).unwrap();
        assert_eq!(second[..], [0, 1, 2]);
        assert_eq!(numbers.columns(&second).unwrap(), args);
    }

    #[test]
    fn a_value_released_twice_is_forgotten_once() {
        let mut numbers = ValueNumbers::new(&[DataType::Utf8View]);
        numbers.of_rows(&texts(&["a"]), &[1]).unwrap();
        for _ in 0..2 {
            numbers.keep(0);
            numbers.release(0);
        }
        numbers.forget_released();
        let args = texts(&["b", "c"]);
        assert_eq!(numbers.of_rows(&args, &[1, 1]).unwrap()[..], [0, 1]);
    }

    #[test]
    fn what_is_written_is_read() {
        let several = [DataType::Int64, DataType::Utf8View];
        let columns: [ArrayRef; 2] = [
            Arc::new(Int64Array::from(vec![-5, 7])),
            texts(&["x", "y"]).remove(0),
        ];
        for (types, args) in [(&several[..], &columns[..]), (&several[..1], &columns[..1])] {
            let mut numbers = ValueNumbers::new(types);
            let given = numbers.of_rows(args, &[1, 1]).unwrap();
            let mut bytes = Vec::new();
            given
                .iter()
                .for_each(|number| numbers.write(*number, &mut bytes));
            let mut other = ValueNumbers::new(types);
            let mut rest = bytes.as_slice();
            let read = [
                other.read(&mut rest).unwrap(),
                other.read(&mut rest).unwrap(),
            ];
            assert!(rest.is_empty());
            assert_eq!(other.columns(&read).unwrap(), args);
        }
    }
}
