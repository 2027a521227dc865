//! What a column's values are, from its type and options.

use arrow::datatypes::{DataType, Field, IntervalUnit};
use thalweg_core::error::Result;

use super::field_options::FieldOptions;

/// The key under which a column carries its declared type as text.
const TYPE_KEY: &str = "flink.type";
/// The length of STRING and BYTES in declared types, which is none.
const UNLIMITED: u64 = i32::MAX as u64;
const LENGTH_DEFAULT: u64 = 100;
/// Longer strings are taken for a mistake.
const LENGTH_MAX: u64 = 1 << 24;
const MONTHS_MAX: i64 = 120_000;
/// Milliseconds whose nanoseconds still fit.
const INTERVAL_MS_MAX: i64 = i64::MAX / 1_000_000;

/// The values of a column.
#[derive(Clone, Debug)]
pub enum Values {
    /// true and false.
    Boolean,
    /// Whole numbers; both bounds inclusive.
    Integer(i64, i64),
    /// Numbers between two.
    Float(f64, f64),
    /// Unscaled whole numbers; both bounds inclusive.
    Decimal(i128, i128),
    /// Hexadecimal digits.
    Text(Length),
    /// Bytes.
    Bytes(Length),
    /// The clock's date.
    Date,
    /// The clock's time of day.
    Time,
    /// The clock's time, less so many ms at most.
    Timestamp(u64),
    /// Months; both bounds inclusive.
    Months(i64, i64),
    /// Milliseconds; both bounds inclusive.
    Millis(i64, i64),
    /// From here on by ones.
    Sequence(i64),
}

/// How long strings are.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Exactly, or at most.
    pub max: u64,
    /// Whether they may be shorter, but not empty.
    pub variable: bool,
}

/// A column's plan.
#[derive(Clone, Debug)]
pub struct FieldPlan {
    /// Its values.
    pub values: Values,
    /// The share of NULLs.
    pub null_rate: f64,
    /// How many rows there are values for.
    pub rows: Option<u64>,
}

impl FieldPlan {
    /// The plan of a column.
    ///
    /// # Errors
    /// `User` for options that are wrong, `Unsupported` for types that are not generated.
    pub fn new(field: &Field, options: &FieldOptions<'_>) -> Result<Self> {
        let column = field.name();
        let null_rate = options.between(column, "null-rate", (0.0, 1.0), 0.0)?;
        if null_rate > 0.0 && !field.is_nullable() {
            let text = null_rate.to_string();
            return Err(options.wrong(
                column,
                "null-rate",
                &text,
                "0 for a column that is NOT NULL",
            ));
        }
        match options.text(column, "kind").unwrap_or("random") {
            "random" => Ok(FieldPlan {
                values: random(field, options)?,
                null_rate,
                rows: None,
            }),
            "sequence" => {
                let (start, end) = options.sequence(column, sequence_bounds(field, options)?)?;
                Ok(FieldPlan {
                    values: Values::Sequence(start),
                    null_rate,
                    rows: Some(end.abs_diff(start).saturating_add(1)),
                })
            }
            other => Err(options.wrong(column, "kind", other, "`random` or `sequence`")),
        }
    }
}

fn random(field: &Field, options: &FieldOptions<'_>) -> Result<Values> {
    let column = field.name();
    let declared = Declared::of(field);
    if let Some(bounds) = integer_bounds(field.data_type()) {
        let (min, max) = options.range(column, bounds)?;
        return Ok(Values::Integer(min, max));
    }
    Ok(match field.data_type() {
        DataType::Boolean => Values::Boolean,
        DataType::Float32 => {
            let bounds = (f64::from(f32::MIN), f64::from(f32::MAX));
            let (min, max) = options.range(column, bounds)?;
            Values::Float(min, max)
        }
        DataType::Float64 => {
            let (min, max) = options.range(column, (f64::MIN, f64::MAX))?;
            Values::Float(min, max)
        }
        DataType::Decimal128(precision, scale) => decimal(column, (*precision, *scale), options)?,
        DataType::Utf8View => Values::Text(declared.length(column, options)?),
        DataType::Binary => Values::Bytes(declared.length(column, options)?),
        DataType::Date32 => Values::Date,
        DataType::Time32(_) | DataType::Time64(_) => Values::Time,
        DataType::Timestamp(_, _) => Values::Timestamp(options.duration_ms(column, "max-past")?),
        DataType::Interval(IntervalUnit::MonthDayNano) if declared.is_months() => {
            let months = (0, MONTHS_MAX);
            let (min, max) = options.range(column, months)?;
            Values::Months(min, max)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let (min, max) = options.range(column, (-INTERVAL_MS_MAX, INTERVAL_MS_MAX))?;
            Values::Millis(min, max)
        }
        other => {
            return Err(options.unsupported(format!(
                "the datagen connector makes no values of type {other} for column `{column}`"
            )));
        }
    })
}

