//! Sources: where a job's records come from.
//!
//! A reader is polled by its task; it never blocks for long. It keeps what it must remember (which
//! split, which offset) in declared operator state, like any operator, so that a snapshot between
//! two polls is whole.

use crate::error::Result;
use crate::operator::{Context, Outputs, Setup};
use crate::time::ProcessingTime;

/// Whether a source ever ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundedness {
    /// It does.
    Bounded,
    /// It does not.
    Unbounded,
}

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Something was emitted, or there may be more right away.
    Ready,
    /// Nothing now. Poll again when the waker of the setup is called, or at `until`.
    Idle {
        /// When there will be something, if that is known.
        until: Option<ProcessingTime>,
    },
    /// Nothing will follow. The runtime emits the last watermark.
    End,
}

/// One parallel instance of a source.
pub trait SourceReader: Send {
    /// Before the first poll; declared state is restored already.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// Emits at most about `out.rows_max()` records, and watermarks if it makes its own.
    ///
    /// # Errors
    /// Fails the task.
    fn poll(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Poll>;
}

/// Builds the parallel instances of a source.
pub trait SourceFactory: Send + Sync {
    /// Builds one instance and declares its state.
    ///
    /// # Errors
    /// Fails the job before it starts.
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SourceReader>>;

    /// Whether the source ends.
    fn boundedness(&self) -> Boundedness;
}
