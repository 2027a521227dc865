//! A batch of rows in columns.

mod wire;

use std::any::Any;
use std::sync::OnceLock;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::{FieldRef, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use thalweg_core::container::{Container, Payload};
use thalweg_core::error::Result;

use crate::arrow_error;
use crate::column::BatchColumn;
use crate::row_kind::RowKind;

/// Rows in columns. Without kinds, every row is an insertion.
#[derive(Clone, Debug)]
pub struct ColumnBatch {
    content: Content,
    kinds: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Content {
    Dense(RecordBatch),
    Deferred(Box<Deferred>),
}

/// Columns of which some are filtered when they are read.
#[derive(Clone, Debug)]
struct Deferred {
    // INVARIANT: the columns have the schema's types and `rows` rows.
    schema: SchemaRef,
    columns: Vec<BatchColumn>,
    rows: usize,
    dense: OnceLock<RecordBatch>,
}

impl Deferred {
    fn records(&self) -> &RecordBatch {
        self.dense.get_or_init(|| {
            let columns = self.columns.iter().map(|column| column.dense().clone());
            let records = record_batch(&self.schema, columns.collect(), self.rows);
            match records {
                Ok(records) => records,
                Err(error) => panic!("columns were checked against their schema: {error}"),
            }
        })
    }
}

fn record_batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(arrow_error)
}

impl ColumnBatch {
    /// Insertions.
    pub fn insertions(records: RecordBatch) -> Self {
        ColumnBatch {
            content: Content::Dense(records),
            kinds: None,
        }
    }

    /// Rows with kinds, one each. Kinds that are all `+I` are dropped.
    ///
    /// # Panics
    /// If there are not as many kinds as rows.
    pub fn changelog(records: RecordBatch, kinds: Vec<u8>) -> Self {
        assert_eq!(records.num_rows(), kinds.len(), "one kind a row");
        ColumnBatch {
            content: Content::Dense(records),
            kinds: only_changes(kinds),
        }
    }

    /// Columns of which some may be filtered later, and kinds if not all rows are insertions.
    ///
    /// # Errors
    /// `User` if a column is not what the schema says.
    ///
    /// # Panics
    /// If there are not as many kinds as rows.
    pub fn from_columns(
        schema: &SchemaRef,
        columns: Vec<BatchColumn>,
        rows: usize,
        kinds: Option<Vec<u8>>,
    ) -> Result<Self> {
        if let Some(kinds) = &kinds {
            assert_eq!(rows, kinds.len(), "one kind a row");
        }
        let checked = |(column, field): (&BatchColumn, &FieldRef)| {
            column.data_type() == field.data_type()
                && (field.is_nullable() || !column.may_be_null())
        };
        let fits = columns.iter().zip(schema.fields()).all(checked);
        let deferred = fits
            && columns.len() == schema.fields().len()
            && columns.iter().any(|column| !column.is_dense());
        let content = if deferred {
            Content::Deferred(Box::new(Deferred {
                schema: schema.clone(),
                columns,
                rows,
                dense: OnceLock::new(),
            }))
        } else {
            let columns = columns.iter().map(|column| column.dense().clone());
            Content::Dense(record_batch(schema, columns.collect(), rows)?)
        };
        Ok(ColumnBatch {
            content,
            kinds: kinds.and_then(only_changes),
        })
    }

    /// All columns, filtered.
    pub fn records(&self) -> &RecordBatch {
        match &self.content {
            Content::Dense(records) => records,
            Content::Deferred(deferred) => deferred.records(),
        }
    }

    /// One column.
    pub fn column(&self, position: usize) -> BatchColumn {
        match &self.content {
            Content::Dense(records) => BatchColumn::new(records.column(position).clone()),
            Content::Deferred(deferred) => deferred.columns[position].clone(),
        }
    }

    /// Columns and kinds.
    pub fn into_parts(self) -> (RecordBatch, Option<Vec<u8>>) {
        match self.content {
            Content::Dense(records) => (records, self.kinds),
            Content::Deferred(deferred) => (deferred.records().clone(), self.kinds),
        }
    }

    /// Kinds as numbers; `None` if all rows are insertions.
    pub fn kinds(&self) -> Option<&[u8]> {
        self.kinds.as_deref()
    }

    /// The kind of a row.
    pub fn kind(&self, row: usize) -> RowKind {
        self.kinds
            .as_ref()
            .map_or(RowKind::Insert, |kinds| RowKind::from_u8(kinds[row]))
    }

    /// The schema.
    pub fn schema(&self) -> SchemaRef {
        match &self.content {
            Content::Dense(records) => records.schema(),
            Content::Deferred(deferred) => deferred.schema.clone(),
        }
    }

    /// How many rows.
    pub fn num_rows(&self) -> usize {
        match &self.content {
            Content::Dense(records) => records.num_rows(),
            Content::Deferred(deferred) => deferred.rows,
        }
    }

    /// The same kinds with other columns.
    ///
    /// # Panics
    /// If the number of rows differs.
    #[must_use]
    pub fn with_records(self, records: RecordBatch) -> Self {
        assert_eq!(records.num_rows(), self.num_rows(), "one kind a row");
        ColumnBatch {
            content: Content::Dense(records),
            kinds: self.kinds,
        }
    }

    /// The rows with the given numbers, in that order.
    ///
    /// # Errors
    /// `User` if a column cannot be taken from.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self> {
        let records = take_record_batch(self.records(), rows).map_err(arrow_error)?;
        let kinds = self.kinds.as_ref().map(|kinds| {
            rows.values()
                .iter()
                .map(|row| kinds[*row as usize])
                .collect()
        });
        Ok(ColumnBatch {
            content: Content::Dense(records),
            kinds,
        })
    }

    /// Rows `offset..offset + len`, sharing the data.
    #[must_use]
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        ColumnBatch {
            content: Content::Dense(self.records().slice(offset, len)),
            kinds: self
                .kinds
                .as_ref()
                .map(|kinds| kinds[offset..offset + len].to_vec()),
        }
    }

    fn append(self, other: ColumnBatch) -> Result<Self> {
        let kinds = (self.kinds.is_some() || other.kinds.is_some()).then(|| {
            let (rows, more) = (self.num_rows(), other.num_rows());
            let mut kinds = self.kinds.clone().unwrap_or_else(|| vec![0; rows]);
            kinds.extend(other.kinds.clone().unwrap_or_else(|| vec![0; more]));
            kinds
        });
        let parts = [self.records(), other.records()];
        let records = concat_batches(&self.schema(), parts).map_err(arrow_error)?;
        Ok(ColumnBatch {
            content: Content::Dense(records),
            kinds,
        })
    }
}

