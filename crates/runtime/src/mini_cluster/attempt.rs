//! One attempt at a job: its slot threads, and who coordinates its checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use thalweg_coordination::checkpoint::Event;
use thalweg_coordination::failover::Regions;
use thalweg_core::config::{ExecutionConfig, FailoverStrategy};
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::{JobGraph, NodeKind};
use thalweg_core::id::OperatorUid;
use thalweg_core::metrics::OperatorMetrics;

use super::build::{BuildSpec, build, subtasks};
use super::master::{Master, Parkers};
use super::slots::{Part, Slots, instances, regions};
use crate::checkpoint::{
    BarrierListener, CheckpointRequest, Checkpoints, Claimed, ExecutorSpec, Requests, Savepoints,
    SharedListener, StartingPoint, StoringListener,
};
use crate::driver::threads::{EndOfThread, JobControl, Slot, SystemClock, spawn};
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

impl AttemptSpec {
    fn regions(&self) -> Regions {
        let strategy = match &self.checkpoints {
            Some(_) => self.config.failover,
            // Nothing starts again: then regions need no threads of their own.
            None => FailoverStrategy::Full,
        };
        regions(&self.job, strategy)
    }

    fn executor(
        &self,
        request: &Arc<CheckpointRequest>,
        listener: &Arc<StoringListener>,
    ) -> ExecutorSpec {
        ExecutorSpec {
            config: self.config.checkpointing.clone(),
            tasks: instances(&self.job),
            request: request.clone(),
            listener: listener.clone(),
            checkpoints: self.checkpoints.clone(),
            savepoints: self.savepoints.clone(),
            claimed: self.claimed.clone(),
            requests: self.requests.clone(),
        }
    }
}

/// What is needed to stop an attempt, or to tell its coordinator something.
#[derive(Clone)]
pub(super) struct Handle {
    control: Arc<JobControl>,
    parkers: Arc<Parkers>,
    events: SyncSender<Event>,
    ended: SyncSender<usize>,
}

// No region: the supervisor shall look around.
const NO_REGION: usize = usize::MAX;

impl Handle {
    pub(super) fn cancel(&self) {
        self.control.cancel();
        self.parkers.wake();
        // One that has no room has ends of threads to see to, and looks around then.
        let _ = self.ended.try_send(NO_REGION);
    }

    /// Has the coordinator look around. One that has no room for an event looks anyway.
    pub(super) fn poke(&self) {
        drop(self.events.try_send(Event::Time));
    }
}

/// Stops what runs when nobody is left to wait for it, because its supervisor panicked.
struct Stop(Handle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.control.end();
        self.0.parkers.wake();
        self.0.poke();
    }
}

/// The threads of one region.
struct Running {
    control: Arc<JobControl>,
    threads: Vec<JoinHandle<()>>,
    /// How many of them have not ended.
    left: usize,
}

/// A running attempt.
pub(super) struct Attempt {
    pub(super) metrics: Metrics,
    pub(super) regions: Regions,
    /// Those with threads.
    running: BTreeMap<usize, Running>,
    slots: Slots,
    /// Each thread, by its region, as it ends.
    ends: Receiver<usize>,
    master: Option<JoinHandle<u64>>,
    answers: Receiver<bool>,
    listener: Arc<StoringListener>,
    request: Arc<CheckpointRequest>,
    clock: Arc<SystemClock>,
    handle: Handle,
    _stop: Stop,
}

