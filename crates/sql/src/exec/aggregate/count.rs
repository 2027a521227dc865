//! `COUNT(*)` and `COUNT(x)`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::DataType;
use thalweg_core::error::Result;

use super::{Accumulator, Input};

/// Counts rows, or rows whose argument is not NULL.
#[derive(Default)]
pub struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let unknown = input.args.first().is_some_and(|arg| arg.null_count() > 0);
        match input.filter {
            None if input.is_plain() => {
                for group in input.groups {
                    self.counts[*group as usize] += 1;
                }
            }
            Some(filter) if input.kinds.is_none() && !unknown => {
                for row in filter.values().set_indices() {
                    self.counts[input.groups[row] as usize] += 1;
                }
            }
            _ => input.for_each(|_, group, sign| self.counts[group] += sign),
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(groups)?])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        for (group, count) in groups
            .iter()
            .zip(state[0].as_primitive::<Int64Type>().values())
        {
            self.counts[*group as usize] += count;
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let counts = groups.iter().map(|group| self.counts[*group as usize]);
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn clear(&mut self, group: u32) {
        self.counts[group as usize] = 0;
    }
}
