//! A join of two changing tables: both sides are kept for ever.
//!
//! | Contract |                                                                              |
//! |----------|------------------------------------------------------------------------------|
//! | Input    | two changelogs, each keyed by the join key                                   |
//! | Output   | a changelog of `+I` and `-D`; insertions only for an inner join of insertions |
//! | Outer    | a padded row is retracted at the first match and comes back after the last   |
//! | State    | `left`, `right`: all living rows; unbounded                                  |
//! | Cost     | one look-up a row, one gather a pair; output is bounded by pausing           |
//! | Source   | Flink SQL, Regular Joins                                                     |

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_select::take::take;
use thalweg_columnar::{ColumnBatch, RowId, RowKind, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::{Error, Result};
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::TableHandle;

use super::expr::{batch, evaluate_all, evaluate_condition};
use super::hash_join::{JoinKind, SharedJoin, null_keys};
use super::join_side::JoinSide;

/// The operator.
pub struct RegularJoin {
    spec: SharedJoin,
    sides: [TableHandle<JoinSide>; 2],
    work: Option<Work>,
}

/// A batch that is being joined.
struct Work {
    port: usize,
    input: ColumnBatch,
    // By row: the key's number on its own side and on the other; `None` for a NULL key.
    own_keys: Vec<u32>,
    other_keys: Vec<Option<u32>>,
    stored: Option<thalweg_columnar::StoredBatch>,
    next: usize,
}

/// Output under construction: rows of the input, rows of the other side, kinds.
#[derive(Default)]
struct Emission {
    // Row of the input or, for padded rows of the other side, none.
    own: Vec<Option<u32>>,
    other: Vec<Option<RowId>>,
    kinds: Vec<u8>,
    forget: Vec<RowId>,
}

impl Emission {
    fn push(&mut self, own: Option<u32>, other: Option<RowId>, kind: RowKind) {
        self.own.push(own);
        self.other.push(other);
        self.kinds.push(kind as u8);
    }
}

impl RegularJoin {
    /// Declares the state.
    pub fn new(spec: SharedJoin, setup: &mut Setup<'_>) -> Self {
        let left = JoinSide::new(spec.key_types.clone(), spec.left.clone());
        let right = JoinSide::new(spec.key_types.clone(), spec.right.clone());
        let sides = [
            setup.states.table("left", left),
            setup.states.table("right", right),
        ];
        RegularJoin {
            spec,
            sides,
            work: None,
        }
    }

    fn begin(&mut self, port: usize, input: ColumnBatch, ctx: &mut Context) -> Result<()> {
        let expressions = if port == 0 {
            &self.spec.left_keys
        } else {
            &self.spec.right_keys
        };
        let keys = evaluate_all(expressions, input.records())?;
        let rows = input.num_rows();
        let (mut own_keys, mut other_keys) = (Vec::new(), Vec::new());
        let own = ctx.states_mut().get_mut(&self.sides[port]);
        own.intern(&keys, rows, &mut own_keys)?;
        let adds = (0..rows).any(|row| input.kind(row).is_addition());
        let stored = adds
            .then(|| own.add_batch(input.records().clone()))
            .transpose()?;
        let other = ctx.states_mut().get_mut(&self.sides[1 - port]);
        other.intern(&keys, rows, &mut other_keys)?;
        let nulls = null_keys(&keys);
        let other_keys = other_keys
            .into_iter()
            .enumerate()
            .map(|(row, key)| {
                nulls
                    .as_ref()
                    .is_none_or(|nulls| !nulls.value(row))
                    .then_some(key)
            })
            .collect();
        self.work = Some(Work {
            port,
            input,
            own_keys,
            other_keys,
            stored,
            next: 0,
        });
        Ok(())
    }

    fn drive(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        let Some(mut work) = self.work.take() else {
            return Ok(Progress::Done);
        };
        while work.next < work.input.num_rows() {
            if out.is_full() {
                self.work = Some(work);
                return Ok(Progress::Pending);
            }
            self.advance(&mut work, ctx, out)?;
        }
        Ok(Progress::Done)
    }

    /// Joins the next rows, as many as give about a batch of pairs.
    fn advance(&mut self, work: &mut Work, ctx: &mut Context, out: &mut Outputs) -> Result<()> {
        let other = ctx.states().get(&self.sides[1 - work.port]);
        let (mut rows, mut ids) = (Vec::new(), Vec::new());
        let first = work.next;
        while work.next < work.input.num_rows() && ids.len() < out.rows_max() {
            if let Some(key) = work.other_keys[work.next] {
                for id in other.chain(key) {
                    rows.push(work.next as u32);
                    ids.push(id);
                }
            }
            work.next += 1;
        }
        self.keep_matching(work, other, &mut rows, &mut ids)?;
        let mut emission = Emission::default();
        let mut pair = 0;
        for row in first..work.next {
            let start = pair;
            while pair < rows.len() && rows[pair] as usize == row {
                pair += 1;
            }
            self.join_row(work, row, &ids[start..pair], ctx, &mut emission)?;
        }
        self.emit(work, emission, ctx, out)
    }

    fn keep_matching(
        &self,
        work: &Work,
        other: &JoinSide,
        rows: &mut Vec<u32>,
        ids: &mut Vec<RowId>,
    ) -> Result<()> {
        let Some(condition) = &self.spec.condition else {
            return Ok(());
        };
        if rows.is_empty() {
            return Ok(());
        }
        let positions = UInt32Array::from(rows.clone());
        let own = take_all(work.input.records(), &positions)?;
        let others = other.rows().columns(ids)?;
        let columns = if work.port == 0 {
            [own, others]
        } else {
            [others, own]
        }
        .concat();
        let pairs = batch(&self.spec.pairs, columns, rows.len())?;
        let mask = evaluate_condition(condition, &pairs)?;
        let mut at = 0;
        rows.retain(|_| {
            at += 1;
            mask.value(at - 1)
        });
        at = 0;
        ids.retain(|_| {
            at += 1;
            mask.value(at - 1)
        });
        Ok(())
    }

    fn join_row(
        &self,
        work: &Work,
        row: usize,
        matching: &[RowId],
        ctx: &mut Context,
        emission: &mut Emission,
    ) -> Result<()> {
        let added = work.input.kind(row).is_addition();
        let kind = if added {
            RowKind::Insert
        } else {
            RowKind::Delete
        };
        let own_side = ctx.states_mut().get_mut(&self.sides[work.port]);
        let key = work.own_keys[row];
        if added {
            let stored = work
                .stored
                .as_ref()
                .ok_or_else(|| Error::internal("no kept batch"))?;
            let id = own_side.insert(stored, row, key);
            own_side.matches[id.0 as usize] = matching.len() as u32;
        } else {
            match own_side.remove(work.input.records().columns(), row, key)? {
                Some(id) => emission.forget.push(id),
                // Its addition was never seen or has expired: there is nothing to retract.
                None => return Ok(()),
            }
        }
        if self.spec.kind.left_only() {
            if work.port == 1 {
                self.test_left_rows(matching, added, ctx, emission);
            } else if matching.is_empty() == (self.spec.kind == JoinKind::Anti) {
                emission.push(Some(row as u32), None, kind);
            }
        } else {
            self.pair_row(work.port, row as u32, matching, kind, ctx, emission);
        }
        Ok(())
    }

    /// Emits the pairs of a row, and what they mean for padded rows of both sides.
    fn pair_row(
        &self,
        port: usize,
        row: u32,
        matching: &[RowId],
        kind: RowKind,
        ctx: &mut Context,
        emission: &mut Emission,
    ) {
        let pads = [self.spec.kind.pads_left(), self.spec.kind.pads_right()];
        if matching.is_empty() && pads[port] {
            emission.push(Some(row), None, kind);
        }
        let other = ctx.states_mut().get_mut(&self.sides[1 - port]);
        for id in matching {
            let count = &mut other.matches[id.0 as usize];
            if kind.is_addition() {
                *count += 1;
                if *count == 1 && pads[1 - port] {
                    emission.push(None, Some(*id), RowKind::Delete);
                }
                emission.push(Some(row), Some(*id), kind);
            } else {
                *count = count.saturating_sub(1);
                emission.push(Some(row), Some(*id), kind);
                if *count == 0 && pads[1 - port] {
                    emission.push(None, Some(*id), RowKind::Insert);
                }
            }
        }
    }

    /// A right row of a semi or anti join: left rows appear or vanish at their first or last match.
    fn test_left_rows(
        &self,
        matching: &[RowId],
        added: bool,
        ctx: &mut Context,
        emission: &mut Emission,
    ) {
        let semi = self.spec.kind == JoinKind::Semi;
        let left = ctx.states_mut().get_mut(&self.sides[0]);
        for id in matching {
            let count = &mut left.matches[id.0 as usize];
            let before = *count;
            *count = if added {
                before + 1
            } else {
                before.saturating_sub(1)
            };
            if (before == 0) == (*count == 0) {
                continue;
            }
            let there = (*count > 0) == semi;
            emission.push(
                None,
                Some(*id),
                if there {
                    RowKind::Insert
                } else {
                    RowKind::Delete
                },
            );
        }
    }

    fn emit(
        &self,
        work: &Work,
        emission: Emission,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<()> {
        if !emission.kinds.is_empty() {
            let other = ctx.states().get(&self.sides[1 - work.port]);
            let own = own_columns(work.input.records(), &emission.own)?;
            let others = other_columns(other, &emission.other)?;
            let columns = match (self.spec.kind.left_only(), work.port) {
                (true, 0) => own,
                (true, _) => others,
                (false, 0) => [own, others].concat(),
                (false, _) => [others, own].concat(),
            };
            let records = batch(&self.spec.output, columns, emission.kinds.len())?;
            out.emit(Box::new(ColumnBatch::changelog(records, emission.kinds)));
        }
        let own = ctx.states_mut().get_mut(&self.sides[work.port]);
        emission.forget.into_iter().for_each(|id| own.forget(id));
        Ok(())
    }
}

fn take_all(records: &RecordBatch, rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
    records
        .columns()
        .iter()
        .map(|c| take(c, rows, None).map_err(arrow_error))
        .collect()
}

fn own_columns(records: &RecordBatch, rows: &[Option<u32>]) -> Result<Vec<ArrayRef>> {
    take_all(records, &UInt32Array::from(rows.to_vec()))
}

fn other_columns(side: &JoinSide, ids: &[Option<RowId>]) -> Result<Vec<ArrayRef>> {
    let present: Vec<RowId> = ids.iter().flatten().copied().collect();
    if present.is_empty() {
        let fields = side.rows().schema().fields();
        return Ok(fields
            .iter()
            .map(|f| new_null_array(f.data_type(), ids.len()))
            .collect());
    }
    let columns = side.rows().columns(&present)?;
    if present.len() == ids.len() {
        return Ok(columns);
    }
    let mut next = 0u32;
    let places: UInt32Array = ids
        .iter()
        .map(|id| {
            id.map(|_| {
                next += 1;
                next - 1
            })
        })
        .collect();
    columns
        .iter()
        .map(|column| take(column, &places, None).map_err(arrow_error))
        .collect()
}

impl BatchOperator for RegularJoin {
    fn process(
        &mut self,
        port: usize,
        payload: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.begin(port, *downcast::<ColumnBatch>(payload)?, ctx)?;
        self.drive(ctx, out)
    }

    fn resume(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.drive(ctx, out)
    }
}
