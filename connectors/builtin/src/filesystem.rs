//! `filesystem`: tables of files.
//!
//! Reading: `path` names a file, a directory (with its sub-directories) or a glob; files whose
//! names begin with `.` or `_` are passed over; `.gz` and `.zst` files are decompressed. Writing:
//! each instance writes a hidden file and gives it its visible name when it is whole. The columns
//! of `PARTITIONED BY` are in directories, not in files.

mod buffer;
mod files;
mod partition_columns;
mod partition_path;
mod sink;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use thalweg_columnar::connector::{ConnectorOption, ScanRequest, TableConnector, TableSpec};
use thalweg_core::error::Result;
use thalweg_core::sink::SinkFactory;
use thalweg_core::source::SourceFactory;

use self::sink::SINK_OPTIONS;
use crate::options::option;

const FORMAT_OPTIONS: [ConnectorOption; 6] = [
    option("path", "A file, a directory or a glob.", ""),
    option("format", "csv, json, raw or parquet.", ""),
    option("csv.*", "Options of the csv format.", ""),
    option("json.*", "Options of the json format.", ""),
    option("raw.*", "Options of the raw format.", ""),
    option("parquet.*", "Options of the parquet format.", ""),
];

static OPTIONS: [ConnectorOption; FORMAT_OPTIONS.len() + SINK_OPTIONS.len()] = {
    let mut all = [FORMAT_OPTIONS[0]; FORMAT_OPTIONS.len() + SINK_OPTIONS.len()];
    let mut place = 0;
    while place < all.len() {
        all[place] = if place < FORMAT_OPTIONS.len() {
            FORMAT_OPTIONS[place]
        } else {
            SINK_OPTIONS[place - FORMAT_OPTIONS.len()]
        };
        place += 1;
    }
    all
};

/// The connector.
pub struct FileSystem;

impl TableConnector for FileSystem {
    fn identifier(&self) -> &'static str {
        "filesystem"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        &OPTIONS
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
