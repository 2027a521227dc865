//! The canonical bytes of many rows at once, a column at a time.
//!
//! The same bytes as [`RowCodec::encode`](crate::RowCodec::encode) gives a row at a time: first the
//! columns tell how long each row will be, then they write into their places.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, downcast_primitive_array};
use arrow_buffer::ToByteSlice;
use arrow_schema::DataType;
use thalweg_core::error::Result;

use crate::row_codec::encode_value;

/// Rows as bytes, in one buffer that is used again for the next batch.
#[derive(Debug, Default)]
pub struct EncodedRows {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Where the next value of a row goes.
    cursors: Vec<usize>,
}

impl EncodedRows {
    /// Encodes rows in place of those encoded before.
    ///
    /// # Errors
    /// `Unsupported` for a column type without a canonical form.
    pub fn encode(&mut self, columns: &[ArrayRef], rows: usize) -> Result<()> {
        self.bytes.clear();
        self.ends.clear();
        if !columns.iter().all(|column| is_flat(column.data_type())) {
            return self.encode_by_row(columns, rows);
        }
        self.ends.resize(rows, 0);
        for column in columns {
            add_lengths(column, &mut self.ends);
        }
        let mut end = 0;
        self.cursors.clear();
        for len in &mut self.ends {
            self.cursors.push(end);
            end += *len;
            *len = end;
        }
        self.bytes.resize(end, 0);
        for column in columns {
            self.write(column)?;
        }
        Ok(())
    }

    fn encode_by_row(&mut self, columns: &[ArrayRef], rows: usize) -> Result<()> {
        for row in 0..rows {
            for column in columns {
                encode_value(column.as_ref(), row, &mut self.bytes)?;
            }
            self.ends.push(self.bytes.len());
        }
        Ok(())
    }

    /// The rows' bytes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let row = &self.bytes[start..*end];
            start = *end;
            row
        })
    }

    fn write(&mut self, column: &ArrayRef) -> Result<()> {
        match column.data_type() {
            DataType::Boolean => {
                let values = column.as_boolean();
                self.write_each(column, |row, out| out[0] = u8::from(values.value(row)), 1);
            }
            DataType::Utf8 => {
                let values = column.as_string::<i32>();
                self.write_texts(column, |row| values.value(row).as_bytes());
            }
            DataType::Utf8View => {
                let values = column.as_string_view();
                self.write_texts(column, |row| values.value(row).as_bytes());
            }
            _ => {
                let array = column.as_ref();
                downcast_primitive_array!(
                    array => self.write_numbers(array),
                    other => return Err(crate::row_codec::unsupported(other))
                );
            }
        }
        Ok(())
    }

    fn write_numbers<T: ArrowPrimitiveType>(&mut self, array: &PrimitiveArray<T>) {
        let values = array.values();
        let width = size_of::<T::Native>();
        let copy = |row: usize, out: &mut [u8]| out.copy_from_slice(values[row].to_byte_slice());
        self.write_each(array, copy, width);
    }

    fn write_each(&mut self, array: &dyn Array, copy: impl Fn(usize, &mut [u8]), width: usize) {
        let nulls = array.nulls();
        for (row, cursor) in self.cursors.iter_mut().enumerate() {
            // The byte is 0 already where the value is NULL.
            let present = nulls.is_none_or(|nulls| nulls.is_valid(row));
            if present {
                self.bytes[*cursor] = 1;
                copy(row, &mut self.bytes[*cursor + 1..*cursor + 1 + width]);
                *cursor += width;
            }
            *cursor += 1;
        }
    }

    fn write_texts<'a>(&mut self, array: &dyn Array, text: impl Fn(usize) -> &'a [u8]) {
        let nulls = array.nulls();
        for (row, cursor) in self.cursors.iter_mut().enumerate() {
            if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                let text = text(row);
                let out = &mut self.bytes[*cursor..*cursor + 5 + text.len()];
                out[0] = 1;
                out[1..5].copy_from_slice(&(text.len() as u32).to_le_bytes());
                out[5..].copy_from_slice(text);
                *cursor += 4 + text.len();
            }
            *cursor += 1;
        }
    }
}

fn is_flat(data_type: &DataType) -> bool {
    data_type.is_primitive()
        || matches!(
            data_type,
            DataType::Boolean | DataType::Utf8 | DataType::Utf8View
        )
}

/// Adds the length of each row's value to `lengths`.
fn add_lengths(column: &ArrayRef, lengths: &mut [usize]) {
    let nulls = column.nulls();
    let present = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    let mut add = |value: &dyn Fn(usize) -> usize| {
        for (row, len) in lengths.iter_mut().enumerate() {
            *len += 1 + if present(row) { value(row) } else { 0 };
        }
    };
    match column.data_type() {
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            add(&|row| 4 + values.value_length(row) as usize);
        }
        DataType::Utf8View => {
            // The low 32 bits of a view are its length.
            let views = column.as_string_view().views();
            add(&|row| 4 + views[row] as u32 as usize);
        }
        other => {
            let width = other.primitive_width().unwrap_or(1);
            match nulls {
                None => lengths.iter_mut().for_each(|len| *len += 1 + width),
                Some(_) => add(&|_| width),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RowCodec;
    use arrow_array::{
        BooleanArray, Decimal128Array, Int16Array, Int64Array, StringArray, StringViewArray,
    };
    use std::sync::Arc;

    #[test]
    fn many_rows_have_the_bytes_of_each() {
        let long = "a text that is longer than a view holds";
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN)])),
            Arc::new(StringViewArray::from(vec![Some("a"), Some(long), None])),
            Arc::new(StringArray::from(vec![None, Some(""), Some(long)])),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(Decimal128Array::from(vec![Some(12), None, Some(-1)])),
            Arc::new(Int16Array::from(vec![1, 2, 3])),
        ];
        let codec = RowCodec::new(columns.iter().map(|c| c.data_type().clone()).collect());
        let mut rows = EncodedRows::default();
        // Twice, because the buffers are used again; then from the middle of longer arrays.
        for offset in [0, 0, 1] {
            let columns: Vec<ArrayRef> = columns
                .iter()
                .map(|column| column.slice(offset, 3 - offset))
                .collect();
            rows.encode(&columns, 3 - offset).unwrap();
            let many: Vec<Vec<u8>> = rows.iter().map(<[u8]>::to_vec).collect();
            let each = (0..3 - offset).map(|row| {
                let mut bytes = Vec::new();
                codec.encode(&columns, row, &mut bytes).unwrap();
                bytes
            });
            assert_eq!(many, each.collect::<Vec<_>>());
        }
    }
}
