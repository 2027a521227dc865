//! The typed contracts: what a user or an operator file implements, a record at a time.

use super::context::Context;
use super::output::Output;
use crate::data::Data;
use crate::error::Result;
use crate::rows::Record;
use crate::time::{EventTime, ProcessingTime};

/// One input of `I`, one output of `O`.
///
/// Calls come in the order drawn in the [module docs](super). An operator that has more to say
/// than fits in the output calls [`Output::pause`] and goes on in [`Operator::resume`].
pub trait Operator<I: Data, O: Data>: Send + 'static {
    /// Before anything else; declared state is restored already.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// A record. In a keyed operator the context stands at the record's key.
    ///
    /// # Errors
    /// Fails the task.
    fn process(&mut self, record: Record<I>, ctx: &mut Context, out: &mut Output<O>) -> Result<()>;

    /// Goes on after [`Output::pause`], with room in the output and the same key.
    ///
    /// # Errors
    /// Fails the task.
    fn resume(&mut self, _ctx: &mut Context, _out: &mut Output<O>) -> Result<()> {
        Ok(())
    }

    /// The watermark has reached `time`, for which the current key registered a timer.
    ///
    /// # Errors
    /// Fails the task.
    fn on_event_timer(
        &mut self,
        _time: EventTime,
        _ctx: &mut Context,
        _out: &mut Output<O>,
    ) -> Result<()> {
        Ok(())
    }

    /// The clock has reached `time`, for which the current key registered a timer.
    ///
    /// # Errors
    /// Fails the task.
    fn on_processing_timer(
        &mut self,
        _time: ProcessingTime,
        _ctx: &mut Context,
        _out: &mut Output<O>,
    ) -> Result<()> {
        Ok(())
    }

    /// All input has ended and every event timer has fired. There is no current key.
    ///
    /// # Errors
    /// Fails the task.
    fn finish(&mut self, _ctx: &mut Context, _out: &mut Output<O>) -> Result<()> {
        Ok(())
    }
}

/// Inputs of `A` and `B` that share state, one output of `O`.
pub trait TwoInputOperator<A: Data, B: Data, O: Data>: Send + 'static {
    /// Before anything else; declared state is restored already.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// A record of the first input.
    ///
    /// # Errors
    /// Fails the task.
    fn process_first(
        &mut self,
        record: Record<A>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()>;

    /// A record of the second input.
    ///
    /// # Errors
    /// Fails the task.
    fn process_second(
        &mut self,
        record: Record<B>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()>;

    /// Goes on after [`Output::pause`].
    ///
    /// # Errors
    /// Fails the task.
    fn resume(&mut self, _ctx: &mut Context, _out: &mut Output<O>) -> Result<()> {
        Ok(())
    }

    /// As [`Operator::on_event_timer`]; the watermark is the minimum over both inputs.
    ///
    /// # Errors
    /// Fails the task.
    fn on_event_timer(
        &mut self,
        _time: EventTime,
        _ctx: &mut Context,
        _out: &mut Output<O>,
    ) -> Result<()> {
        Ok(())
    }

    /// As [`Operator::on_processing_timer`].
    ///
    /// # Errors
    /// Fails the task.
    fn on_processing_timer(
        &mut self,
        _time: ProcessingTime,
        _ctx: &mut Context,
        _out: &mut Output<O>,
    ) -> Result<()> {
        Ok(())
    }

    /// Both inputs have ended and every event timer has fired.
    ///
    /// # Errors
    /// Fails the task.
    fn finish(&mut self, _ctx: &mut Context, _out: &mut Output<O>) -> Result<()> {
        Ok(())
    }
}

/// An incremental aggregate.
pub trait AggregateFunction: Send + Sync + Clone + 'static {
    /// What is added.
    type Input: Data;
    /// What is kept.
    type Accumulator: Data;
    /// What comes out.
    type Output: Data;

    /// The aggregate of nothing.
    fn create_accumulator(&self) -> Self::Accumulator;

    /// Adds a value.
    fn add(&self, accumulator: &mut Self::Accumulator, value: Self::Input);

    /// The aggregate of what was added.
    fn result(&self, accumulator: &Self::Accumulator) -> Self::Output;

    /// The accumulator of both inputs: needed where windows merge.
    fn merge(&self, first: Self::Accumulator, second: Self::Accumulator) -> Self::Accumulator;
}
