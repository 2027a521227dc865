//! `FIRST_VALUE` and `LAST_VALUE` in order of arrival; NULLs are skipped.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use datafusion_common::ScalarValue;
use thalweg_columnar::Pages;
use thalweg_core::error::{Error, Result};

use super::value::{Value, value_at, values_to_array};
use super::{Accumulator, Input};
use crate::exec::expr::expression_error;

/// The first or last value of a group.
pub struct Positional {
    values: Pages<Option<Value>>,
    last: bool,
    null: ScalarValue,
}

impl Positional {
    /// The first or last value of `data_type`.
    ///
    /// # Errors
    /// `User` for a type that has no scalar form.
    pub fn new(data_type: &DataType, last: bool) -> Result<Self> {
        let null = ScalarValue::try_new_null(data_type).map_err(expression_error)?;
        Ok(Positional {
            values: Pages::new(),
            last,
            null,
        })
    }
}

impl Accumulator for Positional {
    fn resize(&mut self, groups: usize) {
        self.values.grow(groups, None);
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        for (row, group) in input.groups.iter().enumerate() {
            if !input.takes_part(row) {
                continue;
            }
            if input.sign(row) < 0 {
                return Err(Error::unsupported(
                    "FIRST_VALUE and LAST_VALUE over an input with updates",
                ));
            }
            let place = self.values.get_mut(*group);
            if self.last || place.is_none() {
                *place = Some(value_at(&input.args[0], row)?);
            }
        }
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(groups)?])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        for (row, group) in groups.iter().enumerate() {
            let place = self.values.get_mut(*group);
            if state[0].is_valid(row) && (self.last || place.is_none()) {
                *place = Some(value_at(&state[0], row)?);
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.null.data_type()]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        let values = groups.iter().map(|group| self.values.get(*group).as_ref());
        values_to_array(values, &self.null)
    }

    fn clear(&mut self, group: u32) {
        *self.values.get_mut(group) = None;
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(Positional {
            values: self.values.share(),
            last: self.last,
            null: self.null.clone(),
        })
    }
}
