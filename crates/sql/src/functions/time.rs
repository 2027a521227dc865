//! Times: `DATE_FORMAT`, `TO_TIMESTAMP`, `TIMESTAMPADD`, `TIMESTAMPDIFF`, `FLOOR … TO`, `CEIL … TO`.

use std::sync::Arc;

use arrow::compute::cast;
use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, TimestampMillisecondArray};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use datafusion_common::{DataFusionError, Result, exec_err, plan_err};
use datafusion_expr::ScalarUDF;

use super::simple::{any, exact};

const TEXT: DataType = DataType::Utf8View;
const MILLIS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// The functions of this file.
pub fn all() -> Vec<ScalarUDF> {
    vec![
        exact(
            "date_format",
            vec![vec![MILLIS, TEXT]],
            |_| Ok(TEXT),
            date_format,
        ),
        exact(
            "to_timestamp",
            vec![vec![TEXT], vec![TEXT, TEXT]],
            |_| Ok(MILLIS),
            to_timestamp,
        ),
        any("timestampadd", add_type, timestampadd),
        exact(
            "timestampdiff",
            vec![vec![TEXT, MILLIS, MILLIS]],
            |_| Ok(DataType::Int32),
            timestampdiff,
        ),
        part("year", |time| i64::from(time.year())),
        part("quarter", |time| i64::from(time.month0() / 3 + 1)),
        part("month", |time| i64::from(time.month())),
        part("week", |time| i64::from(time.iso_week().week())),
        part("dayofyear", |time| i64::from(time.ordinal())),
        part("dayofmonth", |time| i64::from(time.day())),
        // 1 is Sunday.
        part("dayofweek", |time| {
            i64::from(time.weekday().num_days_from_sunday() + 1)
        }),
        part("hour", |time| i64::from(time.hour())),
        part("minute", |time| i64::from(time.minute())),
        part("second", |time| i64::from(time.second())),
        any("floor_to", rounded_type, |args, result| {
            round_to(args, result, false)
        }),
        any("ceil_to", rounded_type, |args, result| {
            round_to(args, result, true)
        }),
    ]
}

/// A function that reads a number off a time.
fn part(name: &'static str, read: fn(&NaiveDateTime) -> i64) -> ScalarUDF {
    exact(
        name,
        vec![vec![MILLIS]],
        |_| Ok(DataType::Int64),
        move |args: &[ArrayRef], _: &DataType| {
            let times = millis(&args[0])?;
            let parts = times
                .iter()
                .map(|time| time.and_then(date_time).map(|time| read(&time)));
            let parts: ArrayRef = Arc::new(Int64Array::from_iter(parts));
            Ok(parts)
        },
    )
}

fn millis(array: &ArrayRef) -> Result<TimestampMillisecondArray> {
    let array = cast(array, &MILLIS)?;
    Ok(array.as_primitive::<TimestampMillisecondType>().clone())
}

fn date_time(millis: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_millis(millis).map(|time| time.naive_utc())
}

/// A Java date pattern's letters and texts.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Field(char, usize),
    Text(String),
}

fn parse_pattern(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_alphabetic() {
            let mut width = 1;
            while chars.next_if_eq(&c).is_some() {
                width += 1;
            }
            parts.push(Part::Field(c, width));
        } else if c == '\'' {
            let mut text = String::new();
            if chars.next_if_eq(&'\'').is_some() {
                text.push('\'');
            } else {
                while let Some(c) = chars.next() {
                    if c == '\'' && chars.next_if_eq(&'\'').is_none() {
                        break;
                    }
                    text.push(c);
                }
            }
            parts.push(Part::Text(text));
        } else {
            parts.push(Part::Text(c.to_string()));
        }
    }
    parts
}

