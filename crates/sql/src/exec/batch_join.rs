//! A join over bounded input that emits final rows only.
//!
//! | Contract |                                                        |
//! |----------|--------------------------------------------------------|
//! | Input    | two bounded streams of insertions, keyed by the join key |
//! | Output   | the joined rows, at the end                            |
//! | State    | `left`, `right`: all rows                              |
//! | Source   | SQL standard                                           |

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use thalweg_columnar::{ColumnBatch, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::TableHandle;

use super::hash_join::{SharedJoin, hash_join};
use super::sort::BatchTable;

/// The operator.
pub struct BatchJoin {
    spec: SharedJoin,
    sides: [TableHandle<BatchTable>; 2],
    ready: VecDeque<RecordBatch>,
}

impl BatchJoin {
    /// Declares the state.
    pub fn new(spec: SharedJoin, setup: &mut Setup<'_>) -> Self {
        let left = setup
            .states
            .table("left", BatchTable::new(spec.left.clone()));
        let right = setup
            .states
            .table("right", BatchTable::new(spec.right.clone()));
        BatchJoin {
            spec,
            sides: [left, right],
            ready: VecDeque::new(),
        }
    }

    fn emit(&mut self, out: &mut Outputs) -> Progress {
        while let Some(records) = self.ready.pop_front() {
            let max = out.rows_max();
            let rows = records.num_rows();
            if rows > max {
                self.ready.push_front(records.slice(max, rows - max));
            }
            out.emit(Box::new(ColumnBatch::insertions(
                records.slice(0, rows.min(max)),
            )));
            if out.is_full() && !self.ready.is_empty() {
                return Progress::Pending;
            }
        }
        Progress::Done
    }
}

impl BatchOperator for BatchJoin {
    fn process(
        &mut self,
        port: usize,
        payload: Payload,
        ctx: &mut Context,
        _: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        if input.kinds().is_some() {
            return Err(Error::internal("a batch join met an update"));
        }
        ctx.states_mut()
            .get_mut(&self.sides[port])
            .push(input.into_parts().0);
        Ok(Progress::Done)
    }

    fn resume(&mut self, _: &mut Context, out: &mut Outputs) -> Result<Progress> {
        Ok(self.emit(out))
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        let left = ctx.states_mut().get_mut(&self.sides[0]).take();
        let right = ctx.states_mut().get_mut(&self.sides[1]).take();
        let left = concat_batches(&self.spec.left, &left).map_err(arrow_error)?;
        let right = concat_batches(&self.spec.right, &right).map_err(arrow_error)?;
        self.ready = hash_join(&self.spec, &left, &right)?.into();
        Ok(self.emit(out))
    }
}
