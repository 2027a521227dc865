//! Turns finished columns into Arrow arrays without copying them.

use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, ListArray,
    MapArray, PrimitiveArray, StringArray, StructArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, TimeUnit};

use super::nulls::Finished;
use super::{Columns, Data, last};
use crate::error::FormatError;

impl Columns {
    /// Column `id`, inside `around`, as an array of `len` values; those that were not written are
    /// NULL.
    pub(super) fn take_array(
        &mut self,
        id: usize,
        len: usize,
        around: &Finished,
    ) -> Result<ArrayRef, FormatError> {
        let reserve = self.reserve;
        let Some(column) = self.list.get_mut(id) else {
            return Err(FormatError::internal("no such column"));
        };
        // A column that was not written in this batch takes no room in advance for the next.
        let reserve = if column.len() == 0 { 0 } else { reserve };
        column.fill(len);
        let field = Arc::clone(&column.field);
        if let Data::Struct { len: rows, fields } = &mut column.data {
            *rows = 0;
            let fields = fields.clone();
            let nulls = column.nulls.take_around(len, around);
            return self.take_struct(&field, &fields, len, &nulls);
        }
        let nulls = column.nulls.take(len, around);
        let built = match &mut column.data {
            Data::List { offsets, item } => {
                let (item, offsets) = (*item, std::mem::replace(offsets, vec![0]));
                let values = self.take_array(item, last(&offsets), &Finished::default())?;
                take_list(&field, offsets, values, nulls)
            }
            Data::Map {
                offsets,
                key,
                value,
            } => {
                let (key, value) = (*key, *value);
                let offsets = std::mem::replace(offsets, vec![0]);
                let keys = self.take_array(key, last(&offsets), &Finished::default())?;
                let values = self.take_array(value, last(&offsets), &Finished::default())?;
                take_map(&field, offsets, keys, values, nulls)
            }
            leaf => take_leaf(&field, leaf, nulls, reserve),
        };
        built.map_err(|error| wrong(&field, error))
    }

    fn take_struct(
        &mut self,
        field: &FieldRef,
        columns: &[usize],
        len: usize,
        nulls: &Finished,
    ) -> Result<ArrayRef, FormatError> {
        let DataType::Struct(fields) = field.data_type() else {
            return Err(FormatError::internal("a ROW without fields").with_field(field.name()));
        };
        let arrays = columns
            .iter()
            .map(|column| self.take_array(*column, len, nulls))
            .collect::<Result<Vec<_>, _>>()?;
        StructArray::try_new_with_length(fields.clone(), arrays, nulls.bits().cloned(), len)
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|error| wrong(field, error))
    }
}

#[cold]
fn wrong(field: &Field, error: ArrowError) -> FormatError {
    FormatError::internal("a column cannot be built")
        .with_field(field.name())
        .with_source(error)
}

fn take_list(
    field: &Field,
    offsets: Vec<i32>,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    let DataType::List(item) = field.data_type() else {
        return Err(ArrowError::SchemaError("not a list".into()));
    };
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        offsets,
        values,
        nulls,
    )?))
}

fn take_map(
    field: &Field,
    offsets: Vec<i32>,
    keys: ArrayRef,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    let DataType::Map(entries, sorted) = field.data_type() else {
        return Err(ArrowError::SchemaError("not a map".into()));
    };
    let DataType::Struct(pair) = entries.data_type() else {
        return Err(ArrowError::SchemaError("not a map of entries".into()));
    };
    let pairs = StructArray::try_new(pair.clone(), vec![keys, values], None)?;
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(MapArray::try_new(
        Arc::clone(entries),
        offsets,
        pairs,
        nulls,
        *sorted,
    )?))
}