/// A region that has failed, and has no thread any more.
pub(super) struct FailedRegion {
    pub(super) region: usize,
    pub(super) error: Error,
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
        let regions = spec.regions();
        let slots = Slots::by_region(&spec.job, &regions);
        let request = Arc::new(CheckpointRequest::default());
        let hearing = Hearing::new(spec, from.checkpoint);
        // Room for all threads, so that none waits to tell that it has ended.
        let (ended, ends) = sync_channel(slots.count() + 1);
        let handle = Handle {
            control: Arc::default(),
            parkers: Arc::default(),
            events: hearing.sender,
            ended,
        };
        handle.parkers.set(slots.parkers());
        let listener: SharedListener = hearing.listener.clone();
        let built = build(&BuildSpec {
            job: &spec.job,
            config: &spec.config,
            slots: &slots,
            part: Part::All,
            listener: &listener,
            request: &request,
            restore: from.snapshot.as_ref(),
            metrics: metrics.map(Vec::as_slice),
        })?;
        let executor = spec.executor(&request, &hearing.listener);
        let (answerer, answers) = sync_channel(1);
        let clock = Arc::new(SystemClock::default());
        let master = Master {
            parkers: handle.parkers.clone(),
            control: handle.control.clone(),
            answers: answerer,
        };
        let mut attempt = Attempt {
            metrics: built.metrics,
            regions,
            running: BTreeMap::new(),
            slots,
            ends,
            master: None,
            answers,
            listener: hearing.listener,
            request,
            clock: clock.clone(),
            _stop: Stop(handle.clone()),
            handle,
        };
        let spawned = attempt.spawn_all(built.by_slot).and_then(|()| {
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

    fn spawn_all(&mut self, mut by_slot: Vec<Vec<Subtask>>) -> Result<()> {
        (0..self.regions.count()).try_for_each(|region| self.spawn(region, &mut by_slot))
    }

    /// Starts the threads of a region.
    fn spawn(&mut self, region: usize, by_slot: &mut [Vec<Subtask>]) -> Result<()> {
        let own = self.slots.of_tasks(self.regions.tasks(region));
        let parker = |slot: &usize| self.slots.parkers()[*slot].clone();
        let parkers: Vec<Arc<Parker>> = own.iter().map(parker).collect();
        let control = Arc::new(JobControl::part_of(&self.handle.control));
        let running = self.running.entry(region).or_insert(Running {
            control: control.clone(),
            threads: Vec::new(),
            left: 0,
        });
        for (index, parker) in own.into_iter().zip(&parkers) {
            let slot = Slot {
                parker: parker.clone(),
                subtasks: std::mem::take(&mut by_slot[index]),
            };
            let end = EndOfThread {
                part: region,
                ended: self.handle.ended.clone(),
            };
            let (control, clock) = (control.clone(), self.clock.clone());
            // Before it starts: one that cannot be started says that it has ended, too.
            running.left += 1;
            let thread = spawn(index, slot, parkers.clone(), control, clock, end)?;
            running.threads.push(thread);
        }
        Ok(())
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The newest checkpoint that is known to be durable.
    pub(super) fn durable(&self) -> u64 {
        self.listener.durable().unwrap_or(0)
    }

    /// Whether any thread is left.
    pub(super) fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Waits until a region has failed while the others go on. `None` once a region has ended, somebody
    /// cancels the job, or so much time has passed.
    pub(super) fn next_failure(&mut self, wait: Option<Duration>) -> Option<FailedRegion> {
        let region = match wait {
            Some(wait) => self.ends.recv_timeout(wait).ok()?,
            // A sender is kept here.
            None => self.ends.recv().ok()?,
        };
        let running = self.running.get_mut(&region)?;
        running.left -= 1;
        if running.left > 0 {
            return None;
        }
        let error = self.join_region(region)?;
        if self.handle.control.is_stopped() {
            self.handle.control.fail(error);
            return None;
        }
        Some(FailedRegion { region, error })
    }

    /// Waits for the threads of a region; what it has failed with.
    fn join_region(&mut self, region: usize) -> Option<Error> {
        let running = self.running.remove(&region)?;
        for thread in running.threads {
            if thread.join().is_err() {
                let error = Error::internal("a slot thread panicked outside of a task");
                running.control.fail(error);
            }
        }
        running.control.take_error()
    }

    /// Tells the coordinator that a region has failed. Whether it may start again alone: then no
    /// checkpoint starts or is completed before it does.
    pub(super) fn announce(&self, region: usize) -> bool {
        let tasks = self.regions.tasks(region).clone();
        let told = self.handle.events.send(Event::Failed { tasks });
        // A coordinator that has gone gives no answer.
        told.is_ok() && self.answers.recv().unwrap_or(false)
    }

    /// Starts a region again that has failed and was announced.
    ///
    /// # Errors
    /// As [`Attempt::start`]; then the whole attempt is to be stopped.
    pub(super) fn restart(
        &mut self,
        region: usize,
        spec: &AttemptSpec,
        from: &StartingPoint,
    ) -> Result<()> {
        let tasks = self.regions.tasks(region).clone();
        self.slots.renew(&tasks);
        self.handle.parkers.set(self.slots.parkers());
        let listener: SharedListener = self.listener.clone();
        let mut built = build(&BuildSpec {
            job: &spec.job,
            config: &spec.config,
            slots: &self.slots,
            part: Part::Of(&tasks),
            listener: &listener,
            request: &self.request,
            restore: from.snapshot.as_ref(),
            metrics: Some(&self.metrics),
        })?;
        // First, so that the coordinator hears of nothing that the tasks do before.
        let told = self.handle.events.send(Event::Restarted { tasks });
        told.map_err(|_| Error::internal("the checkpoint coordinator has gone"))?;
        self.spawn(region, &mut built.by_slot)
    }

    /// Stops all that still runs: the attempt has failed with an error.
    pub(super) fn fail(&mut self, error: Error) {
        self.handle.control.fail(error);
        self.handle.parkers.wake();
    }

    /// Waits for the end of all threads.
    pub(super) fn join(mut self) -> Ended {
        let control = self.handle.control.clone();
        let regions: Vec<usize> = self.running.keys().copied().collect();
        for region in regions {
            if let Some(error) = self.join_region(region) {
                control.fail(error);
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
