//! `SUM` and `AVG` of integers, decimals and floats.
//!
//! Both keep the sum and the number of values that are not NULL: an empty sum is NULL. The sum of
//! integers has their type and wraps silently when it overflows; their average is an integer too,
//! cut towards zero.

use std::sync::Arc;

use arrow::compute::cast;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Decimal128Array, Float64Array, Int64Array};
use arrow_schema::DataType;
use thalweg_columnar::{Pages, arrow_error};
use thalweg_core::error::{Error, Result};

use super::{Accumulator, Input};

/// The sum of the values that were added, and how many they were.
#[derive(Clone, Copy, Default)]
struct Total<T> {
    sum: T,
    count: i64,
}

/// The totals, with sums of a type wide enough.
enum Sums {
    Integer(Pages<Total<i64>>),
    Decimal(Pages<Total<i128>>),
    Float(Pages<Total<f64>>),
}

/// Does the same with the totals of any type.
macro_rules! each {
    ($sums:expr, $totals:ident => $then:expr) => {
        match $sums {
            Sums::Integer($totals) => $then,
            Sums::Decimal($totals) => $then,
            Sums::Float($totals) => $then,
        }
    };
}

/// A sum or an average.
pub struct Sum {
    sums: Sums,
    argument: DataType,
    result: DataType,
    average: bool,
}

impl Sum {
    /// A sum or average of `argument` with the type `result`.
    ///
    /// # Errors
    /// `User` if the argument is no number.
    pub fn new(argument: &DataType, result: &DataType, average: bool) -> Result<Self> {
        let sums = match argument {
            t if t.is_integer() => Sums::Integer(Pages::new()),
            t if t.is_floating() => Sums::Float(Pages::new()),
            DataType::Decimal128(_, _) => Sums::Decimal(Pages::new()),
            other => return Err(Error::user(format!("cannot sum values of type `{other}`"))),
        };
        Ok(Sum {
            sums,
            argument: argument.clone(),
            result: result.clone(),
            average,
        })
    }

    fn wide_type(&self) -> DataType {
        match (&self.sums, &self.argument) {
            (Sums::Integer(_), _) => DataType::Int64,
            (Sums::Float(_), _) => DataType::Float64,
            (Sums::Decimal(_), DataType::Decimal128(_, scale)) => DataType::Decimal128(38, *scale),
            (Sums::Decimal(_), _) => DataType::Decimal128(38, 0),
        }
    }

    fn add(&mut self, values: &ArrayRef, input: &Input<'_>) {
        match &mut self.sums {
            Sums::Integer(totals) => {
                let values = values.as_primitive::<Int64Type>().values();
                if input.is_plain() {
                    totals.for_each_mut(input.groups, |row, total| {
                        total.sum = total.sum.wrapping_add(values[row]);
                        total.count += 1;
                    });
                    return;
                }
                input.for_each(|row, group, sign| {
                    let total = totals.get_mut(group);
                    total.sum = total.sum.wrapping_add(values[row].wrapping_mul(sign));
                    total.count += sign;
                });
            }
            Sums::Decimal(totals) => {
                let values = values.as_primitive::<Decimal128Type>().values();
                input.for_each(|row, group, sign| {
                    let total = totals.get_mut(group);
                    let change = values[row].wrapping_mul(i128::from(sign));
                    total.sum = total.sum.wrapping_add(change);
                    total.count += sign;
                });
            }
            Sums::Float(totals) => {
                let values = values.as_primitive::<Float64Type>().values();
                input.for_each(|row, group, sign| {
                    let total = totals.get_mut(group);
                    total.sum += values[row] * sign as f64;
                    total.count += sign;
                });
            }
        }
    }

    fn wide_sums(&self, groups: &[u32], divide: bool) -> Result<ArrayRef> {
        Ok(match &self.sums {
            Sums::Integer(totals) => Arc::new(Int64Array::from_iter(groups.iter().map(|group| {
                let Total { sum, count } = *totals.get(*group);
                (count != 0).then(|| if divide { sum.wrapping_div(count) } else { sum })
            }))),
            Sums::Float(totals) => Arc::new(Float64Array::from_iter(groups.iter().map(|group| {
                let Total { sum, count } = *totals.get(*group);
                (count != 0).then(|| if divide { sum / count as f64 } else { sum })
            }))),
            Sums::Decimal(totals) => {
                let shift = self.shift(divide);
                let values = Decimal128Array::from_iter(groups.iter().map(|group| {
                    let Total { sum, count } = *totals.get(*group);
                    (count != 0).then(|| match divide {
                        true => divide_half_up(sum.wrapping_mul(shift), i128::from(count)),
                        false => sum,
                    })
                }));
                let scale = match (divide, &self.result, &self.argument) {
                    (true, DataType::Decimal128(_, scale), _)
                    | (_, _, DataType::Decimal128(_, scale)) => *scale,
                    _ => 0,
                };
                Arc::new(
                    values
                        .with_precision_and_scale(38, scale)
                        .map_err(arrow_error)?,
                )
            }
        })
    }

