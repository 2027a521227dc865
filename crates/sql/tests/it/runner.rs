//! Runs a query in every way and compares the rows that are left.
//!
//! | Run         | What differs                                                                  |
//! |-------------|-------------------------------------------------------------------------------|
//! | streaming   | 1 and 2 instances, small batches, orders of steps drawn from seeds            |
//! | batch       | 1 and 2 instances                                                             |
//! | threads     | streaming with 2 instances on real threads                                    |
//! | interrupted | stopped behind a checkpoint and finished from it, 1 → 2 and 2 → 1 instances    |
//! | late        | a checkpoint is encoded when the job has ended: it holds what it held then   |
//!
//! Every changelog must be whole: each `+U` directly behind a `-U`, and nothing taken back that was
//! not there.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_columnar::{ColumnBatch, RowKind};
use thalweg_core::host::ManualClock;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{FrozenState, StateSnapshot, TableSnapshot};
use thalweg_runtime::MiniCluster;
use thalweg_runtime::checkpoint::{BarrierListener, MemoryListener, Moment};
use thalweg_runtime::mini_cluster::Interruption;
use thalweg_sql::dialect::{Script, locate};
use thalweg_sql::session::{Outcome, QueryJob, Session};

use crate::memory::Memory;
use crate::slt::{self, Entry, Kind};
use crate::values;

const SEEDS: u64 = 3;
const CHECKPOINTS_AFTER: [u64; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 11];
const LATE_CHECKPOINTS_AFTER: [u64; 3] = [2, 4, 7];
const CHECKPOINT: u64 = 1;

/// A change of a result.
pub type Change = (RowKind, String);

/// A session with the test's tables.
pub fn session() -> Session {
    let mut connectors = thalweg_connector_builtin::connectors();
    connectors.push(Arc::new(Memory));
    Session::new(connectors)
}

