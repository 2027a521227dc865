//! Numbers: `MOD`, `IF`.

use std::sync::Arc;

use arrow::compute::kernels::{numeric, zip};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion_expr::{Operator, ScalarUDF};

use super::simple::any;

/// The functions of this file.
pub fn all() -> Vec<ScalarUDF> {
    vec![any("mod", modulo_type, modulo), any("if", if_type, if_body)]
}

/// The types that `%` takes the operands as.
fn modulo_operands(types: &[DataType]) -> Result<(DataType, DataType)> {
    let [value, divisor] = types else {
        return plan_err!("`MOD` takes a value and a divisor");
    };
    BinaryTypeCoercer::new(value, &Operator::Modulo, divisor).get_input_types()
}

fn modulo_type(types: &[DataType]) -> Result<DataType> {
    let (value, divisor) = modulo_operands(types)?;
    BinaryTypeCoercer::new(&value, &Operator::Modulo, &divisor).get_result_type()
}

fn modulo(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let types: Vec<DataType> = args.iter().map(|arg| arg.data_type().clone()).collect();
    let (value, divisor) = modulo_operands(&types)?;
    let value = arrow::compute::cast(&args[0], &value)?;
    let divisor = arrow::compute::cast(&args[1], &divisor)?;
    Ok(numeric::rem(&value, &divisor)?)
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
