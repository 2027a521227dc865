//! `ORDER BY`, with or without `LIMIT`, over bounded input.
//!
//! | Contract |                                                              |
//! |----------|--------------------------------------------------------------|
//! | Input    | insertions, bounded                                          |
//! | Output   | the rows in order, at the end                                |
//! | Ties     | in order of arrival                                          |
//! | State    | `rows`: all rows                                             |
//! | Source   | SQL standard; ascending order puts NULLs first, as Flink     |

use std::any::Any;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use datafusion_common::arrow::row::RowConverter;
use thalweg_columnar::{ColumnBatch, RowCodec, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::Schema;
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::{
    ErasedKeyIndex, Freezing, FrozenEntries, Slot, StateTable, TableHandle, written,
};

use super::expr::{Expression, batch, evaluate_all};
use super::top_n::SortKey;

/// The operator.
pub struct Sort {
    order: Vec<SortKey>,
    skip: usize,
    fetch: Option<usize>,
    schema: SchemaRef,
    table: TableHandle<BatchTable>,
    sorted: Option<(RecordBatch, usize)>,
}

impl Sort {
    /// Sorts by `order`, skips `skip` rows and emits at most `fetch`. Without an order it only
    /// limits.
    pub fn new(
        order: Vec<SortKey>,
        skip: usize,
        fetch: Option<usize>,
        schema: SchemaRef,
        setup: &mut Setup<'_>,
    ) -> Self {
        let table = setup.states.table("rows", BatchTable::new(schema.clone()));
        Sort {
            order,
            skip,
            fetch,
            schema,
            table,
            sorted: None,
        }
    }

    fn emit(&mut self, out: &mut Outputs) -> Progress {
        let Some((records, next)) = &mut self.sorted else {
            return Progress::Done;
        };
        while *next < records.num_rows() {
            if out.is_full() {
                return Progress::Pending;
            }
            let rows = out.rows_max().min(records.num_rows() - *next);
            out.emit(Box::new(ColumnBatch::insertions(
                records.slice(*next, rows),
            )));
            *next += rows;
        }
        self.sorted = None;
        Progress::Done
    }
}

impl BatchOperator for Sort {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        ctx: &mut Context,
        _: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        if input.kinds().is_some() {
            return Err(Error::unsupported("ORDER BY over an input with updates"));
        }
        ctx.states_mut()
            .get_mut(&self.table)
            .batches
            .push(input.into_parts().0);
        Ok(Progress::Done)
    }

    fn resume(&mut self, _: &mut Context, out: &mut Outputs) -> Result<Progress> {
        Ok(self.emit(out))
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        let batches = std::mem::take(&mut ctx.states_mut().get_mut(&self.table).batches);
        let rows = concat_batches(&self.schema, &batches).map_err(arrow_error)?;
        let mut places: Vec<u32> = (0..rows.num_rows() as u32).collect();
        if !self.order.is_empty() {
            let expressions: Vec<Expression> = self
                .order
                .iter()
                .map(|key| key.expression.clone())
                .collect();
            let columns = evaluate_all(&expressions, &rows)?;
            let fields = self.order.iter().map(SortKey::field).collect();
            let converter = RowConverter::new(fields).map_err(arrow_error)?;
            let keys = converter.convert_columns(&columns).map_err(arrow_error)?;
            places.sort_by(|a, b| keys.row(*a as usize).cmp(&keys.row(*b as usize)));
        }
        let end = self
            .fetch
            .map_or(places.len(), |n| places.len().min(self.skip + n));
        let wanted = places.get(self.skip..end).unwrap_or(&[]).to_vec();
        let sorted = take_record_batch(&rows, &UInt32Array::from(wanted)).map_err(arrow_error)?;
        self.sorted = Some((sorted, 0));
        Ok(self.emit(out))
    }
}

/// Whole batches, kept in order of arrival.
pub struct BatchTable {
    schema: SchemaRef,
    codec: RowCodec,
    batches: Vec<RecordBatch>,
}

impl BatchTable {
    /// No rows yet.
    pub fn new(schema: SchemaRef) -> Self {
        let types = schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        BatchTable {
            schema,
            codec: RowCodec::new(types),
            batches: Vec::new(),
        }
    }

    /// Keeps a batch.
    pub fn push(&mut self, batch: RecordBatch) {
        self.batches.push(batch);
    }

    /// Takes all batches.
    pub fn take(&mut self) -> Vec<RecordBatch> {
        std::mem::take(&mut self.batches)
    }
}

impl StateTable for BatchTable {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn freeze(&mut self, _: &Freezing) -> Arc<dyn FrozenEntries> {
        written(|sink| {
            let mut bytes = Vec::new();
            for records in &self.batches {
                for row in 0..records.num_rows() {
                    bytes.clear();
                    let written = self.codec.encode(records.columns(), row, &mut bytes);
                    assert!(
                        written.is_ok(),
                        "rows in memory can be written: {written:?}"
                    );
                    sink(None, &bytes);
                }
            }
        })
    }

    fn restore(
        &mut self,
        entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let columns = self.codec.decode([entry])?;
        self.batches.push(batch(&self.schema, columns, 1)?);
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
