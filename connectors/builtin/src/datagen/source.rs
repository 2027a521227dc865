//! The source.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Output   | the rows of the instance's blocks of 16, in order                           |
//! | State    | `blocks`: operator list, how far each class of blocks is; dealt out anew    |
//! | Clock    | limits the rows a second; gives dates and times                             |
//! | Source   | Flink SQL, DataGen                                                          |

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use thalweg_columnar::connector::{ScanRequest, TableSpec};
use thalweg_columnar::{ColumnBatch, arrow_error};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::ProcessingTime;

use super::field_options::FieldOptions;
use super::fields::FieldPlan;
use super::values;
use crate::blocks::{Blocks, Progress};
use crate::options::{parsed, wrong};
use crate::random::Sequence;
use crate::throttle::{Grant, Throttle};

// Small, so that few rows a second come in about the order of their numbers.
const BLOCK_ROWS: u64 = 16;

/// What all instances have in common.
struct Plan {
    /// The columns that are read.
    schema: SchemaRef,
    columns: Vec<(FieldPlan, Sequence)>,
    rows_per_second: u64,
    bounded: bool,
    blocks: Blocks,
}

/// The source's factory.
pub struct DataGenSource(Arc<Plan>);

impl DataGenSource {
    /// A source for a table.
    ///
    /// # Errors
    /// `User` for wrong options, `Unsupported` for types that are not generated.
    pub fn new(table: &TableSpec, scan: &ScanRequest) -> Result<Self> {
        if !scan.metadata.is_empty() {
            return Err(Error::unsupported(
                "metadata columns of the datagen connector",
            ));
        }
        let key = "rows-per-second";
        let what = "a whole number above 0";
        let rows_per_second = parsed(table, key, what)?.unwrap_or(10_000);
        if rows_per_second == 0 {
            return Err(wrong(table, key, "0", what));
        }
        let seed = parsed(table, "seed", "a whole number that is not negative")?.unwrap_or(0);
        let number_of_rows: Option<u64> = parsed(table, "number-of-rows", "a number of rows")?;
        let options = FieldOptions::new(table);
        let mut plans = Vec::new();
        for (field, at) in table.schema.fields().iter().zip(0..) {
            let plan = FieldPlan::new(field, &options)?;
            plans.push((plan, Sequence::new(seed, at)));
        }
        options.check_all_used()?;
        // Columns that are not read end the table all the same.
        let ends = plans.iter().filter_map(|(plan, _)| plan.rows);
        let end = ends.chain(number_of_rows).min();
        let columns = scan.projection.iter().map(|at| plans.get(*at).cloned());
        let columns: Option<Vec<(FieldPlan, Sequence)>> = columns.collect();
        let schema = table.schema.project(&scan.projection);
        Ok(DataGenSource(Arc::new(Plan {
            schema: Arc::new(schema.map_err(arrow_error)?),
            columns: columns.ok_or_else(|| Error::internal("a scan reads unknown columns"))?,
            rows_per_second,
            bounded: end.is_some(),
            blocks: Blocks {
                size: BLOCK_ROWS,
                end: end.unwrap_or(u64::MAX),
            },
        })))
    }
}

impl SourceFactory for DataGenSource {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let plan = self.0.clone();
        let parallelism = setup.info.parallelism;
        Ok(Box::new(DataGenReader {
            own: plan.blocks.deal(setup.info.index, parallelism),
            left: setup.states.operator_list("blocks", Redistribution::Split),
            throttle: Throttle::new(plan.rows_per_second, parallelism),
            rows: Vec::new(),
            plan,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        if self.0.bounded {
            Boundedness::Bounded
        } else {
            Boundedness::Unbounded
        }
    }
}

struct DataGenReader {
    plan: Arc<Plan>,
    own: Vec<Progress>,
    left: OperatorListState<Progress>,
    throttle: Throttle,
    /// The numbers of a batch's rows.
    rows: Vec<u64>,
}

impl SourceReader for DataGenReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            *self.left.get_mut(ctx.states_mut()) = std::mem::take(&mut self.own);
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let now = ctx.now();
        let left = self.left.get_mut(ctx.states_mut());
        if left.is_empty() {
            return Ok(Poll::End);
        }
        let rows_max = match self.throttle.grant(now, out.rows_max()) {
            Grant::Rows(granted) => granted,
            Grant::Wait(until) => return Ok(Poll::Idle { until: Some(until) }),
        };
        self.rows.clear();
        let blocks = &self.plan.blocks;
        while self.rows.len() < rows_max
            && let Some((at, mut rows)) = blocks.earliest(left)
        {
            let room = (rows_max - self.rows.len()) as u64;
            rows.end = rows.end.min(rows.start.saturating_add(room));
            self.rows.extend(rows.clone());
            blocks.advance(left, at, rows);
        }
        self.throttle.give_back(rows_max - self.rows.len());
        let batch = self.plan.batch(&self.rows, now)?;
        out.emit(Box::new(ColumnBatch::insertions(batch)));
        Ok(Poll::Ready)
    }
}

impl Plan {
    fn batch(&self, rows: &[u64], now: ProcessingTime) -> Result<RecordBatch> {
        let columns: std::result::Result<Vec<ArrayRef>, _> = self
            .columns
            .iter()
            .zip(self.schema.fields())
            .map(|((plan, random), field)| {
                values::column(plan, field.data_type(), *random, rows, now)
            })
            .collect();
        let columns = columns.map_err(arrow_error)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(arrow_error)
    }
}
