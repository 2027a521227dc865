//! What a subtask does at a barrier, and who hears of it.
//!
//! Barriers start at the sources when a checkpoint is requested, flow through every channel, are
//! aligned at every gate, and pass every operator between two calls. Each operator instance hands
//! its snapshot to the job's [`BarrierListener`]; storing them durably is the state layer's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_core::collections::HashMap;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::StateSnapshot;

/// Hears of barriers as they pass.
pub trait BarrierListener: Send + Sync {
    /// A barrier passes an operator instance; `snapshot` writes its state when called.
    fn on_operator(
        &self,
        checkpoint: u64,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        snapshot: &mut dyn FnMut() -> StateSnapshot,
    );

    /// A barrier has passed a whole subtask.
    fn on_subtask(&self, checkpoint: u64);
}

/// The latest checkpoint that sources should start.
#[derive(Debug, Default)]
pub struct CheckpointRequest(AtomicU64);

impl CheckpointRequest {
    /// Asks for a checkpoint; numbers rise.
    pub fn request(&self, checkpoint: u64) {
        self.0.fetch_max(checkpoint, Ordering::AcqRel);
    }

    /// The latest number asked for; 0 at first.
    pub fn latest(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

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
        _: u64,
        _: &OperatorUid,
        _: &SubtaskInfo,
        _: &mut dyn FnMut() -> StateSnapshot,
    ) {
    }

    fn on_subtask(&self, checkpoint: u64) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passed.entry(checkpoint).or_insert(0);
        *count += 1;
        if *count == self.subtasks {
            passed.remove(&checkpoint);
            self.complete.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// The snapshots of one checkpoint, by operator, one an instance.
pub type JobSnapshot = HashMap<OperatorUid, Vec<StateSnapshot>>;

/// Keeps the snapshots of every checkpoint in memory: for tests and embedded jobs.
#[derive(Debug, Default)]
pub struct MemoryListener {
    snapshots: Mutex<HashMap<u64, JobSnapshot>>,
    passed: Mutex<HashMap<u64, usize>>,
}

impl MemoryListener {
    /// How many subtasks a checkpoint's barrier has passed: the checkpoint is complete when these
    /// are all subtasks of the job.
    pub fn passed(&self, checkpoint: u64) -> usize {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.get(&checkpoint).copied().unwrap_or(0)
    }

    /// The snapshots of a checkpoint so far.
    pub fn take(&self, checkpoint: u64) -> Option<JobSnapshot> {
        self.snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&checkpoint)
    }
}

impl BarrierListener for MemoryListener {
    fn on_operator(
        &self,
        checkpoint: u64,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        snapshot: &mut dyn FnMut() -> StateSnapshot,
    ) {
        let written = snapshot();
        let mut snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let instances = snapshots
            .entry(checkpoint)
            .or_default()
            .entry(uid.clone())
            .or_insert_with(|| vec![StateSnapshot::default(); info.parallelism as usize]);
        instances[info.index as usize] = written;
    }

    fn on_subtask(&self, checkpoint: u64) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        *passed.entry(checkpoint).or_insert(0) += 1;
    }
}

/// A listener shared by all subtasks.
pub type SharedListener = Arc<dyn BarrierListener>;
