//! `LIMIT` without an order: passes the first rows.
//!
//! | Contract |                                                              |
//! |----------|--------------------------------------------------------------|
//! | Input    | insertions                                                   |
//! | Output   | after `skip` rows, the next `fetch`                          |
//! | State    | `seen`: how many rows came                                   |
//! | Source   | Flink SQL, LIMIT over insertions                             |

use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::{OperatorListState, Redistribution};

/// The operator; runs in one instance.
pub struct Limit {
    skip: u64,
    fetch: Option<u64>,
    seen: OperatorListState<u64>,
}

impl Limit {
    /// Declares the state.
    pub fn new(skip: u64, fetch: Option<u64>, setup: &mut Setup<'_>) -> Self {
        Limit {
            skip,
            fetch,
            seen: setup.states.operator_list("seen", Redistribution::Split),
        }
    }
}

impl BatchOperator for Limit {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        if input.kinds().is_some() {
            return Err(Error::unsupported(
                "LIMIT without ORDER BY over an input with updates",
            ));
        }
        let seen = self.seen.get_mut(ctx.states_mut());
        let before: u64 = seen.iter().sum();
        let rows = input.num_rows() as u64;
        seen.clear();
        seen.push(before + rows);
        let start = self.skip.saturating_sub(before).min(rows);
        let last = self
            .fetch
            .map_or(u64::MAX, |fetch| self.skip.saturating_add(fetch));
        let end = last.saturating_sub(before).min(rows);
        if start < end {
            // Both are at most the batch's length.
            out.emit(Box::new(
                input.slice(start as usize, (end - start) as usize),
            ));
        }
        Ok(Progress::Done)
    }
}
