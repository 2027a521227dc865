//! The options of one column: each must fit the column's type, and none may be left over.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::str::FromStr;

use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, Result};

use crate::options::{parse_duration_ms, parsed, wrong};

/// The `fields.*` options of a table, and which of them have been asked for.
pub struct FieldOptions<'a> {
    table: &'a TableSpec,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> FieldOptions<'a> {
    /// Those of a table.
    pub fn new(table: &'a TableSpec) -> Self {
        FieldOptions {
            table,
            used: RefCell::new(BTreeSet::new()),
        }
    }

    fn key(&self, column: &str, option: &str) -> String {
        let key = format!("fields.{column}.{option}");
        self.used.borrow_mut().insert(key.clone());
        key
    }

    /// The text of an option.
    pub fn text(&self, column: &str, option: &str) -> Option<&'a str> {
        let key = self.key(column, option);
        self.table.options.get(&key).map(String::as_str)
    }

    /// An option that is parsed.
    ///
    /// # Errors
    /// `User`, naming the option.
    pub fn value<T: FromStr>(&self, column: &str, option: &str, what: &str) -> Result<Option<T>> {
        parsed(self.table, &self.key(column, option), what)
    }

    /// An option between two values, with its default.
    ///
    /// # Errors
    /// `User`, naming the option.
    pub fn between<T>(&self, column: &str, option: &str, bounds: (T, T), default: T) -> Result<T>
    where
        T: FromStr + PartialOrd + Copy + std::fmt::Display,
    {
        let (min, max) = bounds;
        let what = format!("between {min} and {max}");
        match self.value(column, option, &what)? {
            None => Ok(default),
            Some(value) if min <= value && value <= max => Ok(value),
            Some(value) => Err(self.wrong(column, option, &value.to_string(), &what)),
        }
    }

    /// `min` and `max`, whose defaults are the bounds of the type.
    ///
    /// # Errors
    /// `User` if one is out of bounds, or if they are in the wrong order.
    pub fn range<T>(&self, column: &str, bounds: (T, T)) -> Result<(T, T)>
    where
        T: FromStr + PartialOrd + Copy + std::fmt::Display,
    {
        let min = self.between(column, "min", bounds, bounds.0)?;
        let max = self.between(column, "max", bounds, bounds.1)?;
        self.ordered(column, ("min", min), ("max", max))?;
        Ok((min, max))
    }

    /// `start` and `end` of a sequence.
    ///
    /// # Errors
    /// `User` if one is missing or out of bounds, or if they are in the wrong order.
    pub fn sequence(&self, column: &str, bounds: (i64, i64)) -> Result<(i64, i64)> {
        for option in ["start", "end"] {
            if self.text(column, option).is_none() {
                return Err(self.error(format!(
                    "option `fields.{column}.{option}` is missing: column `{column}` is a sequence"
                )));
            }
        }
        let start = self.between(column, "start", bounds, bounds.0)?;
        let end = self.between(column, "end", bounds, bounds.1)?;
        self.ordered(column, ("start", start), ("end", end))?;
        Ok((start, end))
    }

    fn ordered<T: PartialOrd + std::fmt::Display>(
        &self,
        column: &str,
        (low_name, low): (&str, T),
        (high_name, high): (&str, T),
    ) -> Result<()> {
        if low <= high {
            return Ok(());
        }
        let what = format!("at least `{low_name}`, which is {low}");
        Err(self.wrong(column, high_name, &high.to_string(), &what))
    }

    /// A duration in ms, written as Flink does: `10 s`, `1 d`, `500` for milliseconds.
    ///
    /// # Errors
    /// `User`, naming the option.
    pub fn duration_ms(&self, column: &str, option: &str) -> Result<u64> {
        let Some(text) = self.text(column, option) else {
            return Ok(0);
        };
        let what = "a duration such as `500 ms`, `10 s`, `5 min`, `2 h` or `1 d`";
        parse_duration_ms(text).ok_or_else(|| self.wrong(column, option, text, what))
    }

    /// The error for a wrong value.
    pub fn wrong(&self, column: &str, option: &str, value: &str, what: &str) -> Error {
        let key = format!("fields.{column}.{option}");
        wrong(self.table, &key, value, what)
    }

    /// The error for a type that has no such values.
    pub fn unsupported(&self, message: String) -> Error {
        Error::unsupported(message).context(format!("table `{}`", self.table.name))
    }

    fn error(&self, message: String) -> Error {
        Error::user(message).context(format!("table `{}`", self.table.name))
    }

    /// Refuses options that no column asked for.
    ///
    /// # Errors
    /// `User`, naming the first of them.
    pub fn check_all_used(&self) -> Result<()> {
        let used = self.used.borrow();
        let unused = self
            .table
            .options
            .keys()
            .find(|key| key.starts_with("fields.") && !used.contains(*key));
        match unused {
            None => Ok(()),
            Some(key) => Err(self.error(format!(
                "option `{key}` is of no column, or does not fit the column's kind and type"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_flink_writes_them() {
        assert_eq!(parse_duration_ms("500"), Some(500));
        assert_eq!(parse_duration_ms(" 10s "), Some(10_000));
        assert_eq!(parse_duration_ms("2 Days"), Some(172_800_000));
        assert_eq!(parse_duration_ms("3 weeks"), None);
        assert_eq!(parse_duration_ms("s"), None);
        assert_eq!(parse_duration_ms("18446744073709551615 s"), None);
    }
}
