//! A scalar function from its parts: most built-ins are a type rule and a loop over arrays.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The result's type from the arguments' types.
pub type TypeRule = fn(&[DataType]) -> Result<DataType>;
/// The result from the arguments, all of the same length.
pub type Body = Arc<dyn Fn(&[ArrayRef], &DataType) -> Result<ArrayRef> + Send + Sync>;

/// A scalar function.
pub struct Simple {
    name: &'static str,
    signature: Signature,
    arguments: Vec<Vec<DataType>>,
    type_rule: TypeRule,
    body: Body,
}

impl fmt::Debug for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

// A function is its name: there is one of each.
impl PartialEq for Simple {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for Simple {}
impl Hash for Simple {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// A deterministic function that takes arguments of one of these lists of types, cast to them if
/// they are of the same family.
pub fn exact(
    name: &'static str,
    arguments: Vec<Vec<DataType>>,
    type_rule: TypeRule,
    body: impl Fn(&[ArrayRef], &DataType) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    let body = Arc::new(body);
    ScalarUDF::from(Simple {
        name,
        signature,
        arguments,
        type_rule,
        body,
    })
}

/// A deterministic function that takes anything and checks its arguments itself.
pub fn any(
    name: &'static str,
    type_rule: TypeRule,
    body: impl Fn(&[ArrayRef], &DataType) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let signature = Signature::variadic_any(Volatility::Immutable);
    let body = Arc::new(body);
    ScalarUDF::from(Simple {
        name,
        signature,
        arguments: Vec::new(),
        type_rule,
        body,
    })
}

/// Whether a value of one type is cast to another without being asked: within a family, and NULL
/// to anything.
fn coerces(from: &DataType, to: &DataType) -> bool {
    let text =
        |t: &DataType| matches!(t, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
    let time = |t: &DataType| matches!(t, DataType::Timestamp(_, _) | DataType::Date32);
    from == to
        || *from == DataType::Null
        || (from.is_numeric() && to.is_numeric() && (to.is_floating() || from.is_integer()))
        || (text(from) && text(to))
        || (time(from) && time(to))
        || (text(from) && time(to))
}

impl ScalarUDFImpl for Simple {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.type_rule)(types)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let fits = |wanted: &&Vec<DataType>| {
            wanted.len() == types.len() && types.iter().zip(*wanted).all(|(f, t)| coerces(f, t))
        };
        match self.arguments.iter().find(fits) {
            Some(wanted) => Ok(wanted.clone()),
            None => {
                let given: Vec<String> = types.iter().map(ToString::to_string).collect();
                plan_err!(
                    "`{}` does not take ({})",
                    self.name.to_uppercase(),
                    given.join(", ")
                )
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let arrays: Result<Vec<ArrayRef>> = args
            .args
            .into_iter()
            .map(|arg| arg.into_array(rows))
            .collect();
        let result = (self.body)(&arrays?, args.return_field.data_type())?;
        Ok(if scalar {
            ColumnarValue::Scalar(datafusion_common::ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }
}
