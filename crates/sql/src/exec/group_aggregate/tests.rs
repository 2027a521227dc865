//! Groups that come, go and expire, against a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, StringViewArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion_physical_expr::expressions::Column;
use thalweg_core::host::{Random, Waker};
use thalweg_core::metrics::OperatorMetrics;
use thalweg_core::operator::{OutputElement, SubtaskInfo};
use thalweg_core::state::{StateRegistry, StateSnapshot, redistribute};

use super::super::aggregate::AggregateKind;
use super::*;

const TTL_MS: i64 = 100;

/// A key and a value.
type Row = (Option<i64>, i64);
/// `COUNT(*)`, `SUM(v)`, `MAX(v)`, `COUNT(DISTINCT v)`
type Results = [Option<i64>; 4];
type Change = (RowKind, Option<i64>, Results);

fn column(name: &str, at: usize) -> Expression {
    Arc::new(Column::new(name, at))
}

fn call(kind: AggregateKind, value: bool, distinct: bool) -> AggregateCall {
    AggregateCall {
        kind,
        args: value.then(|| column("v", 1)).into_iter().collect(),
        arg_types: value.then_some(DataType::Int64).into_iter().collect(),
        filter: None,
        distinct,
        result: DataType::Int64,
    }
}

fn spec(key: DataType, updates: bool, ttl_ms: Option<i64>) -> GroupAggregateSpec {
    let big = |name: &str| Field::new(name, DataType::Int64, true);
    let results = ["rows", "sum", "max", "distinct"].map(big);
    let mut fields = vec![Field::new("k", key, true)];
    fields.extend(results);
    GroupAggregateSpec {
        keys: vec![column("k", 0)],
        calls: vec![
            call(AggregateKind::Count, false, false),
            call(AggregateKind::Sum, true, false),
            call(AggregateKind::Max, true, false),
            call(AggregateKind::Count, true, true),
        ],
        schema: Arc::new(Schema::new(fields)),
        updates,
        batch_mode: false,
        ttl: ttl_ms.map(|ms| Duration::from_millis(ms.unsigned_abs())),
    }
}

struct Harness {
    spec: GroupAggregateSpec,
    operator: GroupAggregate,
    ctx: Context,
}

fn instance(spec: &GroupAggregateSpec) -> (GroupAggregate, Context) {
    let info = SubtaskInfo {
        operator: "GroupAggregate".to_owned(),
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
    let operator = GroupAggregate::new(spec.clone(), &mut setup).unwrap();
    let ctx = Context::new(states, info, OperatorMetrics::default());
    (operator, ctx)
}

impl Harness {
    fn new(spec: GroupAggregateSpec) -> Self {
        let (operator, ctx) = instance(&spec);
        Harness {
            spec,
            operator,
            ctx,
        }
    }

    fn texts(&self) -> bool {
        self.spec.schema.field(0).data_type() == &DataType::Utf8View
    }

    fn process(&mut self, rows: &[Row], kinds: Vec<u8>, now_ms: i64) -> Vec<Change> {
        let keys = rows.iter().map(|(key, _)| *key);
        let keys: ArrayRef = if self.texts() {
            let texts = keys.map(|key| key.map(|key| format!("{key:0>30}")));
            Arc::new(texts.collect::<StringViewArray>())
        } else {
            Arc::new(keys.collect::<Int64Array>())
        };
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1)));
        let fields = vec![
            Field::new("k", keys.data_type().clone(), true),
            Field::new("v", DataType::Int64, true),
        ];
        let schema = Arc::new(Schema::new(fields));
        let records = RecordBatch::try_new(schema, vec![keys, values]).unwrap();
        let batch = Box::new(ColumnBatch::changelog(records, kinds));
        let mut out = Outputs::new(16, Vec::new());
        self.ctx.set_now(ProcessingTime(now_ms));
        let progress = self.operator.process(0, batch, &mut self.ctx, &mut out);
        assert_eq!(progress.unwrap(), Progress::Done);
        let mut changes = Vec::new();
        while let Some(element) = out.pop() {
            let OutputElement::Main(payload) = element else {
                panic!("it emits batches only")
            };
            self.read(&downcast::<ColumnBatch>(payload).unwrap(), &mut changes);
        }
        changes
    }

    fn read(&self, batch: &ColumnBatch, changes: &mut Vec<Change>) {
        let columns = batch.records().columns();
        let number = |at: usize, row: usize| {
            let column: &ArrayRef = &columns[at];
            let value = || column.as_primitive::<Int64Type>().value(row);
            column.is_valid(row).then(value)
        };
        for row in 0..batch.num_rows() {
            let key = if self.texts() {
                let texts = columns[0].as_string_view();
                texts
                    .is_valid(row)
                    .then(|| texts.value(row).parse().unwrap())
            } else {
                number(0, row)
            };
            let results = std::array::from_fn(|at| number(at + 1, row));
            changes.push((batch.kind(row), key, results));
        }
    }

    fn keys(&self) -> usize {
        self.ctx.states().get(&self.operator.table).keys.count()
    }

    /// Goes on as another instance, whose state was dealt out and merged again.
    fn restore(&mut self, snapshot: &StateSnapshot, now_ms: i64) {
        let shares = redistribute(std::slice::from_ref(snapshot), 3, 8);
        let snapshot = redistribute(&shares, 1, 8).remove(0);
        (self.operator, self.ctx) = instance(&self.spec);
        self.ctx.restore(&snapshot).unwrap();
        self.ctx.set_now(ProcessingTime(now_ms));
        self.operator.open(&mut self.ctx).unwrap();
    }
}

