//! Logical types inside the syntax tree of expressions.
//!
//! The tree's own `DataType` cannot say all a Flink type says (the nullability of a row's field,
//! for one), so a nested type travels through it as the custom type `$type('ROW<..>')`, whose
//! only modifier is the type's text form. Everything else keeps the variant it has.

use sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, Ident, ObjectName,
    StructBracketKind, TimezoneInfo,
};

use super::{
    DECIMAL_PRECISION_MAX, LENGTH_MAX, RowField, SqlType, TIMESTAMP_PRECISION_DEFAULT, TypeKind,
};
use crate::error::{SqlError, SqlResult};

/// The name of the custom type that carries a nested type's text.
const COMPLEX_TYPE_NAME: &str = "$type";

impl SqlType {
    /// The logical type of a type in an expression, nullable unless it says otherwise.
    ///
    /// # Errors
    /// `Unknown` or `Type` when it is not a type of Flink SQL.
    pub fn from_ast(data_type: &DataType) -> SqlResult<Self> {
        use DataType as D;
        let kind = match data_type {
            D::Char(length) | D::Character(length) => TypeKind::Char(characters(*length, 1)?),
            D::Varchar(length) | D::CharVarying(length) | D::CharacterVarying(length) => {
                TypeKind::Varchar(characters(*length, 1)?)
            }
            D::String(None) => TypeKind::Varchar(LENGTH_MAX),
            D::Boolean => TypeKind::Boolean,
            D::Binary(length) => TypeKind::Binary(bytes(length.unwrap_or(1))?),
            D::Varbinary(length) => TypeKind::Varbinary(match length {
                Some(sqlparser::ast::BinaryLength::IntegerLength { length }) => bytes(*length)?,
                Some(sqlparser::ast::BinaryLength::Max) => LENGTH_MAX,
                None => 1,
            }),
            D::Bytes(None) => TypeKind::Varbinary(LENGTH_MAX),
            D::Decimal(info) | D::Dec(info) | D::Numeric(info) => decimal(*info)?,
            D::TinyInt(None) => TypeKind::TinyInt,
            D::SmallInt(None) => TypeKind::SmallInt,
            D::Int(None) | D::Integer(None) => TypeKind::Int,
            D::BigInt(None) => TypeKind::BigInt,
            D::Float(ExactNumberInfo::None) => TypeKind::Float,
            D::Double(ExactNumberInfo::None) | D::DoublePrecision => TypeKind::Double,
            D::Date => TypeKind::Date,
            D::Time(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                TypeKind::Time(precision(*p, 0)?)
            }
            D::Timestamp(p, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                TypeKind::Timestamp(precision(*p, TIMESTAMP_PRECISION_DEFAULT)?)
            }
            D::Array(
                ArrayElemTypeDef::AngleBracket(element)
                | ArrayElemTypeDef::SquareBracket(element, None),
            ) => TypeKind::Array(Box::new(Self::from_ast(element)?)),
            D::Map(key, value) => TypeKind::Map(
                Box::new(Self::from_ast(key)?),
                Box::new(Self::from_ast(value)?),
            ),
            D::Struct(fields, StructBracketKind::AngleBrackets) => TypeKind::Row(
                fields
                    .iter()
                    .enumerate()
                    .map(|(index, field)| row_field(index, field))
                    .collect::<SqlResult<_>>()?,
            ),
            D::Custom(name, modifiers) => return custom(name, modifiers),
            other => return Err(SqlError::unknown(format!("unknown type `{other}`"))),
        };
        Ok(Self::nullable(kind))
    }

