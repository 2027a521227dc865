//! `GROUP BY window_start, window_end, …` over tumbling, hopping and cumulating windows.
//!
//! | Contract |                                                                            |
//! |----------|----------------------------------------------------------------------------|
//! | Input    | any changelog with a time column, or partial aggregates of its rows, keyed |
//! |          | by the other group columns                                                 |
//! | Output   | insertions: one row a key and window, when the watermark reaches end - 1   |
//! | Late     | a row all of whose windows have fired is dropped and counted; of partial   |
//! |          | aggregates each counts as one                                              |
//! | State    | `slices`: accumulators a key and slice, until the slice's last window fired |
//! | Timers   | event time, one a window with rows                                         |
//! | Cost     | one hash look-up a row (a partial aggregate), however many windows it is in |
//! | Source   | Flink SQL, Window Aggregation; slices as in Cutty, CIKM 2016               |

mod local;
mod partials;
mod rows;
mod slices;

use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::{DataType, SchemaRef};
use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::Result;
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::TableHandle;
use thalweg_core::time::EventTime;
use thalweg_core::watermark::Watermark;

pub use self::local::LocalWindowAggregate;
use self::partials::Partials;
use self::rows::{Rows, Split, split};
use self::slices::{Slice, SliceTable};
use super::aggregate::{Accumulators, AggregateCall, Changes};
use super::expr::{Expression, batch, evaluate};
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

/// What an aggregate's input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Rows.
    Complete,
    /// The partial aggregates that a [`LocalWindowAggregate`] made of rows.
    Final,
}

/// What the operator is built from.
#[derive(Clone)]
pub struct WindowAggregateSpec {
    /// What the input is: rows for a local aggregate and for sessions.
    pub phase: Phase,
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
        // A wrong argument type should fail the plan, not the first row.
        spec.accumulators()?;
        let table = SliceTable::new(spec.clone());
        let table = setup.states.table("slices", table);
        Ok(WindowAggregate {
            spec,
            table,
            groups: Vec::new(),
            firing: None,
        })
    }

    /// Adds the rows of one slice.
    fn add(&mut self, input: &ColumnBatch, end: i64, ctx: &mut Context) -> Result<()> {
        let watermark = ctx.watermark();
        if watermark >= Watermark(self.spec.window.last_window_end(end) - 1) {
            ctx.metrics().late_dropped.add(input.num_rows() as u64);
            return Ok(());
        }
        let table = ctx.states_mut().get_mut(&self.table);
        let new = !table.contains(end);
        let slice = table.slice(end)?;
        self.groups.clear();
        match self.spec.phase {
            Phase::Complete => {
                let rows = Rows::of(&self.spec, input)?;
                slice.intern(&rows.keys, input.num_rows(), &mut self.groups)?;
                rows.add_to(slice, &self.groups)?;
            }
            Phase::Final => {
                let partials = Partials::of(&self.spec, input)?;
                slice.intern(partials.keys, input.num_rows(), &mut self.groups)?;
                slice.accumulators.merge(&self.groups, partials.states)?;
            }
        }
        if new {
            // The first of its windows that has not fired; later ones follow one by one.
            let mut ends = self.spec.window.windows_of_slice(end);
            if let Some(next) = ends.find(|end| watermark < Watermark(end - 1)) {
                ctx.register_event_timer(EventTime(next - 1));
            }
        }
        Ok(())
    }

    fn split(&self, input: &ColumnBatch) -> Result<Split> {
        let window = self.spec.window;
        match self.spec.phase {
            Phase::Complete => {
                let times = to_millis(&evaluate(&self.spec.time, input.records())?)?;
                split(&times, |time| window.slice_end(time))
            }
            Phase::Final => split(Partials::of(&self.spec, input)?.ends, |end| end),
        }
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
        match self.split(&input)? {
            Split::Empty => {}
            Split::One(end) => self.add(&input, end, ctx)?,
            Split::Several(slices) => {
                for (end, rows) in slices {
                    self.add(&input.take(&UInt32Array::from(rows))?, end, ctx)?;
                }
            }
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
        if shares && !table.is_empty() {
            let next = end + self.spec.window.slice();
            if table.needs(next) {
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
