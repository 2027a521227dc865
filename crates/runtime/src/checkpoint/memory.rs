//! A listener that keeps everything, for tests.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thalweg_core::collections::HashMap;
use thalweg_core::error::Result;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{FrozenState, StateSnapshot, TableSnapshot};

use super::{BarrierListener, InstanceSnapshot, JobSnapshot, Moment};

/// Keeps the snapshots of every checkpoint in memory.
#[derive(Debug, Default)]
pub struct MemoryListener {
    snapshots: Mutex<HashMap<u64, Parts>>,
    // The subtasks that a barrier has passed.
    passed: Mutex<HashMap<u64, BTreeSet<usize>>>,
    ended: Mutex<Ended>,
    canonical: bool,
    // The files of stores are there as long as these are.
    frozen: Mutex<Vec<FrozenState>>,
}

/// The snapshots of a checkpoint so far, and whose they are.
#[derive(Debug, Default)]
struct Parts {
    snapshot: JobSnapshot,
    passed: BTreeSet<(OperatorUid, u32)>,
}

/// The last snapshots of what has ended.
#[derive(Debug, Default)]
struct Ended {
    instances: Vec<(OperatorUid, SubtaskInfo, StateSnapshot)>,
    subtasks: BTreeSet<usize>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// How many subtasks a checkpoint's barrier has passed, or that have ended before: the
    /// checkpoint is complete when these are all subtasks of the job.
    pub fn passed(&self, checkpoint: u64) -> usize {
        let passed = locked(&self.passed);
        let ended = locked(&self.ended);
        match passed.get(&checkpoint) {
            Some(passed) => passed.union(&ended.subtasks).count(),
            None => 0,
        }
    }

    /// The snapshots of a complete checkpoint.
    pub fn take(&self, checkpoint: u64) -> Option<JobSnapshot> {
        let Parts {
            mut snapshot,
            passed,
        } = locked(&self.snapshots).remove(&checkpoint)?;
        for (uid, info, state) in &locked(&self.ended).instances {
            // A barrier that passed before the end has the older state.
            if !passed.contains(&(uid.clone(), info.index)) {
                let instance = InstanceSnapshot {
                    state: state.clone(),
                    finished: true,
                };
                snapshot.put(uid, info, instance);
            }
        }
        Some(snapshot)
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
        let frozen = freeze()?;
        let state = if self.canonical {
            frozen.whole().encode()?
        } else {
            frozen.beside_store().encode()?
        };
        if frozen.store.is_some() {
            locked(&self.frozen).push(frozen);
        }
        let Moment::Barrier(checkpoint) = moment else {
            let ended = (uid.clone(), info.clone(), state);
            locked(&self.ended).instances.push(ended);
            return Ok(());
        };
        let instance = InstanceSnapshot {
            state,
            finished: false,
        };
        let mut snapshots = locked(&self.snapshots);
        let parts = snapshots.entry(checkpoint).or_default();
        parts.snapshot.put(uid, info, instance);
        parts.passed.insert((uid.clone(), info.index));
        Ok(())
    }

    fn on_in_flight(
        &self,
        checkpoint: u64,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        records: TableSnapshot,
    ) {
        let mut snapshots = locked(&self.snapshots);
        let parts = snapshots.entry(checkpoint).or_default();
        parts.snapshot.put_in_flight(uid, info, records);
    }

    fn on_subtask(&self, moment: Moment, subtask: usize) {
        match moment {
            Moment::Barrier(checkpoint) => {
                let mut passed = locked(&self.passed);
                passed.entry(checkpoint).or_default().insert(subtask);
            }
            Moment::End => {
                locked(&self.ended).subtasks.insert(subtask);
            }
        }
    }
}
