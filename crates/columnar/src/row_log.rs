//! Rows kept in columns in order of arrival and found by number.
//!
//! | Contract |                                                                               |
//! |----------|-------------------------------------------------------------------------------|
//! | Number   | a row's number is how many rows came before it; it never changes              |
//! | Keeping  | a batch is kept as it comes: its data is shared, not copied, and columns that |
//! |          | were not filtered stay so until they are read, unless few rows are left       |
//! | Merging  | eight small batches in a row become one, so that a row is copied three times  |
//! |          | at most and few batches have less than 512 rows                               |
//! | Finding  | one look into the page directory, then a step or two                          |
//!
//! ```text
//!   row number ──>> 12──▶ page directory ──▶ first batch that may hold it ──▶ (batch, row)
//! ```

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array, new_empty_array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use thalweg_core::error::{Error, Result};

use crate::arrow_error;
use crate::column::BatchColumn;
use crate::row_codec::RowCodec;

const CLASS_BITS: u32 = 3;
// Batches of 512 rows and more are never merged.
const SEALED_CLASS: u32 = 3;
const MERGED_BATCHES_MIN: usize = 1 << CLASS_BITS;
const PAGE_BITS: u32 = 12;
const NONE: u32 = u32::MAX;

struct Kept {
    columns: Vec<BatchColumn>,
    rows: usize,
}

/// Rows of one schema, in order of arrival. A clone shares the batches.
#[derive(Clone)]
pub struct RowLog {
    schema: SchemaRef,
    batches: Vec<Arc<Kept>>,
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
    pub fn push(&mut self, columns: Vec<BatchColumn>, rows: usize) -> Result<u32> {
        let first = self.end;
        let end = u32::try_from(rows)
            .ok()
            .and_then(|rows| first.checked_add(rows))
            .filter(|end| *end < NONE);
        self.end =
            end.ok_or_else(|| Error::unsupported("more than 2^32 rows in one instance's state"))?;
        if rows > 0 {
            let columns = columns.into_iter().map(BatchColumn::into_kept).collect();
            self.add(Kept { columns, rows }, first);
            self.merge_small()?;
        }
        Ok(first)
    }

    fn add(&mut self, kept: Kept, first: u32) {
        let end = first as usize + kept.rows;
        while self.pages.len() << PAGE_BITS < end {
            self.pages.push(self.batches.len() as u32);
        }
        self.starts.push(first);
        self.batches.push(Arc::new(kept));
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
            let merged = self.merged(from)?;
            self.batches.truncate(from);
            self.starts.truncate(from);
            self.pages
                .truncate((first as usize).div_ceil(1 << PAGE_BITS));
            self.add(merged, first);
        }
        Ok(())
    }

    fn merged(&self, from: usize) -> Result<Kept> {
        let parts = &self.batches[from..];
        let columns = (0..self.schema.fields().len()).map(|column| {
            let arrays = parts.iter().map(|kept| kept.columns[column].dense());
            let arrays: Vec<&dyn Array> = arrays.map(AsRef::as_ref).collect();
            concat(&arrays).map(BatchColumn::new).map_err(arrow_error)
        });
        Ok(Kept {
            columns: columns.collect::<Result<_>>()?,
            rows: parts.iter().map(|kept| kept.rows).sum(),
        })
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

    /// Appends the canonical bytes of a row.
    ///
    /// # Errors
    /// `Unsupported` for a column type without a canonical form.
    pub fn encode(&self, number: u32, codec: &RowCodec, out: &mut Vec<u8>) -> Result<()> {
        let batch = self.batch_of(number);
        let row = (number - self.starts[batch]) as usize;
        self.batches[batch]
            .columns
            .iter()
            .try_for_each(|column| codec.encode(std::slice::from_ref(column.dense()), row, out))
    }

    /// All rows, oldest first: the number of each batch's first row, and the batch's columns.
    pub fn batches(&self) -> impl Iterator<Item = (u32, Vec<ArrayRef>, usize)> + '_ {
        let batches = self.starts.iter().zip(&self.batches);
        batches.map(|(start, kept)| {
            let columns = kept.columns.iter().map(|column| column.dense().clone());
            (*start, columns.collect(), kept.rows)
        })
    }

    /// Some rows, in that order, whose columns can then be asked for.
    pub fn pick(&self, numbers: &[u32]) -> Picked<'_> {
        if let Some(picked) = self.pick_from_one(numbers) {
            return picked;
        }
        let mut local = vec![NONE; self.batches.len()];
        let mut used = Vec::new();
        let mut places = Vec::with_capacity(numbers.len());
        let (mut known, mut start, mut at) = (0..0, 0, 0);
        for number in numbers {
            if !known.contains(number) {
                let batch = self.batch_of(*number);
                start = self.starts[batch];
                known = start..start + self.batches[batch].rows as u32;
                if local[batch] == NONE {
                    local[batch] = used.len() as u32;
                    used.push(&self.batches[batch]);
                }
                at = local[batch] as usize;
            }
            places.push((at, (number - start) as usize));
        }
        Picked {
            schema: &self.schema,
            used,
            places,
            rows: None,
        }
    }

    fn pick_from_one(&self, numbers: &[u32]) -> Option<Picked<'_>> {
        let batch = self.batch_of(*numbers.first()?);
        let start = self.starts[batch];
        let rows = self.batches[batch].rows as u32;
        // A number below the start is far above it without its sign.
        if numbers.iter().any(|n| n.wrapping_sub(start) >= rows) {
            return None;
        }
        let local = numbers.iter().map(|number| number - start);
        Some(Picked {
            schema: &self.schema,
            used: vec![&self.batches[batch]],
            places: Vec::new(),
            rows: Some(UInt32Array::from_iter_values(local)),
        })
    }
}

