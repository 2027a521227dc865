//! What a running job can be told from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_coordination::failover::ExceptionHistory;
use thalweg_core::error::{Error, Result};
use thalweg_core::id::JobId;

use super::attempt::{Attempt, Handle};
use crate::checkpoint::{ManualRequest, Reply, Requests};

/// How a job is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobStatus {
    /// Its tasks run.
    #[default]
    Running,
    /// It has failed and waits to start again.
    Restarting,
    /// It has ended, or was stopped with a savepoint.
    Finished,
    /// It was cancelled.
    Canceled,
    /// It has failed for good.
    Failed,
}

impl JobStatus {
    /// Its name, as Flink writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Running => "RUNNING",
            JobStatus::Restarting => "RESTARTING",
            JobStatus::Finished => "FINISHED",
            JobStatus::Canceled => "CANCELED",
            JobStatus::Failed => "FAILED",
        }
    }
}

/// What the threads around a job share.
#[derive(Default)]
pub(super) struct Shared {
    cancelled: AtomicBool,
    running: Mutex<Option<Handle>>,
    status: Mutex<JobStatus>,
    exceptions: Mutex<ExceptionHistory>,
    pub(super) requests: Arc<Requests>,
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Option<Handle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn status(&self) -> JobStatus {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_status(&self, status: JobStatus) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// What has failed so far.
    pub(super) fn exceptions(&self) -> MutexGuard<'_, ExceptionHistory> {
        self.exceptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an attempt the one that is cancelled or told something.
    pub(super) fn run(&self, attempt: &Attempt) {
        let handle = attempt.handle();
        let mut running = self.running();
        if self.is_cancelled() {
            handle.cancel();
        }
        self.set_status(JobStatus::Running);
        *running = Some(handle);
    }
}

/// Speaks to a running job from any thread.
#[derive(Clone)]
pub struct JobClient {
    pub(super) id: JobId,
    pub(super) name: Arc<str>,
    pub(super) shared: Arc<Shared>,
    pub(super) supervisor: std::thread::Thread,
}

impl JobClient {
    /// The job's id.
    pub fn job_id(&self) -> JobId {
        self.id
    }

    /// The job's name.
    pub fn job_name(&self) -> &str {
        &self.name
    }

    /// How the job is doing.
    pub fn status(&self) -> JobStatus {
        self.shared.status()
    }

    /// What has failed so far, newest first, and what was started again because of it; how often
    /// something has failed in all.
    pub fn exceptions(&self) -> ExceptionHistory {
        self.shared.exceptions().clone()
    }

    /// Stops the job as it is: what is not committed is lost.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Release);
        if let Some(handle) = self.shared.running().as_ref() {
            handle.cancel();
            handle.poke();
        }
        // It may be waiting to start again.
        self.supervisor.unpark();
    }

    /// Takes a savepoint in a directory of its own inside of `directory`, or of the job's
    /// `execution.checkpointing.savepoint-dir`. Returns its path once it is there; the job goes on.
    ///
    /// # Errors
    /// Why there is none: `User` if no directory is known or the job ends before; `Retryable` if
    /// it cannot be written or takes longer than `execution.checkpointing.timeout`. The job goes on.
    pub fn trigger_savepoint(&self, directory: Option<&str>) -> Result<String> {
        let directory = directory.map(str::to_owned);
        self.ask(ManualRequest::Savepoint { directory })
    }

    /// Takes a savepoint and stops the job: exactly behind it, or with `drain` after everything
    /// that the job would emit at the end of its input. Returns its path once the job has ended.
    ///
    /// # Errors
    /// As [`JobClient::trigger_savepoint`], and if the job fails while it stops.
    pub fn stop_with_savepoint(&self, directory: Option<&str>, drain: bool) -> Result<String> {
        let directory = directory.map(str::to_owned);
        self.ask(ManualRequest::Stop { directory, drain })
    }

    /// Takes a checkpoint, whatever the interval. Returns its path once it is complete.
    ///
    /// # Errors
    /// `User` if the job stores no checkpoints or ends before; else as
    /// [`JobClient::trigger_savepoint`].
    pub fn trigger_checkpoint(&self) -> Result<String> {
        self.ask(ManualRequest::Checkpoint)
    }

    fn ask(&self, request: ManualRequest) -> Result<String> {
        let (sender, answer) = sync_channel(1);
        self.shared.requests.push(request, Reply::new(sender))?;
        if let Some(handle) = self.shared.running().as_ref() {
            handle.poke();
        }
        let gone = |_| Error::internal("the job has gone without an answer");
        answer.recv().map_err(gone)?
    }
}
