//! Tumbling, sliding, global and count windows; lateness.

use std::time::Duration;

use thalweg_core::config::RuntimeMode;
use thalweg_core::operator::OutputTag;
use thalweg_dataflow::stream::{DataStream, KeyedStream};
use thalweg_dataflow::window::{
    GlobalWindows, SlidingEventTimeWindows, SlidingProcessingTimeWindows, TumblingEventTimeWindows,
    TumblingProcessingTimeWindows, WindowAssigner, WindowStagger,
};
use thalweg_testkit::{Harness, check, check_job};

pub type Row = (String, i64);

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn by_word(stream: &DataStream<Row>) -> KeyedStream<String, Row> {
    stream.key_by(|row| row.0.clone())
}

/// Sums by word in the windows of an assigner.
fn sums<A: WindowAssigner<Row>>(assigner: A) -> impl Fn(DataStream<Row>) -> DataStream<Row> {
    move |stream| {
        by_word(&stream)
            .window(assigner.clone())
            .sum(|row| &mut row.1)
    }
}

/// The starts of the windows that each value ends up in.
fn starts<A>(assigner: A) -> impl Fn(DataStream<i64>) -> DataStream<String>
where
    A: WindowAssigner<i64, Window = thalweg_dataflow::window::TimeWindow>,
{
    move |stream| {
        stream
            .key_by(|_| ())
            .window(assigner.clone())
            .process(|(), window, values, out| {
                let window = *window.window();
                out.collect(format!("{}..{}={}", window.start, window.end, values.len()));
                Ok(())
            })
    }
}

#[test]
fn a_window_fires_once_with_its_last_instant_as_timestamp() {
    check(
        sums(TumblingEventTimeWindows::of(ms(10))),
        "a:1@0 b:7@3 a:2@9 a:4@10 W@8 W@9 W@25 end",
        "W@8 a:3@9 b:7@9 W@9 a:4@19 W@25 end",
    );
}

#[test]
fn trap_01_a_window_fires_at_end_minus_one_and_an_equal_timestamp_is_late() {
    let late = OutputTag::<Row>::new("late");
    let tag = late.clone();
    Harness::one(move |stream: DataStream<Row>| {
        by_word(&stream)
            .window(TumblingEventTimeWindows::of(ms(10)))
            .side_output_late_data(&tag)
            .sum(|row| &mut row.1)
    })
    .side(&late)
    // The watermark 8 leaves the window open for timestamp 8; 9 closes it for 9.
    .check(
        "a:1@0 W@8 a:2@8 W@9 a:4@9 a:8@10 W@19",
        "W@8 a:3@9 W@9 a:8@19 W@19 late>a:4@9",
    );
}

#[test]
fn trap_02_late_is_decided_per_window_and_each_late_record_fires_again() {
    let late = OutputTag::<Row>::new("late");
    let tag = late.clone();
    Harness::one(move |stream: DataStream<Row>| {
        by_word(&stream)
            .window(SlidingEventTimeWindows::of(ms(10), ms(5)))
            .side_output_late_data(&tag)
            .sum(|row| &mut row.1)
    })
    .side(&late)
    // At watermark 9 the window [0,10) is gone, but [5,15) still takes the record.
    .check("W@9 a:1@7 a:2@3 W@14 end", "W@9 a:1@14 W@14 end late>a:2@3");
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(10)))
                .allowed_lateness(ms(5))
                .sum(|row| &mut row.1)
        },
        "a:1@0 W@9 a:2@1 a:4@2 W@13 a:8@3 W@14 a:16@4 W@30",
        "a:1@9 W@9 a:3@9 a:7@9 W@13 a:15@9 W@14 W@30",
    );
}

#[test]
fn late_records_are_counted_when_nobody_wants_them() {
    let env = thalweg_testkit::environment();
    let strategy = thalweg_dataflow::watermark_strategy::WatermarkStrategy::for_generator(|| Each)
        .with_timestamp_assigner(|row: &Row| row.1);
    let rows = [1, 15, 2, 3].map(|n| ("a".to_owned(), n));
    let stream = env
        .from_collection(rows)
        .assign_timestamps_and_watermarks(strategy);
    by_word(&stream)
        .window(TumblingEventTimeWindows::of(ms(10)))
        .sum(|row| &mut row.1)
        .print();
    let result = env.execute().unwrap();
    assert_eq!(result.sum(|metrics| metrics.late_dropped.get()), 2);
}

/// A watermark behind every record.
struct Each;

