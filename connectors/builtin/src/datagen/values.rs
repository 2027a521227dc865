//! Row numbers to columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int64Array, IntervalMonthDayNanoArray, StringViewBuilder, Time64NanosecondArray,
    TimestampMillisecondArray, make_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use arrow::error::ArrowError;
use thalweg_core::time::ProcessingTime;

use super::fields::{FieldPlan, Length, Values};
use crate::random::{Sequence, below, mix, unit};

const DAY_MS: i64 = 86_400_000;

/// The values of a column in some rows.
pub fn column(
    plan: &FieldPlan,
    data_type: &DataType,
    random: Sequence,
    rows: &[u64],
    now: ProcessingTime,
) -> Result<ArrayRef, ArrowError> {
    let values = values(&plan.values, random, rows, now);
    // Numbers are made in the widest type; their bounds are those of the narrow one.
    let values = match (&plan.values, data_type) {
        (Values::Decimal(..), DataType::Decimal128(precision, scale)) => {
            let values = Decimal128Array::from_iter_values(decimals(&plan.values, random, rows));
            Arc::new(values.with_precision_and_scale(*precision, *scale)?)
        }
        _ if values.data_type() == data_type => values,
        _ => cast(&values, data_type)?,
    };
    if plan.null_rate <= 0.0 {
        return Ok(values);
    }
    // Other random numbers than those of the values.
    let is_valid = |row: usize| unit(mix(!random.bits(rows[row]))) >= plan.null_rate;
    let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), is_valid));
    let data = values.to_data().into_builder().nulls(Some(nulls)).build()?;
    Ok(make_array(data))
}

fn values(values: &Values, random: Sequence, rows: &[u64], now: ProcessingTime) -> ArrayRef {
    let bits = rows.iter().map(|row| random.bits(*row));
    let integers = |min: i64, max: i64| bits.clone().map(move |bits| integer(bits, min, max));
    let now = now.millis();
    match values {
        Values::Boolean => {
            let values: Vec<bool> = bits.map(|bits| bits & 1 == 1).collect();
            Arc::new(BooleanArray::from(values))
        }
        Values::Integer(min, max) => Arc::new(Int64Array::from_iter_values(integers(*min, *max))),
        Values::Sequence(start) => Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| start.wrapping_add_unsigned(*row)),
        )),
        Values::Float(min, max) => Arc::new(Float64Array::from_iter_values(bits.map(|bits| {
            let part = unit(bits);
            // The difference of the bounds may overflow; this does not.
            min * (1.0 - part) + max * part
        }))),
        // Made by `decimals`, which knows the precision.
        Values::Decimal(..) => Arc::new(Int64Array::from(Vec::<i64>::new())),
        Values::Text(length) => Arc::new(texts(bits, *length)),
        Values::Bytes(length) => {
            let mut builder = BinaryBuilder::new();
            let mut value = Vec::new();
            for bits in bits {
                bytes(bits, length.of(bits), &mut value);
                builder.append_value(&value);
            }
            Arc::new(builder.finish())
        }
        Values::Date => {
            let day = i32::try_from(now.div_euclid(DAY_MS)).unwrap_or(i32::MAX);
            Arc::new(Date32Array::from_value(day, rows.len()))
        }
        Values::Time => {
            let nanos = now.rem_euclid(DAY_MS) * 1_000_000;
            Arc::new(Time64NanosecondArray::from_value(nanos, rows.len()))
        }
        Values::Timestamp(max_past) => {
            let past = |bits| i64::try_from(below(bits, max_past.saturating_add(1)));
            let values = bits.map(|bits| now.saturating_sub(past(bits).unwrap_or(i64::MAX)));
            Arc::new(TimestampMillisecondArray::from_iter_values(values))
        }
        Values::Months(min, max) => {
            let months = integers(*min, *max).map(|months| months as i32);
            let values = months.map(|months| IntervalMonthDayNano::new(months, 0, 0));
            Arc::new(IntervalMonthDayNanoArray::from_iter_values(values))
        }
        Values::Millis(min, max) => {
            let nanos = integers(*min, *max).map(|millis| millis * 1_000_000);
            let values = nanos.map(|nanos| IntervalMonthDayNano::new(0, 0, nanos));
            Arc::new(IntervalMonthDayNanoArray::from_iter_values(values))
        }
    }
}

/// A number between two, both inclusive.
fn integer(bits: u64, min: i64, max: i64) -> i64 {
    let chosen = match max.abs_diff(min).checked_add(1) {
        Some(count) => below(bits, count),
        None => bits,
    };
    min.wrapping_add_unsigned(chosen)
}

fn decimals(values: &Values, random: Sequence, rows: &[u64]) -> impl Iterator<Item = i128> {
    let (min, max) = match values {
        Values::Decimal(min, max) => (*min, *max),
        _ => (0, 0),
    };
    // Twice 38 digits fit, with room for one more.
    let count = max.abs_diff(min) + 1;
    rows.iter().map(move |row| {
        let high = random.bits(*row);
        let bits = u128::from(high) << 64 | u128::from(mix(high.wrapping_add(1)));
        min.wrapping_add_unsigned(bits % count)
    })
}

fn texts(bits: impl Iterator<Item = u64>, length: Length) -> arrow::array::StringViewArray {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut builder = StringViewBuilder::new();
    let (mut value, mut text) = (Vec::new(), String::new());
    for bits in bits {
        let length = length.of(bits);
        bytes(bits, length.div_ceil(2), &mut value);
        text.clear();
        let halves = value.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        text.extend(
            halves
                .take(length)
                .map(|half| DIGITS[usize::from(half)] as char),
        );
        builder.append_value(&text);
    }
    builder.finish()
}

/// Makes `length` bytes.
fn bytes(bits: u64, length: usize, out: &mut Vec<u8>) {
    out.clear();
    let mut word = bits;
    while out.len() < length {
        word = mix(word.wrapping_add(0x9E37_79B9_7F4A_7C15));
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.truncate(length);
}

impl Length {
    fn of(self, bits: u64) -> usize {
        let length = if self.variable {
            1 + below(bits, self.max)
        } else {
            self.max
        };
        // The largest length is far below the limit of any platform.
        length as usize
    }
}
