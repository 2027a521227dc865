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
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress};
use thalweg_core::time::ProcessingTime;
use thalweg_core::watermark::{Watermark, WatermarkStatus};

use super::expr::{Expression, evaluate};

/// The operator behind a `WATERMARK` clause.
pub struct WatermarkAssigner {
    expression: Expression,
    idle_after: Option<Duration>,
    last: Watermark,
    idle_timer: Option<ProcessingTime>,
    idle: bool,
}

impl WatermarkAssigner {
    /// Watermarks from `expression`; idle after `idle_after` without a row.
    pub fn new(expression: Expression, idle_after: Option<Duration>) -> Self {
        WatermarkAssigner {
            expression,
            idle_after,
            last: Watermark::MIN,
            idle_timer: None,
            idle: false,
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
        if let Some(at) = self.idle_timer.take() {
            ctx.delete_processing_timer(at);
        }
        if std::mem::take(&mut self.idle) {
            out.emit_status(WatermarkStatus::Active);
        }
        let times = evaluate(&self.expression, batch.records())?;
        let highest = highest_millis(&times)?;
        out.emit(batch);
        if let Some(watermark) = highest.map(Watermark).filter(|w| *w > self.last) {
            self.last = watermark;
            out.emit_watermark(watermark);
        }
        Ok(Progress::Done)
    }

    fn flush(&mut self, ctx: &mut Context, _: &mut Outputs) -> Result<Progress> {
        if let Some(timeout) = self.idle_after
            && !self.idle
            && self.idle_timer.is_none()
        {
            let at = ctx.now() + timeout.max(Duration::from_millis(1));
            ctx.register_processing_timer(at);
            self.idle_timer = Some(at);
        }
        Ok(Progress::Done)
    }

    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        _: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        if self.idle_timer == Some(time) {
            self.idle_timer = None;
            self.idle = true;
            out.emit_status(WatermarkStatus::Idle);
        }
        Ok(Progress::Done)
    }
}
