//! What a stage does when a barrier passes, and when one is in a hurry.

use thalweg_core::element::Barrier;
use thalweg_core::error::Result;
use thalweg_core::id::OperatorUid;
use thalweg_core::state::TableSnapshot;
use thalweg_core::time::ProcessingTime;

use super::{Doing, Incoming, Stage, StageBody};
use crate::checkpoint::in_flight::{InFlightLog, Place};
use crate::checkpoint::{Moment, SharedListener};
use crate::output::Control;

/// What a stage must have done when a barrier passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurry {
    /// Its pending call, up to the record that it is at; the inbox is overtaken.
    Call,
    /// Its inbox, with as many rows of event timers as calls are left: behind them the inbox is
    /// overtaken.
    Inbox {
        /// Calls that fire a row of timers each.
        timer_calls: u64,
    },
}

impl Stage {
    /// Whether it is a sink that a batch waits for, and which cannot take it now.
    ///
    /// # Errors
    /// What the sink fails with.
    pub fn is_blocked(&mut self) -> Result<bool> {
        match (&mut self.body, self.inbox.front()) {
            (StageBody::Sink(sink), Some(Incoming::Batch(..))) => {
                Ok(matches!(self.doing, Doing::Nothing) && !sink.is_ready(&mut self.ctx)?)
            }
            _ => Ok(false),
        }
    }

    /// Whether the end has passed: nothing follows, no barrier either.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the instance is a sink with a batch in front of it.
    pub fn is_sink_with_input(&self) -> bool {
        matches!(self.body, StageBody::Sink(_)) && !self.inbox.is_empty()
    }

    /// Does one bounded thing of what must be done before a barrier can pass. False if there is
    /// nothing, or the rest has to wait: then the barrier overtakes the inbox.
    ///
    /// # Errors
    /// What the instance fails with.
    pub fn hurry(
        &mut self,
        now: ProcessingTime,
        listener: &SharedListener,
        hurry: &mut Hurry,
    ) -> Result<bool> {
        self.ctx.set_now(now);
        if self.pending {
            if matches!(hurry, Hurry::Call) {
                self.take_back();
            }
            self.resume(listener)?;
            self.drain();
            return Ok(true);
        }
        let Hurry::Inbox { timer_calls } = hurry else {
            return Ok(false);
        };
        if let Doing::Watermark(watermark) = self.doing {
            if *timer_calls == 0 {
                return Ok(false);
            }
            *timer_calls -= 1;
            self.fire_event_timers(watermark)?;
        } else if self.inbox.is_empty() || self.is_blocked()? {
            return Ok(false);
        } else if let Some(incoming) = self.inbox.pop_front() {
            self.take(incoming, listener)?;
        }
        self.drain();
        Ok(true)
    }

    /// What a call has not begun with is input again, so that it ends with its present record.
    fn take_back(&mut self) {
        if let StageBody::Operator(operator) = &mut self.body
            && let Some((port, batch)) = operator.give_back()
        {
            self.inbox.push_front(Incoming::Batch(port, batch));
        }
    }

    /// Writes down what the instance has in front of it.
    ///
    /// # Errors
    /// `User` if a batch has no wire form.
    pub fn write_down(&self) -> Result<InFlightLog> {
        let mut log = InFlightLog::default();
        log.watermark(Place::FRONT, self.ctx.watermark());
        for incoming in &self.inbox {
            match incoming {
                Incoming::Batch(port, batch) => log.batch(Place::FRONT, *port, batch.as_ref())?,
                Incoming::Control(Control::Watermark(watermark)) => {
                    log.watermark(Place::FRONT, *watermark);
                }
                Incoming::Control(_) | Incoming::EndOfPort(_) | Incoming::Flush => {}
            }
        }
        Ok(log)
    }

    /// The records in flight as a part of the instance's snapshot, if there are any.
    pub fn in_flight(&self, log: InFlightLog) -> Option<(&OperatorUid, TableSnapshot)> {
        let table = log.into_table(self.in_flight.clone())?;
        Some((&self.uid, table))
    }

    /// Hands over the instance's state at a barrier.
    ///
    /// # Errors
    /// What a sink fails with.
    pub fn snapshot(&mut self, barrier: Barrier, listener: &SharedListener) -> Result<()> {
        self.last_barrier = barrier.checkpoint;
        if let StageBody::Sink(sink) = &mut self.body {
            sink.pass_barrier(barrier, &mut self.ctx)?;
        }
        self.hand_over(Moment::Barrier(barrier.checkpoint), listener)
    }
}