fn integer_bounds(data_type: &DataType) -> Option<(i64, i64)> {
    match data_type {
        DataType::Int8 => Some((i8::MIN.into(), i8::MAX.into())),
        DataType::Int16 => Some((i16::MIN.into(), i16::MAX.into())),
        DataType::Int32 => Some((i32::MIN.into(), i32::MAX.into())),
        DataType::Int64 => Some((i64::MIN, i64::MAX)),
        _ => None,
    }
}

fn sequence_bounds(field: &Field, options: &FieldOptions<'_>) -> Result<(i64, i64)> {
    if let Some(bounds) = integer_bounds(field.data_type()) {
        return Ok(bounds);
    }
    match field.data_type() {
        DataType::Float32 | DataType::Float64 | DataType::Utf8View => Ok((i64::MIN, i64::MAX)),
        DataType::Decimal128(precision, scale) => {
            let digits = i32::from(*precision) - i32::from(*scale);
            let digits = u32::try_from(digits).unwrap_or(0);
            let max = 10i64.checked_pow(digits).map_or(i64::MAX, |next| next - 1);
            Ok((-max, max))
        }
        other => Err(options.unsupported(format!(
            "the datagen connector makes no sequences of type {other} for column `{}`",
            field.name()
        ))),
    }
}

fn decimal(
    column: &str,
    (precision, scale): (u8, i8),
    options: &FieldOptions<'_>,
) -> Result<Values> {
    // 38 digits are the most, and fit.
    let max = 10i128.pow(u32::from(precision.min(38))) - 1;
    let unit = 10f64.powi(i32::from(scale));
    let bound = max as f64 / unit;
    let (low, high) = options.range(column, (-bound, bound))?;
    let unscaled = |value: f64| ((value * unit).round() as i128).clamp(-max, max);
    Ok(Values::Decimal(unscaled(low), unscaled(high)))
}

/// A column's type as it was declared, where its storage does not tell.
struct Declared<'a>(&'a str);

impl<'a> Declared<'a> {
    fn of(field: &'a Field) -> Self {
        Declared(field.metadata().get(TYPE_KEY).map_or("", String::as_str))
    }

    fn is_months(&self) -> bool {
        self.0.starts_with("INTERVAL YEAR") || self.0.starts_with("INTERVAL MONTH")
    }

    /// The number in parentheses, if it limits anything.
    fn limit(&self) -> Option<u64> {
        let (_, rest) = self.0.split_once('(')?;
        let (number, _) = rest.split_once(')')?;
        number.parse().ok().filter(|limit| *limit < UNLIMITED)
    }

    fn length(&self, column: &str, options: &FieldOptions<'_>) -> Result<Length> {
        let limit = self.limit();
        if let Some(length) = limit
            && (self.0.starts_with("CHAR") || self.0.starts_with("BINARY"))
        {
            return Ok(Length {
                max: length,
                variable: false,
            });
        }
        let what = "true or false";
        let default = limit.unwrap_or(LENGTH_DEFAULT);
        let bounds = (1, limit.unwrap_or(LENGTH_MAX));
        Ok(Length {
            max: options.between(column, "length", bounds, default)?,
            variable: options.value(column, "var-len", what)?.unwrap_or(false),
        })
    }
}
