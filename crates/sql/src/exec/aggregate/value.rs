//! Single values with an order, for aggregates that keep values of any type.

use std::cmp::Ordering;

use arrow_array::ArrayRef;
use datafusion_common::ScalarValue;
use thalweg_core::error::Result;

use crate::exec::expr::expression_error;

/// A value that is not NULL. Values of one column compare; floats by their total order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value(pub ScalarValue);

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (ScalarValue::Float64(Some(a)), ScalarValue::Float64(Some(b))) => a.total_cmp(b),
            (ScalarValue::Float32(Some(a)), ScalarValue::Float32(Some(b))) => a.total_cmp(b),
            // Values of different types never meet in one aggregate.
            (a, b) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        }
    }
}

/// The value at a row.
///
/// # Errors
/// `User` for a type that has no scalar form.
pub fn value_at(array: &ArrayRef, row: usize) -> Result<Value> {
    ScalarValue::try_from_array(array, row)
        .map(Value)
        .map_err(expression_error)
}

/// Values as a column of the type of `null`.
///
/// # Errors
/// `User` if a value has another type.
pub fn values_to_array<'a>(
    values: impl Iterator<Item = Option<&'a Value>>,
    null: &ScalarValue,
) -> Result<ArrayRef> {
    let scalars: Vec<ScalarValue> = values
        .map(|value| value.map_or_else(|| null.clone(), |value| value.0.clone()))
        .collect();
    if scalars.is_empty() {
        return Ok(arrow_array::new_empty_array(&null.data_type()));
    }
    ScalarValue::iter_to_array(scalars).map_err(expression_error)
}
