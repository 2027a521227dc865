//! Sinks: where a job's records go.
//!
//! A writer is told when a checkpoint cuts its stream ([`SinkWriter::flush`]): everything before
//! must then be out of its hands. A sink whose output should appear exactly once also has a
//! [`Committer`]:
//!
//! ```text
//!  write … write   flush   prepare_commit ──▶ committables ──▶ part of the checkpoint
//!                                                                 │ the checkpoint is durable
//!                                                                 ▼
//!                                                              commit: output appears
//! ```
//!
//! After a failure the committables of the checkpoint restored from are committed again, because
//! nobody knows whether they were: a commit must be idempotent. What was written behind that
//! checkpoint is never committed. A job that stores no checkpoints commits once, at its end.

mod guarantee;

pub use guarantee::{DeliveryGuarantee, NoGuarantee};

use crate::container::Payload;
use crate::error::Result;
use crate::operator::{Context, Setup};
use crate::time::ProcessingTime;
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

    /// Whether a batch can be taken without waiting; asked before each [`SinkWriter::write`].
    ///
    /// A writer that says no calls the [`waker`](Setup::waker) once it can. Until then batches wait
    /// in front of it and its senders slow down; a blocked call would stop every task of the
    /// thread. Barriers pass all the same: [`SinkWriter::flush`] must not wait either, so what the
    /// writer has taken and cannot hand on is in its state or becomes a committable.
    ///
    /// # Errors
    /// Fails the task.
    fn is_ready(&mut self, _ctx: &mut Context) -> Result<bool> {
        Ok(true)
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

    /// The clock has reached a timer that the writer has registered.
    ///
    /// # Errors
    /// Fails the task.
    fn on_processing_timer(&mut self, _time: ProcessingTime, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// Everything written so far must become durable, or at least leave this process.
    ///
    /// # Errors
    /// Fails the task.
    fn flush(&mut self, ctx: &mut Context) -> Result<()>;

    /// As [`SinkWriter::flush`], for a savepoint. Several jobs may start from it, while this one
    /// goes on: what it holds must not change any more.
    ///
    /// # Errors
    /// Fails the task.
    fn flush_for_savepoint(&mut self, ctx: &mut Context) -> Result<()> {
        self.flush(ctx)
    }

    /// What was written since the last call, for a [`Committer`] to make it appear. Called right
    /// after [`SinkWriter::flush`] or [`SinkWriter::finish`]; only of a sink that has a committer.
    ///
    /// # Errors
    /// Fails the task.
    fn prepare_commit(&mut self, _ctx: &mut Context) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    /// The input has ended; called once, after the last batch.
    ///
    /// # Errors
    /// Fails the task.
    fn finish(&mut self, ctx: &mut Context) -> Result<()>;
}

/// Makes output appear that a checkpoint has made durable.
pub trait Committer: Send {
    /// Commits. May be called again with the same committables, by another instance and after any
    /// crash: what is committed already stays as it is.
    ///
    /// # Errors
    /// Fails the task; after a restart the same committables come again.
    fn commit(&mut self, committables: &[Vec<u8>]) -> Result<()>;
}

/// Builds the parallel instances of a sink.
pub trait SinkFactory: Send + Sync {
    /// Builds one instance and declares its state.
    ///
    /// # Errors
    /// Fails the job before it starts.
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>>;

    /// The committer of one instance, for a sink that has one.
    ///
    /// # Errors
    /// Fails the job before it starts.
    fn committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
}

impl<F> SinkFactory for F
where
    F: Fn(&mut Setup<'_>) -> Result<Box<dyn SinkWriter>> + Send + Sync,
{
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn SinkWriter>> {
        self(setup)
    }
}
