//! One job, killed at the same place, under each guarantee.

use thalweg_columnar::{ColumnBatch, RowKind};
use thalweg_core::error::ErrorKind;

use super::{Checkpoint, Job, Output};

/// Rows 0..30 in files of ten, of which the last is killed over; the ids that can be read then.
fn run(guarantee: &str, kill: bool) -> (Output, Vec<i64>) {
    let output = Output::new();
    let table = output.table(&[
        ("sink.delivery-guarantee", guarantee),
        ("sink.rolling-policy.file-size", "150 b"),
    ]);
    let mut job = Job::new(&table, 1);
    // Twenty bytes a row: the eighth ends a file.
    let write = |job: &mut Job, ids: std::ops::Range<i64>| {
        ids.for_each(|id| job.write(0, [id]));
    };
    write(&mut job, 0..4);
    let checkpoint: Checkpoint = job.checkpoint();
    write(&mut job, 4..20);
    if kill {
        drop(job);
        job = Job::restored(&table, 1, &checkpoint);
        write(&mut job, 4..20);
    }
    write(&mut job, 20..30);
    job.end();
    let ids = output.ids();
    (output, ids)
}

#[test]
fn without_a_failure_each_guarantee_gives_every_row_once() {
    for guarantee in ["none", "at-least-once", "exactly-once"] {
        let (output, ids) = run(guarantee, false);
        assert_eq!(ids, (0..30).collect::<Vec<_>>(), "{guarantee}");
        assert!(output.hidden().is_empty());
    }
}

#[test]
fn killed_at_one_place_none_loses_rows_at_least_once_repeats_some_and_exactly_once_neither() {
    let every: Vec<i64> = (0..30).collect();
    let missing = |ids: &[i64]| every.iter().filter(|id| !ids.contains(id)).count();
    let repeated = |ids: &[i64]| ids.windows(2).filter(|pair| pair[0] == pair[1]).count();

    let (output, once) = run("exactly-once", true);
    assert_eq!(once, every);
    assert!(output.hidden().is_empty());

    let (output, repeats) = run("at-least-once", true);
    assert_eq!(missing(&repeats), 0);
    assert!(repeated(&repeats) > 0, "{repeats:?}");
    assert!(output.hidden().is_empty());

    let (output, loses) = run("none", true);
    assert!(missing(&loses) > 0 || repeated(&loses) > 0, "{loses:?}");
    assert!(output.hidden().is_empty());
}

#[test]
fn none_loses_what_was_in_an_open_file_when_the_checkpoint_passed() {
    let output = Output::new();
    let table = output.table(&[("sink.delivery-guarantee", "none")]);
    let mut job = Job::new(&table, 1);
    job.write(0, 0..4);
    let checkpoint = job.checkpoint();
    job.write(0, 4..8);
    drop(job);
    let mut job = Job::restored(&table, 1, &checkpoint);
    job.write(0, 4..8);
    job.end();
    assert_eq!(output.ids(), [4, 5, 6, 7]);
    assert!(output.hidden().is_empty());
}

#[test]
fn at_least_once_shows_a_file_before_any_checkpoint_and_exactly_once_does_not() {
    for (guarantee, shown) in [("none", 8), ("at-least-once", 8), ("exactly-once", 0)] {
        let output = Output::new();
        let table = output.table(&[
            ("sink.delivery-guarantee", guarantee),
            ("sink.rolling-policy.file-size", "10 b"),
        ]);
        let mut job = Job::new(&table, 1);
        job.write(0, 0..8);
        assert_eq!(output.ids().len(), shown, "{guarantee}");
    }
}

#[test]
fn updates_are_refused_with_the_name_of_the_table() {
    let output = Output::new();
    let mut job = Job::new(&output.table(&[]), 1);
    let batch = ColumnBatch::changelog(super::rows([1], "d", 7), vec![RowKind::Delete as u8]);
    let instance = &mut job.instances[0];
    let error = instance.writer.write(Box::new(batch), &mut instance.ctx);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    let expected = "table `t`: the filesystem sink takes insertions only, not updates";
    assert_eq!(error.to_string(), expected);
}
