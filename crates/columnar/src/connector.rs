//! The contract between a table and the outside system it stands for.
//!
//! A connector turns a table's declaration into a source of column batches or a sink for them. It
//! knows options and bytes; it knows nothing of SQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{FieldRef, SchemaRef};
use thalweg_core::error::{Error, Result};
use thalweg_core::sink::SinkFactory;
use thalweg_core::source::SourceFactory;

/// A table as its `CREATE TABLE` declares it, without computed columns.
#[derive(Clone, Debug)]
pub struct TableSpec {
    /// The table's name, for messages.
    pub name: String,
    /// The physical columns.
    pub schema: SchemaRef,
    /// The metadata columns: the connector's key and the declared field.
    pub metadata: Vec<(String, FieldRef)>,
    /// The `WITH` options, without `connector`.
    pub options: BTreeMap<String, String>,
    /// The primary key's columns.
    pub primary_key: Vec<String>,
    /// The partition columns.
    pub partition_keys: Vec<String>,
}

/// What a scan asks for.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// Positions in [`TableSpec::schema`] of the columns to produce, in output order.
    pub projection: Vec<usize>,
    /// Positions in [`TableSpec::metadata`] to produce behind them.
    pub metadata: Vec<usize>,
    /// Rows of a batch, at most.
    pub batch_rows: usize,
}

/// An option of a connector.
#[derive(Clone, Copy, Debug)]
pub struct ConnectorOption {
    /// Its key; one that ends in `*` stands for a prefix.
    pub key: &'static str,
    /// What a reader should know.
    pub doc: &'static str,
    /// The default as text; empty if there is none.
    pub default: &'static str,
}

/// Makes sources and sinks for tables with `'connector' = '<identifier>'`.
pub trait TableConnector: Send + Sync {
    /// The value of the `connector` option.
    fn identifier(&self) -> &'static str;

    /// All options the connector knows. Others are refused before it is asked for anything.
    fn options(&self) -> &'static [ConnectorOption];

    /// The metadata keys it can produce.
    fn metadata_keys(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a source of the table may be declared with fewer fields in its `ROW` columns than
    /// its outside form has, because fields are found by name: then a query that reads some fields
    /// of a `ROW` gets a source of only those.
    fn prunes_fields(&self, _table: &TableSpec) -> bool {
        false
    }

    /// A source. Its batches hold the requested columns, then the requested metadata.
    ///
    /// # Errors
    /// `User` for wrong options; `Unsupported` if the connector cannot be read from.
    fn source(&self, table: &TableSpec, _scan: &ScanRequest) -> Result<Arc<dyn SourceFactory>> {
        Err(Error::unsupported(format!(
            "table `{}`: connector `{}` cannot be read from",
            table.name,
            self.identifier()
        )))
    }

    /// A sink. It gets batches with all physical columns.
    ///
    /// # Errors
    /// `User` for wrong options; `Unsupported` if the connector cannot be written to.
    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn SinkFactory>> {
        Err(Error::unsupported(format!(
            "table `{}`: connector `{}` cannot be written to",
            table.name,
            self.identifier()
        )))
    }

    /// How many instances a sink of the table has; as many as the stream in front of it if this is
    /// `None`. Asked of connectors with the option `sink.parallelism`.
    ///
    /// # Errors
    /// `User` for a value that is no number from 1.
    fn sink_parallelism(&self, table: &TableSpec) -> Result<Option<u32>> {
        let Some(text) = table.options.get("sink.parallelism") else {
            return Ok(None);
        };
        match text.trim().parse() {
            Ok(instances) if instances > 0 => Ok(Some(instances)),
            _ => Err(Error::user(format!(
                "table `{}`: option `sink.parallelism` is `{text}`, but must be a number from 1",
                table.name
            ))),
        }
    }

    /// Whether the sink takes updates and deletions; if not, only insertions may be written.
    fn accepts_updates(&self) -> bool {
        false
    }
}
