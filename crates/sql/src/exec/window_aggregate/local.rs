//! The local phase of a window aggregation: each batch is aggregated before it is exchanged.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | insertions with a time column                                               |
//! | Output   | partial aggregates: one a key and slice of the batch                        |
//! | Late     | passed on: the final phase knows                                            |
//! | State    | none: nothing outlives its batch, so an idle input holds nothing back       |
//! | Cost     | one look-up a row in a table that fits the cache; where most rows of a batch |
//! |          | have a key of their own, rows become partial aggregates without a look-up    |
//! | Source   | Flink SQL, Performance Tuning, Local-Global Aggregation                     |

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::{DataType, SchemaRef};
use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::Result;
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress};

use super::WindowAggregateSpec;
use super::partials;
use super::rows::{Rows, range};
use super::slices::Slice;
use crate::exec::expr::{batch, evaluate};
use crate::exec::window_spec::to_millis;

// So many batches tell whether looking keys up is worth it; if not, so many are not looked up.
const BATCHES_TRIED: u32 = 8;
const BATCHES_SKIPPED: u32 = 256;

/// The operator.
pub struct LocalWindowAggregate {
    spec: WindowAggregateSpec,
    schema: SchemaRef,
    groups: Vec<u32>,
    groups_last: usize,
    gain: Gain,
}

impl LocalWindowAggregate {
    /// An operator without state; `spec` is that of the final phase.
    ///
    /// # Errors
    /// `User` for argument types that an aggregate does not take.
    pub fn new(spec: WindowAggregateSpec) -> Result<Self> {
        Ok(LocalWindowAggregate {
            schema: partials::schema(&spec)?,
            spec,
            groups: Vec::new(),
            groups_last: 0,
            gain: Gain::default(),
        })
    }

    fn aggregate(&mut self, input: &ColumnBatch) -> Result<Option<ColumnBatch>> {
        let times = to_millis(&evaluate(&self.spec.time, input.records())?)?;
        let Some((low, high)) = range(&times)? else {
            return Ok(None);
        };
        let window = self.spec.window;
        let (first, last) = (window.slice_end(low), window.slice_end(high));
        let rows = Rows::of(&self.spec, input)?;
        if first == last {
            let types = self.spec.key_types.clone();
            let (mut keys, slice) = self.reduce(&rows, rows.keys.clone(), types, times.len())?;
            keys.push(Arc::new(Int64Array::from_value(first, slice.len())));
            return self.partials(keys, &slice).map(Some);
        }
        let ends: Int64Array = times.unary(|time| window.slice_end(time));
        let mut keys = rows.keys.clone();
        keys.push(Arc::new(ends));
        let mut types = self.spec.key_types.clone();
        types.push(DataType::Int64);
        let (keys, slice) = self.reduce(&rows, keys, types, times.len())?;
        self.partials(keys, &slice).map(Some)
    }

    /// The groups of some rows, with their key columns.
    fn reduce(
        &mut self,
        rows: &Rows<'_>,
        keys: Vec<ArrayRef>,
        types: Vec<DataType>,
        count: usize,
    ) -> Result<(Vec<ArrayRef>, Slice)> {
        let mut slice = Slice::with_keys(&self.spec, types, self.groups_last)?;
        self.groups.clear();
        let look_up = self.spec.key_types.is_empty() || self.gain.is_expected();
        if !look_up {
            self.groups.extend(0..count as u32);
            slice.grow(count);
            rows.add_to(&mut slice, &self.groups)?;
            return Ok((keys, slice));
        }
        slice.intern(&keys, count, &mut self.groups)?;
        rows.add_to(&mut slice, &self.groups)?;
        self.groups_last = slice.len();
        self.gain.note(count, slice.len());
        let groups: Vec<u32> = (0..slice.len() as u32).collect();
        Ok((slice.key_columns(&groups)?, slice))
    }

    fn partials(&self, mut columns: Vec<ArrayRef>, slice: &Slice) -> Result<ColumnBatch> {
        let groups: Vec<u32> = (0..slice.len() as u32).collect();
        columns.extend(slice.accumulators.state(&groups)?);
        let records = batch(&self.schema, columns, groups.len())?;
        Ok(ColumnBatch::insertions(records))
    }
}

impl BatchOperator for LocalWindowAggregate {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        _: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        if let Some(partials) = self.aggregate(&input)? {
            out.emit(Box::new(partials));
        }
        Ok(Progress::Done)
    }
}

/// Whether batches have far fewer keys than rows, as far as the last ones tell.
#[derive(Default)]
struct Gain {
    tried: u32,
    rows: usize,
    groups: usize,
    skipped: u32,
}

impl Gain {
    /// Whether the next batch should be looked up.
    fn is_expected(&mut self) -> bool {
        let skip = self.skipped > 0;
        self.skipped = self.skipped.saturating_sub(1);
        !skip
    }

    /// Notes what looking a batch up has brought.
    fn note(&mut self, rows: usize, groups: usize) {
        self.tried += 1;
        self.rows += rows;
        self.groups += groups;
        if self.tried == BATCHES_TRIED {
            let skipped = if self.groups * 2 > self.rows {
                BATCHES_SKIPPED
            } else {
                0
            };
            *self = Gain {
                skipped,
                ..Gain::default()
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_without_repeated_keys_are_not_looked_up_but_tried_again() {
        let mut gain = Gain::default();
        for _ in 0..BATCHES_TRIED {
            assert!(gain.is_expected());
            gain.note(100, 60);
        }
        for _ in 0..BATCHES_SKIPPED {
            assert!(!gain.is_expected());
        }
        for _ in 0..3 * BATCHES_TRIED {
            assert!(gain.is_expected());
            gain.note(100, 40);
        }
    }
}