#[derive(Clone, Default)]
struct Group {
    rows: i64,
    sum: i64,
    values: BTreeMap<i64, i64>,
    updated: i64,
}

impl Group {
    fn results(&self) -> Option<Results> {
        let there = || self.values.iter().filter(|(_, count)| **count > 0);
        let max = there().next_back().map(|(value, _)| *value);
        let distinct = there().count() as i64;
        (self.rows > 0).then_some([Some(self.rows), Some(self.sum), max, Some(distinct)])
    }
}

/// What a batch changes, and what is left of the groups.
fn naive(
    groups: &mut BTreeMap<Option<i64>, Group>,
    (rows, kinds): (&[Row], &[u8]),
    ttl_ms: Option<i64>,
    now: i64,
) -> Vec<Change> {
    let lives = |group: &Group| ttl_ms.is_none_or(|ttl| group.updated + ttl > now);
    let mut touched = Vec::new();
    for ((key, value), kind) in rows.iter().zip(kinds) {
        if groups.get(key).is_some_and(|group| !lives(group)) {
            groups.remove(key);
        }
        let change = if *kind == RowKind::Delete as u8 {
            -1
        } else {
            1
        };
        let rows = groups.get(key).map_or(0, |group| group.rows);
        if change < 0 && rows == 0 {
            continue;
        }
        if touched.iter().all(|(known, _)| known != key) {
            touched.push((*key, groups.get(key).and_then(Group::results)));
        }
        let group = groups.entry(*key).or_default();
        group.rows += change;
        group.sum += change * value;
        *group.values.entry(*value).or_default() += change;
        group.updated = now;
    }
    let mut changes = Vec::new();
    for (key, before) in touched {
        let after = groups.get(&key).and_then(Group::results);
        match (before, after) {
            (None, Some(after)) => changes.push((RowKind::Insert, key, after)),
            (Some(before), None) => changes.push((RowKind::Delete, key, before)),
            (Some(before), Some(after)) if before != after => {
                changes.push((RowKind::UpdateBefore, key, before));
                changes.push((RowKind::UpdateAfter, key, after));
            }
            _ => {}
        }
    }
    groups.retain(|_, group| group.rows != 0);
    changes
}

fn run(key: DataType, updates: bool, ttl_ms: Option<i64>, seed: u64) {
    let mut random = Random::new(seed);
    let mut harness = Harness::new(spec(key, updates, ttl_ms));
    let mut groups = BTreeMap::new();
    let mut upstream: Vec<Row> = Vec::new();
    let mut now = 1000;
    for step in 0..200 {
        now += random.below(40) as i64;
        let (mut rows, mut kinds) = (Vec::new(), Vec::new());
        for _ in 0..=random.below(12) {
            let known = upstream.len() as u64;
            // Also what has expired meanwhile is retracted.
            if updates && known > 0 && random.below(5) < 2 {
                rows.push(upstream.swap_remove(random.below(known) as usize));
                kinds.push(RowKind::Delete as u8);
                continue;
            }
            let key = random.below(40) as i64;
            // The first NULL comes late: it changes the form of the keys.
            let key = (key > 0 || step < 50).then_some(key);
            let row = (key, random.below(6) as i64);
            upstream.push(row);
            rows.push(row);
            kinds.push(RowKind::Insert as u8);
        }
        let expected = naive(&mut groups, (&rows, &kinds), ttl_ms, now);
        let changes = harness.process(&rows, kinds, now);
        assert_eq!(changes, expected, "step {step}, seed {seed}");
        if random.below(4) == 0 {
            // A barrier has all that is expired forgotten, and what is stored has none of it.
            let snapshot = harness.ctx.snapshot().unwrap();
            let lives = |group: &&Group| ttl_ms.is_none_or(|ttl| group.updated + ttl > now);
            let living = groups.values().filter(lives).count();
            assert_eq!(harness.keys(), living, "step {step}, seed {seed}");
            assert_eq!(snapshot.tables[0].entries.len(), living);
            if random.below(2) == 0 {
                harness.restore(&snapshot, now);
            }
        }
    }
    if ttl_ms.is_some() {
        now += TTL_MS;
        harness.ctx.set_now(ProcessingTime(now));
        harness.ctx.freeze().unwrap();
        assert_eq!(harness.keys(), 0);
    }
}

