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
use thalweg_columnar::arrow_error;
use thalweg_core::error::{Error, Result};

use super::{Accumulator, Input};

/// The sum of what was added, kept in a type wide enough.
enum Sums {
    Integer(Vec<i64>),
    Decimal(Vec<i128>),
    Float(Vec<f64>),
}

/// A sum or an average.
pub struct Sum {
    sums: Sums,
    counts: Vec<i64>,
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
            t if t.is_integer() => Sums::Integer(Vec::new()),
            t if t.is_floating() => Sums::Float(Vec::new()),
            DataType::Decimal128(_, _) => Sums::Decimal(Vec::new()),
            other => return Err(Error::user(format!("cannot sum values of type `{other}`"))),
        };
        Ok(Sum {
            sums,
            counts: Vec::new(),
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
        let counts = &mut self.counts;
        match &mut self.sums {
            Sums::Integer(sums) => {
                let values = values.as_primitive::<Int64Type>().values();
                if input.is_plain() {
                    for (group, value) in input.groups.iter().zip(values) {
                        let group = *group as usize;
                        sums[group] = sums[group].wrapping_add(*value);
                        counts[group] += 1;
                    }
                    return;
                }
                input.for_each(|row, group, sign| {
                    sums[group] = sums[group].wrapping_add(values[row].wrapping_mul(sign));
                    counts[group] += sign;
                });
            }
            Sums::Decimal(sums) => {
                let values = values.as_primitive::<Decimal128Type>().values();
                input.for_each(|row, group, sign| {
                    sums[group] =
                        sums[group].wrapping_add(values[row].wrapping_mul(i128::from(sign)));
                    counts[group] += sign;
                });
            }
            Sums::Float(sums) => {
                let values = values.as_primitive::<Float64Type>().values();
                input.for_each(|row, group, sign| {
                    sums[group] += values[row] * sign as f64;
                    counts[group] += sign;
                });
            }
        }
    }

    fn wide_sums(&self, groups: &[u32], divide: bool) -> Result<ArrayRef> {
        let count = |group: &u32| self.counts[*group as usize];
        let present = |group: &u32| count(group) != 0;
        Ok(match &self.sums {
            Sums::Integer(sums) => Arc::new(Int64Array::from_iter(groups.iter().map(|g| {
                let sum = sums[*g as usize];
                present(g).then(|| {
                    if divide {
                        sum.wrapping_div(count(g))
                    } else {
                        sum
                    }
                })
            }))),
            Sums::Float(sums) => Arc::new(Float64Array::from_iter(groups.iter().map(|g| {
                let sum = sums[*g as usize];
                present(g).then(|| if divide { sum / count(g) as f64 } else { sum })
            }))),
            Sums::Decimal(sums) => {
                let shift = self.shift(divide);
                let values = Decimal128Array::from_iter(groups.iter().map(|g| {
                    let sum = sums[*g as usize];
                    present(g).then(|| match divide {
                        true => divide_half_up(sum.wrapping_mul(shift), i128::from(count(g))),
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
        self.counts.resize(groups, 0);
        match &mut self.sums {
            Sums::Integer(sums) => sums.resize(groups, 0),
            Sums::Decimal(sums) => sums.resize(groups, 0),
            Sums::Float(sums) => sums.resize(groups, 0.0),
        }
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
        let counts = groups.iter().map(|group| self.counts[*group as usize]);
        Ok(vec![
            self.wide_sums(groups, false)?,
            Arc::new(Int64Array::from_iter_values(counts)) as ArrayRef,
        ])
    }

    fn merge(&mut self, groups: &[u32], state: &[ArrayRef]) -> Result<()> {
        let counts = state[1].as_primitive::<Int64Type>();
        for (row, group) in groups.iter().enumerate() {
            let group = *group as usize;
            self.counts[group] += counts.value(row);
            if state[0].is_null(row) {
                continue;
            }
            match &mut self.sums {
                Sums::Integer(sums) => {
                    let value = state[0].as_primitive::<Int64Type>().value(row);
                    sums[group] = sums[group].wrapping_add(value);
                }
                Sums::Decimal(sums) => {
                    let value = state[0].as_primitive::<Decimal128Type>().value(row);
                    sums[group] = sums[group].wrapping_add(value);
                }
                Sums::Float(sums) => {
                    sums[group] += state[0].as_primitive::<Float64Type>().value(row);
                }
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
        let group = group as usize;
        self.counts[group] = 0;
        match &mut self.sums {
            Sums::Integer(sums) => sums[group] = 0,
            Sums::Decimal(sums) => sums[group] = 0,
            Sums::Float(sums) => sums[group] = 0.0,
        }
    }
}
