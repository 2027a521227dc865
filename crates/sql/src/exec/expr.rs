//! Expressions as operators evaluate them: compiled once, run a batch at a time.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use datafusion_common::DataFusionError;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Column;
use thalweg_columnar::arrow_error;
use thalweg_core::error::{Error, Result};

/// A compiled expression.
pub type Expression = Arc<dyn PhysicalExpr>;

/// Turns an expression's error into the engine's: what a row made go wrong is the user's.
pub fn expression_error(error: DataFusionError) -> Error {
    Error::user(error.strip_backtrace())
}

/// Evaluates one expression over a batch.
///
/// # Errors
/// `User` with what the expression failed on.
pub fn evaluate(expression: &Expression, batch: &RecordBatch) -> Result<ArrayRef> {
    if let Some(column) = expression.downcast_ref::<Column>() {
        return Ok(batch.column(column.index()).clone());
    }
    expression
        .evaluate(batch)
        .and_then(|value| value.into_array(batch.num_rows()))
        .map_err(expression_error)
}

/// Evaluates several expressions.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_all(expressions: &[Expression], batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    expressions
        .iter()
        .map(|expression| evaluate(expression, batch))
        .collect()
}

/// Evaluates a condition; NULL counts as false.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_condition(condition: &Expression, batch: &RecordBatch) -> Result<BooleanArray> {
    let array = evaluate(condition, batch)?;
    let mask = array
        .as_boolean_opt()
        .ok_or_else(|| Error::internal(format!("a condition has type `{}`", array.data_type())))?;
    Ok(match mask.nulls() {
        Some(nulls) => BooleanArray::new(mask.values() & nulls.inner(), None),
        None => mask.clone(),
    })
}

/// A batch of these columns.
///
/// # Errors
/// `User` if a column is not what the schema says.
pub fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(arrow_error)
}
