//! Partitions: where rows go, and when a partition is said to be whole.

use thalweg_columnar::connector::TableSpec;
use thalweg_core::watermark::WatermarkStatus;

use super::{Job, Output, rows};
use crate::filesystem::FileSystem;
use crate::testing;

const HOUR_MS: i64 = 3_600_000;
const POLICY: (&str, &str) = ("sink.partition-commit.policy.kind", "success-file");

fn by_partition_time(output: &Output) -> TableSpec {
    output.partitioned(&[
        POLICY,
        ("sink.partition-commit.trigger", "partition-time"),
        ("sink.partition-commit.delay", "1 h"),
        (
            "partition.time-extractor.timestamp-pattern",
            "$day $hour:00:00",
        ),
    ])
}

impl Output {
    /// The hours that are said to be whole.
    fn whole(&self) -> Vec<i64> {
        let mut hours: Vec<i64> = self
            .files()
            .iter()
            .filter_map(|file| file.strip_suffix("/_SUCCESS"))
            .map(|partition| partition.rsplit('=').next().unwrap().parse().unwrap())
            .collect();
        hours.sort_unstable();
        hours
    }
}

fn day(hour: i64, ids: std::ops::Range<i64>) -> arrow::array::RecordBatch {
    rows(ids, "1970-01-01", hour)
}

#[test]
fn rows_go_to_the_directories_of_their_values_and_come_back_from_there() {
    let output = Output::new();
    let table = output.partitioned(&[]);
    let mut job = Job::new(&table, 1);
    job.write_rows(0, rows(0..3, "a/b", 1));
    job.write_rows(0, rows(3..5, "", 2));
    job.end();
    let files = output.files();
    assert!(files[0].starts_with("day=__DEFAULT_PARTITION__/hour=2/part-"));
    assert!(files[1].starts_with("day=a%2Fb/hour=1/part-"), "{files:?}");
    let text = std::fs::read_to_string(output.0.join(&files[1])).unwrap();
    assert_eq!(
        text, "0\n1\n2\n",
        "the columns of the directory are not in the file"
    );
    let read = testing::source(&FileSystem, &table).unwrap();
    let read = testing::sorted(&testing::run(&*read, 2, 100));
    assert_eq!(
        read,
        [
            "0 | a/b | 1",
            "1 | a/b | 1",
            "2 | a/b | 1",
            "3 |  | 2",
            "4 |  | 2"
        ]
    );
    // Only what is in the directories, and in another order.
    let hours = testing::source_of(&FileSystem, &table, vec![2]).unwrap();
    let hours = testing::sorted(&testing::run(&*hours, 1, 100));
    assert_eq!(hours, ["1", "1", "1", "2", "2"]);
    let turned = testing::source_of(&FileSystem, &table, vec![2, 0]).unwrap();
    let turned = testing::sorted(&testing::run(&*turned, 1, 100));
    assert_eq!(turned, ["1 | 0", "1 | 1", "1 | 2", "2 | 3", "2 | 4"]);
}

#[test]
fn a_batch_of_several_partitions_is_dealt_out() {
    let output = Output::new();
    let mut job = Job::new(&output.partitioned(&[]), 1);
    let parts = [rows(0..2, "a", 1), rows(2..3, "b", 1), rows(3..5, "a", 1)];
    let schema = parts[0].schema();
    let mixed = arrow::compute::concat_batches(&schema, &parts).unwrap();
    job.write_rows(0, mixed);
    job.end();
    let files = output.files();
    let text = |place: usize| std::fs::read_to_string(output.0.join(&files[place])).unwrap();
    assert_eq!(
        (files.len(), &*text(0), &*text(1)),
        (2, "0\n1\n3\n4\n", "2\n")
    );
}

