//! `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) <= n`, kept up to date.
//!
//! | Contract |                                                                               |
//! |----------|-------------------------------------------------------------------------------|
//! | Input    | any changelog, keyed by the partition columns                                 |
//! | Output   | a whole changelog of the first `n` rows of every partition, once a batch      |
//! | Rank     | with the row number in the output, every shifted row is updated; without it,  |
//! |          | only rows that come and go                                                    |
//! | Ties     | in order of arrival                                                           |
//! | State    | `partitions`: the first `n` rows of insertions, all rows of a changelog;      |
//! |          | until the time to live has passed since they changed                          |
//! | Cost     | one look-up and one comparison a row that is not among the first; a row that  |
//! |          | is not there at the end of its batch is not kept                              |
//! | Forms    | by what is kept: one row a partition or a list; by what rows are ordered by:  |
//! |          | one or two whole numbers, or bytes                                            |
//! | Source   | Flink SQL, Top-N and Deduplication                                            |

mod first_rows;
mod kept_rows;
mod order;
mod ranked_rows;

use std::time::Duration;

use arrow_schema::{DataType, SchemaRef};
use datafusion_common::arrow::row::SortField;
use thalweg_columnar::ColumnBatch;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::error::Result;
use thalweg_core::operator::{BatchOperator, Context, Outputs, Progress, Setup};
use thalweg_core::state::TableHandle;

use self::first_rows::FirstRows;
use self::kept_rows::Input;
use self::order::{EncodedOrder, Integers, Order, is_integer};
use self::ranked_rows::RankedRows;
use super::expr::Expression;
use super::keyed::{KeyedPayload, KeyedTable, StateKeys};

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
    /// How long a partition lives after its first rows changed last, in processing time; `None` for
    /// ever.
    pub ttl: Option<Duration>,
    /// The input's columns.
    pub input: SchemaRef,
    /// The output's columns.
    pub schema: SchemaRef,
}

/// The operator, in the form that suits what it is asked for.
///
/// # Errors
/// `User` for a type that has no order.
pub fn top_n(spec: TopNSpec, setup: &mut Setup<'_>) -> Result<Box<dyn BatchOperator>> {
    let integers = spec.order.iter().all(|key| is_integer(&key.data_type));
    match spec.order.len() {
        1 if integers => ordered::<Integers<1>>(spec, setup),
        2 if integers => ordered::<Integers<2>>(spec, setup),
        _ => ordered::<EncodedOrder>(spec, setup),
    }
}

fn ordered<O: Order>(spec: TopNSpec, setup: &mut Setup<'_>) -> Result<Box<dyn BatchOperator>> {
    Ok(if (spec.from, spec.to) == (1, 1) && !spec.updates {
        Box::new(TopN::<O, FirstRows<O::Key>>::new(spec, setup)?)
    } else {
        Box::new(TopN::<O, RankedRows<O::Key>>::new(spec, setup)?)
    })
}

/// The state of a form, and how a batch changes it.
trait Ranking<O>: KeyedPayload + Sized {
    /// No rows.
    fn new(spec: &TopNSpec) -> Self;

    /// Takes up a batch, of which `groups` are the partitions.
    fn apply(&mut self, spec: &TopNSpec, input: &Input, groups: &[u32], order: &O) -> Result<()>;

    /// Emits what the batch changed, unless only final rows are wanted, and forgets what is gone.
    fn emit(&mut self, spec: &TopNSpec, out: &mut Outputs) -> Result<()>;

    /// The partitions that the last batch changed.
    fn written(&self) -> &[u32];

    /// Emits the final rows.
    fn emit_all(&mut self, spec: &TopNSpec, out: &mut Outputs) -> Result<()>;
}

struct TopN<O, R> {
    spec: TopNSpec,
    table: TableHandle<KeyedTable<R>>,
    // Of the batch that is processed: its sort keys, and its partitions.
    order: O,
    groups: Vec<u32>,
}

impl<O: Order, R: Ranking<O>> TopN<O, R> {
    fn new(spec: TopNSpec, setup: &mut Setup<'_>) -> Result<Self> {
        let table = KeyedTable {
            keys: StateKeys::new(spec.partition_types.clone(), spec.ttl),
            payload: R::new(&spec),
        };
        Ok(TopN {
            order: O::new(&spec.order)?,
            table: setup.states.table_with_lifetime("partitions", table),
            groups: Vec::new(),
            spec,
        })
    }
}

impl<O: Order, R: Ranking<O>> BatchOperator for TopN<O, R> {
    fn process(
        &mut self,
        _: usize,
        payload: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        let input = Input::new(*downcast::<ColumnBatch>(payload)?);
        let rows = input.batch.num_rows();
        let keys = input.evaluate(self.spec.partition.iter())?;
        let order = input.evaluate(self.spec.order.iter().map(|key| &key.expression))?;
        self.order.load(&order, rows)?;
        let now = ctx.now();
        let table = ctx.states_mut().get_mut(&self.table);
        table.keys.intern(&keys, rows, &mut self.groups)?;
        table.payload.grow(table.keys.bound());
        table.drop_expired(&self.groups, now);
        let ranking = &mut table.payload;
        ranking.apply(&self.spec, &input, &self.groups, &self.order)?;
        ranking.emit(&self.spec, out)?;
        table.keys.touch(ranking.written(), now);
        if self.spec.updates {
            let written = ranking.written().to_vec();
            table.forget_empty(written);
        }
        table.clean_up_after(rows, now);
        Ok(Progress::Done)
    }

    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let now = ctx.now();
        ctx.states_mut().get_mut(&self.table).keys.begin(now);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        if self.spec.batch_mode {
            let table = ctx.states_mut().get_mut(&self.table);
            table.payload.emit_all(&self.spec, out)?;
        }
        Ok(Progress::Done)
    }
}

#[cfg(test)]
mod tests;
