//! The contract between an operator and the runtime: one call a batch.

use std::sync::Arc;

use super::context::Context;
use super::outputs::Outputs;
use crate::container::Payload;
use crate::error::Result;
use crate::host::Waker;
use crate::metrics::OperatorMetrics;
use crate::state::StateRegistry;
use crate::time::{EventTime, ProcessingTime};

/// Whether a call said all it had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// It did.
    Done,
    /// The outputs are full: drain them, then call `resume`.
    Pending,
}

/// Which instance of an operator this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubtaskInfo {
    /// The operator's name.
    pub operator: String,
    /// `0..parallelism`
    pub index: u32,
    /// How many instances there are.
    pub parallelism: u32,
    /// The number of key groups.
    pub max_parallelism: u32,
}

/// What a factory gets to build an instance.
pub struct Setup<'a> {
    /// Declare state here.
    pub states: &'a mut StateRegistry,
    /// Which instance it will be.
    pub info: &'a SubtaskInfo,
    /// Wakes the task from other threads.
    pub waker: Waker,
    /// How many records an output batch should hold at most.
    pub batch_rows: usize,
    /// The instance's counters.
    pub metrics: OperatorMetrics,
}

/// Builds the instances of an operator.
pub trait OperatorFactory: Send + Sync {
    /// Builds one instance and declares its state.
    ///
    /// # Errors
    /// Fails the job before it starts.
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn BatchOperator>>;
}

impl<F> OperatorFactory for F
where
    F: Fn(&mut Setup<'_>) -> Result<Box<dyn BatchOperator>> + Send + Sync,
{
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn BatchOperator>> {
        self(setup)
    }
}

impl OperatorFactory for Arc<dyn OperatorFactory> {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn BatchOperator>> {
        (**self).create(setup)
    }
}

/// An operator as the runtime calls it. The call sequence is drawn in the [module docs](super).
///
/// INVARIANT: between two calls that returned `Done` all that the operator remembers is in its
/// declared state; the runtime snapshots there. What a `Pending` call still has in hand need not
/// be, because the runtime first lets it finish.
pub trait BatchOperator: Send {
    /// Before anything else; declared state is restored already.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// A batch from input `port` (0 unless the operator has several inputs).
    ///
    /// # Errors
    /// Fails the task.
    fn process(
        &mut self,
        port: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress>;

    /// Goes on after `Pending`.
    ///
    /// # Errors
    /// Fails the task.
    fn resume(&mut self, _ctx: &mut Context, _out: &mut Outputs) -> Result<Progress> {
        Ok(Progress::Done)
    }

    /// Gives back what a pending call has not begun with, as a batch for a port: it comes again as
    /// a call of its own. What is left of the pending call is then no more than one record's. An
    /// operator that cannot is asked to finish instead.
    fn give_back(&mut self) -> Option<(usize, Payload)> {
        None
    }

    /// One due event timer; the context stands at its key.
    ///
    /// # Errors
    /// Fails the task.
    fn on_event_timer(
        &mut self,
        _time: EventTime,
        _ctx: &mut Context,
        _out: &mut Outputs,
    ) -> Result<Progress> {
        Ok(Progress::Done)
    }

    /// One due processing timer; the context stands at its key.
    ///
    /// # Errors
    /// Fails the task.
    fn on_processing_timer(
        &mut self,
        _time: ProcessingTime,
        _ctx: &mut Context,
        _out: &mut Outputs,
    ) -> Result<Progress> {
        Ok(Progress::Done)
    }

    /// The last of several timers in a row has fired, for now: emit what was held back for a fuller
    /// batch. Always called before anything else than another timer is.
    fn after_timers(&mut self, _out: &mut Outputs) {}

    /// The input has nothing more for now: emit what was held back for a fuller batch.
    ///
    /// # Errors
    /// Fails the task.
    fn flush(&mut self, _ctx: &mut Context, _out: &mut Outputs) -> Result<Progress> {
        Ok(Progress::Done)
    }

    /// Input `port` has ended; others may go on.
    ///
    /// # Errors
    /// Fails the task.
    fn end_port(
        &mut self,
        _port: usize,
        _ctx: &mut Context,
        _out: &mut Outputs,
    ) -> Result<Progress> {
        Ok(Progress::Done)
    }

    /// All inputs have ended and every event timer has fired.
    ///
    /// # Errors
    /// Fails the task.
    fn finish(&mut self, _ctx: &mut Context, _out: &mut Outputs) -> Result<Progress> {
        Ok(Progress::Done)
    }
}
