//! Random programs, moved from one instance to two, three and back to one: their results are those
//! of an undisturbed run, whatever is in flight, in state and in timers when they are moved.

use proptest::prelude::*;
use thalweg_core::error::Result;
use thalweg_core::operator::{
    BroadcastContext, BroadcastOperator, Context, Operator, Output, TwoInputOperator,
};
use thalweg_core::rows::Record;
use thalweg_core::state::{
    BroadcastState, ListState, MapState, OperatorListState, Redistribution, StateRegistry,
    ValueState,
};
use thalweg_core::time::EventTime;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
use thalweg_dataflow::window::{
    EventTimeSessionWindows, SlidingEventTimeWindows, TumblingEventTimeWindows,
};
use thalweg_testkit::run_along;

use crate::windows::ms;

/// A key and a number. What programs emit does not depend on the order in which records of
/// different keys or senders meet: no two runs have the same.
type Row = (u64, i64);

// Records are at most so much out of order.
const DISORDER_MS: u64 = 14;

/// All times of a stream are even, or all are odd, and gaps are odd: of records exactly a gap
/// apart it depends on the watermark between them whether they share a session.
#[derive(Clone, Debug)]
enum Step {
    Add(i64),
    Keep(u64),
    Split,
    Rebalance,
    Rekey(u64),
    Twice,
    Unite,
    Totals(i64),
    Lists(i64),
    Maps(i64),
    Tumble(u64),
    Slide(u64, u64),
    Sessions(u64),
    Rules,
    KeyedRules,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (-5i64..5).prop_map(Step::Add),
        (2u64..5).prop_map(Step::Keep),
        Just(Step::Split),
        Just(Step::Rebalance),
        (1u64..6).prop_map(Step::Rekey),
        Just(Step::Twice),
        Just(Step::Unite),
        (1i64..30).prop_map(|half| Step::Totals(2 * half)),
        (1i64..30).prop_map(|half| Step::Lists(2 * half)),
        (1i64..30).prop_map(|half| Step::Maps(2 * half)),
        (1u64..30).prop_map(|half| Step::Tumble(2 * half)),
        (2u64..5, 1u64..8).prop_map(|(times, half)| Step::Slide(2 * times * half, 2 * half)),
        (0u64..12).prop_map(|half| Step::Sessions(2 * half + 1)),
    ];
    // Rules come last: what they emit is behind the last watermark.
    let steps = proptest::collection::vec(step, 1..6);
    let last = prop_oneof![
        Just(None),
        Just(Some(Step::Rules)),
        Just(Some(Step::KeyedRules)),
    ];
    (steps, last).prop_map(|(mut steps, rules)| {
        steps.extend(rules);
        steps
    })
}

/// Sums the numbers of a key; at a multiple of a period the sum goes on as a record.
struct Totals {
    total: ValueState<i64>,
    period: i64,
}

/// The end of the period that an instant is in.
fn end_of_period(time: EventTime, period: i64) -> EventTime {
    EventTime(time.0.div_euclid(period) * period + period - 1)
}

impl Operator<Row, Row> for Totals {
    fn process(&mut self, row: Record<Row>, ctx: &mut Context, _: &mut Output<Row>) -> Result<()> {
        *self.total.get_or_insert_with(ctx, || 0)? += row.value.1;
        ctx.register_event_timer(end_of_period(row.time, self.period));
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<Row>,
    ) -> Result<()> {
        // What belongs to later periods is in it already, in one run and not in another: only the
        // timer itself is certain.
        if self.total.get(ctx)?.is_none() {
            return Ok(());
        }
        let key = *ctx.key::<u64>()?;
        out.emit((key, time.0), time);
        Ok(())
    }
}

/// Keeps the records of a key until their period ends.
struct Lists {
    rows: ListState<(i64, i64)>,
    period: i64,
}

impl Operator<Row, Row> for Lists {
    fn process(&mut self, row: Record<Row>, ctx: &mut Context, _: &mut Output<Row>) -> Result<()> {
        let end = end_of_period(row.time, self.period);
        self.rows.add(ctx, (end.0, row.value.1))?;
        ctx.register_event_timer(end);
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<Row>,
    ) -> Result<()> {
        let (due, later): (Vec<_>, Vec<_>) = self
            .rows
            .take(ctx)?
            .into_iter()
            .partition(|(end, _)| *end == time.0);
        self.rows.update(ctx, later)?;
        let key = *ctx.key::<u64>()?;
        let mut numbers: Vec<i64> = due.into_iter().map(|(_, number)| number).collect();
        numbers.sort_unstable();
        for (at, number) in (0i64..).zip(numbers) {
            out.emit((key, number.wrapping_mul(at + 1)), time);
        }
        Ok(())
    }
}

