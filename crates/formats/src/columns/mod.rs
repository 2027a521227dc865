//! The columns of a batch while rows are decoded into them.
//!
//! ```text
//!   schema        roots         list (an arena; a nested column is named by its index)
//!   a INT         0             0: a        Int32
//!   b ROW<        1             1: b        Struct { fields: [2, 3] }
//!     x BIGINT,                 2: b.x      Int64
//!     y ARRAY<..>>              3: b.y      List { item: 4 }
//!                               4: b.y[]    …
//! ```
//!
//! An arena rather than a tree, because a fast path names the leaf it writes to directly.
//!
//! **Nulls cost nothing.** A writer names the row it writes to; a column that lags behind fills
//! the rows between with NULL, and nobody writes a NULL. So a ROW that is NULL in nearly all
//! records (two of Nexmark's three) costs nothing until the batch is done, and then one fill.
//!
//! INVARIANT: a column's length is at most the row being decoded, plus one once that row has its
//! value. A column inside ROWs counts the rows of the outermost; one inside an ARRAY or MAP counts
//! elements.

mod column;
mod finish;
mod nulls;
mod text;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, FieldRef, SchemaRef};

pub(crate) use self::column::{Column, Data};
use self::nulls::Finished;
use crate::error::FormatError;
use crate::types::{Kind, a_sql_name};

/// The most rows for which room is taken in advance.
const RESERVE_ROWS_MAX: usize = 65_536;

/// All columns of a batch under construction.
pub(crate) struct Columns {
    /// Every column, the outer before the inner.
    pub list: Vec<Column>,
    /// The columns of the batch, in its schema's order.
    pub roots: Vec<usize>,
    schema: SchemaRef,
    /// Room to take for a batch.
    reserve: usize,
}

impl Columns {
    /// Empty columns for `schema`, with room for a batch of `batch_rows`.
    pub fn new(schema: SchemaRef, batch_rows: usize) -> Result<Self, FormatError> {
        let reserve = batch_rows.min(RESERVE_ROWS_MAX);
        let mut columns = Columns {
            list: Vec::new(),
            roots: Vec::new(),
            schema,
            reserve,
        };
        for field in Arc::clone(&columns.schema).fields() {
            let root = columns.add(field, field.name().clone())?;
            columns.roots.push(root);
        }
        Ok(columns)
    }

    fn add(&mut self, field: &FieldRef, path: String) -> Result<usize, FormatError> {
        let kind = Kind::of(field).map_err(|error| error.with_field(path.as_str()))?;
        let id = self.list.len();
        self.list
            .push(Column::new(Arc::clone(field), path.clone(), kind));
        let data = match field.data_type() {
            DataType::Struct(fields) => {
                let fields = fields
                    .iter()
                    .map(|inner| self.add(inner, format!("{path}.{}", inner.name())))
                    .collect::<Result<Vec<_>, _>>()?;
                Data::Struct { len: 0, fields }
            }
            DataType::List(item) => Data::List {
                offsets: vec![0],
                item: self.add(item, format!("{path}[]"))?,
            },
            DataType::Map(entries, _) => {
                let DataType::Struct(pair) = entries.data_type() else {
                    return Err(FormatError::user("a MAP without entries").with_field(path));
                };
                let [key, value] = pair.as_ref() else {
                    return Err(FormatError::user("a MAP without key and value").with_field(path));
                };
                let key = self.add(key, format!("{path}[key]"))?;
                let value = self.add(value, format!("{path}[value]"))?;
                Data::Map {
                    offsets: vec![0],
                    key,
                    value,
                }
            }
            leaf => Data::leaf(leaf),
        };
        if let Some(column) = self.list.get_mut(id) {
            column.data = data;
        }
        Ok(id)
    }

    /// The column `id`, which must be one of these columns.
    #[inline(always)]
    pub fn at(&mut self, id: usize) -> &mut Column {
        &mut self.list[id]
    }

    /// Forgets what `id`, and every column inside it, holds of `row` and later rows.
    pub fn truncate(&mut self, id: usize, row: usize) {
        let Some(column) = self.list.get_mut(id) else {
            return;
        };
        if column.len() <= row {
            return;
        }
        column.truncate(row);
        match &column.data {
            Data::Struct { fields, .. } => {
                for field in fields.clone() {
                    self.truncate(field, row);
                }
            }
            Data::List { offsets, item } => {
                let (item, items) = (*item, last(offsets));
                self.truncate(item, items);
            }
            Data::Map {
                offsets,
                key,
                value,
            } => {
                let (key, value, items) = (*key, *value, last(offsets));
                self.truncate(key, items);
                self.truncate(value, items);
            }
            _ => {}
        }
    }

    /// Forgets `row` in all columns: it turned out to be none.
    ///
    /// Unlike [`truncate`](Self::truncate) this holds also when a value was written inside a ROW,
    /// ARRAY or MAP that was not ended.
    pub fn forget(&mut self, row: usize) {
        for root in self.roots.clone() {
            self.forget_in(root, row);
        }
    }

    /// Forgets what `id`, ended or not, holds of `row` and later rows.
    pub fn forget_in(&mut self, id: usize, row: usize) {
        let Some(column) = self.list.get_mut(id) else {
            return;
        };
        column.truncate(row);
        match &column.data {
            Data::Struct { fields, .. } => {
                for field in fields.clone() {
                    self.forget_in(field, row);
                }
            }
            Data::List { offsets, item } => {
                let (item, items) = (*item, last(offsets));
                self.forget_in(item, items);
            }
            Data::Map {
                offsets,
                key,
                value,
            } => {
                let (key, value, items) = (*key, *value, last(offsets));
                self.forget_in(key, items);
                self.forget_in(value, items);
            }
            _ => {}
        }
    }

    /// The first of `ids` that is declared NOT NULL and has no value in `row`.
    pub fn missing(&self, ids: &[usize], row: usize) -> Option<usize> {
        let misses = |id: &usize| {
            self.list
                .get(*id)
                .is_some_and(|column| !column.nullable() && column.len() <= row)
        };
        ids.iter().copied().find(misses)
    }

    /// What an error says of a value that is none of column `id`'s type.
    #[cold]
    pub fn not_a(&self, id: usize, text: &[u8]) -> String {
        let name = self
            .list
            .get(id)
            .map(|column| a_sql_name(column.field.data_type()));
        format!(
            "{} is not {}",
            crate::types::quoted(text),
            name.unwrap_or_default()
        )
    }

    /// The dotted name of column `id`.
    pub fn path(&self, id: usize) -> &str {
        self.list.get(id).map_or("", |column| &column.path)
    }

    /// The first `rows` rows as a batch; the columns are empty afterwards.
    pub fn take(&mut self, rows: usize) -> Result<RecordBatch, FormatError> {
        let arrays = self
            .roots
            .clone()
            .into_iter()
            .map(|root| self.take_array(root, rows, &Finished::default()))
            .collect::<Result<Vec<ArrayRef>, FormatError>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map_err(
            |error| FormatError::internal("columns do not fit their schema").with_source(error),
        )
    }
}

/// The end of the last list that `offsets` describe.
fn last(offsets: &[i32]) -> usize {
    offsets.last().map_or(0, |end| *end as usize)
}
