//! Partition columns of files that are read: each file has one value of each.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::DataType;
use arrow_schema::SchemaRef;
use thalweg_columnar::connector::TableSpec;
use thalweg_core::error::{Error, Result};

use super::partition_path::{self, Layout};

/// Where a column of the output comes from.
#[derive(Clone, Copy)]
enum Column {
    /// What was read, by position.
    File(usize),
    /// The directory, by the position in `PARTITIONED BY`.
    Partition(usize),
}

/// Adds the partition columns to what is read.
#[derive(Clone)]
pub struct PartitionColumns {
    table: String,
    names: Vec<String>,
    default_name: String,
    in_files: SchemaRef,
    projection: Vec<usize>,
    columns: Vec<Column>,
    output: SchemaRef,
    /// The values of a file, one row each.
    latest: Option<(String, Vec<ArrayRef>)>,
}

impl PartitionColumns {
    /// For a scan of the columns `projection` of a table, if the table is partitioned.
    ///
    /// # Errors
    /// `User` for columns that cannot be partition columns.
    pub fn new(table: &TableSpec, projection: &[usize]) -> Result<Option<Self>> {
        if table.partition_keys.is_empty() {
            return Ok(None);
        }
        let layout = Layout::new(table)?;
        let mut read = Vec::new();
        let mut columns = Vec::with_capacity(projection.len());
        for column in projection {
            if let Some(key) = layout.keys.iter().position(|key| key == column) {
                columns.push(Column::Partition(key));
            } else if let Some(place) = layout.rest.iter().position(|rest| rest == column) {
                columns.push(Column::File(read.len()));
                read.push(place);
            }
        }
        if read.is_empty() {
            // Something must be read to know how many rows there are.
            read.push(0);
        }
        let output = table.schema.project(projection).map_err(internal)?;
        Ok(Some(PartitionColumns {
            table: table.name.clone(),
            names: table.partition_keys.clone(),
            default_name: partition_path::default_name(table),
            in_files: layout.in_files(&table.schema)?,
            projection: read,
            columns,
            output: Arc::new(output),
            latest: None,
        }))
    }

    /// The columns in files, and those of them that are read.
    pub fn in_files(&self) -> (SchemaRef, Vec<usize>) {
        (self.in_files.clone(), self.projection.clone())
    }

    /// The rows of a file with their partition columns.
    ///
    /// # Errors
    /// `User`, naming the file, if it lies in no partition or a value has another type.
    pub fn add(&mut self, rows: &RecordBatch, path: &str) -> Result<RecordBatch> {
        if self
            .latest
            .as_ref()
            .is_none_or(|(latest, _)| latest != path)
        {
            self.latest = Some((path.to_owned(), self.values(path)?));
        }
        let values = self.latest.as_ref().map_or(&[][..], |(_, values)| values);
        let first = UInt32Array::from(vec![0; rows.num_rows()]);
        let column = |column: &Column| match *column {
            Column::File(place) => Ok(rows.column(place).clone()),
            Column::Partition(key) => take(&values[key], &first, None).map_err(internal),
        };
        let columns: Result<Vec<ArrayRef>> = self.columns.iter().map(column).collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.output.clone(), columns?, &options).map_err(internal)
    }

    /// The values of the partition columns, one row each; those that the scan leaves out as well.
    fn values(&self, path: &str) -> Result<Vec<ArrayRef>> {
        let directories = Path::new(path).parent().unwrap_or(Path::new(""));
        let directories = directories.to_string_lossy();
        let Some(values) = partition_path::values(&directories, &self.names) else {
            let names = self.names.join("=…/");
            return Err(Error::user(format!(
                "table `{}`: `{path}` lies in no directory `{names}=…`",
                self.table
            )));
        };
        let mut arrays = Vec::with_capacity(values.len());
        for (key, value) in values.iter().enumerate() {
            let column = self
                .columns
                .iter()
                .position(|column| matches!(column, Column::Partition(other) if *other == key));
            let data_type = match column {
                Some(column) => self.output.field(column).data_type().clone(),
                None => DataType::Null,
            };
            arrays.push(self.value(path, key, value, &data_type)?);
        }
        Ok(arrays)
    }

    fn value(&self, path: &str, key: usize, value: &str, to: &DataType) -> Result<ArrayRef> {
        if *to == DataType::Null || value == self.default_name {
            return Ok(new_null_array(to, 1));
        }
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let text = StringArray::from(vec![value]);
        cast_with_options(&text, to, &strict).map_err(|_| {
            Error::user(format!(
                "table `{}`: partition column `{}` of `{path}`: `{value}` is no {to}",
                self.table, self.names[key]
            ))
        })
    }
}

fn internal(error: arrow_schema::ArrowError) -> Error {
    Error::internal(format!("partition columns cannot be added: {error}"))
}
