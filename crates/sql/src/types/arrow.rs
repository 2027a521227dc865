//! Logical types in Arrow, and back.
//!
//! | Logical type                | Arrow                                                        |
//! |-----------------------------|--------------------------------------------------------------|
//! | CHAR, VARCHAR, STRING       | `Utf8View`                                                   |
//! | BINARY, VARBINARY, BYTES    | `Binary`                                                     |
//! | DECIMAL                     | `Decimal128`                                                 |
//! | DATE                        | `Date32`                                                     |
//! | TIME(p)                     | p ≤ 3 `Time32(ms)`, p ≤ 6 `Time64(us)`, else `Time64(ns)`    |
//! | TIMESTAMP(p)                | p = 0 seconds, ≤ 3 ms, ≤ 6 us, ≤ 9 ns, no zone               |
//! | TIMESTAMP_LTZ(p)            | the same units, zone `UTC`                                   |
//! | intervals                   | `Interval(MonthDayNano)`                                     |
//! | ARRAY, MAP, MULTISET, ROW   | `List`, `Map`, `Map` to INT counts, `Struct`                 |
//!
//! Several logical types share an Arrow type, so a column's [`Field`] carries the exact one as
//! text under [`TYPE_METADATA_KEY`]. Fields *inside* a type carry none and are always nullable:
//! Arrow compares them when it compares types, and a kernel's output would not match.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit};

use super::{DayTimeFields, LENGTH_MAX, RowField, SqlType, TypeKind};
use crate::error::{SqlError, SqlResult};

/// The key of a field's metadata that holds its logical type in text form, without nullability.
pub const TYPE_METADATA_KEY: &str = "flink.type";

/// The zone of every Arrow timestamp that is an instant.
const INSTANT_ZONE: &str = "UTC";

impl SqlType {
    /// How values of this type are stored.
    pub fn to_arrow(&self) -> DataType {
        self.kind.to_arrow()
    }

    /// The Arrow field of a column called `name`; [`SqlType::from_field`] gives the type back.
    pub fn to_field(&self, name: impl Into<String>) -> Field {
        let exact = (TYPE_METADATA_KEY.to_string(), self.kind.to_string());
        Field::new(name, self.to_arrow(), self.nullable).with_metadata([exact].into())
    }

    /// The logical type of a column: the exact one if the field still carries it, else the one
    /// its Arrow type stands for.
    ///
    /// # Errors
    /// `Type` when no logical type is stored that way.
    pub fn from_field(field: &Field) -> SqlResult<Self> {
        // An expression may hand its input's metadata on to a result of another type.
        if let Some(text) = field.metadata().get(TYPE_METADATA_KEY)
            && let Ok(exact) = text.parse::<Self>()
            && exact.to_arrow() == *field.data_type()
        {
            return Ok(exact.with_nullable(field.is_nullable()));
        }
        Ok(Self::from_arrow(field.data_type())?.with_nullable(field.is_nullable()))
    }

    /// The widest logical type stored as `data_type`, nullable.
    ///
    /// # Errors
    /// `Type` when no logical type is stored that way.
    pub fn from_arrow(data_type: &DataType) -> SqlResult<Self> {
        kind_of(data_type).map(Self::nullable)
    }
}

impl TypeKind {
    /// How values of this kind are stored.
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Char(_) | Self::Varchar(_) => DataType::Utf8View,
            Self::Boolean => DataType::Boolean,
            Self::Binary(_) | Self::Varbinary(_) => DataType::Binary,
            Self::Decimal { precision, scale } => {
                DataType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
            }
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Time(0..=3) => DataType::Time32(TimeUnit::Millisecond),
            Self::Time(precision) => DataType::Time64(unit(*precision)),
            Self::Timestamp(precision) => DataType::Timestamp(unit(*precision), None),
            Self::TimestampLtz(precision) => {
                DataType::Timestamp(unit(*precision), Some(INSTANT_ZONE.into()))
            }
            Self::IntervalYearMonth { .. } | Self::IntervalDayTime { .. } => {
                DataType::Interval(IntervalUnit::MonthDayNano)
            }
            Self::Array(element) => {
                DataType::List(Arc::new(Field::new_list_field(element.to_arrow(), true)))
            }
            Self::Map(key, value) => map(key.to_arrow(), value.to_arrow()),
            Self::Multiset(element) => map(element.to_arrow(), DataType::Int32),
            Self::Row(fields) => DataType::Struct(
                fields
                    .iter()
                    .map(|field| Field::new(&field.name, field.data_type.to_arrow(), true))
                    .collect(),
            ),
            Self::Null => DataType::Null,
        }
    }
}

fn map(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    DataType::Map(Arc::new(entries), false)
}

