//! Sinks: where a job's records go.
//!
//! A writer is told when a checkpoint cuts its stream ([`SinkWriter::flush`]): everything before
//! must then be out of its hands. The two-phase part (committables, committer) builds on this call.

use crate::container::Payload;
use crate::error::Result;
use crate::operator::{Context, Setup};
use crate::watermark::{Watermark, WatermarkStatus};

/// One parallel instance of a sink.
pub trait SinkWriter: Send {
    /// Before the first batch; declared state is restored already.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// Fails the task.
    fn write(&mut self, batch: Payload, ctx: &mut Context) -> Result<()>;

    /// The stream's watermark has advanced: for sinks that pass event time on.
    ///
    /// # Errors
    /// Fails the task.
    fn write_watermark(&mut self, _watermark: Watermark, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// The stream has become idle or active.
    ///
    /// # Errors
    /// Fails the task.
    fn write_status(&mut self, _status: WatermarkStatus, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// Everything written so far must become durable, or at least leave this process.
    ///
    /// # Errors
    /// Fails the task.
    fn flush(&mut self, ctx: &mut Context) -> Result<()>;

    /// The input has ended; called once, after the last batch.
    ///
    /// # Errors
    /// Fails the task.
    fn finish(&mut self, ctx: &mut Context) -> Result<()>;
}

/// Builds the parallel instances of a sink.
pub trait SinkFactory: Send + Sync {
    /// Builds one instance and declares its state.
    ///
    /// # Errors
    /// Fails the job before it starts.
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>>;
}

impl<F> SinkFactory for F
where
    F: Fn(&mut Setup<'_>) -> Result<Box<dyn SinkWriter>> + Send + Sync,
{
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        self(setup)
    }
}
