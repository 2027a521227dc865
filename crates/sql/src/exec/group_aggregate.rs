//! `GROUP BY` without a window: one row a group, updated as input comes.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | any changelog, keyed by the group columns                                   |
//! | Output   | a whole changelog: `+I` for a new group, `-U +U` when its row changed, `-D` |
//! |          | when its last row was retracted; once a batch and group                     |
//! | Batch    | one `+I` a group at the end; without group columns one row even if empty    |
//! | State    | `groups`: accumulators of every group with rows, until its time to live has |
//! |          | passed since its last row                                                   |
//! | Cost     | one hash look-up a row, one pass a call                                     |
//! | Source   | Flink SQL, Group Aggregation, with mini-batches of one input batch          |

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::compute::kernels::cmp::distinct;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{FieldRef, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use thalweg_columnar::{ColumnBatch, EncodedRows, Pages, RowKind, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::TableHandle;
use thalweg_core::time::ProcessingTime;

use super::aggregate::{Accumulators, AggregateCall, Changes, evaluate_calls};
use super::expr::{Expression, batch, evaluate_all};
use super::keyed::entries::KeyedWriter;
use super::keyed::{KeyedPayload, KeyedTable, SharedPayload, SharedStateKeys, StateKeys};

/// What the operator is built from.
#[derive(Clone)]
pub struct GroupAggregateSpec {
    /// The group columns.
    pub keys: Vec<Expression>,
    /// The aggregates.
    pub calls: Vec<AggregateCall>,
    /// Group columns, then aggregates.
    pub schema: SchemaRef,
    /// Whether the input retracts.
    pub updates: bool,
    /// Whether only final rows are wanted.
    pub batch_mode: bool,
    /// How long a group lives after its last row, in processing time; `None` for ever.
    pub ttl: Option<Duration>,
}

type Table = KeyedTable<Groups>;

/// The operator.
pub struct GroupAggregate {
    spec: GroupAggregateSpec,
    table: TableHandle<Table>,
    /// The groups of a batch, each once.
    touched: Vec<u32>,
    /// The first row of each of them.
    first_rows: Vec<u32>,
    /// The group of every row.
    groups: Vec<u32>,
}

/// The group columns of touched groups, as rows of other columns.
struct TouchedKeys {
    columns: Vec<ArrayRef>,
    rows: Vec<u32>,
}

impl TouchedKeys {
    fn take(&self, touched: impl Iterator<Item = usize>) -> Result<Vec<ArrayRef>> {
        let rows = UInt32Array::from_iter_values(touched.map(|at| self.rows[at]));
        self.columns
            .iter()
            .map(|column| take(column, &rows, None).map_err(arrow_error))
            .collect()
    }
}

impl GroupAggregate {
    /// Declares the state.
    ///
    /// # Errors
    /// `User` for argument types that an aggregate does not take.
    pub fn new(spec: GroupAggregateSpec, setup: &mut Setup<'_>) -> Result<Self> {
        let types = spec.schema.fields()[..spec.keys.len()].iter();
        let types = types.map(|field| field.data_type().clone()).collect();
        let table = KeyedTable {
            keys: StateKeys::new(types, spec.ttl),
            payload: Groups::new(&spec)?,
        };
        let table = setup.states.table_with_lifetime("groups", table);
        Ok(GroupAggregate {
            spec,
            table,
            touched: Vec::new(),
            first_rows: Vec::new(),
            groups: Vec::new(),
        })
    }

    /// Emits the changes of the touched groups from their results before and after the input.
    fn emit_changes(
        &self,
        keys: &TouchedKeys,
        before: &[ArrayRef],
        was_live: &[bool],
        after: &[ArrayRef],
        is_live: &[bool],
        out: &mut Outputs,
    ) -> Result<()> {
        let changed = changed_rows(before, after, was_live.len())?;
        let (mut picks, mut kinds) = (Vec::new(), Vec::new());
        let mut pick = |side: usize, row: usize, kind: RowKind| {
            picks.push((side, row));
            kinds.push(kind as u8);
        };
        for row in 0..was_live.len() {
            match (was_live[row], is_live[row]) {
                (false, true) => pick(1, row, RowKind::Insert),
                (true, false) => pick(0, row, RowKind::Delete),
                (false, false) => {}
                (true, true) if changed.value(row) => {
                    pick(0, row, RowKind::UpdateBefore);
                    pick(1, row, RowKind::UpdateAfter);
                }
                (true, true) => {}
            }
        }
        if picks.is_empty() {
            return Ok(());
        }
        let mut columns = keys.take(picks.iter().map(|(_, row)| *row))?;
        for (b, a) in before.iter().zip(after) {
            columns.push(interleave(&[b.as_ref(), a.as_ref()], &picks).map_err(arrow_error)?);
        }
        let records = batch(&self.spec.schema, columns, picks.len())?;
        out.emit(Box::new(ColumnBatch::changelog(records, kinds)));
        Ok(())
    }

    /// Finds the group of every row; returns the group columns.
    fn apply(&mut self, input: &ColumnBatch, table: &mut Table) -> Result<Vec<ArrayRef>> {
        let keys = evaluate_all(&self.spec.keys, input.records())?;
        table
            .keys
            .intern(&keys, input.num_rows(), &mut self.groups)?;
        table.payload.grow(table.keys.bound());
        Ok(keys)
    }

    /// The keys of the touched groups: those of the input, unless the plan has them in another
    /// form.
    fn touched_keys(&self, keys: Vec<ArrayRef>, table: &Table) -> Result<TouchedKeys> {
        let fields = self.spec.schema.fields();
        let same = |(key, field): (&ArrayRef, &FieldRef)| key.data_type() == field.data_type();
        if keys.iter().zip(fields).all(same) {
            return Ok(TouchedKeys {
                columns: keys,
                rows: self.first_rows.clone(),
            });
        }
        Ok(TouchedKeys {
            columns: table.keys.columns(&self.touched)?,
            rows: (0..self.touched.len() as u32).collect(),
        })
    }

    fn update(&mut self, input: &ColumnBatch, groups: &mut Groups) -> Result<()> {
        match input.kinds() {
            None => groups
                .counts
                .for_each_mut(&self.groups, |_, rows| *rows += 1),
            Some(_) => groups.counts.for_each_mut(&self.groups, |row, rows| {
                *rows += if input.kind(row).is_addition() { 1 } else { -1 };
            }),
        }
        let evaluated = evaluate_calls(&self.spec.calls, input.records())?;
        groups
            .accumulators
            .update(&evaluated, &self.groups, input.kinds())
    }

    /// Adds a batch and emits what it changes.
    fn change(
        &mut self,
        input: &ColumnBatch,
        keys: Vec<ArrayRef>,
        now: ProcessingTime,
        table: &mut Table,
        out: &mut Outputs,
    ) -> Result<()> {
        let groups = &mut table.payload;
        groups.touch(&self.groups, &mut self.touched, &mut self.first_rows);
        let keys = self.touched_keys(keys, table)?;
        let groups = &mut table.payload;
        let was_live: Vec<bool> = groups.live(&self.touched);
        let before = groups.accumulators.results(&self.touched)?;
        self.update(input, groups)?;
        let is_live = groups.live(&self.touched);
        let after = groups.accumulators.results(&self.touched)?;
        self.emit_changes(&keys, &before, &was_live, &after, &is_live, out)?;
        table.keys.touch(&self.touched, now);
        // A group without rows starts from nothing when it comes back.
        if self.spec.updates {
            table.forget_empty(self.touched.iter().copied());
        }
        table.clean_up_after(self.groups.len(), now);
        Ok(())
    }
}

impl BatchOperator for GroupAggregate {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let mut input = *downcast::<ColumnBatch>(payload)?;
        let (handle, now) = (self.table, ctx.now());
        let table = ctx.states_mut().get_mut(&handle);
        let mut keys = self.apply(&input, table)?;
        if self.spec.batch_mode {
            self.update(&input, &mut table.payload)?;
            return Ok(Progress::Done);
        }
        if table.keys.expire() {
            table.drop_expired(&self.groups, now);
            // What is retracted has expired: its retraction is none.
            if let Some(rows) = table.payload.grounded(&input, &self.groups) {
                let all = self.groups.clone();
                input = input.take(&UInt32Array::from(rows))?;
                keys = self.apply(&input, table)?;
                self.change(&input, keys, now, table, out)?;
                // Groups that have got nothing but such a retraction.
                table.forget_empty(all);
                return Ok(Progress::Done);
            }
        }
        self.change(&input, keys, now, table, out)?;
        Ok(Progress::Done)
    }

    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let now = ctx.now();
        ctx.states_mut().get_mut(&self.table).keys.begin(now);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        if !self.spec.batch_mode {
            return Ok(Progress::Done);
        }
        let first = ctx.info().index == 0;
        let table = ctx.states_mut().get_mut(&self.table);
        let groups = &mut table.payload;
        if self.spec.keys.is_empty() && first {
            groups.grow(1);
            let count = groups.counts.get_mut(0);
            *count = (*count).max(1);
        }
        let counts = groups.counts.iter().enumerate();
        let living = counts.filter(|(_, count)| **count > 0);
        let living: Vec<u32> = living.map(|(group, _)| group as u32).collect();
        for groups in living.chunks(out.rows_max()) {
            let mut columns = table.keys.columns(groups)?;
            columns.extend(table.payload.accumulators.results(groups)?);
            let records: RecordBatch = batch(&self.spec.schema, columns, groups.len())?;
            out.emit(Box::new(ColumnBatch::insertions(records)));
        }
        Ok(Progress::Done)
    }
}

