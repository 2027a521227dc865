//! A batch of rows in columns.

use std::any::Any;

use arrow_array::{Array, BooleanArray, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use arrow_select::filter::FilterBuilder;
use arrow_select::take::take_record_batch;
use thalweg_core::container::{Container, Payload};
use thalweg_core::error::Result;

use crate::arrow_error;
use crate::row_kind::RowKind;

/// Rows in columns. Without kinds, every row is an insertion.
#[derive(Clone, Debug)]
pub struct ColumnBatch {
    records: RecordBatch,
    kinds: Option<Vec<u8>>,
}

impl ColumnBatch {
    /// Insertions.
    pub fn insertions(records: RecordBatch) -> Self {
        ColumnBatch {
            records,
            kinds: None,
        }
    }

    /// Rows with kinds, one each. Kinds that are all `+I` are dropped.
    ///
    /// # Panics
    /// If there are not as many kinds as rows.
    pub fn changelog(records: RecordBatch, kinds: Vec<u8>) -> Self {
        assert_eq!(records.num_rows(), kinds.len(), "one kind a row");
        let kinds = kinds.iter().any(|kind| *kind != 0).then_some(kinds);
        ColumnBatch { records, kinds }
    }

    /// The columns.
    pub fn records(&self) -> &RecordBatch {
        &self.records
    }

    /// Columns and kinds.
    pub fn into_parts(self) -> (RecordBatch, Option<Vec<u8>>) {
        (self.records, self.kinds)
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
        self.records.schema()
    }

    /// How many rows.
    pub fn num_rows(&self) -> usize {
        self.records.num_rows()
    }

    /// The same kinds with other columns.
    ///
    /// # Panics
    /// If the number of rows differs.
    #[must_use]
    pub fn with_records(self, records: RecordBatch) -> Self {
        assert_eq!(
            records.num_rows(),
            self.records.num_rows(),
            "one kind a row"
        );
        ColumnBatch {
            records,
            kinds: self.kinds,
        }
    }

    /// The rows where `mask` is true.
    ///
    /// # Errors
    /// `User` if a column cannot be filtered.
    pub fn filter(self, mask: &BooleanArray) -> Result<Self> {
        if mask.true_count() == mask.len() {
            return Ok(self);
        }
        let filter = FilterBuilder::new(mask).optimize().build();
        let records = filter
            .filter_record_batch(&self.records)
            .map_err(arrow_error)?;
        let kinds = self.kinds.map(|kinds| {
            let kept = kinds.iter().enumerate();
            kept.filter(|(row, _)| mask.is_valid(*row) && mask.value(*row))
                .map(|(_, kind)| *kind)
                .collect()
        });
        Ok(match kinds {
            Some(kinds) => ColumnBatch::changelog(records, kinds),
            None => ColumnBatch::insertions(records),
        })
    }

    /// The rows with the given numbers, in that order.
    ///
    /// # Errors
    /// `User` if a column cannot be taken from.
    pub fn take(&self, rows: &UInt32Array) -> Result<Self> {
        let records = take_record_batch(&self.records, rows).map_err(arrow_error)?;
        let kinds = self.kinds.as_ref().map(|kinds| {
            rows.values()
                .iter()
                .map(|row| kinds[*row as usize])
                .collect()
        });
        Ok(ColumnBatch { records, kinds })
    }

    /// Rows `offset..offset + len`, sharing the data.
    #[must_use]
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        ColumnBatch {
            records: self.records.slice(offset, len),
            kinds: self
                .kinds
                .as_ref()
                .map(|kinds| kinds[offset..offset + len].to_vec()),
        }
    }

    fn append(self, other: ColumnBatch) -> Result<Self> {
        let kinds = (self.kinds.is_some() || other.kinds.is_some()).then(|| {
            let mut kinds = self
                .kinds
                .unwrap_or_else(|| vec![0; self.records.num_rows()]);
            kinds.extend(
                other
                    .kinds
                    .unwrap_or_else(|| vec![0; other.records.num_rows()]),
            );
            kinds
        });
        let schema = self.records.schema();
        let records =
            concat_batches(&schema, [&self.records, &other.records]).map_err(arrow_error)?;
        Ok(ColumnBatch { records, kinds })
    }
}

impl Container for ColumnBatch {
    fn len(&self) -> usize {
        self.records.num_rows()
    }

    fn byte_size(&self) -> usize {
        self.records.get_array_memory_size() + self.kinds.as_ref().map_or(0, Vec::len)
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
    use arrow_array::{ArrayRef, Int64Array};
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
    fn a_filter_keeps_the_kinds_of_what_it_keeps() {
        let kept = batch(&[1, 2, 3], &[1, 2, 3])
            .filter(&BooleanArray::from(vec![Some(true), None, Some(true)]))
            .unwrap();
        assert_eq!(values(Box::new(kept)), (vec![1, 3], vec![1, 3]));
    }
}
