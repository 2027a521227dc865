//! The values of a batch as text: what encoders share.
//!
//! The arrays of a batch are looked at once and become [`Cells`], so that writing a value is one
//! match on a flat enum and no downcast.

use std::any::Any;
use std::fmt::Debug;
use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, PrimitiveArray, RecordBatch,
    StringArray, StringViewArray,
};
use arrow_buffer::{ArrowNativeType, NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, SchemaRef, TimeUnit};

use crate::base64;
use crate::error::FormatError;
use crate::time::{self, Stamp};

/// A column of a batch, ready to be written.
pub(crate) struct Cells<'a> {
    pub name: &'a str,
    nulls: Option<&'a NullBuffer>,
    pub values: Values<'a>,
}

/// The values of a column by type.
pub(crate) enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal(&'a [i128], i8),
    Text(&'a StringArray),
    TextView(&'a StringViewArray),
    Bytes(&'a BinaryArray),
    BytesView(&'a BinaryViewArray),
    Date(&'a [i32]),
    Time32(&'a [i32], TimeUnit),
    Time64(&'a [i64], TimeUnit),
    Timestamp(&'a [i64], TimeUnit, bool),
    Row(Vec<Cells<'a>>),
    List(&'a [i32], Box<Cells<'a>>),
    Map(&'a [i32], Box<Cells<'a>>, Box<Cells<'a>>),
}

impl<'a> Cells<'a> {
    /// The values of `array`, a column called `name`.
    pub fn of(name: &'a str, array: &'a ArrayRef) -> Result<Cells<'a>, FormatError> {
        let values = match array.data_type() {
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::Int8 => Values::Int8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Values::Int16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Values::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Values::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::Float32 => Values::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Values::Float64(array.as_primitive::<Float64Type>().values()),
            DataType::Decimal128(_, scale) => {
                Values::Decimal(array.as_primitive::<Decimal128Type>().values(), *scale)
            }
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Utf8View => Values::TextView(array.as_string_view()),
            DataType::Binary => Values::Bytes(array.as_binary()),
            DataType::BinaryView => Values::BytesView(array.as_binary_view()),
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>().values()),
            DataType::Time32(unit) => Values::Time32(native(array)?, *unit),
            DataType::Time64(unit) => Values::Time64(native(array)?, *unit),
            DataType::Timestamp(unit, zone) => {
                Values::Timestamp(native(array)?, *unit, zone.is_some())
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let inner = fields.iter().zip(columns);
                let cells = inner.map(|(field, column)| Cells::of(field.name(), column));
                Values::Row(cells.collect::<Result<_, _>>()?)
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Values::List(
                    list.value_offsets(),
                    Box::new(Cells::of(name, list.values())?),
                )
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let keys = Box::new(Cells::of(name, map.keys())?);
                Values::Map(
                    map.value_offsets(),
                    keys,
                    Box::new(Cells::of(name, map.values())?),
                )
            }
            other => {
                let message = format!("no text format has the type {other}");
                return Err(FormatError::unsupported(message).with_field(name));
            }
        };
        Ok(Cells {
            name,
            nulls: array.nulls(),
            values,
        })
    }

    /// No values, for the place of cells that were taken.
    pub fn empty(name: &'a str) -> Cells<'a> {
        Cells {
            name,
            nulls: None,
            values: Values::Row(Vec::new()),
        }
    }

    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// The elements of row `row` of an ARRAY or MAP.
    pub fn elements(&self, row: usize) -> std::ops::Range<usize> {
        match &self.values {
            Values::List(offsets, _) | Values::Map(offsets, _, _) => {
                match offsets.get(row..row + 2) {
                    Some(&[from, to]) => from.as_usize()..to.as_usize(),
                    _ => 0..0,
                }
            }
            _ => 0..0,
        }
    }

    /// Appends the text of a value that is neither NULL, ROW, ARRAY nor MAP, without quotes.
    ///
    /// `separator` stands between date and time.
    pub fn write(&self, row: usize, separator: u8, out: &mut Vec<u8>) {
        match &self.values {
            Values::Boolean(values) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
            }
            Values::Int8(values) => write_integer(i64::from(values[row]), out),
            Values::Int16(values) => write_integer(i64::from(values[row]), out),
            Values::Int32(values) => write_integer(i64::from(values[row]), out),
            Values::Int64(values) => write_integer(values[row], out),
            Values::Float32(values) => write_float(f64::from(values[row]), values[row], out),
            Values::Float64(values) => write_float(values[row], values[row], out),
            Values::Decimal(values, scale) => write_decimal(values[row], *scale, out),
            Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::TextView(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Bytes(values) => base64::encode(values.value(row), out),
            Values::BytesView(values) => base64::encode(values.value(row), out),
            Values::Date(values) => time::write_date(i64::from(values[row]), out),
            Values::Time32(values, unit) => write_clock(i64::from(values[row]), *unit, out),
            Values::Time64(values, unit) => write_clock(values[row], *unit, out),
            Values::Timestamp(values, unit, zoned) => {
                time::write_stamp(Stamp::from_unit(values[row], *unit), separator, out);
                if *zoned {
                    out.push(b'Z');
                }
            }
            Values::Row(_) | Values::List(..) | Values::Map(..) => {}
        }
    }

    /// The bytes of a STRING.
    #[inline]
    pub fn text(&self, row: usize) -> Option<&'a str> {
        match &self.values {
            Values::Text(values) => Some(values.value(row)),
            Values::TextView(values) => Some(values.value(row)),
            _ => None,
        }
    }
}

/// The numbers of a time or timestamp, whatever its unit.
fn native<T: ArrowNativeType>(array: &ArrayRef) -> Result<&[T], FormatError> {
    let data = array.as_any();
    macro_rules! first_of {
        ($($primitive:ty),*) => {
            None $(.or_else(|| {
                let values: &dyn Any = data.downcast_ref::<PrimitiveArray<$primitive>>()?.values();
                values.downcast_ref::<ScalarBuffer<T>>()
            }))*
        };
    }
    let values: Option<&ScalarBuffer<T>> = first_of!(
        Time32SecondType,
        Time32MillisecondType,
        Time64MicrosecondType,
        Time64NanosecondType,
        TimestampSecondType,
        TimestampMillisecondType,
        TimestampMicrosecondType,
        TimestampNanosecondType
    );
    values
        .map(|values| &**values)
        .ok_or_else(|| FormatError::internal("a time column of another width"))
}

/// The columns of `batch`, which must be those of `schema`; dictionaries become their values.
pub(crate) fn plain_columns(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<Vec<ArrayRef>, FormatError> {
    if batch.num_columns() != schema.fields().len() {
        let message = format!(
            "a batch of {} columns for a schema of {}",
            batch.num_columns(),
            schema.fields().len()
        );
        return Err(FormatError::internal(message));
    }
    let columns = batch.columns().iter().zip(schema.fields());
    let plain = columns.map(|(column, field)| match column.data_type() {
        DataType::Dictionary(_, _) | DataType::LargeUtf8 | DataType::LargeBinary => {
            arrow_cast::cast(column, field.data_type()).map_err(|error| {
                let error = FormatError::internal("a column of another type").with_source(error);
                error.with_field(field.name())
            })
        }
        _ => Ok(ArrayRef::clone(column)),
    });
    plain.collect()
}

/// Appends an integer in decimal.
#[inline]
pub(crate) fn write_integer(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends the shortest text that is read back as the same number; `NaN` and `Infinity` by name.
///
/// `narrow` is `value` in the width of its column, which decides what is shortest.
fn write_float(value: f64, narrow: impl Debug, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 {
            b"Infinity"
        } else {
            b"-Infinity"
        });
    } else {
        // Writing to memory does not fail.
        let _ = write!(out, "{narrow:?}");
    }
}

/// Appends a decimal with all digits of its scale.
fn write_decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let digits = value.unsigned_abs().to_string();
    let Ok(scale) = usize::try_from(scale) else {
        out.extend_from_slice(digits.as_bytes());
        let zeros = if value == 0 {
            0
        } else {
            usize::from(scale.unsigned_abs())
        };
        return out.resize(out.len() + zeros, b'0');
    };
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    out.extend_from_slice(whole.as_bytes());
    if scale > 0 {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}

fn write_clock(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let stamp = Stamp::from_unit(value, unit);
    time::write_time(stamp.seconds.rem_euclid(86_400), stamp.nanos, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn decimals_keep_all_digits_of_their_scale() {
        for (value, scale, expected) in [
            (12345, 2, "123.45"),
            (-5, 2, "-0.05"),
            (100, 2, "1.00"),
            (7, 0, "7"),
            (7, -2, "700"),
        ] {
            assert_eq!(text(|out| write_decimal(value, scale, out)), expected);
        }
        let smallest = text(|out| write_decimal(i128::MIN, 0, out));
        assert_eq!(smallest, i128::MIN.to_string());
    }

    #[test]
    fn integers_are_written_to_their_limits() {
        for value in [0, 7, -7, i64::MIN, i64::MAX] {
            assert_eq!(text(|out| write_integer(value, out)), value.to_string());
        }
    }
}
