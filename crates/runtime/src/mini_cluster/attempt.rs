//! One attempt at a job: its slot threads, and who coordinates its checkpoints.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use thalweg_coordination::checkpoint::Event;
use thalweg_core::config::ExecutionConfig;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{JobGraph, NodeKind};
use thalweg_core::id::OperatorUid;
use thalweg_core::metrics::OperatorMetrics;

use super::build::{BuildSpec, build, parkers, subtasks};
use super::master::Master;
use crate::checkpoint::{
    CheckpointRequest, Checkpoints, Claimed, ExecutorSpec, Requests, Savepoints, SharedListener,
    StartingPoint, StoringListener,
};
use crate::driver::threads::{JobControl, Slot, SystemClock, spawn};
use crate::exchange::Parker;
use crate::task::Subtask;

/// The counters of every operator's instances.
pub(super) type Metrics = Vec<(String, Vec<OperatorMetrics>)>;

/// What all attempts at a job have in common.
pub(super) struct AttemptSpec {
    pub(super) job: JobGraph,
    pub(super) config: ExecutionConfig,
    pub(super) checkpoints: Option<Checkpoints>,
    pub(super) savepoints: Savepoints,
    pub(super) claimed: Option<Arc<Claimed>>,
    pub(super) requests: Arc<Requests>,
}

/// What is needed to stop an attempt, or to tell its coordinator something.
#[derive(Clone)]
pub(super) struct Handle {
    control: Arc<JobControl>,
    parkers: Vec<Arc<Parker>>,
    events: SyncSender<Event>,
}

impl Handle {
    pub(super) fn cancel(&self) {
        self.control.cancel();
        self.parkers.iter().for_each(|parker| parker.wake());
    }

    /// Has the coordinator look around. One that has no room for an event looks anyway.
    pub(super) fn poke(&self) {
        drop(self.events.try_send(Event::Time));
    }
}

/// A running attempt.
pub(super) struct Attempt {
    pub(super) metrics: Metrics,
    threads: Vec<JoinHandle<()>>,
    master: Option<JoinHandle<u64>>,
    handle: Handle,
}

/// How an attempt has ended.
pub(super) struct Ended {
    pub(super) error: Option<Error>,
    pub(super) cancelled: bool,
    /// Checkpoints whose barriers passed all tasks.
    pub(super) checkpoints: u64,
}

/// Who hears of barriers, and what comes of it.
struct Hearing {
    listener: Arc<StoringListener>,
    sender: SyncSender<Event>,
    events: Receiver<Event>,
}

impl Hearing {
    fn new(spec: &AttemptSpec, restored: u64) -> Self {
        // Each task reports each checkpoint under way once, and its end.
        let under_way = spec.config.checkpointing.max_concurrent + 2;
        let (sender, events) = sync_channel(subtasks(&spec.job) * under_way + 16);
        let listener = if spec.checkpoints.is_some() {
            StoringListener::new(sender.clone(), restored)
        } else {
            StoringListener::of_savepoints(sender.clone(), restored, ends(&spec.job))
        };
        Hearing {
            listener: Arc::new(listener),
            sender,
            events,
        }
    }
}

/// The sources and sinks of a job.
fn ends(job: &JobGraph) -> BTreeSet<OperatorUid> {
    let operators = job.vertices.iter().flat_map(|vertex| &vertex.operators);
    let ends = operators.filter(|o| matches!(o.kind, NodeKind::Source(_) | NodeKind::Sink(_)));
    ends.map(|operator| operator.uid.clone()).collect()
}

impl Attempt {
    /// Builds the subtasks and starts their threads.
    pub(super) fn start(
        spec: &AttemptSpec,
        from: &StartingPoint,
        metrics: Option<&Metrics>,
    ) -> Result<Self> {
        let parkers = parkers(&spec.job);
        let request = Arc::new(CheckpointRequest::default());
        let control = Arc::new(JobControl::default());
        let hearing = Hearing::new(spec, from.checkpoint);
        let handle = Handle {
            control: control.clone(),
            parkers: parkers.clone(),
            events: hearing.sender.clone(),
        };
        let listener: SharedListener = hearing.listener.clone();
        let built = build(&BuildSpec {
            job: &spec.job,
            config: &spec.config,
            parkers: &parkers,
            listener: &listener,
            request: &request,
            restore: from.snapshot.as_ref(),
            metrics: metrics.map(Vec::as_slice),
        })?;
        let executor = ExecutorSpec {
            config: spec.config.checkpointing.clone(),
            tasks: subtasks(&spec.job),
            request,
            listener: hearing.listener,
            checkpoints: spec.checkpoints.clone(),
            savepoints: spec.savepoints.clone(),
            claimed: spec.claimed.clone(),
            requests: spec.requests.clone(),
        };
        let mut attempt = Attempt {
            metrics: built.metrics,
            threads: Vec::new(),
            master: None,
            handle,
        };
        let clock = Arc::new(SystemClock::default());
        let master = Master { parkers, control };
        let spawned = attempt.spawn_slots(built.by_slot, &clock).and_then(|()| {
            let master = master.spawn(hearing.events, executor, from.checkpoint, clock)?;
            attempt.master = Some(master);
            Ok(())
        });
        match spawned {
            Ok(()) => Ok(attempt),
            Err(error) => {
                // Threads that nobody waits for would go on writing beside the next attempt.
                attempt.handle.cancel();
                attempt.join();
                Err(error)
            }
        }
    }

    fn spawn_slots(&mut self, by_slot: Vec<Vec<Subtask>>, clock: &Arc<SystemClock>) -> Result<()> {
        let Handle {
            control, parkers, ..
        } = &self.handle;
        for (index, subtasks) in by_slot.into_iter().enumerate() {
            let slot = Slot {
                parker: parkers[index].clone(),
                subtasks,
            };
            let thread = spawn(index, slot, parkers.clone(), control.clone(), clock.clone())?;
            self.threads.push(thread);
        }
        Ok(())
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits for the end of all threads.
    pub(super) fn join(self) -> Ended {
        let control = &self.handle.control;
        for thread in self.threads {
            if thread.join().is_err() {
                control.fail(Error::internal("a slot thread panicked outside of a task"));
            }
        }
        let cancelled = control.is_cancelled();
        let mut error = control.take_error();
        // The master ends when the job does.
        control.end();
        self.handle.poke();
        let mut checkpoints = 0;
        match self.master.map(JoinHandle::join) {
            Some(Ok(passed)) => checkpoints = passed,
            Some(Err(_)) if error.is_none() => {
                error = Some(Error::internal("the checkpoint coordinator panicked"));
            }
            Some(Err(_)) | None => {}
        }
        Ended {
            error,
            cancelled,
            checkpoints,
        }
    }
}

#[cfg(test)]
mod tests;
