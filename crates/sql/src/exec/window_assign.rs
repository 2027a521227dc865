//! A window table-valued function by itself: adds `window_start`, `window_end`, `window_time`.
//!
//! | Contract |                                                                            |
//! |----------|----------------------------------------------------------------------------|
//! | Input    | any changelog with a time column                                           |
//! | Output   | every row once a window it belongs to, or, for an aggregate behind it, once |
//! |          | with its time passed on                                                    |
//! | Late     | nothing is dropped here: operators that need the window decide             |
//! | State    | none                                                                       |
//! | Source   | Flink SQL, windowing table-valued functions                                |

use arrow_array::{Array, UInt32Array};
use arrow_schema::SchemaRef;
use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress};

use super::expr::{Expression, batch, evaluate};
use super::window_spec::{WindowSpec, from_millis, to_millis};

/// The operator.
#[derive(Clone)]
pub struct WindowAssign {
    /// The windows; not sessions, which need state.
    pub window: WindowSpec,
    /// The time column.
    pub time: Expression,
    /// The input's columns, then start, end and time of the window.
    pub schema: SchemaRef,
}

impl WindowAssign {
    fn assign(&self, input: &ColumnBatch) -> Result<ColumnBatch> {
        let times = to_millis(&evaluate(&self.time, input.records())?)?;
        if times.null_count() > 0 {
            return Err(Error::user(
                "the time attribute of a window is NULL; rows need a timestamp",
            ));
        }
        let (mut rows, mut ends) = (Vec::new(), Vec::new());
        for (row, time) in times.values().iter().enumerate() {
            for end in self.window.windows_of_slice(self.window.slice_end(*time)) {
                rows.push(row as u32);
                ends.push(end);
            }
        }
        let repeated = if rows.len() == input.num_rows() {
            input.clone()
        } else {
            input.take(&UInt32Array::from(rows))?
        };
        let mut columns = repeated.records().columns().to_vec();
        let fields = &self.schema.fields()[columns.len()..];
        let start = |end: &i64| self.window.window_start(*end);
        columns.push(from_millis(ends.iter().map(start), fields[0].data_type())?);
        columns.push(from_millis(ends.iter().copied(), fields[1].data_type())?);
        columns.push(from_millis(
            ends.iter().map(|end| end - 1),
            fields[2].data_type(),
        )?);
        let records = batch(&self.schema, columns, ends.len())?;
        Ok(repeated.with_records(records))
    }
}

impl BatchOperator for WindowAssign {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        _: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        out.emit(Box::new(self.assign(&input)?));
        Ok(Progress::Done)
    }
}
