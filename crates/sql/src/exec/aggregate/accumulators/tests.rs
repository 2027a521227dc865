//! Distinct calls that share their values against a count of every value by call and group.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray};
use arrow_schema::{DataType, Field, Schema};
use datafusion_physical_expr::expressions::Column;
use proptest::prelude::*;

use super::*;
use crate::exec::aggregate::AggregateKind;
use crate::exec::expr::Expression;

const GROUPS: u32 = 3;

/// Columns of the batches: a number, a text, two conditions.
const X: usize = 0;
const T: usize = 1;
const F: usize = 2;
const G: usize = 3;

#[derive(Clone, Debug)]
struct Row {
    group: u32,
    x: Option<i64>,
    t: Option<i64>,
    f: bool,
    g: bool,
    retract: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Rows(Vec<Row>),
    Clear(u32),
    /// Moves a group's state to another group, which may have one.
    Move(u32, u32),
    /// Adds the state of two groups, one of them twice, to the first group.
    AddTwice(u32, u32),
    /// Everything through its state into new accumulators: at once or a group at a time.
    Restore(bool),
}

fn column(at: usize) -> Expression {
    Arc::new(Column::new(["x", "t", "f", "g"][at], at))
}

fn call(kind: AggregateKind, args: &[usize], filter: Option<usize>) -> AggregateCall {
    let types = [DataType::Int64, DataType::Utf8View];
    AggregateCall {
        args: args.iter().map(|at| column(*at)).collect(),
        arg_types: args.iter().map(|at| types[*at].clone()).collect(),
        filter: filter.map(column),
        distinct: true,
        result: match kind {
            AggregateKind::ListAgg(_) => DataType::Utf8View,
            _ => DataType::Int64,
        },
        kind,
    }
}

fn calls() -> Vec<AggregateCall> {
    vec![
        call(AggregateKind::Count, &[X], None),
        call(AggregateKind::Count, &[T], Some(G)),
        call(AggregateKind::Count, &[X], Some(F)),
        call(AggregateKind::Sum, &[X], Some(G)),
        call(AggregateKind::Count, &[X, T], Some(F)),
        call(AggregateKind::Count, &[T], None),
        call(AggregateKind::Count, &[X, T], None),
    ]
}

