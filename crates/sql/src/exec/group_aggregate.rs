//! `GROUP BY` without a window: one row a group, updated as input comes.
//!
//! | Contract |                                                                             |
//! |----------|-----------------------------------------------------------------------------|
//! | Input    | any changelog, keyed by the group columns                                   |
//! | Output   | a whole changelog: `+I` for a new group, `-U +U` when its row changed, `-D` |
//! |          | when its last row was retracted; once a batch and group                     |
//! | Batch    | one `+I` a group at the end; without group columns one row even if empty    |
//! | State    | `groups`: accumulators of every group ever seen                             |
//! | Cost     | one hash look-up a row, one pass a call                                     |
//! | Source   | Flink SQL, Group Aggregation, with mini-batches of one input batch          |

use std::any::Any;
use std::sync::Arc;

use arrow::compute::kernels::cmp::distinct;
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{FieldRef, SchemaRef};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use thalweg_columnar::{ColumnBatch, EncodedRows, GroupKeys, RowCodec, RowKind, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{Data, Schema, take_bytes, take_len};
use thalweg_core::error::Result;
use thalweg_core::key_group::{key_group, stable_hash_bytes};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::{
    ErasedKeyIndex, Freezing, FrozenEntries, Slot, StateTable, TableHandle, written,
};

use super::aggregate::{Accumulators, AggregateCall, Changes, evaluate_calls};
use super::expr::{Expression, batch, evaluate_all};

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
}

/// The operator.
pub struct GroupAggregate {
    spec: GroupAggregateSpec,
    table: TableHandle<GroupTable>,
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
        let table = GroupTable::new(&spec)?;
        let table = setup.states.table("groups", table);
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
    fn apply(&mut self, input: &ColumnBatch, table: &mut GroupTable) -> Result<Vec<ArrayRef>> {
        let keys = evaluate_all(&self.spec.keys, input.records())?;
        self.groups.clear();
        if keys.is_empty() {
            self.groups.resize(input.num_rows(), 0);
            table.global();
        } else {
            table
                .keys
                .intern(&keys, input.num_rows(), &mut self.groups)?;
        }
        table.grow();
        Ok(keys)
    }

    /// The keys of the touched groups: those of the input, unless the plan has them in another
    /// form.
    fn touched_keys(&self, keys: Vec<ArrayRef>, table: &GroupTable) -> Result<TouchedKeys> {
        let fields = self.spec.schema.fields();
        let same = |(key, field): (&ArrayRef, &FieldRef)| key.data_type() == field.data_type();
        if keys.iter().zip(fields).all(same) {
            return Ok(TouchedKeys {
                columns: keys,
                rows: self.first_rows.clone(),
            });
        }
        Ok(TouchedKeys {
            columns: table.key_columns(&self.touched)?,
            rows: (0..self.touched.len() as u32).collect(),
        })
    }

    fn update(&mut self, input: &ColumnBatch, table: &mut GroupTable) -> Result<()> {
        for (row, group) in self.groups.iter().enumerate() {
            let sign = if input.kind(row).is_addition() { 1 } else { -1 };
            table.counts[*group as usize] += sign;
        }
        let evaluated = evaluate_calls(&self.spec.calls, input.records())?;
        table
            .accumulators
            .update(&evaluated, &self.groups, input.kinds())
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
        let input = downcast::<ColumnBatch>(payload)?;
        let handle = self.table;
        let table = ctx.states_mut().get_mut(&handle);
        let keys = self.apply(&input, table)?;
        if self.spec.batch_mode {
            self.update(&input, table)?;
            return Ok(Progress::Done);
        }
        table.touch(&self.groups, &mut self.touched, &mut self.first_rows);
        let keys = self.touched_keys(keys, table)?;
        let was_live: Vec<bool> = table.live(&self.touched);
        let before = table.accumulators.results(&self.touched)?;
        self.update(&input, table)?;
        let is_live = table.live(&self.touched);
        let after = table.accumulators.results(&self.touched)?;
        self.emit_changes(&keys, &before, &was_live, &after, &is_live, out)?;
        // A group without rows starts from nothing when it comes back.
        for (group, live) in self.touched.iter().zip(&is_live) {
            if !live && table.counts[*group as usize] == 0 {
                table.accumulators.clear(*group);
            }
        }
        Ok(Progress::Done)
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        if !self.spec.batch_mode {
            return Ok(Progress::Done);
        }
        let first = ctx.info().index == 0;
        let table = ctx.states_mut().get_mut(&self.table);
        if self.spec.keys.is_empty() && first {
            table.global();
            table.grow();
            table.counts[0] = table.counts[0].max(1);
        }
        let all: Vec<u32> = (0..table.counts.len() as u32)
            .filter(|g| table.counts[*g as usize] > 0)
            .collect();
        for groups in all.chunks(out.rows_max()) {
            let mut columns = table.key_columns(groups)?;
            columns.extend(table.accumulators.results(groups)?);
            let records: RecordBatch = batch(&self.spec.schema, columns, groups.len())?;
            out.emit(Box::new(ColumnBatch::insertions(records)));
        }
        Ok(Progress::Done)
    }
}