/// Runs all files of a feature.
///
/// # Panics
/// With every entry that differs.
#[track_caller]
pub fn check(feature: &str) {
    let mut failures = Vec::new();
    for entries in slt::files(feature) {
        let mut session = session();
        for entry in &entries {
            if let Err(failure) = check_entry(&mut session, entry) {
                failures.push(format!("{}\n{}\n{failure}", entry.place, entry.sql));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n\n"));
}

fn check_entry(session: &mut Session, entry: &Entry) -> Result<(), String> {
    match entry.kind {
        Kind::Statement => execute(session, &entry.sql).map(drop),
        Kind::Error => match execute(session, &entry.sql) {
            Ok(_) => Err("it did not fail".to_owned()),
            Err(error) => {
                let expected = entry.expected.join("\n");
                let same = error.trim_end() == expected.trim_end();
                same.then_some(()).ok_or(error)
            }
        },
        Kind::Query {
            streaming,
            batch,
            parallel,
            interrupted,
            sorted,
        } => {
            let mut query = Query {
                session,
                sql: &entry.sql,
                expected: &entry.expected,
                sorted,
            };
            if streaming {
                query.streaming(parallel)?;
            }
            if streaming && interrupted {
                query.interrupted()?;
                query.late()?;
            }
            if batch {
                query.batch()?;
            }
            Ok(())
        }
    }
}

/// Executes the one statement of a text.
pub fn execute(session: &mut Session, sql: &str) -> Result<Outcome, String> {
    let statement = Script::new(sql).next().unwrap();
    let result = statement.and_then(|statement| {
        let result = session.execute(&statement.node);
        result.map_err(|error| locate(error, sql, &statement))
    });
    result.map_err(|error| error.render(None, sql))
}

/// A query that is ready to run, in small batches.
pub fn job(
    session: &mut Session,
    sql: &str,
    mode: &str,
    parallelism: u32,
) -> Result<QueryJob, String> {
    let options = session.options_mut();
    let parallelism = parallelism.to_string();
    for (key, value) in [
        ("execution.runtime-mode", mode),
        ("parallelism.default", &parallelism),
    ] {
        options.set(key, value).map_err(|error| error.to_string())?;
    }
    match execute(session, sql)? {
        Outcome::Query(mut job) => {
            job.config.batch_rows = 2;
            job.config.channel_batches = 1;
            Ok(*job)
        }
        _ => Err("it is no query".to_owned()),
    }
}

/// The result of a job that runs on this thread in an order drawn from `seed`.
pub fn stepped(job: QueryJob, seed: u64) -> Result<Vec<Change>, String> {
    let collected = Collected::new(job.rows);
    let listener = Arc::new(MemoryListener::default());
    let drain = || {
        collected.drain();
        false
    };
    let plan = Interruption {
        seed,
        clock: Arc::new(ManualClock::default()),
        listener,
        restore: None,
        checkpoint_after: None,
        abandon_when: Some(&drain),
    };
    MiniCluster
        .run_interrupted(&job.graph, &job.config, &plan)
        .map_err(|error| error.to_string())?;
    Ok(collected.all())
}

/// What a job has sent so far, and where the barrier passed.
struct Collected {
    rows: Mutex<Receiver<ColumnBatch>>,
    changes: Mutex<Vec<Change>>,
    before_barrier: Mutex<Option<usize>>,
    snapshots: MemoryListener,
    // The operators' states at the barrier: encoded at once, and shared.
    frozen: Mutex<Vec<(String, StateSnapshot, FrozenState)>>,
}

impl Collected {
    fn new(rows: Receiver<ColumnBatch>) -> Arc<Self> {
        Arc::new(Collected {
            rows: Mutex::new(rows),
            changes: Mutex::default(),
            before_barrier: Mutex::default(),
            snapshots: MemoryListener::default(),
            frozen: Mutex::default(),
        })
    }

    /// Encodes the shared states once more; each must be what it was at the barrier. Returns how many
    /// there are.
    fn encode_late(&self) -> Result<usize, String> {
        let frozen = self.frozen.lock().unwrap_or_else(PoisonError::into_inner);
        for (operator, at_once, shared) in frozen.iter() {
            let late = shared.whole().encode().map_err(|error| error.to_string())?;
            if late != *at_once {
                return Err(format!("`{operator}` has changed what a checkpoint shares"));
            }
        }
        Ok(frozen.len())
    }

    fn drain(&self) -> usize {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(batch) = rows.try_recv() {
            changes.extend(changes_of(&batch));
        }
        changes.len()
    }

    fn all(&self) -> Vec<Change> {
        self.drain();
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl BarrierListener for Collected {
    fn on_operator(
        &self,
        moment: Moment,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        freeze: &mut dyn FnMut() -> thalweg_core::Result<FrozenState>,
    ) -> thalweg_core::Result<()> {
        if moment != Moment::End && info.operator.contains("Collect") {
            let mut before = self
                .before_barrier
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *before = Some(self.drain());
        }
        let mut shared = None;
        let mut freeze = || {
            let state = freeze()?;
            shared = Some((
                info.operator.clone(),
                state.whole().encode()?,
                state.clone(),
            ));
            Ok(state)
        };
        let passed = self.snapshots.on_operator(moment, uid, info, &mut freeze);
        let mut frozen = self.frozen.lock().unwrap_or_else(PoisonError::into_inner);
        frozen.extend(shared);
        passed
    }

    fn on_in_flight(
        &self,
        checkpoint: u64,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        records: TableSnapshot,
    ) {
        self.snapshots.on_in_flight(checkpoint, uid, info, records);
    }

    fn on_subtask(&self, moment: Moment, subtask: usize) {
        self.snapshots.on_subtask(moment, subtask);
    }
}

fn changes_of(batch: &ColumnBatch) -> Vec<Change> {
    let lines = values::lines(batch.records());
    let kinds = (0..batch.num_rows()).map(|row| batch.kind(row));
    kinds.zip(lines).collect()
}

struct Query<'a> {
    session: &'a mut Session,
    sql: &'a str,
    expected: &'a [String],
    sorted: bool,
}

impl Query<'_> {
    fn streaming(&mut self, parallel: bool) -> Result<(), String> {
        for parallelism in 1..=if parallel { 2 } else { 1 } {
            for seed in 0..SEEDS {
                let job = job(self.session, self.sql, "streaming", parallelism)?;
                let run = format!("streaming, parallelism {parallelism}, seed {seed}");
                self.compare(&run, stepped(job, seed))?;
            }
        }
        if !parallel {
            return Ok(());
        }
        let mut job = job(self.session, self.sql, "streaming", 2)?;
        // Whole tables at once: the source pauses between batches.
        job.config.batch_rows = 1024;
        self.compare("threads", threads(job))
    }

    fn batch(&mut self) -> Result<(), String> {
        for parallelism in [1, 2] {
            let job = job(self.session, self.sql, "batch", parallelism)?;
            let run = format!("batch, parallelism {parallelism}");
            self.compare(&run, stepped(job, 0))?;
        }
        Ok(())
    }

    fn interrupted(&mut self) -> Result<(), String> {
        let mut stopped = 0;
        for (before, after) in [(1, 2), (2, 1)] {
            for (number, rounds) in CHECKPOINTS_AFTER.into_iter().enumerate() {
                // Each number of rounds once with either kind of barriers.
                let unaligned = (number + before as usize).is_multiple_of(2);
                let barriers = if unaligned { "unaligned" } else { "aligned" };
                let run =
                    format!("interrupted after {rounds} rounds, {before} → {after}, {barriers}");
                let result = self.interrupted_after(rounds, (before, after), unaligned);
                stopped += usize::from(result.as_ref().is_ok_and(|(_, stopped)| *stopped));
                self.compare(&run, result.map(|(changes, _)| changes))?;
            }
        }
        self.set_unaligned(false)?;
        (stopped > 0)
            .then_some(())
            .ok_or("it was never stopped midway".to_owned())
    }

    fn late(&mut self) -> Result<(), String> {
        let mut frozen = 0;
        for rounds in LATE_CHECKPOINTS_AFTER {
            let job = job(self.session, self.sql, "streaming", 2)?;
            let collected = Collected::new(job.rows);
            let drain = || {
                collected.drain();
                false
            };
            let plan = Interruption {
                seed: rounds,
                clock: Arc::new(ManualClock::default()),
                listener: collected.clone(),
                restore: None,
                checkpoint_after: Some(rounds),
                abandon_when: Some(&drain),
            };
            MiniCluster
                .run_interrupted(&job.graph, &job.config, &plan)
                .map_err(|error| error.to_string())?;
            frozen += collected.encode_late()?;
        }
        (frozen > 0)
            .then_some(())
            .ok_or("no checkpoint was taken".to_owned())
    }

    fn set_unaligned(&mut self, unaligned: bool) -> Result<(), String> {
        let key = "execution.checkpointing.unaligned.enabled";
        let set = self.session.options_mut().set(key, &unaligned.to_string());
        set.map_err(|error| error.to_string())
    }

    fn interrupted_after(
        &mut self,
        rounds: u64,
        (before, after): (u32, u32),
        unaligned: bool,
    ) -> Result<(Vec<Change>, bool), String> {
        self.set_unaligned(unaligned)?;
        let first = job(self.session, self.sql, "streaming", before)?;
        let subtasks: usize = first
            .graph
            .vertices
            .iter()
            .map(|v| v.parallelism as usize)
            .sum();
        let collected = Collected::new(first.rows);
        let clock = Arc::new(ManualClock::default());
        let complete = || {
            collected.drain();
            collected.snapshots.passed(CHECKPOINT) == subtasks
        };
        let plan = Interruption {
            seed: rounds,
            clock: clock.clone(),
            listener: collected.clone(),
            restore: None,
            checkpoint_after: Some(rounds),
            abandon_when: Some(&complete),
        };
        let ended = MiniCluster
            .run_interrupted(&first.graph, &first.config, &plan)
            .map_err(|error| error.to_string())?;
        let mut changes = collected.all();
        if ended {
            // The barrier came too late.
            return Ok((changes, false));
        }
        let place = collected
            .before_barrier
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        changes.truncate(place.ok_or("the barrier did not reach the sink")?);
        let snapshot = collected.snapshots.take(CHECKPOINT).ok_or("no snapshot")?;

        let second = job(self.session, self.sql, "streaming", after)?;
        let collected = Collected::new(second.rows);
        let drain = || {
            collected.drain();
            false
        };
        let plan = Interruption {
            seed: rounds,
            clock,
            listener: collected.clone(),
            restore: Some(&snapshot),
            checkpoint_after: None,
            abandon_when: Some(&drain),
        };
        MiniCluster
            .run_interrupted(&second.graph, &second.config, &plan)
            .map_err(|error| error.to_string())?;
        changes.extend(collected.all());
        Ok((changes, true))
    }

    fn compare(&self, run: &str, changes: Result<Vec<Change>, String>) -> Result<(), String> {
        let changes = changes.map_err(|error| format!("run `{run}` failed: {error}"))?;
        let whole = |error| format!("run `{run}`: {error}\n{}", text(&changes));
        let mut actual = fold(&changes).map_err(whole)?;
        let mut expected = self.expected.to_vec();
        if self.sorted {
            actual = changes.iter().map(|(_, line)| line.clone()).collect();
        } else {
            expected.sort_unstable();
        }
        if actual == expected {
            return Ok(());
        }
        let (expected, actual) = (expected.join("\n"), actual.join("\n"));
        Err(format!(
            "run `{run}` differs\nexpected:\n{expected}\nactual:\n{actual}"
        ))
    }
}

fn threads(job: QueryJob) -> Result<Vec<Change>, String> {
    let started = MiniCluster.start(&job.graph, &job.config);
    let running = started.map_err(|error| error.to_string())?;
    let changes = job
        .rows
        .iter()
        .flat_map(|batch| changes_of(&batch))
        .collect();
    running.join().map_err(|error| error.to_string())?;
    Ok(changes)
}

/// A changelog as lines, for messages.
pub fn text(changes: &[Change]) -> String {
    let lines = changes
        .iter()
        .map(|(kind, line)| format!("{} {line}", kind.symbol()));
    lines.collect::<Vec<_>>().join("\n")
}

/// The rows that a changelog leaves, sorted.
///
/// # Errors
/// What is not whole.
pub fn fold(changes: &[Change]) -> Result<Vec<String>, String> {
    let mut rows: BTreeMap<&str, i64> = BTreeMap::new();
    let mut previous = None;
    for (kind, line) in changes {
        let after_retraction = previous == Some(RowKind::UpdateBefore);
        if (*kind == RowKind::UpdateAfter) != after_retraction {
            return Err(format!("-U and +U do not follow each other at `{line}`"));
        }
        previous = Some(*kind);
        let count = rows.entry(line).or_insert(0);
        *count += if kind.is_addition() { 1 } else { -1 };
        if *count < 0 {
            return Err(format!("`{line}` is taken back, but was not there"));
        }
    }
    let left = rows.into_iter().flat_map(|(line, count)| {
        std::iter::repeat_n(line.to_owned(), usize::try_from(count).unwrap_or(0))
    });
    Ok(left.collect())
}
