//! The listener of a job that stores its checkpoints: gathers snapshots, tells the coordinator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};

use thalweg_coordination::checkpoint::Event;
use thalweg_core::error::Result;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{FrozenState, TableSnapshot};

use super::{BarrierListener, FrozenJob, InstanceSnapshot, Moment};

/// Gathers the snapshots of checkpoints until somebody stores them.
pub struct StoringListener {
    gathered: Mutex<Gathered>,
    events: SyncSender<Event>,
    durable: AtomicU64,
    sparing: Option<Sparing>,
}

/// What is left out where only savepoints are stored: most jobs never have one, and snapshots cost.
struct Sparing {
    /// Operators whose last snapshot is kept when their input has ended: what sources have read and
    /// what sinks have to commit. The others have emitted all they had.
    kept: BTreeSet<OperatorUid>,
    /// Whether the job ends with a savepoint: all is kept, and sinks wait for it.
    drained: AtomicBool,
}

/// The snapshots of a checkpoint so far, and whose they are.
#[derive(Default)]
struct Parts {
    snapshot: FrozenJob,
    passed: BTreeSet<(OperatorUid, u32)>,
}

#[derive(Default)]
struct Gathered {
    checkpoints: BTreeMap<u64, Parts>,
    /// The savepoints under way, where only savepoints are stored.
    wanted: BTreeSet<u64>,
    /// The last snapshots of instances that have ended.
    ended: BTreeMap<(OperatorUid, u32), (SubtaskInfo, FrozenState)>,
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
            sparing: None,
        }
    }

    /// A listener of a job that stores savepoints only: sinks commit at their end. `kept` are the
    /// operators whose last snapshots are needed.
    pub fn of_savepoints(
        events: SyncSender<Event>,
        durable: u64,
        kept: BTreeSet<OperatorUid>,
    ) -> Self {
        StoringListener {
            sparing: Some(Sparing {
                kept,
                drained: AtomicBool::new(false),
            }),
            ..StoringListener::new(events, durable)
        }
    }

    /// A savepoint starts.
    pub fn want(&self, savepoint: u64) {
        self.gathered().wanted.insert(savepoint);
    }

    /// The job ends with a savepoint.
    pub fn drain(&self) {
        if let Some(sparing) = &self.sparing {
            sparing.drained.store(true, Ordering::Release);
        }
    }

    /// Takes the snapshots of a checkpoint that every subtask has acknowledged or ended before.
    pub fn take(&self, checkpoint: u64) -> FrozenJob {
        let mut gathered = self.gathered();
        let mut parts = gathered.checkpoints.remove(&checkpoint).unwrap_or_default();
        gathered.given_up.insert(checkpoint);
        for (whose, (info, state)) in &gathered.ended {
            // A barrier that passed before the end has the older state.
            if !parts.passed.contains(whose) {
                let instance = InstanceSnapshot {
                    state: state.clone(),
                    finished: true,
                };
                parts.snapshot.put(&whose.0, info, instance);
            }
        }
        parts.snapshot
    }

    /// Forgets a checkpoint.
    pub fn give_up(&self, checkpoint: u64) {
        let mut gathered = self.gathered();
        gathered.checkpoints.remove(&checkpoint);
        gathered.wanted.remove(&checkpoint);
        gathered.given_up.insert(checkpoint);
    }

    /// Forgets that instances have ended: they go back to before.
    pub fn forget(&self, lost: &BTreeSet<(OperatorUid, u32)>) {
        self.gathered()
            .ended
            .retain(|whose, _| !lost.contains(whose));
    }

    /// Says that a checkpoint is durable; `u64::MAX` for the one with the job's end.
    pub fn set_durable(&self, checkpoint: u64) {
        self.durable.fetch_max(checkpoint, Ordering::AcqRel);
        self.gathered()
            .given_up
            .retain(|given_up| *given_up > checkpoint);
    }

    /// Whether the snapshot of a barrier is wanted.
    fn wants(&self, checkpoint: u64, gathered: &Gathered) -> bool {
        checkpoint > self.durable.load(Ordering::Acquire)
            && !gathered.given_up.contains(&checkpoint)
            && (self.sparing.is_none() || gathered.wanted.contains(&checkpoint))
    }

    /// Whether the last snapshot of an operator is.
    fn wants_last(&self, uid: &OperatorUid) -> bool {
        let sparing = self.sparing.as_ref();
        sparing.is_none_or(|sparing| {
            sparing.drained.load(Ordering::Acquire) || sparing.kept.contains(uid)
        })
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
        freeze: &mut dyn FnMut() -> Result<FrozenState>,
    ) -> Result<()> {
        let state = match moment {
            Moment::Barrier(checkpoint) if !self.wants(checkpoint, &self.gathered()) => {
                return Ok(());
            }
            Moment::End if !self.wants_last(uid) => FrozenState::default(),
            // Outside of the lock: other subtasks freeze theirs at the same time.
            _ => freeze()?,
        };
        let mut gathered = self.gathered();
        match moment {
            // It was given up meanwhile: nobody would take the snapshot out again.
            Moment::Barrier(checkpoint) if !self.wants(checkpoint, &gathered) => {}
            Moment::Barrier(checkpoint) => {
                let instance = InstanceSnapshot {
                    state,
                    finished: false,
                };
                let parts = gathered.checkpoints.entry(checkpoint).or_default();
                parts.snapshot.put(uid, info, instance);
                parts.passed.insert((uid.clone(), info.index));
            }
            // A sink hands over its last state once more when it has committed.
            Moment::End => {
                let whose = (uid.clone(), info.index);
                gathered.ended.insert(whose, (info.clone(), state));
            }
        }
        Ok(())
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
        let durable = self.durable.load(Ordering::Acquire);
        let waits = self
            .sparing
            .as_ref()
            .is_none_or(|sparing| durable == u64::MAX || sparing.drained.load(Ordering::Acquire));
        waits.then_some(durable)
    }
}
