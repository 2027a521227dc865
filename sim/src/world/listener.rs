//! Between the subtasks and the engine's listener: sees every snapshot, and says when sinks hear
//! that a checkpoint is durable.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_core::element::BarrierKind;
use thalweg_core::error::Result;
use thalweg_core::id::OperatorUid;
use thalweg_core::key_group::stable_hash_bytes;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{FrozenState, Redistribution, StateSnapshot, StateView, TableSnapshot};
use thalweg_runtime::checkpoint::{BarrierListener, CheckpointRequest, Moment, StoringListener};
use thalweg_state::format::write_snapshot;

use crate::plant::Plant;

/// Whose snapshot.
pub type Instance = (OperatorUid, u32);

#[derive(Default)]
struct Seen {
    barriers: BTreeMap<u64, BTreeMap<Instance, u64>>,
    in_flight: BTreeMap<u64, BTreeMap<Instance, TableSnapshot>>,
    /// A sink hands over its last state once more when it has committed.
    ends: BTreeMap<Instance, Vec<u64>>,
}

/// The listener of one attempt.
pub struct SimListener {
    inner: Arc<StoringListener>,
    request: Arc<CheckpointRequest>,
    shown: AtomicU64,
    seen: Mutex<Seen>,
    plant: Option<Plant>,
}

/// The hash of a snapshot. Entries of keyed tables have no order: layers have them in another.
pub fn snapshot_hash(snapshot: &StateSnapshot) -> u64 {
    let mut ordered = snapshot.clone();
    let tables = ordered.tables.iter_mut();
    for table in tables.filter(|table| table.redistribution == Redistribution::KeyGroup) {
        let mut entries: Vec<_> = table.entries.iter().collect();
        entries.sort_unstable();
        table.entries = entries.into_iter().collect();
    }
    let mut bytes = Vec::new();
    let written = write_snapshot(&StateView::from(&ordered), &mut |part| {
        bytes.extend_from_slice(part);
        Ok(())
    });
    assert!(written.is_ok(), "memory takes all");
    stable_hash_bytes(&bytes)
}

impl SimListener {
    /// A listener of an attempt that starts from checkpoint `restored`.
    pub fn new(
        inner: Arc<StoringListener>,
        request: Arc<CheckpointRequest>,
        restored: u64,
        plant: Option<Plant>,
    ) -> Self {
        SimListener {
            inner,
            request,
            shown: AtomicU64::new(restored),
            seen: Mutex::default(),
            plant,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checkpoint that the engine knows to be durable.
    pub fn known(&self) -> u64 {
        self.inner.durable().unwrap_or(0)
    }

    /// The checkpoint that sinks know to be durable.
    pub fn shown(&self) -> u64 {
        self.shown.load(Ordering::Acquire)
    }

    /// Sinks hear of a durable checkpoint.
    pub fn show(&self, durable: u64) {
        self.shown.fetch_max(durable, Ordering::AcqRel);
    }

    /// The hashes of what an instance has handed over for a checkpoint: at its barrier, or before
    /// it at the instance's end, which may come twice.
    pub fn handed_over(&self, checkpoint: u64, instance: &Instance) -> Vec<u64> {
        let seen = self.seen();
        let barrier = seen.barriers.get(&checkpoint).and_then(|b| b.get(instance));
        match barrier {
            Some(hash) => vec![*hash],
            None => seen.ends.get(instance).cloned().unwrap_or_default(),
        }
    }

    /// The records in flight that an instance has handed over for a checkpoint.
    pub fn in_flight(&self, checkpoint: u64, instance: &Instance) -> Option<TableSnapshot> {
        let seen = self.seen();
        let records = seen.in_flight.get(&checkpoint)?;
        records.get(instance).cloned()
    }

    /// Forgets the last snapshots of instances that go back to before their end.
    pub fn forget_ends(&self, instances: &[Instance]) {
        let mut seen = self.seen();
        seen.ends
            .retain(|instance, _| !instances.contains(instance));
    }

    /// Forgets the snapshots of a checkpoint and of those before it.
    pub fn forget(&self, checkpoint: u64) {
        let mut seen = self.seen();
        seen.barriers.retain(|known, _| *known > checkpoint);
        seen.in_flight.retain(|known, _| *known > checkpoint);
    }
}

impl BarrierListener for SimListener {
    fn on_operator(
        &self,
        moment: Moment,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        freeze: &mut dyn FnMut() -> Result<FrozenState>,
    ) -> Result<()> {
        let state = freeze()?;
        let hash = snapshot_hash(&state.whole().encode()?);
        let instance = (uid.clone(), info.index);
        match moment {
            Moment::Barrier(checkpoint) => {
                let mut seen = self.seen();
                seen.barriers
                    .entry(checkpoint)
                    .or_default()
                    .insert(instance, hash);
            }
            Moment::End => self.seen().ends.entry(instance).or_default().push(hash),
        }
        let dropped = self.plant == Some(Plant::DropSnapshot) && info.index == 1;
        if !dropped {
            self.inner
                .on_operator(moment, uid, info, &mut || Ok(state.clone()))?;
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
        let instance = (uid.clone(), info.index);
        let mut seen = self.seen();
        let of_checkpoint = seen.in_flight.entry(checkpoint).or_default();
        of_checkpoint.insert(instance, records.clone());
        drop(seen);
        self.inner.on_in_flight(checkpoint, uid, info, records);
    }

    fn on_subtask(&self, moment: Moment, subtask: usize) {
        self.inner.on_subtask(moment, subtask);
    }

    fn durable(&self) -> Option<u64> {
        Some(match self.plant {
            Some(Plant::CommitSavepoint) => match self.request.latest() {
                barrier if barrier.kind == BarrierKind::Savepoint => {
                    self.shown().max(barrier.checkpoint)
                }
                _ => self.shown(),
            },
            Some(Plant::CommitEarly) => self.shown().max(self.request.latest().checkpoint),
            _ => self.shown(),
        })
    }
}
