//! Whole jobs: every order of steps, interrupted at a checkpoint and finished elsewhere.
//!
//! | Run          | What differs                                                                 |
//! |--------------|------------------------------------------------------------------------------|
//! | stepped      | 1, 2 and 3 instances, orders of steps drawn from seeds                       |
//! | interrupted  | stopped behind a checkpoint and finished from it at another parallelism      |
//! | stored       | so with keyed state in a store, of which next to nothing stays in memory     |
//! | moved        | interrupted with a store, finished without, and the other way round          |
//! | unaligned    | the same, where barriers overtake records                                    |
//!
//! Results count once: of an interrupted run those before the barrier, and those of the run that
//! went on from it.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_core::config::ExecutionConfig;
use thalweg_core::container::{Payload, downcast};
use thalweg_core::data::Data;
use thalweg_core::error::Result;
use thalweg_core::graph::JobGraph;
use thalweg_core::host::ManualClock;
use thalweg_core::operator::{Context, Setup};
use thalweg_core::rows::Rows;
use thalweg_core::sink::{SinkFactory, SinkWriter};
use thalweg_dataflow::environment::StreamExecutionEnvironment;
use thalweg_dataflow::stream::DataStream;
use thalweg_runtime::MiniCluster;
use thalweg_runtime::checkpoint::{JobSnapshot, MemoryListener};
use thalweg_runtime::mini_cluster::Interruption;

const SEEDS: u64 = 3;
const STEPPED: [u32; 3] = [1, 2, 3];
const RESCALED: [(u32, u32); 4] = [(1, 2), (2, 1), (2, 3), (3, 2)];
// Rounds of the driver after which the barrier is asked for.
const CHECKPOINTS_AFTER: [u64; 6] = [1, 2, 3, 5, 9, 17];
const CHECKPOINT: u64 = 1;
// How barriers pass.
const ALIGNED: &str = "aligned";
const UNALIGNED: &str = "unaligned";
// Where keyed state is.
const HEAP: &str = "the heap";
const STORE: &str = "a store";

/// Runs a job in every way and compares the values of the stream that `build` returns, in any
/// order, with `expected`.
///
/// Batches are small and channels short, so that the barrier finds records everywhere.
///
/// # Panics
/// If any run fails or returns other values; the message names the run.
///
/// # Examples
/// ```
/// use thalweg_testkit::check_job;
///
/// check_job(|env| env.from_collection(0..10i64).filter(|n| n % 2 == 0), [0, 2, 4, 6, 8]);
/// ```
#[track_caller]
pub fn check_job<T: Data + Debug>(
    build: impl Fn(&StreamExecutionEnvironment) -> DataStream<T>,
    expected: impl IntoIterator<Item = T>,
) {
    let expected = canonical(expected);
    let compare = |run: String, actual: Result<Vec<T>>| {
        let actual =
            canonical(actual.unwrap_or_else(|error| panic!("run `{run}` failed: {error}")));
        assert!(
            actual == expected,
            "run `{run}` differs\nexpected: {}\n  actual: {}",
            expected.join(" "),
            actual.join(" ")
        );
    };
    for parallelism in STEPPED {
        for seed in 0..SEEDS {
            let actual = stepped(&build, parallelism, seed);
            compare(
                format!("stepped, parallelism {parallelism}, seed {seed}"),
                actual,
            );
        }
    }
    for (before, after) in RESCALED {
        for rounds in CHECKPOINTS_AFTER {
            for way in WAYS {
                let actual = interrupted(&build, [before, after], way, rounds);
                let (barriers, [first, then]) = way;
                let run = format!(
                    "interrupted after {rounds} rounds, parallelism {before} → {after}, \
                     {barriers}, state on {first} → {then}"
                );
                compare(run, actual);
            }
        }
    }
}

fn canonical<T: Debug>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut texts: Vec<String> = values
        .into_iter()
        .map(|value| format!("{value:?}"))
        .collect();
    texts.sort_unstable();
    texts
}

/// How a job is interrupted: barriers, and where keyed state is before and behind.
type Way = (&'static str, [&'static str; 2]);

const WAYS: [Way; 6] = [
    (ALIGNED, [HEAP, HEAP]),
    (UNALIGNED, [HEAP, HEAP]),
    (ALIGNED, [STORE, STORE]),
    (UNALIGNED, [STORE, STORE]),
    (ALIGNED, [STORE, HEAP]),
    (UNALIGNED, [HEAP, STORE]),
];

type Composed<T> = (JobGraph, ExecutionConfig, Staged<T>);

fn compose<T: Data>(
    build: &impl Fn(&StreamExecutionEnvironment) -> DataStream<T>,
    parallelism: u32,
    backend: &str,
) -> Result<Composed<T>> {
    let env = crate::environment();
    env.set_parallelism(parallelism).configure(|config| {
        config.state_store = (backend == STORE).then(crate::store::tiny);
        config.batch_rows = 2;
        config.channel_batches = 1;
        config.chaining = false;
    });
    let staged = Staged::default();
    build(&env).sink_to("Collect", Arc::new(staged.clone()));
    Ok((env.job_graph()?, env.config(), staged))
}

fn stepped<T: Data>(
    build: &impl Fn(&StreamExecutionEnvironment) -> DataStream<T>,
    parallelism: u32,
    seed: u64,
) -> Result<Vec<T>> {
    let (job, config, staged) = compose(build, parallelism, HEAP)?;
    MiniCluster.run_stepped(&job, &config, seed, Arc::new(ManualClock::default()))?;
    Ok(staged.all())
}

