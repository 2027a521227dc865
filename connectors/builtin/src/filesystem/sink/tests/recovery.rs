//! Parts that stay open over checkpoints, and every row once after any crash.

use thalweg_core::error::ErrorKind;
use thalweg_core::host::Random;

use super::super::FileSink;
use super::{Checkpoint, Job, Output};

#[test]
fn a_part_stays_open_over_checkpoints_until_the_policy_ends_it() {
    let output = Output::new();
    let table = output.table(&[
        ("sink.rolling-policy.file-size", "200 b"),
        ("sink.rolling-policy.rollover-interval", "60 s"),
        ("sink.rolling-policy.inactivity-interval", "20 s"),
        ("sink.rolling-policy.check-interval", "1 s"),
    ]);
    let mut job = Job::new(&table, 1);
    job.write(0, 0..2);
    for _ in 0..3 {
        job.checkpoint();
        job.write(0, [9]);
    }
    assert_eq!(output.ids(), Vec::<i64>::new());
    assert_eq!(output.hidden().len(), 2, "a part and a lock");
    // By size, but only a durable checkpoint makes it appear.
    job.write(0, 10..30);
    assert_eq!(output.ids(), Vec::<i64>::new());
    job.checkpoint();
    assert_eq!(output.ids().len(), 25);
    // By silence.
    job.write(0, [100]);
    job.advance(19_000);
    job.checkpoint();
    assert_eq!(output.ids().len(), 25);
    job.advance(20_000);
    job.checkpoint();
    assert_eq!(output.ids().len(), 26);
    // By age, however busy.
    for second in 0..6 {
        job.write(0, [200 + second]);
        job.checkpoint();
        assert_eq!(output.ids().len(), 26);
        job.advance(20_000 + (second + 1) * 10_000);
    }
    job.checkpoint();
    assert_eq!(output.ids().len(), 32);
    job.end();
    assert_eq!(output.hidden(), Vec::<String>::new());
}

#[test]
fn what_a_checkpoint_holds_of_an_open_part_has_left_the_process() {
    let output = Output::new();
    let mut job = Job::new(&output.table(&[]), 1);
    job.write(0, 0..10);
    job.barrier();
    let part = output
        .hidden()
        .into_iter()
        .find(|name| name.ends_with(".pending"));
    let text = std::fs::read_to_string(output.0.join(part.unwrap())).unwrap();
    assert_eq!(text.lines().count(), 10);
}

#[test]
fn a_format_with_a_footer_ends_its_parts_at_each_checkpoint() {
    let output = Output::new();
    let mut table = output.table(&[]);
    table.options.insert("format".into(), "parquet".into());
    let mut job = Job::new(&table, 1);
    job.write(0, 0..10);
    job.checkpoint();
    let visible = |count| output.files().len() - output.hidden().len() == count;
    assert!(visible(1) && output.hidden().len() == 1, "the lock");
    job.write(0, 0..10);
    job.end();
    assert!(visible(2) && output.hidden().is_empty());
}