#[test]
fn a_partition_is_whole_when_every_instances_watermark_has_passed_it_and_the_checkpoint_is_durable()
{
    let output = Output::new();
    let mut job = Job::new(&by_partition_time(&output), 2);
    job.write_rows(0, day(3, 0..2));
    job.write_rows(1, day(3, 2..4));
    job.write_rows(1, day(4, 4..5));
    for watermark in [4 * HOUR_MS, 4 * HOUR_MS + 1] {
        job.watermark(0, watermark);
        job.watermark(1, 4 * HOUR_MS);
        job.checkpoint();
        assert_eq!(output.whole(), Vec::<i64>::new());
    }
    job.watermark(1, 4 * HOUR_MS + 1);
    job.barrier();
    assert_eq!(output.whole(), Vec::<i64>::new(), "not durable");
    job.commit_at(0);
    assert_eq!(
        output.whole(),
        Vec::<i64>::new(),
        "files of the other instance"
    );
    assert!(output.ids().len() < 4);
    job.commit_at(1);
    assert_eq!((output.whole(), output.ids()), (vec![3], vec![0, 1, 2, 3]));
    job.end();
    assert_eq!(
        (output.whole(), output.ids()),
        (vec![3, 4], vec![0, 1, 2, 3, 4])
    );
}

#[test]
fn an_instance_without_input_holds_nothing_up_once_it_is_idle() {
    let output = Output::new();
    let mut job = Job::new(&by_partition_time(&output), 2);
    job.write_rows(0, day(3, 0..2));
    job.watermark(0, 9 * HOUR_MS);
    job.checkpoint();
    assert_eq!(output.whole(), Vec::<i64>::new());
    let idle = &mut job.instances[1];
    let told = idle
        .writer
        .write_status(WatermarkStatus::Idle, &mut idle.ctx);
    told.unwrap();
    job.checkpoint();
    assert_eq!(output.whole(), [3]);
}

#[test]
fn an_idle_instance_closes_what_it_has_written_to_a_partition_that_is_over() {
    let output = Output::new();
    let mut job = Job::new(&by_partition_time(&output), 2);
    job.write_rows(0, day(3, 0..2));
    job.write_rows(1, day(3, 2..4));
    let idle = &mut job.instances[1];
    let told = idle
        .writer
        .write_status(WatermarkStatus::Idle, &mut idle.ctx);
    told.unwrap();
    job.watermark(0, 9 * HOUR_MS);
    // The second barrier finds what the first one said.
    job.checkpoint();
    job.checkpoint();
    assert_eq!((output.whole(), output.ids()), (vec![3], vec![0, 1, 2, 3]));
}

#[test]
fn a_partition_that_another_instance_has_open_is_not_whole() {
    let output = Output::new();
    let table = output.partitioned(&[POLICY, ("sink.partition-commit.delay", "10 s")]);
    let mut job = Job::new(&table, 2);
    job.write_rows(0, day(3, 0..2));
    job.advance(5000);
    job.write_rows(1, day(3, 2..4));
    job.advance(12_000);
    job.checkpoint();
    assert_eq!((output.whole(), output.ids()), (vec![], vec![0, 1]));
    job.advance(15_001);
    job.checkpoint();
    assert_eq!((output.whole(), output.ids()), (vec![3], vec![0, 1, 2, 3]));
}

#[test]
fn without_a_delay_a_partition_is_committed_with_each_checkpoint_that_brings_rows() {
    let output = Output::new();
    let mut job = Job::new(&output.partitioned(&[POLICY]), 1);
    let success = output.0.join("day=1970-01-01/hour=3/_SUCCESS");
    for (rows, committed) in [(true, true), (false, false), (true, true), (false, false)] {
        if rows {
            job.write_rows(0, day(3, 0..2));
        }
        job.checkpoint();
        assert_eq!(success.exists(), committed);
        let _ = std::fs::remove_file(&success);
    }
}

#[test]
fn a_partition_that_waits_survives_a_crash_at_any_parallelism() {
    let output = Output::new();
    let table = by_partition_time(&output);
    let mut job = Job::new(&table, 2);
    job.write_rows(0, day(3, 0..2));
    job.write_rows(1, day(5, 2..4));
    let checkpoint = job.checkpoint();
    drop(job);
    let mut job = Job::restored(&table, 3, &checkpoint);
    (0..3).for_each(|index| job.watermark(index, 4 * HOUR_MS + 1));
    // Durable, but nobody could say so any more.
    let checkpoint = job.barrier();
    drop(job);
    let mut job = Job::restored(&table, 1, &checkpoint);
    assert_eq!(output.whole(), Vec::<i64>::new());
    job.watermark(0, 4 * HOUR_MS + 1);
    job.checkpoint();
    assert_eq!((output.whole(), output.ids()), (vec![3], vec![0, 1, 2, 3]));
}

