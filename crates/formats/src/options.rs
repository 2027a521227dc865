//! Options of a format as users write them, and the errors for those they misspell.
//!
//! Keys carry the format's prefix (`csv.field-delimiter`), because that is how they stand in a
//! table's WITH clause. A key of the format that nobody reads is an error and never ignored: a
//! misspelt `csv.ignore-parse-error` would otherwise be found in production.

use std::collections::BTreeMap;

use crate::error::FormatError;

/// The options of a format, by their full key.
///
/// Keys that do not begin with the format's name and a dot belong to others (the connector) and
/// are not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormatOptions(BTreeMap<String, String>);

impl FormatOptions {
    /// No options: every one has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same options with `key` set to `value`.
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets `key` to `value`, replacing an earlier value.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    /// The value of `key`, if it is set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All options in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl From<BTreeMap<String, String>> for FormatOptions {
    fn from(options: BTreeMap<String, String>) -> Self {
        FormatOptions(options)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for FormatOptions {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(options: I) -> Self {
        options
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect::<BTreeMap<_, _>>()
            .into()
    }
}

/// Reads the options of one format, all of whose keys are known to be known.
pub(crate) struct OptionReader<'a> {
    format: &'static str,
    options: &'a FormatOptions,
}

impl<'a> OptionReader<'a> {
    /// Refuses keys of `format` that are not `known` (given without the prefix).
    pub fn new(
        format: &'static str,
        options: &'a FormatOptions,
        known: &[&str],
    ) -> Result<Self, FormatError> {
        for (key, _) in options.iter() {
            let Some(name) = key
                .strip_prefix(format)
                .and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            if !known.contains(&name) {
                let hint = match nearest(name, known) {
                    Some(near) => format!("; did you mean `{format}.{near}`?"),
                    None => String::new(),
                };
                return Err(FormatError::user(format!("unknown option `{key}`{hint}")));
            }
        }
        Ok(OptionReader { format, options })
    }

    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.options.get(&format!("{}.{name}", self.format))
    }

    pub fn flag(&self, name: &str, default: bool) -> Result<bool, FormatError> {
        match self.text(name) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(self.wrong(name, text, "`true` or `false`")),
        }
    }

    /// A positive count, such as a number of bytes or rows.
    pub fn count(&self, name: &str, default: usize) -> Result<usize, FormatError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(self.wrong(name, text, "a positive whole number")),
        }
    }

    pub fn wrong(&self, name: &str, value: &str, expected: &str) -> FormatError {
        FormatError::user(format!(
            "option `{}.{name}`: `{value}` is not {expected}",
            self.format
        ))
    }
}

/// The nearest of `known` to `name`, which is always worth showing when there is one.
pub(crate) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .copied()
        .min_by_key(|other| distance(name, other))
}

/// Levenshtein's distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *cell;
            left = (left + 1)
                .min(above + 1)
                .min(diagonal + usize::from(x != y));
            *cell = left;
            diagonal = above;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_option_names_the_nearest_known_one() {
        let options = FormatOptions::new()
            .with("csv.ignore-parse-error", "true")
            .with("path", "x");
        let known = ["field-delimiter", "ignore-parse-errors"];
        let error = OptionReader::new("csv", &options, &known)
            .err()
            .map(|e| e.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "unknown option `csv.ignore-parse-error`; did you mean `csv.ignore-parse-errors`?"
            )
        );
    }

    #[test]
    fn keys_of_others_are_not_looked_at() {
        let options = FormatOptions::new()
            .with("connector", "filesystem")
            .with("json.x", "1");
        assert!(OptionReader::new("csv", &options, &["header"]).is_ok());
    }

    #[test]
    fn a_flag_is_true_or_false_and_nothing_else() {
        let options = FormatOptions::new().with("csv.header", "yes");
        let reader = OptionReader::new("csv", &options, &["header"]).expect("known");
        let error = reader.flag("header", false).expect_err("not a flag");
        assert_eq!(
            error.to_string(),
            "option `csv.header`: `yes` is not `true` or `false`"
        );
    }

    #[test]
    fn distance_counts_single_byte_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
