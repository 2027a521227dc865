//! Flink's logical types, with nullability as part of the type.
//!
//! [`SqlType`] is what a column is declared as; Arrow's `DataType` is how its values are stored
//! (`arrow.rs`, several logical types share one). `ast.rs` translates the types inside an
//! expression's syntax tree. The text form is Flink's own summary form, and reads back:
//! `ROW<`a` INT NOT NULL, `b` ARRAY<STRING>>`.

mod arrow;
mod ast;

use std::fmt;
use std::str::FromStr;

pub use self::arrow::TYPE_METADATA_KEY;
use crate::error::SqlError;

/// The length of `STRING` and `BYTES`.
pub const LENGTH_MAX: u32 = i32::MAX as u32;
/// The most digits of a `DECIMAL`.
pub const DECIMAL_PRECISION_MAX: u8 = 38;
/// Fractional digits of a `TIMESTAMP` that names none.
pub const TIMESTAMP_PRECISION_DEFAULT: u8 = 6;

/// A logical type and whether its values may be NULL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SqlType {
    /// The type without its nullability.
    pub kind: TypeKind,
    /// Whether NULL is a value of the type.
    pub nullable: bool,
}

/// A logical type without its nullability.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// `CHAR(n)`: exactly n characters, padded.
    Char(u32),
    /// `VARCHAR(n)`: at most n characters; `STRING` is [`LENGTH_MAX`].
    Varchar(u32),
    /// `BOOLEAN`.
    Boolean,
    /// `BINARY(n)`: exactly n bytes.
    Binary(u32),
    /// `VARBINARY(n)`: at most n bytes; `BYTES` is [`LENGTH_MAX`].
    Varbinary(u32),
    /// `DECIMAL(precision, scale)`.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// `TINYINT`, 8 bits.
    TinyInt,
    /// `SMALLINT`, 16 bits.
    SmallInt,
    /// `INT`, 32 bits.
    Int,
    /// `BIGINT`, 64 bits.
    BigInt,
    /// `FLOAT`, 32 bits.
    Float,
    /// `DOUBLE`, 64 bits.
    Double,
    /// `DATE`.
    Date,
    /// `TIME(p)`, p fractional digits.
    Time(u8),
    /// `TIMESTAMP(p)`: a wall-clock value without a zone.
    Timestamp(u8),
    /// `TIMESTAMP_LTZ(p)`: an instant, shown in the session's zone.
    TimestampLtz(u8),
    /// `INTERVAL YEAR TO MONTH` and its parts: a number of months.
    IntervalYearMonth {
        /// The fields it spans.
        fields: YearMonthFields,
        /// Digits of the years, 1 to 4.
        precision: u8,
    },
    /// `INTERVAL DAY TO SECOND` and its parts: a number of milliseconds.
    IntervalDayTime {
        /// The fields it spans.
        fields: DayTimeFields,
        /// Digits of the days, 1 to 6.
        precision: u8,
        /// Fractional digits of the seconds, 0 to 9.
        fraction: u8,
    },
    /// `ARRAY<element>`.
    Array(Box<SqlType>),
    /// `MAP<key, value>`.
    Map(Box<SqlType>, Box<SqlType>),
    /// `MULTISET<element>`.
    Multiset(Box<SqlType>),
    /// `ROW<name type, ..>`.
    Row(Vec<RowField>),
    /// The type of a bare NULL.
    Null,
}

/// A field of a `ROW`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowField {
    /// Its name, case kept.
    pub name: String,
    /// Its type.
    pub data_type: SqlType,
    /// Its comment.
    pub comment: Option<String>,
}

/// The fields of a month interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum YearMonthFields {
    /// `YEAR`.
    Year,
    /// `YEAR TO MONTH`.
    YearToMonth,
    /// `MONTH`.
    Month,
}

/// The fields of a millisecond interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DayTimeFields {
    /// `DAY`.
    Day,
    /// `DAY TO HOUR`.
    DayToHour,
    /// `DAY TO MINUTE`.
    DayToMinute,
    /// `DAY TO SECOND`.
    DayToSecond,
    /// `HOUR`.
    Hour,
    /// `HOUR TO MINUTE`.
    HourToMinute,
    /// `HOUR TO SECOND`.
    HourToSecond,
    /// `MINUTE`.
    Minute,
    /// `MINUTE TO SECOND`.
    MinuteToSecond,
    /// `SECOND`.
    Second,
}

impl SqlType {
    /// The nullable type of `kind`.
    pub fn nullable(kind: TypeKind) -> Self {
        Self {
            kind,
            nullable: true,
        }
    }

