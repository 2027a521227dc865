//! Rows as canonical bytes.
//!
//! Each value is a byte (0 for NULL, 1 otherwise) and, if it is not NULL, its bytes: numbers,
//! dates and times little-endian in their width, text and binary behind a `u32` length, lists
//! behind a `u32` count, structs field by field. The same row has the same bytes whatever array
//! type its strings came in, on every platform and in every version.

use arrow_array::builder::{BinaryBuilder, BinaryViewBuilder, StringBuilder, StringViewBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{
    Array, ArrayRef, BooleanArray, ListArray, MapArray, NullArray, PrimitiveArray, StructArray,
    downcast_primitive, downcast_primitive_array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ToByteSlice};
use arrow_schema::DataType;
use std::sync::Arc;
use thalweg_core::data::{Data, take_bytes, take_len};
use thalweg_core::error::{Error, Result};

use crate::arrow_error;

/// Encodes and decodes rows of fixed column types.
#[derive(Clone, Debug)]
pub struct RowCodec {
    types: Vec<DataType>,
}

impl RowCodec {
    /// A codec for columns of these types.
    pub fn new(types: Vec<DataType>) -> Self {
        RowCodec { types }
    }

    /// The column types.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Appends the bytes of row `row`.
    ///
    /// # Errors
    /// `Unsupported` for a column type without a canonical form.
    pub fn encode(&self, columns: &[ArrayRef], row: usize, out: &mut Vec<u8>) -> Result<()> {
        columns
            .iter()
            .try_for_each(|column| encode_value(column.as_ref(), row, out))
    }

    /// Turns encoded rows back into columns.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no rows of these types.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let mut cursors: Vec<&[u8]> = rows.into_iter().collect();
        let columns: Result<Vec<ArrayRef>> = self
            .types
            .iter()
            .map(|data_type| decode_column(data_type, &mut cursors))
            .collect();
        if cursors.iter().any(|rest| !rest.is_empty()) {
            return Err(Error::corrupt("bytes left behind a stored row"));
        }
        columns
    }
}

pub(crate) fn unsupported(data_type: &DataType) -> Error {
    Error::unsupported(format!(
        "a column of type `{data_type}` cannot be kept in state"
    ))
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    (bytes.len() as u32).encode(out);
    out.extend_from_slice(bytes);
}

/// Appends the canonical bytes of one value.
pub(crate) fn encode_value(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        out.push(0);
        return Ok(());
    }
    out.push(1);
    match array.data_type() {
        DataType::Boolean => out.push(u8::from(array.as_boolean().value(row))),
        DataType::Utf8 => encode_bytes(array.as_string::<i32>().value(row).as_bytes(), out),
        DataType::LargeUtf8 => encode_bytes(array.as_string::<i64>().value(row).as_bytes(), out),
        DataType::Utf8View => encode_bytes(array.as_string_view().value(row).as_bytes(), out),
        DataType::Binary => encode_bytes(array.as_binary::<i32>().value(row), out),
        DataType::BinaryView => encode_bytes(array.as_binary_view().value(row), out),
        DataType::Struct(_) => {
            for field in array.as_struct().columns() {
                encode_value(field.as_ref(), row, out)?;
            }
        }
        DataType::List(_) => encode_list(array.as_list::<i32>().value(row).as_ref(), out)?,
        DataType::Map(_, _) => encode_list(&array.as_map().value(row), out)?,
        _ => downcast_primitive_array!(
            array => out.extend_from_slice(array.value(row).to_byte_slice()),
            other => return Err(unsupported(other))
        ),
    }
    Ok(())
}

fn encode_list(elements: &dyn Array, out: &mut Vec<u8>) -> Result<()> {
    (elements.len() as u32).encode(out);
    (0..elements.len()).try_for_each(|i| encode_value(elements, i, out))
}

fn take_present(cursor: &mut &[u8]) -> Result<bool> {
    bool::decode(cursor)
}

