//! The join against a naive one: all pairs of all living rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_expr::Operator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column};
use thalweg_core::host::{Random, Waker};
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{OutputElement, SubtaskInfo};
use thalweg_core::state::{StateRegistry, redistribute};

use super::super::hash_join::JoinSpec;
use super::super::join_pairs::PairCondition;
use super::*;

mod lifetime;

type Row = [Option<i64>; 3];
type Bag = BTreeMap<Vec<Option<i64>>, i64>;

const KINDS: [JoinKind; 6] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
];

fn schema(columns: usize) -> SchemaRef {
    let names = (0..columns).map(|at| Field::new(format!("c{at}"), DataType::Int64, true));
    Arc::new(Schema::new(names.collect::<Vec<_>>()))
}

/// Rows of two key columns and a value; one key or both are joined on, and left values must be
/// below right ones if there is a condition.
fn spec(kind: JoinKind, keys: usize, condition: bool) -> SharedJoin {
    let less = BinaryExpr::new(
        Arc::new(Column::new("c2", 2)),
        Operator::Lt,
        Arc::new(Column::new("c5", 5)),
    );
    let columns = if kind.left_only() { 3 } else { 6 };
    Arc::new(JoinSpec {
        kind,
        left_keys: (0..keys).collect(),
        right_keys: (0..keys).collect(),
        key_types: vec![DataType::Int64; keys],
        condition: condition.then(|| PairCondition::new(Arc::new(less), &schema(6)).unwrap()),
        left: schema(3),
        right: schema(3),
        wanted: (0..columns).collect(),
        output: schema(columns),
        broadcast: None,
        ttl: None,
    })
}

struct Harness {
    spec: SharedJoin,
    join: RegularJoin,
    ctx: Context,
    result: Bag,
}

fn records(rows: &[Row]) -> RecordBatch {
    let columns = (0..3)
        .map(|at| -> ArrayRef { Arc::new(rows.iter().map(|row| row[at]).collect::<Int64Array>()) });
    RecordBatch::try_new(schema(3), columns.collect()).unwrap()
}

fn instance(spec: &SharedJoin) -> (RegularJoin, Context) {
    let info = SubtaskInfo {
        operator: "Join".to_owned(),
        index: 0,
        parallelism: 1,
        max_parallelism: 8,
    };
    let mut states = StateRegistry::default();
    let join = RegularJoin::new(
        spec.clone(),
        &mut Setup {
            states: &mut states,
            info: &info,
            waker: Waker::none(),
            batch_rows: 16,
            metrics: OperatorMetrics::default(),
        },
    );
    (join, Context::new(states, info, OperatorMetrics::default()))
}

impl Harness {
    fn new(spec: SharedJoin) -> Self {
        let (join, ctx) = instance(&spec);
        Harness {
            spec,
            join,
            ctx,
            result: Bag::new(),
        }
    }

    fn process(&mut self, port: usize, rows: &[Row], kinds: Vec<u8>) {
        self.join_batch(port, ColumnBatch::changelog(records(rows), kinds));
    }

    fn insert(&mut self, port: usize, rows: &[Row]) {
        self.join_batch(port, ColumnBatch::insertions(records(rows)));
    }

    fn join_batch(&mut self, port: usize, batch: ColumnBatch) {
        let mut out = Outputs::new(16, Vec::new());
        let mut progress = self
            .join
            .process(port, Box::new(batch), &mut self.ctx, &mut out)
            .unwrap();
        loop {
            while let Some(element) = out.pop() {
                self.collect(element);
            }
            if progress == Progress::Done {
                break;
            }
            progress = self.join.resume(&mut self.ctx, &mut out).unwrap();
        }
    }

    fn collect(&mut self, element: OutputElement) {
        let OutputElement::Main(payload) = element else {
            panic!("the join emits batches only")
        };
        let batch = *downcast::<ColumnBatch>(payload).unwrap();
        for row in 0..batch.num_rows() {
            let columns = batch.records().columns().iter();
            let values = columns.map(|column| {
                let column = column.as_primitive::<Int64Type>();
                column.is_valid(row).then(|| column.value(row))
            });
            let weight = if batch.kind(row).is_addition() { 1 } else { -1 };
            let values: Vec<Option<i64>> = values.collect();
            let count = self.result.entry(values.clone()).or_default();
            *count += weight;
            assert!(*count >= 0, "{values:?} is retracted before it is added");
            if *count == 0 {
                self.result.remove(&values);
            }
        }
    }

