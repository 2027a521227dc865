//! Carries out what the coordinator of checkpoints decides: without a thread, a clock or a wait.
//!
//! ```text
//!   events ──▶ executor ──▶ Todo::Wake, Fail     at once, by whoever owns the threads
//!                       └─▶ Todo::Store ──▶ store() ──▶ its event comes back
//! ```
//!
//! Storing is a step of its own because it takes long: its caller says when, and on which thread.

mod layers;
mod manual;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use thalweg_coordination::checkpoint::{Abort, CheckpointCoordinator, Decision, Event, Purpose};
use thalweg_core::config::CheckpointConfig;
use thalweg_core::element::{Barrier, BarrierKind};
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::id::OperatorUid;
use thalweg_core::state::FrozenState;
use thalweg_core::time::ProcessingTime;
use thalweg_state::{
    CheckpointKind, CheckpointStore, InstanceState, Metadata, OperatorState, SharedFiles,
};

use self::layers::{Layers, Whose};
use self::manual::{Completed, Manual};
use super::{
    CheckpointRequest, Checkpoints, Claimed, InstanceSnapshot, Requests, Savepoints,
    StoringListener, to_standard_error,
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
    /// The operator instances of each task.
    pub tasks: Vec<Vec<(OperatorUid, u32)>>,
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

/// A checkpoint that is being stored.
struct Target<'a> {
    store: &'a CheckpointStore,
    kind: CheckpointKind,
    checkpoint: u64,
    completed_at: ProcessingTime,
}

/// The checkpoints of one attempt.
pub struct CheckpointExecutor {
    coordinator: CheckpointCoordinator,
    tasks: Vec<Vec<(OperatorUid, u32)>>,
    request: Arc<CheckpointRequest>,
    listener: Arc<StoringListener>,
    checkpoints: Option<Checkpoints>,
    claimed: Option<Arc<Claimed>>,
    manual: Manual,
    /// The completed checkpoints that are kept, in the order in which they go: damaged ones that
    /// were passed over, then the others, oldest first.
    completed: VecDeque<u64>,
    shared: SharedFiles,
    layers: Layers,
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
        let mut executor = CheckpointExecutor {
            coordinator: CheckpointCoordinator::new(spec.config, spec.tasks.len(), last, now),
            tasks: spec.tasks,
            request: spec.request,
            listener: spec.listener,
            checkpoints: spec.checkpoints,
            claimed: spec.claimed,
            manual: Manual::new(spec.savepoints, spec.requests),
            completed,
            shared,
            layers: Layers::default(),
            passed: 0,
            storing: BTreeSet::new(),
            failure: None,
        };
        executor.sweep();
        Ok(executor)
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
        if let Event::Failed { tasks } = event {
            let lost = tasks.iter().filter_map(|task| self.tasks.get(*task));
            let lost: BTreeSet<_> = lost.flatten().cloned().collect();
            self.listener.forget(&lost);
            self.layers.forget(&lost);
        }
        let mut todo = Vec::new();
        for decision in self.coordinator.on(event, now) {
            todo.extend(self.carry_out(&decision));
        }
        todo
    }

    /// Whether a failure can be left to some of the tasks: then [`Event::Failed`] names them, and
    /// [`Event::Restarted`] follows. If not, the attempt is over.
    pub fn may_fail_in_part(&self) -> bool {
        self.coordinator.may_fail_in_part()
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
        self.layers.begin();
        let target = Target {
            store: &store,
            kind,
            checkpoint,
            completed_at,
        };
        let mut operators = Vec::new();
        let mut shared = BTreeSet::new();
        for (number, (uid, operator)) in snapshot.operators.iter().enumerate() {
            let mut instances = Vec::with_capacity(operator.instances.len());
            for (index, instance) in operator.instances.iter().enumerate() {
                let whose = (uid.clone(), index as u32);
                let place = format!("{number}-{index}");
                instances.push(self.write_instance(
                    &target,
                    (whose, &place),
                    instance,
                    &mut shared,
                )?);
            }
            operators.push(OperatorState {
                uid: uid.clone(),
                name: operator.name.clone(),
                max_parallelism: operator.max_parallelism,
                instances,
            });
        }
        if kind == CheckpointKind::Checkpoint {
            // A write of metadata that is reported as failed may have happened: it counts as well.
            self.shared.refer(checkpoint, shared.clone());
        }
        store.complete(&Metadata {
            checkpoint,
            kind,
            completed_at: completed_at.millis(),
            job_name: self.manual.job_name().to_owned(),
            operators,
            shared,
        })?;
        if kind == CheckpointKind::Checkpoint {
            self.layers.commit();
        }
        Ok(())
    }

    /// Writes the state of an instance; `place` tells its files from those of the others. The names
    /// of shared files are added to `shared`.
    fn write_instance(
        &mut self,
        target: &Target<'_>,
        (whose, place): (Whose, &str),
        instance: &InstanceSnapshot<FrozenState>,
        shared: &mut BTreeSet<String>,
    ) -> Result<InstanceState> {
        let Target {
            store, checkpoint, ..
        } = *target;
        let state = &instance.state;
        let (written, layers) = match target.kind {
            // A savepoint can be moved, and read by any backend.
            CheckpointKind::Savepoint => (state.whole(), Vec::new()),
            CheckpointKind::Checkpoint => {
                // Another attempt may have used the number, but not at this time.
                let time = target.completed_at.millis();
                let name = format!("layer-{checkpoint}-{place}-{time:x}");
                let files = (store, &mut self.shared);
                match self.layers.store(whose, state, &name, files)? {
                    Some(layers) => (state.beside_layers(), layers),
                    None => (state.beside_store(), Vec::new()),
                }
            }
        };
        shared.extend(layers.iter().map(|layer| layer.name.clone()));
        for stored in written.stores.iter().flat_map(|of| &of.checkpoint.files) {
            if stored.shared {
                self.shared.put(store, stored)?;
                shared.insert(stored.name.clone());
            } else {
                store.put_own(checkpoint, stored)?;
            }
        }
        Ok(InstanceState {
            finished: instance.finished,
            location: store.write_state(checkpoint, &format!("state-{place}"), &written)?,
            layers,
        })
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
        self.sweep();
    }

    /// Deletes the shared files that nothing refers to.
    fn sweep(&mut self) {
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

    /// A checkpoint that cannot be deleted costs room, but is no reason to stop the job. It keeps
    /// the shared files that it refers to: it may be whole.
    fn discard(&mut self, checkpoint: u64) {
        let discarded = match &self.checkpoints {
            Some(checkpoints) => checkpoints.store.discard(checkpoint),
            None => Ok(()),
        };
        match discarded {
            Ok(()) => self.shared.forget(checkpoint),
            Err(error) => self.warn(format_args!(
                "checkpoint {checkpoint} was not deleted: {error}"
            )),
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
