//! Join keys as 64-bit codes, which is what joins look up.
//!
//! One key column of an integer, a date or a time is its own code: equal codes are equal keys.
//! Any other key has its hash for a code: equal keys have equal codes, and pairs with equal codes
//! are compared once more.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use datafusion_common::hash_utils::{RandomState, create_hashes};
use thalweg_core::error::Result;

use super::expr::expression_error;

/// The codes of a batch's keys.
#[derive(Clone)]
pub struct KeyCodes {
    /// One a row; of a row with a NULL among its keys any value.
    pub values: ScalarBuffer<i64>,
    /// Which rows have no NULL among their keys; the others match nothing.
    pub nulls: Option<NullBuffer>,
    /// The lowest code.
    pub lowest: i64,
    /// The highest code, not below `lowest` unless there are no rows.
    pub highest: i64,
}

/// Whether codes of keys of these types are the keys themselves.
pub fn is_exact(types: &[DataType]) -> bool {
    match types {
        [] => true,
        [one] => width(one).is_some(),
        _ => false,
    }
}

// Bytes of a type whose values are their own codes.
fn width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Int8 => Some(1),
        DataType::Int16 => Some(2),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => Some(4),
        DataType::Int64 | DataType::Date64 | DataType::Time64(_) | DataType::Timestamp(_, _) => {
            Some(8)
        }
        _ => None,
    }
}

impl KeyCodes {
    /// The codes of some key columns of `rows` rows.
    ///
    /// # Errors
    /// `User` for a key type that cannot be hashed.
    pub fn new(columns: &[ArrayRef], rows: usize) -> Result<Self> {
        let values = match columns {
            [] => vec![0; rows].into(),
            [one] => match exact(one) {
                Some(values) => values,
                None => hashed(columns, rows)?,
            },
            _ => hashed(columns, rows)?,
        };
        let nulls = columns.iter().fold(None, |nulls, column| {
            NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref())
        });
        let (lowest, highest) = range(&values);
        Ok(KeyCodes {
            values,
            nulls: nulls.filter(|nulls| nulls.null_count() > 0),
            lowest,
            highest,
        })
    }

    /// Whether no key of a row is NULL.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }
}

fn exact(column: &ArrayRef) -> Option<ScalarBuffer<i64>> {
    fn wide<T: Copy + Into<i64>>(values: &[T]) -> ScalarBuffer<i64> {
        values.iter().map(|value| (*value).into()).collect()
    }
    match width(column.data_type())? {
        1 => Some(wide(column.as_primitive::<Int8Type>().values())),
        2 => Some(wide(column.as_primitive::<Int16Type>().values())),
        bytes => {
            // Dates, times and timestamps differ from integers in type only.
            let data = column.to_data();
            let buffer = data.buffers().first()?.clone();
            if bytes == 4 {
                let values = ScalarBuffer::<i32>::new(buffer, data.offset(), data.len());
                return Some(wide(&values));
            }
            Some(ScalarBuffer::new(buffer, data.offset(), data.len()))
        }
    }
}

fn hashed(columns: &[ArrayRef], rows: usize) -> Result<ScalarBuffer<i64>> {
    let mut hashes = vec![0; rows];
    let state = RandomState::with_seed(0x7468_616c_7765_6721);
    create_hashes(columns, &state, &mut hashes).map_err(expression_error)?;
    Ok(hashes.into_iter().map(u64::cast_signed).collect())
}

fn range(values: &[i64]) -> (i64, i64) {
    const LANES: usize = 4;
    let (mut lowest, mut highest) = ([i64::MAX; LANES], [i64::MIN; LANES]);
    let chunks = values.chunks_exact(LANES);
    for value in chunks.remainder() {
        lowest[0] = lowest[0].min(*value);
        highest[0] = highest[0].max(*value);
    }
    for chunk in chunks {
        for lane in 0..LANES {
            lowest[lane] = lowest[lane].min(chunk[lane]);
            highest[lane] = highest[lane].max(chunk[lane]);
        }
    }
    (
        lowest.into_iter().fold(i64::MAX, i64::min),
        highest.into_iter().fold(i64::MIN, i64::max),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int32Array, Int64Array, StringViewArray, TimestampMillisecondArray};
    use std::sync::Arc;

    #[test]
    fn integers_and_times_are_their_own_codes_also_behind_an_offset() {
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![5, 7, -9]));
        let codes = KeyCodes::new(&[times.slice(1, 2)], 2).unwrap();
        assert_eq!(codes.values.to_vec(), [7, -9]);
        assert_eq!((codes.lowest, codes.highest), (-9, 7));
        let small: ArrayRef = Arc::new(Int32Array::from(vec![Some(-1), None, Some(3)]));
        let codes = KeyCodes::new(&[small], 3).unwrap();
        assert_eq!((codes.values[0], codes.values[2]), (-1, 3));
        assert_eq!(
            [0, 1, 2].map(|row| codes.is_valid(row)),
            [true, false, true]
        );
    }

    #[test]
    fn a_null_in_any_column_makes_a_key_without_matches() {
        let names: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("a")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(1), None]));
        let codes = KeyCodes::new(&[names, numbers], 3).unwrap();
        assert_eq!(
            [0, 1, 2].map(|row| codes.is_valid(row)),
            [true, false, false]
        );
    }
}