fn decode_column(data_type: &DataType, cursors: &mut [&[u8]]) -> Result<ArrayRef> {
    macro_rules! primitive {
        ($type:ty) => {
            decode_primitive::<$type>(data_type, cursors)
        };
    }
    match data_type {
        DataType::Null => {
            for cursor in cursors.iter_mut() {
                take_present(cursor)?;
            }
            Ok(Arc::new(NullArray::new(cursors.len())))
        }
        DataType::Boolean => {
            let values: Result<Vec<Option<bool>>> = cursors
                .iter_mut()
                .map(|c| {
                    Ok(if take_present(c)? {
                        Some(bool::decode(c)?)
                    } else {
                        None
                    })
                })
                .collect();
            Ok(Arc::new(BooleanArray::from(values?)))
        }
        DataType::Utf8 => {
            let mut builder = StringBuilder::new();
            decode_each(cursors, |bytes| {
                builder.append_option(bytes.map(text).transpose()?);
                Ok(())
            })?;
            Ok(Arc::new(builder.finish()))
        }
        DataType::Utf8View => {
            let mut builder = StringViewBuilder::new();
            decode_each(cursors, |bytes| {
                builder.append_option(bytes.map(text).transpose()?);
                Ok(())
            })?;
            Ok(Arc::new(builder.finish()))
        }
        DataType::Binary => {
            let mut builder = BinaryBuilder::new();
            decode_each(cursors, |bytes| {
                builder.append_option(bytes);
                Ok(())
            })?;
            Ok(Arc::new(builder.finish()))
        }
        DataType::BinaryView => {
            let mut builder = BinaryViewBuilder::new();
            decode_each(cursors, |bytes| {
                builder.append_option(bytes);
                Ok(())
            })?;
            Ok(Arc::new(builder.finish()))
        }
        DataType::Struct(_) | DataType::List(_) | DataType::Map(_, _) => {
            decode_compound(data_type, cursors)
        }
        other => downcast_primitive!(
            other => (primitive),
            _ => Err(unsupported(other))
        ),
    }
}

fn decode_compound(data_type: &DataType, cursors: &mut [&[u8]]) -> Result<ArrayRef> {
    match data_type {
        DataType::Struct(fields) => {
            let validity = take_validity(cursors)?;
            let mut children = Vec::new();
            for field in fields {
                children.push(decode_nested(field.data_type(), cursors, &validity)?);
            }
            let nulls = NullBuffer::from(validity);
            Ok(Arc::new(
                StructArray::try_new(fields.clone(), children, Some(nulls)).map_err(arrow_error)?,
            ))
        }
        DataType::List(field) => {
            let (validity, offsets, values) = decode_elements(field.data_type(), cursors)?;
            let nulls = Some(NullBuffer::from(validity));
            let list = ListArray::try_new(field.clone(), offsets, values, nulls);
            Ok(Arc::new(list.map_err(arrow_error)?))
        }
        DataType::Map(field, sorted) => {
            let (validity, offsets, values) = decode_elements(field.data_type(), cursors)?;
            let entries = values.as_struct().clone();
            let nulls = Some(NullBuffer::from(validity));
            let map = MapArray::try_new(field.clone(), offsets, entries, nulls, *sorted);
            Ok(Arc::new(map.map_err(arrow_error)?))
        }
        other => Err(unsupported(other)),
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes)
        .map_err(|error| Error::corrupt("stored text is not UTF-8").with_source(error))
}

