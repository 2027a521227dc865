//! Operators with a broadcast input: one side changes what all instances know, the other reads it.

use std::ops::Deref;

use super::context::Context;
use super::output::Output;
use crate::data::Data;
use crate::error::Result;
use crate::rows::Record;
use crate::state::{KeyedState, StateRegistry};
use crate::time::{EventTime, ProcessingTime};

/// An input of `T`, and one of `B` that every instance gets all of.
///
/// Only [`BroadcastOperator::process_broadcast`] can write
/// [broadcast state](crate::state::BroadcastState): it is called in every instance for every
/// broadcast record, so that all copies become equal. It must do the same everywhere. Records of
/// several senders reach each instance in another order: what becomes of the state must not depend
/// on it.
///
/// Nothing is said about the order between the two inputs. The watermark is the minimum over both:
/// an event timer fires when the broadcast records up to its time are there.
///
/// # Source
/// Flink `BroadcastProcessFunction`, `KeyedBroadcastProcessFunction`.
pub trait BroadcastOperator<T: Data, B: Data, O: Data>: Send + 'static {
    /// Before anything else; declared state is restored already.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, _ctx: &mut Context) -> Result<()> {
        Ok(())
    }

    /// A record of the first input. In a keyed operator the context stands at the record's key.
    ///
    /// # Errors
    /// Fails the task.
    fn process(&mut self, record: Record<T>, ctx: &mut Context, out: &mut Output<O>) -> Result<()>;

    /// A broadcast record, in every instance. There is no current key.
    ///
    /// # Errors
    /// Fails the task.
    fn process_broadcast(
        &mut self,
        record: Record<B>,
        ctx: &mut BroadcastContext<'_>,
        out: &mut Output<O>,
    ) -> Result<()>;

    /// Goes on after [`Output::pause`].
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

    /// Both inputs have ended and every event timer has fired. There is no current key.
    ///
    /// # Errors
    /// Fails the task.
    fn finish(&mut self, _ctx: &mut Context, _out: &mut Output<O>) -> Result<()> {
        Ok(())
    }
}

/// The world as it is seen while a broadcast record is processed: all of a [`Context`] for reading,
/// and broadcast state for writing.
pub struct BroadcastContext<'a> {
    ctx: &'a mut Context,
}

impl<'a> BroadcastContext<'a> {
    pub(super) fn new(ctx: &'a mut Context) -> Self {
        BroadcastContext { ctx }
    }

    pub(crate) fn states_mut(&mut self) -> &mut StateRegistry {
        self.ctx.states_mut()
    }

    /// Calls a function with every key of this instance that has something in a keyed state: the
    /// context stands at the key. Keys come in no specified order. A function that clears the state
    /// is not called again; state of other keys is out of its reach.
    ///
    /// Costs a visit of all keys of the state, also of those that lie in a store.
    ///
    /// # Errors
    /// `User` if the operator has no keys; what the function or the state's store fails with.
    ///
    /// # Source
    /// Flink `KeyedBroadcastProcessFunction.Context.applyToKeyedState`.
    pub fn apply_to_keyed_state(
        &mut self,
        state: &impl KeyedState,
        function: impl FnMut(&mut Context) -> Result<()>,
    ) -> Result<()> {
        self.ctx.for_each_key(state, function)
    }
}

impl Deref for BroadcastContext<'_> {
    type Target = Context;

    fn deref(&self) -> &Context {
        self.ctx
    }
}

/// A [`BroadcastOperator`] of a stream without keys, as an operator of two inputs.
pub struct Broadcasting<Op>(pub Op);

/// The calls that the operators of keyed and other streams have in common.
macro_rules! forward_broadcast {
    () => {
        fn open(&mut self, ctx: &mut Context) -> Result<()> {
            self.0.open(ctx)
        }
        fn process_second(
            &mut self,
            record: Record<B>,
            ctx: &mut Context,
            out: &mut Output<O>,
        ) -> Result<()> {
            ctx.set_slot(crate::state::Slot::NONE);
            let ctx = &mut BroadcastContext::new(ctx);
            self.0.process_broadcast(record, ctx, out)
        }
        fn resume(&mut self, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
            self.0.resume(ctx, out)
        }
        fn on_event_timer(
            &mut self,
            time: EventTime,
            ctx: &mut Context,
            out: &mut Output<O>,
        ) -> Result<()> {
            self.0.on_event_timer(time, ctx, out)
        }
        fn on_processing_timer(
            &mut self,
            time: ProcessingTime,
            ctx: &mut Context,
            out: &mut Output<O>,
        ) -> Result<()> {
            self.0.on_processing_timer(time, ctx, out)
        }
        fn finish(&mut self, ctx: &mut Context, out: &mut Output<O>) -> Result<()> {
            ctx.set_slot(crate::state::Slot::NONE);
            self.0.finish(ctx, out)
        }
    };
}
pub(super) use forward_broadcast;

impl<T, B, O, Op> super::TwoInputOperator<T, B, O> for Broadcasting<Op>
where
    T: Data,
    B: Data,
    O: Data,
    Op: BroadcastOperator<T, B, O>,
{
    fn process_first(
        &mut self,
        record: Record<T>,
        ctx: &mut Context,
        out: &mut Output<O>,
    ) -> Result<()> {
        self.0.process(record, ctx, out)
    }

    forward_broadcast!();
}
