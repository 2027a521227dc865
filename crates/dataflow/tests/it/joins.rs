//! Interval joins, window joins, co-groups.

use proptest::prelude::*;
use thalweg_core::operator::OutputTag;
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::window::{EventTimeSessionWindows, TumblingEventTimeWindows};
use thalweg_testkit::{Harness, check_two};

use crate::windows::{Row, by_word, ms};

type Pair = (String, i64, i64);

fn interval(
    lower: i64,
    upper: i64,
) -> impl Fn(DataStream<Row>, DataStream<Row>) -> DataStream<Pair> {
    move |left, right| {
        by_word(&left)
            .interval_join(&by_word(&right))
            .between_ms(lower, upper)
            .process(|left, right, out| {
                out.collect((left.0.clone(), left.1, right.1));
                Ok(())
            })
    }
}

#[test]
fn an_interval_join_includes_its_bounds_and_takes_the_later_timestamp() {
    check_two(
        interval(-2, 3),
        "a:1@10 2>a:7@7 2>a:8@8 2>a:13@13 2>a:14@14 2>b:9@10 a:2@11 end",
        "a:1:8@10 a:1:13@13 a:2:13@13 a:2:14@14 end",
    );
}

#[test]
fn an_interval_join_may_exclude_its_bounds() {
    check_two(
        |left: DataStream<Row>, right: DataStream<Row>| {
            by_word(&left)
                .interval_join(&by_word(&right))
                .between_ms(-2, 3)
                .lower_bound_exclusive()
                .upper_bound_exclusive()
                .process(|left, right, out| {
                    out.collect((left.0.clone(), left.1, right.1));
                    Ok(())
                })
        },
        "a:1@10 2>a:8@8 2>a:9@9 2>a:12@12 2>a:13@13",
        "a:1:9@10 a:1:12@12",
    );
}

#[test]
fn an_interval_join_keeps_records_until_no_partner_can_come() {
    // A left record at 10 waits for rights up to 13, a right one at 10 for lefts up to 12.
    check_two(
        interval(-2, 3),
        "a:1@10 2>a:5@10 W@11 2>a:2@13 a:3@12 W@13 2>a:4@14 W@30",
        "a:1:5@10 W@11 a:1:2@13 a:3:5@12 a:3:2@13 W@13 a:3:4@14 W@30",
    );
}

#[test]
fn late_records_of_an_interval_join_go_to_their_own_outputs() {
    let (left_late, right_late) = (
        OutputTag::<Row>::new("left"),
        OutputTag::<Row>::new("right"),
    );
    let tags = (left_late.clone(), right_late.clone());
    Harness::two(move |left: DataStream<Row>, right: DataStream<Row>| {
        by_word(&left)
            .interval_join(&by_word(&right))
            .between_ms(0, 5)
            .side_output_left_late_data(&tags.0)
            .side_output_right_late_data(&tags.1)
            .process(|left, right, out| {
                out.collect((left.0.clone(), left.1, right.1));
                Ok(())
            })
    })
    .side(&left_late)
    .side(&right_late)
    // As in Flink a record at the watermark itself still joins.
    .check(
        "a:1@10 W@12 a:2@11 a:3@12 2>a:4@11 2>a:5@12",
        "W@12 a:1:5@12 a:3:5@12 left>a:2@11 right>a:4@11",
    );
}

#[test]
fn a_window_join_pairs_records_of_one_key_and_window() {
    check_two(
        |a: DataStream<Row>, b: DataStream<Row>| {
            a.join(&b)
                .where_key(|row| row.0.clone())
                .equal_to(|row| row.0.clone())
                .window(TumblingEventTimeWindows::of(ms(10)))
                .apply(|a, b| (a.0.clone(), a.1, b.1))
        },
        "a:1@0 a:2@5 2>a:7@9 2>a:8@10 b:3@1 W@9 end",
        "a:1:7@9 a:2:7@9 W@9 end",
    );
}

#[test]
fn a_window_join_over_sessions_merges_both_sides() {
    check_two(
        |a: DataStream<Row>, b: DataStream<Row>| {
            a.join(&b)
                .where_key(|row| row.0.clone())
                .equal_to(|row| row.0.clone())
                .window(EventTimeSessionWindows::with_gap(ms(10)))
                .apply(|a, b| (a.0.clone(), a.1, b.1))
        },
        "a:1@0 2>a:7@20 a:2@11 end",
        "a:2:7@29 end",
    );
}

#[test]
fn a_co_group_is_called_when_one_side_is_empty() {
    check_two(
        |a: DataStream<Row>, b: DataStream<Row>| {
            a.co_group(&b)
                .where_key(|row| row.0.clone())
                .equal_to(|row| row.0.clone())
                .window(TumblingEventTimeWindows::of(ms(10)))
                .apply(|a: &[Row], b: &[Row], out| {
                    let sum = |rows: &[Row]| rows.iter().map(|row| row.1).sum::<i64>();
                    out.collect((sum(a), sum(b)));
                    Ok(())
                })
        },
        "a:1@0 a:2@5 2>a:7@9 2>b:8@3 c:4@4 W@9",
        "3:7@9 0:8@9 4:0@9 W@9",
    );
}

#[test]
fn a_keyed_connection_shares_state_between_its_inputs() {
    use thalweg_core::Result;
    use thalweg_core::operator::{Context, Output, TwoInputOperator};
    use thalweg_core::rows::Record;
    use thalweg_core::state::ValueState;

    /// Passes the values of a key once the second stream has allowed it.
    struct Gate(ValueState<bool>);

    impl TwoInputOperator<Row, String, Row> for Gate {
        fn process_first(
            &mut self,
            record: Record<Row>,
            ctx: &mut Context,
            out: &mut Output<Row>,
        ) -> Result<()> {
            if self.0.get(ctx)?.is_some() {
                out.push(record);
            }
            Ok(())
        }

        fn process_second(
            &mut self,
            _: Record<String>,
            ctx: &mut Context,
            _: &mut Output<Row>,
        ) -> Result<()> {
            self.0.set(ctx, true)
        }
    }

    check_two(
        |rows: DataStream<Row>, allowed: DataStream<String>| {
            by_word(&rows)
                .connect(&allowed.key_by(Clone::clone))
                .process(|states| Gate(states.value("open")))
        },
        "a:1@0 2>a@1 a:2@2 b:3@3 2>b@4 b:4@5",
        "a:2@2 b:4@5",
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_interval_join_of_records_on_time_is_the_filtered_product(
        records in prop::collection::vec((any::<bool>(), 0..2u8, -20..20i64), 0..25),
        lower in -8..4i64, span in 0..8i64,
    ) {
        let upper = lower + span;
        let mut tokens = Vec::new();
        let mut expected = Vec::new();
        for (n, (left, key, time)) in records.iter().enumerate() {
            let port = if *left { 1 } else { 2 };
            tokens.push(format!("{port}>k{key}:{n}@{time}"));
            for (m, (other_left, other_key, other)) in records.iter().enumerate() {
                let difference = other - time;
                if *left && !*other_left && key == other_key
                    && lower <= difference && difference <= upper
                {
                    expected.push(format!("k{key}:{n}:{m}@{}", time.max(other)));
                }
            }
        }
        let harness = Harness::two(interval(lower, upper));
        let output = harness.output(&tokens.join(" "));
        let mut actual: Vec<&str> = output.split_whitespace().collect();
        actual.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(actual, expected);
        harness.check(&tokens.join(" "), &output);
    }
}
