//! `GROUP BY window_start, window_end, …` over tumbling, hopping and cumulating windows.
//!
//! | Contract |                                                                            |
//! |----------|----------------------------------------------------------------------------|
//! | Input    | any changelog with a time column, keyed by the other group columns         |
//! | Output   | insertions: one row a key and window, when the watermark reaches end - 1   |
//! | Late     | a row all of whose windows have fired is dropped and counted               |
//! | State    | `slices`: accumulators a key and slice, until the slice's last window fired |
//! | Timers   | event time, one a window with rows                                         |
//! | Cost     | one hash look-up a row, however many windows it is in                      |
//! | Source   | Flink SQL, Window Aggregation; slices as in Cutty, CIKM 2016               |

use std::any::Any;
use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_schema::{DataType, SchemaRef};
use thalweg_columnar::{ColumnBatch, GroupKeys};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{Data, Schema, take_bytes, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::key_group::{key_group, stable_hash_bytes};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::{EntrySink, ErasedKeyIndex, Slot, StateTable, TableHandle};
use thalweg_core::time::EventTime;
use thalweg_core::watermark::Watermark;

use super::aggregate::{Accumulators, AggregateCall, Changes, evaluate_calls};
use super::expr::{Expression, batch, evaluate, evaluate_all};
use super::group_aggregate::{read_group, write_groups};
use super::window_spec::{WindowSpec, from_millis, to_millis};

/// Where an output column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowColumn {
    /// The key column at this position.
    Key(usize),
    /// `window_start`
    Start,
    /// `window_end`
    End,
    /// `window_time`
    Time,
    /// The aggregate at this position.
    Call(usize),
}

/// What the operator is built from.
#[derive(Clone)]
pub struct WindowAggregateSpec {
    /// The windows.
    pub window: WindowSpec,
    /// The time column.
    pub time: Expression,
    /// The group columns other than the window's.
    pub keys: Vec<Expression>,
    /// Their types.
    pub key_types: Vec<DataType>,
    /// The aggregates.
    pub calls: Vec<AggregateCall>,
    /// The output's columns.
    pub columns: Vec<WindowColumn>,
    /// The output's schema.
    pub schema: SchemaRef,
    /// Whether the input retracts.
    pub updates: bool,
}

impl WindowAggregateSpec {
    /// New accumulators of a slice, which goes as a whole.
    fn accumulators(&self) -> Result<Accumulators> {
        let changes = Changes {
            retracts: self.updates,
            clears: false,
        };
        Accumulators::new(&self.calls, changes)
    }

    /// Puts the output's columns together.
    pub(super) fn output(
        &self,
        keys: &[ArrayRef],
        results: &[ArrayRef],
        bounds: &dyn Fn(usize) -> (i64, i64),
        rows: usize,
    ) -> Result<ColumnBatch> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            let data_type = field.data_type();
            columns.push(match column {
                WindowColumn::Key(key) => keys[*key].clone(),
                WindowColumn::Call(call) => results[*call].clone(),
                WindowColumn::Start => from_millis((0..rows).map(|r| bounds(r).0), data_type)?,
                WindowColumn::End => from_millis((0..rows).map(|r| bounds(r).1), data_type)?,
                WindowColumn::Time => from_millis((0..rows).map(|r| bounds(r).1 - 1), data_type)?,
            });
        }
        Ok(ColumnBatch::insertions(batch(&self.schema, columns, rows)?))
    }
}

/// The operator.
pub struct WindowAggregate {
    spec: WindowAggregateSpec,
    table: TableHandle<SliceTable>,
    groups: Vec<u32>,
    firing: Option<Firing>,
}

/// A fired window whose rows are not all emitted.
struct Firing {
    end: i64,
    merged: Slice,
    next: u32,
}

impl WindowAggregate {
    /// Declares the state.
    ///
    /// # Errors
    /// `User` for argument types that an aggregate does not take.
    pub fn new(spec: WindowAggregateSpec, setup: &mut Setup<'_>) -> Result<Self> {
        let table = SliceTable {
            spec: spec.clone(),
            slices: BTreeMap::new(),
            slice_groups: 0,
            window_groups: 0,
        };
        // A wrong argument type should fail the plan, not the first row.
        spec.accumulators()?;
        let table = setup.states.table("slices", table);
        Ok(WindowAggregate {
            spec,
            table,
            groups: Vec::new(),
            firing: None,
        })
    }

