//! `CASE` over columns that are there anyway.
//!
//! A general `CASE` filters the batch for every branch, computes the branch on what is left and
//! puts the parts together. Where every branch is a column and no condition can fail, choosing the
//! values costs one pass: this is how the time of an event is read that is in one of several rows.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, RecordBatch,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::downcast_primitive_array;
use arrow_schema::{DataType, Schema};
use datafusion_common::{DataFusionError, Result, exec_datafusion_err};
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{
    BinaryExpr, CaseExpr, Column, IsNotNullExpr, IsNullExpr, Literal,
};

use super::expr::Expression;
use super::prepared::Prepared;
use super::text_set::TextSet;

/// The value of the first column whose condition is true, else of the last.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Choose {
    conditions: Vec<Expression>,
    /// One more than conditions.
    values: Vec<Expression>,
}

impl Choose {
    /// The faster form of a `CASE`, if it has this shape.
    pub fn of(expression: &Expression, schema: &Schema) -> Result<Option<Choose>> {
        let Some(case) = expression.downcast_ref::<CaseExpr>() else {
            return Ok(None);
        };
        let (None, Some(last)) = (case.expr(), case.else_expr()) else {
            return Ok(None);
        };
        let (conditions, mut values): (Vec<_>, Vec<_>) =
            case.when_then_expr().iter().cloned().unzip();
        values.push(last.clone());
        let data_type = expression.data_type(schema)?;
        let primitive = data_type.is_primitive();
        for value in &values {
            let column = value.downcast_ref::<Column>().is_some();
            if !primitive || !column || value.data_type(schema)? != data_type {
                return Ok(None);
            }
        }
        Ok(conditions
            .iter()
            .all(never_fails)
            .then_some(Choose { conditions, values }))
    }
}

/// Comparisons of columns and constants, and what is combined of them.
pub fn never_fails(condition: &Expression) -> bool {
    use Operator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    if condition.is::<TextSet>() || condition.is::<IsNullExpr>() || condition.is::<IsNotNullExpr>()
    {
        return condition.children().into_iter().all(is_given);
    }
    let Some(binary) = condition.downcast_ref::<BinaryExpr>() else {
        return false;
    };
    match binary.op() {
        And | Or => never_fails(binary.left()) && never_fails(binary.right()),
        Eq | NotEq | Lt | LtEq | Gt | GtEq => is_given(binary.left()) && is_given(binary.right()),
        _ => false,
    }
}

/// Columns, constants, and cheap functions of them.
fn is_given(side: &Expression) -> bool {
    let prepared = side.downcast_ref::<Prepared>();
    side.is::<Column>()
        || side.is::<Literal>()
        || prepared.is_some_and(|prepared| {
            !prepared.is_costly() && prepared.children().into_iter().all(is_given)
        })
}

impl fmt::Display for Choose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_sql(f)
    }
}

