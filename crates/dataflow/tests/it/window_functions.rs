//! Window functions: aggregates, process functions, their state and their side outputs.

use thalweg_core::Result;
use thalweg_core::operator::{AggregateFunction, OutputTag};
use thalweg_core::state::{MapState, ValueState};
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::window::{
    Collector, EventTimeSessionWindows, ProcessWindowFunction, TimeWindow,
    TumblingEventTimeWindows, WindowContext,
};
use thalweg_testkit::{Harness, check};

use crate::windows::{Row, by_word, ms};

/// The mean, as sum and count.
#[derive(Clone)]
struct Mean;

impl AggregateFunction for Mean {
    type Input = Row;
    type Accumulator = (i64, i64);
    type Output = f64;

    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, accumulator: &mut (i64, i64), value: Row) {
        accumulator.0 += value.1;
        accumulator.1 += 1;
    }
    fn result(&self, accumulator: &(i64, i64)) -> f64 {
        accumulator.0 as f64 / accumulator.1 as f64
    }
    fn merge(&self, first: (i64, i64), second: (i64, i64)) -> (i64, i64) {
        (first.0 + second.0, first.1 + second.1)
    }
}

#[test]
fn an_aggregate_emits_its_result_and_merges_with_sessions() {
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(10)))
                .aggregate(Mean)
        },
        "a:1@0 a:2@3 b:5@4 W@9",
        "1.5@9 5@9 W@9",
    );
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(EventTimeSessionWindows::with_gap(ms(10)))
                .aggregate(Mean)
        },
        "a:1@0 a:2@20 a:6@10 end",
        "3@29 end",
    );
}

#[test]
fn a_process_function_sees_key_window_watermark_and_records_in_order() {
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(10)))
                .process(|key, ctx, rows, out| {
                    let values: Vec<i64> = rows.iter().map(|row| row.1).collect();
                    let (window, watermark) = (*ctx.window(), ctx.watermark().0);
                    out.collect(
                        format!("{key}/{}/{watermark}/{values:?}", window.start).replace(' ', ""),
                    );
                    Ok(())
                })
        },
        "a:3@5 a:1@2 b:7@9 W@12 end",
        "a/0/12/[3,1]@9 b/0/12/[7]@9 W@12 end",
    );
}

#[test]
fn folding_and_processing_combine() {
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(10)))
                .reduce_and_process(
                    |a, b| (a.0, a.1 + b.1),
                    |key, ctx, sum, out| {
                        out.collect((key.clone(), ctx.window().end, sum.1));
                        Ok(())
                    },
                )
        },
        "a:1@0 a:2@3 W@9",
        "a:10:3@9 W@9",
    );
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(10)))
                .aggregate_and_process(Mean, |key, _, mean, out| {
                    out.collect((key.clone(), *mean));
                    Ok(())
                })
        },
        "a:1@0 a:2@3 W@9",
        "a:1.5@9 W@9",
    );
}

/// Numbers the firings of each window, and those of its key.
struct Numbered {
    of_window: MapState<TimeWindow, i64>,
    of_key: ValueState<i64>,
}

impl ProcessWindowFunction<String, [Row], (String, i64, i64), TimeWindow> for Numbered {
    fn process(
        &mut self,
        key: &String,
        window: &mut WindowContext<'_, TimeWindow>,
        _: &[Row],
        out: &mut Collector<'_, (String, i64, i64)>,
    ) -> Result<()> {
        let in_window = window.state(&self.of_window)?.map_or(1, |n| n + 1);
        window.set_state(&self.of_window, in_window)?;
        let of_key = self.of_key.get_or_insert_with(window.context(), || 0)?;
        *of_key += 1;
        out.collect((key.clone(), in_window, *of_key));
        Ok(())
    }

    fn clear(&mut self, _: &String, window: &mut WindowContext<'_, TimeWindow>) -> Result<()> {
        window.clear_state(&self.of_window)
    }
}

#[test]
fn a_process_function_has_state_of_its_window_and_of_its_key() {
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(10)))
                .allowed_lateness(ms(20))
                .process_with(|states| Numbered {
                    of_window: states.map("of-window"),
                    of_key: states.value("of-key"),
                })
        },
        "a:1@0 a:1@12 W@9 a:1@1 W@19 a:1@2 W@100 a:1@110 end",
        "a:1:1@9 W@9 a:2:2@9 a:1:3@19 W@19 a:3:4@9 W@100 a:1:5@119 end",
    );
}

#[test]
fn a_process_function_emits_to_side_outputs() {
    let large = OutputTag::<i64>::new("large");
    let tag = large.clone();
    Harness::one(move |stream: DataStream<Row>| {
        let tag = tag.clone();
        by_word(&stream)
            .window(TumblingEventTimeWindows::of(ms(10)))
            .reduce_and_process(
                |a, b| (a.0, a.1 + b.1),
                move |_, _, sum: &Row, out: &mut Collector<'_, i64>| {
                    if sum.1 > 10 {
                        out.side(&tag, sum.1);
                    } else {
                        out.collect(sum.1);
                    }
                    Ok(())
                },
            )
    })
    .side(&large)
    .check("a:1@0 b:20@1 W@9", "1@9 W@9 large>20@9");
}

#[test]
fn a_process_function_sees_all_records_of_a_window_without_keys() {
    let build = |stream: DataStream<i64>| {
        let windows = TumblingEventTimeWindows::of(ms(10));
        stream.window_all(windows).process(|(), window, rows, out| {
            let sum: i64 = rows.iter().sum();
            out.collect(sum * 100 + window.window().start);
            Ok(())
        })
    };
    check(build, "1@1 2@5 3@12 W@20", "300@9 310@19 W@20");
}
