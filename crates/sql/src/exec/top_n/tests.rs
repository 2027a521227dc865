//! Every form against a naive one, which sorts all living rows of a partition.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{
    Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMillisecondArray,
};
use arrow_schema::{Field, Schema, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use thalweg_columnar::RowKind;
use thalweg_core::host::{Random, Waker};
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{OutputElement, SubtaskInfo};
use thalweg_core::state::{StateRegistry, redistribute};

use super::*;

mod lifetime;

/// Partition, an INT, a TIMESTAMP, a text as its number, and a number of its own.
type Row = [Option<i64>; 5];
/// Rows, with their row numbers or 0, and how many there are of each.
type Bag = BTreeMap<(Row, i64), i64>;

const NAMES: [&str; 5] = ["k", "a", "t", "s", "id"];

fn types() -> [DataType; 5] {
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    let (int, big) = (DataType::Int32, DataType::Int64);
    [big.clone(), int, time, DataType::Utf8View, big]
}

fn schema(with_rank: bool) -> SchemaRef {
    let fields = NAMES.iter().zip(types());
    let mut fields: Vec<Field> = fields.map(|(name, t)| Field::new(*name, t, true)).collect();
    if with_rank {
        fields.push(Field::new("rank", DataType::Int64, false));
    }
    Arc::new(Schema::new(fields))
}

fn column(at: usize) -> Expression {
    Arc::new(Column::new(NAMES[at], at))
}

fn sort_key(at: usize, descending: bool, nulls_first: bool) -> SortKey {
    SortKey {
        expression: column(at),
        data_type: types()[at].clone(),
        descending,
        nulls_first,
    }
}

/// The first `to` rows of each `k`, from `from` on, in the order of some columns.
fn spec((from, to): (usize, usize), order: &[(usize, bool, bool)]) -> TopNSpec {
    let order = order.iter();
    TopNSpec {
        partition: vec![column(0)],
        partition_types: vec![DataType::Int64],
        order: order
            .map(|(at, desc, first)| sort_key(*at, *desc, *first))
            .collect(),
        from,
        to,
        with_rank: true,
        last_wins: false,
        updates: false,
        ttl: None,
        batch_mode: false,
        input: schema(false),
        schema: schema(true),
    }
}

fn text(number: i64) -> String {
    // Of one length, so that they compare as their numbers; most need more than a view.
    format!("{number:0>20}")
}

fn records(rows: &[Row]) -> RecordBatch {
    let values = |at: usize| rows.iter().map(move |row| row[at]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(values(0).collect::<Int64Array>()),
        Arc::new(
            values(1)
                .map(|v| v.map(|v| v as i32))
                .collect::<Int32Array>(),
        ),
        Arc::new(values(2).collect::<TimestampMillisecondArray>()),
        Arc::new(values(3).map(|v| v.map(text)).collect::<StringViewArray>()),
        Arc::new(values(4).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(schema(false), columns).unwrap()
}

fn row_of(records: &RecordBatch, row: usize) -> Row {
    let valid = |at: usize| records.column(at).is_valid(row);
    let long = |at: usize| records.column(at).as_primitive::<Int64Type>().value(row);
    let time = records.column(2).as_primitive::<TimestampMillisecondType>();
    let int = records.column(1).as_primitive::<Int32Type>();
    let texts = records.column(3).as_string_view();
    [
        valid(0).then(|| long(0)),
        valid(1).then(|| int.value(row).into()),
        valid(2).then(|| time.value(row)),
        valid(3).then(|| texts.value(row).parse().unwrap()),
        valid(4).then(|| long(4)),
    ]
}

struct Harness {
    spec: TopNSpec,
    operator: Box<dyn BatchOperator>,
    ctx: Context,
    result: Bag,
    emitted: usize,
}

fn instance(spec: &TopNSpec) -> (Box<dyn BatchOperator>, Context) {
    let info = SubtaskInfo {
        operator: "TopN".to_owned(),
        index: 0,
        parallelism: 1,
        max_parallelism: 8,
    };
    let mut states = StateRegistry::default();
    let mut setup = Setup {
        states: &mut states,
        info: &info,
        waker: Waker::none(),
        batch_rows: 16,
        metrics: OperatorMetrics::default(),
    };
    let operator = top_n(spec.clone(), &mut setup).unwrap();
    (
        operator,
        Context::new(states, info, OperatorMetrics::default()),
    )
}

impl Harness {
    fn new(spec: &TopNSpec) -> Self {
        let (operator, ctx) = instance(spec);
        Harness {
            spec: spec.clone(),
            operator,
            ctx,
            result: Bag::new(),
            emitted: 0,
        }
    }

    fn process(&mut self, rows: &[Row], kinds: Vec<u8>) {
        let batch = Box::new(ColumnBatch::changelog(records(rows), kinds));
        let mut out = Outputs::new(16, Vec::new());
        let progress = self.operator.process(0, batch, &mut self.ctx, &mut out);
        assert_eq!(progress.unwrap(), Progress::Done);
        self.collect(out);
    }

    fn finish(&mut self) {
        let mut out = Outputs::new(16, Vec::new());
        let progress = self.operator.finish(&mut self.ctx, &mut out);
        assert_eq!(progress.unwrap(), Progress::Done);
        self.collect(out);
    }

    fn collect(&mut self, mut out: Outputs) {
        while let Some(element) = out.pop() {
            let OutputElement::Main(payload) = element else {
                panic!("it emits batches only")
            };
            self.fold(&downcast::<ColumnBatch>(payload).unwrap());
        }
    }

    /// Folds a changelog; each row that goes must be there, and updates come in pairs.
    fn fold(&mut self, batch: &ColumnBatch) {
        let records = batch.records();
        self.emitted += records.num_rows();
        let mut pair = None;
        for at in 0..records.num_rows() {
            let rank = if self.spec.with_rank {
                records.column(5).as_primitive::<Int64Type>().value(at)
            } else {
                0
            };
            let (row, kind) = ((row_of(records, at), rank), batch.kind(at));
            let partition = if self.spec.partition.is_empty() {
                None
            } else {
                row.0[0]
            };
            let place = (partition, rank);
            let expected = (kind == RowKind::UpdateAfter).then_some(place);
            assert_eq!(pair, expected, "a pair is torn apart");
            pair = (kind == RowKind::UpdateBefore).then_some(place);
            let count = self.result.entry(row).or_default();
            *count += if kind.is_addition() { 1 } else { -1 };
            assert!(*count >= 0, "{row:?} goes before it comes");
            if *count == 0 {
                self.result.remove(&row);
            }
        }
        assert_eq!(pair, None, "a pair is torn apart");
    }

    /// Goes on as another instance, whose state was dealt out and merged again.
    fn restore(&mut self) {
        let shares = redistribute(&[self.ctx.snapshot().unwrap()], 3, 8);
        let snapshot = redistribute(&shares, 1, 8).remove(0);
        (self.operator, self.ctx) = instance(&self.spec);
        self.ctx.restore(&snapshot).unwrap();
    }
}

fn compare(spec: &TopNSpec, left: &Row, right: &Row) -> Ordering {
    let keys = spec.order.iter().map(|key| {
        let at = NAMES
            .iter()
            .position(|name| key.expression.to_string().starts_with(*name));
        let (left, right) = (left[at.unwrap()], right[at.unwrap()]);
        match (left, right) {
            (Some(left), Some(right)) if key.descending => right.cmp(&left),
            (Some(left), Some(right)) => left.cmp(&right),
            (left, right) if key.nulls_first => left.is_some().cmp(&right.is_some()),
            (left, right) => left.is_none().cmp(&right.is_none()),
        }
    });
    keys.fold(Ordering::Equal, Ordering::then)
}

fn naive(spec: &TopNSpec, living: &[Row]) -> Bag {
    let mut partitions: BTreeMap<Option<i64>, Vec<Row>> = BTreeMap::new();
    for row in living {
        partitions.entry(row[0]).or_default().push(*row);
    }
    let mut bag = Bag::new();
    for rows in partitions.values_mut() {
        if spec.last_wins {
            rows.reverse();
        }
        rows.sort_by(|left, right| compare(spec, left, right));
        for (at, row) in rows.iter().enumerate().take(spec.to).skip(spec.from - 1) {
            let rank = if spec.with_rank { at as i64 + 1 } else { 0 };
            *bag.entry((*row, rank)).or_default() += 1;
        }
    }
    bag
}

/// Batches of random rows; with updates, living rows are also retracted.
fn run(spec: &TopNSpec, seed: u64) {
    let mut random = Random::new(seed);
    let mut harness = Harness::new(spec);
    let mut living: Vec<Row> = Vec::new();
    for step in 0..60 {
        let (mut rows, mut kinds) = (Vec::new(), Vec::new());
        for _ in 0..=random.below(if step % 7 == 6 { 200 } else { 12 }) {
            let known = living.len() as u64;
            if spec.updates && known > 0 && random.below(5) < 2 {
                rows.push(living.remove(random.below(known) as usize));
                kinds.push(RowKind::Delete as u8);
                continue;
            }
            // Few values, so that there are ties; the last column tells apart who wins them.
            let mut value = |below| match random.below(below) {
                0 => None,
                value => Some(value as i64 - 3),
            };
            let mut row = [value(12), value(8), value(8), value(8).map(|v| v + 3), None];
            row[4] = Some((step * 1000 + rows.len()) as i64);
            living.push(row);
            rows.push(row);
            kinds.push(RowKind::Insert as u8);
        }
        harness.process(&rows, kinds);
        if !spec.batch_mode {
            assert_eq!(
                harness.result,
                naive(spec, &living),
                "step {step}, seed {seed}"
            );
        }
        if random.below(3) == 0 {
            harness.restore();
        }
    }
    harness.finish();
    assert_eq!(harness.result, naive(spec, &living), "the end, seed {seed}");
}

/// Orders of all forms: one number, two, bytes; both directions, NULLs at both ends.
fn orders() -> Vec<Vec<(usize, bool, bool)>> {
    vec![
        vec![(1, false, true)],
        vec![(1, true, false)],
        vec![(2, true, true)],
        vec![(2, false, false)],
        vec![(1, true, false), (2, false, true)],
        vec![(2, false, false), (1, true, true)],
        vec![(3, false, true)],
        vec![(3, true, false), (1, false, false), (2, true, true)],
    ]
}

#[test]
fn the_first_rows_of_insertions_are_those_of_a_sort_wherever_they_are_restored() {
    for (seed, order) in orders().iter().enumerate() {
        for range in [(1, 1), (1, 3), (2, 4), (2, 2)] {
            run(&spec(range, order), seed as u64);
        }
    }
}

#[test]
fn rows_without_their_number_come_and_go_but_do_not_shift() {
    for (seed, order) in orders().iter().enumerate() {
        for range in [(1, 1), (1, 3), (2, 4)] {
            let mut spec = spec(range, order);
            (spec.with_rank, spec.schema) = (false, schema(false));
            run(&spec, seed as u64);
        }
    }
}

#[test]
fn a_row_that_is_retracted_makes_room_for_the_next() {
    for (seed, order) in orders().iter().enumerate() {
        for range in [(1, 1), (1, 3), (2, 4)] {
            let mut spec = spec(range, order);
            spec.updates = true;
            run(&spec, seed as u64);
        }
    }
}

#[test]
fn the_last_of_equal_rows_stays_if_it_shall() {
    for (seed, order) in orders().iter().enumerate() {
        let mut spec = spec((1, 1), order);
        spec.last_wins = true;
        run(&spec, seed as u64);
    }
}

#[test]
fn in_batch_mode_only_final_rows_come_out() {
    for (seed, order) in orders().iter().enumerate() {
        for (range, updates) in [((1, 1), false), ((2, 4), false), ((1, 3), true)] {
            let mut spec = spec(range, order);
            (spec.batch_mode, spec.updates) = (true, updates);
            run(&spec, seed as u64);
        }
    }
}

#[test]
fn one_partition_of_all_rows_needs_no_key() {
    for range in [(1, 1), (1, 5)] {
        let mut harness = {
            let mut spec = spec(range, &[(1, false, true)]);
            (spec.partition, spec.partition_types) = (Vec::new(), Vec::new());
            Harness::new(&spec)
        };
        let row = |k, a| [Some(k), Some(a), None, None, None];
        harness.process(&[row(1, 5), row(2, 4)], vec![0, 0]);
        harness.restore();
        harness.process(&[row(3, 3)], vec![0]);
        let first = harness.result.keys().find(|(_, rank)| *rank == 1);
        assert_eq!(first, Some(&(row(3, 3), 1)));
        assert_eq!(harness.result.len(), range.1.min(3));
    }
}

#[test]
fn a_batch_emits_what_it_changed_and_no_step_between() {
    let mut harness = Harness::new(&spec((1, 1), &[(2, true, false)]));
    let row = |t, id| [Some(1), None, Some(t), None, Some(id)];
    harness.process(&[row(1, 1), row(3, 2), row(2, 3)], vec![0; 3]);
    assert_eq!((harness.emitted, harness.result.len()), (1, 1));
    harness.process(&[row(4, 4), row(6, 5), row(5, 6)], vec![0; 3]);
    assert_eq!(harness.emitted, 3);
    // A late row changes nothing, nor does an equal one.
    harness.process(&[row(5, 7), row(6, 8)], vec![0; 2]);
    assert_eq!(harness.emitted, 3);
    assert_eq!(harness.result.keys().next(), Some(&(row(6, 5), 1)));
}
