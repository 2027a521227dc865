//! A failure takes back what is connected with it, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thalweg_core::config::{FailoverStrategy, Recovery, RestartStrategy};
use thalweg_core::element::Barrier;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::graph::JobResult;
use thalweg_core::operator::{Context, Operator, Output};
use thalweg_core::rows::Record;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;
use thalweg_runtime::MiniCluster;
use thalweg_runtime::checkpoint::{CheckpointRequest, MemoryListener, SharedListener};
use thalweg_runtime::driver::stepped::SteppedDriver;
use thalweg_runtime::mini_cluster::{
    BuildSpec, ExceptionHistory, JobStatus, Part, Restarted, Slots, build,
};

use super::recovery::{Directory, KEYS, Ledger, NUMBERS, environment, expected, numbers};

/// What instances of an operator have done, over all attempts.
#[derive(Clone, Default)]
struct Watch(Arc<[Watched; 2]>);

#[derive(Default)]
struct Watched {
    opened: AtomicU64,
    records: AtomicU64,
}

impl Watch {
    fn opened(&self) -> [u64; 2] {
        [0, 1].map(|index: usize| self.0[index].opened.load(Ordering::SeqCst))
    }

    fn records(&self) -> u64 {
        let records = self.0.iter().map(|of| of.records.load(Ordering::SeqCst));
        records.sum()
    }
}

/// Passes records on. An instance fails at some of its records, counted over all attempts.
struct Watching {
    watch: Watch,
    failing: Vec<(u32, u64)>,
    kind: ErrorKind,
}

impl Operator<u64, u64> for Watching {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        let of = &self.watch.0[ctx.info().index as usize];
        of.opened.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn process(&mut self, n: Record<u64>, ctx: &mut Context, out: &mut Output<u64>) -> Result<()> {
        let index = ctx.info().index;
        let of = &self.watch.0[index as usize];
        let seen = of.records.fetch_add(1, Ordering::SeqCst);
        if self.failing.contains(&(index, seen)) {
            return Err(Error::new(self.kind, "planted"));
        }
        out.push(n);
        Ok(())
    }
}

/// The numbers of a ledger, watched.
fn watched(
    env: &StreamExecutionEnvironment,
    ledger: &Ledger,
    watch: &Watch,
    failing: &[(u32, u64)],
    kind: ErrorKind,
) -> DataStream<u64> {
    let (watch, failing) = (watch.clone(), failing.to_vec());
    numbers(env, ledger).process(move |_| Watching {
        watch: watch.clone(),
        failing: failing.clone(),
        kind,
    })
}

/// Keyed counts behind an exchange: all instances are one region.
fn counted(numbers: &DataStream<u64>, ledger: &Ledger) {
    numbers
        .map(|value| (value % KEYS, 1u64))
        .key_by(|pair: &(u64, u64)| pair.0)
        .reduce(|one, other| (one.0, one.1 + other.1))
        .map(|(key, count)| key * NUMBERS + count)
        .sink_to("Ledger", Arc::new(ledger.clone()));
}

fn run(env: &StreamExecutionEnvironment) -> (Result<JobResult>, ExceptionHistory) {
    let running = MiniCluster
        .start(&env.job_graph().unwrap(), &env.config())
        .unwrap();
    let client = running.client();
    let ended = running.join();
    (ended, client.exceptions())
}

/// Two pipelines beside each other, the first of which fails.
fn beside(
    name: &str,
    failing: &[(u32, u64)],
    kind: ErrorKind,
    change: impl FnOnce(&StreamExecutionEnvironment),
) -> (Result<JobResult>, ExceptionHistory, [(Ledger, Watch); 2]) {
    let directory = Directory::new(name);
    let env = environment(&directory);
    change(&env);
    let both: [(Ledger, Watch); 2] = Default::default();
    for ((ledger, watch), failing) in both.iter().zip([failing, &[]]) {
        counted(&watched(&env, ledger, watch, failing, kind), ledger);
    }
    let (ended, history) = run(&env);
    (ended, history, both)
}

const FAILURES: [(u32, u64); 3] = [(0, 150), (1, 700), (0, 1400)];

#[test]
fn a_pipeline_that_fails_starts_again_and_the_one_beside_it_goes_on() {
    let retryable = ErrorKind::Retryable;
    let (ended, history, [(failed, its), (other, others)]) =
        beside("region", &FAILURES, retryable, |_| {});
    ended.unwrap();
    assert_eq!(failed.values(), expected());
    assert_eq!(other.values(), expected());
    assert_eq!(its.opened(), [4, 4], "all of the region start again");
    assert_eq!(others.opened(), [1, 1], "nothing else does");
    assert_eq!(others.records(), NUMBERS, "nothing is repeated");
    assert_eq!(history.total(), 3);
    for failure in history.failures() {
        assert!(failure.message.ends_with("planted"), "{failure:?}");
        assert_eq!(failure.kind, ErrorKind::Retryable);
        let Restarted::Region(tasks) = &failure.restarted else {
            panic!("{failure:?}")
        };
        // Two chains of two instances each.
        assert_eq!(tasks.len(), 4, "{tasks:?}");
        assert!(tasks[0].starts_with("Numbers"), "{tasks:?}");
        assert!(tasks[0].ends_with("(1/2)"), "{tasks:?}");
    }
}

