//! Rolling aggregates: reduce, sum, min, max, min_by, max_by.

use thalweg_core::config::RuntimeMode;
use thalweg_dataflow::stream::{DataStream, KeyedStream};
use thalweg_testkit::{Harness, check, check_job};

type Row = (String, i64, i64);

fn keyed(stream: &DataStream<Row>) -> KeyedStream<String, Row> {
    stream.key_by(|row| row.0.clone())
}

#[test]
fn reduce_emits_every_update_with_the_timestamp_of_its_record() {
    check::<(String, i64), (String, i64)>(
        |stream| {
            let keyed = stream.key_by(|row| row.0.clone());
            keyed.reduce(|a, b| (a.0, a.1 * 10 + b.1))
        },
        "a:1@5 b:2@1 a:3@-7 W@9 a:4@2 end",
        "a:1@5 b:2@1 a:13@-7 W@9 a:134@2 end",
    );
}

#[test]
fn reduce_in_batch_mode_emits_one_record_a_key_at_the_end() {
    Harness::one(|stream: DataStream<(String, i64)>| {
        let keyed = stream.key_by(|row| row.0.clone());
        keyed.reduce(|a, b| (a.0, a.1 + b.1))
    })
    .configure(|config| config.mode = RuntimeMode::Batch)
    .check("a:1@5 b:2@1 a:3@7 end", "a:4 b:2 end");
}

#[test]
fn trap_15_rolling_aggregates_of_a_batch_emit_once_a_key() {
    Harness::one(|stream: DataStream<Row>| keyed(&stream).max_by(|row| row.2))
        .configure(|config| config.mode = RuntimeMode::Batch)
        .check("a:1:5@0 a:2:9@1 b:3:1@2 a:4:9@3 end", "a:2:9 b:3:1 end");
}

#[test]
fn sum_keeps_the_other_fields_of_the_first_record() {
    check(
        |stream: DataStream<Row>| keyed(&stream).sum(|row| &mut row.2),
        "a:1:10@0 a:2:5@1 b:3:1@2 a:4:-20@3",
        "a:1:10@0 a:1:15@1 b:3:1@2 a:1:-5@3",
    );
}

#[test]
fn min_and_max_keep_the_other_fields_of_the_first_record() {
    check(
        |stream: DataStream<Row>| keyed(&stream).min(|row| &mut row.2),
        "a:1:10@0 a:2:5@1 a:3:7@2",
        "a:1:10@0 a:1:5@1 a:1:5@2",
    );
    check(
        |stream: DataStream<Row>| keyed(&stream).max(|row| &mut row.2),
        "a:1:10@0 a:2:15@1 a:3:7@2",
        "a:1:10@0 a:1:15@1 a:1:15@2",
    );
}

#[test]
fn min_by_and_max_by_take_the_whole_record_and_ties_keep_the_first() {
    check(
        |stream: DataStream<Row>| keyed(&stream).min_by(|row| row.2),
        "a:1:10@0 a:2:5@1 a:3:5@2",
        "a:1:10@0 a:2:5@1 a:2:5@2",
    );
    check(
        |stream: DataStream<Row>| keyed(&stream).max_by(|row| row.2),
        "a:1:10@0 a:2:15@1 a:3:15@2",
        "a:1:10@0 a:2:15@1 a:2:15@2",
    );
}

#[test]
fn a_rolling_sum_survives_interruption_and_another_parallelism() {
    check_job(
        |env| {
            let numbers = env.from_collection((0..40i64).map(|n| (n % 5, n)));
            numbers.key_by(|row| row.0).sum(|row| &mut row.1)
        },
        (0..40i64).map(|n| (n % 5, (0..=n).filter(|m| m % 5 == n % 5).sum())),
    );
}
