//! `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) <= n`, kept up to date.
//!
//! | Contract |                                                                               |
//! |----------|-------------------------------------------------------------------------------|
//! | Input    | any changelog, keyed by the partition columns                                 |
//! | Output   | a whole changelog of the first `n` rows of every partition, once a batch      |
//! | Rank     | with the row number in the output, every shifted row is updated; without it,  |
//! |          | only rows that come and go                                                    |
//! | Ties     | in order of arrival                                                           |
//! | State    | `partitions`: the first `n` rows of insertions, all rows of a changelog       |
//! | Cost     | one look-up and one comparison a row that is not among the first              |
//! | Source   | Flink SQL, Top-N and Deduplication                                            |

use std::any::Any;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use datafusion_common::arrow::row::{RowConverter, Rows, SortField};
use thalweg_columnar::{ColumnBatch, GroupKeys, RowCodec, RowId, RowKind, RowStore, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{Data, Schema, take_bytes, take_len};
use thalweg_core::error::Result;
use thalweg_core::key_group::{key_group, stable_hash_bytes};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::{EntrySink, ErasedKeyIndex, Slot, StateTable, TableHandle};

use super::expr::{Expression, batch, evaluate_all};

/// One `ORDER BY` item.
#[derive(Clone)]
pub struct SortKey {
    /// What is compared.
    pub expression: Expression,
    /// Its type.
    pub data_type: DataType,
    /// Whether large values come first.
    pub descending: bool,
    /// Whether NULLs come first.
    pub nulls_first: bool,
}

impl SortKey {
    /// The same for a row converter.
    pub fn field(&self) -> SortField {
        let options = arrow_schema::SortOptions {
            descending: self.descending,
            nulls_first: self.nulls_first,
        };
        SortField::new_with_options(self.data_type.clone(), options)
    }
}

/// What the operator is built from.
#[derive(Clone)]
pub struct TopNSpec {
    /// The partition columns.
    pub partition: Vec<Expression>,
    /// Their types.
    pub partition_types: Vec<DataType>,
    /// The order.
    pub order: Vec<SortKey>,
    /// The first row number in the output, from 1.
    pub from: usize,
    /// The last row number in the output.
    pub to: usize,
    /// Whether the output ends in the row number.
    pub with_rank: bool,
    /// Whether a later row replaces an equal earlier one: keep-last deduplication.
    pub last_wins: bool,
    /// Whether the input retracts.
    pub updates: bool,
    /// Whether only final rows are wanted.
    pub batch_mode: bool,
    /// The input's columns.
    pub input: SchemaRef,
    /// The output's columns.
    pub schema: SchemaRef,
}

/// The operator.
pub struct TopN {
    spec: TopNSpec,
    table: TableHandle<PartitionTable>,
    converter: RowConverter,
    // The sort keys of a batch, and its groups.
    order: Rows,
    groups: Vec<u32>,
}

impl TopN {
    /// Declares the state.
    ///
    /// # Errors
    /// `User` for a type that has no order.
    pub fn new(spec: TopNSpec, setup: &mut Setup<'_>) -> Result<Self> {
        let table = PartitionTable::new(&spec)?;
        let converter = converter(&spec)?;
        let table = setup.states.table("partitions", table);
        Ok(TopN {
            spec,
            table,
            order: converter.empty_rows(0, 0),
            converter,
            groups: Vec::new(),
        })
    }
}

fn converter(spec: &TopNSpec) -> Result<RowConverter> {
    RowConverter::new(spec.order.iter().map(SortKey::field).collect()).map_err(arrow_error)
}

impl BatchOperator for TopN {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let input = downcast::<ColumnBatch>(payload)?;
        let rows = input.num_rows();
        let keys = evaluate_all(&self.spec.partition, input.records())?;
        let expressions: Vec<Expression> = self
            .spec
            .order
            .iter()
            .map(|key| key.expression.clone())
            .collect();
        let order = evaluate_all(&expressions, input.records())?;
        self.order.clear();
        self.converter
            .append(&mut self.order, &order)
            .map_err(arrow_error)?;
        let table = ctx.states_mut().get_mut(&self.table);
        self.groups.clear();
        if keys.is_empty() {
            self.groups.resize(rows, 0);
        } else {
            table.keys.intern(&keys, rows, &mut self.groups)?;
        }
        table.apply(&self.spec, &input, &self.groups, &self.order)?;
        if self.spec.batch_mode {
            table.settle();
        } else {
            table.emit_changes(&self.spec, out)?;
        }
        Ok(Progress::Done)
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        if self.spec.batch_mode {
            ctx.states_mut()
                .get_mut(&self.table)
                .emit_all(&self.spec, out)?;
        }
        Ok(Progress::Done)
    }
}

struct Ranked {
    order: Box<[u8]>,
    row: RowId,
}