#[test]
fn what_was_written_behind_the_checkpoint_is_not_seen() {
    let output = Output::new();
    let table = output.table(&[]);
    let mut job = Job::new(&table, 3);
    for index in 0..3 {
        job.write(index, [index as i64]);
    }
    let checkpoint = job.checkpoint();
    for index in 0..3 {
        job.write(index, [100 + index as i64]);
    }
    // More than a buffer, so that it is in the files.
    job.write(0, 1000..9000);
    drop(job);
    for parallelism in [1, 2, 5] {
        // One that dies without a checkpoint of its own leaves nothing that the next one minds.
        let mut died = Job::restored(&table, parallelism, &checkpoint);
        died.write(0, [7777]);
        died.barrier();
        died.write(0, [7778]);
    }
    let mut job = Job::restored(&table, 2, &checkpoint);
    job.write(1, 3..6);
    job.end();
    assert_eq!(output.ids(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(output.hidden(), Vec::<String>::new());
}

#[test]
fn a_part_that_is_gone_or_shorter_than_recorded_is_named() {
    let output = Output::new();
    let table = output.table(&[]);
    let mut job = Job::new(&table, 1);
    job.write(0, 0..100);
    let checkpoint = job.checkpoint();
    drop(job);
    let part = output.0.join(&output.hidden()[0]);
    let fails = |expected: &str| {
        // At the start, not only when it is to be committed.
        let error = Job::start(&table, 1, Some(&checkpoint)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let error = error.to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&part.display().to_string()), "{error}");
    };
    let whole = std::fs::read(&part).unwrap();
    std::fs::write(&part, &whole[..50]).unwrap();
    fails("has 50 bytes, but had");
    std::fs::remove_file(&part).unwrap();
    fails("was written and is gone: its rows are lost");
}

#[test]
fn a_file_where_the_directory_should_be_is_an_error_of_the_user() {
    let output = Output::new();
    std::fs::write(&output.0, "").unwrap();
    let error = Job::start(&output.table(&[]), 1, None).err().unwrap();
    std::fs::remove_file(&output.0).unwrap();
    assert_eq!(error.kind(), ErrorKind::User);
    let expected = format!(
        "cannot write to `{}`: it is no directory",
        output.0.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_older_checkpoint_than_the_last_repeats_rows_and_changes_no_file() {
    let output = Output::new();
    let table = output.table(&[("sink.rolling-policy.rollover-interval", "1 ms")]);
    let mut job = Job::new(&table, 1);
    job.write(0, [0]);
    let older = job.barrier();
    job.write(0, [1]);
    job.advance(10);
    job.checkpoint();
    drop(job);
    let before = output.files();
    let mut job = Job::restored(&table, 1, &older);
    job.write(0, [1, 2]);
    job.end();
    assert_eq!(output.ids(), [0, 1, 1, 2]);
    assert!(before.iter().all(|file| output.files().contains(file)));
}

/// Writes, checkpoints that succeed or not, kills and starts at any parallelism: each row that a
/// checkpoint holds appears once, and in the end there is nothing but parts.
fn survive(seed: u64) {
    let output = Output::new();
    let mut random = Random::new(seed);
    let size = ["60 b", "500 b", "1 mb"][random.below(3) as usize];
    let rollover = ["5 ms", "100 ms", "30 min"][random.below(3) as usize];
    let options = [
        ("sink.rolling-policy.file-size", size),
        ("sink.rolling-policy.rollover-interval", rollover),
        ("sink.rolling-policy.check-interval", "3 ms"),
    ];
    let partitioned = random.below(2) == 0;
    let table = if partitioned {
        output.partitioned(&options)
    } else {
        output.table(&options)
    };
    let mut job = Job::new(&table, 1 + random.below(3) as u32);
    let (mut durable, mut next): (Option<(Checkpoint, i64)>, i64) = (None, 0);
    for _ in 0..40 {
        match random.below(10) {
            0..=3 => {
                let count = 1 + random.below(8) as i64;
                let index = random.below(job.instances.len() as u64) as usize;
                let batch = super::rows(next..next + count, "d", random.below(3) as i64);
                job.write_rows(index, batch);
                next += count;
            }
            4 => job.advance(job.now + random.below(20) as i64),
            5 => durable = Some((job.checkpoint(), next)),
            // Durable, and the process dies before all of it is committed.
            6 => {
                durable = Some((job.barrier(), next));
                let index = random.below(job.instances.len() as u64) as usize;
                job.commit_at(index);
            }
            // Given up.
            7 => drop(job.barrier()),
            8 => drop(job.savepoint()),
            _ => {
                let parallelism = 1 + random.below(4) as u32;
                drop(job);
                job = match &durable {
                    Some((checkpoint, at)) => {
                        next = *at;
                        Job::restored(&table, parallelism, checkpoint)
                    }
                    None => {
                        next = 0;
                        let _ = std::fs::remove_dir_all(&output.0);
                        Job::new(&table, parallelism)
                    }
                };
            }
        }
        let ids = output.ids();
        let mut once = ids.clone();
        once.dedup();
        assert_eq!(ids, once, "seed {seed}");
    }
    job.end();
    assert_eq!(output.ids(), (0..next).collect::<Vec<_>>(), "seed {seed}");
    assert_eq!(output.hidden(), Vec::<String>::new(), "seed {seed}");
}

#[test]
fn every_row_appears_once_after_any_crash() {
    (0..80).for_each(survive);
}

#[test]
fn a_checkpoint_holds_where_files_are_wherever_the_process_was_started() {
    let output = Output::new();
    for path in ["out", "file://out"] {
        let sink = FileSink::new(&output.table(&[("path", path)])).unwrap();
        let expected = std::env::current_dir().unwrap().join("out");
        assert_eq!(sink.shared.directory, expected);
    }
}
