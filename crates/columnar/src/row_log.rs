//! Rows kept in columns in order of arrival and found by number.
//!
//! | Contract |                                                                               |
//! |----------|-------------------------------------------------------------------------------|
//! | Number   | a row's number is how many rows came before it; it never changes              |
//! | Keeping  | a batch is kept as it comes: its data is shared, not copied                   |
//! | Merging  | eight small batches in a row become one, so that a row is copied three times  |
//! |          | at most and few batches have less than 512 rows                               |
//! | Finding  | one look into the page directory, then a step or two                          |
//!
//! ```text
//!   row number ──>> 12──▶ page directory ──▶ first batch that may hold it ──▶ (batch, row)
//! ```

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, new_empty_array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use thalweg_core::error::{Error, Result};

use crate::arrow_error;

const CLASS_BITS: u32 = 3;
// Batches of 512 rows and more are never merged.
const SEALED_CLASS: u32 = 3;
const MERGED_BATCHES_MIN: usize = 1 << CLASS_BITS;
const PAGE_BITS: u32 = 12;
const NONE: u32 = u32::MAX;

/// Rows of one schema, in order of arrival.
pub struct RowLog {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    // By batch: the number of its first row.
    starts: Vec<u32>,
    // By page of 4096 numbers: the batch of the page's first row.
    pages: Vec<u32>,
    end: u32,
}

impl RowLog {
    /// No rows.
    pub fn new(schema: SchemaRef) -> Self {
        RowLog {
            schema,
            batches: Vec::new(),
            starts: Vec::new(),
            pages: Vec::new(),
            end: 0,
        }
    }

    /// The rows' schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows have come: the number of the next one.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// Keeps a batch. Returns the number of its first row; the others follow.
    ///
    /// # Errors
    /// `Unsupported` for more rows than there are numbers.
    pub fn push(&mut self, records: RecordBatch) -> Result<u32> {
        let first = self.end;
        let end = u32::try_from(records.num_rows())
            .ok()
            .and_then(|rows| first.checked_add(rows))
            .filter(|end| *end < NONE);
        self.end =
            end.ok_or_else(|| Error::unsupported("more than 2^32 rows in one instance's state"))?;
        if records.num_rows() > 0 {
            self.add(records, first);
            self.merge_small()?;
        }
        Ok(first)
    }

    fn add(&mut self, records: RecordBatch, first: u32) {
        let end = first as usize + records.num_rows();
        while self.pages.len() << PAGE_BITS < end {
            self.pages.push(self.batches.len() as u32);
        }
        self.starts.push(first);
        self.batches.push(records);
    }

    fn merge_small(&mut self) -> Result<()> {
        while let Some(last) = self.batches.last() {
            let limit = class(last);
            let run = self.batches.iter().rev();
            let run = run.take_while(|batch| class(batch) <= limit).count();
            if limit >= SEALED_CLASS || run < MERGED_BATCHES_MIN {
                break;
            }
            let from = self.batches.len() - run;
            let first = self.starts[from];
            let merged =
                concat_batches(&self.schema, &self.batches[from..]).map_err(arrow_error)?;
            self.batches.truncate(from);
            self.starts.truncate(from);
            self.pages
                .truncate((first as usize).div_ceil(1 << PAGE_BITS));
            self.add(merged, first);
        }
        Ok(())
    }

    #[inline]
    fn batch_of(&self, number: u32) -> usize {
        let mut batch = self.pages[(number >> PAGE_BITS) as usize] as usize;
        while self
            .starts
            .get(batch + 1)
            .is_some_and(|start| *start <= number)
        {
            batch += 1;
        }
        batch
    }

    /// The batch and position of a row, for reading single values.
    #[inline]
    pub fn place(&self, number: u32) -> (&RecordBatch, usize) {
        let batch = self.batch_of(number);
        (&self.batches[batch], (number - self.starts[batch]) as usize)
    }

    /// All rows, oldest first: the number of each batch's first row, and the batch.
    pub fn batches(&self) -> impl Iterator<Item = (u32, &RecordBatch)> {
        self.starts.iter().copied().zip(&self.batches)
    }

