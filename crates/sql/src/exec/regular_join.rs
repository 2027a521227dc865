//! A join of two changing tables: both sides are kept, for ever or for a time to live.
//!
//! | Contract |                                                                              |
//! |----------|------------------------------------------------------------------------------|
//! | Input    | two changelogs, each keyed by the join key; or one of insertions in any     |
//! |          | distribution, and the other broadcast                                        |
//! | Output   | a changelog of `+I` and `-D`; insertions only for an inner join of insertions |
//! | Outer    | a padded row is retracted at the first match and comes back after the last   |
//! | State    | `left`, `right`: all living rows, until the time to live has passed since a  |
//! |          | row came or, where matches are counted, since its count changed              |
//! | Order    | pairs of an input batch in any order                                         |
//! | Cost     | one look-up a row, one gather a pair; output is bounded by pausing           |
//! | Source   | Flink SQL, Regular Joins                                                     |

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use thalweg_columnar::{BatchColumn, ColumnBatch, RowKind, arrow_error};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::Result;
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::TableHandle;

use super::expr::batch;
use super::hash_join::{JoinKind, SharedJoin};
use super::join_codes::KeyCodes;
use super::join_emission::Emission;
use super::join_pairs::{PairSide, Pairs, retain};
use super::join_side::{JoinSide, Keeps, Met};

/// The operator.
pub struct RegularJoin {
    spec: SharedJoin,
    // Pairs of key columns that are compared, because their codes may be equal by chance.
    compared: Vec<(usize, usize)>,
    sides: [TableHandle<JoinSide>; 2],
    work: Option<Work>,
}

/// A batch that is being joined.
struct Work {
    port: usize,
    input: ColumnBatch,
    keys: KeyCodes,
    met: Met,
    // Pairs only: an inner join of an insertions' batch.
    plain: bool,
    // How far it came in `met.pairs`, in `met.rows`, and in the input if it is not plain.
    next_pair: usize,
    next_hit: usize,
    next_row: usize,
    // The number of the next added row: of the first one if it is plain.
    next_number: u32,
}

impl Work {
    fn is_done(&self) -> bool {
        if self.plain {
            self.next_pair == self.met.pairs.len() && self.next_hit == self.met.rows.len()
        } else {
            self.next_row == self.input.num_rows()
        }
    }

    /// Appends the indexed matches of the next row that has some.
    fn next_chain(&mut self, other: &JoinSide, rows: &mut Vec<u32>, numbers: &mut Vec<u32>) {
        other.chain(self.met.newest[self.next_hit], numbers);
        rows.resize(numbers.len(), self.met.rows[self.next_hit]);
        self.next_hit += 1;
    }
}

impl RegularJoin {
    /// Declares the state.
    pub fn new(spec: SharedJoin, setup: &mut Setup<'_>) -> Self {
        let counts = spec.kind != JoinKind::Inner;
        let keeps = Keeps {
            matches: counts,
            ttl: spec.ttl,
        };
        let left = JoinSide::new(spec.left_keys.clone(), spec.left.clone(), keeps);
        let right = JoinSide::new(spec.right_keys.clone(), spec.right.clone(), keeps);
        let mut declare = |port: usize, name: &str, side: JoinSide| {
            if spec.broadcast == Some(port) {
                setup.states.broadcast_table(name, side)
            } else {
                setup.states.table_with_lifetime(name, side)
            }
        };
        let sides = [declare(0, "left", left), declare(1, "right", right)];
        RegularJoin {
            compared: spec.compared_keys(),
            spec,
            sides,
            work: None,
        }
    }

    fn begin(
        &mut self,
        port: usize,
        input: ColumnBatch,
        pairs_max: usize,
        ctx: &mut Context,
    ) -> Result<()> {
        let plain = self.spec.kind == JoinKind::Inner && input.kinds().is_none();
        let now = ctx.now();
        for side in &self.sides {
            let side = ctx.states_mut().get_mut(side);
            side.begin_batch(input.num_rows(), now);
        }
        let own = ctx.states_mut().get_mut(&self.sides[port]);
        let width = own.schema().fields().len();
        let columns: Vec<BatchColumn> = (0..width).map(|at| input.column(at).into_kept()).collect();
        let keys = own.codes(&columns, input.num_rows())?;
        let next_number = if plain {
            own.append(columns, &keys)?
        } else {
            own.index_all();
            let added = additions(&input)?;
            let columns = added.columns().iter().cloned().map(BatchColumn::new);
            own.keep(columns.collect(), added.num_rows())?
        };
        let other = ctx.states_mut().get_mut(&self.sides[1 - port]);
        if !plain {
            other.index_all();
        }
        self.work = Some(Work {
            port,
            met: other.meet(&keys, pairs_max),
            input,
            keys,
            plain,
            next_pair: 0,
            next_hit: 0,
            next_row: 0,
            next_number,
        });
        Ok(())
    }

