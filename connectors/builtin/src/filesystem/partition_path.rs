//! Partitions as directories, `day=2026-01-01/hour=7`, for reading and for writing.

use arrow::datatypes::DataType;
use arrow_schema::SchemaRef;
use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, Result};

/// The value of `partition.default-name` for a table.
pub fn default_name(table: &TableSpec) -> String {
    let set = table.options.get("partition.default-name");
    set.map_or("__DEFAULT_PARTITION__", String::as_str)
        .to_owned()
}

/// Which columns of a table are in directories, and which in files.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The positions of the partition columns, in the order of `PARTITIONED BY`.
    pub keys: Vec<usize>,
    /// The positions of the other columns.
    pub rest: Vec<usize>,
}

impl Layout {
    /// The layout of a table.
    ///
    /// # Errors
    /// `User` for columns that are not there or have no name or type for a directory, and for a
    /// table with no other column.
    pub fn new(table: &TableSpec) -> Result<Self> {
        let wrong =
            |message: String| Err(Error::user(format!("table `{}`: {message}", table.name)));
        let mut keys = Vec::new();
        for name in &table.partition_keys {
            let Ok(key) = table.schema.index_of(name) else {
                return wrong(format!(
                    "partition column `{name}` is no column that is stored"
                ));
            };
            if name.starts_with(['.', '_']) {
                return wrong(format!(
                    "partition column `{name}`: directories with names that begin so are hidden \
                     from readers"
                ));
            }
            let data_type = table.schema.field(key).data_type();
            if !has_directories(data_type) {
                return wrong(format!(
                    "partition column `{name}`: a value of its type names no directory; use a \
                     text, number, boolean, date or timestamp"
                ));
            }
            keys.push(key);
        }
        let columns = 0..table.schema.fields().len();
        let rest: Vec<usize> = columns.filter(|column| !keys.contains(column)).collect();
        if rest.is_empty() {
            return wrong("all columns are partition columns, so that none is in the files".into());
        }
        Ok(Layout { keys, rest })
    }

    /// The columns in files.
    ///
    /// # Errors
    /// `Internal` only.
    pub fn in_files(&self, schema: &SchemaRef) -> Result<SchemaRef> {
        let projected = schema.project(&self.rest);
        projected
            .map(Into::into)
            .map_err(|error| Error::internal(error.to_string()))
    }
}

fn has_directories(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Utf8
                | DataType::Utf8View
                | DataType::LargeUtf8
                | DataType::Boolean
                | DataType::Date32
                | DataType::Decimal128(..)
                | DataType::Timestamp(..)
        )
}

/// Appends the directory of a partition column's value to a path.
pub fn push(path: &mut String, column: &str, value: &str) {
    if !path.is_empty() {
        path.push('/');
    }
    escape(path, column);
    path.push('=');
    escape(path, value);
}

fn escape(path: &mut String, text: &str) {
    for c in text.chars() {
        let special = "\"#%'*/:=?\\{}[]^".contains(c) || c.is_ascii_control();
        if special {
            let code = u32::from(c);
            path.extend(['%', hex(code >> 4), hex(code & 15)]);
        } else {
            path.push(c);
        }
    }
}

fn hex(digit: u32) -> char {
    let digit = char::from_digit(digit, 16).unwrap_or('0');
    digit.to_ascii_uppercase()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = rest.get(1..3).filter(|_| c == '%');
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            None => {
                let (head, tail) = rest.split_at(c.len_utf8());
                bytes.extend_from_slice(head.as_bytes());
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The values that the last directories of a path have for `columns`, in their order; `None` if
/// they do not name these columns.
pub fn values(directories: &str, columns: &[String]) -> Option<Vec<String>> {
    let parts: Vec<&str> = directories
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let last = parts.get(parts.len().checked_sub(columns.len())?..)?;
    let value = |(part, column): (&&str, &String)| {
        let (name, value) = part.split_once('=')?;
        (unescape(name) == *column).then(|| unescape(value))
    };
    last.iter().zip(columns).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_makes_one_directory_and_comes_back() {
        let columns = ["day".to_owned(), "a=b".to_owned()];
        for value in ["2026-01-01", "a/b:c", "100%", "%41", "é\u{1}[x]", ".."] {
            let mut path = String::new();
            push(&mut path, "day", value);
            push(&mut path, "a=b", "7");
            assert_eq!(path.matches('/').count(), 1, "{path}");
            let found = values(&format!("/some/where/{path}"), &columns);
            assert_eq!(found, Some(vec![value.to_owned(), "7".to_owned()]));
        }
        let mut path = String::new();
        push(&mut path, "t", "10:30/%");
        assert_eq!(path, "t=10%3A30%2F%25");
    }

    #[test]
    fn directories_of_other_columns_are_no_partition() {
        let columns = ["day".to_owned()];
        assert_eq!(values("a/day=1", &columns), Some(vec!["1".to_owned()]));
        for other in ["", "a/b", "hour=1", "day=1/hour=2"] {
            assert_eq!(values(other, &columns), None, "{other}");
        }
    }
}