/// Counts the numbers of a key, by number, until their period ends.
struct Maps {
    counts: MapState<(i64, i64), i64>,
    period: i64,
}

impl Operator<Row, Row> for Maps {
    fn process(&mut self, row: Record<Row>, ctx: &mut Context, _: &mut Output<Row>) -> Result<()> {
        let end = end_of_period(row.time, self.period);
        let at = (end.0, row.value.1);
        let count = self.counts.get(ctx, &at)?.copied().unwrap_or(0);
        self.counts.insert(ctx, at, count + 1)?;
        ctx.register_event_timer(end);
        Ok(())
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<Row>,
    ) -> Result<()> {
        let counted = self
            .counts
            .iter(ctx)?
            .filter(|((end, _), _)| *end == time.0);
        let mut counted: Vec<_> = counted.map(|(at, count)| (*at, *count)).collect();
        counted.sort_unstable();
        let key = *ctx.key::<u64>()?;
        for (at, count) in counted {
            self.counts.remove(ctx, &at)?;
            out.emit((key, at.1.wrapping_add(count * 1000)), time);
        }
        Ok(())
    }
}

/// Adds what all rules say to the records, which wait for them to the end.
struct Rules {
    rules: OperatorListState<i64>,
    waiting: OperatorListState<(u64, i64)>,
}

impl TwoInputOperator<Row, i64, Row> for Rules {
    fn process_first(
        &mut self,
        row: Record<Row>,
        ctx: &mut Context,
        _: &mut Output<Row>,
    ) -> Result<()> {
        self.waiting.get_mut(ctx.states_mut()).push(row.value);
        Ok(())
    }

    fn process_second(
        &mut self,
        rule: Record<i64>,
        ctx: &mut Context,
        _: &mut Output<Row>,
    ) -> Result<()> {
        self.rules.get_mut(ctx.states_mut()).push(rule.value);
        Ok(())
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Output<Row>) -> Result<()> {
        let rules: i64 = self.rules.get_mut(ctx.states_mut()).iter().sum();
        for (key, number) in self.waiting.get_mut(ctx.states_mut()).drain(..) {
            out.emit((key, number.wrapping_add(rules)), EventTime(i64::MAX));
        }
        Ok(())
    }
}

/// Adds to each record what all rules say: each key's sum of them, and the copy that its instance
/// has of all.
struct KeyedRules {
    rules: BroadcastState<i64, i64>,
    seen: ValueState<i64>,
    waiting: ListState<i64>,
}

impl BroadcastOperator<Row, i64, Row> for KeyedRules {
    fn process(&mut self, row: Record<Row>, ctx: &mut Context, _: &mut Output<Row>) -> Result<()> {
        if self.seen.get(ctx)?.is_none() {
            let so_far = self.rules.iter(ctx).map(|(_, rule)| rule).sum();
            self.seen.set(ctx, so_far)?;
        }
        self.waiting.add(ctx, row.value.1)?;
        // Fires when both inputs have ended: the rules are all there.
        ctx.register_event_timer(EventTime(i64::MAX));
        Ok(())
    }

    fn process_broadcast(
        &mut self,
        rule: Record<i64>,
        ctx: &mut BroadcastContext<'_>,
        _: &mut Output<Row>,
    ) -> Result<()> {
        *self.rules.get_or_insert_with(ctx, rule.value % 7, || 0) += rule.value;
        ctx.apply_to_keyed_state(&self.seen, |ctx| {
            *self.seen.get_or_insert_with(ctx, || i64::MIN)? += rule.value;
            Ok(())
        })
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Output<Row>,
    ) -> Result<()> {
        let key = *ctx.key::<u64>()?;
        let seen = self.seen.get(ctx)?.copied().unwrap_or(i64::MIN);
        let copy: i64 = self.rules.iter(ctx).map(|(at, rule)| at * rule).sum();
        for number in self.waiting.take(ctx)? {
            let number = number.wrapping_mul(3).wrapping_add(seen);
            out.emit((key, number.wrapping_add(copy)), time);
        }
        Ok(())
    }
}

