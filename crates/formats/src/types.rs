//! The types a column can have, and the names SQL users know them by.

use arrow_schema::{DataType, Field, TimeUnit};

use crate::error::FormatError;

/// How text becomes a value of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    /// Of this many bits.
    Integer(u8),
    Float32,
    Float64,
    Decimal {
        precision: u8,
        scale: i8,
    },
    Text,
    Bytes,
    Date,
    Time(TimeUnit),
    Timestamp {
        unit: TimeUnit,
        zoned: bool,
    },
    Row,
    Array,
    Map,
}

impl Kind {
    /// The kind of a field; an error that names it if no format has its type.
    pub fn of(field: &Field) -> Result<Kind, FormatError> {
        Ok(match field.data_type() {
            DataType::Boolean => Kind::Boolean,
            DataType::Int8 => Kind::Integer(8),
            DataType::Int16 => Kind::Integer(16),
            DataType::Int32 => Kind::Integer(32),
            DataType::Int64 => Kind::Integer(64),
            DataType::Float32 => Kind::Float32,
            DataType::Float64 => Kind::Float64,
            DataType::Decimal128(precision, scale) => Kind::Decimal {
                precision: *precision,
                scale: *scale,
            },
            DataType::Utf8 | DataType::Utf8View => Kind::Text,
            DataType::Binary | DataType::BinaryView => Kind::Bytes,
            DataType::Date32 => Kind::Date,
            DataType::Time32(unit) | DataType::Time64(unit) => Kind::Time(*unit),
            DataType::Timestamp(unit, zone) => Kind::Timestamp {
                unit: *unit,
                zoned: zone.is_some(),
            },
            DataType::Struct(_) => Kind::Row,
            DataType::List(_) => Kind::Array,
            DataType::Map(_, _) => Kind::Map,
            other => {
                return Err(FormatError::unsupported(format!(
                    "no text format has the type {other}"
                ))
                .with_field(field.name()));
            }
        })
    }
}

/// The name of a type in SQL.
pub(crate) fn sql_name(data_type: &DataType) -> String {
    let digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "STRING".into(),
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => "BYTES".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("TIME({})", digits(unit)),
        DataType::Timestamp(unit, None) => format!("TIMESTAMP({})", digits(unit)),
        DataType::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", digits(unit)),
        DataType::Struct(_) => "ROW".into(),
        DataType::List(_) => "ARRAY".into(),
        DataType::Map(_, _) => "MAP".into(),
        other => other.to_string(),
    }
}

/// The name of a type in SQL, with its article: `an INT`.
pub(crate) fn a_sql_name(data_type: &DataType) -> String {
    let name = sql_name(data_type);
    let article = if name.starts_with(['A', 'I']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

/// At most this many bytes of a value stand in an error.
const QUOTED_BYTES_MAX: usize = 60;

/// A value of a file as an error shows it: in backticks, cut when it is long.
pub(crate) fn quoted(text: &[u8]) -> String {
    let cut = &text[..text.len().min(QUOTED_BYTES_MAX)];
    let dots = if cut.len() < text.len() { "…" } else { "" };
    let shown: String = String::from_utf8_lossy(cut)
        .chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect();
    format!("`{shown}{dots}`")
}
