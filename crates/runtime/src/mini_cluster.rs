//! A cluster of one process: builds the subtasks of a job and runs them on slot threads.

mod build;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thalweg_core::config::ExecutionConfig;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::graph::{Executor, JobGraph, JobResult};
use thalweg_core::host::{Clock, ManualClock};
use thalweg_core::metrics::OperatorMetrics;

use crate::checkpoint::{BarrierListener, CheckpointRequest, CountingListener, JobSnapshot};
use crate::driver::stepped::SteppedDriver;
use crate::driver::threads::{JobControl, Slot, SystemClock, spawn};
use crate::exchange::Parker;

pub use build::{BuiltJob, build};

/// Runs jobs on threads of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct MiniCluster;

/// A job that runs.
pub struct RunningJob {
    threads: Vec<JoinHandle<()>>,
    parkers: Vec<Arc<Parker>>,
    control: Arc<JobControl>,
    metrics: Vec<(String, Vec<OperatorMetrics>)>,
    request: Arc<CheckpointRequest>,
    listener: Arc<CountingListener>,
    ticker: Option<JoinHandle<()>>,
}

/// Stops a running job from another thread.
#[derive(Clone)]
pub struct Canceller {
    control: Arc<JobControl>,
    parkers: Vec<Arc<Parker>>,
}

impl Canceller {
    /// Stops the job.
    pub fn cancel(&self) {
        self.control.cancel();
        self.parkers.iter().for_each(|parker| parker.wake());
    }
}

