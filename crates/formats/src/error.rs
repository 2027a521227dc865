//! The one error of this crate: what is wrong, and where in which file.
//!
//! A bad byte in a file of gigabytes is only useful to its owner with a place, so every fault of
//! data carries file, line, column and field as far as they are known. Failover reads the kind
//! and never the text.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// What the caller can do about a [`FormatError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FormatErrorKind {
    /// An option or a schema is wrong: the author of the table must change it.
    User,
    /// The bytes do not hold what the schema says; reading them again cannot help.
    Corrupt,
    /// The format exists, but not this type or variant of it.
    Unsupported,
    /// Reading or writing the bytes failed; trying again may help.
    Retryable,
    /// An invariant of this crate is broken: a defect.
    Internal,
}

/// Why a format could not be set up, or bytes not be decoded or encoded.
///
/// Its text is `file:line:column: field `name`: message`, with the parts that are known.
pub struct FormatError(Box<Detail>);

struct Detail {
    kind: FormatErrorKind,
    message: String,
    file: Option<Arc<str>>,
    line: Option<u64>,
    column: Option<u64>,
    field: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl FormatError {
    /// An error of `kind` that says `message`, with no place yet.
    pub fn new(kind: FormatErrorKind, message: impl Into<String>) -> Self {
        FormatError(Box::new(Detail {
            kind,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            field: None,
            source: None,
        }))
    }

    /// The same error with the field it is about.
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// The same error with the file it is about.
    pub fn with_file(mut self, file: Arc<str>) -> Self {
        self.0.file = Some(file);
        self
    }

    /// The same error with its line and column, both counted from 1; the column counts bytes.
    pub fn with_position(mut self, line: u64, column: u64) -> Self {
        self.0.line = Some(line);
        self.0.column = Some(column);
        self
    }

    /// The same error with its cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> FormatErrorKind {
        self.0.kind
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file, if one is known.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The line in the file, from 1.
    pub fn line(&self) -> Option<u64> {
        self.0.line
    }

    /// The byte in the line, from 1.
    pub fn column(&self) -> Option<u64> {
        self.0.column
    }

    /// The field; one inside a ROW as `outer.inner`.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    pub(crate) fn user(message: impl Into<String>) -> Self {
        Self::new(FormatErrorKind::User, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(FormatErrorKind::Corrupt, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(FormatErrorKind::Unsupported, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(FormatErrorKind::Internal, message)
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Detail {
            message,
            file,
            line,
            column,
            field,
            ..
        } = &*self.0;
        match (file, line, column) {
            (Some(file), Some(line), Some(column)) => write!(f, "{file}:{line}:{column}: ")?,
            (Some(file), _, _) => write!(f, "{file}: ")?,
            (None, Some(line), Some(column)) => write!(f, "line {line}, column {column}: ")?,
            _ => {}
        }
        if let Some(field) = field {
            write!(f, "field `{field}`: ")?;
        }
        f.write_str(message)
    }
}

impl fmt::Debug for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormatError({:?}: {self})", self.0.kind)
    }
}

impl Error for FormatError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// A fault inside one record, before its file and line are known.
///
/// One word, because the functions that may return it are called for every value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault(Box<Inside>);

/// What a [`Fault`] says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// The byte of the record, from 0.
    pub at: usize,
    /// The column of the schema, by its place among the builders.
    pub column: Option<usize>,
    pub message: String,
    /// True if only the value is wrong: the record around it is well formed, so that
    /// `ignore-parse-errors` puts NULL in its place and keeps the record.
    pub value_only: bool,
}

impl Fault {
    /// The whole record is unusable.
    #[cold]
    pub fn record(at: usize, message: impl Into<String>) -> Self {
        Fault(Box::new(Inside {
            at,
            column: None,
            message: message.into(),
            value_only: false,
        }))
    }

    /// One value does not fit its column.
    #[cold]
    pub fn value(at: usize, column: usize, message: impl Into<String>) -> Self {
        let message = message.into();
        Fault(Box::new(Inside {
            at,
            column: Some(column),
            message,
            value_only: true,
        }))
    }

    /// A column that its record must have has no value.
    #[cold]
    pub fn absent(at: usize, column: usize, message: &str) -> Self {
        let message = message.to_owned();
        Fault(Box::new(Inside {
            at,
            column: Some(column),
            message,
            value_only: false,
        }))
    }

    /// A column that must not be NULL is.
    #[cold]
    pub fn null(at: usize, column: usize) -> Self {
        Self::absent(at, column, "NULL in a column declared NOT NULL")
    }

    /// The same fault in a record that begins `by` bytes later.
    pub fn moved_back(mut self, by: usize) -> Self {
        self.0.at = self.0.at.saturating_sub(by);
        self
    }

    /// What it says.
    pub fn into_inside(self) -> Inside {
        *self.0
    }

    /// True if only the value is wrong, and not the record around it.
    pub fn value_only(&self) -> bool {
        self.0.value_only
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_begins_with_its_place_and_field() {
        let error = FormatError::corrupt("`x12` is not an INT")
            .with_file("file.csv".into())
            .with_position(17, 23)
            .with_field("dep_delay");
        assert_eq!(
            error.to_string(),
            "file.csv:17:23: field `dep_delay`: `x12` is not an INT"
        );
        assert_eq!(error.kind(), FormatErrorKind::Corrupt);
    }
}
