//! Savepoints of jobs on real threads: taken, stopped with, moved, started from.

mod changed;
mod refused;
mod told;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thalweg_core::config::{ClaimMode, ExecutionConfig, Recovery};
use thalweg_core::error::Result;
use thalweg_core::operator::{Context, Outputs, Setup};
use thalweg_core::rows::{Record, Rows};
use thalweg_core::source::{Boundedness, Poll, SourceFactory, SourceReader};
use thalweg_core::state::{OperatorListState, Redistribution};
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;
use thalweg_dataflow::window::TumblingEventTimeWindows;
use thalweg_runtime::mini_cluster::{JobClient, JobStatus, MiniCluster, RunningJob};

use super::recovery::{KEYS, Ledger, NUMBERS, expected};

const SPLITS: u64 = 4;

/// How many numbers of each split a source may emit; it waits for more, and ends at the last.
#[derive(Clone, Default)]
struct Gate {
    open: Arc<AtomicU64>,
    emitted: Arc<AtomicU64>,
}

impl Gate {
    fn at(numbers: u64) -> Self {
        let gate = Gate::default();
        gate.open_to(numbers);
        gate
    }

    fn open_to(&self, numbers: u64) {
        self.open.store(numbers, Ordering::SeqCst);
    }

    /// Waits until the source has emitted all it may.
    fn wait_for(&self, numbers: u64) {
        while self.emitted.load(Ordering::SeqCst) < numbers {
            std::thread::yield_now();
        }
    }
}

impl SourceFactory for Gate {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>> {
        let (index, parallelism) = (setup.info.index, setup.info.parallelism);
        let own = (0..SPLITS).filter(|s| s % u64::from(parallelism) == u64::from(index));
        Ok(Box::new(GatedReader {
            gate: self.clone(),
            own: own.map(|split| (split, 0)).collect(),
            splits: setup.states.operator_list("splits", Redistribution::Split),
        }))
    }

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
}

struct GatedReader {
    gate: Gate,
    own: Vec<(u64, u64)>,
    splits: OperatorListState<(u64, u64)>,
}

impl SourceReader for GatedReader {
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
        let open = self.gate.open.load(Ordering::SeqCst).min(per_split);
        if splits.iter().all(|(_, next)| *next == per_split) {
            return Ok(Poll::End);
        }
        let Some((split, next)) = splits.iter_mut().find(|(_, next)| *next < open) else {
            let until = Some(ProcessingTime(now.millis() + 1));
            return Ok(Poll::Idle { until });
        };
        let value = *next * SPLITS + *split;
        // Its time is its place in the split: splits of one reader come one after the other.
        let time = EventTime(i64::try_from(*next).unwrap_or(0));
        *next += 1;
        let rows: Rows<u64> = std::iter::once(Record::new(value, time)).collect();
        out.emit(Box::new(rows));
        let lowest = splits.iter().map(|(_, next)| *next).min().unwrap_or(0);
        out.emit_watermark(Watermark(i64::try_from(lowest).unwrap_or(0) - 1));
        self.gate.emitted.fetch_add(1, Ordering::SeqCst);
        Ok(Poll::Ready)
    }
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("thalweg-savepoint-{name}-{}", std::process::id());
        Scratch(std::env::temp_dir().join(name))
    }

    fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How often each remainder has come so far.
fn counted(numbers: DataStream<u64>) -> DataStream<u64> {
    numbers
        .map(|value| (value % KEYS, 1u64))
        .key_by(|pair: &(u64, u64)| pair.0)
        .reduce(|one, other| (one.0, one.1 + other.1))
        .uid("count")
        .map(|(key, count)| key * NUMBERS + count)
}

fn composed(
    gate: &Gate,
    ledger: &Ledger,
    build: impl FnOnce(DataStream<u64>) -> DataStream<u64>,
) -> StreamExecutionEnvironment {
    let env = thalweg_testkit::environment();
    env.set_parallelism(2)
        .configure(|config| config.batch_rows = 4);
    let numbers = env
        .from_source("Gate", Arc::new(gate.clone()), None)
        .uid("numbers");
    build(numbers).sink_to("Ledger", Arc::new(ledger.clone()));
    env
}