#[test]
fn the_end_that_was_killed_over_is_committed_when_the_job_starts_again() {
    let output = Output::new();
    let table = by_partition_time(&output);
    let mut job = Job::new(&table, 2);
    job.write_rows(0, day(3, 0..2));
    job.write_rows(1, day(5, 2..4));
    let checkpoint = job.finish();
    drop(job);
    drop(Job::restored(&table, 2, &checkpoint));
    assert_eq!(
        (output.whole(), output.ids()),
        (vec![3, 5], vec![0, 1, 2, 3])
    );
}

#[test]
fn by_process_time_a_partition_waits_for_its_delay_and_is_committed_again_for_late_rows() {
    let output = Output::new();
    let mut job = Job::new(
        &output.partitioned(&[POLICY, ("sink.partition-commit.delay", "10 s")]),
        1,
    );
    job.write_rows(0, day(3, 0..2));
    job.advance(10_000);
    job.checkpoint();
    assert_eq!(output.whole(), Vec::<i64>::new());
    job.advance(10_001);
    job.checkpoint();
    assert_eq!((output.whole(), output.ids()), (vec![3], vec![0, 1]));
    let success = output.0.join("day=1970-01-01/hour=3/_SUCCESS");
    std::fs::remove_file(&success).unwrap();
    job.checkpoint();
    assert!(!success.exists(), "what is whole is not said again");
    job.write_rows(0, day(3, 2..3));
    job.advance(30_000);
    job.checkpoint();
    assert!(success.exists() && output.ids() == [0, 1, 2]);
}

#[test]
fn what_is_not_there_is_refused_with_its_key() {
    let output = Output::new();
    let refused = |options: &[(&str, &str)], expected: &[&str]| {
        let error = Job::start(&output.partitioned(options), 1, None)
            .err()
            .unwrap();
        for part in expected {
            assert!(error.to_string().contains(part), "{error}");
        }
    };
    let policy = "sink.partition-commit.policy.kind";
    refused(
        &[(policy, "metastore,success-file")],
        &[policy, "no policy `metastore`"],
    );
    refused(&[(policy, "custom")], &[policy, "there is `success-file`"]);
    refused(&[(policy, "none")], &[policy]);
    refused(
        &[("sink.partition-commit.delay", "1 h")],
        &["sink.partition-commit.delay", policy],
    );
    refused(
        &[POLICY, ("sink.partition-commit.success-file.name", "DONE")],
        &["sink.partition-commit.success-file.name", "`DONE`"],
    );
    refused(
        &[POLICY, ("sink.partition-commit.trigger", "event-time")],
        &["sink.partition-commit.trigger", "`event-time`"],
    );
    refused(
        &[("auto-compaction", "true")],
        &["`auto-compaction`", "not merged"],
    );
    refused(
        &[("compaction.file-size", "1 gb")],
        &["`compaction.file-size`"],
    );
    refused(
        &[("sink.rolling-policy.file-size", "much")],
        &["sink.rolling-policy.file-size", "`much`"],
    );
    refused(
        &[("sink.rolling-policy.check-interval", "0 s")],
        &["sink.rolling-policy.check-interval"],
    );
    refused(
        &[("sink.delivery-guarantee", "twice")],
        &["sink.delivery-guarantee", "`twice`"],
    );
    let mut plain = output.table(&[POLICY]);
    let error = Job::start(&plain, 1, None).err().unwrap().to_string();
    assert!(error.contains("needs PARTITIONED BY"), "{error}");
    plain.options.remove(policy);
    plain.partition_keys = vec!["id".into(), "day".into(), "hour".into()];
    let error = Job::start(&plain, 1, None).err().unwrap().to_string();
    assert!(
        error.contains("all columns are partition columns"),
        "{error}"
    );
}
