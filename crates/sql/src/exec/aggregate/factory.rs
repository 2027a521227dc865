//! From an aggregate call of a plan to its accumulator.

use arrow_schema::DataType;
use thalweg_core::error::Result;

use super::Accumulator;
use super::count::Count;
use super::extreme::{AnyExtreme, IntegerExtreme, RetractableExtreme};
use super::list::ListAgg;
use super::positional::Positional;
use super::sum::Sum;
use super::text_extreme::TextExtreme;
use super::variance::Variance;
use crate::exec::expr::Expression;
use arrow_array::{ArrayRef, BooleanArray, UInt32Array};
use arrow_select::take::take;
use thalweg_columnar::arrow_error;

/// Which aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    /// `COUNT`
    Count,
    /// `SUM`
    Sum,
    /// `AVG`
    Avg,
    /// `MIN`
    Min,
    /// `MAX`
    Max,
    /// `FIRST_VALUE`
    FirstValue,
    /// `LAST_VALUE`
    LastValue,
    /// `LISTAGG` with its separator.
    ListAgg(String),
    /// `VAR_*`, `STDDEV_*`
    Variance {
        /// Over a sample.
        sample: bool,
        /// The standard deviation.
        root: bool,
    },
}

/// One aggregate call.
#[derive(Clone)]
pub struct AggregateCall {
    /// Which aggregate.
    pub kind: AggregateKind,
    /// Its arguments; none for `COUNT(*)`.
    pub args: Vec<Expression>,
    /// Their types.
    pub arg_types: Vec<DataType>,
    /// `FILTER (WHERE …)`
    pub filter: Option<Expression>,
    /// `DISTINCT`
    pub distinct: bool,
    /// The result's type.
    pub result: DataType,
}

/// The arguments and filter of a call over one batch.
pub struct EvaluatedCall {
    /// The arguments.
    pub args: Vec<ArrayRef>,
    /// The filter.
    pub filter: Option<BooleanArray>,
}

impl EvaluatedCall {
    /// The same over some of the rows.
    ///
    /// # Errors
    /// `User` if a column cannot be taken from.
    pub fn take(&self, rows: &UInt32Array) -> Result<EvaluatedCall> {
        let args: Result<Vec<ArrayRef>> = self
            .args
            .iter()
            .map(|arg| take(arg, rows, None).map_err(arrow_error))
            .collect();
        let filter = self.filter.as_ref().map(|filter| {
            let kept = rows.values().iter().map(|row| filter.value(*row as usize));
            kept.map(Some).collect()
        });
        Ok(EvaluatedCall {
            args: args?,
            filter,
        })
    }
}

impl AggregateCall {
    /// Whether repeated values must be kept from the accumulator: the extreme of distinct values
    /// is the extreme of all.
    pub fn needs_distinct(&self) -> bool {
        self.distinct && !matches!(self.kind, AggregateKind::Min | AggregateKind::Max)
    }

    /// A new accumulator of what is given to it; `updates` says that values may be retracted.
    ///
    /// # Errors
    /// `User` for argument types that the aggregate does not take.
    pub fn accumulator(&self, updates: bool) -> Result<Box<dyn Accumulator>> {
        let argument = self.arg_types.first().unwrap_or(&DataType::Null);
        let max = self.kind == AggregateKind::Max;
        Ok(match &self.kind {
            AggregateKind::Count => Box::new(Count::default()),
            AggregateKind::Sum => Box::new(Sum::new(argument, &self.result, false)?),
            AggregateKind::Avg => Box::new(Sum::new(argument, &self.result, true)?),
            AggregateKind::Min | AggregateKind::Max if updates => {
                Box::new(RetractableExtreme::new(argument, max)?)
            }
            AggregateKind::Min | AggregateKind::Max if IntegerExtreme::takes(argument) => {
                Box::new(IntegerExtreme::new(argument.clone(), max))
            }
            AggregateKind::Min | AggregateKind::Max if TextExtreme::takes(argument) => {
                Box::new(TextExtreme::new(max))
            }
            AggregateKind::Min | AggregateKind::Max => Box::new(AnyExtreme::new(argument, max)?),
            AggregateKind::FirstValue => Box::new(Positional::new(argument, false)?),
            AggregateKind::LastValue => Box::new(Positional::new(argument, true)?),
            AggregateKind::ListAgg(separator) => Box::new(ListAgg::new(separator.clone())),
            AggregateKind::Variance { sample, root } => Box::new(Variance::new(*sample, *root)),
        })
    }
}
