//! Jobs that write to one directory: what a dead one leaves goes, what a live one has stays.

use thalweg_core::error::ErrorKind;

use super::{Job, Output, rows};

#[test]
fn a_new_run_removes_what_no_checkpoint_knows_of_dead_runs() {
    let output = Output::new();
    let table = output.table(&[]);
    let mut killed = Job::new(&table, 2);
    killed.write(0, [1]);
    killed.write(1, [2]);
    // A kill leaves the locks as files; dropping the job takes them away.
    let locks: Vec<String> = output.hidden();
    let locks = locks.iter().filter(|name| name.ends_with(".lock"));
    let locks: Vec<_> = locks.map(|name| output.0.join(name)).collect();
    drop(killed);
    locks
        .iter()
        .for_each(|lock| drop(std::fs::File::create(lock)));
    assert_eq!(output.hidden().len(), 4);
    let mut job = Job::new(&table, 1);
    job.write(0, [3]);
    job.end();
    assert_eq!(output.ids(), [3]);
    assert_eq!(output.hidden(), Vec::<String>::new());
}

#[test]
fn what_a_checkpoint_of_another_run_may_need_stays() {
    let output = Output::new();
    let table = output.table(&[]);
    let mut killed = Job::new(&table, 1);
    killed.write(0, [1]);
    let checkpoint = killed.barrier();
    killed.write(0, [2]);
    drop(killed);
    let mut other = Job::new(&table, 1);
    other.write(0, [10]);
    other.end();
    assert_eq!(output.ids(), [10]);
    let mut goes_on = Job::restored(&table, 1, &checkpoint);
    goes_on.write(0, [2]);
    goes_on.end();
    assert_eq!(output.ids(), [1, 2, 10]);
    assert_eq!(output.hidden(), Vec::<String>::new());
}

#[test]
fn a_job_that_lives_loses_nothing_to_one_that_starts() {
    let output = Output::new();
    let table = output.table(&[]);
    let mut lives = Job::new(&table, 2);
    lives.write(0, [1]);
    lives.barrier();
    lives.write(1, [2]);
    let mut other = Job::new(&table, 3);
    other.write(2, [10]);
    other.end();
    lives.write(0, [3]);
    lives.end();
    assert_eq!(output.ids(), [1, 2, 3, 10]);
    assert_eq!(output.hidden(), Vec::<String>::new());
}

#[test]
fn jobs_from_one_savepoint_share_a_directory_with_the_one_that_goes_on() {
    let output = Output::new();
    let table = output.table(&[]);
    let mut first = Job::new(&table, 1);
    first.write(0, [0]);
    let savepoint = first.savepoint();
    first.write(0, [1]);
    let mut second = Job::restored(&table, 2, &savepoint);
    let mut third = Job::restored(&table, 1, &savepoint);
    assert_eq!(output.ids(), [0], "once, whoever commits it");
    second.write(1, [21]);
    third.write(0, [31]);
    let checkpoint = second.checkpoint();
    first.checkpoint();
    // One is killed and goes on while the others live, and then when they are gone.
    second.write(0, [99]);
    drop(second);
    let mut second = Job::restored(&table, 3, &checkpoint);
    second.write(2, [22]);
    third.checkpoint();
    third.write(0, [32]);
    first.end();
    third.end();
    second.end();
    assert_eq!(output.ids(), [0, 1, 21, 22, 31, 32]);
    assert_eq!(output.hidden(), Vec::<String>::new());
}

#[test]
fn a_job_from_a_savepoint_keeps_what_the_checkpoint_of_another_one_from_there_needs() {
    let output = Output::new();
    let table = output.table(&[]);
    let mut first = Job::new(&table, 1);
    first.write(0, [0]);
    let savepoint = first.savepoint();
    first.commit();
    drop(first);
    let mut second = Job::restored(&table, 1, &savepoint);
    second.write(0, [1]);
    let checkpoint = second.barrier();
    drop(second);
    let mut third = Job::restored(&table, 1, &savepoint);
    third.write(0, [11]);
    third.end();
    Job::restored(&table, 1, &checkpoint).end();
    assert_eq!(output.ids(), [0, 1, 11]);
    assert_eq!(output.hidden(), Vec::<String>::new());
}

#[test]
fn a_job_cannot_start_from_a_checkpoint_whose_part_is_being_written() {
    let output = Output::new();
    for table in [output.table(&[]), output.partitioned(&[])] {
        let mut lives = Job::new(&table, 1);
        lives.write(0, [1]);
        let checkpoint = lives.checkpoint();
        let error = Job::start(&table, 1, Some(&checkpoint)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Retryable);
        assert!(
            error
                .to_string()
                .contains(".csv.pending` is being written by a job that lives"),
            "{error}"
        );
        lives.end();
    }
    assert_eq!(output.ids(), [1, 1]);
}

#[test]
fn a_job_from_a_savepoint_deletes_nothing_though_some_input_had_ended_before_it() {
    let output = Output::new();
    let table = output.table(&[]);
    let mut first = Job::new(&table, 2);
    // The first instance has ended when the savepoint comes, and keeps its last snapshot.
    let ended = first.finish_at(0);
    let mut savepoint = first.savepoint();
    savepoint.snapshots[0] = ended;
    first.write(1, [1]);
    let checkpoint = first.barrier();
    drop(first);
    Job::restored(&table, 2, &savepoint).end();
    Job::restored(&table, 2, &checkpoint).end();
    assert_eq!(output.ids(), [1]);
}

#[test]
fn a_job_loses_nothing_to_one_whose_path_is_above_or_below_its_own() {
    let output = Output::new();
    let inner = output.0.join("day=1").display().to_string();
    let inner = output.table(&[("path", &inner)]);
    let outer = output.partitioned(&[]);
    let (mut above, mut below) = (Job::new(&outer, 1), Job::new(&inner, 1));
    above.write_rows(0, rows([1], "1", 7));
    below.write(0, [2]);
    let before = output.hidden();
    drop((Job::new(&outer, 1), Job::new(&inner, 1)));
    assert_eq!(output.hidden(), before);
    // Neither can one go on from their checkpoints elsewhere.
    for (job, other) in [(&mut above, &inner), (&mut below, &outer)] {
        let checkpoint = job.barrier();
        let error = Job::start(other, 1, Some(&checkpoint)).err().unwrap();
        assert!(error.to_string().contains("by a job that lives"), "{error}");
    }
    above.end();
    below.end();
    assert_eq!(output.ids(), [1, 2]);
    assert_eq!(output.hidden(), Vec::<String>::new());
}
