//! `VALUES` and constant queries: a bounded source of given batches.
//!
//! | Contract |                                                     |
//! |----------|-----------------------------------------------------|
//! | Output   | the given rows, from the first instance             |
//! | State    | `done`: whether they were emitted                   |

use arrow_array::RecordBatch;
use thalweg_columnar::ColumnBatch;
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};

/// The source.
pub struct Values(pub Vec<RecordBatch>);

impl SourceFactory for Values {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let batches = if setup.info.index == 0 {
            self.0.clone()
        } else {
            Vec::new()
        };
        let done = setup.states.operator_list("done", Redistribution::Union);
        Ok(Box::new(ValuesReader { batches, done }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

struct ValuesReader {
    batches: Vec<RecordBatch>,
    done: OperatorListState<bool>,
}

impl SourceReader for ValuesReader {
    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let done = self.done.get_mut(ctx.states_mut());
        if !done.is_empty() {
            return Ok(Poll::End);
        }
        done.push(true);
        for records in &self.batches {
            out.emit(Box::new(ColumnBatch::insertions(records.clone())));
        }
        Ok(Poll::Ready)
    }
}
