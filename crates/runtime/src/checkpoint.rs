//! What a subtask does at a barrier, who hears of it, and what becomes of the snapshots.
//!
//! Barriers start at the sources when a checkpoint is requested, flow through every channel, are
//! aligned at every gate, and pass every operator between two calls. Each operator instance hands
//! its snapshot to the job's [`BarrierListener`]. An instance whose input has ended hands over its
//! last snapshot, which stands for it from then on.

mod counting;
mod executor;
pub mod in_flight;
mod job_snapshot;
mod memory;
mod stored;
mod storing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thalweg_core::id::OperatorUid;
use thalweg_core::operator::SubtaskInfo;
use thalweg_core::state::{StateSnapshot, TableSnapshot};

pub use counting::CountingListener;
pub use executor::{CheckpointExecutor, ExecutorSpec, Todo};
pub use job_snapshot::{InstanceSnapshot, JobSnapshot, OperatorSnapshot};
pub use memory::MemoryListener;
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
    /// An operator instance passes a moment; `snapshot` writes its state when called.
    fn on_operator(
        &self,
        moment: Moment,
        uid: &OperatorUid,
        info: &SubtaskInfo,
        snapshot: &mut dyn FnMut() -> StateSnapshot,
    );

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
