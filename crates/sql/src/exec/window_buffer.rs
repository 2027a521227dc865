//! Operators that wait for a window to end, then work on all its rows: window joins and window
//! Top-N.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | insertions with a window-end column, keyed as the work asks                 |
//! | Output   | insertions, when the watermark reaches the window's end - 1                 |
//! | Late     | a row whose window has ended is dropped and counted                         |
//! | State    | `windows`: the rows of every open window                                    |
//! | Timers   | event time, one a window with rows                                          |
//! | Source   | Flink SQL, Window Join, Window Top-N, Window Deduplication                  |

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use thalweg_columnar::{ColumnBatch, EncodedRows, RowCodec, arrow_error, hash_columns};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{Data, Schema};
use thalweg_core::error::{Error, Result};
use thalweg_core::key_group::key_group;
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::{
    EntryWriter, ErasedKeyIndex, Freezing, FrozenEntries, Slot, StateTable, TableHandle,
};
use thalweg_core::time::EventTime;
use thalweg_core::watermark::Watermark;

use super::expr::{Expression, batch, evaluate, evaluate_all};
use super::window_spec::to_millis;

/// What is done with the rows of an ended window: one batch an input.
pub type WindowWork = Arc<dyn Fn(&[RecordBatch]) -> Result<Vec<RecordBatch>> + Send + Sync>;

/// An input of the operator.
#[derive(Clone)]
pub struct WindowInput {
    /// The window's end.
    pub end: Expression,
    /// The columns it is partitioned by: they decide the rows' key groups.
    pub keys: Vec<Expression>,
    /// Its columns.
    pub schema: SchemaRef,
}

/// The operator.
pub struct WindowBuffer {
    inputs: Vec<WindowInput>,
    work: WindowWork,
    table: TableHandle<WindowTable>,
    ready: VecDeque<RecordBatch>,
}

impl WindowBuffer {
    /// Declares the state.
    pub fn new(inputs: Vec<WindowInput>, work: WindowWork, setup: &mut Setup<'_>) -> Self {
        let table = WindowTable {
            inputs: inputs.clone(),
            windows: BTreeMap::new(),
        };
        let table = setup.states.table("windows", table);
        WindowBuffer {
            inputs,
            work,
            table,
            ready: VecDeque::new(),
        }
    }

    fn emit(&mut self, out: &mut Outputs) -> Progress {
        while let Some(records) = self.ready.pop_front() {
            let max = out.rows_max();
            if records.num_rows() > max {
                self.ready
                    .push_front(records.slice(max, records.num_rows() - max));
                out.emit(Box::new(ColumnBatch::insertions(records.slice(0, max))));
            } else {
                out.emit(Box::new(ColumnBatch::insertions(records)));
            }
            if out.is_full() && !self.ready.is_empty() {
                return Progress::Pending;
            }
        }
        Progress::Done
    }
}

impl BatchOperator for WindowBuffer {
    fn process(
        &mut self,
        port: usize,
        payload: Payload,
        ctx: &mut Context,
        _: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        if input.kinds().is_some() {
            return Err(Error::unsupported(
                "a window join or Top-N over an input with updates",
            ));
        }
        let ends = to_millis(&evaluate(&self.inputs[port].end, input.records())?)?;
        let mut rows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        // An aggregate's results come window by window.
        let first = ends.values().first();
        let whole = ends.values().iter().all(|end| Some(end) == first);
        if let (true, Some(end)) = (whole, first) {
            rows.insert(*end, Vec::new());
        } else {
            for (row, end) in ends.values().iter().enumerate() {
                rows.entry(*end).or_default().push(row as u32);
            }
        }
        for (end, rows) in rows {
            if ctx.watermark() >= Watermark(end - 1) {
                let late = if whole { input.num_rows() } else { rows.len() };
                ctx.metrics().late_dropped.add(late as u64);
                continue;
            }
            let part = if whole {
                (*input).clone()
            } else {
                input.take(&UInt32Array::from(rows))?
            };
            let table = ctx.states_mut().get_mut(&self.table);
            table.add(end, port, part.into_parts().0);
            ctx.register_event_timer(EventTime(end - 1));
        }
        Ok(Progress::Done)
    }

    fn resume(&mut self, _: &mut Context, out: &mut Outputs) -> Result<Progress> {
        Ok(self.emit(out))
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let table = ctx.states_mut().get_mut(&self.table);
        if let Some(parts) = table.windows.remove(&(time.millis() + 1)) {
            let whole: Result<Vec<RecordBatch>> = parts
                .iter()
                .zip(&self.inputs)
                .map(|(parts, input)| concat_batches(&input.schema, parts).map_err(arrow_error))
                .collect();
            self.ready.extend((self.work)(&whole?)?);
        }
        Ok(self.emit(out))
    }
}

