//! Reads row groups of a Parquet file.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::{fit, option_reader};
use crate::error::{FormatError, FormatErrorKind};
use crate::options::FormatOptions;
use crate::project;

/// A row group of a file: what a split may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowGroup {
    /// Its rows.
    pub rows: u64,
    /// Its bytes in the file, compressed.
    pub bytes: u64,
}

/// The part of a file to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadScope {
    /// The row groups, by their place in the file; all if `None`.
    pub row_groups: Option<Range<usize>>,
    /// Rows at the head of these row groups to pass over: where an earlier reader stopped.
    pub skip_rows: u64,
}

/// The row groups of the file at `path`, in its order.
///
/// # Errors
/// `Retryable` if the file cannot be read, `Corrupt` if it is not a Parquet file.
pub fn row_groups(path: &Path) -> Result<Vec<RowGroup>, FormatError> {
    let name: Arc<str> = path.to_string_lossy().into();
    let builder = open(path, &name)?;
    // Sizes of a readable file are not negative.
    let groups = builder
        .metadata()
        .row_groups()
        .iter()
        .map(|group| RowGroup {
            rows: u64::try_from(group.num_rows()).unwrap_or(0),
            bytes: u64::try_from(group.compressed_size()).unwrap_or(0),
        });
    Ok(groups.collect())
}

fn open(
    path: &Path,
    name: &Arc<str>,
) -> Result<ParquetRecordBatchReaderBuilder<File>, FormatError> {
    let file = File::open(path).map_err(|error| {
        FormatError::new(FormatErrorKind::Retryable, "the file cannot be opened")
            .with_file(Arc::clone(name))
            .with_source(error)
    })?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| broken(name, error))
}

fn broken(name: &Arc<str>, error: ParquetError) -> FormatError {
    FormatError::corrupt(format!("the Parquet file cannot be read: {error}"))
        .with_file(Arc::clone(name))
        .with_source(error)
}

/// Yields the rows of a file as batches of a declared schema.
///
/// Columns are found by name and cast to their declared type; a column the file does not have is
/// an error, and so is a value that does not fit.
pub struct ParquetReader {
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
    file: Arc<str>,
    /// Rows yielded and passed over so far.
    position: u64,
}

impl ParquetReader {
    /// A reader of `scope` of the file at `path`, whose declared columns are `schema`.
    ///
    /// With a `projection` the batches hold only these columns of `schema`, in this order, and
    /// only these are read. A batch has at most `batch_rows` rows.
    ///
    /// # Errors
    /// `User` for a wrong option; `Retryable` if the file cannot be opened; `Corrupt` if it is not
    /// Parquet or a column is missing.
    pub fn open(
        path: &Path,
        options: &FormatOptions,
        schema: &SchemaRef,
        projection: Option<&[usize]>,
        batch_rows: usize,
        scope: &ReadScope,
    ) -> Result<ParquetReader, FormatError> {
        let batch_rows = option_reader(options)?.count("batch-size", batch_rows.max(1))?;
        let schema = project(schema, projection)?;
        let file: Arc<str> = path.to_string_lossy().into();
        let builder = open(path, &file)?;
        let mut roots = Vec::new();
        for field in schema.fields() {
            let Ok(root) = builder.schema().index_of(field.name()) else {
                let names: Vec<&str> = builder
                    .schema()
                    .fields()
                    .iter()
                    .map(|other| other.name().as_str())
                    .collect();
                return Err(fit::missing(field.name(), &names).with_file(file));
            };
            roots.push(root);
        }
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let groups = builder.metadata().num_row_groups();
        let wanted = scope.row_groups.clone().unwrap_or(0..groups);
        let wanted: Vec<usize> = wanted.filter(|group| *group < groups).collect();
        let skip = usize::try_from(scope.skip_rows).unwrap_or(usize::MAX);
        let reader = builder
            .with_batch_size(batch_rows)
            .with_projection(mask)
            .with_row_groups(wanted)
            .with_offset(skip)
            .build()
            .map_err(|error| broken(&file, error))?;
        Ok(ParquetReader {
            reader,
            schema,
            file,
            position: scope.skip_rows,
        })
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows of the scope yielded and passed over: the `skip_rows` of a reader that goes on here.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn fit(&self, batch: &RecordBatch) -> Result<RecordBatch, FormatError> {
        let columns = self.schema.fields().iter().map(|field| {
            let column = batch.column_by_name(field.name());
            let column = column.ok_or_else(|| fit::missing(field.name(), &[]))?;
            fit::fit(column, field, field.name())
        });
        let columns = columns.collect::<Result<Vec<_>, FormatError>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| FormatError::internal("columns do not fit").with_source(error))
    }
}

impl Iterator for ParquetReader {
    type Item = Result<RecordBatch, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.reader.next()? {
            Ok(batch) => batch,
            Err(error) => {
                let message = format!("the Parquet file cannot be read: {error}");
                let error = FormatError::corrupt(message).with_source(error);
                return Some(Err(error.with_file(Arc::clone(&self.file))));
            }
        };
        self.position += batch.num_rows() as u64;
        Some(
            self.fit(&batch)
                .map_err(|error| error.with_file(Arc::clone(&self.file))),
        )
    }
}
