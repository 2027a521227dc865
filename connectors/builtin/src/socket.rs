//! `socket`: the records that a server sends over TCP, until it closes the connection.
//!
//! What is read cannot be asked for again: after a failure the job goes on with what the server
//! sends next. One instance reads; the others end at once. Records end with a newline unless
//! `byte-delimiter` names another byte, in which case newlines inside records become spaces.

mod connection;
mod source;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use thalweg_columnar::connector::{ConnectorOption, ScanRequest, TableConnector, TableSpec};
use thalweg_core::error::Result;
use thalweg_core::source::SourceFactory;

use crate::options::option;

const OPTIONS: &[ConnectorOption] = &[
    option("hostname", "The server.", ""),
    option("port", "Its port.", ""),
    option("format", "csv, json or raw.", ""),
    option(
        "byte-delimiter",
        "The byte that ends a record, as a number.",
        "10",
    ),
    option("csv.*", "Options of the csv format.", ""),
    option("json.*", "Options of the json format.", ""),
    option("raw.*", "Options of the raw format.", ""),
];

/// The connector.
pub struct Socket;

impl TableConnector for Socket {
    fn identifier(&self) -> &'static str {
        "socket"
    }

    fn options(&self) -> &'static [ConnectorOption] {
        OPTIONS
    }

    fn source(&self, table: &TableSpec, scan: &ScanRequest) -> Result<Arc<dyn SourceFactory>> {
        Ok(Arc::new(source::SocketSource::new(table, scan)?))
    }
}
