//! One thread, seeded order, a clock that moves only when nothing else can.
//!
//! The same job, seed and input give the same sequence of steps, so a failure is found again by
//! its seed.

use std::sync::Arc;

use thalweg_core::error::{Error, Result};
use thalweg_core::host::{Clock, ManualClock, Random};
use thalweg_core::time::ProcessingTime;

use crate::task::{Step, Subtask};

/// Runs subtasks in an order drawn from a seed.
pub struct SteppedDriver {
    subtasks: Vec<Subtask>,
    random: Random,
    clock: Arc<ManualClock>,
}

impl SteppedDriver {
    /// A driver of these subtasks.
    pub fn new(subtasks: Vec<Subtask>, seed: u64, clock: Arc<ManualClock>) -> Self {
        SteppedDriver {
            subtasks,
            random: Random::new(seed),
            clock,
        }
    }

    /// Steps every live subtask once, in random order. False when all have ended.
    ///
    /// # Errors
    /// The first error of a subtask; `Internal` if nothing can ever move again.
    pub fn round(&mut self) -> Result<bool> {
        let mut order: Vec<usize> = (0..self.subtasks.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.random.below(i as u64 + 1) as usize);
        }
        let now = self.clock.now();
        let mut worked = false;
        let mut until: Option<ProcessingTime> = None;
        let mut finished = Vec::new();
        for index in order {
            match self.subtasks[index].step(now)? {
                Step::Worked => worked = true,
                Step::Idle { until: at } => until = until.into_iter().chain(at).min(),
                Step::Finished => finished.push(index),
            }
        }
        finished.sort_unstable();
        for index in finished.iter().rev() {
            self.subtasks.remove(*index);
        }
        if self.subtasks.is_empty() {
            return Ok(false);
        }
        if !worked && finished.is_empty() {
            match until {
                Some(at) if at > now => self.clock.set(at.millis()),
                Some(_) => {}
                None => {
                    let names: Vec<&str> = self.subtasks.iter().map(Subtask::name).collect();
                    let names = names.join("`, `");
                    return Err(Error::internal(format!(
                        "no task can move and none waits for time: `{names}`"
                    )));
                }
            }
        }
        Ok(true)
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// As [`SteppedDriver::round`].
    pub fn run(&mut self) -> Result<()> {
        while self.round()? {}
        Ok(())
    }
}