fn class(kept: &Kept) -> u32 {
    (kept.rows.max(1).ilog2() / CLASS_BITS).min(SEALED_CLASS)
}

/// Rows picked from a [`RowLog`].
pub struct Picked<'a> {
    schema: &'a SchemaRef,
    used: Vec<&'a Arc<Kept>>,
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
            return batch.columns[column].take(rows);
        }
        if self.used.is_empty() {
            return Ok(new_empty_array(self.schema.field(column).data_type()));
        }
        let arrays: Vec<&dyn Array> = self
            .used
            .iter()
            .map(|batch| batch.columns[column].dense().as_ref())
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
    use arrow_schema::{DataType, Field, Schema};

    fn empty() -> RowLog {
        let fields = vec![Field::new("a", DataType::Int64, true)];
        RowLog::new(Arc::new(Schema::new(fields)))
    }

    fn push(log: &mut RowLog, rows: u32) {
        let first = log.end();
        let values = Int64Array::from_iter_values((first..first + rows).map(i64::from));
        let columns = vec![BatchColumn::new(Arc::new(values))];
        assert_eq!(log.push(columns, rows as usize).unwrap(), first);
    }

    fn check(log: &RowLog, wanted: &[u32]) {
        let column = log.pick(wanted).column(0).unwrap();
        let values = column.as_primitive::<Int64Type>().values();
        assert!(
            values
                .iter()
                .copied()
                .eq(wanted.iter().map(|w| i64::from(*w)))
        );
    }

    #[test]
    fn every_row_is_found_by_its_number_whatever_the_sizes_of_the_batches() {
        let mut log = empty();
        let mut random = 1u64;
        while log.end() < 40_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let sizes = [3, 40, 700, 9000];
            push(
                &mut log,
                (random >> 33) as u32 % sizes[(random >> 60) as usize % 4],
            );
        }
        check(&log, &(0..log.end()).collect::<Vec<_>>());
        check(&log, &(0..log.end()).rev().step_by(7).collect::<Vec<_>>());
        check(&log, &[]);
    }

    #[test]
    fn single_rows_are_merged_into_few_batches() {
        let mut log = empty();
        (0..10_000).for_each(|_| push(&mut log, 1));
        assert!(log.batches().count() < 48, "{}", log.batches().count());
    }
}
