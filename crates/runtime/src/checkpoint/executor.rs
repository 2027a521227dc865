//! Carries out what the coordinator of checkpoints decides: without a thread, a clock or a wait.
//!
//! ```text
//!   events ──▶ executor ──▶ Todo::Wake, Fail     at once, by whoever owns the threads
//!                       └─▶ Todo::Store ──▶ store() ──▶ its event comes back
//! ```
//!
//! Storing is a step of its own because it takes long: its caller says when, and on which thread.

mod manual;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use thalweg_coordination::checkpoint::{Abort, CheckpointCoordinator, Decision, Event, Purpose};
use thalweg_core::config::CheckpointConfig;
use thalweg_core::element::{Barrier, BarrierKind};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::time::ProcessingTime;
use thalweg_state::{CheckpointKind, InstanceState, Metadata, OperatorState, SharedFiles};

use self::manual::{Completed, Manual};
use super::{
    CheckpointRequest, Checkpoints, Claimed, Requests, Savepoints, StoringListener,
    to_standard_error,
};

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
    /// Where they go; `None` if only savepoints are stored.
    pub checkpoints: Option<Checkpoints>,
    /// Where savepoints go.
    pub savepoints: Savepoints,
    /// What the job has started from and owns.
    pub claimed: Option<Arc<Claimed>>,
    /// What users ask for.
    pub requests: Arc<Requests>,
}

