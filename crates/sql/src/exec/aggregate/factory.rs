//! From an aggregate call of a plan to its accumulator.

use arrow_schema::DataType;
use thalweg_core::error::Result;

use super::count::Count;
use super::distinct::Distinct;
use super::extreme::{AnyExtreme, IntegerExtreme, RetractableExtreme};
use super::list::ListAgg;
use super::positional::Positional;
use super::sum::Sum;
use super::variance::Variance;
use super::{Accumulator, Input};
use crate::exec::expr::{Expression, evaluate_all, evaluate_condition};
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
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
    /// Evaluates arguments and filter.
    ///
    /// # Errors
    /// What an expression fails with.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<EvaluatedCall> {
        let filter = self
            .filter
            .as_ref()
            .map(|filter| evaluate_condition(filter, batch));
        Ok(EvaluatedCall {
            args: evaluate_all(&self.args, batch)?,
            filter: filter.transpose()?,
        })
    }

    /// A new accumulator; `updates` says that values may be retracted.
    ///
    /// # Errors
    /// `User` for argument types that the aggregate does not take.
    pub fn accumulator(&self, updates: bool) -> Result<Box<dyn Accumulator>> {
        let argument = self.arg_types.first().unwrap_or(&DataType::Null);
        let max = self.kind == AggregateKind::Max;
        let plain: Box<dyn Accumulator> = match &self.kind {
            AggregateKind::Count => Box::new(Count::default()),
            AggregateKind::Sum => Box::new(Sum::new(argument, &self.result, false)?),
            AggregateKind::Avg => Box::new(Sum::new(argument, &self.result, true)?),
            AggregateKind::Min | AggregateKind::Max if updates => {
                Box::new(RetractableExtreme::new(argument, max)?)
            }
            AggregateKind::Min | AggregateKind::Max if IntegerExtreme::takes(argument) => {
                Box::new(IntegerExtreme::new(argument.clone(), max))
            }
            AggregateKind::Min | AggregateKind::Max => Box::new(AnyExtreme::new(argument, max)?),
            AggregateKind::FirstValue => Box::new(Positional::new(argument, false)?),
            AggregateKind::LastValue => Box::new(Positional::new(argument, true)?),
            AggregateKind::ListAgg(separator) => Box::new(ListAgg::new(separator.clone())),
            AggregateKind::Variance { sample, root } => Box::new(Variance::new(*sample, *root)),
        };
        // The extreme of distinct values is the extreme of all.
        let distinct =
            self.distinct && !matches!(self.kind, AggregateKind::Min | AggregateKind::Max);
        Ok(if distinct {
            Box::new(Distinct::new(plain, &self.arg_types, updates))
        } else {
            plain
        })
    }
}

/// New accumulators of all calls.
///
/// # Errors
/// As [`AggregateCall::accumulator`].
pub fn accumulators(calls: &[AggregateCall], updates: bool) -> Result<Vec<Box<dyn Accumulator>>> {
    calls.iter().map(|call| call.accumulator(updates)).collect()
}

/// Updates all accumulators with one batch.
///
/// # Errors
/// What an accumulator fails with.
pub fn update_all(
    accumulators: &mut [Box<dyn Accumulator>],
    calls: &[EvaluatedCall],
    groups: &[u32],
    kinds: Option<&[u8]>,
) -> Result<()> {
    for (accumulator, call) in accumulators.iter_mut().zip(calls) {
        accumulator.update(&Input {
            groups,
            args: &call.args,
            filter: call.filter.as_ref(),
            kinds,
        })?;
    }
    Ok(())
}
