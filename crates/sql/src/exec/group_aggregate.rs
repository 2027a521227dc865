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

use arrow::compute::kernels::cmp::distinct;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::BooleanBuffer;
use arrow_schema::SchemaRef;
use arrow_select::interleave::interleave;
use thalweg_columnar::{ColumnBatch, EncodedRows, GroupKeys, RowCodec, RowKind, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{Data, Schema, take_bytes, take_len};
use thalweg_core::error::{Error, Result};
use thalweg_core::key_group::{key_group, stable_hash_bytes};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::{EntrySink, ErasedKeyIndex, Slot, StateTable, TableHandle};

use super::aggregate::{Accumulator, AggregateCall, accumulators, update_all};
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
    touched: Vec<u32>,
    groups: Vec<u32>,
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
            groups: Vec::new(),
        })
    }

    fn rows(&self, table: &GroupTable, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = if self.spec.keys.is_empty() {
            Vec::new()
        } else {
            table.keys.columns(groups)?
        };
        for accumulator in &table.accumulators {
            columns.push(accumulator.result(groups)?);
        }
        Ok(columns)
    }

    fn emit_changes(
        &self,
        before: &[ArrayRef],
        was_live: &[bool],
        after: &[ArrayRef],
        is_live: &[bool],
        out: &mut Outputs,
    ) -> Result<()> {
        // The keys are the same before and after.
        let results = self.spec.keys.len()..;
        let changed = changed_rows(&before[results.clone()], &after[results], was_live.len())?;
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
        let columns: Result<Vec<ArrayRef>> = before
            .iter()
            .zip(after)
            .map(|(b, a)| interleave(&[b.as_ref(), a.as_ref()], &picks).map_err(arrow_error))
            .collect();
        let records = batch(&self.spec.schema, columns?, picks.len())?;
        out.emit(Box::new(ColumnBatch::changelog(records, kinds)));
        Ok(())
    }

    fn apply(&mut self, input: &ColumnBatch, table: &mut GroupTable) -> Result<()> {
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
        Ok(())
    }

    fn update(&mut self, input: &ColumnBatch, table: &mut GroupTable) -> Result<()> {
        for (row, group) in self.groups.iter().enumerate() {
            let sign = if input.kind(row).is_addition() { 1 } else { -1 };
            table.counts[*group as usize] += sign;
        }
        let evaluated: Result<Vec<_>> = self
            .spec
            .calls
            .iter()
            .map(|call| call.evaluate(input.records()))
            .collect();
        update_all(
            &mut table.accumulators,
            &evaluated?,
            &self.groups,
            input.kinds(),
        )
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
        self.apply(&input, table)?;
        if self.spec.batch_mode {
            self.update(&input, table)?;
            return Ok(Progress::Done);
        }
        table.touch(&self.groups, &mut self.touched);
        let was_live: Vec<bool> = table.live(&self.touched);
        let before = self.rows(table, &self.touched)?;
        self.update(&input, table)?;
        let is_live = table.live(&self.touched);
        let after = self.rows(table, &self.touched)?;
        self.emit_changes(&before, &was_live, &after, &is_live, out)?;
        // A group without rows starts from nothing when it comes back.
        for (group, live) in self.touched.iter().zip(&is_live) {
            if !live && table.counts[*group as usize] == 0 {
                table.clear(*group);
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
            let columns = self.rows(table, groups)?;
            let records: RecordBatch = batch(&self.spec.schema, columns, groups.len())?;
            out.emit(Box::new(ColumnBatch::insertions(records)));
        }
        Ok(Progress::Done)
    }
}

/// Groups and their accumulators.
pub struct GroupTable {
    keys: GroupKeys,
    accumulators: Vec<Box<dyn Accumulator>>,
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
        Ok(GroupTable {
            keys: GroupKeys::new(types),
            accumulators: accumulators(&spec.calls, spec.updates)?,
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
        for accumulator in &mut self.accumulators {
            accumulator.resize(groups);
        }
    }

    /// The distinct groups of a batch in order of appearance.
    fn touch(&mut self, groups: &[u32], touched: &mut Vec<u32>) {
        touched.clear();
        for group in groups {
            let mark = &mut self.marks[*group as usize];
            if !*mark {
                *mark = true;
                touched.push(*group);
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

    fn clear(&mut self, group: u32) {
        for accumulator in &mut self.accumulators {
            accumulator.clear(group);
        }
    }
}

impl StateTable for GroupTable {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn snapshot(
        &self,
        _: Option<&dyn ErasedKeyIndex>,
        max_parallelism: u32,
        sink: &mut EntrySink<'_>,
    ) {
        let all: Vec<u32> = (0..self.counts.len() as u32)
            .filter(|g| self.counts[*g as usize] != 0)
            .collect();
        let written = write_groups(&self.keys, &self.accumulators, &all, |group, key, state| {
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
    accumulators: &[Box<dyn Accumulator>],
    groups: &[u32],
    mut each: impl FnMut(u32, &[u8], &[u8]),
) -> Result<()> {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for accumulator in accumulators {
        columns.extend(accumulator.state(groups)?);
    }
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
pub fn read_group(
    accumulators: &mut [Box<dyn Accumulator>],
    group: u32,
    state: &[u8],
) -> Result<()> {
    let types = accumulators
        .iter()
        .flat_map(|accumulator| accumulator.state_types())
        .collect();
    let columns = RowCodec::new(types).decode([state])?;
    let mut rest = columns.as_slice();
    for accumulator in accumulators {
        let width = accumulator.state_types().len();
        if rest.len() < width {
            return Err(Error::corrupt("a stored accumulator is too short"));
        }
        let (own, others) = rest.split_at(width);
        accumulator.merge(&[group], own)?;
        rest = others;
    }
    Ok(())
}
