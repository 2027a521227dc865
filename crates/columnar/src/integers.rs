//! Columns of whole numbers of at most 64 bits, dates and timestamps among them, as 64-bit integers.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use thalweg_core::error::Result;

use crate::row_codec::unsupported;

/// Calls a macro with the Arrow type of an integer-like column.
macro_rules! integer_like {
    ($data_type:expr, $then:ident, $otherwise:expr) => {
        match $data_type {
            DataType::Int8 => $then!(Int8Type),
            DataType::Int16 => $then!(Int16Type),
            DataType::Int32 => $then!(Int32Type),
            DataType::Int64 => $then!(Int64Type),
            DataType::Date32 => $then!(Date32Type),
            DataType::Timestamp(TimeUnit::Second, _) => $then!(TimestampSecondType),
            DataType::Timestamp(TimeUnit::Millisecond, _) => $then!(TimestampMillisecondType),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $then!(TimestampMicrosecondType),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => $then!(TimestampNanosecondType),
            _ => $otherwise,
        }
    };
}

/// Whether a column's values are whole numbers of at most 64 bits.
pub fn is_integer_like(data_type: &DataType) -> bool {
    macro_rules! yes {
        ($type:ty) => {
            true
        };
    }
    integer_like!(data_type, yes, false)
}

/// The values of an integer-like column, widened; those of NULLs are arbitrary.
///
/// # Errors
/// `Unsupported` for another type.
pub fn widened(column: &ArrayRef) -> Result<Cow<'_, [i64]>> {
    macro_rules! widen {
        ($type:ty) => {
            widen::<$type>(column.as_primitive::<$type>())
        };
    }
    Ok(integer_like!(
        column.data_type(),
        widen,
        return Err(unsupported(column.data_type()))
    ))
}

fn widen<T>(column: &PrimitiveArray<T>) -> Cow<'_, [i64]>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    if T::DATA_TYPE.primitive_width() == Some(8) {
        return Cow::Borrowed(column.values().inner().typed_data());
    }
    Cow::Owned(
        column
            .values()
            .iter()
            .map(|value| (*value).into())
            .collect(),
    )
}

/// A column of a type out of widened values of it.
///
/// # Errors
/// `Unsupported` for a type that is not integer-like.
pub fn narrowed(values: impl Iterator<Item = i64>, data_type: &DataType) -> Result<ArrayRef> {
    macro_rules! narrow {
        ($type:ty) => {{
            // The value was of this type before it was widened.
            let values = values.map(|value| value as <$type as ArrowPrimitiveType>::Native);
            let column = PrimitiveArray::<$type>::from_iter_values(values);
            Ok(Arc::new(column.with_data_type(data_type.clone())))
        }};
    }
    integer_like!(data_type, narrow, Err(unsupported(data_type)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Date32Array, Int8Array, Int64Array};

    #[test]
    fn values_come_back_from_64_bits() {
        let columns: [ArrayRef; 3] = [
            Arc::new(Int8Array::from(vec![-3, 127])),
            Arc::new(Date32Array::from(vec![-1, 20_000])),
            Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX])),
        ];
        for column in columns {
            let wide = widened(&column).unwrap().into_owned();
            let back = narrowed(wide.into_iter(), column.data_type()).unwrap();
            assert_eq!(&back, &column);
        }
    }

    #[test]
    fn other_types_are_refused() {
        assert!(is_integer_like(&DataType::Int32) && !is_integer_like(&DataType::Float64));
        assert!(narrowed([1].into_iter(), &DataType::Float64).is_err());
    }
}