fn write_time(parts: &[Part], time: &NaiveDateTime, out: &mut String) -> Result<()> {
    use std::fmt::Write;
    for part in parts {
        let written = match part {
            Part::Text(text) => out.write_str(text),
            Part::Field('y' | 'u', 2) => write!(out, "{:02}", time.year().rem_euclid(100)),
            Part::Field('y' | 'u', width) => write!(out, "{:0width$}", time.year()),
            Part::Field('M', 3) => write!(out, "{}", time.format("%b")),
            Part::Field('M', 4) => write!(out, "{}", time.format("%B")),
            Part::Field('M', width) => write!(out, "{:0width$}", time.month()),
            Part::Field('d', width) => write!(out, "{:0width$}", time.day()),
            Part::Field('D', width) => write!(out, "{:0width$}", time.ordinal()),
            Part::Field('H', width) => write!(out, "{:0width$}", time.hour()),
            Part::Field('h', width) => write!(out, "{:0width$}", time.hour12().1),
            Part::Field('a', _) => out.write_str(if time.hour() < 12 { "AM" } else { "PM" }),
            Part::Field('m', width) => write!(out, "{:0width$}", time.minute()),
            Part::Field('s', width) => write!(out, "{:0width$}", time.second()),
            Part::Field('S', width) => {
                let nanos = format!("{:09}", time.nanosecond());
                out.write_str(&nanos[..(*width).min(9)])
            }
            Part::Field('E', 4..) => write!(out, "{}", time.format("%A")),
            Part::Field('E', _) => write!(out, "{}", time.format("%a")),
            Part::Field(letter, _) => {
                return exec_err!("the date pattern letter `{letter}` is not supported");
            }
        };
        written.map_err(|error| DataFusionError::External(Box::new(error)))?;
    }
    Ok(())
}

/// Rows of one column often have one pattern and neighbouring times: the last text is reused while
/// the pattern shows nothing finer than what has stayed the same.
fn date_format(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let times = millis(&args[0])?;
    let patterns = args[1].as_string_view();
    let mut builder = StringViewBuilder::with_capacity(times.len());
    let mut known: Option<(String, Vec<Part>, i64)> = None;
    let mut last: Option<(i64, String)> = None;
    for row in 0..times.len() {
        if times.is_null(row) || patterns.is_null(row) {
            builder.append_null();
            continue;
        }
        let pattern = patterns.value(row);
        if known.as_ref().is_none_or(|(text, _, _)| text != pattern) {
            let parts = parse_pattern(pattern);
            let unit = finest_unit(&parts);
            known = Some((pattern.to_owned(), parts, unit));
            last = None;
        }
        let Some((_, parts, unit)) = &known else {
            continue;
        };
        let bucket = times.value(row).div_euclid(*unit);
        if let Some((known, text)) = &last
            && *known == bucket
        {
            builder.append_value(text);
            continue;
        }
        let Some(time) = date_time(times.value(row)) else {
            builder.append_null();
            continue;
        };
        let mut text = String::new();
        write_time(parts, &time, &mut text)?;
        builder.append_value(&text);
        last = Some((bucket, text));
    }
    Ok(Arc::new(builder.finish()))
}

fn finest_unit(parts: &[Part]) -> i64 {
    let unit = |part: &Part| match part {
        Part::Field('S' | 'n' | 'A', _) => 1,
        Part::Field('s', _) => 1_000,
        Part::Field('m', _) => 60_000,
        Part::Field('H' | 'h' | 'a' | 'k' | 'K', _) => 3_600_000,
        _ => 86_400_000,
    };
    parts.iter().map(unit).min().unwrap_or(86_400_000)
}

/// A text as a time; what does not fit the pattern is NULL.
fn to_timestamp(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = args[0].as_string_view();
    let patterns = args.get(1).map(|patterns| patterns.as_string_view());
    let default = parse_pattern("yyyy-MM-dd HH:mm:ss");
    let mut known: Option<(String, Vec<Part>)> = None;
    let mut times = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        if texts.is_null(row) || patterns.is_some_and(|patterns| patterns.is_null(row)) {
            times.push(None);
            continue;
        }
        let text = texts.value(row);
        let parsed = match patterns {
            None => parse_default(text).or_else(|| read_time(&default, text)),
            Some(patterns) => {
                let pattern = patterns.value(row);
                if known.as_ref().is_none_or(|(text, _)| text != pattern) {
                    known = Some((pattern.to_owned(), parse_pattern(pattern)));
                }
                known.as_ref().and_then(|(_, parts)| read_time(parts, text))
            }
        };
        times.push(parsed.map(|time| time.and_utc().timestamp_millis()));
    }
    Ok(Arc::new(TimestampMillisecondArray::from_iter(times)))
}