    /// Some rows, in that order, whose columns can then be asked for.
    pub fn pick(&self, numbers: &[u32]) -> Picked<'_> {
        let mut local = vec![NONE; self.batches.len()];
        let mut used = Vec::new();
        let mut places = Vec::with_capacity(numbers.len());
        let (mut known, mut start, mut at) = (0..0, 0, 0);
        for number in numbers {
            if !known.contains(number) {
                let batch = self.batch_of(*number);
                start = self.starts[batch];
                known = start..start + self.batches[batch].num_rows() as u32;
                if local[batch] == NONE {
                    local[batch] = used.len() as u32;
                    used.push(&self.batches[batch]);
                }
                at = local[batch] as usize;
            }
            places.push((at, (number - start) as usize));
        }
        let rows = (used.len() == 1)
            .then(|| UInt32Array::from_iter_values(places.iter().map(|(_, row)| *row as u32)));
        Picked {
            schema: &self.schema,
            used,
            places,
            rows,
        }
    }
}

fn class(records: &RecordBatch) -> u32 {
    (records.num_rows().max(1).ilog2() / CLASS_BITS).min(SEALED_CLASS)
}

/// Rows picked from a [`RowLog`].
pub struct Picked<'a> {
    schema: &'a SchemaRef,
    used: Vec<&'a RecordBatch>,
    places: Vec<(usize, usize)>,
    // If all come from one batch.
    rows: Option<UInt32Array>,
}

impl Picked<'_> {
    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.schema.fields().len()
    }

    /// One column of the rows.
    ///
    /// # Errors
    /// `User` if the column cannot be gathered.
    pub fn column(&self, column: usize) -> Result<ArrayRef> {
        if let (Some(rows), [batch]) = (&self.rows, self.used.as_slice()) {
            return take(batch.column(column), rows, None).map_err(arrow_error);
        }
        if self.used.is_empty() {
            return Ok(new_empty_array(self.schema.field(column).data_type()));
        }
        let arrays: Vec<&dyn Array> = self
            .used
            .iter()
            .map(|batch| batch.column(column).as_ref())
            .collect();
        interleave(&arrays, &self.places).map_err(arrow_error)
    }

    /// All columns of the rows.
    ///
    /// # Errors
    /// `User` if a column cannot be gathered.
    pub fn columns(&self) -> Result<Vec<ArrayRef>> {
        (0..self.width())
            .map(|column| self.column(column))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use std::sync::Arc;

    fn numbered(rows: std::ops::Range<u32>) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.map(i64::from)));
        RecordBatch::try_from_iter([("a", column)]).unwrap()
    }

    #[test]
    fn every_row_is_found_by_its_number_whatever_the_sizes_of_the_batches() {
        let mut log = RowLog::new(numbered(0..1).schema());
        let mut random = 1u64;
        while log.end() < 40_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let rows = (random >> 33) as u32 % [3, 40, 700, 9000][(random >> 60) as usize % 4];
            let first = log.end();
            assert_eq!(log.push(numbered(first..first + rows)).unwrap(), first);
        }
        for number in 0..log.end() {
            let (batch, row) = log.place(number);
            let value = batch.column(0).as_primitive::<Int64Type>().value(row);
            assert_eq!(value, i64::from(number));
        }
        let wanted: Vec<u32> = (0..log.end()).rev().step_by(7).collect();
        let column = log.pick(&wanted).column(0).unwrap();
        let values = column.as_primitive::<Int64Type>().values().to_vec();
        assert!(values.iter().zip(&wanted).all(|(v, w)| *v == i64::from(*w)));
    }

    #[test]
    fn single_rows_are_merged_into_few_batches() {
        let mut log = RowLog::new(numbered(0..1).schema());
        for row in 0..10_000 {
            log.push(numbered(row..row + 1)).unwrap();
        }
        assert!(log.batches().count() < 32, "{}", log.batches().count());
    }
}
