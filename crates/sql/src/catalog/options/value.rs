//! Values of configuration keys from their text.

use std::time::Duration;

use super::{OptionDefinition, OptionType};
use crate::error::{SqlError, SqlResult};

/// A parsed value.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Double(f64),
    /// A length of time.
    Duration(Duration),
    /// A number of bytes.
    Memory(u64),
    /// Any text; a word of a list in the list's letter case.
    Text(String),
}

/// The value of `definition` that `text` says.
pub(super) fn parse(definition: &OptionDefinition, text: &str) -> SqlResult<OptionValue> {
    let key = definition.key;
    let wrong =
        |what: &str| SqlError::type_mismatch(format!("`{key}` must be {what}, not `{text}`"));
    let trimmed = text.trim();
    match definition.value_type {
        OptionType::Boolean => match trimmed.to_ascii_lowercase().as_str() {
            "true" => Ok(OptionValue::Boolean(true)),
            "false" => Ok(OptionValue::Boolean(false)),
            _ => Err(wrong("`true` or `false`")),
        },
        OptionType::Integer => trimmed
            .parse()
            .map(OptionValue::Integer)
            .map_err(|_| wrong("a whole number")),
        OptionType::Double => trimmed
            .parse()
            .map(OptionValue::Double)
            .map_err(|_| wrong("a number")),
        OptionType::Duration => parse_duration(trimmed)
            .map(OptionValue::Duration)
            .ok_or_else(|| wrong("a duration such as `10 s`")),
        OptionType::Memory => parse_memory(trimmed)
            .map(OptionValue::Memory)
            .ok_or_else(|| wrong("a size such as `64 mb`")),
        OptionType::Text => Ok(OptionValue::Text(text.to_string())),
        OptionType::Zone if is_zone(trimmed) => Ok(OptionValue::Text(trimmed.to_string())),
        OptionType::Zone => Err(wrong("a time zone such as `Europe/Berlin`")),
        OptionType::OneOf(words) => {
            let found = words.iter().find(|word| word.eq_ignore_ascii_case(trimmed));
            match found {
                Some(word) => Ok(OptionValue::Text((*word).to_string())),
                None => {
                    let list: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                    let what = format!("one of {}", list.join(", "));
                    Err(wrong(&what).with_nearest(trimmed, words.iter().copied()))
                }
            }
        }
    }
}

fn is_zone(text: &str) -> bool {
    let offset = text
        .strip_prefix("GMT")
        .or_else(|| text.strip_prefix("UTC"))
        .unwrap_or(text);
    text.eq_ignore_ascii_case("default")
        || text.parse::<chrono_tz::Tz>().is_ok()
        || is_offset(offset)
}

/// `+8`, `+08`, `+08:00`, at most 18 hours.
fn is_offset(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(['+', '-']) else {
        return false;
    };
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "00"));
    let number = |text: &str| match text.len() {
        1 | 2 => text.parse::<u8>().ok(),
        _ => None,
    };
    matches!(
        (number(hours), number(minutes)),
        (Some(0..=17), Some(0..=59)) | (Some(18), Some(0))
    )
}

/// A number and its unit.
fn split_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim().to_ascii_lowercase()))
}

/// A duration as Flink writes it: `10 s`, `5min`, `100ms`, `1 d`; a bare number is milliseconds.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use thalweg_sql::catalog::options::parse_duration;
/// assert_eq!(parse_duration("5min"), Some(Duration::from_secs(300)));
/// assert_eq!(parse_duration("250"), Some(Duration::from_millis(250)));
/// assert_eq!(parse_duration("5 parsecs"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let nanos: u64 = match unit.as_str() {
        "d" | "day" | "days" => 86_400_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
        "µs" | "us" | "micro" | "micros" | "microsecond" | "microseconds" => 1_000,
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
        _ => return None,
    };
    let total = u128::from(number) * u128::from(nanos);
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    let rest = u32::try_from(total % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

/// A size as Flink writes it: `64 mb`, `1g`, `512k`; a bare number is bytes.
///
/// # Examples
/// ```
/// use thalweg_sql::catalog::options::parse_memory;
/// assert_eq!(parse_memory("64 mb"), Some(64 << 20));
/// assert_eq!(parse_memory("1000"), Some(1000));
/// assert_eq!(parse_memory("1 x"), None);
/// ```
pub fn parse_memory(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let shift = match unit.as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_names_or_offsets() {
        for zone in [
            "UTC",
            "Asia/Shanghai",
            "GMT+08:00",
            "UTC-3",
            "+05:30",
            "default",
        ] {
            assert!(is_zone(zone), "{zone}");
        }
        for other in ["", "GMT+25:00", "Berlin", "+5:61"] {
            assert!(!is_zone(other), "{other}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        assert_eq!(parse_memory("99999999999 tb"), None);
        assert_eq!(parse_duration("-5 s"), None);
        assert_eq!(parse_duration(""), None);
    }
}