/// `yyyy-MM-dd HH:mm:ss[.fff…]` in fixed places.
fn parse_default(text: &str) -> Option<NaiveDateTime> {
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        let digits = text.as_bytes().get(range)?;
        digits.iter().try_fold(0u32, |n, digit| {
            digit
                .is_ascii_digit()
                .then(|| n * 10 + u32::from(digit - b'0'))
        })
    };
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(number(0..4)?).ok()?,
        number(5..7)?,
        number(8..10)?,
    )?;
    if text.len() == 10 {
        return Some(date.and_time(NaiveTime::MIN));
    }
    let bytes = text.as_bytes();
    if bytes.len() < 19
        || bytes[4] != b'-'
        || bytes[7] != b'-'
        || bytes[13] != b':'
        || bytes[16] != b':'
    {
        return None;
    }
    let nanos = match text.get(19..)? {
        "" => 0,
        rest => {
            let digits = rest.strip_prefix('.')?;
            if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit())
            {
                return None;
            }
            format!("{digits:0<9}").parse().ok()?
        }
    };
    let time =
        NaiveTime::from_hms_nano_opt(number(11..13)?, number(14..16)?, number(17..19)?, nanos)?;
    Some(date.and_time(time))
}

fn read_time(parts: &[Part], text: &str) -> Option<NaiveDateTime> {
    let (mut year, mut month, mut day) = (1970i32, 1u32, 1u32);
    let (mut hour, mut minute, mut second, mut nanos) = (0u32, 0u32, 0u32, 0u32);
    let mut rest = text;
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        let (letter, width) = match part {
            Part::Text(expected) => {
                rest = rest.strip_prefix(expected.as_str())?;
                continue;
            }
            Part::Field(letter, width) => (*letter, *width),
        };
        // A number is as wide as it is, unless the next field follows at once.
        let bounded = matches!(parts.peek(), Some(Part::Field(_, _)));
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let take = if bounded || letter == 'S' {
            digits.min(width)
        } else {
            digits.min(9)
        };
        let (number, tail) = rest.split_at_checked(take)?;
        let value: u32 = number.parse().ok()?;
        rest = tail;
        match letter {
            'y' | 'u' => year = i32::try_from(value).ok()?,
            'M' => month = value,
            'd' => day = value,
            'H' | 'k' => hour = value,
            'm' => minute = value,
            's' => second = value,
            'S' => nanos = format!("{number:0<9}").parse().ok()?,
            _ => return None,
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let time = NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?;
    Some(NaiveDate::from_ymd_opt(year, month, day)?.and_time(time))
}

fn add_type(types: &[DataType]) -> Result<DataType> {
    match types {
        [_, count, time] if count.is_integer() || *count == DataType::Null => match time {
            DataType::Timestamp(unit, zone) => Ok(DataType::Timestamp(*unit, zone.clone())),
            DataType::Date32 => Ok(MILLIS),
            other => plan_err!("`TIMESTAMPADD` takes a time, not `{other}`"),
        },
        _ => plan_err!("`TIMESTAMPADD` takes a unit, an integer and a time"),
    }
}

/// A unit as months or milliseconds.
fn unit(name: &str) -> Result<(i64, i64)> {
    Ok(
        match name.to_ascii_uppercase().trim_start_matches("SQL_TSI_") {
            "YEAR" => (12, 0),
            "QUARTER" => (3, 0),
            "MONTH" => (1, 0),
            "WEEK" => (0, 604_800_000),
            "DAY" => (0, 86_400_000),
            "HOUR" => (0, 3_600_000),
            "MINUTE" => (0, 60_000),
            "SECOND" => (0, 1_000),
            "MILLISECOND" => (0, 1),
            other => return exec_err!("`{other}` is no unit of time"),
        },
    )
}

fn timestampadd(args: &[ArrayRef], result: &DataType) -> Result<ArrayRef> {
    let units = cast(&args[0], &TEXT)?;
    let counts = cast(&args[1], &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    let times = millis(&args[2])?;
    let mut added = Vec::with_capacity(times.len());
    for row in 0..times.len() {
        if times.is_null(row) || counts.is_null(row) {
            added.push(None);
            continue;
        }
        let (months, length) = unit(units.as_string_view().value(row))?;
        let (count, time) = (counts.value(row), times.value(row));
        added.push(if months == 0 {
            time.checked_add(count.saturating_mul(length))
        } else {
            date_time(time)
                .and_then(|time| add_months(time, count * months))
                .map(|time| time.and_utc().timestamp_millis())
        });
    }
    Ok(cast(&TimestampMillisecondArray::from_iter(added), result)?)
}

fn add_months(time: NaiveDateTime, months: i64) -> Option<NaiveDateTime> {
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 {
        time.checked_sub_months(count)
    } else {
        time.checked_add_months(count)
    }
}

fn timestampdiff(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let units = args[0].as_string_view();
    let (from, to) = (millis(&args[1])?, millis(&args[2])?);
    let mut differences = Vec::with_capacity(from.len());
    for row in 0..from.len() {
        if from.is_null(row) || to.is_null(row) {
            differences.push(None);
            continue;
        }
        let (months, length) = unit(units.value(row))?;
        let difference = if months == 0 {
            (to.value(row) - from.value(row)) / length
        } else {
            match (date_time(from.value(row)), date_time(to.value(row))) {
                (Some(from), Some(to)) => months_between(from, to) / months,
                _ => 0,
            }
        };
        differences.push(i32::try_from(difference).ok());
    }
    Ok(Arc::new(Int32Array::from_iter(differences)))
}

/// Whole months from one time to another, towards zero.
fn months_between(from: NaiveDateTime, to: NaiveDateTime) -> i64 {
    let months = |t: NaiveDateTime| i64::from(t.year()) * 12 + i64::from(t.month0());
    let within = |t: NaiveDateTime| (t.day(), t.time());
    let whole = months(to) - months(from);
    match whole {
        1.. if within(to) < within(from) => whole - 1,
        ..=-1 if within(to) > within(from) => whole + 1,
        _ => whole,
    }
}

fn rounded_type(types: &[DataType]) -> Result<DataType> {
    match types {
        [time @ (DataType::Timestamp(_, _) | DataType::Date32), _] => Ok(time.clone()),
        [other, _] => plan_err!("`FLOOR` to a unit takes a time, not `{other}`"),
        _ => plan_err!("`FLOOR` to a unit takes a time and a unit"),
    }
}

fn round_to(args: &[ArrayRef], result: &DataType, up: bool) -> Result<ArrayRef> {
    let times = millis(&args[0])?;
    let units = cast(&args[1], &TEXT)?;
    let mut rounded = Vec::with_capacity(times.len());
    for row in 0..times.len() {
        if times.is_null(row) {
            rounded.push(None);
            continue;
        }
        let name = units.as_string_view().value(row).to_ascii_uppercase();
        let time = times.value(row);
        let down = floor(time, &name)?;
        rounded.push(match down {
            Some(down) if up && down < time => ceiling(down, &name)?,
            down => down,
        });
    }
    Ok(cast(
        &TimestampMillisecondArray::from_iter(rounded),
        result,
    )?)
}

fn floor(time: i64, unit_name: &str) -> Result<Option<i64>> {
    let (months, length) = unit(unit_name)?;
    if unit_name == "WEEK" {
        // Weeks begin on Sunday; 1970 began on a Thursday.
        let shift = 4 * 86_400_000;
        return Ok(Some((time + shift).div_euclid(length) * length - shift));
    }
    if months == 0 {
        return Ok(Some(time.div_euclid(length) * length));
    }
    Ok(date_time(time).and_then(|time| {
        let month = i64::from(time.month0()) / months * months;
        let first = NaiveDate::from_ymd_opt(time.year(), u32::try_from(month).ok()? + 1, 1)?;
        Some(first.and_time(NaiveTime::MIN).and_utc().timestamp_millis())
    }))
}

fn ceiling(floor: i64, unit_name: &str) -> Result<Option<i64>> {
    let (months, length) = unit(unit_name)?;
    if months == 0 {
        return Ok(Some(floor + length));
    }
    Ok(date_time(floor)
        .and_then(|time| add_months(time, months))
        .map(|time| time.and_utc().timestamp_millis()))
}
