//! Partitions: a directory for each value of the partition columns, `day=2026-01-01/hour=7`, and a
//! file that says that one is whole.
//!
//! ```text
//!   writers ── files of a barrier, then a mark: which partitions are due ──▶ checkpoint
//!                                                                             │ durable
//!   board  ◀── marks of all instances, each behind its renamed files ◀────────┘
//!     │ due for every instance that wrote to it
//!     ▼
//!   day=2026-01-01/hour=7/_SUCCESS
//! ```

pub(super) mod board;
pub(super) mod options;
pub(super) mod pending;
pub(super) mod time;

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::DataType;
use arrow_schema::SchemaRef;
use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, Result};

use crate::filesystem::partition_path;

/// The partition columns of a table.
pub(super) struct Partitions {
    names: Vec<String>,
    /// The positions of the partition columns.
    keys: Vec<usize>,
    /// The positions of all others, which are written.
    rest: Vec<usize>,
    /// Stands for NULL and the empty text.
    default_name: String,
}

impl Partitions {
    /// Those of a table, if it is partitioned.
    ///
    /// # Errors
    /// `User` for columns that cannot be partition columns.
    pub(super) fn new(table: &TableSpec) -> Result<Option<Self>> {
        if table.partition_keys.is_empty() {
            return Ok(None);
        }
        let layout = partition_path::Layout::new(table)?;
        Ok(Some(Partitions {
            names: table.partition_keys.clone(),
            keys: layout.keys,
            rest: layout.rest,
            default_name: partition_path::default_name(table),
        }))
    }

    /// The columns that are written.
    ///
    /// # Errors
    /// `Internal` only.
    pub(super) fn written_columns(&self, schema: &SchemaRef) -> Result<SchemaRef> {
        let projected = schema.project(&self.rest).map_err(internal)?;
        Ok(projected.into())
    }

    /// The rows of each partition, in their order.
    ///
    /// # Errors
    /// `Internal` only: the types are checked when the sink is made.
    pub(super) fn split(&self, rows: &RecordBatch) -> Result<Vec<(String, RecordBatch)>> {
        let mut values: Vec<StringArray> = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let text = cast(rows.column(*key), &DataType::Utf8).map_err(internal)?;
            values.push(text.as_string::<i32>().clone());
        }
        let mut groups: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let (mut path, mut last) = (String::new(), String::new());
        let mut run: Vec<u32> = Vec::new();
        for row in 0..rows.num_rows() {
            // Rows of one partition often come together.
            if row > 0 && values.iter().all(|values| is_as_before(values, row)) {
                run.push(index(row));
                continue;
            }
            path.clear();
            for (name, values) in self.names.iter().zip(&values) {
                let value = (!values.is_null(row)).then(|| values.value(row));
                let value = value.filter(|value| !value.is_empty());
                partition_path::push(&mut path, name, value.unwrap_or(&self.default_name));
            }
            if !run.is_empty() {
                groups.entry(last.clone()).or_default().append(&mut run);
            }
            last.clone_from(&path);
            run.push(index(row));
        }
        if !run.is_empty() {
            groups.entry(last).or_default().append(&mut run);
        }
        let written = rows.project(&self.rest).map_err(internal)?;
        if groups.len() == 1 {
            return Ok(groups
                .into_keys()
                .map(|path| (path, written.clone()))
                .collect());
        }
        groups
            .into_iter()
            .map(|(path, rows)| {
                let rows = take_record_batch(&written, &UInt32Array::from(rows));
                rows.map(|rows| (path, rows)).map_err(internal)
            })
            .collect()
    }
}

fn is_as_before(values: &StringArray, row: usize) -> bool {
    let is_null = values.is_null(row);
    is_null == values.is_null(row - 1) && (is_null || values.value(row) == values.value(row - 1))
}

fn index(row: usize) -> u32 {
    // Arrow's batches are addressed by 32 bits when rows are taken.
    u32::try_from(row).unwrap_or(u32::MAX)
}

fn internal(error: arrow_schema::ArrowError) -> Error {
    Error::internal(format!("rows cannot be dealt out to partitions: {error}"))
}
