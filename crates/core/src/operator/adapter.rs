//! Turns typed operators without keys into batch operators.

use super::batch::{BatchOperator, Progress, Setup};
use super::context::Context;
use super::output::Output;
use super::outputs::Outputs;
use super::typed::{Operator, TwoInputOperator};
use crate::container::{Payload, downcast};
use crate::data::Data;
use crate::error::{Error, Result};
use crate::rows::{Record, Rows};
use crate::time::{EventTime, ProcessingTime};

/// The records of a batch that are still to be processed.
pub(super) struct Pending<T> {
    values: std::vec::IntoIter<T>,
    times: std::vec::IntoIter<i64>,
}

impl<T: Data> Pending<T> {
    pub(super) fn none() -> Self {
        Pending {
            values: Vec::new().into_iter(),
            times: Vec::new().into_iter(),
        }
    }

    pub(super) fn of(rows: Rows<T>) -> Self {
        Pending {
            values: rows.values.into_iter(),
            times: rows.times.into_iter(),
        }
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<Record<T>> {
        let value = self.values.next()?;
        let time = self.times.next().unwrap_or(EventTime::NONE.0);
        Some(Record::new(value, EventTime(time)))
    }

    /// Takes out what is left.
    pub(super) fn take_rest(&mut self) -> Option<Rows<T>> {
        let rest = std::mem::replace(self, Pending::none());
        (rest.len() > 0).then(|| Rows {
            values: rest.values.collect(),
            times: rest.times.collect(),
            hashes: Vec::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// Runs an [`Operator`] on batches of rows.
pub struct RowsOperator<I, O, Op> {
    operator: Op,
    output: Output<O>,
    pending: Pending<I>,
    paused: bool,
}

impl<I: Data, O: Data, Op: Operator<I, O>> RowsOperator<I, O, Op> {
    /// Wraps an operator.
    pub fn new(operator: Op, setup: &Setup<'_>) -> Self {
        RowsOperator {
            operator,
            output: Output::new(setup.batch_rows),
            pending: Pending::none(),
            paused: false,
        }
    }

    /// The records that a pending call has not begun with.
    pub(super) fn take_rest(&mut self) -> Option<Rows<I>> {
        self.pending.take_rest()
    }

    fn drive(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        if self.paused {
            self.operator.resume(ctx, &mut self.output)?;
            self.paused = self.output.take_paused();
        }
        while !self.paused {
            if self.output.is_full() && self.pending.len() > 0 {
                self.output.flush(out);
                return Ok(Progress::Pending);
            }
            let Some(record) = self.pending.next() else {
                break;
            };
            self.operator.process(record, ctx, &mut self.output)?;
            self.paused = self.output.take_paused();
        }
        self.output.flush(out);
        Ok(if self.paused {
            Progress::Pending
        } else {
            Progress::Done
        })
    }

    // Timers often come in long rows that emit a record each: those share a batch.
    fn after_timer(&mut self, out: &mut Outputs) -> Progress {
        self.paused = self.output.take_paused();
        if self.paused || self.output.is_full() {
            self.output.flush(out);
        }
        if self.paused {
            Progress::Pending
        } else {
            Progress::Done
        }
    }

    fn after(&mut self, out: &mut Outputs) -> Progress {
        self.paused = self.output.take_paused();
        self.output.flush(out);
        if self.paused {
            Progress::Pending
        } else {
            Progress::Done
        }
    }
}

impl<I: Data, O: Data, Op: Operator<I, O>> BatchOperator for RowsOperator<I, O, Op> {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        self.operator.open(ctx)
    }

    fn process(
        &mut self,
        _: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.pending = Pending::of(*downcast::<Rows<I>>(batch)?);
        self.drive(ctx, out)
    }

    fn resume(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.drive(ctx, out)
    }

    fn give_back(&mut self) -> Option<(usize, Payload)> {
        let rows = self.take_rest()?;
        Some((0, Box::new(rows)))
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.operator.on_event_timer(time, ctx, &mut self.output)?;
        Ok(self.after_timer(out))
    }

    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.operator
            .on_processing_timer(time, ctx, &mut self.output)?;
        Ok(self.after_timer(out))
    }

    fn after_timers(&mut self, out: &mut Outputs) {
        self.output.flush(out);
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.operator.finish(ctx, &mut self.output)?;
        Ok(self.after(out))
    }
}

/// Runs a [`TwoInputOperator`] on batches of rows.
pub struct TwoInputRowsOperator<A, B, O, Op> {
    operator: Op,
    output: Output<O>,
    first: Pending<A>,
    second: Pending<B>,
    paused: bool,
}

impl<A: Data, B: Data, O: Data, Op: TwoInputOperator<A, B, O>> TwoInputRowsOperator<A, B, O, Op> {
    /// Wraps an operator.
    pub fn new(operator: Op, setup: &Setup<'_>) -> Self {
        TwoInputRowsOperator {
            operator,
            output: Output::new(setup.batch_rows),
            first: Pending::none(),
            second: Pending::none(),
            paused: false,
        }
    }

    /// The records that a pending call has not begun with: of one input, since a call has one.
    pub(super) fn take_rest(&mut self) -> (Option<Rows<A>>, Option<Rows<B>>) {
        (self.first.take_rest(), self.second.take_rest())
    }

    fn drive(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        if self.paused {
            self.operator.resume(ctx, &mut self.output)?;
            self.paused = self.output.take_paused();
        }
        while !self.paused {
            if self.output.is_full() && self.first.len() + self.second.len() > 0 {
                self.output.flush(out);
                return Ok(Progress::Pending);
            }
            if let Some(record) = self.first.next() {
                self.operator.process_first(record, ctx, &mut self.output)?;
            } else if let Some(record) = self.second.next() {
                self.operator
                    .process_second(record, ctx, &mut self.output)?;
            } else {
                break;
            }
            self.paused = self.output.take_paused();
        }
        self.output.flush(out);
        Ok(if self.paused {
            Progress::Pending
        } else {
            Progress::Done
        })
    }

    // Timers often come in long rows that emit a record each: those share a batch.
    fn after_timer(&mut self, out: &mut Outputs) -> Progress {
        self.paused = self.output.take_paused();
        if self.paused || self.output.is_full() {
            self.output.flush(out);
        }
        if self.paused {
            Progress::Pending
        } else {
            Progress::Done
        }
    }

    fn after(&mut self, out: &mut Outputs) -> Progress {
        self.paused = self.output.take_paused();
        self.output.flush(out);
        if self.paused {
            Progress::Pending
        } else {
            Progress::Done
        }
    }
}

impl<A: Data, B: Data, O: Data, Op: TwoInputOperator<A, B, O>> BatchOperator
    for TwoInputRowsOperator<A, B, O, Op>
{
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        self.operator.open(ctx)
    }

    fn process(
        &mut self,
        port: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        match port {
            0 => self.first = Pending::of(*downcast::<Rows<A>>(batch)?),
            1 => self.second = Pending::of(*downcast::<Rows<B>>(batch)?),
            other => return Err(Error::internal(format!("no input port {other}"))),
        }
        self.drive(ctx, out)
    }

    fn resume(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.drive(ctx, out)
    }

    fn give_back(&mut self) -> Option<(usize, Payload)> {
        match self.take_rest() {
            (Some(rows), _) => Some((0, Box::new(rows))),
            (None, Some(rows)) => Some((1, Box::new(rows))),
            (None, None) => None,
        }
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.operator.on_event_timer(time, ctx, &mut self.output)?;
        Ok(self.after_timer(out))
    }

    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.operator
            .on_processing_timer(time, ctx, &mut self.output)?;
        Ok(self.after_timer(out))
    }

    fn after_timers(&mut self, out: &mut Outputs) {
        self.output.flush(out);
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.operator.finish(ctx, &mut self.output)?;
        Ok(self.after(out))
    }
}