#[test]
fn with_full_failover_all_start_again() {
    let retryable = ErrorKind::Retryable;
    let (ended, history, [(failed, its), (other, others)]) =
        beside("full", &FAILURES[..1], retryable, |env| {
            env.configure(|config| config.failover = FailoverStrategy::Full);
        });
    ended.unwrap();
    assert_eq!(failed.values(), expected());
    assert_eq!(other.values(), expected());
    assert_eq!((its.opened(), others.opened()), ([2, 2], [2, 2]));
    let restarted: Vec<_> = history.failures().map(|f| &f.restarted).collect();
    assert_eq!(restarted, [&Restarted::All]);
}

/// Each instance reads splits of its own: what it gets back must be these, not a fair share of all.
#[test]
fn of_a_chain_without_an_exchange_only_the_instance_that_failed_starts_again() {
    let (ledger, directory) = (Ledger::default(), Directory::new("chain"));
    let env = environment(&directory);
    let watch = Watch::default();
    let failing = [(1, 130), (1, 450), (1, 451), (1, 900), (1, 2100)];
    watched(&env, &ledger, &watch, &failing, ErrorKind::Retryable)
        .sink_to("Ledger", Arc::new(ledger.clone()));
    let (ended, history) = run(&env);
    ended.unwrap();
    let all: Vec<u64> = (0..NUMBERS).collect();
    assert_eq!(ledger.values(), all);
    assert_eq!(watch.opened(), [1, 6]);
    assert_eq!(history.total(), 5);
}

#[test]
fn failures_of_all_regions_count_for_the_strategy_of_the_job() {
    let (directory, both): (_, [(Ledger, Watch); 2]) =
        (Directory::new("strategy"), Default::default());
    let env = environment(&directory);
    env.configure(|config| {
        config.restart = RestartStrategy::FixedDelay {
            attempts: 1,
            delay: Duration::ZERO,
        };
    });
    for (ledger, watch) in &both {
        let stream = watched(&env, ledger, watch, &[(0, 200)], ErrorKind::Retryable);
        counted(&stream, ledger);
    }
    let (ended, history) = run(&env);
    let error = ended.unwrap_err();
    assert!(error.to_string().ends_with("planted"), "{error}");
    let restarted: Vec<_> = history.failures().map(|f| f.restarted.clone()).collect();
    assert_eq!(restarted[0], Restarted::Nothing);
    assert!(
        matches!(restarted[1], Restarted::Region(_)),
        "{restarted:?}"
    );
    assert_eq!(restarted.len(), 2);
}

#[test]
fn an_error_that_no_retry_can_help_ends_the_whole_job() {
    let (ended, history, [_, (_, others)]) =
        beside("hopeless", &[(0, 300)], ErrorKind::User, |_| {});
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::User);
    assert_eq!(others.opened(), [1, 1]);
    let restarted: Vec<_> = history.failures().map(|f| &f.restarted).collect();
    assert_eq!(restarted, [&Restarted::Nothing]);
}

/// A stop with a savepoint waits for all tasks; one of another region fails meanwhile.
#[test]
fn a_job_that_fails_in_part_can_be_stopped_and_goes_on_from_its_savepoint() {
    let (directory, both): (_, [(Ledger, Watch); 2]) =
        (Directory::new("stopped"), Default::default());
    let compose = |failing: &[(u32, u64)]| {
        let env = environment(&directory);
        for (at, (ledger, watch)) in both.iter().enumerate() {
            let failing = if at == 0 { failing } else { &[] };
            let stream = watched(&env, ledger, watch, failing, ErrorKind::Retryable);
            counted(&stream, ledger);
        }
        env
    };
    let env = compose(&[(0, 120), (1, 140), (0, 260), (1, 330)]);
    let running = MiniCluster
        .start(&env.job_graph().unwrap(), &env.config())
        .unwrap();
    let client = running.client();
    let savepoints = Directory::new("stopped-savepoints");
    let place = savepoints.path().display().to_string();
    while client.exceptions().total() < 2 {
        std::thread::yield_now();
    }
    // A savepoint under way when a region fails comes to nothing: then it is asked for again.
    let saved = (0..20).find_map(|_| client.stop_with_savepoint(Some(&place), false).ok());
    running.join().unwrap();
    assert!(
        both[1].0.values().len() < NUMBERS as usize,
        "it was stopped"
    );
    let env = compose(&[]);
    env.configure(|config| config.recovery = Some(Recovery::new(saved.unwrap())));
    env.execute().unwrap();
    for (ledger, _) in &both {
        assert_eq!(ledger.values(), expected());
    }
}

