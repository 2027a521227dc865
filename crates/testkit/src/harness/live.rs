//! A job that runs on the calling thread until it comes to rest.

use std::sync::Arc;

use thalweg_core::config::ExecutionConfig;
use thalweg_core::element::Barrier;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::JobGraph;
use thalweg_core::host::{Clock, ManualClock};
use thalweg_runtime::checkpoint::{CheckpointRequest, JobSnapshot, MemoryListener, SharedListener};
use thalweg_runtime::mini_cluster::{BuildSpec, Part, Slots, build};
use thalweg_runtime::task::{Step, Subtask};

// A job that still moves after so many rounds moves for ever.
const ROUNDS_MAX: usize = 1_000_000;

/// The subtasks of a running job.
pub(super) struct Live {
    subtasks: Vec<Subtask>,
    all: usize,
    clock: Arc<ManualClock>,
    listener: Arc<MemoryListener>,
    request: Arc<CheckpointRequest>,
}

impl Live {
    pub(super) fn start(
        job: &JobGraph,
        config: &ExecutionConfig,
        clock: &Arc<ManualClock>,
        restore: Option<&JobSnapshot>,
    ) -> Result<Self> {
        let listener = Arc::new(MemoryListener::default());
        let shared: SharedListener = listener.clone();
        let request = Arc::new(CheckpointRequest::default());
        let built = build(&BuildSpec {
            job,
            config,
            slots: &Slots::shared(job),
            part: Part::All,
            listener: &shared,
            request: &request,
            restore,
            metrics: None,
        })?;
        let subtasks: Vec<Subtask> = built.by_slot.into_iter().flatten().collect();
        Ok(Live {
            all: subtasks.len(),
            subtasks,
            clock: clock.clone(),
            listener,
            request,
        })
    }

    /// Steps until nothing moves; the clock stands.
    pub(super) fn settle(&mut self) -> Result<()> {
        let now = self.clock.now();
        for _ in 0..ROUNDS_MAX {
            let mut moved = false;
            let mut index = 0;
            while index < self.subtasks.len() {
                match self.subtasks[index].step(now)? {
                    Step::Idle { .. } => index += 1,
                    Step::Worked => {
                        moved = true;
                        index += 1;
                    }
                    Step::Finished => {
                        moved = true;
                        self.subtasks.remove(index);
                    }
                }
            }
            if !moved {
                return Ok(());
            }
        }
        Err(Error::internal("the job does not come to rest"))
    }

    pub(super) fn is_finished(&self) -> bool {
        self.subtasks.is_empty()
    }

    /// Sends a barrier through the job and returns the snapshots it left behind.
    pub(super) fn snapshot(mut self) -> Result<JobSnapshot> {
        self.request.request(Barrier::of_checkpoint(1));
        self.settle()?;
        if self.listener.passed(1) != self.all {
            return Err(Error::internal("a barrier did not pass all subtasks"));
        }
        self.listener
            .take(1)
            .ok_or_else(|| Error::internal("a barrier left no snapshot"))
    }
}
