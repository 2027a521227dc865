//! A job that runs: its attempts, one after another.
#![allow(clippy::disallowed_methods)] // A shell: it owns a thread and waits on the machine's clock.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thalweg_coordination::failover::{Failure, RestartBackoff, Restarted};
use thalweg_core::config::{ExecutionConfig, Retention};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{JobGraph, JobResult};
use thalweg_core::host::Clock;
use thalweg_core::id::JobId;
use thalweg_core::key_group::stable_hash_bytes;
use thalweg_core::metrics::OperatorMetrics;

use super::attempt::{Attempt, AttemptSpec, Ended, Metrics};
use super::job_client::{JobClient, JobStatus, Shared};
use super::recovery::{Recovered, recover};
use super::region_failover::Outlook;
use crate::checkpoint::{Checkpoints, Savepoints, StartingPoint, Stopped};
use crate::driver::threads::SystemClock;

/// A job that runs.
pub struct RunningJob {
    id: JobId,
    name: Arc<str>,
    metrics: Metrics,
    shared: Arc<Shared>,
    supervisor: JoinHandle<Result<u64>>,
}

impl RunningJob {
    pub(super) fn start(job: &JobGraph, config: &ExecutionConfig) -> Result<Self> {
        let id = new_id(&SystemClock::default());
        let checkpoints = Checkpoints::of(config, id)?;
        let Recovered { from, claimed } = match &config.recovery {
            Some(recovery) => recover(recovery, &config.file_systems, job)?,
            None => Recovered::default(),
        };
        let shared = Arc::new(Shared::default());
        let spec = AttemptSpec {
            job: job.clone(),
            config: config.clone(),
            checkpoints,
            savepoints: Savepoints::of(config, id),
            claimed,
            requests: shared.requests.clone(),
        };
        let first = Attempt::start(&spec, &from, None)?;
        let metrics = first.metrics.clone();
        shared.run(&first);
        let supervisor = Supervisor {
            spec,
            from,
            shared: shared.clone(),
            clock: SystemClock::default(),
        };
        let thread = std::thread::Builder::new().name("job-supervisor".to_owned());
        let supervisor = thread.spawn(move || supervisor.run_to_end(first))?;
        Ok(RunningJob {
            id,
            name: config.job_name.as_str().into(),
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

    /// What speaks to this job from elsewhere.
    pub fn client(&self) -> JobClient {
        JobClient {
            id: self.id,
            name: self.name.clone(),
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

pub(super) struct Supervisor {
    pub(super) spec: AttemptSpec,
    pub(super) from: StartingPoint,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: SystemClock,
}

impl Supervisor {
    fn run_to_end(mut self, first: Attempt) -> Result<u64> {
        let ended = self.run(first);
        self.shared.set_status(match &ended {
            Ok(_) => JobStatus::Finished,
            Err(_) if self.shared.is_cancelled() => JobStatus::Canceled,
            Err(_) => JobStatus::Failed,
        });
        self.shared.requests.close();
        ended
    }

    fn run(&mut self, first: Attempt) -> Result<u64> {
        let metrics = first.metrics.clone();
        let seed = self.clock.monotonic_nanos();
        let mut backoff = RestartBackoff::new(self.spec.config.restart.clone(), seed);
        let mut attempt = first;
        loop {
            let (mut ended, outlook) = self.run_regions(attempt, &mut backoff);
            if outlook == Outlook::Hopeless {
                let failed = || Error::internal("the job has failed without an error");
                let error = ended.error.take().unwrap_or_else(failed);
                return self.end_for_good(error, &ended);
            }
            let cancelled = ended.cancelled || self.shared.is_cancelled();
            self.interrupt(&ended, cancelled);
            let stopped = self.shared.requests.take_stopped();
            if cancelled {
                self.not_stopped(stopped, &cancellation())?;
                self.clean_up(self.spec.config.checkpointing.retention)?;
                return Err(cancellation());
            }
            let Some(error) = ended.error else {
                let cleaned = self.clean_up(Retention::Delete);
                if let Some(stopped) = stopped {
                    // Told last: whoever asked may start the next job at once.
                    self.shared.set_status(JobStatus::Finished);
                    let place = stopped.store.place(stopped.checkpoint);
                    stopped.reply.send(Ok(place));
                }
                return cleaned.map(|()| ended.checkpoints);
            };
            self.not_stopped(stopped, &error)?;
            let waited = outlook == Outlook::Waited;
            attempt = match self.restart((error, waited), &mut backoff, &metrics) {
                Ok(attempt) => attempt,
                Err(error) => {
                    if self.shared.is_cancelled() {
                        self.clean_up(self.spec.config.checkpointing.retention)?;
                    }
                    return Err(error);
                }
            };
            self.shared.run(&attempt);
        }
    }

    /// The strategy allows no further start.
    fn end_for_good(&mut self, error: Error, ended: &Ended) -> Result<u64> {
        let cancelled = ended.cancelled || self.shared.is_cancelled();
        self.interrupt(ended, cancelled);
        let stopped = self.shared.requests.take_stopped();
        self.not_stopped(stopped, &error)?;
        if cancelled {
            self.clean_up(self.spec.config.checkpointing.retention)?;
            return Err(cancellation());
        }
        Err(error)
    }

    /// Answers those whose checkpoint or savepoint the attempt has not lived to complete.
    fn interrupt(&self, ended: &Ended, cancelled: bool) {
        for reply in self.shared.requests.take_interrupted() {
            reply.send(Err(match &ended.error {
                _ if cancelled => Error::user("the job was cancelled before it was complete"),
                Some(error) => Error::new(
                    error.kind(),
                    format!("the job failed before it was complete: {error}"),
                ),
                None => Error::user("the job ended before it was complete"),
            }));
        }
    }

    /// The savepoint is there, but the job has not come to its end behind it. Sinks may have
    /// committed what it holds: from now on the job may start from nothing older.
    fn not_stopped(&mut self, stopped: Option<Stopped>, why: &Error) -> Result<()> {
        let Some(stopped) = stopped else {
            return Ok(());
        };
        let place = stopped.store.place(stopped.checkpoint);
        stopped.reply.send(Err(Error::new(
            why.kind(),
            format!("the savepoint `{place}` is complete, but the job failed as it stopped: {why}"),
        )));
        self.from = StartingPoint::from(stopped.store.load(stopped.checkpoint)?);
        Ok(())
    }

    /// The next attempt after a failure; at once if it was waited for.
    fn restart(
        &self,
        (mut error, mut waited): (Error, bool),
        backoff: &mut RestartBackoff,
        metrics: &Metrics,
    ) -> Result<Attempt> {
        let Some(checkpoints) = &self.spec.checkpoints else {
            self.note(&error, Restarted::Nothing);
            return Err(error);
        };
        self.shared.set_status(JobStatus::Restarting);
        loop {
            if std::mem::take(&mut waited) {
                self.shared.exceptions().correct(Restarted::All);
            } else {
                let now = self.clock.monotonic_nanos() / 1_000_000;
                let Some(wait) = backoff.on_failure(error.kind(), now) else {
                    self.note(&error, Restarted::Nothing);
                    return Err(error);
                };
                self.note(&error, Restarted::All);
                eprintln!("warning: the job has failed and starts again in {wait:?}: {error}");
                self.wait(wait);
            }
            if self.shared.is_cancelled() {
                return Err(cancellation());
            }
            let again = checkpoints.newest().and_then(|newest| {
                let newest = newest.filter(|newest| newest.checkpoint > self.from.checkpoint);
                let from = newest.as_ref().unwrap_or(&self.from);
                Attempt::start(&self.spec, from, Some(metrics))
            });
            match again {
                Ok(attempt) => return Ok(attempt),
                Err(next) => error = next,
            }
        }
    }

    /// Notes a failure for those who ask later.
    pub(super) fn note(&self, error: &Error, restarted: Restarted) {
        self.shared.exceptions().add(Failure {
            at_ms: self.clock.now().millis(),
            kind: error.kind(),
            message: error.to_string(),
            restarted,
        });
    }

    pub(super) fn wait(&self, wait: Duration) {
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
        if retention == Retention::Retain {
            return Ok(());
        }
        if let Some(claimed) = &self.spec.claimed {
            claimed.delete()?;
        }
        match &self.spec.checkpoints {
            Some(checkpoints) => checkpoints.store.discard_all(),
            None => Ok(()),
        }
    }
}

fn cancellation() -> Error {
    Error::user("the job was cancelled")
}

/// An id that no other job has: of the time and the process.
fn new_id(clock: &SystemClock) -> JobId {
    let seed = format!("{}-{}", clock.now().millis(), std::process::id());
    let address = std::ptr::from_ref(clock) as usize;
    let high = stable_hash_bytes(seed.as_bytes());
    let low = stable_hash_bytes(format!("{seed}-{address}").as_bytes());
    JobId(u128::from(high) << 64 | u128::from(low))
}
