//! `filesystem`: tables of files.
//!
//! Reading: `path` names a file, a directory (with its sub-directories) or a glob; files whose
//! names begin with `.` or `_` are passed over; `.gz` and `.zst` files are decompressed. Writing:
//! each instance writes a hidden file and gives it its visible name when it is whole.

mod buffer;
mod files;
mod sink;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use thalweg_columnar::connector::{ConnectorOption, ScanRequest, TableConnector, TableSpec};
use thalweg_core::error::Result;
use thalweg_core::sink::SinkFactory;
use thalweg_core::source::SourceFactory;

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

    fn prunes_fields(&self, table: &TableSpec) -> bool {
        // The fields of a JSON object have names.
        table.options.get("format").map(String::as_str) == Some("json")
    }

    fn source(&self, table: &TableSpec, scan: &ScanRequest) -> Result<Arc<dyn SourceFactory>> {
        Ok(Arc::new(source::FileSource::new(table, scan)?))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn SinkFactory>> {
        Ok(Arc::new(sink::FileSink::new(table)?))
    }
}
