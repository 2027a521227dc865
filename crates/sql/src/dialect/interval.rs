//! Interval literals by Flink's rules.
//!
//! `INTERVAL '[-]value' UNIT[(precision)] [TO UNIT]`. The first field may have `precision`
//! digits, two unless it says otherwise: `INTERVAL '300' SECOND` is an error, and
//! `INTERVAL '300' SECOND(3)` is not. Later fields are bounded by their unit. A literal counts
//! months or milliseconds, never both; finer fractions of a second are cut off.

use sqlparser::ast::{DateTimeField, Expr, Interval, UnaryOperator, Value};
use sqlparser::tokenizer::Span;

use crate::error::{SqlError, SqlResult};

/// Digits of the first field of an interval that names no precision.
const LEADING_PRECISION_DEFAULT: u64 = 2;
/// The most digits the first field may be given.
const LEADING_PRECISION_MAX: u64 = 10;
/// Fractional digits of the seconds of an interval that names no precision.
const FRACTION_PRECISION_DEFAULT: u64 = 6;

/// The length of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntervalValue {
    /// Calendar months.
    Months(i64),
    /// Milliseconds.
    Millis(i64),
}

/// A field of an interval, coarse to fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl Unit {
    fn of(field: &DateTimeField) -> Option<Self> {
        use DateTimeField as F;
        Some(match field {
            F::Year | F::Years => Self::Year,
            F::Quarter => Self::Quarter,
            F::Month | F::Months => Self::Month,
            F::Week(None) | F::Weeks => Self::Week,
            F::Day | F::Days => Self::Day,
            F::Hour | F::Hours => Self::Hour,
            F::Minute | F::Minutes => Self::Minute,
            F::Second | F::Seconds => Self::Second,
            _ => return None,
        })
    }

    /// Months or milliseconds in one.
    fn size(self) -> i64 {
        match self {
            Self::Year => 12,
            Self::Quarter => 3,
            Self::Month => 1,
            Self::Week => 7 * 86_400_000,
            Self::Day => 86_400_000,
            Self::Hour => 3_600_000,
            Self::Minute => 60_000,
            Self::Second => 1_000,
        }
    }

    /// The greatest value when another field stands before it.
    fn max_after_first(self) -> i64 {
        match self {
            Self::Month => 11,
            Self::Hour => 23,
            Self::Minute | Self::Second => 59,
            _ => i64::MAX,
        }
    }

    fn counts_months(self) -> bool {
        self <= Self::Month
    }

    fn name(self) -> &'static str {
        match self {
            Self::Year => "YEAR",
            Self::Quarter => "QUARTER",
            Self::Month => "MONTH",
            Self::Week => "WEEK",
            Self::Day => "DAY",
            Self::Hour => "HOUR",
            Self::Minute => "MINUTE",
            Self::Second => "SECOND",
        }
    }
}

/// The length of an interval literal.
///
/// # Errors
/// `Syntax` when its value does not fit its fields, placed at the value.
///
/// # Examples
/// ```
/// use thalweg_sql::dialect::{IntervalValue, parse_expression, interval_to_millis_or_months};
/// let expr = parse_expression("INTERVAL '1 10' DAY TO HOUR").unwrap();
/// let sqlparser::ast::Expr::Interval(interval) = expr else { panic!() };
/// let value = interval_to_millis_or_months(&interval).unwrap();
/// assert_eq!(value, IntervalValue::Millis(34 * 3_600_000));
/// ```
pub fn interval_to_millis_or_months(interval: &Interval) -> SqlResult<IntervalValue> {
    let (text, negated, span) = literal(&interval.value)?;
    total(interval, text, negated).map_err(|error| error.at_span(span))
}

/// The length of `interval`, whose literal is `text`.
fn total(interval: &Interval, text: &str, negated: bool) -> SqlResult<IntervalValue> {
    let (first, last) = units(interval)?;
    let (text, sign) = signed(text, negated);
    let form = || {
        let to = match last == first {
            true => String::new(),
            false => format!(" TO {}", last.name()),
        };
        let message = format!("`{text}` is not an interval of `{}{to}`", first.name());
        SqlError::syntax(message)
    };
    let fields = split_fields(text, first, last).ok_or_else(form)?;
    let fraction_digits = interval
        .fractional_seconds_precision
        .unwrap_or(FRACTION_PRECISION_DEFAULT);
    let mut total: i64 = 0;
    for (index, field) in fields.iter().enumerate() {
        let value: i64 = field.whole.parse().map_err(|_| form())?;
        match index {
            0 => check_first(interval, first, value)?,
            _ => check_later(field, value)?,
        }
        let millis = match field.fraction {
            None => 0,
            Some(fraction) if fraction.len() as u64 <= fraction_digits => {
                thousandths(fraction).ok_or_else(form)?
            }
            Some(_) => return Err(form()),
        };
        total = value
            .checked_mul(field.unit.size())
            .and_then(|part| part.checked_add(millis)?.checked_add(total))
            .ok_or_else(form)?;
    }
    Ok(match first.counts_months() {
        true => IntervalValue::Months(sign * total),
        false => IntervalValue::Millis(sign * total),
    })
}

