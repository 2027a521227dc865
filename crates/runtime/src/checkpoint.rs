//! What a subtask does at a barrier, who hears of it, and what becomes of the snapshots.
//!
//! Barriers start at the sources when a checkpoint is requested, flow through every channel, are
//! aligned at every gate, and pass every operator between two calls. Each operator instance hands
//! its snapshot to the job's [`BarrierListener`]. An instance whose input has ended hands over its
//! last snapshot, which stands for it from then on.

mod executor;
pub mod in_flight;
mod job_snapshot;
mod memory;
mod requests;
mod savepoints;
mod silent;
mod stored;
mod storing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use thalweg_core::element::{Barrier, BarrierKind};
use thalweg_core::error::Result;
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{FrozenState, TableSnapshot};

pub use executor::{CheckpointExecutor, ExecutorSpec, Todo};
pub use job_snapshot::{FrozenJob, InstanceSnapshot, JobSnapshot, OperatorSnapshot};
pub use memory::MemoryListener;
pub use requests::{ManualRequest, Reply, Requests, Stopped};
pub use savepoints::{Claimed, Savepoints, dispose};
pub use silent::SilentListener;
pub use stored::{Checkpoints, StartingPoint};
pub use storing::StoringListener;

pub(crate) use stored::{passed_over, to_standard_error};

/// When a snapshot is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The barrier of this checkpoint passes.
    Barrier(u64),
    /// The input has ended and everything is emitted.
    End,
}

/// Hears of barriers as they pass.
pub trait BarrierListener: Send + Sync {
    /// An operator instance passes a moment; `freeze` keeps its state as it is now. The end comes
    /// once more when a sink has committed what it had left: the later state counts.
    ///
    /// # Errors
    /// What freezing fails with.
    fn on_operator(
        &self,
        moment: Moment,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        freeze: &mut dyn FnMut() -> Result<FrozenState>,
    ) -> Result<()>;

    /// The records in front of an operator instance that a barrier has overtaken. Follows
    /// [`BarrierListener::on_operator`], and comes before [`BarrierListener::on_subtask`].
    fn on_in_flight(
        &self,
        checkpoint: u64,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        records: TableSnapshot,
    );

    /// All operators of a subtask have passed a moment; subtasks are numbered through the job.
    fn on_subtask(&self, moment: Moment, subtask: usize);

    /// The latest checkpoint that is durable, whose committables may be committed; `u64::MAX` once
    /// the job's end is. `None` if checkpoints are not stored: sinks commit at their end.
    fn durable(&self) -> Option<u64> {
        None
    }
}

/// A listener shared by all subtasks.
pub type SharedListener = Arc<dyn BarrierListener>;

/// What sources should do: start a checkpoint, end.
#[derive(Debug, Default)]
pub struct CheckpointRequest {
    // The number, and below it the kind in two bits: both are read at once.
    latest: AtomicU64,
    resumed: AtomicU64,
    drained: AtomicBool,
}

const KIND_BITS: u32 = 2;

impl CheckpointRequest {
    /// Asks for a barrier; numbers rise.
    pub fn request(&self, barrier: Barrier) {
        let kind = match barrier.kind {
            BarrierKind::Checkpoint => 0,
            BarrierKind::Savepoint => 1,
            BarrierKind::Suspend => 2,
        };
        let packed = barrier.checkpoint << KIND_BITS | kind;
        self.latest.fetch_max(packed, Ordering::AcqRel);
    }

    /// The latest barrier asked for; number 0 at first.
    pub fn latest(&self) -> Barrier {
        let packed = self.latest.load(Ordering::Acquire);
        Barrier {
            checkpoint: packed >> KIND_BITS,
            kind: match packed & ((1 << KIND_BITS) - 1) {
                0 => BarrierKind::Checkpoint,
                1 => BarrierKind::Savepoint,
                _ => BarrierKind::Suspend,
            },
            overtakes_from: None,
        }
    }

    /// The savepoint of this number came to nothing: what is suspended behind it goes on.
    pub fn resume(&self, checkpoint: u64) {
        self.resumed.fetch_max(checkpoint, Ordering::AcqRel);
    }

    /// The latest savepoint behind which nothing stays suspended.
    pub fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Acquire)
    }

    /// Has the sources end, as if they had nothing more.
    pub fn drain(&self) {
        self.drained.store(true, Ordering::Release);
    }

    /// Whether the sources should end.
    pub fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Acquire)
    }
}
