//! A cluster of one process: builds the subtasks of a job and runs them on slot threads.

mod attempt;
mod build;
mod job_client;
mod master;
mod recovery;
mod region_failover;
mod running_job;
mod slots;

use std::sync::Arc;

use thalweg_core::config::ExecutionConfig;
use thalweg_core::element::Barrier;
use thalweg_core::error::Result;
use thalweg_core::graph::{Executor, JobGraph, JobResult};
use thalweg_core::host::ManualClock;

use crate::checkpoint::{BarrierListener, CheckpointRequest, JobSnapshot, SilentListener};
use crate::driver::stepped::SteppedDriver;

pub use build::{BuildSpec, BuiltJob, build, subtasks};
pub use job_client::{JobClient, JobStatus};
pub use running_job::RunningJob;
pub use slots::{Part, Slots, instances, regions, task_names};
pub use thalweg_coordination::failover::{ExceptionHistory, Failure, Restarted};

/// Runs jobs on threads of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct MiniCluster;

impl MiniCluster {
    /// Starts a job and returns at once.
    ///
    /// # Errors
    /// What a factory or a restore fails with, or `Retryable` if the system gives no thread.
    pub fn start(&self, job: &JobGraph, config: &ExecutionConfig) -> Result<RunningJob> {
        RunningJob::start(job, config)
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
        let listener: Arc<dyn BarrierListener> = Arc::new(SilentListener);
        let built = build(&BuildSpec {
            job,
            config,
            slots: &Slots::shared(job),
            part: Part::All,
            listener: &listener,
            request: &Arc::default(),
            restore: None,
            metrics: None,
        })?;
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
        let request = Arc::new(CheckpointRequest::default());
        let built = build(&BuildSpec {
            job,
            config,
            slots: &Slots::shared(job),
            part: Part::All,
            listener: &plan.listener,
            request: &request,
            restore: plan.restore,
            metrics: None,
        })?;
        let subtasks = built.by_slot.into_iter().flatten().collect();
        let mut driver = SteppedDriver::new(subtasks, plan.seed, plan.clock.clone());
        let mut round = 0u64;
        while driver.round()? {
            round += 1;
            if Some(round) == plan.checkpoint_after {
                request.request(Barrier::of_checkpoint(1));
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

impl Executor for MiniCluster {
    fn execute(&self, job: JobGraph, config: &ExecutionConfig) -> Result<JobResult> {
        self.start(&job, config)?.join()
    }
}
