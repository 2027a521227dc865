//! `AND` and `OR` whose left side protects the right one.
//!
//! `n <> 0 AND 10 / n > 5` must not divide by zero. Where the right side can fail, or searches for a
//! pattern, it is computed only for the rows whose result it decides; elsewhere the plain form,
//! which computes both sides for all rows, is faster.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::kernels::boolean::{and_kleene, not, or_kleene};
use arrow_schema::{DataType, Schema};
use datafusion_common::{Result, internal_err};
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::expressions::{
    BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::choose::Choose;
use super::choose_text::ChooseText;
use super::expr::Expression;
use super::prepared::Prepared;
use super::remainder::Remainder;
use super::scale::Scale;
use super::text_match::TextMatch;
use super::text_set::TextSet;

/// A conjunction or disjunction, left side first.
#[derive(Debug)]
pub struct ShortCircuit {
    left: Expression,
    right: Expression,
    // Otherwise it is OR.
    and: bool,
}

impl ShortCircuit {
    /// The protecting form of an expression, if its right side may fail or is costly.
    pub fn of(expression: &Expression) -> Option<ShortCircuit> {
        let binary = expression.downcast_ref::<BinaryExpr>()?;
        let and = match binary.op() {
            Operator::And => true,
            Operator::Or => false,
            _ => return None,
        };
        (may_fail(binary.right()) || is_costly(binary.right())).then(|| ShortCircuit {
            left: binary.left().clone(),
            right: binary.right().clone(),
            and,
        })
    }
}

/// Whether some row can make an expression fail, as far as is known.
fn may_fail(expression: &Expression) -> bool {
    let harmless = expression.is::<Column>()
        || expression.is::<Literal>()
        || expression.is::<IsNullExpr>()
        || expression.is::<IsNotNullExpr>()
        || expression.is::<NotExpr>()
        || expression.is::<InListExpr>()
        || expression.is::<LikeExpr>()
        || expression.is::<Scale>()
        || expression.is::<Remainder>()
        || expression.is::<Choose>()
        || expression.is::<ChooseText>()
        || expression.is::<Prepared>()
        || expression.is::<TextSet>()
        || expression.is::<TextMatch>()
        || expression.is::<ShortCircuit>()
        || is_harmless_call(expression)
        || expression
            .downcast_ref::<BinaryExpr>()
            .is_some_and(|binary| is_safe(binary.op()));
    !harmless || expression.children().into_iter().any(may_fail)
}

/// Whether to compute an expression takes longer than to select rows.
fn is_costly(expression: &Expression) -> bool {
    let prepared = expression.downcast_ref::<Prepared>();
    prepared.is_some_and(Prepared::is_costly)
        || expression.is::<TextMatch>()
        || expression.children().into_iter().any(is_costly)
}

/// Comparisons and logic; arithmetic overflows or divides by zero.
fn is_safe(operator: &Operator) -> bool {
    use Operator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    matches!(operator, And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn is_harmless_call(expression: &Expression) -> bool {
    let call = expression.downcast_ref::<ScalarFunctionExpr>();
    call.is_some_and(|call| {
        ["lower", "upper", "get_field", "character_length"].contains(&call.name())
    })
}

impl PartialEq for ShortCircuit {
    fn eq(&self, other: &Self) -> bool {
        self.and == other.and && self.left.eq(&other.left) && self.right.eq(&other.right)
    }
}
impl Eq for ShortCircuit {}
impl Hash for ShortCircuit {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.left.hash(state);
        self.right.hash(state);
        self.and.hash(state);
    }
}

impl fmt::Display for ShortCircuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_sql(f)
    }
}

impl PhysicalExpr for ShortCircuit {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        Ok(self.left.nullable(schema)? || self.right.nullable(schema)?)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let left = self.left.evaluate(batch)?.into_array(rows)?;
        let left = left.as_boolean();
        // What the left side decides alone: false for AND, true for OR. NULL decides nothing.
        let deciding = if self.and { not(left)? } else { left.clone() };
        let decided = match deciding.nulls() {
            Some(nulls) => deciding.values() & nulls.inner(),
            None => deciding.values().clone(),
        };
        let open = BooleanArray::new(!&decided, None);
        let right = self.right.evaluate_selection(batch, &open)?;
        let right = right.into_array(rows)?;
        let right = right.as_boolean();
        let result: ArrayRef = Arc::new(if self.and {
            and_kleene(left, right)?
        } else {
            or_kleene(left, right)?
        });
        Ok(ColumnarValue::Array(result))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.left, &self.right]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let [left, right] = children.as_slice() else {
            return internal_err!("AND and OR have two operands");
        };
        Ok(Arc::new(ShortCircuit {
            left: left.clone(),
            right: right.clone(),
            and: self.and,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = if self.and { "AND" } else { "OR" };
        write!(f, "{} {operator} {}", self.left, self.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;
    use arrow_schema::Field;
    use datafusion_physical_expr::expressions::{col, lit};

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(1), None, Some(5)]));
        RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap()
    }

    fn binary(left: Expression, operator: Operator, right: Expression) -> Expression {
        Arc::new(BinaryExpr::new(left, operator, right))
    }

    fn quotient_over_five(schema: &Schema) -> Expression {
        let quotient = binary(lit(10_i64), Operator::Divide, col("n", schema).unwrap());
        binary(quotient, Operator::Gt, lit(5_i64))
    }

    fn values(expression: &ShortCircuit, batch: &RecordBatch) -> Vec<Option<bool>> {
        let value = expression.evaluate(batch).unwrap();
        let array = value.into_array(batch.num_rows()).unwrap();
        array.as_boolean().iter().collect()
    }

    #[test]
    fn the_right_side_is_computed_where_the_left_one_decides_nothing() {
        let batch = batch();
        let schema = batch.schema();
        let n = col("n", &schema).unwrap();
        let not_zero = binary(n.clone(), Operator::NotEq, lit(0_i64));
        let and = binary(not_zero, Operator::And, quotient_over_five(&schema));
        let and = ShortCircuit::of(&and).unwrap();
        let expected = [Some(false), Some(true), None, Some(false)];
        assert_eq!(values(&and, &batch), expected);
        let zero = binary(n, Operator::Eq, lit(0_i64));
        let or = binary(zero, Operator::Or, quotient_over_five(&schema));
        let or = ShortCircuit::of(&or).unwrap();
        let expected = [Some(true), Some(true), None, Some(false)];
        assert_eq!(values(&or, &batch), expected);
    }

    #[test]
    fn comparisons_are_left_as_they_are() {
        let schema = batch().schema();
        let n = || col("n", &schema).unwrap();
        let low = binary(n(), Operator::Gt, lit(1_i64));
        let high = binary(n(), Operator::Lt, lit(9_i64));
        let both = binary(low, Operator::And, high);
        assert!(ShortCircuit::of(&both).is_none());
    }
}
