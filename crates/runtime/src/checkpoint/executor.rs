//! Carries out what the coordinator of checkpoints decides: without a thread, a clock or a wait.
//!
//! ```text
//!   events ──▶ executor ──▶ Todo::Wake, Fail     at once, by whoever owns the threads
//!                       └─▶ Todo::Store ──▶ store() ──▶ its event comes back
//! ```
//!
//! Storing is a step of its own because it takes long: its caller says when, and on which thread.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use thalweg_coordination::checkpoint::{CheckpointCoordinator, Decision, Event};
use thalweg_core::config::CheckpointConfig;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::time::ProcessingTime;
use thalweg_state::{CheckpointKind, InstanceState, Metadata, OperatorState, SharedFiles};

use super::{CheckpointRequest, Checkpoints, StoringListener};

/// What the owner of the tasks has to do.
#[derive(Debug)]
pub enum Todo {
    /// Tasks have something new to see: a request, or a durable checkpoint.
    Wake,
    /// Call [`CheckpointExecutor::store`], and hand in the event that it returns.
    Store(u64),
    /// Stop the job: too many checkpoints have failed.
    Fail(Error),
}

/// What an executor is built from.
pub struct ExecutorSpec {
    /// When checkpoints are taken.
    pub config: CheckpointConfig,
    /// How many subtasks there are.
    pub tasks: usize,
    /// Where sources see that a barrier is wanted.
    pub request: Arc<CheckpointRequest>,
    /// Who gathers snapshots.
    pub listener: Arc<StoringListener>,
    /// Where they go.
    pub checkpoints: Checkpoints,
}

/// The checkpoints of one attempt.
pub struct CheckpointExecutor {
    coordinator: CheckpointCoordinator,
    request: Arc<CheckpointRequest>,
    listener: Arc<StoringListener>,
    checkpoints: Checkpoints,
    /// The completed checkpoints that are kept, in the order in which they go: damaged ones that
    /// were passed over, then the others, oldest first.
    completed: VecDeque<u64>,
    shared: SharedFiles,
    /// To be stored, and not aborted meanwhile.
    storing: BTreeSet<u64>,
    /// What the last checkpoint that was not stored failed with.
    failure: Option<Error>,
}

impl CheckpointExecutor {
    /// An executor started at `now` (milliseconds) from checkpoint `restored` (0: from nothing).
    /// Deletes what an earlier attempt has left unfinished.
    ///
    /// # Errors
    /// What the storage fails with.
    pub fn new(spec: ExecutorSpec, restored: u64, now: u64) -> Result<Self> {
        let mut completed = spec.checkpoints.completed()?;
        // A damaged checkpoint that was passed over is newer than the one restored from. Under its
        // number its files would be mixed with new ones, and its retirement would delete them.
        let last = completed
            .back()
            .map_or(restored, |newest| restored.max(*newest));
        // It also goes first, so that it takes the place of no whole one.
        let whole = completed.iter().filter(|c| **c <= restored).count();
        completed.rotate_left(whole);
        let shared = SharedFiles::of(&spec.checkpoints.store, completed.iter().copied())?;
        Ok(CheckpointExecutor {
            coordinator: CheckpointCoordinator::new(spec.config, spec.tasks, last, now),
            request: spec.request,
            listener: spec.listener,
            checkpoints: spec.checkpoints,
            completed,
            shared,
            storing: BTreeSet::new(),
            failure: None,
        })
    }

    /// When to hand in [`Event::Time`] at the latest, in milliseconds.
    pub fn next_time(&self) -> Option<u64> {
        self.coordinator.next_time()
    }