fn take_leaf(
    field: &Field,
    data: &mut Data,
    nulls: Option<NullBuffer>,
    reserve: usize,
) -> Result<ArrayRef, ArrowError> {
    fn values<T>(values: &mut Vec<T>, reserve: usize) -> Vec<T> {
        std::mem::replace(values, Vec::with_capacity(reserve))
    }
    let data_type = field.data_type();
    match data {
        Data::Boolean(bits) => {
            let bits = std::mem::replace(bits, BooleanBufferBuilder::new(reserve)).finish();
            Ok(Arc::new(BooleanArray::new(bits, nulls)))
        }
        Data::Int8(all) => primitive::<Int8Type>(values(all, reserve), nulls, data_type),
        Data::Int16(all) => primitive::<Int16Type>(values(all, reserve), nulls, data_type),
        Data::Int32(all) => take_i32(values(all, reserve), nulls, data_type),
        Data::Int64(all) => take_i64(values(all, reserve), nulls, data_type),
        Data::Float32(all) => primitive::<Float32Type>(values(all, reserve), nulls, data_type),
        Data::Float64(all) => primitive::<Float64Type>(values(all, reserve), nulls, data_type),
        Data::Decimal(all) => primitive::<Decimal128Type>(values(all, reserve), nulls, data_type),
        Data::Views(views) => {
            let (all, blocks) = views.take();
            views.reserve(reserve);
            take_views(all, blocks, nulls, data_type)
        }
        Data::Packed { offsets, bytes } => {
            let offsets = OffsetBuffer::new(std::mem::replace(offsets, vec![0]).into());
            let bytes = Buffer::from_vec(std::mem::take(bytes));
            Ok(match data_type {
                DataType::Utf8 => Arc::new(StringArray::try_new(offsets, bytes, nulls)?),
                _ => Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?),
            })
        }
        _ => Err(ArrowError::SchemaError("not a leaf".into())),
    }
}

fn primitive<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let array = PrimitiveArray::<T>::try_new(ScalarBuffer::from(values), nulls)?;
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

fn take_i32(
    values: Vec<i32>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    match data_type {
        DataType::Date32 => primitive::<Date32Type>(values, nulls, data_type),
        DataType::Time32(TimeUnit::Second) => {
            primitive::<Time32SecondType>(values, nulls, data_type)
        }
        DataType::Time32(_) => primitive::<Time32MillisecondType>(values, nulls, data_type),
        _ => primitive::<Int32Type>(values, nulls, data_type),
    }
}

fn take_i64(
    values: Vec<i64>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    use TimeUnit::*;
    match data_type {
        DataType::Time64(Microsecond) => {
            primitive::<Time64MicrosecondType>(values, nulls, data_type)
        }
        DataType::Time64(_) => primitive::<Time64NanosecondType>(values, nulls, data_type),
        DataType::Timestamp(Second, _) => {
            primitive::<TimestampSecondType>(values, nulls, data_type)
        }
        DataType::Timestamp(Millisecond, _) => {
            primitive::<TimestampMillisecondType>(values, nulls, data_type)
        }
        DataType::Timestamp(Microsecond, _) => {
            primitive::<TimestampMicrosecondType>(values, nulls, data_type)
        }
        DataType::Timestamp(Nanosecond, _) => {
            primitive::<TimestampNanosecondType>(values, nulls, data_type)
        }
        _ => primitive::<Int64Type>(values, nulls, data_type),
    }
}

fn take_views(
    views: ScalarBuffer<u128>,
    blocks: Vec<Buffer>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    // SAFETY: `Views` wrote each view itself: its length, prefix, block and offset are those of
    // bytes it copied into that block, and blocks only grow or lose bytes whose views went first.
    // The tests of `Views` put its results through the checked constructor.
    let array = unsafe { BinaryViewArray::new_unchecked(views, blocks, nulls) };
    if *data_type == DataType::BinaryView {
        return Ok(Arc::new(array));
    }
    // SAFETY: `convert::put_text` is the only writer of STRING columns and checks that bytes are
    // UTF-8; NULLs are empty. The crate's stress test feeds random bytes and checks each string.
    let array = unsafe { array.to_string_view_unchecked() };
    debug_assert!(
        array
            .iter()
            .flatten()
            .all(|text| std::str::from_utf8(text.as_bytes()).is_ok())
    );
    debug_assert_eq!(array.data_type(), data_type);
    Ok(Arc::new(array))
}
