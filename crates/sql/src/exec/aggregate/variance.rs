//! `VAR_POP`, `VAR_SAMP`, `STDDEV_POP`, `STDDEV_SAMP`.
//!
//! Kept as count, sum and sum of squares, which can be retracted. The result is a DOUBLE.

use std::sync::Arc;

use arrow::compute::cast;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array};
use arrow_schema::DataType;
use thalweg_columnar::{Pages, arrow_error};
use thalweg_core::error::Result;

use super::{Accumulator, Input};

/// A variance or standard deviation.
pub struct Variance {
    moments: Pages<[f64; 3]>,
    sample: bool,
    root: bool,
}

impl Variance {
    /// Over a sample or a population; with `root` the standard deviation.
    pub fn new(sample: bool, root: bool) -> Self {
        Variance {
            moments: Pages::new(),
            sample,
            root,
        }
    }
}

impl Accumulator for Variance {
    fn resize(&mut self, groups: usize) {
        self.moments.grow(groups, [0.0; 3]);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let values = cast(&input.args[0], &DataType::Float64).map_err(arrow_error)?;
        let values = values.as_primitive::<Float64Type>().values();
        input.for_each(|row, group, sign| {
            let (value, sign) = (values[row], sign as f64);
            let moments = self.moments.get_mut(group);
            moments[0] += sign;
            moments[1] += sign * value;
            moments[2] += sign * value * value;
        });
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let column = |moment: usize| -> ArrayRef {
            let values = groups.iter().map(|group| self.moments.get(*group)[moment]);
            Arc::new(Float64Array::from_iter_values(values))
        };
        Ok((0..3).map(column).collect())
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        for (moment, column) in state.iter().enumerate() {
            let values = column.as_primitive::<Float64Type>().values();
            for (group, value) in groups.iter().zip(values) {
                self.moments.get_mut(*group)[moment] += value;
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Float64; 3]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let values = groups.iter().map(|group| {
            let [count, sum, squares] = *self.moments.get(*group);
            let divisor = if self.sample { count - 1.0 } else { count };
            (divisor > 0.0).then(|| {
                let variance = ((squares - sum * sum / count) / divisor).max(0.0);
                if self.root { variance.sqrt() } else { variance }
            })
        });
        Ok(Arc::new(Float64Array::from_iter(values)))
    }

    fn clear(&mut self, group: u32) {
        *self.moments.get_mut(group) = [0.0; 3];
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(Variance {
            moments: self.moments.share(),
            sample: self.sample,
            root: self.root,
        })
    }
}
