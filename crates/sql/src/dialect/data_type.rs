//! The types of columns and casts, from tokens.
//!
//! The wrapped parser's own type grammar cannot express a row's field that is `NOT NULL`, a
//! `MULTISET`, or `TIMESTAMP WITH LOCAL TIME ZONE`; this one is Flink's.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::parse_error::{at_word, eat_word, eat_words, expect_word, expected, fail, unsigned};
use crate::error::SqlError;
use crate::types::{
    DECIMAL_PRECISION_MAX, DayTimeFields, LENGTH_MAX, RowField, SqlType,
    TIMESTAMP_PRECISION_DEFAULT, TypeKind, YearMonthFields,
};

/// The names a type may have, for advice.
const NAMES: &[&str] = &[
    "ARRAY",
    "BIGINT",
    "BINARY",
    "BOOLEAN",
    "BYTES",
    "CHAR",
    "DATE",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INT",
    "INTEGER",
    "INTERVAL",
    "MAP",
    "MULTISET",
    "NUMERIC",
    "ROW",
    "SMALLINT",
    "STRING",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "TINYINT",
    "VARBINARY",
    "VARCHAR",
];

/// Types of Flink without an implementation.
const ABSENT: &[&str] = &["VARIANT", "RAW", "BITMAP", "STRUCTURED", "ANY"];

type Parsed<T> = Result<T, ParserError>;

/// Parses a type, its nullability and its postfix `ARRAY` or `MULTISET`.
pub(super) fn parse_sql_type(parser: &mut Parser<'_>) -> Parsed<SqlType> {
    let mut parsed = with_nullability(parser, parse_kind)?;
    loop {
        if eat_word(parser, "ARRAY") {
            parsed = with_nullability(parser, |_| Ok(TypeKind::Array(Box::new(parsed.clone()))))?;
        } else if eat_word(parser, "MULTISET") {
            parsed =
                with_nullability(parser, |_| Ok(TypeKind::Multiset(Box::new(parsed.clone()))))?;
        } else {
            return Ok(parsed);
        }
    }
}