fn unit(precision: u8) -> TimeUnit {
    match precision {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

fn digits(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

fn kind_of(data_type: &DataType) -> SqlResult<TypeKind> {
    let boxed = |inner: &DataType| SqlType::from_arrow(inner).map(Box::new);
    Ok(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => TypeKind::Varchar(LENGTH_MAX),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            TypeKind::Varbinary(LENGTH_MAX)
        }
        DataType::FixedSizeBinary(length) => {
            TypeKind::Binary(u32::try_from(*length).unwrap_or(LENGTH_MAX).max(1))
        }
        DataType::Boolean => TypeKind::Boolean,
        DataType::Decimal128(precision, scale) => TypeKind::Decimal {
            precision: *precision,
            scale: u8::try_from(*scale).map_err(|_| no_type(data_type))?,
        },
        DataType::Int8 => TypeKind::TinyInt,
        DataType::Int16 | DataType::UInt8 => TypeKind::SmallInt,
        DataType::Int32 | DataType::UInt16 => TypeKind::Int,
        // COUNT and ROW_NUMBER are unsigned in DataFusion, BIGINT in Flink.
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => TypeKind::BigInt,
        DataType::Float32 => TypeKind::Float,
        DataType::Float64 => TypeKind::Double,
        DataType::Date32 | DataType::Date64 => TypeKind::Date,
        DataType::Time32(unit) | DataType::Time64(unit) => TypeKind::Time(digits(*unit)),
        DataType::Timestamp(unit, None) => TypeKind::Timestamp(digits(*unit)),
        DataType::Timestamp(unit, Some(_)) => TypeKind::TimestampLtz(digits(*unit)),
        DataType::Interval(_) | DataType::Duration(_) => TypeKind::IntervalDayTime {
            fields: DayTimeFields::DayToSecond,
            precision: 2,
            fraction: 6,
        },
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::FixedSizeList(element, _) => TypeKind::Array(boxed(element.data_type())?),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let mut types = fields.iter().map(|field| boxed(field.data_type()));
                match (types.next(), types.next()) {
                    (Some(key), Some(value)) => TypeKind::Map(key?, value?),
                    _ => return Err(no_type(data_type)),
                }
            }
            _ => return Err(no_type(data_type)),
        },
        DataType::Struct(fields) => TypeKind::Row(
            fields
                .iter()
                .map(|field| {
                    Ok(RowField {
                        name: field.name().clone(),
                        data_type: SqlType::from_arrow(field.data_type())?
                            .with_nullable(field.is_nullable()),
                        comment: None,
                    })
                })
                .collect::<SqlResult<_>>()?,
        ),
        DataType::Dictionary(_, values) => kind_of(values)?,
        DataType::Null => TypeKind::Null,
        _ => return Err(no_type(data_type)),
    })
}

fn no_type(data_type: &DataType) -> SqlError {
    SqlError::type_mismatch(format!("no SQL type is stored as `{data_type}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_type_survives_a_field() {
        for text in [
            "CHAR(3)",
            "VARCHAR(10) NOT NULL",
            "STRING",
            "BINARY(4)",
            "DECIMAL(23, 3)",
            "TIME(1)",
            "TIME(7)",
            "TIMESTAMP(0)",
            "TIMESTAMP(2)",
            "TIMESTAMP(5) NOT NULL",
            "TIMESTAMP_LTZ(3)",
            "INTERVAL YEAR(4) TO MONTH",
            "ARRAY<VARCHAR(3) NOT NULL>",
            "MAP<STRING, MULTISET<INT>>",
            "ROW<`a` INT NOT NULL 'x'> NOT NULL",
            "NULL",
        ] {
            let declared: SqlType = text.parse().unwrap();
            let field = declared.to_field("c");
            assert_eq!(SqlType::from_field(&field).unwrap(), declared, "{text}");
            assert_eq!(field.is_nullable(), declared.nullable);
        }
    }

    #[test]
    fn metadata_of_another_type_is_not_believed() {
        let field = "VARCHAR(3)".parse::<SqlType>().unwrap().to_field("c");
        let field = field.with_data_type(DataType::Int64);
        assert_eq!(SqlType::from_field(&field).unwrap().to_string(), "BIGINT");
    }

    #[test]
    fn storage_follows_the_precision() {
        let stored = |text: &str| text.parse::<SqlType>().unwrap().to_arrow().to_string();
        assert_eq!(stored("TIMESTAMP(3)"), "Timestamp(ms)");
        assert_eq!(stored("TIMESTAMP"), "Timestamp(µs)");
        assert_eq!(stored("TIMESTAMP_LTZ(9)"), "Timestamp(ns, \"UTC\")");
        assert_eq!(stored("TIME"), "Time32(ms)");
        assert_eq!(stored("TIME(4)"), "Time64(µs)");
        assert_eq!(stored("STRING"), "Utf8View");
    }
}
