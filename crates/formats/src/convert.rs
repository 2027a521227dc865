//! Text into the value of a column, by the column's type: the rules all text formats share.

use crate::base64;
use crate::columns::Column;
use crate::number::{self, Decimal};
use crate::scan::Run;
use crate::time::{self, DayCache, Standard};
use crate::types::Kind;

/// What conversion needs besides the text.
#[derive(Debug)]
pub(crate) struct Rules {
    /// How timestamps are written.
    pub standard: Standard,
    pub days: DayCache,
    /// Room for the bytes of base64.
    bytes: Vec<u8>,
}

impl Rules {
    pub fn new(standard: Standard) -> Rules {
        Rules {
            standard,
            days: DayCache::default(),
            bytes: Vec::new(),
        }
    }
}

/// Why text is not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is not one of the column's type.
    Value,
    /// A STRING that is not UTF-8; the first wrong byte.
    Utf8(usize),
    /// The batch cannot hold so much text.
    Full,
}

/// The text `bytes` as the value of `row`; `ascii` if they are known to be ASCII.
#[inline(always)]
pub(crate) fn put_text(
    column: &mut Column,
    row: usize,
    bytes: &[u8],
    ascii: bool,
) -> Result<(), Bad> {
    if !ascii {
        check_utf8(bytes)?;
    }
    if column.put_bytes(row, bytes) {
        Ok(())
    } else {
        Err(Bad::Full)
    }
}

/// The text `input[from..to]` as the value of `row`, as far as `run` says it is ASCII.
#[inline(always)]
pub(crate) fn put_run(
    column: &mut Column,
    row: usize,
    input: &[u8],
    from: usize,
    run: Run,
) -> Result<(), Bad> {
    if !run.ascii {
        check_utf8(input.get(from..run.end).unwrap_or_default())?;
    }
    if column.put_range(row, input, from, run.end) {
        Ok(())
    } else {
        Err(Bad::Full)
    }
}

#[inline(never)]
fn check_utf8(bytes: &[u8]) -> Result<(), Bad> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(Bad::Utf8(error.valid_up_to())),
    }
}

/// `text` as the value of `row` of a column that is neither ROW, ARRAY nor MAP.
///
/// A decimal with too many digits leaves the row NULL, as in Flink.
pub(crate) fn put(
    column: &mut Column,
    row: usize,
    text: &[u8],
    rules: &mut Rules,
) -> Result<(), Bad> {
    let trimmed = text.trim_ascii();
    match column.kind {
        Kind::Text => return put_text(column, row, text, false),
        Kind::Boolean if trimmed.eq_ignore_ascii_case(b"true") => column.put_bool(row, true),
        Kind::Boolean if trimmed.eq_ignore_ascii_case(b"false") => column.put_bool(row, false),
        Kind::Integer(_) => {
            let value = number::parse_i64(trimmed).ok_or(Bad::Value)?;
            if !column.put_integer(row, value) {
                return Err(Bad::Value);
            }
        }
        Kind::Float64 => column.put_f64(row, number::parse_f64(trimmed).ok_or(Bad::Value)?),
        Kind::Float32 => {
            column.put_f64(
                row,
                f64::from(number::parse_f32(trimmed).ok_or(Bad::Value)?),
            );
        }
        Kind::Decimal { precision, scale } => {
            match number::parse_decimal(trimmed, precision, scale).ok_or(Bad::Value)? {
                Decimal::Value(value) => column.put_decimal(row, value),
                Decimal::Overflow => {}
            }
        }
        Kind::Bytes => {
            rules.bytes.clear();
            if !base64::decode(trimmed, &mut rules.bytes) {
                return Err(Bad::Value);
            }
            if !column.put_bytes(row, &rules.bytes) {
                return Err(Bad::Full);
            }
        }
        Kind::Date => {
            let days = time::parse_date(trimmed).ok_or(Bad::Value)?;
            column.put_integer(row, days);
        }
        Kind::Time(unit) => {
            let seconds_optional = rules.standard != Standard::Sql;
            let time = time::parse_time(trimmed, seconds_optional).ok_or(Bad::Value)?;
            column.put_integer(row, time.to_unit(unit).ok_or(Bad::Value)?);
        }
        Kind::Timestamp { unit, zoned } => {
            let stamp = time::parse_stamp(trimmed, rules.standard, zoned, &mut rules.days);
            column.put_i64(
                row,
                stamp
                    .and_then(|stamp| stamp.to_unit(unit))
                    .ok_or(Bad::Value)?,
            );
        }
        Kind::Boolean | Kind::Row | Kind::Array | Kind::Map => return Err(Bad::Value),
    }
    Ok(())
}