impl PhysicalExpr for Choose {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.values[0].data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        for value in &self.values {
            if value.nullable(schema)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let (last, firsts) = self
            .values
            .split_last()
            .ok_or_else(|| exec_datafusion_err!("a CASE has no branch"))?;
        let mut chosen = last.evaluate(batch)?.into_array(rows)?;
        // From the last branch to the first, so that the first that holds has the last word.
        for (condition, value) in self.conditions.iter().zip(firsts).rev() {
            let mask = condition.evaluate(batch)?.into_array(rows)?;
            let value = value.evaluate(batch)?.into_array(rows)?;
            chosen = overlay(mask.as_boolean(), &value, &chosen)?;
        }
        Ok(ColumnarValue::Array(chosen))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.conditions.iter().chain(&self.values).collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let values = children.split_off(self.conditions.len());
        Ok(Arc::new(Choose {
            conditions: children,
            values,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CASE")?;
        for (condition, value) in self.conditions.iter().zip(&self.values) {
            write!(f, " WHEN {condition} THEN {value}")?;
        }
        match self.values.last() {
            Some(last) => write!(f, " ELSE {last} END"),
            None => f.write_str(" END"),
        }
    }
}

/// `over` where the mask is true, `under` elsewhere.
fn overlay(mask: &BooleanArray, over: &ArrayRef, under: &ArrayRef) -> Result<ArrayRef> {
    let holds = match mask.nulls() {
        Some(nulls) => mask.values() & nulls.inner(),
        None => mask.values().clone(),
    };
    let over = over.as_ref();
    downcast_primitive_array!(
        over => Ok(overlay_values(&holds, over, under)),
        other => Err(DataFusionError::Internal(format!("CASE over `{other}`")))
    )
}

fn overlay_values<T: ArrowPrimitiveType>(
    holds: &BooleanBuffer,
    over: &PrimitiveArray<T>,
    under: &ArrayRef,
) -> ArrayRef {
    let under = under.as_primitive::<T>();
    let mut values = under.values().to_vec();
    let source = over.values();
    for row in holds.set_indices() {
        values[row] = source[row];
    }
    let nulls = match (over.nulls(), under.nulls()) {
        (None, None) => None,
        (over, under) => {
            let all = || BooleanBuffer::new_set(values.len());
            let over = over.map_or_else(all, |nulls| nulls.inner().clone());
            let under = under.map_or_else(all, |nulls| nulls.inner().clone());
            let valid = &(holds & &over) | &(&!holds & &under);
            Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0)
        }
    };
    let chosen = PrimitiveArray::<T>::new(values.into(), nulls);
    Arc::new(chosen.with_data_type(under.data_type().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, Int64Array};
    use arrow_schema::Field;
    use datafusion_physical_expr::expressions::{case, col, lit};

    fn batch() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("kind", DataType::Int32, true),
            Field::new("a", DataType::Int64, true),
            Field::new("b", DataType::Int64, true),
            Field::new("c", DataType::Int64, false),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![
                Some(0),
                Some(1),
                Some(2),
                None,
                Some(0),
            ])),
            Arc::new(Int64Array::from(vec![Some(1), Some(2), None, None, None])),
            Arc::new(Int64Array::from(vec![None, Some(20), Some(30), None, None])),
            Arc::new(Int64Array::from(vec![100, 200, 300, 400, 500])),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn when(schema: &Schema, kind: i32) -> Expression {
        let kind = lit(kind);
        let column = col("kind", schema).unwrap();
        Arc::new(BinaryExpr::new(column, Operator::Eq, kind))
    }

    #[test]
    fn the_first_branch_that_holds_gives_the_value() {
        let batch = batch();
        let schema = batch.schema();
        let column = |name: &str| col(name, &schema).unwrap();
        let branches = vec![
            (when(&schema, 0), column("a")),
            (when(&schema, 1), column("b")),
            // Never reached: an earlier branch has the same condition.
            (when(&schema, 0), column("c")),
        ];
        let general = case(None, branches, Some(column("c"))).unwrap();
        let chosen = Choose::of(&general, &schema).unwrap().unwrap();
        let chosen: Expression = Arc::new(chosen);
        let values = |expression: &Expression| {
            let value = expression.evaluate(&batch).unwrap();
            let array = value.into_array(batch.num_rows()).unwrap();
            array.as_primitive::<arrow::datatypes::Int64Type>().clone()
        };
        let expected = Int64Array::from(vec![Some(1), Some(20), Some(300), Some(400), None]);
        assert_eq!(values(&chosen), expected);
        assert_eq!(values(&general), expected);
    }

    #[test]
    fn a_case_whose_branch_is_computed_stays_as_it_is() {
        let batch = batch();
        let schema = batch.schema();
        let computed: Expression = Arc::new(BinaryExpr::new(
            col("c", &schema).unwrap(),
            Operator::Divide,
            col("b", &schema).unwrap(),
        ));
        let branches = vec![(when(&schema, 0), computed)];
        let general = case(None, branches, Some(col("c", &schema).unwrap())).unwrap();
        assert!(Choose::of(&general, &schema).unwrap().is_none());
    }
}
