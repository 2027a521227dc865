//! The time that a partition names.

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, Result};

use crate::filesystem::partition_path;
use crate::options::wrong;

const KIND: &str = "partition.time-extractor.kind";
const CLASS: &str = "partition.time-extractor.class";
const PATTERN: &str = "partition.time-extractor.timestamp-pattern";
const FORMATTER: &str = "partition.time-extractor.timestamp-formatter";
const ZONE: &str = "sink.partition-commit.watermark-time-zone";

/// How a time is read off a partition.
pub(super) struct PartitionTime {
    table: String,
    columns: Vec<String>,
    pattern: Option<String>,
    formatter: Option<Vec<Token>>,
    zone: String,
}

impl PartitionTime {
    /// How it is for a table.
    ///
    /// # Errors
    /// `User` for wrong options, `Unsupported` for an extractor of the user's own.
    pub(super) fn new(table: &TableSpec) -> Result<Self> {
        let option = |key: &str| table.options.get(key).cloned();
        if let Some(kind) = option(KIND).filter(|kind| kind.trim() != "default") {
            let what = "`default`: there are no extractors of your own";
            return Err(wrong(table, KIND, &kind, what));
        }
        if option(CLASS).is_some() {
            return Err(Error::unsupported(format!(
                "table `{}`: option `{CLASS}`: there are no extractors of your own; use `{PATTERN}`",
                table.name
            )));
        }
        let formatter = option(FORMATTER)
            .map(|text| {
                let what = "made of `yyyy`, `MM`, `dd`, `HH`, `mm`, `ss`, `SSS` (or fewer of a \
                            letter) and other signs; letters stand in quotes";
                tokens(&text).ok_or_else(|| wrong(table, FORMATTER, &text, what))
            })
            .transpose()?;
        let zone = option(ZONE).unwrap_or_else(|| "UTC".to_owned());
        let time = PartitionTime {
            table: table.name.clone(),
            columns: table.partition_keys.clone(),
            pattern: option(PATTERN),
            formatter,
            zone: offset(&zone),
        };
        if time.to_millis("1970-01-02T00:00:00.000").is_none() {
            let what = "a time zone such as `UTC`, `+08:00`, `GMT+08:00` or `Asia/Shanghai`";
            return Err(wrong(table, ZONE, &zone, what));
        }
        Ok(time)
    }

    /// The time of a partition, in ms since 1970.
    ///
    /// # Errors
    /// `User`, naming the partition, if its values are no time.
    pub(super) fn millis(&self, partition: &str) -> Result<i64> {
        let values = partition_path::values(partition, &self.columns).unwrap_or_default();
        let mut text = match (&self.pattern, values.first()) {
            (Some(pattern), _) => pattern.clone(),
            (None, first) => first.cloned().unwrap_or_default(),
        };
        if self.pattern.is_some() {
            for (column, value) in self.columns.iter().zip(&values) {
                text = text.replace(&format!("${column}"), value);
            }
        }
        let read = match &self.formatter {
            Some(tokens) => read(&text, tokens),
            None => standard(&text),
        };
        let millis = read.and_then(|fields| self.to_millis(&fields.iso()));
        millis.ok_or_else(|| {
            Error::user(format!(
                "table `{}`: partition `{partition}` gives `{text}`, which is no time: set \
                 `{PATTERN}` and `{FORMATTER}`",
                self.table
            ))
        })
    }

    fn to_millis(&self, iso: &str) -> Option<i64> {
        let zone: Arc<str> = self.zone.as_str().into();
        let to = DataType::Timestamp(TimeUnit::Millisecond, Some(zone));
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let array = cast_with_options(&StringArray::from(vec![iso]), &to, &strict).ok()?;
        let millis = array.as_primitive_opt::<TimestampMillisecondType>()?;
        (!millis.is_null(0)).then(|| millis.value(0))
    }
}

/// `GMT+08:00` as `+08:00`.
fn offset(zone: &str) -> String {
    let zone = zone.trim();
    let rest = zone
        .strip_prefix("GMT")
        .or_else(|| zone.strip_prefix("UTC"));
    match rest {
        Some("") => "+00:00".to_owned(),
        Some(rest) if rest.starts_with(['+', '-']) => rest.to_owned(),
        _ => zone.to_owned(),
    }
}

/// A piece of a formatter.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A number of a field, of at least so many digits.
    Field(usize, usize),
    Literal(char),
}

// The fields by their letters.
const LETTERS: &str = "yMdHmsS";