/// The rows of every open window, by input.
#[derive(Clone)]
pub struct WindowTable {
    inputs: Vec<WindowInput>,
    windows: BTreeMap<i64, Vec<Vec<RecordBatch>>>,
}

impl WindowTable {
    fn add(&mut self, end: i64, port: usize, records: RecordBatch) {
        let inputs = self.inputs.len();
        let window = self
            .windows
            .entry(end)
            .or_insert_with(|| vec![Vec::new(); inputs]);
        window[port].push(records);
    }
}

/// The same at one moment, to be written on another thread.
struct FrozenWindows {
    windows: WindowTable,
    max_parallelism: u32,
}

impl FrozenEntries for FrozenWindows {
    fn write(&self, out: &mut EntryWriter<'_>) -> Result<()> {
        let inputs = &self.windows.inputs;
        for (end, window) in &self.windows.windows {
            for (port, (parts, input)) in window.iter().zip(inputs).enumerate() {
                for part in parts {
                    self.write_part(out, (*end, port as u32), input, part)?;
                }
            }
        }
        Ok(())
    }
}

impl FrozenWindows {
    fn write_part(
        &self,
        out: &mut EntryWriter<'_>,
        (end, port): (i64, u32),
        input: &WindowInput,
        part: &RecordBatch,
    ) -> Result<()> {
        let keys = evaluate_all(&input.keys, part)?;
        let mut hashes = Vec::new();
        hash_columns(&keys, &mut hashes)?;
        let mut encoded = EncodedRows::default();
        encoded.encode(part.columns(), part.num_rows())?;
        for (row, bytes) in encoded.iter().enumerate() {
            let hash = hashes.get(row);
            let group = hash.map_or(0, |hash| key_group(*hash, self.max_parallelism));
            out.push_with(|out| {
                (end, port).encode(out);
                out.extend_from_slice(bytes);
                Some(group)
            })?;
        }
        Ok(())
    }
}

fn codec(input: &WindowInput) -> RowCodec {
    RowCodec::new(
        input
            .schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect(),
    )
}

impl StateTable for WindowTable {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        // Batches are shared as they are.
        Arc::new(FrozenWindows {
            windows: self.clone(),
            max_parallelism: freezing.max_parallelism,
        })
    }

    fn restore(
        &mut self,
        mut entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let end = i64::decode(&mut entry)?;
        let port = u32::decode(&mut entry)? as usize;
        let input = self
            .inputs
            .get(port)
            .ok_or_else(|| Error::corrupt(format!("no input {port}")))?;
        let records = batch(&input.schema.clone(), codec(input).decode([entry])?, 1)?;
        self.add(end, port, records);
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The first rows of every partition of one batch, with their row numbers if asked for.
///
/// # Errors
/// What an expression fails with.
pub fn top_rows(spec: &super::top_n::TopNSpec, rows: &RecordBatch) -> Result<RecordBatch> {
    use datafusion_common::arrow::row::RowConverter;
    let expressions: Vec<Expression> = spec
        .order
        .iter()
        .map(|key| key.expression.clone())
        .collect();
    let order = evaluate_all(&expressions, rows)?;
    let fields = spec
        .order
        .iter()
        .map(super::top_n::SortKey::field)
        .collect();
    let converter = RowConverter::new(fields).map_err(arrow_error)?;
    let order = converter.convert_columns(&order).map_err(arrow_error)?;
    let keys = evaluate_all(&spec.partition, rows)?;
    let mut groups = Vec::new();
    if keys.is_empty() {
        groups.resize(rows.num_rows(), 0);
    } else {
        let mut known = thalweg_columnar::GroupKeys::new(spec.partition_types.clone());
        known.intern(&keys, rows.num_rows(), &mut groups)?;
    }
    let mut sorted: Vec<u32> = (0..rows.num_rows() as u32).collect();
    sorted.sort_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        groups[a]
            .cmp(&groups[b])
            .then_with(|| order.row(a).cmp(&order.row(b)))
    });
    let (mut picked, mut ranks) = (Vec::new(), Vec::new());
    let (mut group, mut rank) = (u32::MAX, 0usize);
    for row in sorted {
        if groups[row as usize] != group {
            group = groups[row as usize];
            rank = 0;
        }
        rank += 1;
        if rank >= spec.from && rank <= spec.to {
            picked.push(row);
            ranks.push(rank as i64);
        }
    }
    let picked = UInt32Array::from(picked);
    let taken = arrow_select::take::take_record_batch(rows, &picked).map_err(arrow_error)?;
    let mut columns = taken.columns().to_vec();
    if spec.with_rank {
        columns.push(Arc::new(Int64Array::from(ranks)));
    }
    batch(&spec.schema, columns, picked.len())
}
