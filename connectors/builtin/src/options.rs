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
