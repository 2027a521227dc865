//! Rows kept in columns and found by number.
//!
//! Rows come in as whole batches, which are kept as they are (their data is shared, not copied);
//! a row's number stays the same while it lives. When more than half of what is kept is dead, the
//! living rows are copied together. So keeping a row costs 8 bytes beside its data, and emitting
//! rows again is one `interleave` a column.

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_empty_array};
use arrow_schema::SchemaRef;
use arrow_select::interleave::interleave;
use arrow_select::take::take_record_batch;
use thalweg_core::error::Result;

use crate::arrow_error;

/// The number of a kept row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub u32);

// Small stores are not worth copying together.
const COMPACT_ROWS_MIN: usize = 16_384;
const DEAD: (u32, u32) = (u32::MAX, u32::MAX);
// The batch of rows that wait for theirs.
const WAITING: u32 = u32::MAX - 1;

/// Rows of one schema.
pub struct RowStore {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    places: Vec<(u32, u32)>,
    free: Vec<u32>,
    // Rows that were inserted before their batch; some may be dead again.
    waiting: Vec<u32>,
    live: usize,
    kept: usize,
}

impl RowStore {
    /// An empty store.
    pub fn new(schema: SchemaRef) -> Self {
        RowStore {
            schema,
            batches: Vec::new(),
            places: Vec::new(),
            free: Vec::new(),
            waiting: Vec::new(),
            live: 0,
            kept: 0,
        }
    }

    /// The rows' schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows live.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Keeps a batch; `insert` then gives numbers to those of its rows that shall live.
    ///
    /// # Errors
    /// `User` if the dead rows cannot be cleared away.
    pub fn add_batch(&mut self, batch: RecordBatch) -> Result<StoredBatch> {
        if self.is_sparse() {
            self.compact()?;
        }
        self.kept += batch.num_rows();
        self.batches.push(batch);
        Ok(StoredBatch((self.batches.len() - 1) as u32))
    }

    /// Gives a number to a row of a kept batch. Valid until the next `add_batch`.
    #[inline]
    pub fn insert(&mut self, batch: &StoredBatch, row: usize) -> RowId {
        self.insert_at((batch.0, row as u32))
    }

    /// Gives a number to a row of a batch that comes by [`RowStore::keep_waiting`]. Until then its
    /// columns are not there, and nothing but this and `remove` may be called.
    pub fn insert_waiting(&mut self, row: usize) -> RowId {
        let id = self.insert_at((WAITING, row as u32));
        self.waiting.push(id.0);
        id
    }

    /// Whether a row's batch is yet to come.
    #[inline]
    pub fn is_waiting(&self, id: RowId) -> bool {
        self.places[id.0 as usize].0 == WAITING
    }

