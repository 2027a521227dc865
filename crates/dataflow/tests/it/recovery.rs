//! Jobs on real threads that fail, start again from their checkpoints, and commit every result once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thalweg_core::config::{CheckpointMode, Recovery, RestartStrategy, Retention};
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::{from_bytes, to_bytes};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::key_group::stable_hash_bytes;
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::rows::{Record, Rows};
use thalweg_core::sink::{Committer, SinkFactory, SinkWriter};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;

pub(super) const NUMBERS: u64 = 4000;
const SPLITS: u64 = 4;
pub(super) const KEYS: u64 = 7;
// The source waits here until something is committed, so that failures meet checkpoints.
const PAUSES: [u64; 3] = [100, 400, 700];

/// Transactions and their values.
type Committed = BTreeSet<(u64, Vec<u64>)>;

/// The outside world: what was committed, which survives every attempt.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    committed: Arc<Mutex<Committed>>,
    transactions: Arc<AtomicU64>,
    commits: Arc<AtomicUsize>,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Committed> {
        self.committed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How often something was committed.
    pub(super) fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    pub(super) fn values(&self) -> Vec<u64> {
        let mut values: Vec<u64> = self.lock().iter().flat_map(|(_, v)| v.clone()).collect();
        values.sort_unstable();
        values
    }
}

impl SinkFactory for Ledger {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(LedgerWriter {
            ledger: self.clone(),
            open: Vec::new(),
        }))
    }

    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(LedgerCommitter(self.clone()))))
    }
}

struct LedgerWriter {
    ledger: Ledger,
    open: Vec<u64>,
}

impl SinkWriter for LedgerWriter {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        self.open.extend(downcast::<Rows<u64>>(batch)?.values);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }

    fn prepare_commit(&mut self, _: &mut Context) -> Result<Vec<Vec<u8>>> {
        let transaction = self.ledger.transactions.fetch_add(1, Ordering::SeqCst);
        let values = std::mem::take(&mut self.open);
        Ok(vec![to_bytes(&(transaction, values))])
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        Ok(())
    }
}

struct LedgerCommitter(Ledger);

