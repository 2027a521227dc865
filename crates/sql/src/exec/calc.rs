//! Filters rows and computes columns.
//!
//! | Contract |                                                                            |
//! |----------|----------------------------------------------------------------------------|
//! | Input    | any changelog                                                              |
//! | Output   | the rows that meet the condition, with the computed columns, in order      |
//! | State    | none                                                                       |
//! | Updates  | a `-U +U` pair of which one row passes becomes a single `-D` or `+I`       |
//! | Cost     | one pass a column; a column that is passed on is not touched               |
//! | Source   | Flink SQL, `StreamPhysicalCalc`                                            |

use arrow_array::BooleanArray;
use arrow_schema::SchemaRef;
use thalweg_columnar::{ColumnBatch, RowKind, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::Result;
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress};

use super::expr::{Expression, batch, evaluate_all, evaluate_condition};

/// What the condition and the projection read of the input, at no cost.
#[derive(Clone)]
pub struct Leaves {
    /// Columns and fields of rows.
    pub expressions: Vec<Expression>,
    /// Their schema.
    pub schema: SchemaRef,
    /// How many of them the projection reads; the others are the condition's alone.
    pub wanted: usize,
}

/// A filter and a projection, either of which may be missing.
#[derive(Clone)]
pub struct Calc {
    /// What the others are expressions over; `None` is the input itself.
    pub leaves: Option<Leaves>,
    /// Rows that do not meet it are dropped.
    pub condition: Option<Expression>,
    /// The output's columns; `None` passes the input's.
    pub projection: Option<Vec<Expression>>,
    /// The output's schema.
    pub schema: SchemaRef,
}

impl Calc {
    /// Applies filter and projection to a batch.
    ///
    /// # Errors
    /// What an expression fails with.
    pub fn apply(&self, input: ColumnBatch) -> Result<ColumnBatch> {
        let (input, wanted) = match &self.leaves {
            Some(leaves) => {
                let rows = input.num_rows();
                let columns = evaluate_all(&leaves.expressions, input.records())?;
                let records = batch(&leaves.schema, columns, rows)?;
                (input.with_records(records), Some(leaves.wanted))
            }
            None => (input, None),
        };
        let kept = match &self.condition {
            Some(condition) => {
                let mask = evaluate_condition(condition, input.records())?;
                filter_changelog(only(input, wanted)?, &mask)?
            }
            None => input,
        };
        let Some(projection) = &self.projection else {
            return Ok(kept);
        };
        let rows = kept.num_rows();
        let columns = evaluate_all(projection, kept.records())?;
        let records = batch(&self.schema, columns, rows)?;
        Ok(kept.with_records(records))
    }
}

/// The first columns of a batch: what only the condition reads is not filtered.
fn only(input: ColumnBatch, wanted: Option<usize>) -> Result<ColumnBatch> {
    let Some(wanted) = wanted.filter(|wanted| *wanted < input.records().num_columns()) else {
        return Ok(input);
    };
    let columns: Vec<usize> = (0..wanted).collect();
    let records = input.records().project(&columns).map_err(arrow_error)?;
    Ok(input.with_records(records))
}

/// Filters a changelog so that it stays whole.
fn filter_changelog(input: ColumnBatch, mask: &BooleanArray) -> Result<ColumnBatch> {
    if input.kinds().is_none() || mask.true_count() == mask.len() {
        return input.filter(mask);
    }
    let (records, kinds) = input.into_parts();
    let mut kinds = kinds.unwrap_or_default();
    for row in 1..kinds.len() {
        let pair = kinds[row - 1] == RowKind::UpdateBefore as u8
            && kinds[row] == RowKind::UpdateAfter as u8;
        if pair && mask.value(row - 1) != mask.value(row) {
            kinds[row - 1] = RowKind::Delete as u8;
            kinds[row] = RowKind::Insert as u8;
        }
    }
    ColumnBatch::changelog(records, kinds).filter(mask)
}

impl BatchOperator for Calc {
    fn process(
        &mut self,
        _: usize,
        batch: Payload,
        _: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let result = self.apply(*downcast::<ColumnBatch>(batch)?)?;
        out.emit(Box::new(result));
        Ok(Progress::Done)
    }
}