/// The first and the last field of an interval.
fn units(interval: &Interval) -> SqlResult<(Unit, Unit)> {
    let Some(field) = &interval.leading_field else {
        let message = "an interval needs a unit, for instance `SECOND`";
        return Err(SqlError::syntax(message));
    };
    let Some(first) = Unit::of(field) else {
        let message = format!("an interval cannot count in `{field}`");
        return Err(SqlError::syntax(message));
    };
    let Some(field) = &interval.last_field else {
        return Ok((first, first));
    };
    match Unit::of(field) {
        Some(last) if may_go(first, last) => Ok((first, last)),
        _ => {
            let message = format!("an interval cannot go from `{}` to `{field}`", first.name());
            Err(SqlError::syntax(message))
        }
    }
}

/// Checks the digits of the first field.
fn check_first(interval: &Interval, first: Unit, value: i64) -> SqlResult<()> {
    let precision = interval
        .leading_precision
        .unwrap_or(LEADING_PRECISION_DEFAULT);
    if !(1..=LEADING_PRECISION_MAX).contains(&precision) {
        return Err(SqlError::syntax(format!(
            "the precision of an interval must be between 1 and {LEADING_PRECISION_MAX}, \
             not {precision}"
        )));
    }
    let digits = significant_digits(value);
    if digits > precision {
        let name = first.name();
        let message = format!(
            "the interval's value `{value}` has more digits than `{name}({precision})` allows"
        );
        return Err(SqlError::syntax(message).with_hint(format!("write `{name}({digits})`")));
    }
    Ok(())
}

/// Checks the bounds of a later field.
fn check_later(field: &Field<'_>, value: i64) -> SqlResult<()> {
    let max = field.unit.max_after_first();
    if value <= max && field.whole.len() <= 2 {
        return Ok(());
    }
    let (whole, unit) = (field.whole, field.unit.name());
    let message = format!("`{whole}` is no `{unit}` of an interval: at most {max}");
    Err(SqlError::syntax(message))
}

/// The literal's text, whether a minus stands before it, and its place.
fn literal(value: &Expr) -> SqlResult<(&str, bool, Span)> {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Ok((text, false, value.span)),
            _ => Err(not_quoted().at_span(value.span)),
        },
        Expr::UnaryOp {
            op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
            expr,
        } => {
            let (text, negated, span) = literal(expr)?;
            Ok((text, negated ^ (*op == UnaryOperator::Minus), span))
        }
        other => Err(not_quoted().at_span(sqlparser::ast::Spanned::span(other))),
    }
}

pub(super) fn not_quoted() -> SqlError {
    SqlError::unsupported("an interval's value must be a quoted literal")
        .with_hint("write `INTERVAL '5' SECOND`, or multiply: `n * INTERVAL '1' SECOND`")
}

fn may_go(first: Unit, last: Unit) -> bool {
    first < last
        && first.counts_months() == last.counts_months()
        && first != Unit::Quarter
        && first != Unit::Week
        && last != Unit::Quarter
        && last != Unit::Day
}

/// The text without its sign, and 1 or -1.
fn signed(text: &str, negated: bool) -> (&str, i64) {
    let text = text.trim();
    let (text, minus) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    (text, if minus ^ negated { -1 } else { 1 })
}

/// One field of a literal.
struct Field<'a> {
    unit: Unit,
    whole: &'a str,
    fraction: Option<&'a str>,
}

