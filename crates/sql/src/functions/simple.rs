//! A scalar function from its parts: most built-ins are a type rule and a loop over arrays.

use std::hash::{Hash, Hasher};

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use datafusion_common::Result;
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

/// The result's type from the arguments' types.
pub type TypeRule = fn(&[DataType]) -> Result<DataType>;
/// The result from the arguments, all of the same length.
pub type Body = fn(&[ArrayRef], &DataType) -> Result<ArrayRef>;

/// A scalar function.
#[derive(Debug)]
pub struct Simple {
    name: &'static str,
    signature: Signature,
    type_rule: TypeRule,
    body: Body,
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

/// A deterministic function that takes arguments of exactly these types, cast to them if needed.
pub fn exact(
    name: &'static str,
    arguments: Vec<Vec<DataType>>,
    type_rule: TypeRule,
    body: Body,
) -> ScalarUDF {
    let one_of = arguments.into_iter().map(TypeSignature::Exact).collect();
    function(
        name,
        Signature::one_of(one_of, Volatility::Immutable),
        type_rule,
        body,
    )
}

/// A deterministic function that takes anything and checks its arguments itself.
pub fn any(name: &'static str, type_rule: TypeRule, body: Body) -> ScalarUDF {
    function(
        name,
        Signature::variadic_any(Volatility::Immutable),
        type_rule,
        body,
    )
}

fn function(
    name: &'static str,
    signature: Signature,
    type_rule: TypeRule,
    body: Body,
) -> ScalarUDF {
    ScalarUDF::from(Simple {
        name,
        signature,
        type_rule,
        body,
    })
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