    fn drive(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        let Some(mut work) = self.work.take() else {
            return Ok(Progress::Done);
        };
        while !work.is_done() {
            if out.is_full() {
                self.work = Some(work);
                return Ok(Progress::Pending);
            }
            if work.plain {
                self.advance_plain(&mut work, ctx, out)?;
            } else {
                self.advance(&mut work, ctx, out)?;
            }
        }
        Ok(Progress::Done)
    }

    /// Emits the next pairs, about a batch of them.
    fn advance_plain(&self, work: &mut Work, ctx: &Context, out: &mut Outputs) -> Result<()> {
        let other = ctx.states().get(&self.sides[1 - work.port]);
        let waiting = work.met.pairs[work.next_pair..].iter();
        let (mut rows, mut numbers): (Vec<u32>, Vec<u32>) =
            waiting.take(out.rows_max()).copied().unzip();
        work.next_pair += rows.len();
        while work.next_hit < work.met.rows.len() && numbers.len() < out.rows_max() {
            work.next_chain(other, &mut rows, &mut numbers);
        }
        let own = ctx.states().get(&self.sides[work.port]);
        let mut pairs = self.matching(work, (own, other), &mut rows, &mut numbers)?;
        if !rows.is_empty() {
            let columns = pairs.columns(&self.spec.wanted)?;
            let records = batch(&self.spec.output, columns, rows.len())?;
            out.emit(Box::new(ColumnBatch::insertions(records)));
        }
        Ok(())
    }

    /// Joins the next rows one by one, as many as give about a batch of pairs.
    fn advance(&self, work: &mut Work, ctx: &mut Context, out: &mut Outputs) -> Result<()> {
        let other = ctx.states().get(&self.sides[1 - work.port]);
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        let first = work.next_row;
        while work.next_row < work.input.num_rows() && numbers.len() < out.rows_max() {
            let hit = work.met.rows.get(work.next_hit);
            if hit.is_some_and(|row| *row as usize == work.next_row) {
                work.next_chain(other, &mut rows, &mut numbers);
            }
            work.next_row += 1;
        }
        let own = ctx.states().get(&self.sides[work.port]);
        self.matching(work, (own, other), &mut rows, &mut numbers)?;
        let mut emission = Emission::default();
        let mut pair = 0;
        for row in first..work.next_row {
            let start = pair;
            while pair < rows.len() && rows[pair] as usize == row {
                pair += 1;
            }
            self.join_row(work, row, &numbers[start..pair], ctx, &mut emission)?;
        }
        self.emit(work, emission, ctx, out)
    }

