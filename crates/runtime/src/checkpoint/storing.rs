//! The listener of a job that stores its checkpoints: gathers snapshots, tells the coordinator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};

use thalweg_coordination::checkpoint::Event;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{StateSnapshot, TableSnapshot};

use super::{BarrierListener, InstanceSnapshot, JobSnapshot, Moment};

/// Gathers the snapshots of checkpoints until somebody stores them.
pub struct StoringListener {
    gathered: Mutex<Gathered>,
    events: SyncSender<Event>,
    durable: AtomicU64,
}

/// The snapshots of a checkpoint so far, and whose they are.
#[derive(Default)]
struct Parts {
    snapshot: JobSnapshot,
    passed: BTreeSet<(OperatorUid, u32)>,
}

#[derive(Default)]
struct Gathered {
    checkpoints: BTreeMap<u64, Parts>,
    /// The last snapshots of instances that have ended.
    ended: Vec<(OperatorUid, SubtaskInfo, StateSnapshot)>,
    /// Checkpoints whose late snapshots nobody wants.
    given_up: BTreeSet<u64>,
}

impl StoringListener {
    /// A listener that sends events; `durable` is the checkpoint restored from.
    ///
    /// A subtask waits while the channel is full: it should hold an event of every subtask for
    /// every checkpoint that can be under way.
    pub fn new(events: SyncSender<Event>, durable: u64) -> Self {
        StoringListener {
            gathered: Mutex::default(),
            events,
            durable: AtomicU64::new(durable),
        }
    }

    /// Takes the snapshots of a checkpoint that every subtask has acknowledged or ended before.
    pub fn take(&self, checkpoint: u64) -> JobSnapshot {
        let mut gathered = self.gathered();
        let mut parts = gathered.checkpoints.remove(&checkpoint).unwrap_or_default();
        gathered.given_up.insert(checkpoint);
        for (uid, info, state) in &gathered.ended {
            // A barrier that passed before the end has the older state.
            if !parts.passed.contains(&(uid.clone(), info.index)) {
                let instance = InstanceSnapshot {
                    state: state.clone(),
                    finished: true,
                };
                parts.snapshot.put(uid, info, instance);
            }
        }
        parts.snapshot
    }

    /// Forgets a checkpoint.
    pub fn give_up(&self, checkpoint: u64) {
        let mut gathered = self.gathered();
        gathered.checkpoints.remove(&checkpoint);
        gathered.given_up.insert(checkpoint);
    }

    /// Says that a checkpoint is durable; `u64::MAX` for the one with the job's end.
    pub fn set_durable(&self, checkpoint: u64) {
        self.durable.fetch_max(checkpoint, Ordering::AcqRel);
        self.gathered()
            .given_up
            .retain(|given_up| *given_up > checkpoint);
    }

    fn gathered(&self) -> std::sync::MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BarrierListener for StoringListener {
    fn on_operator(
        &self,
        moment: Moment,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        snapshot: &mut dyn FnMut() -> StateSnapshot,
    ) {
        let wanted = match moment {
            Moment::Barrier(checkpoint) => {
                checkpoint > self.durable.load(Ordering::Acquire)
                    && !self.gathered().given_up.contains(&checkpoint)
            }
            Moment::End => true,
        };
        if !wanted {
            return;
        }
        // Written outside of the lock: other subtasks write theirs at the same time.
        let state = snapshot();
        let mut gathered = self.gathered();
        match moment {
            Moment::Barrier(checkpoint) => {
                let instance = InstanceSnapshot {
                    state,
                    finished: false,
                };
                let parts = gathered.checkpoints.entry(checkpoint).or_default();
                parts.snapshot.put(uid, info, instance);
                parts.passed.insert((uid.clone(), info.index));
            }
            Moment::End => gathered.ended.push((uid.clone(), info.clone(), state)),
        }
    }

    fn on_in_flight(
        &self,
        checkpoint: u64,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        records: TableSnapshot,
    ) {
        // Nobody wants it if the snapshot itself was not.
        if let Some(parts) = self.gathered().checkpoints.get_mut(&checkpoint) {
            parts.snapshot.put_in_flight(uid, info, records);
        }
    }

    fn on_subtask(&self, moment: Moment, subtask: usize) {
        let event = match moment {
            Moment::Barrier(checkpoint) => Event::Acknowledged {
                checkpoint,
                task: subtask,
            },
            Moment::End => Event::Ended { task: subtask },
        };
        // Nobody listens any more when the job is being stopped.
        drop(self.events.send(event));
    }

    fn durable(&self) -> Option<u64> {
        Some(self.durable.load(Ordering::Acquire))
    }
}