/// Groups and their accumulators.
pub struct GroupTable {
    keys: GroupKeys,
    accumulators: Accumulators,
    // Rows of each group: it lives while there are more than none.
    counts: Vec<i64>,
    marks: Vec<bool>,
}

impl GroupTable {
    fn new(spec: &GroupAggregateSpec) -> Result<Self> {
        let types = spec.schema.fields()[..spec.keys.len()]
            .iter()
            .map(|f| f.data_type().clone())
            .collect();
        // A group is emptied when its last row was retracted.
        let changes = Changes {
            retracts: spec.updates,
            clears: spec.updates,
        };
        Ok(GroupTable {
            keys: GroupKeys::new(types),
            accumulators: Accumulators::new(&spec.calls, changes)?,
            counts: Vec::new(),
            marks: Vec::new(),
        })
    }

    /// Makes sure that the one group of a global aggregate exists.
    fn global(&mut self) {
        if self.counts.is_empty() {
            self.counts.push(0);
        }
    }

    fn grow(&mut self) {
        let groups = self.keys.len().max(self.counts.len());
        self.counts.resize(groups, 0);
        self.marks.resize(groups, false);
        self.accumulators.resize(groups);
    }

    fn key_columns(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        // Without group columns there are no keys to ask for.
        if self.keys.is_empty() {
            return Ok(Vec::new());
        }
        self.keys.columns(groups)
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
            .map(|group| self.counts[*group as usize] > 0)
            .collect()
    }
}

impl StateTable for GroupTable {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn freeze(&mut self, freezing: &Freezing) -> Arc<dyn FrozenEntries> {
        let max_parallelism = freezing.max_parallelism;
        written(|sink| {
            let all: Vec<u32> = (0..self.counts.len() as u32)
                .filter(|g| self.counts[*g as usize] != 0)
                .collect();
            let written =
                write_groups(&self.keys, &self.accumulators, &all, |group, key, state| {
                    let mut bytes = Vec::new();
                    (key.len() as u32).encode(&mut bytes);
                    bytes.extend_from_slice(key);
                    self.counts[group as usize].encode(&mut bytes);
                    bytes.extend_from_slice(state);
                    sink(
                        Some(key_group(stable_hash_bytes(key), max_parallelism)),
                        &bytes,
                    );
                });
            assert!(
                written.is_ok(),
                "accumulators in memory can be written: {written:?}"
            );
        })
    }

    fn restore(
        &mut self,
        mut entry: &[u8],
        _: Option<&mut dyn ErasedKeyIndex>,
        _: &mut dyn FnMut(Slot),
    ) -> Result<()> {
        let len = take_len(&mut entry, 1)?;
        let key = take_bytes(&mut entry, len)?;
        let group = if key.is_empty() {
            self.global();
            0
        } else {
            self.keys.intern_bytes(key)?
        };
        self.grow();
        self.counts[group as usize] = i64::decode(&mut entry)?;
        read_group(&mut self.accumulators, group, entry)
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
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

/// Calls `each` with group, key bytes and state bytes of some groups.
///
/// # Errors
/// `Unsupported` for a state without a canonical form.
pub fn write_groups(
    keys: &GroupKeys,
    accumulators: &Accumulators,
    groups: &[u32],
    mut each: impl FnMut(u32, &[u8], &[u8]),
) -> Result<()> {
    let columns = accumulators.state(groups)?;
    let codec = RowCodec::new(columns.iter().map(|c| c.data_type().clone()).collect());
    let (mut key, mut state) = (Vec::new(), Vec::new());
    for (row, group) in groups.iter().enumerate() {
        key.clear();
        state.clear();
        if (*group as usize) < keys.len() {
            keys.write_key(*group, &mut key);
        }
        codec.encode(&columns, row, &mut state)?;
        each(*group, &key, &state);
    }
    Ok(())
}

/// Merges the state bytes of one group.
///
/// # Errors
/// `Corrupt` if the bytes are no such state.
pub fn read_group(accumulators: &mut Accumulators, group: u32, state: &[u8]) -> Result<()> {
    let columns = RowCodec::new(accumulators.state_types()).decode([state])?;
    accumulators.merge(&[group], &columns)
}
