//! The thread that coordinates a job's checkpoints: carries out what the coordinator decides.
#![allow(clippy::disallowed_methods)] // A shell: it owns a thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use thalweg_coordination::checkpoint::{CheckpointCoordinator, Decision, Event};
use thalweg_core::config::ExecutionConfig;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::host::Clock;
use thalweg_state::{CheckpointKind, InstanceState, Metadata, OperatorState};

use super::recovery::Checkpoints;
use crate::checkpoint::{CheckpointRequest, StoringListener};
use crate::driver::threads::JobControl;
use crate::exchange::Parker;

// How long the thread sleeps at most, so that it notices that the job has been stopped.
const SLEEP_MAX: Duration = Duration::from_millis(50);

/// What both kinds of threads need.
pub(super) struct Master {
    pub(super) config: ExecutionConfig,
    pub(super) tasks: usize,
    pub(super) request: Arc<CheckpointRequest>,
    pub(super) parkers: Vec<Arc<Parker>>,
    pub(super) control: Arc<JobControl>,
}

impl Master {
    fn trigger(&self, checkpoint: u64) {
        self.request.request(checkpoint);
        self.wake();
    }

    fn wake(&self) {
        self.parkers.iter().for_each(|parker| parker.wake());
    }

    /// Sends barriers, of which nothing is stored. No thread without an interval.
    pub(super) fn spawn_ticker(self) -> Result<Option<JoinHandle<()>>> {
        let Some(interval) = self.config.checkpointing.interval else {
            return Ok(None);
        };
        let thread = std::thread::Builder::new().name("checkpoint-ticker".to_owned());
        let ticker = thread.spawn(move || {
            let mut checkpoint = 0;
            loop {
                std::thread::park_timeout(interval);
                if self.control.is_stopped() {
                    return;
                }
                checkpoint += 1;
                self.trigger(checkpoint);
            }
        })?;
        Ok(Some(ticker))
    }

    /// Takes checkpoints and stores them.
    pub(super) fn spawn(
        self,
        events: Receiver<Event>,
        listener: Arc<StoringListener>,
        checkpoints: Checkpoints,
        restored: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<JoinHandle<()>> {
        let now = clock.monotonic_nanos() / 1_000_000;
        let config = self.config.checkpointing.clone();
        let coordinator = CheckpointCoordinator::new(config, self.tasks, restored, now);
        let mut storing = Storing {
            master: self,
            coordinator,
            listener,
            completed: checkpoints.completed()?,
            checkpoints,
            clock,
            failure: None,
        };
        let thread = std::thread::Builder::new().name("checkpoint-coordinator".to_owned());
        Ok(thread.spawn(move || storing.run(&events))?)
    }
}

struct Storing {
    master: Master,
    coordinator: CheckpointCoordinator,
    listener: Arc<StoringListener>,
    checkpoints: Checkpoints,
    /// The completed checkpoints that are kept, oldest first.
    completed: VecDeque<u64>,
    clock: Arc<dyn Clock>,
    /// What the last checkpoint that was not stored failed with.
    failure: Option<Error>,
}

impl Storing {
    fn now(&self) -> u64 {
        self.clock.monotonic_nanos() / 1_000_000
    }

    fn run(&mut self, events: &Receiver<Event>) {
        while !self.master.control.is_stopped() {
            let next = self.coordinator.next_time();
            let wait = next.map(|at| Duration::from_millis(at.saturating_sub(self.now())));
            let wait = wait.unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
            match events.recv_timeout(wait) {
                Ok(event) => self.on(event),
                Err(RecvTimeoutError::Timeout) => self.on(Event::Time),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn on(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for decision in self.coordinator.on(&event, self.now()) {
                events.extend(self.carry_out(&decision));
            }
        }
    }

    fn carry_out(&mut self, decision: &Decision) -> Option<Event> {
        match *decision {
            Decision::Trigger { checkpoint } => self.master.trigger(checkpoint),
            Decision::Store { checkpoint } => {
                return Some(match self.store(checkpoint) {
                    Ok(()) => Event::Stored { checkpoint },
                    Err(error) => {
                        eprintln!("warning: checkpoint {checkpoint} was not stored: {error}");
                        self.failure = Some(error);
                        Event::StoringFailed { checkpoint }
                    }
                });
            }
            Decision::Complete { checkpoint } => self.complete(checkpoint),
            Decision::Abort { checkpoint, .. } => {
                self.listener.give_up(checkpoint);
                self.discard(checkpoint);
            }
            Decision::FailJob { failures } => {
                let message = format!("{failures} checkpoints in a row have failed");
                let error = Error::new(ErrorKind::Retryable, message);
                let error = match self.failure.take() {
                    Some(cause) => error.with_source(cause),
                    None => error,
                };
                self.master.control.fail(error);
                self.master.wake();
            }
        }
        None
    }

    fn store(&self, checkpoint: u64) -> Result<()> {
        let snapshot = self.listener.take(checkpoint);
        let store = &self.checkpoints.store;
        let mut operators = Vec::new();
        for (number, (uid, operator)) in snapshot.operators.iter().enumerate() {
            let mut instances = Vec::with_capacity(operator.instances.len());
            for (index, instance) in operator.instances.iter().enumerate() {
                let file = format!("state-{number}-{index}");
                instances.push(InstanceState {
                    finished: instance.finished,
                    location: store.write_state(checkpoint, &file, &instance.state)?,
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
            completed_at: self.clock.now().millis(),
            job_name: self.checkpoints.job_name.clone(),
            operators,
        })
    }

    fn complete(&mut self, checkpoint: u64) {
        let last = self.coordinator.is_last(checkpoint);
        self.listener
            .set_durable(if last { u64::MAX } else { checkpoint });
        self.master.wake();
        self.completed.push_back(checkpoint);
        while self.completed.len() > self.checkpoints.retained {
            if let Some(oldest) = self.completed.pop_front() {
                self.discard(oldest);
            }
        }
    }

    /// A checkpoint that cannot be deleted costs room, but is no reason to stop the job.
    fn discard(&self, checkpoint: u64) {
        if let Err(error) = self.checkpoints.store.discard(checkpoint) {
            eprintln!("warning: checkpoint {checkpoint} was not deleted: {error}");
        }
    }
}
