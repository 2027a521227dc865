//! `filesystem`: tables of files.
//!
//! Reading: `path` names a file, a directory (with its sub-directories) or a glob; files whose
//! names begin with `.` or `_` are passed over; `.gz` and `.zst` files are decompressed. Writing:
//! each instance writes a hidden file and gives it its visible name when it is whole.

mod files;
mod sink;
mod source;

use std::sync::Arc;

use thalweg_columnar::connector::{ConnectorOption, ScanRequest, TableConnector, TableSpec};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::sink::SinkFactory;
use thalweg_core::source::SourceFactory;
use thalweg_formats::{FormatError, FormatErrorKind, FormatOptions};

const OPTIONS: &[ConnectorOption] = &[
    ConnectorOption {
        key: "path",
        doc: "A file, a directory or a glob.",
        default: "",
    },
    ConnectorOption {
        key: "format",
        doc: "csv, json, raw or parquet.",
        default: "",
    },
    ConnectorOption {
        key: "csv.*",
        doc: "Options of the csv format.",
        default: "",
    },
    ConnectorOption {
        key: "json.*",
        doc: "Options of the json format.",
        default: "",
    },
    ConnectorOption {
        key: "raw.*",
        doc: "Options of the raw format.",
        default: "",
    },
    ConnectorOption {
        key: "parquet.*",
        doc: "Options of the parquet format.",
        default: "",
    },
];

/// The connector.
pub struct FileSystem;

impl TableConnector for FileSystem {
    fn identifier(&self) -> &'static str {
        "filesystem"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        OPTIONS
    }

    fn source(&self, table: &TableSpec, scan: &ScanRequest) -> Result<Arc<dyn SourceFactory>> {
        Ok(Arc::new(source::FileSource::new(table, scan)?))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn SinkFactory>> {
        Ok(Arc::new(sink::FileSink::new(table)?))
    }
}

/// A required option.
fn required(table: &TableSpec, key: &str) -> Result<String> {
    table
        .options
        .get(key)
        .cloned()
        .ok_or_else(|| Error::user(format!("table `{}`: option `{key}` is missing", table.name)))
}

/// The options of the table's format.
fn format_options(table: &TableSpec, format: &str) -> FormatOptions {
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
fn format_error(error: FormatError) -> Error {
    let kind = match error.kind() {
        FormatErrorKind::User => ErrorKind::User,
        FormatErrorKind::Unsupported => ErrorKind::Unsupported,
        FormatErrorKind::Internal => ErrorKind::Internal,
        // Corrupt input is the user's data, not our state: an older checkpoint does not help.
        _ => ErrorKind::User,
    };
    Error::new(kind, error.to_string())
}
