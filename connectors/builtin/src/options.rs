//! Reading a table's options: what all connectors of this crate share.

use std::str::FromStr;

use thalweg_columnar::connector::{ConnectorOption, TableSpec};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_formats::{FormatError, FormatErrorKind, FormatOptions};

/// An option for a connector's list.
pub const fn option(
    key: &'static str,
    doc: &'static str,
    default: &'static str,
) -> ConnectorOption {
    ConnectorOption { key, doc, default }
}

/// A required option.
pub fn required(table: &TableSpec, key: &str) -> Result<String> {
    table
        .options
        .get(key)
        .cloned()
        .ok_or_else(|| Error::user(format!("table `{}`: option `{key}` is missing", table.name)))
}

/// An option that is parsed, if it is there; `what` says what it must be.
pub fn parsed<T: FromStr>(table: &TableSpec, key: &str, what: &str) -> Result<Option<T>> {
    let Some(text) = table.options.get(key) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(wrong(table, key, text, what)),
    }
}

/// The error for a value that an option does not take.
pub fn wrong(table: &TableSpec, key: &str, value: &str, what: &str) -> Error {
    Error::user(format!(
        "table `{}`: option `{key}` is `{value}`, but must be {what}",
        table.name
    ))
}

/// A duration in ms, written as Flink does: `10 s`, `1 d`, `500` for milliseconds.
pub fn duration_ms(table: &TableSpec, key: &str) -> Result<Option<u64>> {
    let Some(text) = table.options.get(key) else {
        return Ok(None);
    };
    let what = "a duration such as `500 ms`, `10 s`, `5 min`, `2 h` or `1 d`";
    let duration = parse_duration_ms(text);
    duration
        .ok_or_else(|| wrong(table, key, text, what))
        .map(Some)
}

/// The milliseconds of a duration as Flink writes it.
pub fn parse_duration_ms(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let unit = match unit.as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// A size in bytes, written as Flink does: `128 mb`, `1g`, `4096` for bytes.
pub fn bytes(table: &TableSpec, key: &str) -> Result<Option<u64>> {
    let Some(text) = table.options.get(key) else {
        return Ok(None);
    };
    let size = parse_bytes(text);
    size.ok_or_else(|| {
        wrong(
            table,
            key,
            text,
            "a size such as `4096`, `512 kb`, `128 mb` or `1 gb`",
        )
    })
    .map(Some)
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
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

fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim().to_ascii_lowercase()))
}

/// The options of the table's format.
pub fn format_options(table: &TableSpec, format: &str) -> FormatOptions {
    let mut options = FormatOptions::new();
    let prefix = format!("{format}.");
    for (key, value) in table
        .options
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
    {
        options.set(key.clone(), value.clone());
    }
    options
}

/// Turns a format's error into the engine's.
pub fn format_error(error: FormatError) -> Error {
    let kind = match error.kind() {
        FormatErrorKind::User => ErrorKind::User,
        FormatErrorKind::Unsupported => ErrorKind::Unsupported,
        FormatErrorKind::Internal => ErrorKind::Internal,
        // Corrupt input is the user's data, not our state: an older checkpoint does not help.
        _ => ErrorKind::User,
    };
    Error::new(kind, error.to_string())
}
