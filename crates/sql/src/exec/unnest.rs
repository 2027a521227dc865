//! `CROSS JOIN UNNEST(array)`: a row for every element.
//!
//! | Contract |                                                              |
//! |----------|--------------------------------------------------------------|
//! | Input    | any changelog                                                |
//! | Output   | a row an element with the other columns repeated; none for   |
//! |          | an empty or NULL array; kinds are kept                       |
//! | State    | none                                                         |
//! | Source   | Flink SQL, array expansion                                   |

use arrow_array::cast::AsArray;
use arrow_array::{Array, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::take::take;
use thalweg_columnar::{ColumnBatch, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress};

use super::expr::batch;

/// The operator.
#[derive(Clone)]
pub struct Unnest {
    /// The array's column.
    pub column: usize,
    /// The output's schema: the element stands where the array stood.
    pub schema: SchemaRef,
}

impl BatchOperator for Unnest {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        _: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        let lists = input.records().column(self.column).clone();
        let lists = lists.as_list_opt::<i32>().ok_or_else(|| {
            Error::user(format!(
                "UNNEST takes an ARRAY, not `{}`",
                lists.data_type()
            ))
        })?;
        let (mut rows, mut elements) = (Vec::new(), Vec::new());
        let offsets = lists.value_offsets();
        for row in 0..lists.len() {
            if lists.is_valid(row) {
                for element in offsets[row]..offsets[row + 1] {
                    rows.push(row as u32);
                    // Offsets of a list are not negative.
                    elements.push(element as u32);
                }
            }
        }
        let repeated = input.take(&UInt32Array::from(rows))?;
        let mut columns = repeated.records().columns().to_vec();
        columns[self.column] =
            take(lists.values(), &UInt32Array::from(elements), None).map_err(arrow_error)?;
        let count = repeated.num_rows();
        let records = batch(&self.schema, columns, count)?;
        out.emit(Box::new(repeated.with_records(records)));
        Ok(Progress::Done)
    }
}