fn only_changes(kinds: Vec<u8>) -> Option<Vec<u8>> {
    kinds.iter().any(|kind| *kind != 0).then_some(kinds)
}

impl Container for ColumnBatch {
    fn len(&self) -> usize {
        self.num_rows()
    }

    fn byte_size(&self) -> usize {
        self.records().get_array_memory_size() + self.kinds.as_ref().map_or(0, Vec::len)
    }

    fn boxed_clone(&self) -> Payload {
        Box::new(self.clone())
    }

    fn scatter(
        self: Box<Self>,
        targets: &[u32],
        _: Option<&[u64]>,
        channels: &mut [Option<Payload>],
    ) {
        assert_eq!(targets.len(), self.len(), "one target a row");
        let mut rows: Vec<Vec<u32>> = channels.iter().map(|_| Vec::new()).collect();
        for (row, target) in targets.iter().enumerate() {
            rows[*target as usize].push(row as u32);
        }
        for (rows, channel) in rows.into_iter().zip(channels) {
            if rows.is_empty() {
                continue;
            }
            // Row numbers are in range and all columns of one schema concatenate.
            let part = self.take(&UInt32Array::from(rows));
            let open = channel
                .take()
                .map(|open| open.into_any().downcast::<ColumnBatch>());
            let joined = match open {
                Some(Ok(open)) => part.and_then(|part| open.append(part)),
                _ => part,
            };
            match joined {
                Ok(batch) => *channel = Some(Box::new(batch)),
                Err(error) => panic!("batches of one channel do not fit together: {error}"),
            }
        }
    }

    fn split(self: Box<Self>, len_max: usize) -> Vec<Payload> {
        let starts = (0..self.len()).step_by(len_max.max(1));
        starts
            .map(|start| {
                let len = len_max.min(self.len() - start);
                Box::new(self.slice(start, len)) as Payload
            })
            .collect()
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        wire::encode(self, out)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn type_name(&self) -> &'static str {
        "ColumnBatch"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Selection;
    use arrow_array::{BooleanArray, Int64Array};
    use std::sync::Arc;

    fn batch(values: &[i64], kinds: &[u8]) -> ColumnBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        let records = RecordBatch::try_from_iter([("a", column)]).unwrap();
        ColumnBatch::changelog(records, kinds.to_vec())
    }

    fn values(payload: Payload) -> (Vec<i64>, Vec<u8>) {
        let batch = payload.into_any().downcast::<ColumnBatch>().unwrap();
        let column = batch
            .records()
            .column(0)
            .as_any()
            .downcast_ref::<Int64Array>()
            .unwrap();
        (
            column.values().to_vec(),
            batch.kinds().map_or(vec![], <[u8]>::to_vec),
        )
    }

    #[test]
    fn scatter_keeps_kinds_with_their_rows_and_appends_to_open_batches() {
        let mut channels: Vec<Option<Payload>> = vec![None, None];
        Box::new(batch(&[1, 2, 3], &[0, 1, 2])).scatter(&[0, 1, 1], None, &mut channels);
        Box::new(batch(&[4], &[0])).scatter(&[1], None, &mut channels);
        assert_eq!(values(channels[0].take().unwrap()), (vec![1], vec![0]));
        assert_eq!(
            values(channels[1].take().unwrap()),
            (vec![2, 3, 4], vec![1, 2, 0])
        );
    }

    #[test]
    fn a_deferred_column_reads_as_if_it_had_been_filtered() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let schema = batch(&[1], &[0]).schema();
        let mask = BooleanArray::from(vec![true, false, true]);
        let selected = BatchColumn::new(column).select(&Arc::new(Selection::new(mask)));
        let kinds = Some(vec![1, 2]);
        let rows = ColumnBatch::from_columns(&schema, vec![selected], 2, kinds).unwrap();
        assert_eq!(rows.num_rows(), 2);
        assert_eq!(values(Box::new(rows.slice(1, 1))), (vec![3], vec![2]));
        assert_eq!(values(Box::new(rows)), (vec![1, 3], vec![1, 2]));
    }

    #[test]
    fn a_column_of_another_type_is_refused_even_if_it_is_not_read() {
        let schema = batch(&[1], &[0]).schema();
        let column: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        let mask = BooleanArray::from(vec![true, false]);
        let selected = BatchColumn::new(column).select(&Arc::new(Selection::new(mask)));
        assert!(ColumnBatch::from_columns(&schema, vec![selected], 1, None).is_err());
    }
}
