//! What a channel carries: batches, and the control elements between them.

use crate::container::Payload;
use crate::time::ProcessingTime;
use crate::watermark::{Watermark, WatermarkStatus};

/// What a barrier is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BarrierKind {
    /// A checkpoint, which the job owns.
    #[default]
    Checkpoint,
    /// A savepoint, which a user owns: aligned, whatever the mode.
    Savepoint,
    /// A savepoint with which the job stops: nothing moves behind it, no timer fires.
    Suspend,
}

/// The point at which a checkpoint cuts a stream: what came before belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Barrier {
    /// The checkpoint's number, rising by one.
    pub checkpoint: u64,
    /// What it is for.
    pub kind: BarrierKind,
    /// From when on it may overtake records, which then are part of the checkpoint; `None` if it
    /// stays behind them however long that takes.
    pub overtakes_from: Option<ProcessingTime>,
}

impl Barrier {
    /// The barrier of a checkpoint that the job owns. It overtakes nothing.
    pub const fn of_checkpoint(checkpoint: u64) -> Self {
        Barrier {
            checkpoint,
            kind: BarrierKind::Checkpoint,
            overtakes_from: None,
        }
    }
}

/// One element of a stream.
pub enum StreamElement {
    /// Records.
    Batch(Payload),
    /// No more elements at or before it.
    Watermark(Watermark),
    /// Whether this input takes part in the minimum over inputs.
    Status(WatermarkStatus),
    /// A checkpoint's cut.
    Barrier(Barrier),
    /// Nothing follows.
    EndOfInput,
}

impl std::fmt::Debug for StreamElement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StreamElement::Batch(batch) => write!(f, "Batch({} records)", batch.len()),
            StreamElement::Watermark(watermark) => write!(f, "{watermark:?}"),
            StreamElement::Status(status) => write!(f, "{status:?}"),
            StreamElement::Barrier(barrier) => write!(f, "{barrier:?}"),
            StreamElement::EndOfInput => f.write_str("EndOfInput"),
        }
    }
}
