//! Comparisons of a text with a constant pattern: `LIKE`, `SIMILAR TO`, `REGEXP_LIKE`.
//!
//! The pattern is compiled once. DataFusion compiles it for each batch, and its automaton, which is
//! built while it runs, begins anew.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow_schema::{DataType, Schema};
use datafusion_common::{Result, internal_err};
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{BinaryExpr, LikeExpr, Literal};
use regex::{Regex, RegexBuilder};

use super::expr::Expression;
use crate::functions::text::compile_like;

/// Whether a text has a match of a pattern. It never fails.
#[derive(Debug)]
pub struct TextMatch {
    text: Expression,
    pattern: Regex,
    /// What the pattern alone does not say.
    case_insensitive: bool,
    negated: bool,
}

impl TextMatch {
    /// The compiled form of a comparison, if its pattern needs compilation and is valid.
    pub fn of(expression: &Expression, schema: &Schema) -> Result<Option<TextMatch>> {
        let found = like(expression).or_else(|| regular_expression(expression));
        let Some(found) = found else {
            return Ok(None);
        };
        Ok((found.text.data_type(schema)? == DataType::Utf8View).then_some(found))
    }
}

fn constant(expression: &Expression) -> Option<&str> {
    expression
        .downcast_ref::<Literal>()?
        .value()
        .try_as_str()
        .flatten()
}

fn like(expression: &Expression) -> Option<TextMatch> {
    let like = expression.downcast_ref::<LikeExpr>()?;
    let pattern = compile_like(constant(like.pattern())?)?;
    (!like.case_insensitive()).then(|| TextMatch {
        text: like.expr().clone(),
        pattern,
        case_insensitive: false,
        negated: like.negated(),
    })
}

fn regular_expression(expression: &Expression) -> Option<TextMatch> {
    let binary = expression.downcast_ref::<BinaryExpr>()?;
    let (case_insensitive, negated) = match binary.op() {
        Operator::RegexMatch => (false, false),
        Operator::RegexIMatch => (true, false),
        Operator::RegexNotMatch => (false, true),
        Operator::RegexNotIMatch => (true, true),
        _ => return None,
    };
    // An invalid one is left to fail where it always did.
    let pattern = RegexBuilder::new(constant(binary.right())?)
        .case_insensitive(case_insensitive)
        .build();
    Some(TextMatch {
        text: binary.left().clone(),
        pattern: pattern.ok()?,
        case_insensitive,
        negated,
    })
}

impl PartialEq for TextMatch {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.as_str() == other.pattern.as_str()
            && self.case_insensitive == other.case_insensitive
            && self.negated == other.negated
            && self.text.eq(&other.text)
    }
}
impl Eq for TextMatch {}
impl Hash for TextMatch {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pattern.as_str().hash(state);
        self.negated.hash(state);
        self.text.hash(state);
    }
}

impl fmt::Display for TextMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_sql(f)
    }
}

impl PhysicalExpr for TextMatch {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.text.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let texts = self.text.evaluate(batch)?.into_array(batch.num_rows())?;
        let texts = texts.as_string_view();
        let values = BooleanBuffer::collect_bool(texts.len(), |row| {
            texts.is_valid(row) && self.pattern.is_match(texts.value(row)) != self.negated
        });
        let result: ArrayRef = Arc::new(BooleanArray::new(values, texts.nulls().cloned()));
        Ok(ColumnarValue::Array(result))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.text]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let [text] = children.as_slice() else {
            return internal_err!("a comparison with a pattern has one operand");
        };
        Ok(Arc::new(TextMatch {
            text: text.clone(),
            pattern: self.pattern.clone(),
            case_insensitive: self.case_insensitive,
            negated: self.negated,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match (self.case_insensitive, self.negated) {
            (false, false) => "~",
            (true, false) => "~*",
            (false, true) => "!~",
            (true, true) => "!~*",
        };
        write!(f, "{} {operator} {}", self.text, self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;
    use arrow_schema::Field;
    use datafusion_common::ScalarValue;
    use datafusion_physical_expr::expressions::{col, lit};
    use proptest::prelude::*;

    fn schema() -> Schema {
        Schema::new(vec![Field::new("t", DataType::Utf8View, true)])
    }

    fn text(text: &str) -> Expression {
        lit(ScalarValue::Utf8View(Some(text.to_owned())))
    }

    fn compiled(expression: &Expression) -> Option<Expression> {
        let compiled = TextMatch::of(expression, &schema()).unwrap();
        compiled.map(|compiled| Arc::new(compiled) as Expression)
    }

    fn assert_same(general: &Expression, texts: &[Option<String>]) {
        let Some(compiled) = compiled(general) else {
            return;
        };
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter(
            texts.iter().map(Option::as_deref),
        ));
        let batch = RecordBatch::try_new(Arc::new(schema()), vec![texts]).unwrap();
        let values = |expression: &Expression| {
            let value = expression.evaluate(&batch).unwrap();
            value
                .into_array(batch.num_rows())
                .unwrap()
                .as_boolean()
                .clone()
        };
        assert_eq!(values(&compiled), values(general), "{general}");
    }

    fn matches(operator: Operator, pattern: &str) -> Expression {
        let column = col("t", &schema()).unwrap();
        Arc::new(BinaryExpr::new(column, operator, text(pattern)))
    }

    fn like(negated: bool, pattern: &str) -> Expression {
        let column = col("t", &schema()).unwrap();
        Arc::new(LikeExpr::new(negated, false, column, text(pattern)))
    }

    proptest! {
        #[test]
        fn compiled_patterns_match_what_the_general_ones_match(
            texts in prop::collection::vec(prop::option::of("[aBé%_\n.\\\\]{0,5}"), 1..20),
            pattern in "[aBé%_.\\\\]{0,5}",
        ) {
            for negated in [false, true] {
                assert_same(&like(negated, &pattern), &texts);
            }
            for operator in [Operator::RegexMatch, Operator::RegexIMatch, Operator::RegexNotMatch, Operator::RegexNotIMatch] {
                assert_same(&matches(operator, "^[ab](.?)b"), &texts);
                assert_same(&matches(operator, ""), &texts);
            }
        }
    }

    #[test]
    fn simple_and_invalid_patterns_stay_as_they_are() {
        for pattern in ["", "a", "a%", "%a", "%a%", "%"] {
            assert!(compiled(&like(false, pattern)).is_none(), "{pattern}");
        }
        for pattern in ["a_", "%a%b%", "a\\%", "%%%"] {
            assert!(compiled(&like(false, pattern)).is_some(), "{pattern}");
        }
        assert!(compiled(&matches(Operator::RegexMatch, "(")).is_none());
        assert!(compiled(&matches(Operator::Eq, "a")).is_none());
    }
}
