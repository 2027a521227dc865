//! A job that runs: its attempts, one after another.
#![allow(clippy::disallowed_methods)] // A shell: it owns a thread and waits on the machine's clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use thalweg_coordination::failover::RestartBackoff;
use thalweg_core::config::{ExecutionConfig, Retention};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{JobGraph, JobResult};
use thalweg_core::host::Clock;
use thalweg_core::id::JobId;
use thalweg_core::key_group::stable_hash_bytes;
use thalweg_core::metrics::OperatorMetrics;

use super::attempt::{Attempt, Handle, Metrics};
use super::recovery::recover;
use crate::checkpoint::{Checkpoints, StartingPoint};
use crate::driver::threads::SystemClock;

/// A job that runs.
pub struct RunningJob {
    id: JobId,
    metrics: Metrics,
    shared: Arc<Shared>,
    supervisor: JoinHandle<Result<u64>>,
}

/// Stops a running job from another thread.
#[derive(Clone)]
pub struct Canceller {
    shared: Arc<Shared>,
    supervisor: std::thread::Thread,
}

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    running: Mutex<Option<Handle>>,
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Option<Handle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Makes an attempt the one that a cancellation stops.
    fn run(&self, attempt: &Attempt) {
        let handle = attempt.handle();
        let mut running = self.running();
        if self.is_cancelled() {
            handle.cancel();
        }
        *running = Some(handle);
    }
}

impl Canceller {
    /// Stops the job.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Release);
        if let Some(handle) = self.shared.running().as_ref() {
            handle.cancel();
        }
        // It may be waiting to start again.
        self.supervisor.unpark();
    }
}

impl RunningJob {
    pub(super) fn start(job: &JobGraph, config: &ExecutionConfig) -> Result<Self> {
        let id = new_id(&SystemClock::default());
        let checkpoints = Checkpoints::of(config, id)?;
        let from = match &config.recovery {
            Some(recovery) => recover(recovery, job)?,
            None => StartingPoint::default(),
        };
        let first = Attempt::start(job, config, checkpoints.as_ref(), &from, None)?;
        let metrics = first.metrics.clone();
        let shared = Arc::new(Shared::default());
        shared.run(&first);
        let supervisor = Supervisor {
            job: job.clone(),
            config: config.clone(),
            checkpoints,
            from,
            shared: shared.clone(),
            clock: SystemClock::default(),
        };
        let thread = std::thread::Builder::new().name("job-supervisor".to_owned());
        let supervisor = thread.spawn(move || supervisor.run(first))?;
        Ok(RunningJob {
            id,
            metrics,
            shared,
            supervisor,
        })
    }

    /// The job's id, which names the directory of its checkpoints.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The counters of every operator, live; they go on over restarts.
    pub fn metrics(&self) -> &[(String, Vec<OperatorMetrics>)] {
        &self.metrics
    }

    /// Whether the job has ended.
    pub fn is_finished(&self) -> bool {
        self.supervisor.is_finished()
    }

    /// What stops this job from elsewhere.
    pub fn canceller(&self) -> Canceller {
        Canceller {
            shared: self.shared.clone(),
            supervisor: self.supervisor.thread().clone(),
        }
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The first error of any task after which the job does not start again; `User` if the job was
    /// cancelled.
    pub fn join(self) -> Result<JobResult> {
        let ended = self.supervisor.join();
        let ended = ended.map_err(|_| Error::internal("the supervisor of the job panicked"))?;
        Ok(JobResult {
            operators: self.metrics,
            checkpoints: ended?,
        })
    }
}

struct Supervisor {
    job: JobGraph,
    config: ExecutionConfig,
    checkpoints: Option<Checkpoints>,
    from: StartingPoint,
    shared: Arc<Shared>,
    clock: SystemClock,
}

impl Supervisor {
    fn run(self, first: Attempt) -> Result<u64> {
        let metrics = first.metrics.clone();
        let seed = self.clock.monotonic_nanos();
        let mut backoff = RestartBackoff::new(self.config.restart.clone(), seed);
        let mut attempt = first;
        loop {
            let ended = attempt.join();
            if ended.cancelled || self.shared.is_cancelled() {
                self.clean_up(self.config.checkpointing.retention)?;
                return Err(Error::user("the job was cancelled"));
            }
            let Some(error) = ended.error else {
                self.clean_up(Retention::Delete)?;
                return Ok(ended.counted);
            };
            attempt = match self.restart(error, &mut backoff, &metrics) {
                Ok(attempt) => attempt,
                Err(error) => {
                    if self.shared.is_cancelled() {
                        self.clean_up(self.config.checkpointing.retention)?;
                    }
                    return Err(error);
                }
            };
            self.shared.run(&attempt);
        }
    }

    /// The next attempt after a failure.
    fn restart(
        &self,
        mut error: Error,
        backoff: &mut RestartBackoff,
        metrics: &Metrics,
    ) -> Result<Attempt> {
        let Some(checkpoints) = &self.checkpoints else {
            return Err(error);
        };
        loop {
            let now = self.clock.monotonic_nanos() / 1_000_000;
            let Some(wait) = backoff.on_failure(error.kind(), now) else {
                return Err(error);
            };
            eprintln!("warning: the job has failed and starts again in {wait:?}: {error}");
            self.wait(wait);
            if self.shared.is_cancelled() {
                return Err(Error::user("the job was cancelled"));
            }
            let again = checkpoints.newest().and_then(|newest| {
                let from = newest.as_ref().unwrap_or(&self.from);
                Attempt::start(
                    &self.job,
                    &self.config,
                    Some(checkpoints),
                    from,
                    Some(metrics),
                )
            });
            match again {
                Ok(attempt) => return Ok(attempt),
                Err(next) => error = next,
            }
        }
    }

    fn wait(&self, wait: Duration) {
        let until = self.clock.monotonic_nanos() + wait.as_nanos() as u64;
        loop {
            let left = until.saturating_sub(self.clock.monotonic_nanos());
            if left == 0 || self.shared.is_cancelled() {
                return;
            }
            std::thread::park_timeout(Duration::from_nanos(left));
        }
    }

    fn clean_up(&self, retention: Retention) -> Result<()> {
        match &self.checkpoints {
            Some(checkpoints) if retention == Retention::Delete => checkpoints.store.discard_all(),
            _ => Ok(()),
        }
    }
}

/// An id that no other job has: of the time and the process.
fn new_id(clock: &SystemClock) -> JobId {
    let seed = format!("{}-{}", clock.now().millis(), std::process::id());
    let address = std::ptr::from_ref(clock) as usize;
    let high = stable_hash_bytes(seed.as_bytes());
    let low = stable_hash_bytes(format!("{seed}-{address}").as_bytes());
    JobId(u128::from(high) << 64 | u128::from(low))
}