    fn add(&mut self, input: &ColumnBatch, end: i64, ctx: &mut Context) -> Result<()> {
        if ctx.watermark() >= Watermark(self.spec.window.last_window_end(end) - 1) {
            ctx.metrics().late_dropped.add(input.num_rows() as u64);
            return Ok(());
        }
        let keys = evaluate_all(&self.spec.keys, input.records())?;
        let evaluated = evaluate_calls(&self.spec.calls, input.records())?;
        let watermark = ctx.watermark();
        let table = ctx.states_mut().get_mut(&self.table);
        let new = !table.slices.contains_key(&end);
        let slice = table.slice(end)?;
        self.groups.clear();
        slice.intern(&keys, input.num_rows(), &mut self.groups)?;
        slice
            .accumulators
            .update(&evaluated, &self.groups, input.kinds())?;
        if new {
            // The first of its windows that has not fired; later ones follow one by one.
            let mut ends = self.spec.window.windows_of_slice(end);
            if let Some(next) = ends.find(|end| watermark < Watermark(end - 1)) {
                ctx.register_event_timer(EventTime(next - 1));
            }
        }
        Ok(())
    }

    fn emit(&mut self, out: &mut Outputs) -> Result<Progress> {
        let Some(firing) = &mut self.firing else {
            return Ok(Progress::Done);
        };
        let total = firing.merged.len() as u32;
        while firing.next < total && !out.is_full() {
            let upto = total.min(firing.next + out.rows_max() as u32);
            let groups: Vec<u32> = (firing.next..upto).collect();
            firing.next = upto;
            let keys = firing.merged.key_columns(&groups)?;
            let results = firing.merged.accumulators.results(&groups)?;
            let (start, end) = (self.spec.window.window_start(firing.end), firing.end);
            let rows = self
                .spec
                .output(&keys, &results, &|_| (start, end), groups.len())?;
            out.emit(Box::new(rows));
        }
        if firing.next < total {
            return Ok(Progress::Pending);
        }
        self.firing = None;
        Ok(Progress::Done)
    }
}

impl BatchOperator for WindowAggregate {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        ctx: &mut Context,
        _: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        let times = to_millis(&evaluate(&self.spec.time, input.records())?)?;
        let times = if times.null_count() > 0 {
            // Flink fails on a NULL time attribute only where a window needs it: it is dropped.
            return self.process_with_nulls(&input, &times, ctx);
        } else {
            times
        };
        let window = self.spec.window;
        let (low, high) = times
            .values()
            .iter()
            .fold((i64::MAX, i64::MIN), |(low, high), t| {
                (low.min(*t), high.max(*t))
            });
        if low > high {
            return Ok(Progress::Done);
        }
        if window.slice_end(low) == window.slice_end(high) {
            self.add(&input, window.slice_end(low), ctx)?;
            return Ok(Progress::Done);
        }
        let mut rows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, time) in times.values().iter().enumerate() {
            rows.entry(window.slice_end(*time))
                .or_default()
                .push(row as u32);
        }
        for (end, rows) in rows {
            self.add(&input.take(&UInt32Array::from(rows))?, end, ctx)?;
        }
        Ok(Progress::Done)
    }

    fn resume(&mut self, _: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.emit(out)
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let end = time.millis() + 1;
        let table = ctx.states_mut().get_mut(&self.table);
        let merged = table.fire(end)?;
        let shares = !matches!(self.spec.window, WindowSpec::Attached { .. })
            && self.spec.window.slice() < self.spec.window.size();
        if shares && !table.slices.is_empty() {
            let next = end + self.spec.window.slice();
            let needed = table
                .slices
                .keys()
                .any(|slice| *slice <= next && self.spec.window.last_window_end(*slice) >= next);
            if needed {
                ctx.register_event_timer(EventTime(next - 1));
            }
        }
        self.firing = merged.map(|merged| Firing {
            end,
            merged,
            next: 0,
        });
        self.emit(out)
    }
}

impl WindowAggregate {
    fn process_with_nulls(
        &mut self,
        input: &ColumnBatch,
        times: &arrow_array::Int64Array,
        ctx: &mut Context,
    ) -> Result<Progress> {
        let mut rows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, time) in times.iter().enumerate() {
            match time {
                Some(time) => {
                    rows.entry(self.spec.window.slice_end(time))
                        .or_default()
                        .push(row as u32);
                }
                None => {
                    return Err(Error::user(
                        "the time attribute of a window is NULL; rows need a timestamp",
                    ));
                }
            }
        }
        for (end, rows) in rows {
            self.add(&input.take(&UInt32Array::from(rows))?, end, ctx)?;
        }
        Ok(Progress::Done)
    }
}

/// The groups of one slice, or of the slices merged for a window.
struct Slice {
    keys: GroupKeys,
    accumulators: Accumulators,
    groups: usize,
    global: bool,
}