impl<T> thalweg_dataflow::watermark_strategy::WatermarkGenerator<T> for Each {
    fn on_event(
        &mut self,
        _: &T,
        time: thalweg_core::time::EventTime,
    ) -> Option<thalweg_core::watermark::Watermark> {
        Some(thalweg_core::watermark::Watermark(time.0))
    }
    fn on_periodic_emit(&mut self) -> Option<thalweg_core::watermark::Watermark> {
        None
    }
}

#[test]
fn trap_04_windows_fire_before_the_watermark_that_closed_them_goes_on() {
    // Two windows in a row: the second sees the first's results as on time.
    check(
        |stream: DataStream<Row>| {
            let first = by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(5)))
                .sum(|row| &mut row.1);
            by_word(&first)
                .window(TumblingEventTimeWindows::of(ms(10)))
                .sum(|row| &mut row.1)
        },
        "a:1@0 a:2@4 a:4@5 W@9 a:8@17 W@19",
        "a:7@9 W@9 a:8@19 W@19",
    );
}

#[test]
fn trap_06_windows_before_the_epoch_are_floored() {
    check(
        starts(TumblingEventTimeWindows::of(ms(10))),
        "1@-1 2@-10 3@-11 4@0 end",
        "-20..-10=1@-11 -10..0=2@-1 0..10=1@9 end",
    );
    check(
        starts(SlidingEventTimeWindows::of(ms(10), ms(4))),
        "1@-1 end",
        "-8..2=1@1 -4..6=1@5 end",
    );
}

#[test]
fn trap_06_offsets_count_modulo_the_size_and_may_be_negative() {
    for offset in [3, 13, -7, -17] {
        check(
            starts(TumblingEventTimeWindows::of(ms(10)).with_offset_ms(offset)),
            "1@2 2@3 3@12 4@13 end",
            "-7..3=1@2 3..13=2@12 13..23=1@22 end",
        );
    }
    let day = 86_400_000;
    let zone = TumblingEventTimeWindows::of(Duration::from_millis(day)).with_offset_ms(-28_800_000);
    // Midnight in a zone eight hours east of Greenwich is 16:00.
    check(
        starts(zone),
        "1@57599999 2@57600000 end",
        "-28800000..57600000=1@57599999 57600000..144000000=1@143999999 end",
    );
}

#[test]
fn trap_06_a_sliding_window_need_not_be_a_multiple_of_its_slide() {
    check(
        starts(SlidingEventTimeWindows::of(ms(7), ms(3))),
        "1@6 end",
        "0..7=1@6 3..10=1@9 6..13=1@12 end",
    );
    // A slide longer than the size leaves gaps.
    check(
        starts(SlidingEventTimeWindows::of(ms(2), ms(5))),
        "1@1 2@2 3@5 end",
        "0..2=1@1 5..7=1@6 end",
    );
}

#[test]
fn windows_at_the_ends_of_time_do_not_wrap() {
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(TumblingEventTimeWindows::of(ms(1000)))
                .allowed_lateness(Duration::MAX)
                .sum(|row| &mut row.1)
        },
        "a:1@9223372036854775806 a:2@-9223372036854775000 W@0 end",
        "a:2@-9223372036854774001 W@0 a:1@9223372036854775806 end",
    );
}

#[test]
fn a_record_without_a_timestamp_is_refused_in_event_time() {
    let env = thalweg_testkit::environment();
    let stream = env.from_collection([("a".to_owned(), 1i64)]);
    let error = by_word(&stream)
        .window(TumblingEventTimeWindows::of(ms(10)))
        .sum(|row| &mut row.1)
        .execute_and_collect()
        .unwrap_err();
    assert!(error.to_string().contains("without a timestamp"), "{error}");
}

#[test]
fn a_window_without_a_length_is_refused() {
    let env = thalweg_testkit::environment();
    let stream = env.from_collection([("a".to_owned(), 1i64)]);
    let error = by_word(&stream)
        .window(TumblingEventTimeWindows::of(ms(0)))
        .sum(|row| &mut row.1)
        .execute_and_collect()
        .unwrap_err();
    assert!(error.to_string().contains("at least 1 ms"), "{error}");
}

#[test]
fn windows_by_the_clock_fire_when_it_reaches_their_end() {
    check(
        sums(TumblingProcessingTimeWindows::of(ms(10))),
        "P@3 a:1 a:2 P@8 a:4 P@9 P@12 a:8 W@100 P@25",
        "a:7@9 W@100 a:8@19",
    );
    check(
        sums(SlidingProcessingTimeWindows::of(ms(10), ms(5))),
        "P@3 a:1 P@7 a:2 P@30",
        "a:1@4 a:3@9 a:2@14",
    );
}

