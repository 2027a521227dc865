//! The thread that coordinates a job's checkpoints: waits for events, stores, wakes the tasks.
#![allow(clippy::disallowed_methods)] // A shell: it owns a thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use thalweg_coordination::checkpoint::Event;
use thalweg_core::config::ExecutionConfig;
use thalweg_core::error::Result;
use thalweg_core::host::Clock;

use crate::checkpoint::{
    CheckpointExecutor, CheckpointRequest, Checkpoints, ExecutorSpec, StoringListener, Todo,
};
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
        let spec = ExecutorSpec {
            config: self.config.checkpointing.clone(),
            tasks: self.tasks,
            request: self.request.clone(),
            listener,
            checkpoints,
        };
        let mut storing = Storing {
            executor: CheckpointExecutor::new(spec, restored, now)?,
            master: self,
            clock,
        };
        let thread = std::thread::Builder::new().name("checkpoint-coordinator".to_owned());
        Ok(thread.spawn(move || storing.run(&events))?)
    }
}

struct Storing {
    master: Master,
    executor: CheckpointExecutor,
    clock: Arc<dyn Clock>,
}

impl Storing {
    fn now(&self) -> u64 {
        self.clock.monotonic_nanos() / 1_000_000
    }

    fn run(&mut self, events: &Receiver<Event>) {
        while !self.master.control.is_stopped() {
            let next = self.executor.next_time();
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
            for todo in self.executor.on(&event, self.now()) {
                match todo {
                    Todo::Wake => self.master.wake(),
                    Todo::Store(checkpoint) => {
                        events.push_back(self.executor.store(checkpoint, self.clock.now()));
                    }
                    Todo::Fail(error) => {
                        self.master.control.fail(error);
                        self.master.wake();
                    }
                }
            }
        }
    }
}