fn follow(stream: DataStream<Row>, step: &Step, at: usize) -> DataStream<Row> {
    let uid = format!("step {at}");
    let stream = match step.clone() {
        Step::Add(number) => stream.map(move |(key, n)| (key, n.wrapping_add(number))),
        Step::Keep(of) => stream.filter(move |(key, n)| (key ^ n.unsigned_abs()) % of != 0),
        Step::Split => stream.flat_map(|(key, n)| vec![(key, n / 2), (key + 1, n - n / 2)]),
        Step::Rebalance => stream.rebalance().map(|row| row),
        Step::Rekey(keys) => stream.map(move |(_, n)| (n.unsigned_abs() % keys, n)),
        Step::Twice => {
            let again = stream.map(|(key, n)| (key, n.wrapping_neg()));
            stream
                .union(&[again.uid(&format!("{uid} again"))])
                .map(|row| row)
        }
        Step::Unite => {
            let (even, odd) = (
                stream
                    .filter(|(key, _)| key % 2 == 0)
                    .uid(&format!("{uid} even")),
                stream
                    .filter(|(key, _)| key % 2 == 1)
                    .uid(&format!("{uid} odd")),
            );
            even.rebalance().union(&[odd.shuffle()]).map(|row| row)
        }
        Step::Totals(period) => {
            let declare = move |states: &mut StateRegistry| Totals {
                total: states.value("total"),
                period,
            };
            stream.key_by(|row| row.0).process(declare)
        }
        Step::Lists(period) => {
            let declare = move |states: &mut StateRegistry| Lists {
                rows: states.list("rows"),
                period,
            };
            stream.key_by(|row| row.0).process(declare)
        }
        Step::Maps(period) => {
            let declare = move |states: &mut StateRegistry| Maps {
                counts: states.map("counts"),
                period,
            };
            stream.key_by(|row| row.0).process(declare)
        }
        Step::Tumble(size) => stream
            .key_by(|row| row.0)
            .window(TumblingEventTimeWindows::of(ms(size)))
            .sum(|row| &mut row.1),
        Step::Slide(size, slide) => stream
            .key_by(|row| row.0)
            .window(SlidingEventTimeWindows::of(ms(size), ms(slide)))
            .sum(|row| &mut row.1),
        Step::Sessions(gap) => stream
            .key_by(|row| row.0)
            .window(EventTimeSessionWindows::with_gap(ms(gap)))
            .sum(|row| &mut row.1),
        Step::Rules => {
            let rules = stream.environment().from_collection(1i64..60);
            let rules = rules.uid(&format!("{uid} rules")).set_parallelism(1);
            stream
                .connect(&rules.broadcast())
                .apply("Rules", |states| Rules {
                    rules: states.operator_list("rules", Redistribution::Broadcast),
                    waiting: states.operator_list("waiting", Redistribution::Split),
                })
        }
        Step::KeyedRules => {
            let rules = stream.environment().from_collection(1i64..60);
            let rules = rules.uid(&format!("{uid} rules")).set_parallelism(1);
            stream
                .key_by(|row| row.0)
                .connect(&rules.broadcast_stream())
                .process(|states| KeyedRules {
                    rules: states.broadcast("rules"),
                    seen: states.value("seen"),
                    waiting: states.list("waiting"),
                })
        }
    };
    stream.uid(&uid)
}

/// A program over numbers whose time goes up, and a little back.
fn program(
    env: &StreamExecutionEnvironment,
    numbers: &[(u64, i64, u64)],
    steps: &[Step],
) -> DataStream<Row> {
    let mut time = 0;
    let rows = numbers.iter().map(|(key, number, later)| {
        time += 2 * later;
        let back = 2 * (number.unsigned_abs() % (DISORDER_MS / 2));
        ((*key, *number), time.saturating_sub(back) as i64)
    });
    let rows: Vec<(Row, i64)> = rows.collect();
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(ms(DISORDER_MS))
        .with_timestamp_assigner(|(_, time): &(Row, i64)| *time);
    let stream = env
        .from_collection(rows)
        .uid("rows")
        .assign_timestamps_and_watermarks(strategy)
        .uid("times")
        .map(|(row, _)| row)
        .uid("values");
    let numbered = steps.iter().enumerate();
    numbered.fold(stream, |stream, (at, step)| follow(stream, step, at))
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_unstable();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn programs_that_are_moved_have_the_results_of_those_that_are_not(
        numbers in proptest::collection::vec((0u64..5, -50i64..50, 0u64..9), 1..40),
        steps in steps(),
        rounds in [1u64..40, 1..40, 1..40],
        unaligned in any::<bool>(),
        store in any::<bool>(),
    ) {
        let build = |env: &StreamExecutionEnvironment| program(env, &numbers, &steps);
        let expected = sorted(run_along(build, &[(1, 1)], false, false).unwrap());
        let path = [(1, rounds[0]), (2, rounds[1]), (3, rounds[2]), (1, 1)];
        let moved = sorted(run_along(build, &path, unaligned, store).unwrap());
        prop_assert_eq!(moved, expected);
    }
}