/// What is under the group columns.
pub struct Groups {
    accumulators: Accumulators,
    // Rows of each group: it lives while there are more than none.
    counts: Pages<i64>,
    marks: Vec<bool>,
}

/// It at one moment.
pub struct SharedGroups {
    accumulators: Accumulators,
    counts: Pages<i64>,
}

impl Groups {
    fn new(spec: &GroupAggregateSpec) -> Result<Self> {
        let changes = Changes {
            retracts: spec.updates,
            // A group is emptied when its last row was retracted, and when its time is over.
            clears: spec.updates || spec.ttl.is_some(),
        };
        Ok(Groups {
            accumulators: Accumulators::new(&spec.calls, changes)?,
            counts: Pages::new(),
            marks: Vec::new(),
        })
    }

    /// The distinct groups of a batch in order of appearance, each with its first row.
    fn touch(&mut self, groups: &[u32], touched: &mut Vec<u32>, first_rows: &mut Vec<u32>) {
        touched.clear();
        first_rows.clear();
        for (row, group) in groups.iter().enumerate() {
            let mark = &mut self.marks[*group as usize];
            if !*mark {
                *mark = true;
                touched.push(*group);
                first_rows.push(row as u32);
            }
        }
        for group in touched.iter() {
            self.marks[*group as usize] = false;
        }
    }