#[test]
fn a_natural_stagger_starts_windows_at_the_first_record() {
    let staggered = Harness::one(sums(
        TumblingProcessingTimeWindows::of(ms(10)).with_stagger(WindowStagger::Natural),
    ))
    .output("P@3 a:1 P@11 a:2 P@12 P@13 a:4 P@22");
    assert_eq!(staggered, "a:3@12 a:4@22");
}

#[test]
fn count_windows_fire_when_full_and_partial_ones_never() {
    check(
        |stream: DataStream<Row>| by_word(&stream).count_window(2).sum(|row| &mut row.1),
        "a:1@0 b:1@0 a:2@1 a:4@2 end",
        "a:3@9223372036854775807 end",
    );
    check(
        |stream: DataStream<Row>| {
            let windows = by_word(&stream).sliding_count_window(4, 2);
            windows.sum(|row| &mut row.1)
        },
        "a:1@0 a:2@0 a:4@0 a:8@0 b:3@0 a:16@0 a:32@0 end",
        "a:3@9223372036854775807 a:15@9223372036854775807 a:60@9223372036854775807 end",
    );
}

#[test]
fn a_full_count_window_leaves_no_state_behind() {
    // The slot of a key is given to the next new key only when nothing of the first is left.
    let input: Vec<String> = (0..200).map(|n| format!("k{n}:1@0 k{n}:1@0")).collect();
    let expected: Vec<String> = (0..200).map(|n| format!("k{n}:2@{}", i64::MAX)).collect();
    check(
        |stream: DataStream<Row>| by_word(&stream).count_window(2).sum(|row| &mut row.1),
        &input[..20].join(" "),
        &expected[..20].join(" "),
    );
}

#[test]
fn a_global_window_fires_at_the_end_of_the_stream_only_when_asked() {
    check(
        sums(GlobalWindows::create()),
        "a:1@0 W@5 a:2@1 end",
        "W@5 end",
    );
    check(
        sums(GlobalWindows::with_end_of_stream_trigger()),
        "a:1@0 W@5 a:2@1 b:9@7 end",
        "W@5 a:3@9223372036854775807 b:9@9223372036854775807 end",
    );
}

#[test]
fn window_all_sees_all_keys_in_one_instance() {
    check(
        |stream: DataStream<Row>| {
            stream
                .window_all(TumblingEventTimeWindows::of(ms(10)))
                .sum(|row| &mut row.1)
        },
        "a:1@0 b:2@3 c:4@11 W@9 end",
        "a:3@9 W@9 c:4@19 end",
    );
}

#[test]
fn batch_mode_has_no_late_records() {
    let rows = [1, 95, 2, 3, 94].map(|n| ("a".to_owned(), n));
    let run = |mode| {
        let env = thalweg_testkit::environment();
        env.configure(|config| config.mode = mode);
        let strategy =
            thalweg_dataflow::watermark_strategy::WatermarkStrategy::for_generator(|| Each)
                .with_timestamp_assigner(|row: &Row| row.1);
        let stream = env
            .from_collection(rows.clone())
            .assign_timestamps_and_watermarks(strategy);
        by_word(&stream)
            .window(TumblingEventTimeWindows::of(ms(10)))
            .sum(|row| &mut row.1)
            .execute_and_collect()
            .unwrap()
    };
    assert_eq!(
        run(RuntimeMode::Streaming),
        [("a".to_owned(), 1), ("a".to_owned(), 189)]
    );
    assert_eq!(
        run(RuntimeMode::Batch),
        [("a".to_owned(), 6), ("a".to_owned(), 189)]
    );
}

#[test]
fn a_windowed_job_gives_the_same_result_however_it_is_run() {
    let expected: Vec<(i64, i64)> = (0..6i64)
        .flat_map(|key| {
            (0..10i64).map(move |window| {
                let members = (window * 20..window * 20 + 20).filter(|n| n % 6 == key);
                (key, members.sum())
            })
        })
        .filter(|(_, sum)| *sum > 0)
        .collect();
    check_job(
        |env| {
            let strategy =
                thalweg_dataflow::watermark_strategy::WatermarkStrategy::for_bounded_out_of_orderness(
                    ms(30),
                )
                .with_timestamp_assigner(|row: &(i64, i64)| row.1);
            // Out of order by up to 24.
            let numbers = (0..200i64).map(|n| n / 25 * 25 + (24 - n % 25));
            env.from_collection(numbers.map(|n| (n % 6, n)))
                .assign_timestamps_and_watermarks(strategy)
                .key_by(|row| row.0)
                .window(TumblingEventTimeWindows::of(ms(20)))
                .sum(|row| &mut row.1)
        },
        expected,
    );
}
