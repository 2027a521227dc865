//! The thread that coordinates a job's checkpoints: waits for events, stores, wakes the tasks.
#![allow(clippy::disallowed_methods)] // A shell: it owns a thread.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use thalweg_coordination::checkpoint::Event;
use thalweg_core::error::{Error, Result};
use thalweg_core::host::Clock;

use crate::checkpoint::{CheckpointExecutor, ExecutorSpec, Todo};
use crate::driver::threads::JobControl;
use crate::exchange::Parker;

// How long the thread sleeps at most. Whoever wants something sends an event.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What the thread needs besides the checkpoints.
pub(super) struct Master {
    pub(super) parkers: Arc<Parkers>,
    pub(super) control: Arc<JobControl>,
    /// Hears whether a failure may be left to a part of the job, for each that was announced.
    pub(super) answers: SyncSender<bool>,
}

/// The parkers of all threads, by slot. Those of a part that starts again are new ones.
#[derive(Default)]
pub(super) struct Parkers(Mutex<Vec<Arc<Parker>>>);

impl Parkers {
    pub(super) fn set(&self, parkers: &[Arc<Parker>]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = parkers.to_vec();
    }

    pub(super) fn wake(&self) {
        let parkers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parkers.iter().for_each(|parker| parker.wake());
    }
}

impl Master {
    fn wake(&self) {
        self.parkers.wake();
    }

    /// Starts the thread. It returns how many checkpoints have passed all tasks.
    pub(super) fn spawn(
        self,
        events: Receiver<Event>,
        spec: ExecutorSpec,
        restored: u64,
        clock: Arc<dyn Clock>,
    ) -> Result<JoinHandle<u64>> {
        let now = clock.monotonic_nanos() / 1_000_000;
        let mut storing = Storing {
            executor: CheckpointExecutor::new(spec, restored, now)?,
            master: self,
            clock,
        };
        let thread = std::thread::Builder::new().name("checkpoint-coordinator".to_owned());
        let fallen = Fallen {
            parkers: storing.master.parkers.clone(),
            control: storing.master.control.clone(),
        };
        Ok(thread.spawn(move || {
            let _fallen = fallen;
            storing.run(&events);
            storing.executor.abandon();
            storing.executor.passed()
        })?)
    }
}

/// Ends the attempt if the thread panics: nobody would complete its checkpoints any more, and tasks that
/// wait for a commit would wait for ever.
struct Fallen {
    parkers: Arc<Parkers>,
    control: Arc<JobControl>,
}

impl Drop for Fallen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = "the coordinator of checkpoints has panicked: see what it printed";
            self.control.fail(Error::internal(what));
            self.parkers.wake();
        }
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
        loop {
            let requested = self.executor.take_requests(self.now(), self.clock.now());
            self.carry_out(requested);
            if self.is_over() {
                return;
            }
            let next = self.executor.next_time();
            let wait = next.map(|at| Duration::from_millis(at.saturating_sub(self.now())));
            let wait = wait.unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
            match events.recv_timeout(wait) {
                Ok(event) => self.on(&event),
                Err(RecvTimeoutError::Timeout) => self.on(&Event::Time),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// A savepoint that only waits for the end of tasks is stored although they have ended: that
    /// they have is said in events that are there already.
    fn is_over(&self) -> bool {
        let control = &self.master.control;
        let awaited = control.is_undisturbed() && self.executor.is_asked();
        control.is_stopped() && !awaited
    }

    fn on(&mut self, event: &Event) {
        if let Event::Failed { .. } = event {
            let part = self.executor.may_fail_in_part();
            if part {
                let todo = self.executor.on(event, self.now());
                self.carry_out(todo);
            }
            // One failure after another is announced, and each waits for its answer.
            let _ = self.master.answers.send(part);
            return;
        }
        let todo = self.executor.on(event, self.now());
        self.carry_out(todo);
    }

    fn carry_out(&mut self, todo: Vec<Todo>) {
        let mut todo = VecDeque::from(todo);
        while let Some(next) = todo.pop_front() {
            match next {
                Todo::Wake => self.master.wake(),
                Todo::Store(checkpoint) => {
                    let event = self.executor.store(checkpoint, self.clock.now());
                    todo.extend(self.executor.on(&event, self.now()));
                }
                Todo::Fail(error) => {
                    self.master.control.fail(error);
                    self.master.wake();
                }
            }
        }
    }
}