fn interrupted<T: Data>(
    build: &impl Fn(&StreamExecutionEnvironment) -> DataStream<T>,
    [before, after]: [u32; 2],
    (barriers, backends): Way,
    rounds: u64,
) -> Result<Vec<T>> {
    let path = [
        Stretch::new(before, barriers, backends[0], rounds),
        Stretch::new(after, barriers, backends[1], rounds),
    ];
    along(build, &path)
}

/// A part of a run along a path.
struct Stretch {
    parallelism: u32,
    unaligned: bool,
    backend: &'static str,
    /// Rounds of the driver up to the barrier, and the seed of their order.
    rounds: u64,
}

impl Stretch {
    fn new(parallelism: u32, barriers: &str, backend: &'static str, rounds: u64) -> Self {
        Stretch {
            parallelism,
            unaligned: barriers == UNALIGNED,
            backend,
            rounds,
        }
    }
}

/// Runs a job that is interrupted several times: at each parallelism of `path` but the last up to
/// a checkpoint behind so many rounds of the driver, and on from there. Returns the values that
/// count, in no particular order.
///
/// # Errors
/// The first error of any task.
pub fn run_along<T: Data>(
    build: impl Fn(&StreamExecutionEnvironment) -> DataStream<T>,
    path: &[(u32, u64)],
    unaligned: bool,
    store: bool,
) -> Result<Vec<T>> {
    let barriers = if unaligned { UNALIGNED } else { ALIGNED };
    let backend = if store { STORE } else { HEAP };
    let stretch =
        |(parallelism, rounds): &(u32, u64)| Stretch::new(*parallelism, barriers, backend, *rounds);
    let path: Vec<Stretch> = path.iter().map(stretch).collect();
    along(&build, &path)
}

fn along<T: Data>(
    build: &impl Fn(&StreamExecutionEnvironment) -> DataStream<T>,
    path: &[Stretch],
) -> Result<Vec<T>> {
    let clock = Arc::new(ManualClock::default());
    let mut values = Vec::new();
    let mut snapshot: Option<JobSnapshot> = None;
    // The files of a store are there as long as who has heard of them.
    let mut listeners = Vec::new();
    for (at, stretch) in path.iter().enumerate() {
        let (job, mut config, staged) = compose(build, stretch.parallelism, stretch.backend)?;
        config.checkpointing.unaligned = stretch.unaligned;
        let next = path.get(at + 1);
        let moved = next.is_some_and(|next| next.backend != stretch.backend);
        let listener = Arc::new(if moved {
            MemoryListener::canonical()
        } else {
            MemoryListener::default()
        });
        listeners.push(listener.clone());
        let vertices = job.vertices.iter();
        let subtasks: usize = vertices.map(|vertex| vertex.parallelism as usize).sum();
        let complete = || listener.passed(CHECKPOINT) == subtasks;
        let plan = Interruption {
            seed: stretch.rounds,
            clock: clock.clone(),
            listener: listener.clone(),
            restore: snapshot.as_ref(),
            checkpoint_after: next.map(|_| stretch.rounds),
            abandon_when: next.map(|_| &complete as &dyn Fn() -> bool),
        };
        let finished = MiniCluster.run_interrupted(&job, &config, &plan)?;
        if finished {
            values.extend(staged.all());
            return Ok(values);
        }
        values.extend(staged.before_barrier());
        snapshot = Some(listener.take(CHECKPOINT).unwrap_or_default());
    }
    Ok(values)
}

/// What a sink has received, before and behind the one barrier of a run.
struct Stages<T> {
    before: Vec<T>,
    behind: Vec<T>,
}

struct Staged<T>(Arc<Mutex<Stages<T>>>);

impl<T> Clone for Staged<T> {
    fn clone(&self) -> Self {
        Staged(self.0.clone())
    }
}

impl<T> Default for Staged<T> {
    fn default() -> Self {
        Staged(Arc::new(Mutex::new(Stages {
            before: Vec::new(),
            behind: Vec::new(),
        })))
    }
}

impl<T> Staged<T> {
    fn lock(&self) -> MutexGuard<'_, Stages<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn before_barrier(&self) -> Vec<T> {
        std::mem::take(&mut self.lock().before)
    }

    fn all(&self) -> Vec<T> {
        let mut stages = self.lock();
        let mut all = std::mem::take(&mut stages.before);
        all.append(&mut stages.behind);
        all
    }
}

impl<T: Data> SinkFactory for Staged<T> {
    fn create(&self, _: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(StagedWriter {
            staged: self.clone(),
            open: Vec::new(),
            behind_barrier: false,
        }))
    }
}

struct StagedWriter<T> {
    staged: Staged<T>,
    open: Vec<T>,
    behind_barrier: bool,
}

impl<T: Data> SinkWriter for StagedWriter<T> {
    fn write(&mut self, batch: Payload, _: &mut Context) -> Result<()> {
        self.open.extend(downcast::<Rows<T>>(batch)?.values);
        Ok(())
    }

    fn flush(&mut self, _: &mut Context) -> Result<()> {
        self.staged.lock().before.append(&mut self.open);
        self.behind_barrier = true;
        Ok(())
    }

    fn finish(&mut self, _: &mut Context) -> Result<()> {
        let mut stages = self.staged.lock();
        // An instance that ends before the barrier has its end in the checkpoint.
        let stage = match self.behind_barrier {
            true => &mut stages.behind,
            false => &mut stages.before,
        };
        stage.append(&mut self.open);
        Ok(())
    }
}