fn start(env: &StreamExecutionEnvironment) -> RunningJob {
    MiniCluster
        .start(&env.job_graph().unwrap(), &env.config())
        .unwrap()
}

fn from(path: &str) -> impl FnOnce(&mut ExecutionConfig) {
    let recovery = Recovery::new(path);
    move |config| config.recovery = Some(recovery)
}

/// A job that counts, at a parallelism, from a savepoint if one is given.
fn counting(gate: &Gate, ledger: &Ledger, parallelism: u32, path: Option<&str>) -> RunningJob {
    let env = composed(gate, ledger, counted);
    env.set_parallelism(parallelism);
    if let Some(path) = path {
        env.configure(from(path));
    }
    start(&env)
}

#[test]
fn a_job_goes_on_beside_its_savepoint_and_another_one_starts_from_it() {
    let scratch = Scratch::new("beside");
    let (gate, ledger) = (Gate::at(300), Ledger::default());
    let job = counting(&gate, &ledger, 2, None);
    gate.wait_for(4 * 300);
    let client = job.client();
    let path = client.trigger_savepoint(Some(&scratch.text())).unwrap();
    let id = job.id().to_string();
    let name = Path::new(&path).file_name().unwrap().to_string_lossy();
    assert!(
        name.starts_with(&format!("savepoint-{}-", &id[..6])),
        "{name}"
    );
    assert_eq!(name.len(), "savepoint-".len() + 6 + 1 + 12, "{name}");
    assert!(ledger.values().is_empty(), "a savepoint commits nothing");
    assert_eq!(client.status(), JobStatus::Running);
    gate.open_to(NUMBERS);
    job.join().unwrap();
    assert_eq!(ledger.values(), expected());
    assert_eq!(client.status(), JobStatus::Finished);
    // What the savepoint holds for the sink, and what comes behind it, into another ledger.
    let other = Ledger::default();
    counting(&Gate::at(NUMBERS), &other, 2, Some(&path))
        .join()
        .unwrap();
    assert_eq!(other.values(), expected());
    assert!(Path::new(&path).exists(), "it belongs to the user");
}

#[test]
fn a_job_that_is_stopped_goes_on_at_any_parallelism_as_if_nothing_had_happened() {
    let scratch = Scratch::new("stopped");
    let ledger = Ledger::default();
    let mut path = None;
    for (parallelism, numbers) in [(1, 200), (2, 450), (3, 451), (1, 700)] {
        let gate = Gate::at(numbers);
        let job = counting(&gate, &ledger, parallelism, path.as_deref());
        let stopped = job
            .client()
            .stop_with_savepoint(Some(&scratch.text()), false);
        job.join().unwrap();
        path = Some(stopped.unwrap());
        let values = ledger.values();
        assert!(
            values.len() as u64 <= 4 * numbers,
            "nothing comes from behind the barrier"
        );
    }
    counting(&Gate::at(NUMBERS), &ledger, 2, path.as_deref())
        .join()
        .unwrap();
    assert_eq!(ledger.values(), expected());
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 4);
}

/// How many numbers are in each window of 1000 ms, of which none is full before the end.
fn windowed(numbers: DataStream<u64>) -> DataStream<u64> {
    numbers
        .map(|_| 1u64)
        .key_by(|_| ())
        .window(TumblingEventTimeWindows::of(Duration::from_millis(1000)))
        .sum(|count| count)
        .uid("window")
}

#[test]
fn without_drain_no_window_fires_and_with_drain_all_do() {
    let scratch = Scratch::new("drain");
    let (gate, ledger) = (Gate::at(300), Ledger::default());
    let first = start(&composed(&gate, &ledger, windowed));
    gate.wait_for(4 * 300);
    let path = first
        .client()
        .stop_with_savepoint(Some(&scratch.text()), false);
    let path = path.unwrap();
    first.join().unwrap();
    assert!(ledger.values().is_empty());

    let gate = Gate::at(500);
    let env = composed(&gate, &ledger, windowed);
    env.configure(from(&path));
    let second = start(&env);
    gate.wait_for(4 * 200);
    let drained = second
        .client()
        .stop_with_savepoint(Some(&scratch.text()), true);
    let drained = drained.unwrap();
    second.join().unwrap();
    assert_eq!(ledger.values(), [2000], "with what the savepoint held");

    // A drained job has nothing left to do, whatever its input would have had.
    let env = composed(&Gate::at(NUMBERS), &ledger, windowed);
    env.configure(from(&drained));
    start(&env).join().unwrap();
    assert_eq!(ledger.values(), [2000]);
}