impl Slice {
    fn new(spec: &WindowAggregateSpec, groups: usize) -> Result<Self> {
        Ok(Slice {
            keys: GroupKeys::with_capacity(spec.key_types.clone(), groups),
            accumulators: spec.accumulators()?,
            groups: 0,
            global: spec.key_types.is_empty(),
        })
    }

    fn len(&self) -> usize {
        self.groups
    }

    fn intern(&mut self, keys: &[ArrayRef], rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        if self.global {
            groups.resize(groups.len() + rows, 0);
        } else {
            self.keys.intern(keys, rows, groups)?;
        }
        self.grow();
        Ok(())
    }

    fn key_columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        if self.global {
            Ok(Vec::new())
        } else {
            self.keys.columns(groups)
        }
    }

    fn grow(&mut self) {
        let groups = if self.global { 1 } else { self.keys.len() };
        if groups != self.groups {
            self.groups = groups;
            self.accumulators.resize(groups);
        }
    }

    fn merge(&mut self, other: &Slice) -> Result<()> {
        let theirs: Vec<u32> = (0..other.groups as u32).collect();
        let mut ours = Vec::with_capacity(theirs.len());
        let keys = other.key_columns(&theirs)?;
        self.intern(&keys, theirs.len(), &mut ours)?;
        self.accumulators
            .merge(&ours, &other.accumulators.state(&theirs)?)
    }
}

/// The slices that still have a window to fire.
pub struct SliceTable {
    spec: WindowAggregateSpec,
    slices: BTreeMap<i64, Slice>,
    // How many groups the last slice and the last window had: the next ones get room for as many.
    slice_groups: usize,
    window_groups: usize,
}

impl SliceTable {
    fn slice(&mut self, end: i64) -> Result<&mut Slice> {
        match self.slices.entry(end) {
            std::collections::btree_map::Entry::Occupied(slot) => Ok(slot.into_mut()),
            std::collections::btree_map::Entry::Vacant(slot) => {
                Ok(slot.insert(Slice::new(&self.spec, self.slice_groups)?))
            }
        }
    }

    /// The merged groups of the window that ends at `end`; drops slices no later window needs.
    fn fire(&mut self, end: i64) -> Result<Option<Slice>> {
        let window = self.spec.window;
        // Attached windows share nothing, even where they overlap.
        let attached = matches!(window, WindowSpec::Attached { .. });
        let first = if attached {
            end
        } else {
            window.window_start(end) + 1
        };
        let mut merged: Option<Slice> = None;
        let ends: Vec<i64> = self
            .slices
            .range(first..=end)
            .map(|(end, _)| *end)
            .collect();
        let single = ends.len() == 1;
        for slice_end in ends {
            let done = window.last_window_end(slice_end) <= end;
            if single && done {
                let only = self.slices.remove(&slice_end);
                self.slice_groups = only.as_ref().map_or(0, Slice::len);
                return Ok(only);
            }
            let Some(slice) = self.slices.get(&slice_end) else {
                continue;
            };
            self.slice_groups = slice.groups;
            match &mut merged {
                Some(merged) => merged.merge(slice)?,
                None => {
                    let mut fresh = Slice::new(&self.spec, self.window_groups)?;
                    fresh.merge(slice)?;
                    merged = Some(fresh);
                }
            }
            if done {
                self.slices.remove(&slice_end);
            }
        }
        self.window_groups = merged.as_ref().map_or(0, Slice::len);
        Ok(merged)
    }
}

impl StateTable for SliceTable {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn snapshot(
        &self,
        _: Option<&dyn ErasedKeyIndex>,
        max_parallelism: u32,
        sink: &mut EntrySink<'_>,
    ) {
        for (end, slice) in &self.slices {
            let groups: Vec<u32> = (0..slice.groups as u32).collect();
            let each = |_: u32, key: &[u8], state: &[u8]| {
                let mut bytes = Vec::new();
                end.encode(&mut bytes);
                (key.len() as u32).encode(&mut bytes);
                bytes.extend_from_slice(key);
                bytes.extend_from_slice(state);
                sink(
                    Some(key_group(stable_hash_bytes(key), max_parallelism)),
                    &bytes,
                );
            };
            let written = write_groups(&slice.keys, &slice.accumulators, &groups, each);
            assert!(
                written.is_ok(),
                "accumulators in memory can be written: {written:?}"
            );
        }
    }

    fn restore(
        &mut self,
        mut entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let end = i64::decode(&mut entry)?;
        let len = take_len(&mut entry, 1)?;
        let key = take_bytes(&mut entry, len)?;
        let slice = self.slice(end)?;
        let group = if slice.global {
            0
        } else {
            slice.keys.intern_bytes(key)?
        };
        slice.grow();
        read_group(&mut slice.accumulators, group, entry)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
