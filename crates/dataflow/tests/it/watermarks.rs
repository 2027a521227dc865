//! Timestamps, watermarks, idleness.

use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::watermark_strategy::WatermarkStrategy;
use thalweg_dataflow::window::TumblingEventTimeWindows;
use thalweg_testkit::{Harness, check_two};

use crate::windows::{Row, by_word, ms};

#[test]
fn trap_01_bounded_out_of_orderness_emits_the_highest_minus_the_delay_minus_one() {
    let output = Harness::one(|stream: DataStream<i64>| {
        stream.assign_timestamps_and_watermarks(
            WatermarkStrategy::for_bounded_out_of_orderness(ms(3)).with_timestamp_assigner(|n| *n),
        )
    })
    .output("10 8 20 15 end");
    assert_eq!(output, "10@10 W@6 8@8 20@20 W@16 15@15 end");
}

#[test]
fn trap_03_when_all_inputs_are_idle_the_watermark_jumps_to_the_highest() {
    let build = |a: DataStream<Row>, b: DataStream<Row>| {
        by_word(&a.union(&[b]))
            .window(TumblingEventTimeWindows::of(ms(10)))
            .sum(|row| &mut row.1)
    };
    // The idle second input holds nobody back.
    check_two(
        build,
        "a:1@3 1>W@12 2>idle 2>active 2>W@15 1>W@20",
        "a:1@9 W@12 W@15",
    );
    // The one that is ahead turns idle first: the minimum stays; then both are idle.
    check_two(
        build,
        "a:1@3 1>W@5 2>W@12 2>idle 1>idle",
        "W@5 a:1@9 W@12 idle",
    );
}

#[test]
fn an_idle_stream_says_so_and_wakes_with_its_next_record() {
    let output = Harness::one(|stream: DataStream<i64>| {
        stream.assign_timestamps_and_watermarks(
            WatermarkStrategy::for_monotonous_timestamps()
                .with_timestamp_assigner(|n| *n)
                .with_idleness(ms(50)),
        )
    })
    .output("10 P@49 P@50 P@60 20 end");
    assert_eq!(output, "10@10 W@9 idle active 20@20 W@19 end");
}