    /// The type as it stands in an expression; [`SqlType::from_ast`] gives it back.
    pub fn to_ast(&self) -> DataType {
        if !self.nullable {
            return self.to_custom();
        }
        match &self.kind {
            TypeKind::Char(length) => DataType::Char(Some(CharacterLength::IntegerLength {
                length: u64::from(*length),
                unit: None,
            })),
            TypeKind::Varchar(LENGTH_MAX) => DataType::String(None),
            TypeKind::Varchar(length) => DataType::Varchar(Some(CharacterLength::IntegerLength {
                length: u64::from(*length),
                unit: None,
            })),
            TypeKind::Boolean => DataType::Boolean,
            TypeKind::Binary(length) => DataType::Binary(Some(u64::from(*length))),
            TypeKind::Varbinary(LENGTH_MAX) => DataType::Bytes(None),
            TypeKind::Decimal { precision, scale } => DataType::Decimal(
                ExactNumberInfo::PrecisionAndScale(u64::from(*precision), i64::from(*scale)),
            ),
            TypeKind::TinyInt => DataType::TinyInt(None),
            TypeKind::SmallInt => DataType::SmallInt(None),
            TypeKind::Int => DataType::Int(None),
            TypeKind::BigInt => DataType::BigInt(None),
            TypeKind::Float => DataType::Float(ExactNumberInfo::None),
            TypeKind::Double => DataType::Double(ExactNumberInfo::None),
            TypeKind::Date => DataType::Date,
            TypeKind::Time(p) => DataType::Time(Some(u64::from(*p)), TimezoneInfo::None),
            TypeKind::Timestamp(p) => DataType::Timestamp(Some(u64::from(*p)), TimezoneInfo::None),
            TypeKind::TimestampLtz(p) => DataType::Custom(
                ObjectName::from(vec![Ident::new("TIMESTAMP_LTZ")]),
                vec![p.to_string()],
            ),
            _ => self.to_custom(),
        }
    }

    fn to_custom(&self) -> DataType {
        DataType::Custom(
            ObjectName::from(vec![Ident::new(COMPLEX_TYPE_NAME)]),
            vec![self.to_string()],
        )
    }
}

fn custom(name: &ObjectName, modifiers: &[String]) -> SqlResult<SqlType> {
    let word = name.to_string();
    if word == COMPLEX_TYPE_NAME
        && let [text] = modifiers
    {
        return text.parse();
    }
    if word.eq_ignore_ascii_case("TIMESTAMP_LTZ") {
        let text = match modifiers {
            [] => word,
            _ => format!("{word}({})", modifiers.join(", ")),
        };
        return text.parse();
    }
    Err(SqlError::unknown(format!("unknown type `{word}`")))
}

fn row_field(index: usize, field: &sqlparser::ast::StructField) -> SqlResult<RowField> {
    Ok(RowField {
        name: match &field.field_name {
            Some(name) => name.value.clone(),
            None => format!("f{index}"),
        },
        data_type: SqlType::from_ast(&field.field_type)?,
        comment: None,
    })
}

fn characters(length: Option<CharacterLength>, default: u64) -> SqlResult<u32> {
    match length {
        None => bytes(default),
        Some(CharacterLength::IntegerLength { length, .. }) => bytes(length),
        Some(CharacterLength::Max) => Ok(LENGTH_MAX),
    }
}

fn bytes(length: u64) -> SqlResult<u32> {
    match u32::try_from(length) {
        Ok(length @ 1..=LENGTH_MAX) => Ok(length),
        _ => Err(SqlError::type_mismatch(format!(
            "a length must be between 1 and {LENGTH_MAX}, not {length}"
        ))),
    }
}

fn precision(given: Option<u64>, default: u8) -> SqlResult<u8> {
    match given.map(u8::try_from) {
        None => Ok(default),
        Some(Ok(p @ 0..=9)) => Ok(p),
        _ => Err(SqlError::type_mismatch(
            "a fractional precision must be between 0 and 9",
        )),
    }
}

fn decimal(info: ExactNumberInfo) -> SqlResult<TypeKind> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=DECIMAL_PRECISION_MAX), Ok(scale)) if scale <= precision => {
            Ok(TypeKind::Decimal { precision, scale })
        }
        _ => Err(SqlError::type_mismatch(format!(
            "`DECIMAL({precision}, {scale})` is out of range"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_the_syntax_tree() {
        for text in [
            "CHAR(3)",
            "VARCHAR(3)",
            "STRING",
            "BOOLEAN",
            "BINARY(3)",
            "VARBINARY(3)",
            "BYTES",
            "DECIMAL(10, 2)",
            "TINYINT",
            "SMALLINT",
            "INT",
            "BIGINT",
            "FLOAT",
            "DOUBLE",
            "DATE",
            "TIME(3)",
            "TIMESTAMP(3)",
            "TIMESTAMP_LTZ(3)",
            "INTERVAL DAY(3) TO SECOND(6)",
            "ARRAY<INT NOT NULL>",
            "MAP<STRING NOT NULL, ROW<`a``b` INT 'it''s'>>",
            "INT NOT NULL",
        ] {
            let parsed: SqlType = text.parse().unwrap();
            assert_eq!(
                SqlType::from_ast(&parsed.to_ast()).unwrap(),
                parsed,
                "{text}"
            );
        }
    }
}