#[test]
fn groups_are_those_of_a_map_whose_entries_expire_wherever_they_are_restored() {
    for seed in 0..6 {
        for key in [DataType::Int64, DataType::Utf8View] {
            run(key.clone(), false, Some(TTL_MS), seed);
            run(key, true, Some(TTL_MS), seed);
        }
    }
}

#[test]
fn a_group_whose_last_row_is_retracted_is_forgotten() {
    // Without a time to live every retraction is that of a row which is there.
    for key in [DataType::Int64, DataType::Utf8View] {
        run(key, true, None, 9);
    }
}

#[test]
fn a_group_that_nobody_asks_for_is_forgotten_while_others_come() {
    let mut harness = Harness::new(spec(DataType::Int64, false, Some(TTL_MS)));
    let rows: Vec<Row> = (0..1000).map(|key| (Some(key), 1)).collect();
    harness.process(&rows, vec![0; 1000], 0);
    assert_eq!(harness.keys(), 1000);
    // Each row pays for looks at five others.
    for row in 0..220 {
        harness.process(&[(Some(-1), 1)], vec![0], TTL_MS + row / 10);
    }
    assert_eq!(harness.keys(), 1);
}

#[test]
fn a_time_to_live_can_be_set_and_taken_away_from_one_run_to_the_next() {
    let insert = |key| ([(Some(key), 1)], vec![0]);
    let mut harness = Harness::new(spec(DataType::Int64, false, None));
    let (rows, kinds) = insert(1);
    harness.process(&rows, kinds, 0);
    let forever = harness.ctx.snapshot().unwrap();
    // What has no time lives from the restore on.
    harness.spec.ttl = Some(Duration::from_millis(TTL_MS.unsigned_abs()));
    harness.restore(&forever, 5000);
    let (rows, kinds) = insert(2);
    harness.process(&rows, kinds, 5050);
    harness.ctx.set_now(ProcessingTime(5000 + TTL_MS - 1));
    let timed = harness.ctx.snapshot().unwrap();
    assert_eq!(harness.keys(), 2);
    harness.restore(&timed, 5000 + TTL_MS);
    let changes = harness.process(&rows, vec![0], 5000 + TTL_MS);
    assert_eq!(changes[0].0, RowKind::UpdateBefore);
    harness.ctx.freeze().unwrap();
    assert_eq!(harness.keys(), 1);
    harness.spec.ttl = None;
    harness.restore(&timed, 1_000_000);
    let (rows, kinds) = insert(1);
    let changes = harness.process(&rows, kinds, 1_000_000);
    assert_eq!(changes[0].0, RowKind::UpdateBefore);
    assert_eq!(harness.keys(), 2);
}

#[test]
fn a_snapshot_that_is_written_late_holds_the_state_of_its_barrier() {
    let mut harness = Harness::new(spec(DataType::Utf8View, true, Some(TTL_MS)));
    let rows: Vec<Row> = (0..900).map(|n| (Some(n % 300), n % 7)).collect();
    harness.process(&rows, vec![0; 900], 0);
    let at_once = harness.ctx.snapshot().unwrap();
    let first = harness.ctx.freeze().unwrap();
    let second = harness.ctx.freeze().unwrap();
    // Rows go and come, and then all groups expire: two checkpoints are still being written.
    harness.process(&rows[..450], vec![RowKind::Delete as u8; 450], 50);
    let third = harness.ctx.freeze().unwrap();
    harness.process(&rows, vec![0; 900], 10 * TTL_MS);
    assert_eq!(first.whole().encode().unwrap(), at_once);
    assert_eq!(second.whole().encode().unwrap(), at_once);
    let third = third.whole().encode().unwrap();
    assert_ne!(third, at_once);
    assert_eq!(third.tables[0].entries.len(), 300);
}
