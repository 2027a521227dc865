//! Rows kept in columns and found by number.
//!
//! A row's number is its place in every column, as long as it lives; later its number is given
//! again. So keeping a row is one write a column, emitting it one read, and nothing but texts is
//! ever moved.
//!
//! ```text
//!   batch, rows ──insert──▶ numbers     column 0   [ 7 │ 1 │   │ 3 ]
//!                                       column 1   [ a │ b │   │ v ]  v ──▶ a block of texts
//!   numbers ──columns──▶ arrays         place        0   1   2   3
//! ```

mod kept_column;
mod texts;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use thalweg_core::error::{Error, Result};

use self::kept_column::KeptColumn;
use self::texts::Texts;
use crate::arrow_error;
use crate::column::BatchColumn;

/// The number of a kept row, below [`RowStore::ROWS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub u32);

/// Rows of one schema.
pub struct RowStore {
    schema: SchemaRef,
    columns: Vec<KeptColumn>,
    texts: Texts,
    free: Vec<RowId>,
    places: u32,
}

impl RowStore {
    /// How many rows a store can keep.
    pub const ROWS_MAX: u32 = 1 << 31;

    /// An empty store.
    pub fn new(schema: SchemaRef) -> Self {
        let fields = schema.fields().iter();
        RowStore {
            columns: fields
                .map(|field| KeptColumn::new(field.data_type()))
                .collect(),
            texts: Texts::default(),
            free: Vec::new(),
            places: 0,
            schema,
        }
    }

    /// The rows' schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many rows live.
    pub fn len(&self) -> usize {
        self.places as usize - self.free.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps some rows of a batch and appends their numbers, in that order.
    ///
    /// Columns that have not been filtered are read only where these rows are.
    ///
    /// # Errors
    /// `Unsupported` for more rows than there are numbers, or a type without a canonical form.
    pub fn insert(
        &mut self,
        columns: &[BatchColumn],
        rows: &[u32],
        ids: &mut Vec<RowId>,
    ) -> Result<()> {
        let first = ids.len();
        for _ in rows {
            ids.push(self.give_number()?);
        }
        let (ids, places) = (&ids[first..], self.places as usize);
        let located = Located::new(columns, rows);
        let (mut texts, mut views, mut buffers) = (Vec::new(), Vec::new(), Vec::new());
        for (at, kept) in self.columns.iter_mut().enumerate() {
            let (array, rows) = (columns[at].unfiltered(), located.rows(at));
            match kept.views(array, rows) {
                Some((column_views, column_buffers)) => {
                    texts.push(at);
                    views.push(column_views);
                    buffers.push(column_buffers);
                }
                None => kept.put(array, rows, ids, places, &mut self.texts)?,
            }
        }
        self.texts.keep(&buffers, &mut views)?;
        for (at, views) in texts.into_iter().zip(&views) {
            let array = columns[at].unfiltered();
            self.columns[at].put_views(array, located.rows(at), views, ids, places);
        }
        self.clear_holes()
    }

    fn give_number(&mut self) -> Result<RowId> {
        if let Some(id) = self.free.pop() {
            return Ok(id);
        }
        if self.places == RowStore::ROWS_MAX {
            return Err(Error::unsupported(
                "more than 2^31 rows in one instance's state",
            ));
        }
        self.places += 1;
        Ok(RowId(self.places - 1))
    }

    fn clear_holes(&mut self) -> Result<()> {
        if !self.texts.is_sparse(self.places as usize) {
            return Ok(());
        }
        let views = self.columns.iter_mut().filter_map(KeptColumn::text_views);
        self.texts.compact(&mut views.collect::<Vec<_>>())
    }

    /// Forgets rows, each of which must live.
    pub fn remove(&mut self, ids: &[RowId]) {
        for column in &mut self.columns {
            column.forget(ids, &mut self.texts);
        }
        // Places in the order in which they were written are found faster.
        self.free.extend(ids.iter().rev());
    }

    /// The columns of some rows, in that order.
    ///
    /// # Errors
    /// `Corrupt` never, unless memory is.
    pub fn columns(&self, ids: &[RowId]) -> Result<Vec<ArrayRef>> {
        let columns = self.columns.iter();
        columns
            .map(|column| column.gather(ids, &self.texts))
            .collect()
    }

    /// Some rows as a batch, in that order.
    ///
    /// # Errors
    /// `User` if the rows are not what the schema says.
    pub fn rows(&self, ids: &[RowId]) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(ids.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), self.columns(ids)?, &options)
            .map_err(arrow_error)
    }

    /// Appends the canonical bytes of a row: those of [`RowCodec`](crate::RowCodec).
    pub fn encode(&self, id: RowId, out: &mut Vec<u8>) {
        encode(&self.columns, &self.texts, id, out);
    }

    /// The rows as they are now, whatever becomes of these.
    #[must_use]
    pub fn share(&mut self) -> SharedRows {
        SharedRows {
            columns: self.columns.iter_mut().map(KeptColumn::share).collect(),
            texts: self.texts.shared(),
        }
    }
}

fn encode(columns: &[KeptColumn], texts: &Texts, id: RowId, out: &mut Vec<u8>) {
    for column in columns {
        column.encode(id, texts, out);
    }
}

/// Rows at one moment, to be written on another thread.
pub struct SharedRows {
    columns: Vec<KeptColumn>,
    texts: Texts,
}

impl SharedRows {
    /// Appends the canonical bytes of a row that was there.
    pub fn encode(&self, id: RowId, out: &mut Vec<u8>) {
        encode(&self.columns, &self.texts, id, out);
    }
}

/// Where some rows are in each of a batch's columns, before they are filtered.
struct Located {
    positions: Vec<Vec<u32>>,
    // By column: which of them.
    of: Vec<usize>,
}

impl Located {
    fn new(columns: &[BatchColumn], rows: &[u32]) -> Self {
        let mut located = Located {
            positions: Vec::new(),
            of: Vec::with_capacity(columns.len()),
        };
        // Columns of one batch mostly went through the same filter.
        let mut filters: Vec<&BatchColumn> = Vec::new();
        for column in columns {
            let known = filters
                .iter()
                .position(|filter| filter.is_filtered_like(column));
            located.of.push(known.unwrap_or(filters.len()));
            if known.is_none() {
                filters.push(column);
                located.positions.push(column.unfiltered_positions(rows));
            }
        }
        located
    }

    fn rows(&self, column: usize) -> &[u32] {
        &self.positions[self.of[column]]
    }
}

#[cfg(test)]
mod tests;
