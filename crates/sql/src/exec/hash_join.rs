//! Joins two complete sets of rows: what window joins and batch joins do at the end.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::take::take;
use thalweg_columnar::{BatchColumn, arrow_error};
use thalweg_core::error::Result;

use super::expr::batch;
use super::join_codes::{KeyCodes, is_exact};
use super::join_index::RowIndex;
use super::join_pairs::{PairCondition, PairSide, Pairs, retain};

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
    /// The equated columns of the left side.
    pub left_keys: Vec<usize>,
    /// The equated columns of the right side.
    pub right_keys: Vec<usize>,
    /// Their common types.
    pub key_types: Vec<DataType>,
    /// A further condition, over left and right columns.
    pub condition: Option<PairCondition>,
    /// Columns of the left side.
    pub left: SchemaRef,
    /// Columns of the right side.
    pub right: SchemaRef,
    /// The columns that are emitted: left ones are numbered first.
    pub wanted: Vec<usize>,
    /// The output's columns.
    pub output: SchemaRef,
    /// The side (0 or 1) whose rows every instance gets, so that those of the other side can stay
    /// where they are. A padded row of this side would be emitted by every instance: it has none.
    pub broadcast: Option<usize>,
    /// How long a row lives after it came, in processing time; `None` for ever.
    pub ttl: Option<Duration>,
}

impl JoinSpec {
    /// The pairs of key columns that are compared where the codes of keys are equal.
    pub fn compared_keys(&self) -> Vec<(usize, usize)> {
        if is_exact(&self.key_types) {
            return Vec::new();
        }
        let left = self.left_keys.iter().copied();
        left.zip(self.right_keys.iter().copied()).collect()
    }
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
    let (left_rows, right_rows, mut pairs) = matching_pairs(spec, left, right)?;
    let mut left_matched = vec![false; left.num_rows()];
    let mut right_matched = vec![false; right.num_rows()];
    left_rows
        .iter()
        .for_each(|row| left_matched[*row as usize] = true);
    right_rows
        .iter()
        .for_each(|row| right_matched[*row as usize] = true);
    let unmatched = |matched: &[bool], wanted: bool| {
        let rows = matched.iter().enumerate().filter(|(_, m)| **m == wanted);
        UInt32Array::from_iter_values(rows.map(|(row, _)| row as u32))
    };
    let width = left.num_columns();
    // Rows of one side without a match of the other.
    let alone = |records: &RecordBatch, rows: &UInt32Array, first: usize| {
        let wanted = spec.wanted.iter().zip(spec.output.fields());
        let columns = wanted.map(|(at, field)| match at.checked_sub(first) {
            Some(at) if at < records.num_columns() => {
                take(records.column(at), rows, None).map_err(arrow_error)
            }
            _ => Ok(new_null_array(field.data_type(), rows.len())),
        });
        columns.collect::<Result<Vec<ArrayRef>>>()
    };
    let mut parts = Vec::new();
    if spec.kind.left_only() {
        let rows = unmatched(&left_matched, spec.kind == JoinKind::Semi);
        parts.push((alone(left, &rows, 0)?, rows.len()));
    } else {
        parts.push((pairs.columns(&spec.wanted)?, left_rows.len()));
        if spec.kind.pads_left() {
            let rows = unmatched(&left_matched, false);
            parts.push((alone(left, &rows, 0)?, rows.len()));
        }
        if spec.kind.pads_right() {
            let rows = unmatched(&right_matched, false);
            parts.push((alone(right, &rows, width)?, rows.len()));
        }
    }
    let filled = parts.into_iter().filter(|(_, rows)| *rows > 0);
    filled
        .map(|(columns, rows)| batch(&spec.output, columns, rows))
        .collect()
}

type Matching<'a> = (Vec<u32>, Vec<u32>, Pairs<'a>);

fn matching_pairs<'a>(
    spec: &JoinSpec,
    left: &'a RecordBatch,
    right: &'a RecordBatch,
) -> Result<Matching<'a>> {
    let side_by_side = |left_rows: &[u32], right_rows: &[u32]| {
        let rows = left_rows.len();
        let left = PairSide::rows(left, left_rows);
        Pairs::new(left, PairSide::rows(right, right_rows), rows)
    };
    let (mut left_rows, mut right_rows) = (Vec::new(), Vec::new());
    let Some(keys) = telling_keys(spec, left, right)? else {
        let pairs = side_by_side(&[], &[]);
        return Ok((left_rows, right_rows, pairs));
    };
    let columns = |records: &RecordBatch, keys: &mut dyn Iterator<Item = usize>| {
        let columns = keys.map(|key| BatchColumn::new(records.column(key).clone()));
        let columns: Vec<BatchColumn> = columns.collect();
        KeyCodes::new(&columns, records.num_rows())
    };
    let left_codes = columns(left, &mut keys.iter().map(|key| spec.left_keys[*key]))?;
    let right_codes = columns(right, &mut keys.iter().map(|key| spec.right_keys[*key]))?;
    let index = RowIndex::of(&right_codes);
    let (mut hits, mut newest) = (Vec::new(), Vec::new());
    index.probe(&left_codes, &mut hits, &mut newest);
    for (row, newest) in hits.into_iter().zip(newest) {
        index.chain(newest, &mut right_rows);
        left_rows.resize(right_rows.len(), row);
    }
    let mut pairs = side_by_side(&left_rows, &right_rows);
    if left_rows.is_empty() {
        return Ok((left_rows, right_rows, pairs));
    }
    let types: Vec<DataType> = keys
        .iter()
        .map(|key| spec.key_types[*key].clone())
        .collect();
    let compared = if is_exact(&types) {
        Vec::new()
    } else {
        spec.compared_keys()
    };
    if let Some(mask) = pairs.matching(&compared, spec.condition.as_ref())? {
        retain(&mut left_rows, &mask);
        retain(&mut right_rows, &mask);
        let gathered = pairs.filtered(&mask)?;
        pairs = side_by_side(&left_rows, &right_rows).with_gathered(gathered);
    }
    Ok((left_rows, right_rows, pairs))
}

/// The keys that can tell rows apart: of a window join, not the window's bounds, which are those
/// of all rows. `None` if a key has one value left and another right, so that nothing matches.
fn telling_keys(
    spec: &JoinSpec,
    left: &RecordBatch,
    right: &RecordBatch,
) -> Result<Option<Vec<usize>>> {
    let mut telling = Vec::new();
    for (key, data_type) in spec.key_types.iter().enumerate() {
        let column = |records: &RecordBatch, at: usize| {
            let column = BatchColumn::new(records.column(at).clone());
            KeyCodes::new(&[column], records.num_rows())
        };
        let constant = |codes: &KeyCodes| {
            let range = codes.tight();
            range.lowest == range.highest && !codes.has_nulls()
        };
        if is_exact(std::slice::from_ref(data_type)) {
            let left = column(left, spec.left_keys[key])?;
            let right = column(right, spec.right_keys[key])?;
            if constant(&left) && constant(&right) {
                if left.tight() != right.tight() {
                    return Ok(None);
                }
                continue;
            }
        }
        telling.push(key);
    }
    Ok(Some(telling))
}

/// An `Arc`ed join, shared by the instances of an operator.
pub type SharedJoin = Arc<JoinSpec>;