    fn live(&self, groups: &[u32]) -> Vec<bool> {
        groups
            .iter()
            .map(|group| *self.counts.get(*group) > 0)
            .collect()
    }

    /// The rows of a batch that are not retracted from a group without rows; `None` if that is all.
    fn grounded(&self, input: &ColumnBatch, groups: &[u32]) -> Option<Vec<u32>> {
        input.kinds()?;
        let mut counts: BTreeMap<u32, i64> = BTreeMap::new();
        let mut rows = Vec::with_capacity(groups.len());
        for (row, group) in groups.iter().enumerate() {
            let count = counts.entry(*group);
            let count = count.or_insert_with(|| *self.counts.get(*group));
            if input.kind(row).is_addition() {
                *count += 1;
            } else if *count > 0 {
                *count -= 1;
            } else {
                continue;
            }
            rows.push(row as u32);
        }
        (rows.len() < groups.len()).then_some(rows)
    }
}

impl KeyedPayload for Groups {
    type Head = ();
    type Shared = SharedGroups;

    fn grow(&mut self, bound: usize) {
        self.counts.grow(bound, 0);
        self.marks.resize(bound, false);
        self.accumulators.resize(bound);
    }

    fn restore(&mut self, group: u32, (): (), mut body: &[u8]) -> Result<()> {
        *self.counts.get_mut(group) = i64::decode(&mut body)?;
        self.accumulators.restore(group, body)
    }

    fn is_empty(&self, group: u32) -> bool {
        *self.counts.get(group) == 0
    }

    fn clear(&mut self, group: u32) {
        *self.counts.get_mut(group) = 0;
        self.accumulators.clear(group);
    }

    fn share(&mut self) -> SharedGroups {
        SharedGroups {
            accumulators: self.accumulators.share(),
            counts: self.counts.share(),
        }
    }
}

impl SharedPayload for SharedGroups {
    fn write(&self, keys: &SharedStateKeys, entries: &mut KeyedWriter<'_, '_>) -> Result<()> {
        let counts = self.counts.iter().enumerate();
        let groups =
            counts.filter(|(group, count)| **count != 0 && !keys.is_expired(*group as u32));
        let groups: Vec<u32> = groups.map(|(group, _)| group as u32).collect();
        self.accumulators.each_state(&groups, |group, state| {
            entries.push(&(), keys, group, |out| {
                self.counts.get(group).encode(out);
                out.extend_from_slice(state);
            })
        })
    }
}

/// Which rows of some columns differ from those of others; NULL is equal to NULL.
fn changed_rows(before: &[ArrayRef], after: &[ArrayRef], rows: usize) -> Result<BooleanBuffer> {
    let mut changed = BooleanBuffer::new_unset(rows);
    for (before, after) in before.iter().zip(after) {
        // Counts of rows nearly always differ, and then nothing else needs a look.
        if changed.count_set_bits() == rows {
            break;
        }
        let differs = if before.data_type().is_nested() {
            differing_bytes(before, after)?
        } else {
            let differs = distinct(before, after).map_err(arrow_error)?;
            differs.values().clone()
        };
        changed = &changed | &differs;
    }
    Ok(changed)
}

/// The same by canonical bytes: lists, maps and rows have no comparison of their own.
fn differing_bytes(before: &ArrayRef, after: &ArrayRef) -> Result<BooleanBuffer> {
    let (mut old, mut new) = (EncodedRows::default(), EncodedRows::default());
    old.encode(std::slice::from_ref(before), before.len())?;
    new.encode(std::slice::from_ref(after), after.len())?;
    Ok(old.iter().zip(new.iter()).map(|(a, b)| a != b).collect())
}

#[cfg(test)]
mod tests;