    // An average has more places than its values: the sum is shifted before it is divided.
    fn shift(&self, divide: bool) -> i128 {
        match (divide, &self.argument, &self.result) {
            (true, DataType::Decimal128(_, from), DataType::Decimal128(_, to)) if to > from => {
                10i128.pow(u32::from((to - from).unsigned_abs()))
            }
            _ => 1,
        }
    }
}

fn divide_half_up(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let away = if (dividend < 0) == (divisor < 0) {
        1
    } else {
        -1
    };
    if rest.abs() * 2 >= divisor.abs() {
        quotient + away
    } else {
        quotient
    }
}

/// Casts integers with wrap-around, everything else as Arrow does.
fn narrow(wide: &ArrayRef, result: &DataType) -> Result<ArrayRef> {
    if wide.data_type() == result {
        return Ok(wide.clone());
    }
    if wide.data_type() == &DataType::Int64 {
        let values = wide.as_primitive::<Int64Type>();
        let wrapped: Int64Array = match result {
            DataType::Int8 => values.unary(|v| i64::from(v as i8)),
            DataType::Int16 => values.unary(|v| i64::from(v as i16)),
            DataType::Int32 => values.unary(|v| i64::from(v as i32)),
            _ => values.clone(),
        };
        return cast(&wrapped, result).map_err(arrow_error);
    }
    cast(wide, result).map_err(arrow_error)
}

impl Accumulator for Sum {
    fn resize(&mut self, groups: usize) {
        each!(&mut self.sums, totals => totals.grow(groups, Total::default()));
    }

    fn update(&mut self, input: &Input<'_>) -> Result<()> {
        let wide = self.wide_type();
        let values = if input.args[0].data_type() == &wide {
            input.args[0].clone()
        } else {
            cast(&input.args[0], &wide).map_err(arrow_error)?
        };
        self.add(&values, input);
        Ok(())
    }

    fn state(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let counts: Int64Array = each!(&self.sums, totals => {
            let counts = groups.iter().map(|group| totals.get(*group).count);
            Int64Array::from_iter_values(counts)
        });
        Ok(vec![self.wide_sums(groups, false)?, Arc::new(counts)])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let counts = state[1].as_primitive::<Int64Type>().values();
        each!(&mut self.sums, totals => {
            totals.for_each_mut(groups, |row, total| total.count += counts[row]);
        });
        let (sums, nulls) = (&state[0], state[0].nulls());
        let known = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
        match &mut self.sums {
            Sums::Integer(totals) => {
                let sums = sums.as_primitive::<Int64Type>().values();
                totals.for_each_mut(groups, |row, total| {
                    let more = if known(row) { sums[row] } else { 0 };
                    total.sum = total.sum.wrapping_add(more);
                });
            }
            Sums::Decimal(totals) => {
                let sums = sums.as_primitive::<Decimal128Type>().values();
                totals.for_each_mut(groups, |row, total| {
                    let more = if known(row) { sums[row] } else { 0 };
                    total.sum = total.sum.wrapping_add(more);
                });
            }
            Sums::Float(totals) => {
                let sums = sums.as_primitive::<Float64Type>().values();
                totals.for_each_mut(groups, |row, total| {
                    // Not even 0 is added to what may be -0.
                    if known(row) {
                        total.sum += sums[row];
                    }
                });
            }
        }
        Ok(())
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.wide_type(), DataType::Int64]
    }

    fn result(&self, groups: &[u32]) -> Result<ArrayRef> {
        narrow(&self.wide_sums(groups, self.average)?, &self.result)
    }

    fn clear(&mut self, group: u32) {
        each!(&mut self.sums, totals => *totals.get_mut(group) = Total::default());
    }

    fn share(&mut self) -> Box<dyn Accumulator> {
        Box::new(Sum {
            sums: match &mut self.sums {
                Sums::Integer(totals) => Sums::Integer(totals.share()),
                Sums::Decimal(totals) => Sums::Decimal(totals.share()),
                Sums::Float(totals) => Sums::Float(totals.share()),
            },
            argument: self.argument.clone(),
            result: self.result.clone(),
            average: self.average,
        })
    }
}