/// A region that starts again finds the number of the newest checkpoint where it was asked for. Its
/// barrier would make sinks commit under a number that is durable already.
#[test]
fn what_was_asked_for_before_a_task_was_there_is_not_meant_for_it() {
    let env = thalweg_testkit::environment();
    env.from_generator(Some(5000), |n| n)
        .rebalance()
        .map(|n| n)
        .for_each(|_| {});
    env.set_parallelism(2)
        .configure(|config| config.batch_rows = 2);
    let (job, config) = (env.job_graph().unwrap(), env.config());
    for unaligned in [false, true] {
        let mut config = config.clone();
        config.checkpointing.unaligned = unaligned;
        let listener = Arc::new(MemoryListener::default());
        let shared: SharedListener = listener.clone();
        let request = Arc::new(CheckpointRequest::default());
        request.request(Barrier::of_checkpoint(5));
        let built = build(&BuildSpec {
            job: &job,
            config: &config,
            slots: &Slots::shared(&job),
            part: Part::All,
            listener: &shared,
            request: &request,
            restore: None,
            metrics: None,
        });
        let subtasks = built.unwrap().by_slot.into_iter().flatten().collect();
        let mut driver = SteppedDriver::new(subtasks, 1, Arc::default());
        for _ in 0..3 {
            assert!(driver.round().unwrap());
        }
        request.request(Barrier::of_checkpoint(6));
        driver.run().unwrap();
        assert!(listener.take(5).is_none(), "unaligned: {unaligned}");
        assert!(listener.take(6).is_some(), "unaligned: {unaligned}");
    }
}

#[test]
fn regions_that_fail_at_once_or_one_after_the_other_all_commit_every_result_once() {
    let directory = Directory::new("both");
    let env = environment(&directory);
    let both: [(Ledger, Watch); 2] = Default::default();
    for ((ledger, watch), failing) in both
        .iter()
        .zip([&FAILURES, &[(1, 150), (0, 701), (1, 1400)]])
    {
        let stream = watched(&env, ledger, watch, failing, ErrorKind::Retryable);
        counted(&stream, ledger);
    }
    let (ended, history) = run(&env);
    ended.unwrap();
    for (ledger, watch) in &both {
        assert_eq!(ledger.values(), expected());
        assert_eq!(
            watch.opened(),
            [4, 4],
            "each starts again for its own failures"
        );
    }
    assert_eq!(history.total(), 6);
}

/// What fails is no task, but what all of them have in common.
#[test]
fn a_checkpoint_that_cannot_be_stored_takes_all_regions_back() {
    let (directory, both): (_, [(Ledger, Watch); 2]) =
        (Directory::new("unstored"), Default::default());
    let env = environment(&directory);
    env.configure(|config| config.restart = RestartStrategy::None);
    let (place, gone) = (directory.path().to_owned(), Directory::new("unstored-gone"));
    let aside = gone.path().to_owned();
    for (at, (ledger, watch)) in both.iter().enumerate() {
        let stream = watched(&env, ledger, watch, &[], ErrorKind::Retryable);
        if at > 0 {
            counted(&stream, ledger);
            continue;
        }
        // A file stands where the checkpoints were.
        let (place, aside) = (place.clone(), aside.clone());
        let seen = Arc::new(AtomicU64::new(0));
        let stream = stream.map(move |n| {
            if seen.fetch_add(1, Ordering::SeqCst) == 300 {
                std::fs::rename(&place, &aside).unwrap();
                std::fs::write(&place, "").unwrap();
            }
            n
        });
        counted(&stream, ledger);
    }
    let (ended, history) = run(&env);
    std::fs::remove_file(&place).unwrap();
    let error = ended.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("1 checkpoints in a row have failed"),
        "{text}"
    );
    let restarted: Vec<_> = history.failures().map(|f| &f.restarted).collect();
    assert_eq!(restarted, [&Restarted::Nothing]);
    assert!(both.iter().all(|(_, watch)| watch.opened() == [1, 1]));
}

/// While one region waits for an hour, the failure of another is heard of, and so is who cancels.
#[test]
fn a_job_whose_regions_wait_to_start_again_can_be_cancelled() {
    let directory = Directory::new("waiting");
    let env = environment(&directory);
    env.configure(|config| {
        config.restart = RestartStrategy::FixedDelay {
            attempts: 10,
            delay: Duration::from_secs(3600),
        };
    });
    let both: [(Ledger, Watch); 2] = Default::default();
    for (ledger, watch) in &both {
        let stream = watched(&env, ledger, watch, &[(0, 20)], ErrorKind::Retryable);
        counted(&stream, ledger);
    }
    let running = MiniCluster
        .start(&env.job_graph().unwrap(), &env.config())
        .unwrap();
    let client = running.client();
    while client.exceptions().total() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(client.status(), JobStatus::Restarting);
    client.cancel();
    let error = running.join().unwrap_err();
    assert_eq!(error.message(), "the job was cancelled");
    assert_eq!(client.status(), JobStatus::Canceled);
}