fn decode_each<'a>(
    cursors: &mut [&'a [u8]],
    mut append: impl FnMut(Option<&'a [u8]>) -> Result<()>,
) -> Result<()> {
    for cursor in cursors.iter_mut() {
        if take_present(cursor)? {
            let len = take_len(cursor, 1)?;
            append(Some(take_bytes(cursor, len)?))?;
        } else {
            append(None)?;
        }
    }
    Ok(())
}

fn decode_primitive<T: ArrowPrimitiveType>(
    data_type: &DataType,
    cursors: &mut [&[u8]],
) -> Result<ArrayRef> {
    let width = size_of::<T::Native>();
    let mut values: Vec<T::Native> = Vec::with_capacity(cursors.len());
    let mut validity = Vec::with_capacity(cursors.len());
    for cursor in cursors.iter_mut() {
        let present = take_present(cursor)?;
        validity.push(present);
        let mut native = T::Native::default();
        if present {
            let bytes = take_bytes(cursor, width)?;
            // An aligned copy: stored bytes have no alignment.
            let mut buffer = arrow_buffer::MutableBuffer::new(width);
            buffer.extend_from_slice(bytes);
            let scalar: arrow_buffer::ScalarBuffer<T::Native> = buffer.into();
            native = scalar[0];
        }
        values.push(native);
    }
    let nulls = validity
        .contains(&false)
        .then(|| NullBuffer::from(validity));
    let array = PrimitiveArray::<T>::new(values.into(), nulls);
    Ok(Arc::new(array.with_data_type(data_type.clone())))
}

fn take_validity(cursors: &mut [&[u8]]) -> Result<Vec<bool>> {
    cursors.iter_mut().map(take_present).collect()
}

// Children of a NULL struct have no bytes; they are decoded as NULL.
fn decode_nested(
    data_type: &DataType,
    cursors: &mut [&[u8]],
    validity: &[bool],
) -> Result<ArrayRef> {
    const NULL: &[u8] = &[0];
    let mut present: Vec<&[u8]> = cursors
        .iter()
        .zip(validity)
        .map(|(c, valid)| if *valid { *c } else { NULL })
        .collect();
    let column = decode_column(data_type, &mut present)?;
    for ((cursor, rest), valid) in cursors.iter_mut().zip(present).zip(validity) {
        if *valid {
            *cursor = rest;
        }
    }
    Ok(column)
}

fn decode_elements(
    data_type: &DataType,
    cursors: &mut [&[u8]],
) -> Result<(Vec<bool>, OffsetBuffer<i32>, ArrayRef)> {
    let validity = take_validity(cursors)?;
    let mut lengths = Vec::with_capacity(cursors.len());
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (cursor, valid) in cursors.iter_mut().zip(&validity) {
        let len = if *valid { take_len(cursor, 1)? } else { 0 };
        lengths.push(len);
        for _ in 0..len {
            let mut one = [*cursor];
            columns.push(decode_column(data_type, &mut one)?);
            *cursor = one[0];
        }
    }
    let values = if columns.is_empty() {
        arrow_array::new_empty_array(data_type)
    } else {
        let parts: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
        arrow_select::concat::concat(&parts).map_err(arrow_error)?
    };
    Ok((validity, OffsetBuffer::from_lengths(lengths), values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{Decimal128Array, Int64Array, StringArray, StringViewArray};
    use arrow_schema::{Field, Fields};

    fn round_trip(columns: Vec<ArrayRef>) {
        let codec = RowCodec::new(columns.iter().map(|c| c.data_type().clone()).collect());
        let rows: Vec<Vec<u8>> = (0..columns[0].len())
            .map(|row| {
                let mut bytes = Vec::new();
                codec.encode(&columns, row, &mut bytes).unwrap();
                bytes
            })
            .collect();
        let back = codec.decode(rows.iter().map(Vec::as_slice)).unwrap();
        for (column, back) in columns.iter().zip(&back) {
            assert_eq!(&column.to_data(), &back.to_data());
        }
    }

    #[test]
    fn rows_come_back_from_their_bytes() {
        let decimals = Decimal128Array::from(vec![Some(12345), None, Some(-1)])
            .with_precision_and_scale(10, 2)
            .unwrap();
        let fields = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
        let inner: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
        let nulls = NullBuffer::from(vec![true, false, true]);
        let structs = StructArray::try_new(fields, vec![inner], Some(nulls)).unwrap();
        let mut lists = ListBuilder::new(Int64Builder::new());
        lists.append_value([Some(1), None]);
        lists.append_null();
        lists.append_value([]);
        round_trip(vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN)])),
            Arc::new(StringViewArray::from(vec![
                Some("a"),
                Some("a string of some length"),
                None,
            ])),
            Arc::new(decimals),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(structs),
            Arc::new(lists.finish()),
        ]);
    }

    #[test]
    fn the_bytes_of_a_string_do_not_depend_on_its_array_type() {
        let plain: ArrayRef = Arc::new(StringArray::from(vec!["abc"]));
        let view: ArrayRef = Arc::new(StringViewArray::from(vec!["abc"]));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        encode_value(&plain, 0, &mut a).unwrap();
        encode_value(&view, 0, &mut b).unwrap();
        assert_eq!(a, b);
        assert_eq!(a, [1, 3, 0, 0, 0, b'a', b'b', b'c']);
    }
}
