//! Joins two complete sets of rows: what window joins and batch joins do at the end.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::take::take;
use thalweg_columnar::{GroupKeys, arrow_error};
use thalweg_core::error::Result;

use super::expr::{Expression, batch, evaluate_all, evaluate_condition};

/// Which rows a join emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and left rows without one.
    Left,
    /// Pairs, and right rows without one.
    Right,
    /// Pairs, and rows of both sides without one.
    Full,
    /// Left rows that have a pair.
    Semi,
    /// Left rows that have none.
    Anti,
}

impl JoinKind {
    /// Whether left rows without a pair are emitted padded.
    pub fn pads_left(self) -> bool {
        matches!(self, JoinKind::Left | JoinKind::Full)
    }

    /// Whether right rows without a pair are emitted padded.
    pub fn pads_right(self) -> bool {
        matches!(self, JoinKind::Right | JoinKind::Full)
    }

    /// Whether only left columns are emitted.
    pub fn left_only(self) -> bool {
        matches!(self, JoinKind::Semi | JoinKind::Anti)
    }
}

/// What a join is.
#[derive(Clone)]
pub struct JoinSpec {
    /// Which rows are emitted.
    pub kind: JoinKind,
    /// The equated expressions of the left side.
    pub left_keys: Vec<Expression>,
    /// The equated expressions of the right side.
    pub right_keys: Vec<Expression>,
    /// Their common types.
    pub key_types: Vec<DataType>,
    /// A further condition, over left and right columns.
    pub condition: Option<Expression>,
    /// Columns of the left side.
    pub left: SchemaRef,
    /// Columns of the right side.
    pub right: SchemaRef,
    /// Left and right columns together: what the condition reads.
    pub pairs: SchemaRef,
    /// The output's columns.
    pub output: SchemaRef,
}

/// Which rows have a NULL among their keys: they match nothing.
pub fn null_keys(keys: &[ArrayRef]) -> Option<BooleanArray> {
    if keys.iter().all(|key| key.null_count() == 0) {
        return None;
    }
    let rows = keys.first().map_or(0, |key| key.len());
    Some(BooleanArray::from_iter(
        (0..rows).map(|row| Some(keys.iter().any(|key| key.is_null(row)))),
    ))
}

fn gather(records: &RecordBatch, rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
    records
        .columns()
        .iter()
        .map(|c| take(c, rows, None).map_err(arrow_error))
        .collect()
}

fn nulls(schema: &SchemaRef, rows: usize) -> Vec<ArrayRef> {
    schema
        .fields()
        .iter()
        .map(|field| new_null_array(field.data_type(), rows))
        .collect()
}

/// Joins two batches.
///
/// # Errors
/// What an expression fails with.
pub fn hash_join(
    spec: &JoinSpec,
    left: &RecordBatch,
    right: &RecordBatch,
) -> Result<Vec<RecordBatch>> {
    let (left_rows, right_rows) = matching_pairs(spec, left, right)?;
    let mut left_matched = vec![false; left.num_rows()];
    let mut right_matched = vec![false; right.num_rows()];
    for (l, r) in left_rows.values().iter().zip(right_rows.values()) {
        left_matched[*l as usize] = true;
        right_matched[*r as usize] = true;
    }
    let unmatched = |matched: &[bool], wanted: bool| {
        let rows = matched.iter().enumerate().filter(|(_, m)| **m == wanted);
        UInt32Array::from_iter_values(rows.map(|(row, _)| row as u32))
    };
    let mut parts = Vec::new();
    if spec.kind.left_only() {
        let rows = unmatched(&left_matched, spec.kind == JoinKind::Semi);
        parts.push((gather(left, &rows)?, rows.len()));
    } else {
        let mut columns = gather(left, &left_rows)?;
        columns.extend(gather(right, &right_rows)?);
        parts.push((columns, left_rows.len()));
        if spec.kind.pads_left() {
            let rows = unmatched(&left_matched, false);
            let mut columns = gather(left, &rows)?;
            columns.extend(nulls(&spec.right, rows.len()));
            parts.push((columns, rows.len()));
        }
        if spec.kind.pads_right() {
            let rows = unmatched(&right_matched, false);
            let mut columns = nulls(&spec.left, rows.len());
            columns.extend(gather(right, &rows)?);
            parts.push((columns, rows.len()));
        }
    }
    let filled = parts.into_iter().filter(|(_, rows)| *rows > 0);
    filled
        .map(|(columns, rows)| batch(&spec.output, columns, rows))
        .collect()
}

fn matching_pairs(
    spec: &JoinSpec,
    left: &RecordBatch,
    right: &RecordBatch,
) -> Result<(UInt32Array, UInt32Array)> {
    let right_keys = evaluate_all(&spec.right_keys, right)?;
    let left_keys = evaluate_all(&spec.left_keys, left)?;
    let (mut right_groups, mut left_groups) = (Vec::new(), Vec::new());
    let mut keys = GroupKeys::new(spec.key_types.clone());
    keys.intern(&right_keys, right.num_rows(), &mut right_groups)?;
    keys.intern(&left_keys, left.num_rows(), &mut left_groups)?;
    let mut by_key: Vec<Vec<u32>> = vec![Vec::new(); keys.len()];
    let right_nulls = null_keys(&right_keys);
    for (row, group) in right_groups.iter().enumerate() {
        if right_nulls.as_ref().is_none_or(|nulls| !nulls.value(row)) {
            by_key[*group as usize].push(row as u32);
        }
    }
    let left_nulls = null_keys(&left_keys);
    let (mut left_rows, mut right_rows) = (Vec::new(), Vec::new());
    for (row, group) in left_groups.iter().enumerate() {
        if left_nulls.as_ref().is_some_and(|nulls| nulls.value(row)) {
            continue;
        }
        for other in &by_key[*group as usize] {
            left_rows.push(row as u32);
            right_rows.push(*other);
        }
    }
    let (left_rows, right_rows) = (UInt32Array::from(left_rows), UInt32Array::from(right_rows));
    let Some(condition) = &spec.condition else {
        return Ok((left_rows, right_rows));
    };
    let mut columns = gather(left, &left_rows)?;
    columns.extend(gather(right, &right_rows)?);
    let pairs = batch(&spec.pairs, columns, left_rows.len())?;
    let mask = evaluate_condition(condition, &pairs)?;
    let keep = |rows: &UInt32Array| -> Result<UInt32Array> {
        let kept = arrow_select::filter::filter(rows, &mask).map_err(arrow_error)?;
        Ok(UInt32Array::from(kept.to_data()))
    };
    Ok((keep(&left_rows)?, keep(&right_rows)?))
}

/// An `Arc`ed join, shared by the instances of an operator.
pub type SharedJoin = Arc<JoinSpec>;