fn with_nullability(
    parser: &mut Parser<'_>,
    kind: impl FnOnce(&mut Parser<'_>) -> Parsed<TypeKind>,
) -> Parsed<SqlType> {
    let kind = kind(parser)?;
    if eat_words(parser, &["NOT", "NULL"]) {
        return Ok(SqlType::not_null(kind));
    }
    eat_word(parser, "NULL");
    Ok(SqlType::nullable(kind))
}

fn parse_kind(parser: &mut Parser<'_>) -> Parsed<TypeKind> {
    let token = parser.next_token();
    let word = match &token.token {
        Token::Word(word) => word,
        _ => {
            parser.prev_token();
            return expected(parser, "a type");
        }
    };
    let name = word.value.to_ascii_uppercase();
    let known = match word.quote_style {
        None => named(parser, &name, token.span)?,
        Some(_) => None,
    };
    if let Some(kind) = known {
        return Ok(kind);
    }
    if parser.peek_token_ref().token == Token::Period || word.quote_style.is_some() {
        let message = format!(
            "user-defined types such as `{}` are not supported",
            word.value
        );
        return fail(SqlError::unsupported(message), token.span);
    }
    if ABSENT.contains(&name.as_str()) {
        let message = format!("the type `{name}` is not supported");
        return fail(SqlError::unsupported(message), token.span);
    }
    let error = SqlError::unknown(format!("unknown type `{}`", word.value));
    fail(error.with_nearest(&name, NAMES.iter().copied()), token.span)
}

fn named(parser: &mut Parser<'_>, name: &str, span: Span) -> Parsed<Option<TypeKind>> {
    Ok(Some(match name {
        "CHAR" | "CHARACTER" if eat_word(parser, "VARYING") => {
            TypeKind::Varchar(length(parser, "VARCHAR")?)
        }
        "CHAR" | "CHARACTER" => TypeKind::Char(length(parser, "CHAR")?),
        "VARCHAR" => TypeKind::Varchar(length(parser, "VARCHAR")?),
        "STRING" => TypeKind::Varchar(LENGTH_MAX),
        "BOOLEAN" => TypeKind::Boolean,
        "BINARY" if eat_word(parser, "VARYING") => {
            TypeKind::Varbinary(length(parser, "VARBINARY")?)
        }
        "BINARY" => TypeKind::Binary(length(parser, "BINARY")?),
        "VARBINARY" => TypeKind::Varbinary(length(parser, "VARBINARY")?),
        "BYTES" => TypeKind::Varbinary(LENGTH_MAX),
        "DECIMAL" | "DEC" | "NUMERIC" => decimal(parser)?,
        "TINYINT" => TypeKind::TinyInt,
        "SMALLINT" => TypeKind::SmallInt,
        "INT" | "INTEGER" => TypeKind::Int,
        "BIGINT" => TypeKind::BigInt,
        "FLOAT" => TypeKind::Float,
        "DOUBLE" => {
            eat_word(parser, "PRECISION");
            TypeKind::Double
        }
        "DATE" => TypeKind::Date,
        "TIME" => time(parser, span)?,
        "TIMESTAMP" => timestamp(parser, span)?,
        "TIMESTAMP_LTZ" => TypeKind::TimestampLtz(
            digits(parser, "TIMESTAMP_LTZ", 0, 9)?.unwrap_or(TIMESTAMP_PRECISION_DEFAULT),
        ),
        "INTERVAL" => interval(parser)?,
        "ARRAY" => {
            parser.expect_token(&Token::Lt)?;
            let element = parse_sql_type(parser)?;
            parser.expect_token(&Token::Gt)?;
            TypeKind::Array(Box::new(element))
        }
        "MULTISET" => {
            parser.expect_token(&Token::Lt)?;
            let element = parse_sql_type(parser)?;
            parser.expect_token(&Token::Gt)?;
            TypeKind::Multiset(Box::new(element))
        }
        "MAP" => {
            parser.expect_token(&Token::Lt)?;
            let key = parse_sql_type(parser)?;
            parser.expect_token(&Token::Comma)?;
            let value = parse_sql_type(parser)?;
            parser.expect_token(&Token::Gt)?;
            TypeKind::Map(Box::new(key), Box::new(value))
        }
        "ROW" => row(parser)?,
        "NULL" => TypeKind::Null,
        _ => return Ok(None),
    }))
}

fn row(parser: &mut Parser<'_>) -> Parsed<TypeKind> {
    let close = if parser.consume_token(&Token::LParen) {
        Token::RParen
    } else {
        parser.expect_token(&Token::Lt)?;
        Token::Gt
    };
    let mut fields: Vec<RowField> = Vec::new();
    if parser.consume_token(&close) {
        return Ok(TypeKind::Row(fields));
    }
    loop {
        let name = parser.parse_identifier()?;
        if fields.iter().any(|field| field.name == name.value) {
            let error = SqlError::type_mismatch(format!("the row has two fields `{}`", name.value));
            return fail(error, name.span);
        }
        let data_type = parse_sql_type(parser)?;
        let comment = match &parser.peek_token_ref().token {
            Token::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        };
        if comment.is_some() {
            parser.advance_token();
        }
        fields.push(RowField {
            name: name.value,
            data_type,
            comment,
        });
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    parser.expect_token(&close)?;
    Ok(TypeKind::Row(fields))
}

/// `(n)`, or 1.
fn length(parser: &mut Parser<'_>, name: &str) -> Parsed<u32> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(1);
    }
    let (number, span) = unsigned(parser)?;
    let length = in_range(
        number,
        span,
        &format!("the length of `{name}`"),
        1,
        LENGTH_MAX,
    )?;
    parser.expect_token(&Token::RParen)?;
    Ok(length)
}

/// `(p)`, if it is there.
fn digits(parser: &mut Parser<'_>, name: &str, min: u8, max: u8) -> Parsed<Option<u8>> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(None);
    }
    let (number, span) = unsigned(parser)?;
    let precision = in_range(
        number,
        span,
        &format!("the precision of `{name}`"),
        min,
        max,
    )?;
    parser.expect_token(&Token::RParen)?;
    Ok(Some(precision))
}

fn in_range<N>(number: u64, span: Span, what: &str, min: N, max: N) -> Parsed<N>
where
    N: TryFrom<u64> + PartialOrd + std::fmt::Display,
{
    match N::try_from(number) {
        Ok(value) if min <= value && value <= max => Ok(value),
        _ => {
            let message = format!("{what} must be between {min} and {max}, not {number}");
            fail(SqlError::type_mismatch(message), span)
        }
    }
}

fn decimal(parser: &mut Parser<'_>) -> Parsed<TypeKind> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(TypeKind::Decimal {
            precision: 10,
            scale: 0,
        });
    }
    let (number, span) = unsigned(parser)?;
    let precision = in_range(
        number,
        span,
        "the precision of `DECIMAL`",
        1,
        DECIMAL_PRECISION_MAX,
    )?;
    let mut scale = 0;
    if parser.consume_token(&Token::Comma) {
        let (number, span) = unsigned(parser)?;
        let what = format!("the scale of `DECIMAL({precision}, ..)`");
        scale = in_range(number, span, &what, 0, precision)?;
    }
    parser.expect_token(&Token::RParen)?;
    Ok(TypeKind::Decimal { precision, scale })
}

