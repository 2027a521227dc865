//! Numbers: `MOD`, `IF`.

use std::sync::Arc;

use arrow::compute::kernels::{numeric, zip};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::ScalarUDF;

use super::simple::{any, exact};

/// The functions of this file.
pub fn all() -> Vec<ScalarUDF> {
    let pair = |t: DataType| vec![t.clone(), t];
    vec![
        exact(
            "mod",
            // The widest first: a BIGINT must not be cut to fit an INT.
            [DataType::Int64, DataType::Float64].map(pair).to_vec(),
            |types| Ok(types[0].clone()),
            modulo,
        ),
        any("if", if_type, if_body),
    ]
}

fn modulo(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    Ok(numeric::rem(&args[0], &args[1])?)
}

fn if_type(types: &[DataType]) -> Result<DataType> {
    match types {
        [DataType::Boolean, DataType::Null, other] | [DataType::Boolean, other, DataType::Null] => {
            Ok(other.clone())
        }
        [DataType::Boolean, a, b] if a == b => Ok(a.clone()),
        [DataType::Boolean, a, b] => {
            match datafusion_expr::type_coercion::binary::comparison_coercion(a, b) {
                Some(common) => Ok(common),
                None => plan_err!("`IF` has branches of the types `{a}` and `{b}`"),
            }
        }
        _ => plan_err!("`IF` takes a condition and two values"),
    }
}

fn if_body(args: &[ArrayRef], result: &DataType) -> Result<ArrayRef> {
    let condition = args[0].as_boolean();
    let mask: BooleanArray = match condition.nulls() {
        Some(nulls) => BooleanArray::new(condition.values() & nulls.inner(), None),
        None => condition.clone(),
    };
    let yes = arrow::compute::cast(&args[1], result)?;
    let no = arrow::compute::cast(&args[2], result)?;
    let chosen = zip::zip(&mask, &yes, &no)?;
    Ok(Arc::clone(&chosen))
}
