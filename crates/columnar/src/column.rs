//! A column of a batch that may not have been filtered yet.
//!
//! A filter costs little as long as only its outcome is noted; copying what is left of every
//! column costs most of a simple query. So a filtered column keeps its values and a *selection*
//! until somebody reads it: what nobody reads is never copied.

use std::sync::{Arc, OnceLock};

use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_schema::DataType;
use arrow_select::filter::{FilterBuilder, FilterPredicate};
use arrow_select::take::take;
use thalweg_core::error::Result;

use crate::arrow_error;

/// Which rows of some columns are of a batch.
#[derive(Debug)]
pub struct Selection {
    mask: BooleanArray,
    rows: usize,
    predicate: OnceLock<FilterPredicate>,
    positions: OnceLock<Vec<u32>>,
}

impl Selection {
    /// The rows for which a mask without NULLs is true.
    pub fn new(mask: BooleanArray) -> Self {
        Selection {
            rows: mask.true_count(),
            mask,
            predicate: OnceLock::new(),
            positions: OnceLock::new(),
        }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether it has every row.
    pub fn is_all(&self) -> bool {
        self.rows == self.mask.len()
    }

    /// The mask.
    pub fn mask(&self) -> &BooleanArray {
        &self.mask
    }

    /// Where the selected rows are.
    fn positions(&self) -> &[u32] {
        let positions = || self.mask.values().set_indices_u32().collect();
        self.positions.get_or_init(positions)
    }

    fn apply(&self, array: &ArrayRef) -> ArrayRef {
        let build = || FilterBuilder::new(&self.mask).optimize().build();
        let filtered = self.predicate.get_or_init(build).filter(array.as_ref());
        match filtered {
            Ok(filtered) => filtered,
            // INVARIANT: the mask is as long as the columns that it selects from.
            Err(error) => panic!("a column cannot be filtered: {error}"),
        }
    }
}

/// A column, filtered or to be filtered when it is read.
#[derive(Clone, Debug)]
pub struct BatchColumn {
    values: ArrayRef,
    // Each of the rows that the one before it leaves.
    selections: Vec<Arc<Selection>>,
    dense: OnceLock<ArrayRef>,
}

impl BatchColumn {
    /// A column of just these values.
    pub fn new(values: ArrayRef) -> Self {
        BatchColumn {
            values,
            selections: Vec::new(),
            dense: OnceLock::new(),
        }
    }

    /// The column's values. The first call filters them.
    pub fn dense(&self) -> &ArrayRef {
        let Some((first, others)) = self.selections.split_first() else {
            return &self.values;
        };
        self.dense.get_or_init(|| {
            let once = first.apply(&self.values);
            others.iter().fold(once, |left, next| next.apply(&left))
        })
    }

    /// Some rows of the column. Of a column that has not been filtered only these are read, if they
    /// are few.
    ///
    /// # Errors
    /// `User` if the rows cannot be taken.
    pub fn take(&self, rows: &UInt32Array) -> Result<ArrayRef> {
        let selected = self.selections.last().map_or(0, |last| last.rows());
        if self.is_dense() || rows.len() * 2 > selected || rows.null_count() > 0 {
            return take(self.dense(), rows, None).map_err(arrow_error);
        }
        let rows = self.unfiltered_positions(rows.values());
        take(&self.values, &UInt32Array::from(rows), None).map_err(arrow_error)
    }

    /// Where some rows of the column are in [`BatchColumn::unfiltered`].
    pub fn unfiltered_positions(&self, rows: &[u32]) -> Vec<u32> {
        let mut rows = rows.to_vec();
        if self.is_dense() {
            return rows;
        }
        for selection in self.selections.iter().rev() {
            let positions = selection.positions();
            rows.iter_mut()
                .for_each(|row| *row = positions[*row as usize]);
        }
        rows
    }

    /// Whether a row has the same unfiltered position in another column of its batch.
    pub fn is_filtered_like(&self, other: &BatchColumn) -> bool {
        let same = |(a, b): (&Arc<Selection>, &Arc<Selection>)| Arc::ptr_eq(a, b);
        match (self.is_dense(), other.is_dense()) {
            (false, false) => {
                self.selections.len() == other.selections.len()
                    && self.selections.iter().zip(&other.selections).all(same)
            }
            (dense, other) => dense && other,
        }
    }

    /// The column to keep for long: filtered if less than half of its values are left, so that few
    /// rows do not keep many in memory.
    #[must_use]
    pub fn into_kept(self) -> Self {
        let rows = self.selections.last().map(|last| last.rows());
        if rows.is_some_and(|rows| rows * 2 < self.unfiltered().len()) {
            return BatchColumn::new(self.dense().clone());
        }
        self
    }

    /// The column before it is filtered: its values and others.
    pub fn unfiltered(&self) -> &ArrayRef {
        self.dense.get().unwrap_or(&self.values)
    }

    /// Whether reading it costs nothing.
    pub fn is_dense(&self) -> bool {
        self.selections.is_empty() || self.dense.get().is_some()
    }

    /// The selected rows of the column.
    #[must_use]
    pub fn select(&self, selection: &Arc<Selection>) -> Self {
        if self.is_dense() {
            return BatchColumn {
                values: self.dense().clone(),
                selections: vec![selection.clone()],
                dense: OnceLock::new(),
            };
        }
        let mut column = self.clone();
        column.selections.push(selection.clone());
        column
    }

    /// A part of every value, such as a field of a row: `part` gives as many values as it gets.
    #[must_use]
    pub fn map(&self, part: impl FnOnce(&ArrayRef) -> ArrayRef) -> Self {
        BatchColumn {
            values: part(&self.values),
            selections: self.selections.clone(),
            dense: OnceLock::new(),
        }
    }

    /// Its type.
    pub fn data_type(&self) -> &DataType {
        self.values.data_type()
    }

    /// Whether there may be a NULL in it.
    pub fn may_be_null(&self) -> bool {
        self.values.null_count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;

    fn selection(mask: &[bool]) -> Arc<Selection> {
        Arc::new(Selection::new(BooleanArray::from(mask.to_vec())))
    }

    #[test]
    fn a_selection_of_a_selection_is_of_the_rows_that_were_left() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let column = BatchColumn::new(values);
        let once = column.select(&selection(&[true, false, true, true]));
        assert!(!once.is_dense());
        let twice = once.select(&selection(&[false, true, true]));
        let expected: ArrayRef = Arc::new(Int64Array::from(vec![3, 4]));
        let second: ArrayRef = Arc::new(Int64Array::from(vec![4]));
        assert_eq!(&twice.take(&UInt32Array::from(vec![1])).unwrap(), &second);
        assert!(!twice.is_dense(), "half of the rows were asked for");
        assert_eq!(twice.unfiltered_positions(&[1, 0]), [3, 2]);
        assert_eq!(once.unfiltered_positions(&[1, 0]), [2, 0]);
        assert_eq!(column.unfiltered_positions(&[1, 0]), [1, 0]);
        assert!(twice.is_filtered_like(&twice.clone()));
        assert!(!twice.is_filtered_like(&once) && !once.is_filtered_like(&column));
        assert_eq!(twice.dense(), &expected);
        assert_eq!(&twice.take(&UInt32Array::from(vec![1])).unwrap(), &second);
        assert!(twice.is_dense());
        assert_eq!(twice.unfiltered_positions(&[1, 0]), [1, 0]);
        assert!(twice.is_filtered_like(&column) && !twice.is_filtered_like(&once));
    }
}
