//! Calls of functions of a text whose other arguments are constants.
//!
//! The function as DataFusion calls it gets its constants with each batch, and would compile a
//! pattern each time.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow_schema::{DataType, Schema};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::ColumnarValue;
use datafusion_physical_expr::expressions::Literal;
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::expr::Expression;
use crate::functions::text::{TextFunction, prepare};

/// A function of a text with everything that its constants say worked out. It never fails.
pub struct Prepared {
    name: String,
    constants: Vec<ScalarValue>,
    text: Expression,
    function: TextFunction,
}

impl Prepared {
    /// The prepared form of a call, if it has one.
    pub fn of(expression: &Expression, schema: &Schema) -> Result<Option<Prepared>> {
        let Some(call) = expression.downcast_ref::<ScalarFunctionExpr>() else {
            return Ok(None);
        };
        let [text, rest @ ..] = call.args() else {
            return Ok(None);
        };
        let constants = rest.iter().map(|argument| {
            let literal = argument.downcast_ref::<Literal>();
            literal.map(|literal| literal.value().clone())
        });
        let Some(constants) = constants.collect::<Option<Vec<ScalarValue>>>() else {
            return Ok(None);
        };
        let texts = text.data_type(schema)? == DataType::Utf8View
            && expression.data_type(schema)? == DataType::Utf8View;
        if !texts || text.downcast_ref::<Literal>().is_some() {
            return Ok(None);
        }
        Ok(prepare(call.name(), &constants).map(|function| Prepared {
            name: call.name().to_owned(),
            constants,
            text: text.clone(),
            function,
        }))
    }

    /// Whether it searches for a pattern.
    pub fn is_costly(&self) -> bool {
        self.name.starts_with("regexp")
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_sql(f)
    }
}

// The function follows from its name and constants.
impl PartialEq for Prepared {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.constants == other.constants && self.text.eq(&other.text)
    }
}
impl Eq for Prepared {}
impl Hash for Prepared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.constants.hash(state);
        self.text.hash(state);
    }
}

impl fmt::Display for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_sql(f)
    }
}

impl PhysicalExpr for Prepared {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let texts = self.text.evaluate(batch)?.into_array(batch.num_rows())?;
        let result: ArrayRef = Arc::new((self.function)(texts.as_string_view()));
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
            return internal_err!("a prepared function has one operand");
        };
        Ok(Arc::new(Prepared {
            name: self.name.clone(),
            constants: self.constants.clone(),
            text: text.clone(),
            function: self.function.clone(),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}", self.name, self.text)?;
        for constant in &self.constants {
            write!(f, ", {constant}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;
    use arrow_schema::Field;
    use datafusion_common::config::ConfigOptions;
    use datafusion_physical_expr::expressions::{col, lit};

    use crate::functions::Functions;

    fn call(name: &str, args: Vec<Expression>, schema: &Schema) -> Expression {
        let function = Functions::default().scalar(name).unwrap();
        let options = Arc::new(ConfigOptions::default());
        Arc::new(ScalarFunctionExpr::try_new(function, args, schema, options).unwrap())
    }

    fn text(text: &str) -> Expression {
        lit(ScalarValue::Utf8View(Some(text.to_owned())))
    }

    #[test]
    fn a_call_with_constants_is_prepared_and_one_with_columns_is_not() {
        let field = |name| Field::new(name, DataType::Utf8View, true);
        let schema = Schema::new(vec![field("t"), field("p")]);
        let column = |name: &str| col(name, &schema).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringViewArray::from(vec![Some("a=1"), None, Some("b=2")])),
            Arc::new(StringViewArray::from(vec!["a", "b", "c"])),
        ];
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns).unwrap();
        let constant = call(
            "regexp_extract",
            vec![column("t"), text("a=(.*)"), lit(1)],
            &schema,
        );
        let prepared = Prepared::of(&constant, &schema).unwrap().unwrap();
        let value = prepared.evaluate(&batch).unwrap().into_array(3).unwrap();
        let expected = StringViewArray::from(vec![Some("1"), None, None]);
        assert_eq!(value.as_string_view(), &expected);
        assert_eq!(prepared.to_string(), "regexp_extract(t@0, a=(.*), 1)");
        for args in [vec![column("t"), column("p")], vec![text("a"), text("a")]] {
            let general = call("regexp_extract", args, &schema);
            assert!(Prepared::of(&general, &schema).unwrap().is_none());
        }
    }
}
