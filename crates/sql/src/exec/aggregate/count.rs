//! `COUNT(*)` and `COUNT(x)`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::DataType;
use thalweg_columnar::Pages;
use thalweg_core::error::Result;

use super::{Accumulator, Input};

/// Counts rows, or rows whose argument is not NULL.
#[derive(Default)]
pub struct Count {
    counts: Pages<i64>,
}

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.counts.grow(groups, 0);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let unknown = input.args.first().is_some_and(|arg| arg.null_count() > 0);
        match input.filter {
            None if input.is_plain() => {
                self.counts
                    .for_each_mut(input.groups, |_, count| *count += 1);
            }
            Some(filter) if input.kinds.is_none() && !unknown => {
                for row in filter.values().set_indices() {
                    *self.counts.get_mut(input.groups[row]) += 1;
                }
            }
            _ => input.for_each(|_, group, sign| *self.counts.get_mut(group) += sign),
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(groups)?])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let states = state[0].as_primitive::<Int64Type>().values();
        self.counts
            .for_each_mut(groups, |row, count| *count += states[row]);
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let counts = groups.iter().map(|group| *self.counts.get(*group));
        Ok(Arc::new(Int64Array::from_iter_values(counts)))
    }

    fn clear(&mut self, group: u32) {
        *self.counts.get_mut(group) = 0;
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(Count {
            counts: self.counts.share(),
        })
    }
}