    /// The type of `kind` without NULL.
    pub fn not_null(kind: TypeKind) -> Self {
        Self {
            kind,
            nullable: false,
        }
    }

    /// `STRING`, nullable.
    pub fn string() -> Self {
        Self::nullable(TypeKind::Varchar(LENGTH_MAX))
    }

    /// The same type, NULL allowed or not.
    #[must_use]
    pub fn with_nullable(mut self, nullable: bool) -> Self {
        self.nullable = nullable;
        self
    }

    /// Whether a watermark may be declared on it: `TIMESTAMP(p)` or `TIMESTAMP_LTZ(p)`, p ≤ 3.
    pub fn can_be_rowtime(&self) -> bool {
        matches!(
            self.kind,
            TypeKind::Timestamp(0..=3) | TypeKind::TimestampLtz(0..=3)
        )
    }

    /// Whether it is a number.
    pub fn is_numeric(&self) -> bool {
        use TypeKind::*;
        matches!(
            self.kind,
            Decimal { .. } | TinyInt | SmallInt | Int | BigInt | Float | Double
        )
    }

    /// Whether it is a character string.
    pub fn is_character(&self) -> bool {
        matches!(self.kind, TypeKind::Char(_) | TypeKind::Varchar(_))
    }

    /// Whether it is a timestamp, with or without a zone.
    pub fn is_timestamp(&self) -> bool {
        matches!(
            self.kind,
            TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_)
        )
    }
}

impl FromStr for SqlType {
    type Err = SqlError;

    /// Reads a type as a `CREATE TABLE` would.
    ///
    /// # Errors
    /// A `Syntax`, `Unknown` or `Type` error placed in `text`.
    fn from_str(text: &str) -> Result<Self, SqlError> {
        crate::dialect::parse_type(text)
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match self.nullable {
            true => Ok(()),
            false => f.write_str(" NOT NULL"),
        }
    }
}

impl fmt::Display for TypeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(length) => write!(f, "CHAR({length})"),
            Self::Varchar(LENGTH_MAX) => f.write_str("STRING"),
            Self::Varchar(length) => write!(f, "VARCHAR({length})"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Binary(length) => write!(f, "BINARY({length})"),
            Self::Varbinary(LENGTH_MAX) => f.write_str("BYTES"),
            Self::Varbinary(length) => write!(f, "VARBINARY({length})"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Date => f.write_str("DATE"),
            Self::Time(precision) => write!(f, "TIME({precision})"),
            Self::Timestamp(precision) => write!(f, "TIMESTAMP({precision})"),
            Self::TimestampLtz(precision) => write!(f, "TIMESTAMP_LTZ({precision})"),
            Self::IntervalYearMonth { fields, precision } => match fields {
                YearMonthFields::Year => write!(f, "INTERVAL YEAR({precision})"),
                YearMonthFields::YearToMonth => write!(f, "INTERVAL YEAR({precision}) TO MONTH"),
                YearMonthFields::Month => f.write_str("INTERVAL MONTH"),
            },
            Self::IntervalDayTime {
                fields,
                precision,
                fraction,
            } => fmt_day_time(f, *fields, *precision, *fraction),
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Multiset(element) => write!(f, "MULTISET<{element}>"),
            Self::Row(fields) => fmt_row(f, fields),
            Self::Null => f.write_str("NULL"),
        }
    }
}

fn fmt_day_time(
    f: &mut fmt::Formatter<'_>,
    fields: DayTimeFields,
    day: u8,
    fraction: u8,
) -> fmt::Result {
    use DayTimeFields::*;
    f.write_str("INTERVAL ")?;
    match fields {
        Day => write!(f, "DAY({day})"),
        DayToHour => write!(f, "DAY({day}) TO HOUR"),
        DayToMinute => write!(f, "DAY({day}) TO MINUTE"),
        DayToSecond => write!(f, "DAY({day}) TO SECOND({fraction})"),
        Hour => f.write_str("HOUR"),
        HourToMinute => f.write_str("HOUR TO MINUTE"),
        HourToSecond => write!(f, "HOUR TO SECOND({fraction})"),
        Minute => f.write_str("MINUTE"),
        MinuteToSecond => write!(f, "MINUTE TO SECOND({fraction})"),
        Second => write!(f, "SECOND({fraction})"),
    }
}