/// The kept rows of every partition, in order.
pub struct PartitionTable {
    keys: GroupKeys,
    rows: RowStore,
    codec: RowCodec,
    partitions: Vec<Vec<Ranked>>,
    // The first rows of each touched partition as they were when the batch began.
    before: Vec<(u32, Vec<RowId>)>,
    touched: Vec<bool>,
    // Rows that left the state, but may still have to be emitted.
    gone: Vec<RowId>,
}

impl PartitionTable {
    fn new(spec: &TopNSpec) -> Result<Self> {
        converter(spec)?;
        let types = spec
            .input
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        Ok(PartitionTable {
            keys: GroupKeys::new(spec.partition_types.clone()),
            rows: RowStore::new(spec.input.clone()),
            codec: RowCodec::new(types),
            partitions: Vec::new(),
            before: Vec::new(),
            touched: Vec::new(),
            gone: Vec::new(),
        })
    }

    fn apply(
        &mut self,
        spec: &TopNSpec,
        input: &ColumnBatch,
        groups: &[u32],
        order: &Rows,
    ) -> Result<()> {
        let partitions = groups.iter().max().map_or(0, |max| *max as usize + 1);
        if self.partitions.len() < partitions {
            self.partitions.resize_with(partitions, Vec::new);
            self.touched.resize(partitions, false);
        }
        // Of insertions, most rows never get among the first: only those that do are kept.
        let stored = if spec.updates {
            Some(self.rows.add_batch(input.records().clone())?)
        } else {
            None
        };
        for (row, group) in groups.iter().enumerate() {
            let key = order.row(row);
            let key: &[u8] = key.as_ref();
            if !input.kind(row).is_addition() {
                self.touch(spec, *group);
                self.remove(input.records().columns(), row, *group, key)?;
                continue;
            }
            let ranked = &self.partitions[*group as usize];
            let at = if spec.last_wins {
                ranked.partition_point(|kept| *kept.order < *key)
            } else {
                ranked.partition_point(|kept| *kept.order <= *key)
            };
            if at >= spec.to && !spec.updates {
                continue;
            }
            self.touch(spec, *group);
            let id = match &stored {
                Some(stored) => self.rows.insert(stored, row),
                None => self.rows.insert_waiting(row),
            };
            let ranked = &mut self.partitions[*group as usize];
            ranked.insert(
                at,
                Ranked {
                    order: key.into(),
                    row: id,
                },
            );
            if !spec.updates && ranked.len() > spec.to {
                match ranked.pop().map(|ranked| ranked.row) {
                    // It came with this batch and has not been emitted.
                    Some(row) if self.rows.is_waiting(row) => self.rows.remove(row),
                    gone => self.gone.extend(gone),
                }
            }
        }
        self.rows.keep_waiting(input.records())
    }

    fn touch(&mut self, spec: &TopNSpec, group: u32) {
        let touched = &mut self.touched[group as usize];
        if !std::mem::replace(touched, true) {
            let first = self.partitions[group as usize].iter().take(spec.to);
            self.before
                .push((group, first.map(|ranked| ranked.row).collect()));
        }
    }

    fn remove(&mut self, columns: &[ArrayRef], row: usize, group: u32, key: &[u8]) -> Result<()> {
        let (mut wanted, mut found) = (Vec::new(), Vec::new());
        self.codec.encode(columns, row, &mut wanted)?;
        let ranked = &mut self.partitions[group as usize];
        let start = ranked.partition_point(|kept| *kept.order < *key);
        for at in start..ranked.len() {
            if *ranked[at].order != *key {
                break;
            }
            let (kept, place) = self.rows.place(ranked[at].row);
            found.clear();
            self.codec.encode(kept.columns(), place, &mut found)?;
            if found == wanted {
                self.gone.push(ranked.remove(at).row);
                break;
            }
        }
        Ok(())
    }

    fn emit_changes(&mut self, spec: &TopNSpec, out: &mut Outputs) -> Result<()> {
        let mut changes = Changes::default();
        for (group, before) in std::mem::take(&mut self.before) {
            self.touched[group as usize] = false;
            let after: Vec<RowId> = self.partitions[group as usize]
                .iter()
                .take(spec.to)
                .map(|r| r.row)
                .collect();
            if spec.with_rank {
                changes.by_rank(&before, &after, spec);
            } else {
                changes.by_row(&before, &after, spec);
            }
        }
        if !changes.kinds.is_empty() {
            let records = self.output(spec, &changes.rows, &changes.ranks)?;
            out.emit(Box::new(ColumnBatch::changelog(records, changes.kinds)));
        }
        self.settle();
        Ok(())
    }

    fn settle(&mut self) {
        for (group, _) in self.before.drain(..) {
            self.touched[group as usize] = false;
        }
        for row in self.gone.drain(..) {
            self.rows.remove(row);
        }
    }