fn time(parser: &mut Parser<'_>, span: Span) -> Parsed<TypeKind> {
    let precision = digits(parser, "TIME", 0, 9)?.unwrap_or(0);
    if !eat_words(parser, &["WITHOUT", "TIME", "ZONE"]) && at_word(parser, 0, "WITH") {
        return fail(SqlError::unsupported("`TIME` has no zone"), span);
    }
    Ok(TypeKind::Time(precision))
}

fn timestamp(parser: &mut Parser<'_>, span: Span) -> Parsed<TypeKind> {
    let precision = digits(parser, "TIMESTAMP", 0, 9)?.unwrap_or(TIMESTAMP_PRECISION_DEFAULT);
    if eat_words(parser, &["WITH", "LOCAL", "TIME", "ZONE"]) {
        return Ok(TypeKind::TimestampLtz(precision));
    }
    if eat_words(parser, &["WITH", "TIME", "ZONE"]) {
        let error = SqlError::unsupported("`TIMESTAMP WITH TIME ZONE` is not supported").with_hint(
            "`TIMESTAMP WITH LOCAL TIME ZONE` is an instant shown in the session's zone",
        );
        return fail(error, span);
    }
    eat_words(parser, &["WITHOUT", "TIME", "ZONE"]);
    Ok(TypeKind::Timestamp(precision))
}

fn interval(parser: &mut Parser<'_>) -> Parsed<TypeKind> {
    let months = |fields, precision: Option<u8>| TypeKind::IntervalYearMonth {
        fields,
        precision: precision.unwrap_or(2),
    };
    if eat_word(parser, "YEAR") {
        let precision = digits(parser, "INTERVAL YEAR", 1, 4)?;
        if eat_word(parser, "TO") {
            expect_word(parser, "MONTH")?;
            return Ok(months(YearMonthFields::YearToMonth, precision));
        }
        return Ok(months(YearMonthFields::Year, precision));
    }
    if eat_word(parser, "MONTH") {
        return Ok(months(YearMonthFields::Month, None));
    }
    day_time(parser)
}

fn day_time(parser: &mut Parser<'_>) -> Parsed<TypeKind> {
    use DayTimeFields::*;
    let first = ["DAY", "HOUR", "MINUTE", "SECOND"]
        .into_iter()
        .find(|unit| at_word(parser, 0, unit));
    let Some(first) = first else {
        return expected(parser, "YEAR, MONTH, DAY, HOUR, MINUTE or SECOND");
    };
    parser.advance_token();
    let mut precision = None;
    let mut fraction = None;
    if first == "SECOND" {
        fraction = digits(parser, "INTERVAL SECOND", 0, 9)?;
    } else if first == "DAY" {
        precision = digits(parser, "INTERVAL DAY", 1, 6)?;
    }
    let mut last = first;
    let mut last_span = parser.peek_token_ref().span;
    if first != "SECOND" && eat_word(parser, "TO") {
        last_span = parser.peek_token_ref().span;
        let unit = ["HOUR", "MINUTE", "SECOND"]
            .into_iter()
            .find(|unit| at_word(parser, 0, unit));
        let Some(unit) = unit else {
            return expected(parser, "HOUR, MINUTE or SECOND");
        };
        parser.advance_token();
        if unit == "SECOND" {
            fraction = digits(parser, "INTERVAL SECOND", 0, 9)?;
        }
        last = unit;
    }
    let fields = match (first, last) {
        ("DAY", "DAY") => Day,
        ("DAY", "HOUR") => DayToHour,
        ("DAY", "MINUTE") => DayToMinute,
        ("DAY", _) => DayToSecond,
        ("HOUR", "HOUR") => Hour,
        ("HOUR", "MINUTE") => HourToMinute,
        ("HOUR", _) => HourToSecond,
        ("MINUTE", "MINUTE") => Minute,
        ("MINUTE", "SECOND") => MinuteToSecond,
        ("SECOND", "SECOND") => Second,
        _ => {
            let message = format!("an interval cannot go from `{first}` to `{last}`");
            return fail(SqlError::syntax(message), last_span);
        }
    };
    Ok(TypeKind::IntervalDayTime {
        fields,
        precision: precision.unwrap_or(2),
        fraction: fraction.unwrap_or(6),
    })
}