impl MiniCluster {
    /// Starts a job and returns at once.
    ///
    /// # Errors
    /// What a factory fails with, or `Retryable` if the system gives no thread.
    pub fn start(&self, job: &JobGraph, config: &ExecutionConfig) -> Result<RunningJob> {
        let slots = job
            .vertices
            .iter()
            .map(|vertex| vertex.parallelism)
            .max()
            .unwrap_or(1);
        let parkers: Vec<Arc<Parker>> = (0..slots).map(|_| Arc::new(Parker::default())).collect();
        let subtasks: usize = job
            .vertices
            .iter()
            .map(|vertex| vertex.parallelism as usize)
            .sum();
        let listener = Arc::new(CountingListener::new(subtasks));
        let request = Arc::new(CheckpointRequest::default());
        let shared: Arc<dyn BarrierListener> = listener.clone();
        let built = build(job, config, &parkers, &shared, &request, None)?;
        let control = Arc::new(JobControl::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let mut threads = Vec::new();
        for (index, subtasks) in built.by_slot.into_iter().enumerate() {
            let slot = Slot {
                parker: parkers[index].clone(),
                subtasks,
            };
            let all = parkers.clone();
            threads.push(spawn(index, slot, all, control.clone(), clock.clone())?);
        }
        let ticker = config
            .checkpoint_interval
            .map(|interval| tick(interval, request.clone(), parkers.clone(), control.clone()))
            .transpose()?;
        Ok(RunningJob {
            threads,
            parkers,
            control,
            metrics: built.metrics,
            request,
            listener,
            ticker,
        })
    }

    /// Runs a job on the calling thread, in an order drawn from `seed`.
    ///
    /// # Errors
    /// The first error of any task.
    pub fn run_stepped(
        &self,
        job: &JobGraph,
        config: &ExecutionConfig,
        seed: u64,
        clock: Arc<ManualClock>,
    ) -> Result<JobResult> {
        let slots = job
            .vertices
            .iter()
            .map(|vertex| vertex.parallelism)
            .max()
            .unwrap_or(1);
        let parkers: Vec<Arc<Parker>> = (0..slots).map(|_| Arc::new(Parker::default())).collect();
        let listener: Arc<dyn BarrierListener> = Arc::new(CountingListener::new(0));
        let request = Arc::new(CheckpointRequest::default());
        let built = build(job, config, &parkers, &listener, &request, None)?;
        let subtasks = built.by_slot.into_iter().flatten().collect();
        SteppedDriver::new(subtasks, seed, clock).run()?;
        Ok(JobResult {
            operators: built.metrics,
            checkpoints: 0,
        })
    }

    /// Runs a job on the calling thread with a listener and an initial state, asking for a
    /// checkpoint after `rounds` rounds: what tests of interruption need. With `stop` the job is
    /// abandoned `rounds` more rounds after the request.
    ///
    /// # Errors
    /// The first error of any task.
    pub fn run_interrupted(
        &self,
        job: &JobGraph,
        config: &ExecutionConfig,
        plan: &Interruption<'_>,
    ) -> Result<bool> {
        let slots = job
            .vertices
            .iter()
            .map(|vertex| vertex.parallelism)
            .max()
            .unwrap_or(1);
        let parkers: Vec<Arc<Parker>> = (0..slots).map(|_| Arc::new(Parker::default())).collect();
        let request = Arc::new(CheckpointRequest::default());
        let built = build(
            job,
            config,
            &parkers,
            &plan.listener,
            &request,
            plan.restore,
        )?;
        let subtasks = built.by_slot.into_iter().flatten().collect();
        let mut driver = SteppedDriver::new(subtasks, plan.seed, plan.clock.clone());
        let mut round = 0u64;
        while driver.round()? {
            round += 1;
            if Some(round) == plan.checkpoint_after {
                request.request(1);
            }
            if plan.abandon_when.is_some_and(|done| done()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// How [`MiniCluster::run_interrupted`] goes about it.
pub struct Interruption<'a> {
    /// Order of steps.
    pub seed: u64,
    /// Time.
    pub clock: Arc<ManualClock>,
    /// Who keeps the snapshots.
    pub listener: Arc<dyn BarrierListener>,
    /// Where to start from.
    pub restore: Option<&'a JobSnapshot>,
    /// After how many rounds to ask for checkpoint 1.
    pub checkpoint_after: Option<u64>,
    /// Asked after every round; true abandons the job.
    pub abandon_when: Option<&'a dyn Fn() -> bool>,
}

#[allow(clippy::disallowed_methods)] // A shell: barriers are asked for by the machine's clock.
fn tick(
    interval: Duration,
    request: Arc<CheckpointRequest>,
    parkers: Vec<Arc<Parker>>,
    control: Arc<JobControl>,
) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("checkpoint-ticker".to_owned());
    Ok(thread.spawn(move || {
        let mut checkpoint = 0;
        loop {
            std::thread::park_timeout(interval);
            if control.is_stopped() {
                return;
            }
            checkpoint += 1;
            request.request(checkpoint);
            parkers.iter().for_each(|parker| parker.wake());
        }
    })?)
}

impl RunningJob {
    /// The counters of every operator, live.
    pub fn metrics(&self) -> &[(String, Vec<OperatorMetrics>)] {
        &self.metrics
    }

    /// Whether every slot thread has ended.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// What stops this job from elsewhere.
    pub fn canceller(&self) -> Canceller {
        Canceller {
            control: self.control.clone(),
            parkers: self.parkers.clone(),
        }
    }

    /// Asks the sources for a barrier.
    pub fn request_checkpoint(&self, checkpoint: u64) {
        self.request.request(checkpoint);
        self.parkers.iter().for_each(|parker| parker.wake());
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The first error of any task; `User` if the job was cancelled.
    pub fn join(self) -> Result<JobResult> {
        for thread in self.threads {
            if thread.join().is_err() {
                self.control
                    .fail(Error::internal("a slot thread panicked outside of a task"));
            }
        }
        let cancelled = self.control.is_cancelled();
        let error = self.control.take_error();
        // The ticker ends when the job does.
        self.control.cancel();
        if let Some(ticker) = self.ticker {
            ticker.thread().unpark();
            if ticker.join().is_err() {
                return Err(Error::internal("the checkpoint ticker panicked"));
            }
        }
        if let Some(error) = error {
            return Err(error);
        }
        if cancelled {
            return Err(Error::new(ErrorKind::User, "the job was cancelled"));
        }
        Ok(JobResult {
            operators: self.metrics,
            checkpoints: self.listener.complete(),
        })
    }
}

impl Executor for MiniCluster {
    fn execute(&self, job: JobGraph, config: &ExecutionConfig) -> Result<JobResult> {
        self.start(&job, config)?.join()
    }
}