    /// Keeps the pairs that really match, and what of their columns was gathered for it.
    fn matching<'a>(
        &self,
        work: &'a Work,
        (own, other): (&'a JoinSide, &'a JoinSide),
        rows: &mut Vec<u32>,
        numbers: &mut Vec<u32>,
    ) -> Result<Pairs<'a>> {
        let side_by_side = |rows: &[u32], numbers: &[u32]| {
            let own = if work.plain {
                // From where columns are kept, so that they are filtered once.
                let kept: Vec<u32> = rows.iter().map(|row| work.next_number + row).collect();
                PairSide::Kept(own.pick(&kept))
            } else {
                PairSide::rows(work.input.records(), rows)
            };
            let others = PairSide::Kept(other.pick(numbers));
            if work.port == 0 {
                Pairs::new(own, others, rows.len())
            } else {
                Pairs::new(others, own, rows.len())
            }
        };
        let mut pairs = side_by_side(rows, numbers);
        if rows.is_empty() {
            return Ok(pairs);
        }
        let condition = self.spec.condition.as_ref();
        let Some(mask) = pairs.matching(&self.compared, condition)? else {
            return Ok(pairs);
        };
        retain(rows, &mask);
        retain(numbers, &mask);
        let gathered = pairs.filtered(&mask)?;
        Ok(side_by_side(rows, numbers).with_gathered(gathered))
    }

    fn join_row(
        &self,
        work: &mut Work,
        row: usize,
        matching: &[u32],
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
        if added {
            let number = work.next_number;
            work.next_number += 1;
            own_side.link(&work.keys, row, number);
            if self.spec.kind != JoinKind::Inner {
                *own_side.matches_mut(number)? = matching.len() as u32;
            }
        } else if !own_side.remove(work.input.records(), &work.keys, row)? && !own_side.expires() {
            // Its addition was never seen: there is nothing to retract. Where rows expire, it may
            // have been, and so may what it was joined to.
            return Ok(());
        }
        if self.spec.kind.left_only() {
            if work.port == 1 {
                self.test_left_rows(matching, added, ctx, emission)?;
            } else if matching.is_empty() == (self.spec.kind == JoinKind::Anti) {
                emission.push(Some(row as u32), None, kind);
            }
        } else {
            self.pair_row(work.port, row as u32, matching, kind, ctx, emission)?;
        }
        Ok(())
    }

    /// Emits the pairs of a row, and what they mean for padded rows of both sides.
    fn pair_row(
        &self,
        port: usize,
        row: u32,
        matching: &[u32],
        kind: RowKind,
        ctx: &mut Context,
        emission: &mut Emission,
    ) -> Result<()> {
        let pads = [self.spec.kind.pads_left(), self.spec.kind.pads_right()];
        if matching.is_empty() && pads[port] {
            emission.push(Some(row), None, kind);
        }
        if self.spec.kind == JoinKind::Inner {
            for number in matching {
                emission.push(Some(row), Some(*number), kind);
            }
            return Ok(());
        }
        let other = ctx.states_mut().get_mut(&self.sides[1 - port]);
        for number in matching {
            let count = other.matches_mut(*number)?;
            if kind.is_addition() {
                *count += 1;
                if *count == 1 && pads[1 - port] {
                    emission.push(None, Some(*number), RowKind::Delete);
                }
                emission.push(Some(row), Some(*number), kind);
            } else {
                *count = count.saturating_sub(1);
                emission.push(Some(row), Some(*number), kind);
                if *count == 0 && pads[1 - port] {
                    emission.push(None, Some(*number), RowKind::Insert);
                }
            }
        }
        Ok(())
    }

    /// A right row of a semi or anti join: left rows appear or vanish at their first or last match.
    fn test_left_rows(
        &self,
        matching: &[u32],
        added: bool,
        ctx: &mut Context,
        emission: &mut Emission,
    ) -> Result<()> {
        let semi = self.spec.kind == JoinKind::Semi;
        let left = ctx.states_mut().get_mut(&self.sides[0]);
        for number in matching {
            let count = left.matches_mut(*number)?;
            let before = *count;
            *count = if added {
                before + 1
            } else {
                before.saturating_sub(1)
            };
            if (before == 0) == (*count == 0) {
                continue;
            }
            let kind = if (*count > 0) == semi {
                RowKind::Insert
            } else {
                RowKind::Delete
            };
            emission.push(None, Some(*number), kind);
        }
        Ok(())
    }

    fn emit(
        &self,
        work: &Work,
        emission: Emission,
        ctx: &Context,
        out: &mut Outputs,
    ) -> Result<()> {
        if emission.kinds.is_empty() {
            return Ok(());
        }
        let other = ctx.states().get(&self.sides[1 - work.port]);
        let columns = emission.columns(&self.spec, work.port, work.input.records(), other)?;
        let records = batch(&self.spec.output, columns, emission.kinds.len())?;
        out.emit(Box::new(ColumnBatch::changelog(records, emission.kinds)));
        Ok(())
    }
}

/// The rows that a batch adds.
fn additions(input: &ColumnBatch) -> Result<RecordBatch> {
    if input.kinds().is_none() {
        return Ok(input.records().clone());
    }
    let added = (0..input.num_rows()).map(|row| Some(input.kind(row).is_addition()));
    filter_record_batch(input.records(), &BooleanArray::from_iter(added)).map_err(arrow_error)
}

impl BatchOperator for RegularJoin {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let now = ctx.now();
        for side in &self.sides {
            ctx.states_mut().get_mut(side).begin(now);
        }
        Ok(())
    }

    fn process(
        &mut self,
        port: usize,
        payload: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let input = *downcast::<ColumnBatch>(payload)?;
        self.begin(port, input, out.rows_max(), ctx)?;
        self.drive(ctx, out)
    }

    fn resume(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.drive(ctx, out)
    }
}

#[cfg(test)]
mod tests;