impl Committer for LedgerCommitter {
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()> {
        let mut committed = self.0.lock();
        for committable in committables {
            committed.insert(from_bytes(committable)?);
        }
        self.0.commits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Numbers in splits; pauses until the ledger has grown.
struct Numbers(Ledger);

impl SourceFactory for Numbers {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let (index, parallelism) = (setup.info.index, setup.info.parallelism);
        let own = (0..SPLITS).filter(|s| s % u64::from(parallelism) == u64::from(index));
        Ok(Box::new(NumberReader {
            ledger: self.0.clone(),
            own: own.map(|split| (split, 0)).collect(),
            splits: setup.states.operator_list("splits", Redistribution::Split),
            seen: None,
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

struct NumberReader {
    ledger: Ledger,
    own: Vec<(u64, u64)>,
    /// Each split and how many of its numbers are emitted.
    splits: OperatorListState<(u64, u64)>,
    seen: Option<usize>,
}

impl SourceReader for NumberReader {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        if !ctx.is_restored() {
            *self.splits.get_mut(ctx.states_mut()) = std::mem::take(&mut self.own);
        }
        Ok(())
    }

    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll> {
        let now = ctx.now();
        let splits = self.splits.get_mut(ctx.states_mut());
        let per_split = NUMBERS / SPLITS;
        let Some((split, next)) = splits.iter_mut().find(|(_, next)| *next < per_split) else {
            return Ok(Poll::End);
        };
        if PAUSES.contains(next) {
            let commits = self.ledger.commits.load(Ordering::SeqCst);
            if *self.seen.get_or_insert(commits) == commits {
                return Ok(Poll::Idle {
                    until: Some(ProcessingTime(now.millis() + 1)),
                });
            }
            self.seen = None;
        }
        let value = *next * SPLITS + *split;
        *next += 1;
        let rows: Rows<u64> = std::iter::once(Record::new(value, EventTime(0))).collect();
        out.emit(Box::new(rows));
        Ok(Poll::Ready)
    }
}

pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(name: &str) -> Self {
        let name = format!("thalweg-recovery-{name}-{}", std::process::id());
        Directory(std::env::temp_dir().join(name))
    }
}

impl Directory {
    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// Lets a job keep its checkpoints when it fails, and fail at once.
    pub(super) fn retain(env: &StreamExecutionEnvironment) {
        env.configure(|config| {
            config.restart = RestartStrategy::None;
            config.checkpointing.retention = Retention::Retain;
        });
    }

    /// The directory of the one job that ran, as the place to go on from.
    pub(super) fn kept(&self) -> Recovery {
        let kept = std::fs::read_dir(&self.0)
            .and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
        let [kept] = kept.as_deref().unwrap_or(&[]) else {
            panic!("one job, one directory: {kept:?}")
        };
        Recovery::new(kept.path().display().to_string())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How often each remainder has come so far, in keyed state: every count appears once.
fn job(ledger: &Ledger, directory: &Directory, failing: &[u64]) -> StreamExecutionEnvironment {
    job_of(ledger, directory, failing, |numbers| {
        numbers
            .map(|value| (value % KEYS, 1u64))
            .key_by(|pair: &(u64, u64)| pair.0)
            .reduce(|one, other| (one.0, one.1 + other.1))
            .map(|(key, count)| key * NUMBERS + count)
    })
}

/// Two instances that store checkpoints all the time.
pub(super) fn environment(directory: &Directory) -> StreamExecutionEnvironment {
    let env = thalweg_testkit::environment();
    env.set_parallelism(2).configure(|config| {
        config.batch_rows = 4;
        config.checkpointing.interval = Some(Duration::from_millis(2));
        config.checkpointing.directory = Some(directory.0.display().to_string());
        config.restart = RestartStrategy::FixedDelay {
            attempts: 100,
            delay: Duration::ZERO,
        };
    });
    env
}

/// The numbers, which wait for commits now and then.
pub(super) fn numbers(env: &StreamExecutionEnvironment, ledger: &Ledger) -> DataStream<u64> {
    env.from_source("Numbers", Arc::new(Numbers(ledger.clone())), None)
}

/// Runs `build` between the numbers and the ledger; fails once at each of the records `failing`,
/// counted over all attempts.
pub(super) fn job_of(
    ledger: &Ledger,
    directory: &Directory,
    failing: &[u64],
    build: impl FnOnce(DataStream<u64>) -> DataStream<u64>,
) -> StreamExecutionEnvironment {
    let env = environment(directory);
    let seen = Arc::new(AtomicU64::new(0));
    let failing = failing.to_vec();
    let numbers = numbers(&env, ledger).try_map(move |value: u64| {
        if failing.contains(&seen.fetch_add(1, Ordering::SeqCst)) {
            return Err(Error::new(ErrorKind::Retryable, "planted"));
        }
        Ok(value)
    });
    build(numbers).sink_to("Ledger", Arc::new(ledger.clone()));
    env
}

pub(super) fn expected() -> Vec<u64> {
    let mut counts = [0u64; KEYS as usize];
    let mut values: Vec<u64> = (0..NUMBERS)
        .map(|number| {
            let key = number % KEYS;
            counts[key as usize] += 1;
            key * NUMBERS + counts[key as usize]
        })
        .collect();
    values.sort_unstable();
    values
}

#[test]
fn trap_11_a_job_that_fails_commits_every_result_once() {
    let (ledger, directory) = (Ledger::default(), Directory::new("failing"));
    let env = job(&ledger, &directory, &[350, 1700, 2500, 3900]);
    env.execute().unwrap();
    assert_eq!(ledger.values(), expected());
    assert!(
        ledger.commits.load(Ordering::SeqCst) > PAUSES.len(),
        "commits come with checkpoints"
    );
    // A job that has ended needs its checkpoints no more.
    assert_eq!(std::fs::read_dir(&directory.0).unwrap().count(), 0);
}

#[test]
fn at_least_once_every_result_is_there_and_some_may_come_again() {
    let (ledger, directory) = (Ledger::default(), Directory::new("at-least-once"));
    let env = job(&ledger, &directory, &[350, 1700, 2500]);
    env.configure(|config| config.checkpointing.mode = CheckpointMode::AtLeastOnce);
    env.execute().unwrap();
    let values = ledger.values();
    // A number that is counted twice moves the later counts of its key up: none is left out.
    let missing = expected().into_iter().find(|value| !values.contains(value));
    assert_eq!(missing, None);
}

#[test]
fn without_checkpoints_results_are_committed_at_the_end_and_a_failure_is_final() {
    let (ledger, directory) = (Ledger::default(), Directory::new("without"));
    // The pauses wait for commits, which there are none of here.
    ledger.commits.store(1, Ordering::SeqCst);
    let env = job(&ledger, &directory, &[350]);
    env.configure(|config| config.checkpointing.directory = None);
    let growing = ledger.commits.clone();
    let ticking = std::thread::Builder::new()
        .spawn(move || {
            while growing.fetch_add(1, Ordering::SeqCst) < 200 {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        })
        .unwrap();
    let error = env.execute().unwrap_err();
    ticking.join().unwrap();
    assert!(error.to_string().ends_with("planted"), "{error}");
    assert!(ledger.values().is_empty());
}

#[test]
fn a_single_stepped_job_commits_at_its_end() {
    let ledger = Ledger::default();
    let env = thalweg_testkit::environment();
    env.from_collection([1u64, 2, 3])
        .sink_to("Ledger", Arc::new(ledger.clone()));
    let job = env.job_graph().unwrap();
    let clock = Arc::new(thalweg_core::host::ManualClock::default());
    let ran = thalweg_runtime::MiniCluster.run_stepped(&job, &env.config(), 1, clock);
    ran.unwrap();
    assert_eq!(ledger.values(), [1, 2, 3]);
}

#[test]
fn an_error_of_the_user_is_not_tried_again() {
    let (ledger, directory) = (Ledger::default(), Directory::new("user"));
    let env = thalweg_testkit::environment();
    env.configure(|config| {
        config.checkpointing.directory = Some(directory.0.display().to_string());
    });
    let tries = Arc::new(AtomicU64::new(0));
    let counted = tries.clone();
    env.from_collection([1u64])
        .try_map(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Err::<u64, Error>(Error::user("a wrong value"))
        })
        .sink_to("Ledger", Arc::new(ledger));
    let error = env.execute().unwrap_err();
    assert!(error.to_string().ends_with("a wrong value"), "{error}");
    assert_eq!(tries.load(Ordering::SeqCst), 1);
}

/// A job is cancelled and goes on as another one, with another parallelism.
#[test]
fn a_job_goes_on_from_a_retained_checkpoint_of_another() {
    let (ledger, directory) = (Ledger::default(), Directory::new("retained"));
    let env = job(&ledger, &directory, &[2000]);
    Directory::retain(&env);
    env.execute().unwrap_err();
    let kept = directory.kept();
    let env = job(&ledger, &directory, &[]);
    env.set_parallelism(3)
        .configure(|config| config.recovery = Some(kept.clone()));
    env.execute().unwrap();
    assert_eq!(ledger.values(), expected());

    // State that the job has no place for is not dropped in silence.
    let other = thalweg_testkit::environment();
    other.configure(|config| config.recovery = Some(kept.clone()));
    other
        .from_collection([1u64])
        .sink_to("Ledger", Arc::new(ledger));
    let error = other.execute().unwrap_err().to_string();
    assert!(error.contains("has state of operator `"), "{error}");
    assert!(error.contains("ignore-unclaimed-state"), "{error}");
}

/// The files of the checkpoints that a failed job left behind, newest first.
fn kept_checkpoints(name: &str, retained: usize) -> (Directory, Vec<PathBuf>) {
    let (ledger, directory) = (Ledger::default(), Directory::new(name));
    let env = job(&ledger, &directory, &[3000]);
    env.configure(|config| {
        config.restart = RestartStrategy::None;
        config.checkpointing.retained = retained;
    });
    env.execute().unwrap_err();
    let job = std::fs::read_dir(&directory.0).unwrap().next().unwrap();
    let entries = std::fs::read_dir(job.unwrap().path()).unwrap();
    let mut kept: Vec<(u64, PathBuf)> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name.strip_prefix("chk-").unwrap().parse().unwrap(), path)
        })
        .collect();
    kept.sort();
    kept.reverse();
    (directory, kept.into_iter().map(|(_, path)| path).collect())
}

fn recovered(from: &std::path::Path, name: &str) -> Result<Vec<u64>> {
    let (ledger, directory) = (Ledger::default(), Directory::new(name));
    let env = job(&ledger, &directory, &[]);
    env.configure(|config| {
        config.recovery = Some(Recovery::new(from.display().to_string()));
    });
    env.execute()?;
    Ok(ledger.values())
}

#[test]
fn a_damaged_checkpoint_is_passed_over_or_named() {
    let (_directory, kept) = kept_checkpoints("damaged", 2);
    let [newest, older] = kept.as_slice() else {
        panic!("two are kept: {kept:?}")
    };
    let whole = std::fs::read(newest.join("_metadata")).unwrap();
    let jobs = newest.parent().unwrap();
    let undamaged = recovered(older, "damaged-older").unwrap();
    // The kinds of damage: a flipped bit, a missing end, an empty file.
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    for damaged in [flipped, whole[..whole.len() - 9].to_vec(), Vec::new()] {
        std::fs::write(newest.join("_metadata"), damaged).unwrap();
        assert_eq!(recovered(jobs, "damaged-any").unwrap(), undamaged);
        let error = recovered(newest, "damaged-named").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("_metadata`"), "{error}");
    }
    // One that was written by a later version is no damage: it is not passed over.
    let mut later = whole.clone();
    later[12] = 200;
    let sealed = later.len() - 8;
    let checksum = stable_hash_bytes(&later[..sealed]).to_le_bytes();
    later[sealed..].copy_from_slice(&checksum);
    std::fs::write(newest.join("_metadata"), later).unwrap();
    let error = recovered(jobs, "damaged-later").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("has format 200"), "{error}");
    // Without its metadata a directory is no checkpoint.
    std::fs::remove_file(newest.join("_metadata")).unwrap();
    assert_eq!(recovered(jobs, "damaged-missing").unwrap(), undamaged);
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error_at_the_start() {
    let (ledger, directory) = (Ledger::default(), Directory::new("unwritable"));
    // A file stands where the directory should be.
    std::fs::write(&directory.0, "").unwrap();
    let error = job(&ledger, &directory, &[]).execute().unwrap_err();
    std::fs::remove_file(&directory.0).unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with("`execution.checkpointing.dir`: cannot write `"),
        "{text}"
    );
    assert!(ledger.values().is_empty());
}
