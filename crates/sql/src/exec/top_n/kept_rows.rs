//! What every form of Top-N keeps: rows.

use thalweg_columnar::{BatchColumn, ColumnBatch, RowCodec, RowId, RowKind, RowStore, SharedRows};
use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::Outputs;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};

use super::TopNSpec;
use super::order::OrderKey;
use crate::exec::expr::{Expression, batch, evaluate};

/// A batch on its way into the state.
pub struct Input {
    /// The batch.
    pub batch: ColumnBatch,
    /// Its columns, filtered only as far as they were read.
    pub columns: Vec<BatchColumn>,
}

impl Input {
    /// Takes a batch apart.
    pub fn new(batch: ColumnBatch) -> Self {
        let columns = (0..batch.schema().fields().len()).map(|at| batch.column(at));
        Input {
            columns: columns.collect(),
            batch,
        }
    }

    /// Evaluates expressions. One that is just a column leaves the others unfiltered.
    pub fn evaluate<'a>(
        &self,
        expressions: impl Iterator<Item = &'a Expression>,
    ) -> Result<Vec<ArrayRef>> {
        use datafusion_physical_expr::expressions::Column;
        let values = expressions.map(|expression| match expression.downcast_ref::<Column>() {
            Some(column) => Ok(self.columns[column.index()].dense().clone()),
            None => evaluate(expression, self.batch.records()),
        });
        values.collect()
    }
}

/// Rows, as all forms keep them.
pub struct KeptRows {
    /// The rows.
    pub rows: RowStore,
    /// Their encoding.
    pub codec: RowCodec,
}

/// Appends what an entry has under the partition: the row's position there, its sort key, the row.
pub fn write_row<K: OrderKey>(
    at: usize,
    order: &K,
    (rows, row): (&SharedRows, RowId),
    out: &mut Vec<u8>,
) {
    (at as u32).encode(out);
    order.encode(out);
    rows.encode(row, out);
}

impl KeptRows {
    /// Nothing yet.
    pub fn new(spec: &TopNSpec) -> Self {
        let types = spec.input.fields().iter();
        KeptRows {
            rows: RowStore::new(spec.input.clone()),
            codec: RowCodec::new(types.map(|field| field.data_type().clone()).collect()),
        }
    }

    /// Takes what [`write_row`] wrote: position, sort key and number of the row.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are no such row.
    pub fn read<K: OrderKey>(&mut self, mut body: &[u8]) -> Result<(usize, K, RowId)> {
        let at = u32::decode(&mut body)? as usize;
        let order = K::decode(&mut body)?;
        let columns = self.codec.decode([body])?;
        let columns: Vec<BatchColumn> = columns.into_iter().map(BatchColumn::new).collect();
        let mut ids = Vec::with_capacity(1);
        self.rows.insert(&columns, &[0], &mut ids)?;
        Ok((at, order, ids[0]))
    }

    fn output(&self, spec: &TopNSpec, rows: &[RowId], ranks: &[i64]) -> Result<RecordBatch> {
        let mut columns = self.rows.columns(rows)?;
        if spec.with_rank {
            columns.push(Arc::new(Int64Array::from(ranks.to_vec())));
        }
        batch(&spec.schema, columns, rows.len())
    }

    /// Emits what changed.
    pub fn emit(&self, spec: &TopNSpec, changes: &mut Changes, out: &mut Outputs) -> Result<()> {
        if !changes.kinds.is_empty() {
            let records = self.output(spec, &changes.rows, &changes.ranks)?;
            let kinds = std::mem::take(&mut changes.kinds);
            out.emit(Box::new(ColumnBatch::changelog(records, kinds)));
        }
        changes.rows.clear();
        changes.ranks.clear();
        Ok(())
    }

    /// Emits final rows.
    pub fn emit_all(&self, spec: &TopNSpec, result: &Changes, out: &mut Outputs) -> Result<()> {
        let rows = result.rows.chunks(out.rows_max());
        for (rows, ranks) in rows.zip(result.ranks.chunks(out.rows_max())) {
            let records = self.output(spec, rows, ranks)?;
            out.emit(Box::new(ColumnBatch::insertions(records)));
        }
        Ok(())
    }
}

/// What changed among the first rows of partitions.
#[derive(Default)]
pub struct Changes {
    rows: Vec<RowId>,
    ranks: Vec<i64>,
    kinds: Vec<u8>,
}

impl Changes {
    /// A row that comes or goes, at a position from 0.
    #[inline]
    pub fn push(&mut self, row: RowId, rank: usize, kind: RowKind) {
        self.rows.push(row);
        self.ranks.push(rank as i64 + 1);
        self.kinds.push(kind as u8);
    }

    /// A row in the place of another.
    #[inline]
    pub fn update(&mut self, old: RowId, new: RowId, rank: usize) {
        self.push(old, rank, RowKind::UpdateBefore);
        self.push(new, rank, RowKind::UpdateAfter);
    }

    /// From the rows before to those after, place by place.
    pub fn by_rank(
        &mut self,
        before: &[RowId],
        after: impl ExactSizeIterator<Item = RowId>,
        spec: &TopNSpec,
    ) {
        let len = after.len();
        for (rank, new) in after.enumerate().skip(spec.from - 1) {
            match before.get(rank) {
                Some(old) if *old != new => self.update(*old, new, rank),
                Some(_) => {}
                None => self.push(new, rank, RowKind::Insert),
            }
        }
        for (rank, old) in before.iter().enumerate().skip(len.max(spec.from - 1)) {
            self.push(*old, rank, RowKind::Delete);
        }
    }

    /// From the rows before to those after, whatever their places.
    pub fn by_row(&mut self, before: &[RowId], after: &[RowId], spec: &TopNSpec) {
        let before = before.get(spec.from - 1..).unwrap_or(&[]);
        let after = after.get(spec.from - 1..).unwrap_or(&[]);
        let left = before.iter().filter(|row| !after.contains(row));
        let came = after.iter().filter(|row| !before.contains(row));
        let left: Vec<RowId> = left.copied().collect();
        let came: Vec<RowId> = came.copied().collect();
        if let (1, [old], [new]) = (spec.to, left.as_slice(), came.as_slice()) {
            self.update(*old, *new, 0);
            return;
        }
        left.iter()
            .for_each(|row| self.push(*row, 0, RowKind::Delete));
        came.iter()
            .for_each(|row| self.push(*row, 0, RowKind::Insert));
    }
}
