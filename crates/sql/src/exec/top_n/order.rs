//! What rows are ordered by: numbers compared as such, anything else as bytes.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use datafusion_common::arrow::row::{RowConverter, Rows};
use thalweg_columnar::arrow_error;
use thalweg_core::data::{Data, take_bytes, take_len};
use thalweg_core::error::{Error, Result};

use super::SortKey;

/// The sort keys of a batch's rows.
pub trait Order: Sized + Send + 'static {
    /// One row's, to be kept. Smaller ones come first.
    type Key: OrderKey;

    /// Makes keys of these columns.
    ///
    /// # Errors
    /// `User` for a type that has no order.
    fn new(order: &[SortKey]) -> Result<Self>;

    /// Takes up a batch.
    ///
    /// # Errors
    /// `Internal` for columns of other types.
    fn load(&mut self, columns: &[ArrayRef], rows: usize) -> Result<()>;

    /// The key of a row.
    fn key(&self, row: usize) -> Self::Key;

    /// How a row compares to a kept key.
    fn compare(&self, row: usize, kept: &Self::Key) -> Ordering;
}

/// A kept sort key.
pub trait OrderKey: Clone + Send + Sync + 'static {
    /// One that stands where there is no row.
    fn placeholder() -> Self;

    /// Appends its bytes.
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes such bytes.
    ///
    /// # Errors
    /// `Corrupt` if they are none.
    fn decode(bytes: &mut &[u8]) -> Result<Self>;
}

/// A whole number or NULL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integer {
    // In order of comparison: 0 for NULL before all values, 1 for a value, 2 for NULL after them.
    class: u8,
    // Its complement if large ones come first, 0 for NULL.
    value: i64,
}

/// The keys of `N` columns of whole numbers.
pub struct Integers<const N: usize> {
    fields: [Field; N],
    rows: Vec<[Integer; N]>,
}

#[derive(Clone, Copy, Default)]
struct Field {
    descending: bool,
    nulls_first: bool,
}

/// Whether a column's values are whole numbers of at most 64 bits.
pub fn is_integer(data_type: &DataType) -> bool {
    use DataType::{Date32, Int8, Int16, Int32, Int64, Timestamp};
    matches!(
        data_type,
        Int8 | Int16 | Int32 | Int64 | Date32 | Timestamp(_, _)
    )
}

impl<const N: usize> Integers<N> {
    fn put<T: ArrowPrimitiveType>(&mut self, column: usize, array: &PrimitiveArray<T>)
    where
        T::Native: Into<i64>,
    {
        let field = self.fields[column];
        let flip = if field.descending { -1 } else { 0 };
        let values = array.values().iter();
        for (row, value) in self.rows.iter_mut().zip(values) {
            let value: i64 = (*value).into();
            row[column] = Integer {
                class: 1,
                value: value ^ flip,
            };
        }
        let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) else {
            return;
        };
        for (row, valid) in self.rows.iter_mut().zip(nulls) {
            if !valid {
                row[column] = Integer {
                    class: if field.nulls_first { 0 } else { 2 },
                    value: 0,
                };
            }
        }
    }
}

impl<const N: usize> Order for Integers<N> {
    type Key = [Integer; N];

    fn new(order: &[SortKey]) -> Result<Self> {
        let mut fields = [Field::default(); N];
        for (field, key) in fields.iter_mut().zip(order) {
            field.descending = key.descending;
            field.nulls_first = key.nulls_first;
        }
        Ok(Integers {
            fields,
            rows: Vec::new(),
        })
    }

    fn load(&mut self, columns: &[ArrayRef], rows: usize) -> Result<()> {
        use arrow_array::types::{Date32Type, Int8Type, Int16Type, Int32Type};
        self.rows.clear();
        self.rows.resize(rows, [Integer::default(); N]);
        for (at, column) in columns.iter().enumerate() {
            match column.data_type() {
                DataType::Int8 => self.put(at, column.as_primitive::<Int8Type>()),
                DataType::Int16 => self.put(at, column.as_primitive::<Int16Type>()),
                DataType::Int32 => self.put(at, column.as_primitive::<Int32Type>()),
                DataType::Date32 => self.put(at, column.as_primitive::<Date32Type>()),
                DataType::Int64 => self.put(at, column.as_primitive::<Int64Type>()),
                DataType::Timestamp(unit, _) => self.put(at, &ticks(column, *unit)),
                other => {
                    let problem = format!("a sort key of type `{other}` is no whole number");
                    return Err(Error::internal(problem));
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn key(&self, row: usize) -> [Integer; N] {
        self.rows[row]
    }

    #[inline]
    fn compare(&self, row: usize, kept: &[Integer; N]) -> Ordering {
        self.rows[row].cmp(kept)
    }
}

/// The numbers of a timestamp column.
fn ticks(column: &ArrayRef, unit: TimeUnit) -> PrimitiveArray<Int64Type> {
    use arrow_array::types::{
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    };
    match unit {
        TimeUnit::Second => column
            .as_primitive::<TimestampSecondType>()
            .reinterpret_cast(),
        TimeUnit::Millisecond => {
            let column = column.as_primitive::<TimestampMillisecondType>();
            column.reinterpret_cast()
        }
        TimeUnit::Microsecond => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            column.reinterpret_cast()
        }
        TimeUnit::Nanosecond => {
            let column = column.as_primitive::<TimestampNanosecondType>();
            column.reinterpret_cast()
        }
    }
}

impl<const N: usize> OrderKey for [Integer; N] {
    fn placeholder() -> Self {
        [Integer::default(); N]
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for integer in self {
            integer.class.encode(out);
            integer.value.encode(out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self> {
        let mut key = [Integer::default(); N];
        for integer in &mut key {
            integer.class = u8::decode(bytes)?;
            integer.value = i64::decode(bytes)?;
        }
        Ok(key)
    }
}

/// Keys of any columns that have an order.
pub struct EncodedOrder {
    converter: RowConverter,
    rows: Rows,
}

impl Order for EncodedOrder {
    type Key = Box<[u8]>;

    fn new(order: &[SortKey]) -> Result<Self> {
        let fields = order.iter().map(SortKey::field).collect();
        let converter = RowConverter::new(fields).map_err(arrow_error)?;
        Ok(EncodedOrder {
            rows: converter.empty_rows(0, 0),
            converter,
        })
    }

    fn load(&mut self, columns: &[ArrayRef], _: usize) -> Result<()> {
        self.rows.clear();
        self.converter
            .append(&mut self.rows, columns)
            .map_err(arrow_error)
    }

    fn key(&self, row: usize) -> Box<[u8]> {
        self.rows.row(row).as_ref().into()
    }

    fn compare(&self, row: usize, kept: &Box<[u8]>) -> Ordering {
        self.rows.row(row).as_ref().cmp(kept)
    }
}

impl OrderKey for Box<[u8]> {
    fn placeholder() -> Self {
        Box::default()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        (self.len() as u32).encode(out);
        out.extend_from_slice(self);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self> {
        let len = take_len(bytes, 1)?;
        Ok(take_bytes(bytes, len)?.into())
    }
}
