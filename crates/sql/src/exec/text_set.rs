//! Comparisons of a text with short constants: `t = 'a'`, `t <> 'a'`, `t IN ('a', 'b')`.
//!
//! A view holds a short text itself, so that equality is that of two numbers.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow_schema::{DataType, Schema};
use datafusion_common::{Result, internal_err};
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{BinaryExpr, InListExpr, Literal};

use super::expr::Expression;
use crate::functions::text::{SHORT_MAX, short_view};

/// More constants than these are better looked up by their hashes.
const CONSTANTS_MAX: usize = 8;

/// Whether a text is one of some short constants, or none of them.
#[derive(Debug)]
pub struct TextSet {
    text: Expression,
    constants: Vec<u128>,
    negated: bool,
}

impl TextSet {
    /// The faster form of an expression, if it has this shape.
    pub fn of(expression: &Expression, schema: &Schema) -> Result<Option<TextSet>> {
        let (text, constants, negated) = if let Some(list) = expression.downcast_ref::<InListExpr>()
        {
            let constants: Vec<_> = list.list().iter().map(constant).collect();
            (list.expr(), constants, list.negated())
        } else if let Some(binary) = expression.downcast_ref::<BinaryExpr>() {
            let negated = match binary.op() {
                Operator::Eq => false,
                Operator::NotEq => true,
                _ => return Ok(None),
            };
            (binary.left(), vec![constant(binary.right())], negated)
        } else {
            return Ok(None);
        };
        let Some(constants) = constants.into_iter().collect::<Option<Vec<u128>>>() else {
            return Ok(None);
        };
        let fits = constants.len() <= CONSTANTS_MAX
            && text.downcast_ref::<Literal>().is_none()
            && text.data_type(schema)? == DataType::Utf8View;
        Ok(fits.then(|| TextSet {
            text: text.clone(),
            constants,
            negated,
        }))
    }
}

/// The view of a constant that is short and not NULL.
fn constant(expression: &Expression) -> Option<u128> {
    let text = expression.downcast_ref::<Literal>()?.value();
    let text = text.try_as_str().flatten()?;
    (text.len() <= SHORT_MAX).then(|| short_view(text.as_bytes(), 0, text.len()))
}

fn is_one_of(views: &[u128], constants: &[u128]) -> BooleanBuffer {
    match constants {
        [constant] => BooleanBuffer::collect_bool(views.len(), |row| views[row] == *constant),
        _ => BooleanBuffer::collect_bool(views.len(), |row| {
            // Without a jump in the middle, which nobody can predict.
            let equal = |found, constant: &u128| found | (views[row] == *constant);
            constants.iter().fold(false, equal)
        }),
    }
}

impl PartialEq for TextSet {
    fn eq(&self, other: &Self) -> bool {
        self.negated == other.negated
            && self.constants == other.constants
            && self.text.eq(&other.text)
    }
}
impl Eq for TextSet {}
impl Hash for TextSet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.negated.hash(state);
        self.constants.hash(state);
        self.text.hash(state);
    }
}

impl fmt::Display for TextSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_sql(f)
    }
}

impl PhysicalExpr for TextSet {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.text.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let texts = self.text.evaluate(batch)?.into_array(batch.num_rows())?;
        let texts = texts.as_string_view();
        let found = is_one_of(texts.views(), &self.constants);
        let values = if self.negated { !&found } else { found };
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
            return internal_err!("a comparison with constants has one operand");
        };
        Ok(Arc::new(TextSet {
            text: text.clone(),
            constants: self.constants.clone(),
            negated: self.negated,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { " NOT" } else { "" };
        write!(f, "{}{not} IN (", self.text)?;
        for (at, view) in self.constants.iter().enumerate() {
            let bytes = view.to_le_bytes();
            let text = String::from_utf8_lossy(&bytes[4..4 + *view as u32 as usize]);
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{text}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;
    use arrow_schema::Field;
    use datafusion_common::ScalarValue;
    use datafusion_physical_expr::expressions::{col, in_list, lit};

    fn schema() -> Schema {
        Schema::new(vec![Field::new("t", DataType::Utf8View, true)])
    }

    fn text(text: &str) -> Expression {
        lit(ScalarValue::Utf8View(Some(text.to_owned())))
    }

    fn assert_same(general: &Expression) {
        let texts = [
            Some("a"),
            None,
            Some(""),
            Some("ab"),
            Some("twelve bytes"),
            Some("thirteen byte"),
            Some("a\0"),
            Some("é"),
            Some("twelve byte"),
        ];
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter(texts));
        let batch = RecordBatch::try_new(Arc::new(schema()), vec![texts]).unwrap();
        let faster: Expression = Arc::new(TextSet::of(general, &schema()).unwrap().unwrap());
        let values = |expression: &Expression| {
            let value = expression.evaluate(&batch).unwrap();
            value
                .into_array(batch.num_rows())
                .unwrap()
                .as_boolean()
                .clone()
        };
        assert_eq!(values(&faster), values(general), "{general}");
    }

    #[test]
    fn comparisons_have_the_results_of_the_general_ones() {
        let column = || col("t", &schema()).unwrap();
        for constant in ["", "a", "é", "twelve bytes", "a\0"] {
            for operator in [Operator::Eq, Operator::NotEq] {
                assert_same(
                    &(Arc::new(BinaryExpr::new(column(), operator, text(constant))) as Expression),
                );
            }
            for negated in [false, true] {
                let list = vec![text(constant), text("ab"), text("none")];
                assert_same(&in_list(column(), list, &negated, &schema()).unwrap());
            }
        }
    }

    #[test]
    fn long_constants_null_and_other_comparisons_stay_as_they_are() {
        let column = || col("t", &schema()).unwrap();
        let null = lit(ScalarValue::Utf8View(None));
        let greater: Expression = Arc::new(BinaryExpr::new(column(), Operator::Gt, text("a")));
        let long = in_list(
            column(),
            vec![text("a"), text("thirteen byte")],
            &false,
            &schema(),
        );
        let with_null = in_list(column(), vec![text("a"), null], &false, &schema());
        let columns = in_list(column(), vec![text("a"), column()], &false, &schema());
        for expression in [greater, long.unwrap(), with_null.unwrap(), columns.unwrap()] {
            assert!(
                TextSet::of(&expression, &schema()).unwrap().is_none(),
                "{expression}"
            );
        }
    }
}