/// Cuts `1 02:03:04.5` into its fields, or nothing if it has not the form.
fn split_fields(text: &str, first: Unit, last: Unit) -> Option<Vec<Field<'_>>> {
    let units: &[Unit] = if first.counts_months() {
        &[Unit::Year, Unit::Quarter, Unit::Month]
    } else {
        &[
            Unit::Week,
            Unit::Day,
            Unit::Hour,
            Unit::Minute,
            Unit::Second,
        ]
    };
    let mut rest = Some(text);
    let mut fields = Vec::new();
    for &unit in units.iter().filter(|&&unit| first <= unit && unit <= last) {
        if unit == Unit::Quarter && first != Unit::Quarter {
            continue;
        }
        let current = rest?;
        let separator = match unit {
            Unit::Year => '-',
            Unit::Day => ' ',
            _ => ':',
        };
        let (field, after) = match current.split_once(separator) {
            Some((field, after)) if unit != last => (field, Some(after)),
            _ => (current, None),
        };
        rest = after;
        let (whole, fraction) = match field.split_once('.') {
            Some((whole, fraction)) if unit == Unit::Second => (whole, Some(fraction)),
            _ => (field, None),
        };
        let numeric = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !numeric(whole) || !fraction.is_none_or(numeric) {
            return None;
        }
        fields.push(Field {
            unit,
            whole,
            fraction,
        });
    }
    if rest.is_some() { None } else { Some(fields) }
}

fn significant_digits(value: i64) -> u64 {
    value.checked_ilog10().map_or(1, |log| u64::from(log) + 1)
}

/// `5` is 500, `0005` is 0: thousandths, cut off.
fn thousandths(fraction: &str) -> Option<i64> {
    let padded: String = fraction.chars().chain("000".chars()).take(3).collect();
    padded.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::parse_expression;

    fn read(text: &str) -> String {
        match parse_expression(text) {
            Ok(Expr::Interval(interval)) => match interval_to_millis_or_months(&interval) {
                Ok(IntervalValue::Months(months)) => format!("{months} months"),
                Ok(IntervalValue::Millis(millis)) => format!("{millis} ms"),
                Err(error) => error.to_string(),
            },
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_literal_counts_months_or_milliseconds() {
        let cases = [
            ("INTERVAL '5' SECOND", "5000 ms"),
            ("INTERVAL '0.001' SECOND", "1 ms"),
            ("INTERVAL '1.5' SECOND", "1500 ms"),
            ("INTERVAL '0.0009' SECOND", "0 ms"),
            ("INTERVAL '300' SECOND(3)", "300000 ms"),
            ("INTERVAL '-10' MINUTE", "-600000 ms"),
            ("INTERVAL -'10' MINUTES", "-600000 ms"),
            ("INTERVAL '1' DAY", "86400000 ms"),
            ("INTERVAL '2' WEEK", "1209600000 ms"),
            ("INTERVAL '1 10' DAY TO HOUR", "122400000 ms"),
            ("INTERVAL '1 02:03:04.5' DAY TO SECOND", "93784500 ms"),
            ("INTERVAL '02:03' HOUR TO MINUTE", "7380000 ms"),
            ("INTERVAL '1-2' YEAR TO MONTH", "14 months"),
            ("INTERVAL '10' YEAR", "120 months"),
            ("INTERVAL '3' QUARTER", "9 months"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_literal_that_does_not_fit_its_fields_is_refused() {
        let cases = [
            (
                "INTERVAL '300' SECOND",
                "1:10: the interval's value `300` has more digits than `SECOND(2)` allows (write `SECOND(3)`)",
            ),
            (
                "INTERVAL '1 24' DAY TO HOUR",
                "1:10: `24` is no `HOUR` of an interval: at most 23",
            ),
            (
                "INTERVAL '1' DAY TO HOUR",
                "1:10: `1` is not an interval of `DAY TO HOUR`",
            ),
            (
                "INTERVAL 'x' SECOND",
                "1:10: `x` is not an interval of `SECOND`",
            ),
            (
                "INTERVAL '1.5' MINUTE",
                "1:10: `1.5` is not an interval of `MINUTE`",
            ),
            (
                "INTERVAL '5'",
                "1:13: expected an interval's unit, found end of statement",
            ),
            (
                "INTERVAL '5' PARSEC",
                "1:14: expected an interval's unit, found `PARSEC`",
            ),
            (
                "INTERVAL '1' HOUR TO DAY",
                "1:10: an interval cannot go from `HOUR` to `DAY`",
            ),
            (
                "INTERVAL 5 SECOND",
                "1:10: an interval's value must be a quoted literal (write `INTERVAL '5' SECOND`, or multiply: `n * INTERVAL '1' SECOND`)",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