    /// Keeps those rows of a batch that wait for it and live: copied, if they are few.
    ///
    /// # Errors
    /// `User` if a column cannot be gathered.
    pub fn keep_waiting(&mut self, records: &RecordBatch) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let batch = self.batches.len() as u32;
        let mut rows = Vec::new();
        // A number that was given twice is moved once.
        waiting.retain(|id| {
            let place = &mut self.places[*id as usize];
            let waits = place.0 == WAITING;
            if waits {
                rows.push(place.1);
                *place = (batch, place.1);
            }
            waits
        });
        if rows.is_empty() {
            return Ok(());
        }
        let mut kept = records.clone();
        if rows.len() * 2 < records.num_rows() {
            for (at, id) in waiting.iter().enumerate() {
                self.places[*id as usize].1 = at as u32;
            }
            kept = take_record_batch(records, &UInt32Array::from(rows)).map_err(arrow_error)?;
        }
        self.kept += kept.num_rows();
        self.batches.push(kept);
        if self.is_sparse() {
            self.compact()?;
        }
        Ok(())
    }

    fn is_sparse(&self) -> bool {
        self.kept > COMPACT_ROWS_MIN && self.kept > 2 * self.live
    }

    #[inline]
    fn insert_at(&mut self, place: (u32, u32)) -> RowId {
        self.live += 1;
        match self.free.pop() {
            Some(id) => {
                self.places[id as usize] = place;
                RowId(id)
            }
            None => {
                self.places.push(place);
                RowId((self.places.len() - 1) as u32)
            }
        }
    }

    /// Forgets a row.
    pub fn remove(&mut self, id: RowId) {
        self.places[id.0 as usize] = DEAD;
        self.free.push(id.0);
        self.live -= 1;
    }

    /// The batch and position of a row, for reading single values.
    #[inline]
    pub fn place(&self, id: RowId) -> (&RecordBatch, usize) {
        let (batch, row) = self.places[id.0 as usize];
        (&self.batches[batch as usize], row as usize)
    }

    /// The columns of some rows, in that order.
    ///
    /// # Errors
    /// `User` if a column cannot be gathered.
    pub fn columns(&self, ids: &[RowId]) -> Result<Vec<ArrayRef>> {
        // Only the batches that are asked for take part: interleave looks at all it is given.
        let mut used = Vec::new();
        let mut local = vec![u32::MAX; self.batches.len()];
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            let (batch, row) = self.places[id.0 as usize];
            let at = &mut local[batch as usize];
            if *at == u32::MAX {
                *at = used.len() as u32;
                used.push(&self.batches[batch as usize]);
            }
            places.push((*at as usize, row as usize));
        }
        let columns = self.schema.fields().iter().enumerate();
        columns
            .map(|(column, field)| {
                let arrays: Vec<&dyn Array> = used
                    .iter()
                    .map(|batch| batch.column(column).as_ref())
                    .collect();
                if arrays.is_empty() {
                    return Ok(new_empty_array(field.data_type()));
                }
                interleave(&arrays, &places).map_err(arrow_error)
            })
            .collect()
    }

    /// Some rows as a batch, in that order.
    ///
    /// # Errors
    /// `User` if a column cannot be gathered.
    pub fn rows(&self, ids: &[RowId]) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), self.columns(ids)?, &options)
            .map_err(arrow_error)
    }

    /// The numbers of all living rows.
    pub fn ids(&self) -> impl Iterator<Item = RowId> + '_ {
        let all = self.places.iter().enumerate();
        all.filter(|(_, place)| **place != DEAD)
            .map(|(id, _)| RowId(id as u32))
    }

    fn compact(&mut self) -> Result<()> {
        let ids: Vec<RowId> = self.ids().collect();
        let mut batches = Vec::new();
        // All are gathered before any place changes: later chunks still need the old places.
        for ids in ids.chunks(COMPACT_ROWS_MIN) {
            batches.push(self.rows(ids)?);
        }
        for (n, id) in ids.iter().enumerate() {
            let place = (n / COMPACT_ROWS_MIN, n % COMPACT_ROWS_MIN);
            self.places[id.0 as usize] = (place.0 as u32, place.1 as u32);
        }
        self.kept = ids.len();
        self.batches = batches;
        Ok(())
    }
}

/// A batch that a [`RowStore`] keeps.
pub struct StoredBatch(u32);

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use std::sync::Arc;

    #[test]
    fn rows_keep_their_numbers_when_dead_ones_are_cleared_away() {
        let column = |range: std::ops::Range<i64>| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(range))
        };
        let schema = RecordBatch::try_from_iter([("a", column(0..1))])
            .unwrap()
            .schema();
        let mut store = RowStore::new(schema);
        let mut kept = Vec::new();
        for start in (0..100_000i64).step_by(1000) {
            let batch = RecordBatch::try_from_iter([("a", column(start..start + 1000))]).unwrap();
            let stored = store.add_batch(batch).unwrap();
            let ids: Vec<RowId> = (0..1000).map(|row| store.insert(&stored, row)).collect();
            for (row, id) in ids.into_iter().enumerate() {
                if row % 100 == 0 {
                    kept.push((start + row as i64, id));
                } else {
                    store.remove(id);
                }
            }
        }
        assert_eq!(store.len(), 1000);
        assert!(store.kept < 20_000, "{} rows are kept", store.kept);
        let ids: Vec<RowId> = kept.iter().map(|(_, id)| *id).collect();
        let rows = store.rows(&ids).unwrap();
        let values = rows.column(0).as_primitive::<Int64Type>().values().to_vec();
        assert_eq!(
            values,
            kept.iter().map(|(value, _)| *value).collect::<Vec<_>>()
        );
    }

    #[test]
    fn of_a_batch_that_is_waited_for_only_the_living_rows_are_kept() {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
        let records = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let mut store = RowStore::new(records.schema());
        let first = store.insert_waiting(7);
        let second = store.insert_waiting(8);
        store.remove(first);
        let third = store.insert_waiting(50);
        assert!(store.is_waiting(third));
        store.keep_waiting(&records).unwrap();
        assert_eq!((store.len(), store.kept), (2, 2));
        let rows = store.rows(&[third, second]).unwrap();
        assert_eq!(
            rows.column(0).as_primitive::<Int64Type>().values(),
            &[50, 8]
        );
    }
}