    /// Goes on as another instance, whose state was dealt out and merged again.
    fn restore(&mut self) {
        let shares = redistribute(&[self.ctx.snapshot().unwrap()], 3, 8);
        let snapshot = redistribute(&shares, 1, 8).remove(0);
        (self.join, self.ctx) = instance(&self.spec);
        self.ctx.restore(&snapshot).unwrap();
    }
}

fn naive(spec: &JoinSpec, left: &[Row], right: &[Row]) -> Bag {
    let matches = |l: &Row, r: &Row| {
        let keys = spec.left_keys.len();
        (0..keys).all(|at| l[at].is_some() && l[at] == r[at])
            && (spec.condition.is_none() || l[2].is_some_and(|l| r[2].is_some_and(|r| l < r)))
    };
    let mut bag = Bag::new();
    let mut add = |parts: &[&[Option<i64>]]| *bag.entry(parts.concat()).or_default() += 1;
    let nobody = [None; 3];
    for l in left {
        let partners: Vec<&Row> = right.iter().filter(|r| matches(l, r)).collect();
        match spec.kind {
            JoinKind::Semi | JoinKind::Anti => {
                if partners.is_empty() == (spec.kind == JoinKind::Anti) {
                    add(&[l]);
                }
            }
            _ => partners.iter().for_each(|r| add(&[l, *r])),
        }
        if partners.is_empty() && spec.kind.pads_left() {
            add(&[l, &nobody]);
        }
    }
    for r in right {
        if spec.kind.pads_right() && !left.iter().any(|l| matches(l, r)) {
            add(&[&nobody, r]);
        }
    }
    bag
}

/// Batches of random rows; the later steps of a changelog also retract living rows.
fn run(spec: &SharedJoin, updates: bool, rows_max: u64, steps: usize, seed: u64) {
    let mut random = Random::new(seed);
    let mut harness = Harness::new(spec.clone());
    let mut living: [Vec<Row>; 2] = Default::default();
    // Near keys and far ones, and NULL.
    let scale = if seed.is_multiple_of(2) { 1 } else { 1 << 40 };
    for step in 0..steps {
        let port = random.below(2) as usize;
        let (mut rows, mut kinds) = (Vec::new(), Vec::new());
        for _ in 0..=random.below(rows_max) {
            let known = living[port].len() as u64;
            if updates && step > 2 && known > 0 && random.below(2) == 0 {
                rows.push(living[port].swap_remove(random.below(known) as usize));
                kinds.push(RowKind::Delete as u8);
                continue;
            }
            let mut value = |below, scale| {
                let value = random.below(below);
                (value > 0).then_some(value as i64 * scale)
            };
            let row = [value(40, scale), value(3, scale), value(9, 1)];
            living[port].push(row);
            rows.push(row);
            kinds.push(RowKind::Insert as u8);
        }
        harness.process(port, &rows, kinds);
        if random.below(4) == 0 {
            harness.restore();
        }
        if step % 4 == 3 {
            let [left, right] = &living;
            assert_eq!(
                harness.result,
                naive(spec, left, right),
                "step {step} of seed {seed}"
            );
        }
    }
}

#[test]
fn all_joins_of_changelogs_equal_the_naive_join_wherever_they_are_restored() {
    for kind in KINDS {
        for (seed, keys) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
            for condition in [false, true] {
                run(&spec(kind, keys, condition), true, 20, 40, seed);
            }
        }
    }
}

#[test]
fn joins_of_insertions_equal_the_naive_join_although_rows_wait_unindexed() {
    for kind in [JoinKind::Inner, JoinKind::Full] {
        for (seed, keys) in [(5, 1), (6, 1), (7, 2)] {
            run(&spec(kind, keys, true), false, 300, 12, seed);
        }
    }
}

#[test]
fn a_join_without_keys_pairs_all_rows() {
    run(&spec(JoinKind::Inner, 0, true), true, 20, 20, 8);
}
