//! One thread a slot: runs its subtasks in turn and parks when none can move.
//!
//! This is a shell: the one place of the runtime that spawns threads and reads the clock.
#![allow(clippy::disallowed_methods)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use thalweg_core::error::{Error, Result};
use thalweg_core::host::Clock;
use thalweg_core::time::ProcessingTime;

use crate::exchange::Parker;
use crate::task::{Step, Subtask};

/// The machine's clock.
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> ProcessingTime {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        ProcessingTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// How a running job, or a part of it that fails alone, is stopped, and what stopped it.
#[derive(Default)]
pub struct JobControl {
    stopped: AtomicBool,
    cancelled: AtomicBool,
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
    whole: Option<Arc<JobControl>>,
}

impl JobControl {
    /// The control of a part, which stops with the whole job and fails without it.
    pub fn part_of(whole: &Arc<JobControl>) -> Self {
        JobControl {
            whole: Some(whole.clone()),
            ..JobControl::default()
        }
    }

    /// Stops the job; its result is then the error of a cancelled job.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.stopped.store(true, Ordering::Release);
    }

    /// All tasks have ended: stops what is left.
    pub fn end(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Whether nothing but the end of all tasks can have stopped the job.
    pub fn is_undisturbed(&self) -> bool {
        !self.is_cancelled() && !self.failed.load(Ordering::Acquire)
    }

    /// Whether all threads should end.
    pub fn is_stopped(&self) -> bool {
        let whole = self.whole.as_ref();
        self.stopped.load(Ordering::Acquire) || whole.is_some_and(|whole| whole.is_stopped())
    }

    /// Whether the job was cancelled.
    pub fn is_cancelled(&self) -> bool {
        let whole = self.whole.as_ref();
        self.cancelled.load(Ordering::Acquire) || whole.is_some_and(|whole| whole.is_cancelled())
    }

    /// The first error wins; the others are consequences.
    pub fn fail(&self, error: Error) {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() && !self.is_cancelled() {
            *first = Some(error);
        }
        self.failed.store(true, Ordering::Release);
        self.stopped.store(true, Ordering::Release);
    }

    /// The error that stopped the job.
    pub fn take_error(&self) -> Option<Error> {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Tells that a thread has ended, however it did.
pub struct EndOfThread {
    /// What it was a part of.
    pub part: usize,
    /// Who wants to know. There is room for every thread.
    pub ended: SyncSender<usize>,
}

impl Drop for EndOfThread {
    fn drop(&mut self) {
        // Nobody listens any more when the job is gone.
        let _ = self.ended.send(self.part);
    }
}

/// What one slot thread runs.
pub struct Slot {
    /// The thread's parker, known to the channels.
    pub parker: Arc<Parker>,
    /// Its subtasks, senders before receivers.
    pub subtasks: Vec<Subtask>,
}

/// Starts a slot's thread.
///
/// # Errors
/// `Retryable` if the system gives no thread.
pub fn spawn(
    index: usize,
    slot: Slot,
    all: Vec<Arc<Parker>>,
    control: Arc<JobControl>,
    clock: Arc<dyn Clock>,
    end: EndOfThread,
) -> Result<std::thread::JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(format!("slot-{index}"));
    Ok(thread.spawn(move || {
        run(slot, &all, &control, clock.as_ref());
        drop(end);
    })?)
}

fn run(slot: Slot, all: &[Arc<Parker>], control: &JobControl, clock: &dyn Clock) {
    slot.parker.bind();
    let mut subtasks = slot.subtasks;
    while !subtasks.is_empty() && !control.is_stopped() {
        let now = clock.now();
        let mut worked = false;
        let mut until: Option<ProcessingTime> = None;
        // Receivers first: they make room for their senders.
        for index in (0..subtasks.len()).rev() {
            match guarded_step(&mut subtasks[index], now) {
                Ok(Step::Worked) => worked = true,
                Ok(Step::Idle { until: at }) => until = until.into_iter().chain(at).min(),
                Ok(Step::Finished) => {
                    subtasks.remove(index);
                    worked = true;
                }
                Err(error) => control.fail(error),
            }
        }
        if !worked {
            sleep(&slot.parker, &mut subtasks, until, control, clock);
        }
    }
    // The others may be parked, waiting for this one.
    if control.is_stopped() {
        all.iter().for_each(|parker| parker.wake());
    }
}

fn sleep(
    parker: &Parker,
    subtasks: &mut [Subtask],
    until: Option<ProcessingTime>,
    control: &JobControl,
    clock: &dyn Clock,
) {
    parker.announce();
    let now = clock.now();
    let quiet = !parker.take_signal() && subtasks.iter_mut().all(|subtask| subtask.is_idle(now));
    if !quiet || control.is_stopped() {
        parker.retract();
        return;
    }
    let timeout = until.map(|at| {
        let millis = at.millis().saturating_sub(now.millis()).max(0);
        Duration::from_millis(millis.unsigned_abs())
    });
    parker.park(timeout);
}

fn guarded_step(subtask: &mut Subtask, now: ProcessingTime) -> Result<Step> {
    match catch_unwind(AssertUnwindSafe(|| subtask.step(now))) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "unknown panic".to_owned());
            Err(Error::internal(format!("panicked: {text}"))
                .context(format!("task `{}`", subtask.name())))
        }
    }
}
