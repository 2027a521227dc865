//! One column under construction: its values so far, and which of them are NULL.

use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{DataType, FieldRef};

use super::nulls::Nulls;
use super::text::Views;
use crate::types::Kind;

/// A column of a batch under construction.
pub(crate) struct Column {
    pub field: FieldRef,
    /// The name with those of the ROWs around it.
    pub path: String,
    pub kind: Kind,
    pub data: Data,
    pub(super) nulls: Nulls,
}

/// The values of a column so far.
pub(crate) enum Data {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    /// Also dates and times.
    Int32(Vec<i32>),
    /// Also times and timestamps.
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>),
    /// Text or bytes as views.
    Views(Views),
    /// Text or bytes back to back.
    Packed {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
    },
    Struct {
        len: usize,
        fields: Vec<usize>,
    },
    List {
        offsets: Vec<i32>,
        item: usize,
    },
    Map {
        offsets: Vec<i32>,
        key: usize,
        value: usize,
    },
}

impl Data {
    /// No values of a type that holds no other columns.
    pub fn leaf(data_type: &DataType) -> Data {
        match data_type {
            DataType::Boolean => Data::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Data::Int8(Vec::new()),
            DataType::Int16 => Data::Int16(Vec::new()),
            DataType::Int32 | DataType::Date32 | DataType::Time32(_) => Data::Int32(Vec::new()),
            DataType::Float32 => Data::Float32(Vec::new()),
            DataType::Float64 => Data::Float64(Vec::new()),
            DataType::Decimal128(_, _) => Data::Decimal(Vec::new()),
            DataType::Utf8View | DataType::BinaryView => Data::Views(Views::default()),
            DataType::Utf8 | DataType::Binary => Data::Packed {
                offsets: vec![0],
                bytes: Vec::new(),
            },
            _ => Data::Int64(Vec::new()),
        }
    }
}

impl Column {
    pub(super) fn new(field: FieldRef, path: String, kind: Kind) -> Column {
        let data = Data::leaf(&DataType::Null);
        Column {
            field,
            path,
            kind,
            data,
            nulls: Nulls::default(),
        }
    }

    pub fn nullable(&self) -> bool {
        self.field.is_nullable()
    }

