//! An integer times a decimal constant, in one pass.
//!
//! The general way casts the integers to decimals, checks that they fit, multiplies with a check,
//! and checks the products. Where the product's type has room for the largest integer times the
//! constant, nothing can go wrong and one multiplication is enough.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use arrow_schema::{DataType, Schema};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{BinaryExpr, CastExpr, Literal};

use super::expr::Expression;

/// An integer expression times a decimal constant.
#[derive(Debug)]
pub struct Scale {
    integer: Expression,
    factor: i128,
    result: DataType,
}

impl Scale {
    /// The faster form of an expression, if it has this shape.
    pub fn of(expression: &Expression, schema: &Schema) -> Result<Option<Scale>> {
        let Some(product) = expression.downcast_ref::<BinaryExpr>() else {
            return Ok(None);
        };
        if *product.op() != Operator::Multiply {
            return Ok(None);
        }
        let (left, right) = (product.left(), product.right());
        let (cast, factor) = match (constant(left), constant(right)) {
            (Some(factor), None) => (right, factor),
            (None, Some(factor)) => (left, factor),
            _ => return Ok(None),
        };
        let Some(cast) = cast.downcast_ref::<CastExpr>() else {
            return Ok(None);
        };
        let largest: i128 = match cast.expr().data_type(schema)? {
            DataType::Int32 => i32::MIN.into(),
            DataType::Int64 => i64::MIN.into(),
            _ => return Ok(None),
        };
        let result = expression.data_type(schema)?;
        // The cast must be to whole numbers and lose none of them.
        let DataType::Decimal128(digits, 0) = cast.data_type(schema)? else {
            return Ok(None);
        };
        let DataType::Decimal128(room, _) = result else {
            return Ok(None);
        };
        let fits = |value: i128, digits: u8| value.unsigned_abs() < 10u128.pow(digits.into());
        let safe = fits(largest, digits)
            && largest
                .checked_mul(factor)
                .is_some_and(|product| fits(product, room));
        Ok(safe.then(|| Scale {
            integer: cast.expr().clone(),
            factor,
            result,
        }))
    }
}

fn constant(expression: &Expression) -> Option<i128> {
    match expression.downcast_ref::<Literal>()?.value() {
        ScalarValue::Decimal128(value, _, _) => *value,
        _ => None,
    }
}

impl PartialEq for Scale {
    fn eq(&self, other: &Self) -> bool {
        self.factor == other.factor
            && self.result == other.result
            && self.integer.eq(&other.integer)
    }
}
impl Eq for Scale {}
impl Hash for Scale {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.integer.hash(state);
        (self.factor, &self.result).hash(state);
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_sql(f)
    }
}

impl PhysicalExpr for Scale {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.integer.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let integers = self.integer.evaluate(batch)?;
        let integers = integers.into_array(batch.num_rows())?;
        let products: PrimitiveArray<Decimal128Type> = match integers.data_type() {
            DataType::Int32 => integers
                .as_primitive::<Int32Type>()
                .unary(|value| i128::from(value) * self.factor),
            DataType::Int64 => integers
                .as_primitive::<Int64Type>()
                .unary(|value| i128::from(value) * self.factor),
            other => return internal_err!("`{other}` times a decimal"),
        };
        let products: ArrayRef = Arc::new(products.with_data_type(self.result.clone()));
        Ok(ColumnarValue::Array(products))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.integer]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let [integer] = children.as_slice() else {
            return internal_err!("a product by a constant has one operand");
        };
        Ok(Arc::new(Scale {
            integer: integer.clone(),
            factor: self.factor,
            result: self.result.clone(),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} * {} AS {}", self.integer, self.factor, self.result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;
    use arrow_schema::Field;
    use datafusion_physical_expr::expressions::{cast, col, lit};

    fn product(factor: ScalarValue, digits: u8) -> (Expression, RecordBatch) {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let values = vec![Some(100), None, Some(i64::MIN), Some(i64::MAX), Some(-7)];
        let column: ArrayRef = Arc::new(Int64Array::from(values));
        let batch = RecordBatch::try_new(schema.clone(), vec![column]).unwrap();
        let decimal = DataType::Decimal128(digits, 0);
        let integer = cast(col("a", &schema).unwrap(), &schema, decimal).unwrap();
        let product = BinaryExpr::new(lit(factor), Operator::Multiply, integer);
        (Arc::new(product), batch)
    }

    #[test]
    fn the_product_is_that_of_the_general_way() {
        let (general, batch) = product(ScalarValue::Decimal128(Some(908), 3, 3), 20);
        let scale = Scale::of(&general, &batch.schema()).unwrap().unwrap();
        let values = |expression: &dyn PhysicalExpr| {
            let value = expression.evaluate(&batch).unwrap();
            value.into_array(batch.num_rows()).unwrap()
        };
        assert_eq!(&values(&scale), &values(general.as_ref()));
    }

    #[test]
    fn a_product_that_may_not_fit_is_left_alone() {
        // A cast that refuses the largest integers must go on refusing them.
        let (general, batch) = product(ScalarValue::Decimal128(Some(908), 3, 3), 10);
        assert!(Scale::of(&general, &batch.schema()).unwrap().is_none());
        let large = ScalarValue::Decimal128(Some(10i128.pow(30)), 38, 0);
        let (general, batch) = product(large, 20);
        assert!(Scale::of(&general, &batch.schema()).unwrap().is_none());
    }
}
