//! `CASE` whose branches are columns of texts, constants or NULL.
//!
//! As [`Choose`](super::choose::Choose) does for numbers: no branch is worth computing for some of
//! the rows only. A constant is written as a view, without a column of its repetitions.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow_schema::{DataType, Schema};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{CaseExpr, Column, Literal};

use super::choose::never_fails;
use super::expr::Expression;
use crate::functions::text::{Texts, choose};

/// The text of the first branch whose condition is true, else of the last.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ChooseText {
    conditions: Vec<Expression>,
    /// One more than conditions.
    values: Vec<Expression>,
}

impl ChooseText {
    /// The faster form of a `CASE`, if it has this shape.
    pub fn of(expression: &Expression, schema: &Schema) -> Result<Option<ChooseText>> {
        let Some(case) = expression.downcast_ref::<CaseExpr>() else {
            return Ok(None);
        };
        if case.expr().is_some() || expression.data_type(schema)? != DataType::Utf8View {
            return Ok(None);
        }
        let (conditions, mut values): (Vec<_>, Vec<_>) =
            case.when_then_expr().iter().cloned().unzip();
        let null = || Arc::new(Literal::new(ScalarValue::Utf8View(None))) as Expression;
        values.push(case.else_expr().map_or_else(null, Arc::clone));
        for value in &values {
            let given = value.is::<Column>() || value.is::<Literal>();
            if !given || value.data_type(schema)? != DataType::Utf8View {
                return Ok(None);
            }
        }
        let fits = conditions.iter().all(never_fails);
        Ok(fits.then_some(ChooseText { conditions, values }))
    }
}

/// The rows where a condition is true; NULL is not.
fn true_rows(condition: &BooleanArray) -> BooleanBuffer {
    match condition.nulls() {
        Some(nulls) => condition.values() & nulls.inner(),
        None => condition.values().clone(),
    }
}

fn texts(value: &ColumnarValue) -> Result<Texts<'_>> {
    match value {
        ColumnarValue::Array(column) => Ok(Texts::Column(column.as_string_view())),
        ColumnarValue::Scalar(ScalarValue::Utf8View(text)) => Ok(Texts::Constant(text.as_deref())),
        ColumnarValue::Scalar(other) => internal_err!("a branch of texts is `{other}`"),
    }
}

impl fmt::Display for ChooseText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_sql(f)
    }
}

impl PhysicalExpr for ChooseText {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Utf8View)
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
        let values: Result<Vec<ColumnarValue>> = self
            .values
            .iter()
            .map(|value| value.evaluate(batch))
            .collect();
        let values = values?;
        let Some((last, firsts)) = values.split_last() else {
            return internal_err!("a CASE has no branch");
        };
        let mut choices = Vec::with_capacity(firsts.len());
        for (condition, value) in self.conditions.iter().zip(firsts) {
            let mask = condition.evaluate(batch)?.into_array(rows)?;
            choices.push((true_rows(mask.as_boolean()), texts(value)?));
        }
        let chosen: StringViewArray = choose(rows, &choices, texts(last)?);
        Ok(ColumnarValue::Array(Arc::new(chosen) as ArrayRef))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.conditions.iter().chain(&self.values).collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let values = children.split_off(self.conditions.len());
        Ok(Arc::new(ChooseText {
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::Field;
    use datafusion_expr::Operator;
    use datafusion_physical_expr::expressions::{BinaryExpr, case, col, lit};

    fn batch() -> RecordBatch {
        let field = |name| Field::new(name, DataType::Utf8View, true);
        let schema = Schema::new(vec![field("a"), field("b")]);
        let a = [Some("x"), Some("y"), None, Some("z"), Some("x")];
        let b = [
            Some("a text of many bytes"),
            None,
            Some("short"),
            Some("b"),
            Some(""),
        ];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringViewArray::from_iter(a)),
            Arc::new(StringViewArray::from_iter(b)),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn text(text: Option<&str>) -> Expression {
        lit(ScalarValue::Utf8View(text.map(str::to_owned)))
    }

    fn when(constant: &str, schema: &Schema) -> Expression {
        let column = col("a", schema).unwrap();
        Arc::new(BinaryExpr::new(column, Operator::Eq, text(Some(constant))))
    }

    fn values(expression: &Expression) -> Vec<Option<String>> {
        let value = expression
            .evaluate(&batch())
            .unwrap()
            .into_array(5)
            .unwrap();
        value
            .as_string_view()
            .iter()
            .map(|text| text.map(str::to_owned))
            .collect()
    }

    #[test]
    fn the_first_branch_that_holds_gives_the_text() {
        let schema = batch().schema();
        let column = |name: &str| col(name, &schema).unwrap();
        let long = "a constant of many bytes";
        let branches = |first: Expression| {
            vec![
                (when("x", &schema), first),
                (when("y", &schema), column("a")),
                (when("x", &schema), text(Some("never"))),
            ]
        };
        let cases = [
            (
                text(Some(long)),
                Some(column("b")),
                [Some(long), Some("y"), Some("short"), Some("b"), Some(long)],
            ),
            (
                text(None),
                Some(text(Some(long))),
                [None, Some("y"), Some(long), Some(long), None],
            ),
            (
                column("b"),
                None,
                [
                    Some("a text of many bytes"),
                    Some("y"),
                    None,
                    None,
                    Some(""),
                ],
            ),
        ];
        for (first, last, expected) in cases {
            let general = case(None, branches(first), last).unwrap();
            let chosen = ChooseText::of(&general, &schema).unwrap().unwrap();
            let expected = expected.map(|text| text.map(str::to_owned));
            assert_eq!(values(&general), expected);
            assert_eq!(values(&(Arc::new(chosen) as Expression)), expected);
        }
    }

    #[test]
    fn a_condition_or_branch_that_is_computed_leaves_the_case_as_it_is() {
        let schema = batch().schema();
        let number = |n: i64| lit(n);
        let quotient = Arc::new(BinaryExpr::new(number(1), Operator::Divide, number(0)));
        let fails: Expression = Arc::new(BinaryExpr::new(quotient, Operator::Eq, number(1)));
        let general = case(None, vec![(fails, text(Some("a")))], None).unwrap();
        assert!(ChooseText::of(&general, &schema).unwrap().is_none());
        let joined: Expression = Arc::new(BinaryExpr::new(
            col("a", &schema).unwrap(),
            Operator::StringConcat,
            col("b", &schema).unwrap(),
        ));
        let general = case(None, vec![(when("x", &schema), joined)], None).unwrap();
        assert!(ChooseText::of(&general, &schema).unwrap().is_none());
    }
}
