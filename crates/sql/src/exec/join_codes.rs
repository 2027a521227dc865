//! Join keys as 64-bit codes, which is what joins look up.
//!
//! One key column of an integer, a date or a time is its own code: equal codes are equal keys.
//! Any other key has its hash for a code: equal keys have equal codes, and pairs with equal codes
//! are compared once more.
//!
//! A key column that has not been filtered is not filtered for its range: that of all its values
//! is wide enough, and often tells that no row matches.

use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use datafusion_common::hash_utils::create_hashes;
use foldhash::fast::FixedState;
use thalweg_columnar::BatchColumn;
use thalweg_core::error::Result;

use super::expr::expression_error;

/// The codes of a batch's keys.
#[derive(Clone)]
pub struct KeyCodes {
    rows: usize,
    loose: Range,
    // Of one exact column that may not have been filtered yet.
    column: Option<BatchColumn>,
    codes: Arc<OnceLock<Codes>>,
}

/// The lowest and the highest code; of no codes the highest is below the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// No code is lower.
    pub lowest: i64,
    /// No code is higher.
    pub highest: i64,
}

impl Range {
    /// Of no codes.
    pub const EMPTY: Range = Range {
        lowest: i64::MAX,
        highest: i64::MIN,
    };

    /// Of all these codes.
    pub fn of(values: &[i64]) -> Self {
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
        Range {
            lowest: lowest.into_iter().fold(i64::MAX, i64::min),
            highest: highest.into_iter().fold(i64::MIN, i64::max),
        }
    }

    /// Whether some code may be in both.
    #[inline]
    pub fn overlaps(self, other: Range) -> bool {
        self.lowest <= other.highest && self.highest >= other.lowest
    }

    /// Whether a code is in it.
    #[inline]
    pub fn contains(self, code: i64) -> bool {
        (code >= self.lowest) & (code <= self.highest)
    }

    /// The range of the codes of both.
    #[must_use]
    pub fn with(self, other: Range) -> Self {
        Range {
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
        }
    }
}

struct Codes {
    values: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
    tight: Range,
}

impl Codes {
    fn new(values: ScalarBuffer<i64>, nulls: Option<NullBuffer>) -> Self {
        Codes {
            tight: Range::of(&values),
            values,
            nulls: nulls.filter(|nulls| nulls.null_count() > 0),
        }
    }
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
    pub fn new(columns: &[BatchColumn], rows: usize) -> Result<Self> {
        if let [column] = columns
            && let Some(values) = exact(column.unfiltered())
        {
            return Ok(KeyCodes {
                rows,
                loose: Range::of(&values),
                column: Some(column.clone()),
                codes: Arc::default(),
            });
        }
        let columns: Vec<ArrayRef> = columns.iter().map(|c| c.dense().clone()).collect();
        let values = if columns.is_empty() {
            vec![0; rows].into()
        } else {
            hashed(&columns, rows)?
        };
        let nulls = columns.iter().fold(None, |nulls, column| {
            NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref())
        });
        let codes = Codes::new(values, nulls);
        Ok(KeyCodes {
            rows,
            loose: codes.tight,
            column: None,
            codes: Arc::new(OnceLock::from(codes)),
        })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn codes(&self) -> &Codes {
        self.codes.get_or_init(|| {
            let column = self.column.as_ref().map(BatchColumn::dense);
            let values = column.and_then(exact).unwrap_or_default();
            assert_eq!(values.len(), self.rows, "one code a row");
            Codes::new(values, column.and_then(|column| column.logical_nulls()))
        })
    }

    /// A range that holds all codes: that of the column before it is filtered.
    #[inline]
    pub fn loose(&self) -> Range {
        self.loose
    }

    /// The range of the codes. Filters the column.
    pub fn tight(&self) -> Range {
        self.codes().tight
    }

    /// One code a row; of a row with a NULL among its keys any value.
    #[inline]
    pub fn values(&self) -> &[i64] {
        &self.codes().values
    }

    /// Whether a row has a NULL among its keys and so matches nothing.
    pub fn has_nulls(&self) -> bool {
        self.codes().nulls.is_some()
    }

    /// Whether no key of a row is NULL.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        let nulls = &self.codes().nulls;
        nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
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
    let state = FixedState::with_seed(0x7468_616c_7765_6721);
    create_hashes(columns, &state, &mut hashes).map_err(expression_error)?;
    Ok(hashes.into_iter().map(u64::cast_signed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int32Array, Int64Array, StringViewArray, TimestampMillisecondArray};
    use std::sync::Arc;

    #[test]
    fn integers_and_times_are_their_own_codes_also_behind_an_offset() {
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![5, 7, -9]));
        let codes = KeyCodes::new(&[BatchColumn::new(times.slice(1, 2))], 2).unwrap();
        assert_eq!(codes.values(), [7, -9]);
        let range = Range {
            lowest: -9,
            highest: 7,
        };
        assert_eq!((codes.loose(), codes.tight()), (range, range));
        let small: ArrayRef = Arc::new(Int32Array::from(vec![Some(-1), None, Some(3)]));
        let codes = KeyCodes::new(&[BatchColumn::new(small)], 3).unwrap();
        assert_eq!((codes.values()[0], codes.values()[2]), (-1, 3));
        assert_eq!(
            [0, 1, 2].map(|row| codes.is_valid(row)),
            [true, false, true]
        );
    }

    #[test]
    fn a_null_in_any_column_makes_a_key_without_matches() {
        let names: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("a")]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(1), None]));
        let codes = KeyCodes::new(&[names, numbers].map(BatchColumn::new), 3).unwrap();
        assert_eq!(
            [0, 1, 2].map(|row| codes.is_valid(row)),
            [true, false, false]
        );
    }
}
