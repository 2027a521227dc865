//! One attempt at a job: its slot threads, and who coordinates its checkpoints.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use thalweg_coordination::checkpoint::Event;
use thalweg_core::config::ExecutionConfig;
use thalweg_core::error::{Error, Result};
use thalweg_core::graph::JobGraph;
use thalweg_core::metrics::OperatorMetrics;

use super::build::{BuildSpec, build, parkers, subtasks};
use super::master::Master;
use crate::checkpoint::{
    CheckpointRequest, Checkpoints, CountingListener, SharedListener, StartingPoint,
    StoringListener,
};
use crate::driver::threads::{JobControl, Slot, SystemClock, spawn};
use crate::exchange::Parker;
use crate::task::Subtask;

/// The counters of every operator's instances.
pub(super) type Metrics = Vec<(String, Vec<OperatorMetrics>)>;

/// What is needed to stop an attempt.
#[derive(Clone)]
pub(super) struct Handle {
    control: Arc<JobControl>,
    parkers: Vec<Arc<Parker>>,
}

impl Handle {
    pub(super) fn cancel(&self) {
        self.control.cancel();
        self.parkers.iter().for_each(|parker| parker.wake());
    }
}

/// A running attempt.
pub(super) struct Attempt {
    pub(super) metrics: Metrics,
    threads: Vec<JoinHandle<()>>,
    master: Option<JoinHandle<()>>,
    handle: Handle,
    counted: Option<Arc<CountingListener>>,
}

/// How an attempt has ended.
pub(super) struct Ended {
    pub(super) error: Option<Error>,
    pub(super) cancelled: bool,
    /// Checkpoints whose barriers passed all tasks, where nothing stores them.
    pub(super) counted: u64,
}

/// Who hears of barriers, and what comes of it.
enum Hearing {
    Storing(Arc<StoringListener>, Receiver<Event>),
    Counting(Arc<CountingListener>),
}

impl Hearing {
    fn new(tasks: usize, config: &ExecutionConfig, stores: bool, restored: u64) -> Self {
        if !stores {
            return Hearing::Counting(Arc::new(CountingListener::new(tasks)));
        }
        // Each task reports each checkpoint under way once, and its end.
        let room = tasks * (config.checkpointing.max_concurrent + 2) + 16;
        let (sender, receiver) = sync_channel(room);
        Hearing::Storing(Arc::new(StoringListener::new(sender, restored)), receiver)
    }

    fn listener(&self) -> SharedListener {
        match self {
            Hearing::Storing(listener, _) => listener.clone(),
            Hearing::Counting(listener) => listener.clone(),
        }
    }
}

impl Attempt {
    /// Builds the subtasks and starts their threads.
    pub(super) fn start(
        job: &JobGraph,
        config: &ExecutionConfig,
        checkpoints: Option<&Checkpoints>,
        from: &StartingPoint,
        metrics: Option<&Metrics>,
    ) -> Result<Self> {
        let parkers = parkers(job);
        let request = Arc::new(CheckpointRequest::default());
        let control = Arc::new(JobControl::default());
        let handle = Handle {
            control: control.clone(),
            parkers: parkers.clone(),
        };
        let tasks = subtasks(job);
        let hearing = Hearing::new(tasks, config, checkpoints.is_some(), from.checkpoint);
        let listener = hearing.listener();
        let built = build(&BuildSpec {
            job,
            config,
            parkers: &parkers,
            listener: &listener,
            request: &request,
            restore: from.snapshot.as_ref(),
            metrics: metrics.map(Vec::as_slice),
        })?;
        let master = Master {
            config: config.clone(),
            tasks,
            request,
            parkers,
            control,
        };
        let mut attempt = Attempt {
            metrics: built.metrics,
            threads: Vec::new(),
            master: None,
            handle,
            counted: None,
        };
        let clock = Arc::new(SystemClock::default());
        let spawned = attempt
            .spawn_slots(built.by_slot, &clock)
            .and_then(|()| attempt.spawn_master(master, hearing, checkpoints, from, clock));
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
        let Handle { control, parkers } = &self.handle;
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

    fn spawn_master(
        &mut self,
        master: Master,
        hearing: Hearing,
        checkpoints: Option<&Checkpoints>,
        from: &StartingPoint,
        clock: Arc<SystemClock>,
    ) -> Result<()> {
        self.master = match (hearing, checkpoints) {
            (Hearing::Storing(listener, events), Some(checkpoints)) => {
                let checkpoints = checkpoints.clone();
                Some(master.spawn(events, listener, checkpoints, from.checkpoint, clock)?)
            }
            (Hearing::Counting(listener), _) => {
                self.counted = Some(listener);
                master.spawn_ticker()?
            }
            (Hearing::Storing(..), None) => None,
        };
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
        control.cancel();
        if let Some(master) = self.master {
            master.thread().unpark();
            if master.join().is_err() && error.is_none() {
                error = Some(Error::internal("the checkpoint coordinator panicked"));
            }
        }
        Ended {
            error,
            cancelled,
            counted: self.counted.map_or(0, |counted| counted.complete()),
        }
    }
}

#[cfg(test)]
mod tests;
