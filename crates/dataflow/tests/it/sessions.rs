//! Session windows: merging of contents, timers and trigger state.

use std::time::Duration;

use thalweg_core::operator::OutputTag;
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::window::{
    CountTrigger, DeltaTrigger, EventTimeSessionWindows, ProcessingTimeSessionWindows,
    PurgingTrigger,
};
use thalweg_testkit::{Harness, check};

use crate::windows::{Row, by_word, ms};

fn sessions(gap: u64, lateness: u64) -> impl Fn(DataStream<Row>) -> DataStream<Row> {
    move |stream| {
        by_word(&stream)
            .window(EventTimeSessionWindows::with_gap(ms(gap)))
            .allowed_lateness(ms(lateness))
            .sum(|row| &mut row.1)
    }
}

#[test]
fn trap_05_records_exactly_a_gap_apart_share_a_session() {
    check(
        sessions(10, 0),
        "a:1@0 a:2@10 W@18 W@19 a:4@30 a:8@41 end",
        "W@18 a:3@19 W@19 a:4@39 a:8@50 end",
    );
}

#[test]
fn trap_05_a_late_record_bridges_two_sessions_and_a_fired_one_fires_again_merged() {
    check(
        sessions(10, 100),
        "a:1@0 a:2@20 W@12 a:4@10 W@29 end",
        "a:1@9 W@12 a:7@29 W@29 end",
    );
    // Both had fired: the bridge fires the merged session at once.
    check(
        sessions(10, 100),
        "a:1@0 a:2@20 W@40 a:4@10 W@50 end",
        "a:1@9 a:2@29 W@40 a:7@29 W@50 end",
    );
}

#[test]
fn trap_05_a_late_record_alone_is_dropped_but_joins_an_open_session() {
    let late = OutputTag::<Row>::new("late");
    let tag = late.clone();
    Harness::one(move |stream: DataStream<Row>| {
        by_word(&stream)
            .window(EventTimeSessionWindows::with_gap(ms(10)))
            .side_output_late_data(&tag)
            .sum(|row| &mut row.1)
    })
    .side(&late)
    // At watermark 25 a record at 15 is late on its own, unless it touches [20, 30).
    .check(
        "b:1@20 a:0@0 W@25 a:2@15 b:4@15 W@29",
        "a:0@9 W@25 b:5@29 W@29 late>a:2@15",
    );
}

#[test]
fn trap_05_trigger_state_merges_with_its_sessions() {
    let build = |stream: DataStream<Row>| {
        by_word(&stream)
            .window(EventTimeSessionWindows::with_gap(ms(10)))
            .trigger(PurgingTrigger::of(CountTrigger::of(4)))
            .sum(|row| &mut row.1)
    };
    // One, one and one more make three; the fourth fires, with the end of the merged session.
    check(
        build,
        "a:1@0 a:2@20 a:4@10 W@1 a:8@15 a:16@3 end",
        "W@1 a:15@29 end",
    );
}

#[test]
fn a_session_whose_end_moves_fires_at_its_last_end_only() {
    check(
        sessions(10, 0),
        "a:1@0 W@5 a:1@6 W@9 a:1@12 W@15 a:1@13 W@22 W@23",
        "W@5 W@9 W@15 a:4@22 W@22 W@23",
    );
}

#[test]
fn sessions_of_different_keys_do_not_touch() {
    check(
        sessions(5, 0),
        "a:1@0 b:1@3 a:1@4 W@7 W@8 b:1@100 end",
        "b:1@7 W@7 a:2@8 W@8 b:1@104 end",
    );
}

#[test]
fn each_record_may_bring_its_own_gap() {
    check(
        |stream: DataStream<Row>| {
            let gap = |row: &Row| Duration::from_millis(row.1.unsigned_abs());
            by_word(&stream)
                .window(EventTimeSessionWindows::with_dynamic_gap(gap))
                .sum(|row| &mut row.1)
        },
        // [0, 5), then [6, 26) which swallows [20, 22).
        "a:5@0 a:20@6 a:2@20 end",
        "a:5@4 a:22@25 end",
    );
}

#[test]
fn sessions_by_the_clock_end_a_gap_after_the_last_record() {
    check(
        |stream: DataStream<Row>| {
            by_word(&stream)
                .window(ProcessingTimeSessionWindows::with_gap(ms(10)))
                .sum(|row| &mut row.1)
        },
        "P@0 a:1 P@8 a:2 P@12 P@17 P@30 a:4 P@39",
        "a:3@17 a:4@39",
    );
}

#[test]
fn a_trigger_that_cannot_merge_is_refused() {
    let env = thalweg_testkit::environment();
    let error = by_word(&env.from_collection([("a".to_owned(), 1i64)]))
        .window(EventTimeSessionWindows::with_gap(ms(10)))
        .trigger(DeltaTrigger::of(1.0, |a: &Row, b: &Row| (b.1 - a.1) as f64))
        .sum(|row| &mut row.1)
        .execute_and_collect()
        .unwrap_err();
    assert!(error.to_string().contains("windows that merge"), "{error}");
}