#[test]
fn a_savepoint_that_was_moved_is_as_good() {
    let scratch = Scratch::new("moved");
    let ledger = Ledger::default();
    let job = counting(&Gate::at(100), &ledger, 2, None);
    let path = job
        .client()
        .stop_with_savepoint(Some(&scratch.text()), false);
    job.join().unwrap();
    let moved = scratch.0.join("elsewhere");
    std::fs::rename(path.unwrap(), &moved).unwrap();
    let metadata = moved.join("_metadata").display().to_string();
    counting(&Gate::at(NUMBERS), &ledger, 3, Some(&metadata))
        .join()
        .unwrap();
    assert_eq!(ledger.values(), expected());
}

/// A counting job with checkpoints of its own on request only.
fn storing(gate: &Gate, ledger: &Ledger, checkpoints: &Scratch) -> StreamExecutionEnvironment {
    let env = composed(gate, ledger, counted);
    env.configure(|config| config.checkpointing.directory = Some(checkpoints.text()));
    env
}

#[test]
fn a_savepoint_is_no_checkpoint_of_the_job() {
    let (checkpoints, savepoints) = (Scratch::new("own"), Scratch::new("users"));
    let (gate, ledger) = (Gate::at(100), Ledger::default());
    let job = start(&storing(&gate, &ledger, &checkpoints));
    let client = job.client();
    gate.wait_for(4 * 100);
    let own = client.trigger_checkpoint().unwrap();
    assert!(own.ends_with("/chk-1"), "{own}");
    let savepoint = client.trigger_savepoint(Some(&savepoints.text())).unwrap();
    assert!(Path::new(&own).exists(), "it takes no checkpoint's place");
    let newer = client.trigger_checkpoint().unwrap();
    assert!(newer.ends_with("/chk-3"), "{newer}");
    assert!(!Path::new(&own).exists() && Path::new(&savepoint).exists());
    client
        .stop_with_savepoint(Some(&savepoints.text()), false)
        .unwrap();
    job.join().unwrap();
    assert_eq!(std::fs::read_dir(&checkpoints.0).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(&savepoints.0).unwrap().count(), 2);
}

#[test]
fn a_claimed_savepoint_goes_with_the_first_checkpoint_that_replaces_it_and_no_other_does() {
    for (claim, stays) in [(ClaimMode::NoClaim, true), (ClaimMode::Claim, false)] {
        let (checkpoints, savepoints) = (Scratch::new("claim-own"), Scratch::new("claim-users"));
        let ledger = Ledger::default();
        let first = counting(&Gate::at(100), &ledger, 2, None);
        let path = first
            .client()
            .stop_with_savepoint(Some(&savepoints.text()), false);
        let path = path.unwrap();
        let gate = Gate::at(200);
        let env = storing(&gate, &ledger, &checkpoints);
        env.configure(|config| {
            let recovery = Recovery::new(path.as_str());
            config.recovery = Some(Recovery { claim, ..recovery });
        });
        let job = start(&env);
        assert!(Path::new(&path).exists(), "the job may still need it");
        let own = job.client().trigger_checkpoint().unwrap();
        assert_eq!(Path::new(&path).exists(), stays, "{claim:?}");
        // The job's own does not need it.
        let copy = Ledger::default();
        let kept = checkpoints.0.join("kept");
        std::fs::rename(own, &kept).unwrap();
        let kept = kept.display().to_string();
        drop(std::fs::remove_dir_all(&path));
        counting(&Gate::at(NUMBERS), &copy, 1, Some(&kept))
            .join()
            .unwrap();
        gate.open_to(NUMBERS);
        job.join().unwrap();
        assert_eq!(ledger.values(), expected());
    }
}

fn ended(client: &JobClient) -> String {
    client
        .trigger_savepoint(Some("/tmp"))
        .unwrap_err()
        .to_string()
}
