//! Aggregate and ranking functions as the planner sees them: names, arguments, result types.
//!
//! They never run through DataFusion: the physical planner turns a call into one of our grouped
//! accumulators.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::{Result, not_impl_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, PartitionEvaluator, Signature, Volatility,
    WindowUDF, WindowUDFImpl,
};

/// The aggregate functions there are.
pub const AGGREGATES: [&str; 14] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "first_value",
    "last_value",
    "listagg",
    "var_pop",
    "var_samp",
    "variance",
    "stddev_pop",
    "stddev_samp",
    "stddev",
];

#[derive(Debug, PartialEq, Eq, Hash)]
struct Aggregate {
    name: &'static str,
    signature: Signature,
}

/// An aggregate function by its lower-case name.
pub fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    let name = AGGREGATES.into_iter().find(|known| *known == name)?;
    let signature = match name {
        "count" => Signature::one_of(
            vec![
                datafusion_expr::TypeSignature::Nullary,
                datafusion_expr::TypeSignature::VariadicAny,
            ],
            Volatility::Immutable,
        ),
        "listagg" => Signature::variadic_any(Volatility::Immutable),
        _ => Signature::any(1, Volatility::Immutable),
    };
    Some(Arc::new(AggregateUDF::from(Aggregate { name, signature })))
}

impl AggregateUDFImpl for Aggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let argument = types.first().unwrap_or(&DataType::Null);
        let number = argument.is_numeric();
        Ok(match self.name {
            "count" => DataType::Int64,
            "sum" | "avg" if !number && *argument != DataType::Null => {
                return plan_err!(
                    "`{}` takes numbers, not `{argument}`",
                    self.name.to_uppercase()
                );
            }
            // Sums of decimals have the widest precision, averages at least six places.
            "sum" => match argument {
                DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
                other => other.clone(),
            },
            "avg" => match argument {
                DataType::Decimal128(_, scale) => DataType::Decimal128(38, (*scale).max(6)),
                other => other.clone(),
            },
            "listagg" => DataType::Utf8View,
            name if name.starts_with("var") || name.starts_with("stddev") => DataType::Float64,
            _ => argument.clone(),
        })
    }

    fn is_nullable(&self) -> bool {
        self.name != "count"
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("`{}` outside of an aggregation", self.name.to_uppercase())
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RowNumber {
    signature: Signature,
}

/// A ranking function by its lower-case name.
pub fn ranking(name: &str) -> Option<Arc<WindowUDF>> {
    let signature = Signature::nullary(Volatility::Immutable);
    (name == "row_number").then(|| Arc::new(WindowUDF::from(RowNumber { signature })))
}

impl WindowUDFImpl for RowNumber {
    fn name(&self) -> &str {
        "row_number"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(
        &self,
        _: PartitionEvaluatorArgs,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        not_impl_err!("ROW_NUMBER without a condition on it")
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int64, false)))
    }
}