    /// How many rows have a value or are known to be NULL.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::Boolean(bits) => bits.len(),
            Data::Int8(values) => values.len(),
            Data::Int16(values) => values.len(),
            Data::Int32(values) => values.len(),
            Data::Int64(values) => values.len(),
            Data::Float32(values) => values.len(),
            Data::Float64(values) => values.len(),
            Data::Decimal(values) => values.len(),
            Data::Views(views) => views.len(),
            Data::Packed { offsets, .. }
            | Data::List { offsets, .. }
            | Data::Map { offsets, .. } => offsets.len() - 1,
            Data::Struct { len, .. } => *len,
        }
    }

    /// Forgets `row` and later rows of this column, but not of columns inside it.
    pub fn truncate(&mut self, row: usize) {
        match &mut self.data {
            Data::Boolean(bits) if bits.len() > row => bits.truncate(row),
            Data::Boolean(_) => {}
            Data::Int8(values) => values.truncate(row),
            Data::Int16(values) => values.truncate(row),
            Data::Int32(values) => values.truncate(row),
            Data::Int64(values) => values.truncate(row),
            Data::Float32(values) => values.truncate(row),
            Data::Float64(values) => values.truncate(row),
            Data::Decimal(values) => values.truncate(row),
            Data::Views(views) => views.truncate(row),
            Data::Packed { offsets, bytes } => {
                offsets.truncate(row + 1);
                bytes.truncate(super::last(offsets));
            }
            Data::List { offsets, .. } | Data::Map { offsets, .. } => offsets.truncate(row + 1),
            Data::Struct { len, .. } => *len = row.min(*len),
        }
        self.nulls.truncate(row);
    }

    /// Makes the rows from the column's length up to `row` NULL.
    #[cold]
    #[inline(never)]
    pub fn fill(&mut self, row: usize) {
        let len = self.len();
        if len >= row {
            return;
        }
        self.nulls.add(len, row);
        match &mut self.data {
            Data::Boolean(bits) => bits.append_n(row - len, false),
            Data::Int8(values) => values.resize(row, 0),
            Data::Int16(values) => values.resize(row, 0),
            Data::Int32(values) => values.resize(row, 0),
            Data::Int64(values) => values.resize(row, 0),
            Data::Float32(values) => values.resize(row, 0.0),
            Data::Float64(values) => values.resize(row, 0.0),
            Data::Decimal(values) => values.resize(row, 0),
            Data::Views(views) => views.fill(row),
            Data::Packed { offsets, .. }
            | Data::List { offsets, .. }
            | Data::Map { offsets, .. } => {
                let end = offsets.last().copied().unwrap_or(0);
                offsets.resize(row + 1, end);
            }
            Data::Struct { len, .. } => *len = row,
        }
    }

    /// The value of `row` of a BIGINT or a timestamp.
    #[inline(always)]
    pub fn put_i64(&mut self, row: usize, value: i64) {
        let Data::Int64(values) = &mut self.data else {
            return mismatch();
        };
        if values.len() == row {
            values.push(value);
        } else {
            self.put_late(row, |data| {
                if let Data::Int64(values) = data {
                    values.push(value)
                }
            });
        }
    }

    /// The value of `row` of an INT.
    #[inline(always)]
    pub fn put_i32(&mut self, row: usize, value: i32) {
        let Data::Int32(values) = &mut self.data else {
            return mismatch();
        };
        if values.len() == row {
            values.push(value);
        } else {
            self.put_late(row, |data| {
                if let Data::Int32(values) = data {
                    values.push(value)
                }
            });
        }
    }

    /// The value of `row` of any integer column; false if it does not fit.
    #[inline]
    pub fn put_integer(&mut self, row: usize, value: i64) -> bool {
        match self.kind {
            Kind::Integer(8) if i8::try_from(value).is_err() => return false,
            Kind::Integer(16) if i16::try_from(value).is_err() => return false,
            Kind::Integer(32) if i32::try_from(value).is_err() => return false,
            _ => {}
        }
        self.put(row, |data| match data {
            // The ranges have just been checked.
            Data::Int8(values) => values.push(value as i8),
            Data::Int16(values) => values.push(value as i16),
            Data::Int32(values) => values.push(value as i32),
            Data::Int64(values) => values.push(value),
            _ => mismatch(),
        });
        true
    }

    /// The value of `row` of a FLOAT or DOUBLE, already rounded to the column's type.
    #[inline]
    pub fn put_f64(&mut self, row: usize, value: f64) {
        self.put(row, |data| match data {
            Data::Float64(values) => values.push(value),
            Data::Float32(values) => values.push(value as f32),
            _ => mismatch(),
        });
    }

    /// The value of `row` of a BOOLEAN.
    #[inline]
    pub fn put_bool(&mut self, row: usize, value: bool) {
        self.put(row, |data| match data {
            Data::Boolean(bits) => bits.append(value),
            _ => mismatch(),
        });
    }

    /// The unscaled value of `row` of a DECIMAL.
    pub fn put_decimal(&mut self, row: usize, value: i128) {
        self.put(row, |data| match data {
            Data::Decimal(values) => values.push(value),
            _ => mismatch(),
        });
    }

    /// The bytes of `row` of a STRING or BYTES; false if the batch has no room for them.
    ///
    /// For a STRING the caller must have checked that `bytes` are UTF-8.
    #[inline(always)]
    pub fn put_bytes(&mut self, row: usize, bytes: &[u8]) -> bool {
        if let Data::Views(views) = &mut self.data
            && views.len() == row
        {
            return views.push(bytes);
        }
        let mut fits = true;
        self.put(row, |data| match data {
            Data::Views(views) => fits = views.push(bytes),
            Data::Packed {
                offsets,
                bytes: all,
            } => match i32::try_from(all.len() + bytes.len()) {
                Ok(end) => {
                    all.extend_from_slice(bytes);
                    offsets.push(end);
                }
                Err(_) => fits = false,
            },
            _ => mismatch(),
        });
        fits
    }

    /// As [`put_bytes`](Self::put_bytes), of `input[from..to]`.
    #[inline(always)]
    pub fn put_range(&mut self, row: usize, input: &[u8], from: usize, to: usize) -> bool {
        if let Data::Views(views) = &mut self.data
            && views.len() == row
        {
            return views.push_range(input, from, to);
        }
        self.put_bytes(row, input.get(from..to).unwrap_or_default())
    }

    /// `row` of a ROW is there; its fields are written by themselves.
    #[inline]
    pub fn put_row(&mut self, row: usize) {
        self.put(row, |data| match data {
            Data::Struct { len, .. } => *len += 1,
            _ => mismatch(),
        });
    }

    /// `row` of an ARRAY or MAP ends with element `end` (exclusive); false beyond 2^31 elements.
    pub fn put_list(&mut self, row: usize, end: usize) -> bool {
        let Ok(end) = i32::try_from(end) else {
            return false;
        };
        self.put(row, |data| match data {
            Data::List { offsets, .. } | Data::Map { offsets, .. } => offsets.push(end),
            _ => mismatch(),
        });
        true
    }

    #[inline(always)]
    fn put(&mut self, row: usize, push: impl FnOnce(&mut Data)) {
        if self.len() == row {
            push(&mut self.data)
        } else {
            self.put_late(row, push)
        }
    }

    #[cold]
    #[inline(never)]
    fn put_late(&mut self, row: usize, push: impl FnOnce(&mut Data)) {
        if self.len() > row {
            self.truncate(row);
        } else {
            self.fill(row);
        }
        push(&mut self.data);
    }
}

/// A value of another type than the column's: the callers look at the kind first.
#[cold]
fn mismatch() {
    debug_assert!(false, "a value was put into a column of another type");
}
