//! A listener of jobs that store no checkpoints.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use thalweg_core::collections::HashMap;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{StateSnapshot, TableSnapshot};

use super::{BarrierListener, Moment};

/// Counts the checkpoints whose barriers passed all subtasks, and keeps nothing.
#[derive(Debug)]
pub struct CountingListener {
    subtasks: usize,
    passed: Mutex<HashMap<u64, usize>>,
    complete: AtomicU64,
}

impl CountingListener {
    /// A listener for a job of so many subtasks.
    pub fn new(subtasks: usize) -> Self {
        CountingListener {
            subtasks,
            passed: Mutex::default(),
            complete: AtomicU64::new(0),
        }
    }

    /// Checkpoints that passed all subtasks.
    pub fn complete(&self) -> u64 {
        self.complete.load(Ordering::Acquire)
    }
}

impl BarrierListener for CountingListener {
    fn on_operator(
        &self,
        _: Moment,
        _: &OperatorUid,
        _: &SubtaskInfo,
        _: &mut dyn FnMut() -> StateSnapshot,
    ) {
    }

    fn on_in_flight(&self, _: u64, _: &OperatorUid, _: &SubtaskInfo, _: TableSnapshot) {}

    fn on_subtask(&self, moment: Moment, _: usize) {
        let Moment::Barrier(checkpoint) = moment else {
            return;
        };
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passed.entry(checkpoint).or_insert(0);
        *count += 1;
        if *count == self.subtasks {
            passed.remove(&checkpoint);
            self.complete.fetch_add(1, Ordering::AcqRel);
        }
    }
}