    /// The completed checkpoints that are kept, in the order in which they go.
    pub fn completed(&self) -> impl Iterator<Item = u64> + '_ {
        self.completed.iter().copied()
    }

    /// What follows from an event.
    pub fn on(&mut self, event: &Event, now: u64) -> Vec<Todo> {
        let mut todo = Vec::new();
        for decision in self.coordinator.on(event, now) {
            todo.extend(self.carry_out(&decision));
        }
        todo
    }

    fn carry_out(&mut self, decision: &Decision) -> Option<Todo> {
        match *decision {
            Decision::Trigger { checkpoint } => {
                self.request.request(checkpoint);
                Some(Todo::Wake)
            }
            Decision::Store { checkpoint } => {
                self.storing.insert(checkpoint);
                Some(Todo::Store(checkpoint))
            }
            Decision::Complete { checkpoint } => {
                self.complete(checkpoint);
                Some(Todo::Wake)
            }
            Decision::Abort { checkpoint, .. } => {
                self.storing.remove(&checkpoint);
                self.listener.give_up(checkpoint);
                self.discard(checkpoint);
                None
            }
            Decision::FailJob { failures } => {
                let message = format!("{failures} checkpoints in a row have failed");
                let error = Error::new(ErrorKind::Retryable, message);
                Some(Todo::Fail(match self.failure.take() {
                    Some(cause) => error.with_source(cause),
                    None => error,
                }))
            }
        }
    }

    /// Makes the snapshots of a checkpoint durable. What came of it is to be handed in.
    ///
    /// Writes nothing if a newer checkpoint has made this one superfluous meanwhile.
    pub fn store(&mut self, checkpoint: u64, completed_at: ProcessingTime) -> Event {
        if !self.storing.remove(&checkpoint) {
            return Event::StoringFailed { checkpoint };
        }
        match self.write(checkpoint, completed_at) {
            Ok(()) => Event::Stored { checkpoint },
            Err(error) => {
                let warning = format!("checkpoint {checkpoint} was not stored: {error}");
                (self.checkpoints.warn)(&warning);
                self.failure = Some(error);
                Event::StoringFailed { checkpoint }
            }
        }
    }

    fn write(&mut self, checkpoint: u64, completed_at: ProcessingTime) -> Result<()> {
        let snapshot = self.listener.take(checkpoint);
        let store = &self.checkpoints.store;
        let mut operators = Vec::new();
        let mut shared = BTreeSet::new();
        for (number, (uid, operator)) in snapshot.operators.iter().enumerate() {
            let mut instances = Vec::with_capacity(operator.instances.len());
            for (index, instance) in operator.instances.iter().enumerate() {
                let file = format!("state-{number}-{index}");
                let state = instance.state.encode_beside_store()?;
                for stored in state
                    .stores
                    .iter()
                    .flat_map(|store| &store.checkpoint.files)
                {
                    if stored.shared {
                        self.shared.put(store, stored)?;
                        shared.insert(stored.name.clone());
                    } else {
                        store.put_own(checkpoint, stored)?;
                    }
                }
                instances.push(InstanceState {
                    finished: instance.finished,
                    location: store.write_state(checkpoint, &file, &state)?,
                });
            }
            operators.push(OperatorState {
                uid: uid.clone(),
                name: operator.name.clone(),
                max_parallelism: operator.max_parallelism,
                instances,
            });
        }
        store.complete(&Metadata {
            checkpoint,
            kind: CheckpointKind::Checkpoint,
            completed_at: completed_at.millis(),
            job_name: self.checkpoints.job_name.clone(),
            operators,
            shared: shared.clone(),
        })?;
        self.shared.refer(checkpoint, shared);
        Ok(())
    }

    fn complete(&mut self, checkpoint: u64) {
        let last = self.coordinator.is_last(checkpoint);
        self.listener
            .set_durable(if last { u64::MAX } else { checkpoint });
        self.completed.push_back(checkpoint);
        while self.completed.len() > self.checkpoints.retained {
            if let Some(oldest) = self.completed.pop_front() {
                self.discard(oldest);
            }
        }
        if let Err(error) = self.shared.sweep(&self.checkpoints.store) {
            (self.checkpoints.warn)(&format!("a shared file was not deleted: {error}"));
        }
    }

    /// A checkpoint that cannot be deleted costs room, but is no reason to stop the job.
    fn discard(&mut self, checkpoint: u64) {
        self.shared.forget(checkpoint);
        if let Err(error) = self.checkpoints.store.discard(checkpoint) {
            let warning = format!("checkpoint {checkpoint} was not deleted: {error}");
            (self.checkpoints.warn)(&warning);
        }
    }
}

#[cfg(test)]
mod tests;