fn batch(rows: &[Row]) -> RecordBatch {
    let text = |t: i64| format!("text {t}, longer than a view");
    let texts = rows.iter().map(|row| row.t.map(text));
    let columns: [(&str, ArrayRef); 4] = [
        (
            "x",
            Arc::new(rows.iter().map(|r| r.x).collect::<Int64Array>()),
        ),
        ("t", Arc::new(texts.collect::<StringViewArray>())),
        (
            "f",
            Arc::new(rows.iter().map(|r| Some(r.f)).collect::<BooleanArray>()),
        ),
        (
            "g",
            Arc::new(rows.iter().map(|r| Some(r.g)).collect::<BooleanArray>()),
        ),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn feed(accumulators: &mut Accumulators, calls: &[AggregateCall], rows: &[Row]) {
    let groups: Vec<u32> = rows.iter().map(|row| row.group).collect();
    let kinds: Vec<u8> = rows.iter().map(|row| 3 * u8::from(row.retract)).collect();
    let kinds = kinds.contains(&3).then_some(kinds.as_slice());
    let evaluated = evaluate_calls(calls, &batch(rows)).unwrap();
    accumulators.update(&evaluated, &groups, kinds).unwrap();
}

fn fresh(calls: &[AggregateCall], changes: Changes) -> Accumulators {
    let mut accumulators = Accumulators::new(calls, changes).unwrap();
    accumulators.resize(GROUPS as usize);
    accumulators
}

fn restored(
    old: &Accumulators,
    calls: &[AggregateCall],
    changes: Changes,
    whole: bool,
) -> Accumulators {
    let mut new = fresh(calls, changes);
    let all: Vec<u32> = (0..GROUPS).collect();
    // Group numbers need not be the same.
    for groups in all.chunks(if whole { all.len() } else { 1 }) {
        let state = old.state(groups).unwrap();
        let types: Vec<DataType> = state.iter().map(|c| c.data_type().clone()).collect();
        assert_eq!(types, new.state_types());
        new.merge(groups, &state).unwrap();
    }
    new
}

/// How often each value was added, by group and call.
#[derive(Default)]
struct Model {
    counts: BTreeMap<(u32, usize), BTreeMap<(i64, i64), i64>>,
}

impl Model {
    fn add(&mut self, row: &Row) {
        let change = if row.retract { -1 } else { 1 };
        let (x, t) = (row.x.map(|x| (x, 0)), row.t.map(|t| (0, t)));
        let both = row.x.zip(row.t);
        let parts = [
            x,
            t.filter(|_| row.g),
            x.filter(|_| row.f),
            x.filter(|_| row.g),
            both.filter(|_| row.f),
            t,
            both,
        ];
        for (call, value) in parts.into_iter().enumerate() {
            if let Some(value) = value {
                let counts = self.counts.entry((row.group, call)).or_default();
                *counts.entry(value).or_insert(0) += change;
            }
        }
    }

    fn clear(&mut self, group: u32) {
        self.counts.retain(|(of, _), _| *of != group);
    }

    fn merge(&mut self, from: u32, to: u32) {
        for call in 0..calls().len() {
            let added = self.counts.get(&(from, call)).cloned().unwrap_or_default();
            let counts = self.counts.entry((to, call)).or_default();
            for (value, count) in added {
                *counts.entry(value).or_insert(0) += count;
            }
        }
    }

    fn result(&self, group: u32, call: usize) -> Option<i64> {
        let there: Vec<i64> = self
            .counts
            .get(&(group, call))
            .into_iter()
            .flatten()
            .filter(|(_, count)| **count > 0)
            .map(|((x, _), _)| *x)
            .collect();
        match call {
            3 if there.is_empty() => None,
            3 => Some(there.iter().fold(0, |sum, x| sum.wrapping_add(*x))),
            _ => Some(there.len() as i64),
        }
    }
}

fn step(retracts: bool) -> impl Strategy<Value = Step> {
    let number = prop_oneof![
        1 => Just(None),
        6 => (-4i64..5).prop_map(Some),
        2 => (-2i64..2).prop_map(|x| Some(x.wrapping_mul(i64::MAX / 3))),
    ];
    let text = prop_oneof![1 => Just(None), 4 => (0i64..3).prop_map(Some)];
    let conditions = (any::<bool>(), any::<bool>(), any::<bool>());
    let row =
        (0..GROUPS, number, text, conditions).prop_map(move |(group, x, t, (f, g, taken))| Row {
            group,
            x,
            t,
            f,
            g,
            retract: retracts && taken,
        });
    prop_oneof![
        6 => prop::collection::vec(row, 1..40).prop_map(Step::Rows),
        1 => (0..GROUPS).prop_map(Step::Clear),
        1 => (0..GROUPS, 0..GROUPS).prop_map(|(from, to)| Step::Move(from, to)),
        1 => (0..GROUPS, 0..GROUPS).prop_map(|(a, b)| Step::AddTwice(a, b)),
        1 => any::<bool>().prop_map(Step::Restore),
    ]
}

fn check(steps: Vec<Step>, changes: Changes) {
    let calls = calls();
    let mut accumulators = fresh(&calls, changes);
    let mut model = Model::default();
    for step in steps {
        match &step {
            Step::Rows(rows) => {
                feed(&mut accumulators, &calls, rows);
                rows.iter().for_each(|row| model.add(row));
            }
            Step::Clear(group) => {
                accumulators.clear(*group);
                model.clear(*group);
            }
            Step::Move(from, to) if from != to => {
                let state = accumulators.state(&[*from]).unwrap();
                accumulators.merge(&[*to], &state).unwrap();
                accumulators.clear(*from);
                model.merge(*from, *to);
                model.clear(*from);
            }
            Step::AddTwice(a, b) if a != b && *a != 0 && *b != 0 => {
                let state = accumulators.state(&[*a, *b, *a]).unwrap();
                accumulators.merge(&[0, 0, 0], &state).unwrap();
                [*a, *b, *a].iter().for_each(|from| model.merge(*from, 0));
            }
            Step::Restore(whole) => {
                accumulators = restored(&accumulators, &calls, changes, *whole);
            }
            Step::Move(..) | Step::AddTwice(..) => {}
        }
        let results = accumulators.results(&[0, 1, 2]).unwrap();
        for (call, column) in results.iter().enumerate() {
            let column = column.as_primitive::<Int64Type>();
            for group in 0..GROUPS {
                let at = group as usize;
                let result = column.is_valid(at).then(|| column.value(at));
                let expected = model.result(group, call);
                assert_eq!(
                    result, expected,
                    "call {call} of group {group} after {step:?}"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn calls_that_only_add_count_each_value_once(
        steps in prop::collection::vec(step(false), 1..12),
        clears in any::<bool>(),
    ) {
        check(steps, Changes { retracts: false, clears });
    }

    #[test]
    fn calls_that_retract_count_a_value_while_it_is_there(
        steps in prop::collection::vec(step(true), 1..12),
        clears in any::<bool>(),
    ) {
        check(steps, Changes { retracts: true, clears });
    }
}

fn row(x: i64) -> Row {
    Row {
        group: 0,
        x: Some(x),
        t: Some(x),
        f: x % 2 == 0,
        g: x % 3 == 0,
        retract: false,
    }
}

#[test]
fn more_calls_than_a_block_has_bits_are_all_right() {
    let filters = [None, Some(F), Some(G)];
    let calls: Vec<AggregateCall> = (0..70)
        .map(|at| call(AggregateKind::Count, &[X], filters[at % 3]))
        .collect();
    let changes = Changes {
        retracts: false,
        clears: false,
    };
    let mut accumulators = fresh(&calls, changes);
    let rows: Vec<Row> = (0..100).map(row).collect();
    feed(&mut accumulators, &calls, &rows);
    let mut accumulators = restored(&accumulators, &calls, changes, true);
    feed(&mut accumulators, &calls, &rows);
    for (at, column) in accumulators.results(&[0]).unwrap().iter().enumerate() {
        let expected = [100, 50, 34][at % 3];
        assert_eq!(column.as_primitive::<Int64Type>().value(0), expected);
    }
}

#[test]
fn a_list_of_distinct_values_keeps_its_order_through_a_restore() {
    let calls = [call(AggregateKind::ListAgg(",".to_owned()), &[T], None)];
    for (retracts, clears) in [(false, false), (false, true), (true, true)] {
        let changes = Changes { retracts, clears };
        let mut accumulators = fresh(&calls, changes);
        feed(&mut accumulators, &calls, &[5, 1, 5, 9, 2].map(row));
        let mut again = restored(&accumulators, &calls, changes, false);
        for accumulators in [&mut accumulators, &mut again] {
            feed(accumulators, &calls, &[9, 0].map(row));
        }
        let list = accumulators.results(&[0]).unwrap();
        assert_eq!(again.results(&[0]).unwrap(), list);
        let expected = [5, 1, 9, 2, 0].map(|t| format!("text {t}, longer than a view"));
        assert_eq!(list[0].as_string_view().value(0), expected.join(","));
    }
}

#[test]
fn a_retraction_where_none_can_come_is_an_error() {
    let calls = calls();
    let changes = Changes {
        retracts: false,
        clears: false,
    };
    let mut accumulators = fresh(&calls, changes);
    let evaluated = evaluate_calls(&calls, &batch(&[row(1)])).unwrap();
    assert!(accumulators.update(&evaluated, &[0], Some(&[3])).is_err());
}
