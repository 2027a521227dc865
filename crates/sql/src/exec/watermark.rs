//! Emits watermarks computed by the table's `WATERMARK FOR … AS` expression.
//!
//! | Contract |                                                                          |
//! |----------|--------------------------------------------------------------------------|
//! | Input    | insertions, any order                                                    |
//! | Output   | all rows, then the watermark if it rose                                  |
//! | State    | none                                                                     |
//! | Timers   | processing time, for idleness                                            |
//! | Meaning  | the watermark is the highest value of the expression so far, as it is:   |
//! |          | `AS ts` makes a later row with an equal time late (strict)               |
//! | Source   | Flink SQL, `WATERMARK` clause                                            |

use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, WatermarkOutput};
use thalweg_core::time::ProcessingTime;
use thalweg_core::watermark::Watermark;

use super::expr::{Expression, evaluate};

/// The operator behind a `WATERMARK` clause.
pub struct WatermarkAssigner {
    rule: WatermarkRule,
    watermarks: WatermarkOutput,
}

/// What a watermark is computed by.
#[derive(Clone)]
pub enum WatermarkRule {
    /// A column less a constant: one look at the batch's highest time will do.
    Bounded {
        /// The time column.
        column: Expression,
        /// Milliseconds to stay behind it.
        delay: i64,
    },
    /// Any expression, computed for every row.
    Computed(Expression),
}

impl WatermarkRule {
    fn highest(&self, batch: &RecordBatch) -> Result<Option<i64>> {
        match self {
            WatermarkRule::Bounded { column, delay } => {
                let highest = highest_millis(&evaluate(column, batch)?)?;
                Ok(highest.map(|millis| millis.saturating_sub(*delay)))
            }
            WatermarkRule::Computed(expression) => highest_millis(&evaluate(expression, batch)?),
        }
    }
}

impl WatermarkAssigner {
    /// Watermarks by a rule; idle after `idle_after` without a row.
    pub fn new(rule: WatermarkRule, idle_after: Option<Duration>) -> Self {
        WatermarkAssigner {
            rule,
            watermarks: WatermarkOutput::new(idle_after),
        }
    }
}

/// The highest time of a column, in milliseconds, rounded down.
pub fn highest_millis(array: &ArrayRef) -> Result<Option<i64>> {
    use arrow::compute::max;
    let highest = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            max(array.as_primitive::<TimestampSecondType>()).map(|s| s.saturating_mul(1000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            max(array.as_primitive::<TimestampMillisecondType>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            max(array.as_primitive::<TimestampMicrosecondType>()).map(|us| us.div_euclid(1000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            max(array.as_primitive::<TimestampNanosecondType>()).map(|ns| ns.div_euclid(1_000_000))
        }
        other => {
            return Err(Error::user(format!(
                "a watermark must be a TIMESTAMP, not `{other}`"
            )));
        }
    };
    Ok(highest)
}

impl BatchOperator for WatermarkAssigner {
    fn process(
        &mut self,
        _: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let batch = downcast::<ColumnBatch>(batch)?;
        self.watermarks.wake(ctx, out);
        let highest = self.rule.highest(batch.records())?;
        out.emit(batch);
        self.watermarks.advance(highest.map(Watermark), out);
        Ok(Progress::Done)
    }

    fn flush(&mut self, ctx: &mut Context, _: &mut Outputs) -> Result<Progress> {
        self.watermarks.run_dry(ctx);
        Ok(Progress::Done)
    }

    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        _: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.watermarks.on_processing_timer(time, out);
        Ok(Progress::Done)
    }
}
