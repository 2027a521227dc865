//! The rows of a batch, by slice.

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef, Int64Array};
use thalweg_columnar::ColumnBatch;
use thalweg_core::error::{Error, Result};

use super::WindowAggregateSpec;
use super::slices::Slice;
use crate::exec::aggregate::{EvaluatedCall, evaluate_calls};
use crate::exec::expr::evaluate_all;

/// Which rows of a batch belong to which slice.
pub(super) enum Split {
    /// There are no rows.
    Empty,
    /// All to the slice with this end.
    One(i64),
    /// Row numbers by the end of their slice.
    Several(BTreeMap<i64, Vec<u32>>),
}

/// Splits rows by their times (milliseconds); `slice_end` never falls when the time rises.
///
/// # Errors
/// `User` for a NULL.
pub(super) fn split(times: &Int64Array, slice_end: impl Fn(i64) -> i64) -> Result<Split> {
    let Some((low, high)) = range(times)? else {
        return Ok(Split::Empty);
    };
    if slice_end(low) == slice_end(high) {
        return Ok(Split::One(slice_end(low)));
    }
    let mut rows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    for (row, time) in times.values().iter().enumerate() {
        rows.entry(slice_end(*time)).or_default().push(row as u32);
    }
    Ok(Split::Several(rows))
}

/// The lowest and the highest time.
///
/// # Errors
/// `User` for a NULL.
pub(super) fn range(times: &Int64Array) -> Result<Option<(i64, i64)>> {
    if times.null_count() > 0 {
        return Err(Error::user(
            "the time attribute of a window is NULL; rows need a timestamp",
        ));
    }
    let bounds = |(low, high): (i64, i64), time: &i64| (low.min(*time), high.max(*time));
    let (low, high) = times.values().iter().fold((i64::MAX, i64::MIN), bounds);
    Ok((low <= high).then_some((low, high)))
}

/// Rows with what an aggregate needs of them.
pub(super) struct Rows<'a> {
    /// The key columns.
    pub keys: Vec<ArrayRef>,
    calls: Vec<EvaluatedCall>,
    kinds: Option<&'a [u8]>,
}

impl<'a> Rows<'a> {
    pub fn of(spec: &WindowAggregateSpec, input: &'a ColumnBatch) -> Result<Self> {
        let records = input.records();
        Ok(Rows {
            keys: evaluate_all(&spec.keys, records)?,
            calls: evaluate_calls(&spec.calls, records)?,
            kinds: input.kinds(),
        })
    }

    /// Adds each row to its group.
    pub fn add_to(&self, slice: &mut Slice, groups: &[u32]) -> Result<()> {
        slice.accumulators.update(&self.calls, groups, self.kinds)
    }
}