fn fmt_row(f: &mut fmt::Formatter<'_>, fields: &[RowField]) -> fmt::Result {
    f.write_str("ROW<")?;
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "`{}` {}", field.name.replace('`', "``"), field.data_type)?;
        if let Some(comment) = &field.comment {
            write!(f, " '{}'", comment.replace('\'', "''"))?;
        }
    }
    f.write_str(">")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Declared form and the summary form it is shown as.
    const TYPES: &[(&str, &str)] = &[
        ("char", "CHAR(1)"),
        ("CHAR(7)", "CHAR(7)"),
        ("VARCHAR", "VARCHAR(1)"),
        ("VARCHAR(2147483647)", "STRING"),
        ("CHARACTER VARYING(3)", "VARCHAR(3)"),
        ("STRING NOT NULL", "STRING NOT NULL"),
        ("BINARY", "BINARY(1)"),
        ("VARBINARY(9)", "VARBINARY(9)"),
        ("BYTES", "BYTES"),
        ("DECIMAL", "DECIMAL(10, 0)"),
        ("DEC(5)", "DECIMAL(5, 0)"),
        ("NUMERIC(38, 18)", "DECIMAL(38, 18)"),
        ("INTEGER", "INT"),
        ("DOUBLE PRECISION", "DOUBLE"),
        ("TIME", "TIME(0)"),
        ("TIME(3) WITHOUT TIME ZONE", "TIME(3)"),
        ("TIMESTAMP", "TIMESTAMP(6)"),
        ("TIMESTAMP(3) WITHOUT TIME ZONE NULL", "TIMESTAMP(3)"),
        ("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ(3)"),
        ("TIMESTAMP_LTZ", "TIMESTAMP_LTZ(6)"),
        ("INTERVAL YEAR", "INTERVAL YEAR(2)"),
        ("INTERVAL YEAR(4) TO MONTH", "INTERVAL YEAR(4) TO MONTH"),
        ("INTERVAL DAY TO SECOND", "INTERVAL DAY(2) TO SECOND(6)"),
        ("INTERVAL SECOND(3)", "INTERVAL SECOND(3)"),
        ("INTERVAL HOUR TO SECOND(0)", "INTERVAL HOUR TO SECOND(0)"),
        ("ARRAY<ARRAY<INT NOT NULL>>", "ARRAY<ARRAY<INT NOT NULL>>"),
        (
            "INT NOT NULL ARRAY NOT NULL",
            "ARRAY<INT NOT NULL> NOT NULL",
        ),
        ("BIGINT MULTISET", "MULTISET<BIGINT>"),
        ("MAP<STRING, MULTISET<INT>>", "MAP<STRING, MULTISET<INT>>"),
        (
            "ROW<id BIGINT NOT NULL, `dateTime` TIMESTAMP(3) 'when', r ROW<x INT>>",
            "ROW<`id` BIGINT NOT NULL, `dateTime` TIMESTAMP(3) 'when', `r` ROW<`x` INT>>",
        ),
        ("ROW(a INT, b STRING)", "ROW<`a` INT, `b` STRING>"),
        ("NULL", "NULL"),
    ];

    #[test]
    fn a_declared_type_is_shown_in_flinks_form_and_reads_back() {
        for (text, expected) in TYPES {
            let parsed: SqlType = text.parse().unwrap();
            assert_eq!(parsed.to_string(), *expected, "{text}");
            assert_eq!(expected.parse::<SqlType>().unwrap(), parsed, "{text}");
        }
    }

    #[test]
    fn a_wrong_type_is_refused_at_its_place() {
        let cases = [
            (
                "DECIMAL(39, 0)",
                "1:9: the precision of `DECIMAL` must be between 1 and 38, not 39",
            ),
            (
                "DECIMAL(3, 4)",
                "1:12: the scale of `DECIMAL(3, ..)` must be between 0 and 3, not 4",
            ),
            (
                "TIMESTAMP(10)",
                "1:11: the precision of `TIMESTAMP` must be between 0 and 9, not 10",
            ),
            (
                "CHAR(0)",
                "1:6: the length of `CHAR` must be between 1 and 2147483647, not 0",
            ),
            (
                "STRNG",
                "1:1: unknown type `STRNG` (did you mean `STRING`?)",
            ),
            (
                "TIMESTAMP WITH TIME ZONE",
                "1:1: `TIMESTAMP WITH TIME ZONE` is not supported (`TIMESTAMP WITH LOCAL TIME ZONE` is an instant shown in the session's zone)",
            ),
            ("ARRAY<INT", "1:10: expected `>`, found end of statement"),
            ("INT INT", "1:5: expected end of statement, found `INT`"),
            ("VARIANT", "1:1: the type `VARIANT` is not supported"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<SqlType>().unwrap_err().to_string(), expected);
        }
    }
}