/// The checkpoints of one attempt.
pub struct CheckpointExecutor {
    coordinator: CheckpointCoordinator,
    request: Arc<CheckpointRequest>,
    listener: Arc<StoringListener>,
    checkpoints: Option<Checkpoints>,
    claimed: Option<Arc<Claimed>>,
    manual: Manual,
    /// The completed checkpoints that are kept, in the order in which they go: damaged ones that
    /// were passed over, then the others, oldest first.
    completed: VecDeque<u64>,
    shared: SharedFiles,
    /// How many barriers have passed all tasks.
    passed: u64,
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
    pub fn new(mut spec: ExecutorSpec, restored: u64, now: u64) -> Result<Self> {
        let mut completed = match &spec.checkpoints {
            Some(checkpoints) => checkpoints.completed()?,
            None => VecDeque::new(),
        };
        // A damaged checkpoint that was passed over is newer than the one restored from. Under its
        // number its files would be mixed with new ones, and its retirement would delete them.
        let last = completed
            .back()
            .map_or(restored, |newest| restored.max(*newest));
        // It also goes first, so that it takes the place of no whole one.
        let whole = completed.iter().filter(|c| **c <= restored).count();
        completed.rotate_left(whole);
        if spec.checkpoints.is_none() {
            // Barriers of which nothing is stored harm nobody when they are late.
            spec.config.tolerable_failures = u32::MAX;
        }
        let shared = match &spec.checkpoints {
            Some(checkpoints) => SharedFiles::of(&checkpoints.store, completed.iter().copied())?,
            None => SharedFiles::default(),
        };
        Ok(CheckpointExecutor {
            coordinator: CheckpointCoordinator::new(spec.config, spec.tasks, last, now),
            request: spec.request,
            listener: spec.listener,
            checkpoints: spec.checkpoints,
            claimed: spec.claimed,
            manual: Manual::new(spec.savepoints, spec.requests),
            completed,
            shared,
            passed: 0,
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

    /// How many periodic or manual checkpoints have passed all tasks, stored or not.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Starts on the requests of users; `wall` is the time of day.
    pub fn take_requests(&mut self, now: u64, wall: ProcessingTime) -> Vec<Todo> {
        let mut todo = Vec::new();
        let stores = self.checkpoints.is_some();
        while let Some(event) = self.manual.next(stores, wall) {
            todo.extend(self.on(&event, now));
        }
        todo
    }

    /// Whether a user waits for something.
    pub fn is_asked(&self) -> bool {
        self.manual.is_asked()
    }

    /// The attempt is over: what is not done comes to nothing.
    pub fn abandon(&mut self) {
        for error in self.manual.abandon() {
            self.warn(&error);
        }
    }

    fn warn(&self, warning: impl std::fmt::Display) {
        let warn = self
            .checkpoints
            .as_ref()
            .map(|checkpoints| checkpoints.warn);
        warn.unwrap_or(to_standard_error)(&warning.to_string());
    }

    fn carry_out(&mut self, decision: &Decision) -> Option<Todo> {
        match *decision {
            Decision::Trigger {
                checkpoint,
                purpose,
                request,
            } => {
                if let Some(request) = request {
                    self.manual.start(request, checkpoint, purpose);
                }
                if purpose.is_savepoint() {
                    self.listener.want(checkpoint);
                }
                self.request.request(Barrier {
                    checkpoint,
                    kind: kind(purpose),
                    // Sources say that.
                    overtakes_from: None,
                });
                Some(Todo::Wake)
            }
            Decision::Drain { request } => {
                self.manual.drain(request);
                self.listener.drain();
                self.request.drain();
                Some(Todo::Wake)
            }
            Decision::Refuse { request } => {
                self.manual.refuse(request);
                None
            }
            Decision::Store { checkpoint } => {
                if self.coordinator.is_last(checkpoint) {
                    self.manual.start_last(checkpoint);
                }
                self.storing.insert(checkpoint);
                Some(Todo::Store(checkpoint))
            }
            Decision::Complete { checkpoint } => {
                self.complete(checkpoint);
                Some(Todo::Wake)
            }
            Decision::Abort { checkpoint, reason } => {
                self.storing.remove(&checkpoint);
                self.listener.give_up(checkpoint);
                self.abort(checkpoint, reason)
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
                let error = match self.manual.fail(checkpoint, error) {
                    Some(error) => error,
                    // Its user hears of it.
                    None => return Event::StoringFailed { checkpoint },
                };
                self.warn(format_args!(
                    "checkpoint {checkpoint} was not stored: {error}"
                ));
                self.failure = Some(error);
                Event::StoringFailed { checkpoint }
            }
        }
    }

    fn write(&mut self, checkpoint: u64, completed_at: ProcessingTime) -> Result<()> {
        let savepoint = self.manual.savepoint(checkpoint);
        let (store, kind) = match (savepoint, &self.checkpoints) {
            (Some(store), _) => (store.clone(), CheckpointKind::Savepoint),
            (None, Some(checkpoints)) => (checkpoints.store.clone(), CheckpointKind::Checkpoint),
            (None, None) => return Ok(()),
        };
        let snapshot = self.listener.take(checkpoint);
        let mut operators = Vec::new();
        let mut shared = BTreeSet::new();
        for (number, (uid, operator)) in snapshot.operators.iter().enumerate() {
            let mut instances = Vec::with_capacity(operator.instances.len());
            for (index, instance) in operator.instances.iter().enumerate() {
                let file = format!("state-{number}-{index}");
                // A savepoint can be moved, and read by any backend.
                let state = match kind {
                    CheckpointKind::Savepoint => instance.state.encode()?,
                    CheckpointKind::Checkpoint => instance.state.encode_beside_store()?,
                };
                let files = state.stores.iter().flat_map(|of| &of.checkpoint.files);
                for stored in files {
                    if stored.shared {
                        self.shared.put(&store, stored)?;
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
            kind,
            completed_at: completed_at.millis(),
            job_name: self.manual.job_name().to_owned(),
            operators,
            shared: shared.clone(),
        })?;
        if kind == CheckpointKind::Checkpoint {
            self.shared.refer(checkpoint, shared);
        }
        Ok(())
    }

    fn complete(&mut self, checkpoint: u64) {
        match self.manual.complete(checkpoint) {
            // It commits nothing: a failure goes back to the last checkpoint, not to it.
            Completed::Savepoint => return,
            Completed::Stop => return self.listener.set_durable(u64::MAX),
            Completed::Checkpoint => {}
        }
        let last = self.coordinator.is_last(checkpoint);
        self.passed += u64::from(!last);
        let place = self.checkpoints.as_ref().map(|c| c.store.place(checkpoint));
        if place.is_some() || last {
            self.listener
                .set_durable(if last { u64::MAX } else { checkpoint });
        }
        let Some(place) = place else {
            return;
        };
        self.completed.push_back(checkpoint);
        self.retire();
        self.manual.answer(checkpoint, place);
    }

    /// Deletes what is no longer kept.
    fn retire(&mut self) {
        let retained = self.checkpoints.as_ref().map_or(1, |c| c.retained);
        let claimed = self.claimed.clone().filter(|claimed| !claimed.is_gone());
        if let Some(claimed) = &claimed
            && self.completed.len() >= retained
            && let Err(error) = claimed.delete()
        {
            self.warn(&error);
        }
        while self.completed.len() > retained {
            if let Some(oldest) = self.completed.pop_front() {
                self.discard(oldest);
            }
        }
        if let Some(checkpoints) = &self.checkpoints
            && let Err(error) = self.shared.sweep(&checkpoints.store)
        {
            self.warn(format_args!("a shared file was not deleted: {error}"));
        }
    }

    fn abort(&mut self, checkpoint: u64, reason: Abort) -> Option<Todo> {
        let Some(aborted) = self.manual.abort(checkpoint, reason) else {
            self.discard(checkpoint);
            return None;
        };
        if let Err(error) = aborted.discarded {
            self.warn(&error);
        }
        if aborted.purpose == Purpose::Checkpoint {
            self.discard(checkpoint);
        }
        if !aborted.purpose.stops() {
            return None;
        }
        self.request.resume(checkpoint);
        Some(Todo::Wake)
    }

    /// A checkpoint that cannot be deleted costs room, but is no reason to stop the job.
    fn discard(&mut self, checkpoint: u64) {
        self.shared.forget(checkpoint);
        let Some(checkpoints) = &self.checkpoints else {
            return;
        };
        if let Err(error) = checkpoints.store.discard(checkpoint) {
            self.warn(format_args!(
                "checkpoint {checkpoint} was not deleted: {error}"
            ));
        }
    }
}

fn kind(purpose: Purpose) -> BarrierKind {
    match purpose {
        Purpose::Checkpoint => BarrierKind::Checkpoint,
        Purpose::Savepoint => BarrierKind::Savepoint,
        // A drained job has no barrier: its sources end.
        Purpose::Suspend | Purpose::Drain => BarrierKind::Suspend,
    }
}

#[cfg(test)]
mod tests;