    fn emit_all(&mut self, spec: &TopNSpec, out: &mut Outputs) -> Result<()> {
        let (mut rows, mut ranks) = (Vec::new(), Vec::new());
        for ranked in &self.partitions {
            for (at, ranked) in ranked.iter().enumerate().take(spec.to).skip(spec.from - 1) {
                rows.push(ranked.row);
                ranks.push(at as i64 + 1);
            }
        }
        for (rows, ranks) in rows
            .chunks(out.rows_max())
            .zip(ranks.chunks(out.rows_max()))
        {
            out.emit(Box::new(ColumnBatch::insertions(
                self.output(spec, rows, ranks)?,
            )));
        }
        Ok(())
    }

    fn output(&self, spec: &TopNSpec, rows: &[RowId], ranks: &[i64]) -> Result<RecordBatch> {
        let mut columns = self.rows.columns(rows)?;
        if spec.with_rank {
            columns.push(Arc::new(Int64Array::from(ranks.to_vec())));
        }
        batch(&spec.schema, columns, rows.len())
    }
}

/// What changed among the first rows of partitions.
#[derive(Default)]
struct Changes {
    rows: Vec<RowId>,
    ranks: Vec<i64>,
    kinds: Vec<u8>,
}

impl Changes {
    fn push(&mut self, row: RowId, rank: usize, kind: RowKind) {
        self.rows.push(row);
        self.ranks.push(rank as i64 + 1);
        self.kinds.push(kind as u8);
    }

    fn update(&mut self, old: RowId, new: RowId, rank: usize) {
        self.push(old, rank, RowKind::UpdateBefore);
        self.push(new, rank, RowKind::UpdateAfter);
    }

    fn by_rank(&mut self, before: &[RowId], after: &[RowId], spec: &TopNSpec) {
        for rank in spec.from - 1..before.len().max(after.len()) {
            match (before.get(rank), after.get(rank)) {
                (Some(old), Some(new)) if old != new => self.update(*old, *new, rank),
                (Some(old), None) => self.push(*old, rank, RowKind::Delete),
                (None, Some(new)) => self.push(*new, rank, RowKind::Insert),
                _ => {}
            }
        }
    }

    fn by_row(&mut self, before: &[RowId], after: &[RowId], spec: &TopNSpec) {
        let before = before.get(spec.from - 1..).unwrap_or(&[]);
        let after = after.get(spec.from - 1..).unwrap_or(&[]);
        let mut left: Vec<RowId> = before
            .iter()
            .filter(|row| !after.contains(row))
            .copied()
            .collect();
        let mut came: Vec<RowId> = after
            .iter()
            .filter(|row| !before.contains(row))
            .copied()
            .collect();
        if let (1, [old], [new]) = (spec.to, left.as_slice(), came.as_slice()) {
            self.update(*old, *new, 0);
            return;
        }
        left.drain(..)
            .for_each(|row| self.push(row, 0, RowKind::Delete));
        came.drain(..)
            .for_each(|row| self.push(row, 0, RowKind::Insert));
    }
}

impl StateTable for PartitionTable {
    fn schema(&self) -> Schema {
        Schema::Bytes
    }

    fn snapshot(
        &self,
        _: Option<&dyn ErasedKeyIndex>,
        max_parallelism: u32,
        sink: &mut EntrySink<'_>,
    ) {
        let mut key = Vec::new();
        for (group, ranked) in self.partitions.iter().enumerate() {
            key.clear();
            if group < self.keys.len() {
                self.keys.write_key(group as u32, &mut key);
            }
            for (at, ranked) in ranked.iter().enumerate() {
                let mut bytes = Vec::new();
                (key.len() as u32).encode(&mut bytes);
                bytes.extend_from_slice(&key);
                (at as u32).encode(&mut bytes);
                ranked.order.to_vec().encode(&mut bytes);
                let (kept, row) = self.rows.place(ranked.row);
                let written = self.codec.encode(kept.columns(), row, &mut bytes);
                assert!(
                    written.is_ok(),
                    "rows in memory can be written: {written:?}"
                );
                sink(
                    Some(key_group(stable_hash_bytes(&key), max_parallelism)),
                    &bytes,
                );
            }
        }
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
            0
        } else {
            self.keys.intern_bytes(key)? as usize
        };
        let at = u32::decode(&mut entry)? as usize;
        let order = Vec::<u8>::decode(&mut entry)?.into_boxed_slice();
        let columns = self.codec.decode([entry])?;
        let records = batch(&self.rows.schema().clone(), columns, 1)?;
        let stored = self.rows.add_batch(records)?;
        let row = self.rows.insert(&stored, 0);
        if self.partitions.len() <= group {
            self.partitions.resize_with(group + 1, Vec::new);
            self.touched.resize(group + 1, false);
        }
        // A partition's rows come in their order.
        let ranked = &mut self.partitions[group];
        ranked.insert(at.min(ranked.len()), Ranked { order, row });
        Ok(())
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
