//! A listener that keeps everything, for tests.

use std::sync::{Mutex, PoisonError};

use thalweg_core::collections::HashMap;
use thalweg_core::error::Result;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{FrozenState, TableSnapshot};

use super::{BarrierListener, InstanceSnapshot, JobSnapshot, Moment};

/// Keeps the snapshots of every checkpoint in memory.
#[derive(Debug, Default)]
pub struct MemoryListener {
    snapshots: Mutex<HashMap<u64, JobSnapshot>>,
    passed: Mutex<HashMap<u64, usize>>,
    canonical: bool,
    // The files of stores are there as long as these are.
    frozen: Mutex<Vec<FrozenState>>,
}

impl MemoryListener {
    /// A listener whose snapshots hold what is in stores as well, as savepoints do: any backend
    /// can restore them.
    pub fn canonical() -> Self {
        MemoryListener {
            canonical: true,
            ..MemoryListener::default()
        }
    }

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
        moment: Moment,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        freeze: &mut dyn FnMut() -> Result<FrozenState>,
    ) -> Result<()> {
        let Moment::Barrier(checkpoint) = moment else {
            return Ok(());
        };
        let frozen = freeze()?;
        let state = if self.canonical {
            frozen.whole().encode()?
        } else {
            frozen.beside_store().encode()?
        };
        if frozen.store.is_some() {
            let mut kept = self.frozen.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(frozen);
        }
        let instance = InstanceSnapshot {
            state,
            finished: false,
        };
        let mut snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        snapshots
            .entry(checkpoint)
            .or_default()
            .put(uid, info, instance);
        Ok(())
    }

    fn on_in_flight(
        &self,
        checkpoint: u64,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        records: TableSnapshot,
    ) {
        let mut snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let snapshot = snapshots.entry(checkpoint).or_default();
        snapshot.put_in_flight(uid, info, records);
    }

    fn on_subtask(&self, moment: Moment, _: usize) {
        if let Moment::Barrier(checkpoint) = moment {
            let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
            *passed.entry(checkpoint).or_insert(0) += 1;
        }
    }
}