fn tokens(formatter: &str) -> Option<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let (mut quoted, mut last) = (false, None);
    for c in formatter.chars() {
        let previous = last.replace(c);
        if c == '\'' {
            quoted = !quoted;
        } else if quoted || !c.is_ascii_alphabetic() {
            tokens.push(Token::Literal(c));
        } else {
            let field = LETTERS.find(if c == 'u' { 'y' } else { c })?;
            match tokens.last_mut() {
                Some(Token::Field(same, digits)) if *same == field && previous == Some(c) => {
                    *digits += 1;
                }
                _ => tokens.push(Token::Field(field, 1)),
            }
        }
    }
    (!quoted && !tokens.is_empty()).then_some(tokens)
}

/// Year, month, day, hour, minute, second, millisecond.
struct Fields([u32; 7]);

impl Fields {
    fn iso(&self) -> String {
        let [year, month, day, hour, minute, second, millis] = self.0;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}")
    }
}

/// Reads a text by a formatter, all of it.
fn read(text: &str, tokens: &[Token]) -> Option<Fields> {
    let mut fields = Fields([1970, 1, 1, 0, 0, 0, 0]);
    let mut rest = text;
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Literal(c) => rest = rest.strip_prefix(*c)?,
            Token::Field(field, digits) => {
                // One that another follows at once has as many digits as letters.
                let tight = matches!(tokens.get(place + 1), Some(Token::Field(..)));
                let most = if tight { *digits } else { 9 };
                let found = rest.bytes().take(most);
                let found = found.take_while(u8::is_ascii_digit).count();
                if found < *digits {
                    return None;
                }
                let (number, behind) = rest.split_at(found);
                fields.0[*field] = number.parse().ok()?;
                rest = behind;
            }
        }
    }
    rest.is_empty().then_some(fields)
}

/// Reads a timestamp or a date as SQL writes them, also with single digits.
fn standard(text: &str) -> Option<Fields> {
    ["y-M-d H:m:s.S", "y-M-d H:m:s", "y-M-d"]
        .into_iter()
        .find_map(|formatter| read(text.trim(), &tokens(formatter)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::table;

    const HOUR_MS: i64 = 3_600_000;

    fn time(columns: &[&str], options: &[(&str, &str)]) -> Result<PartitionTime> {
        let mut table = table(Vec::new(), options);
        table.partition_keys = columns.iter().map(|&column| column.to_owned()).collect();
        PartitionTime::new(&table)
    }

    #[test]
    fn the_first_column_names_a_day_or_a_second() {
        let time = time(&["day", "hour"], &[]).unwrap();
        let millis = |partition| time.millis(partition).unwrap();
        assert_eq!(millis("day=1970-01-02/hour=7"), 24 * HOUR_MS);
        assert_eq!(millis("day=1970-1-2/hour=7"), 24 * HOUR_MS);
        assert_eq!(millis("day=1970-01-01 01%3A00%3A01/hour=7"), HOUR_MS + 1000);
        let error = time.millis("day=__DEFAULT_PARTITION__/hour=7").unwrap_err();
        let expected = "partition `day=__DEFAULT_PARTITION__/hour=7` gives \
                        `__DEFAULT_PARTITION__`, which is no time";
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn a_pattern_puts_columns_together_and_a_formatter_reads_them() {
        let hours = [(PATTERN, "$day $hour:00:00")];
        let hours = time(&["day", "hour"], &hours).unwrap();
        assert_eq!(hours.millis("day=1970-01-01/hour=7").unwrap(), 7 * HOUR_MS);
        let tight = [(PATTERN, "$day$hour"), (FORMATTER, "yyyyMMdd'T'HH")];
        let tight = time(&["day", "hour"], &tight).unwrap();
        let millis = tight.millis("day=19700102T/hour=01").unwrap();
        assert_eq!(millis, 25 * HOUR_MS);
        assert!(tight.millis("day=19700102T/hour=1").is_err());
    }

    #[test]
    fn times_are_those_of_the_time_zone() {
        for zone in ["+08:00", "GMT+08:00"] {
            let east = time(&["day"], &[(ZONE, zone)]).unwrap();
            assert_eq!(east.millis("day=1970-01-02").unwrap(), 16 * HOUR_MS);
        }
    }

    #[test]
    fn wrong_options_are_named() {
        for (key, value) in [
            (KIND, "custom"),
            (CLASS, "org.Mine"),
            (FORMATTER, "yyyy-QQ"),
            (FORMATTER, "yyyy'T"),
            (ZONE, "Nowhere/Land"),
        ] {
            let error = time(&["day"], &[(key, value)]).err().unwrap().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
