//! One operator instance of a chain: its inbox, what it is in the middle of, what it has emitted.
//!
//! A stage is called only when everything it emitted before has been taken, and does one bounded
//! thing a call. Order of preference: finish a pending call, fire due timers, take the inbox.
//!
//! INVARIANT: a watermark is forwarded after every timer it makes due has fired; a barrier passes
//! only between whole calls.

mod barrier;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use thalweg_core::container::Payload;
use thalweg_core::data::Schema;
use thalweg_core::element::{Barrier, BarrierKind, StreamElement};
use thalweg_core::error::{Error, Result};
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::{BatchOperator, Context, OutputElement, Outputs, Progress};
use thalweg_core::source::{Poll, SourceReader};
use thalweg_core::state::Slot;
use thalweg_core::time::ProcessingTime;
use thalweg_core::watermark::{Watermark, WatermarkStatus};

pub use barrier::Hurry;

use super::sink_stage::SinkStage;
use crate::checkpoint::in_flight::Restored;
use crate::checkpoint::{Moment, SharedListener};
use crate::output::Control;

// Timers fired in one call, so that a barrier is never stuck behind all of them.
const TIMERS_PER_CALL_MAX: usize = 1024;

/// What runs in a stage.
pub enum StageBody {
    /// A source, always the head.
    Source(Box<dyn SourceReader>),
    /// An operator.
    Operator(Box<dyn BatchOperator>),
    /// A sink.
    Sink(SinkStage),
}

/// What a stage is built from.
pub struct StageSpec {
    /// The operator's name across upgrades.
    pub uid: OperatorUid,
    /// The instance.
    pub body: StageBody,
    /// Its context, restored already.
    pub ctx: Context,
    /// Whether it makes its own watermarks.
    pub generates_watermarks: bool,
    /// The side outputs that are read.
    pub sides: Vec<String>,
    /// Records of an output batch, at most.
    pub batch_rows: usize,
    /// Whether the input of all instances had ended in the snapshot this one starts from.
    pub finished: bool,
    /// The shape of records in flight in front of it.
    pub in_flight: Schema,
    /// The records that were in flight when the snapshot was taken; of a head the gate has them.
    pub restored: Restored,
}

/// What a stage is told.
pub enum Incoming {
    /// A batch for an input port.
    Batch(usize, Payload),
    /// A control element.
    Control(Control),
    /// An input port has ended.
    EndOfPort(usize),
    /// There is nothing more for now.
    Flush,
}

/// What a stage has emitted.
pub enum Emission {
    /// To the main output.
    Main(Payload),
    /// To a side output.
    Side(usize, Payload),
    /// To all outputs.
    Control(Control),
}

enum Doing {
    Nothing,
    /// Firing the event timers due at the watermark, which is then forwarded.
    Watermark(Watermark),
}

/// One operator instance at its place in a chain.
pub struct Stage {
    uid: OperatorUid,
    body: StageBody,
    ctx: Context,
    out: Outputs,
    generates_watermarks: bool,
    inbox: VecDeque<Incoming>,
    emitted: VecDeque<Emission>,
    doing: Doing,
    pending: bool,
    finishing: bool,
    finished: bool,
    suspended: bool,
    // The newest barrier that has passed.
    last_barrier: u64,
    // The end has passed.
    ended: bool,
    in_flight: Schema,
}

impl Stage {
    /// Builds a stage.
    pub fn new(spec: StageSpec) -> Self {
        Stage {
            uid: spec.uid,
            body: spec.body,
            ctx: spec.ctx,
            out: Outputs::new(spec.batch_rows, spec.sides),
            generates_watermarks: spec.generates_watermarks,
            inbox: spec.restored.into_iter().filter_map(incoming).collect(),
            emitted: VecDeque::new(),
            doing: Doing::Nothing,
            pending: false,
            finishing: false,
            finished: spec.finished,
            suspended: false,
            last_barrier: 0,
            ended: false,
            in_flight: spec.in_flight,
        }
    }

    /// Opens the instance.
    ///
    /// # Errors
    /// What the instance fails with.
    pub fn open(&mut self, now: ProcessingTime) -> Result<()> {
        self.ctx.set_now(now);
        match &mut self.body {
            StageBody::Source(source) => source.open(&mut self.ctx),
            StageBody::Operator(operator) => operator.open(&mut self.ctx),
            StageBody::Sink(sink) => sink.open(&mut self.ctx),
        }
    }

    /// Puts something into the inbox.
    pub fn push(&mut self, incoming: Incoming) {
        self.inbox.push_back(incoming);
    }

    /// Whether it would take another element without queueing.
    pub fn accepts(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Whether a call would do something.
    pub fn has_work(&self, now: ProcessingTime) -> bool {
        self.pending
            || !matches!(self.doing, Doing::Nothing)
            || !self.inbox.is_empty()
            || self.next_timer().is_some_and(|at| at <= now)
    }

    /// The emitted elements.
    pub fn emitted(&mut self) -> &mut VecDeque<Emission> {
        &mut self.emitted
    }

    /// When the next processing timer is due.
    pub fn next_timer(&self) -> Option<ProcessingTime> {
        let timer = self.ctx.next_processing_timer();
        timer.filter(|_| !self.suspended)
    }

    /// Whether the barrier has passed behind which nothing moves.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Ends the suspension.
    pub fn go_on(&mut self) {
        self.suspended = false;
    }

    /// The instance's context.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// Whether it was restored at its end: it does nothing more but pass the end on.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether output of this instance waits for a checkpoint to become durable.
    pub fn waits_for_commit(&self) -> bool {
        match &self.body {
            StageBody::Sink(sink) => sink.waits(&self.ctx),
            _ => false,
        }
    }

    /// Whether a call of [`Stage::commit`] would commit something.
    pub fn has_commit(&self, durable: Option<u64>) -> bool {
        match &self.body {
            StageBody::Sink(sink) => sink.is_due(&self.ctx, durable),
            _ => false,
        }
    }

    /// Commits what a durable checkpoint holds.
    ///
    /// # Errors
    /// What the committer fails with.
    pub fn commit(&mut self, durable: Option<u64>, listener: &SharedListener) -> Result<()> {
        let StageBody::Sink(sink) = &mut self.body else {
            return Ok(());
        };
        sink.commit(durable, &mut self.ctx)?;
        if self.ended && durable.is_some_and(|durable| durable < u64::MAX) {
            // Else all later checkpoints would hold what is committed, and each start would commit
            // it once more.
            self.hand_over(Moment::End, listener)?;
        }
        Ok(())
    }

    /// Whether the instance is a source.
    pub fn is_source(&self) -> bool {
        matches!(self.body, StageBody::Source(_))
    }

    /// Polls the source.
    ///
    /// # Errors
    /// What the source fails with, or `Internal` if this is no source.
    pub fn poll(&mut self, now: ProcessingTime) -> Result<Poll> {
        self.ctx.set_now(now);
        let StageBody::Source(source) = &mut self.body else {
            return Err(Error::internal("polled an operator that is no source"));
        };
        let poll = source.poll(&mut self.ctx, &mut self.out)?;
        self.drain();
        Ok(poll)
    }

    fn resume(&mut self, listener: &SharedListener) -> Result<()> {
        let progress = match &mut self.body {
            StageBody::Operator(operator) => operator.resume(&mut self.ctx, &mut self.out)?,
            _ => Progress::Done,
        };
        self.after_call(progress, listener)
    }

    /// Does one bounded thing.
    ///
    /// # Errors
    /// What the instance fails with.
    pub fn step(&mut self, now: ProcessingTime, listener: &SharedListener) -> Result<()> {
        self.ctx.set_now(now);
        if self.pending {
            self.resume(listener)?;
        } else if let Doing::Watermark(watermark) = self.doing {
            self.fire_event_timers(watermark)?;
        } else if self.next_timer().is_some_and(|at| at <= now) {
            self.fire_processing_timers()?;
        } else if let Some(incoming) = self.inbox.pop_front() {
            self.take(incoming, listener)?;
        }
        self.drain();
        Ok(())
    }

    fn take(&mut self, incoming: Incoming, listener: &SharedListener) -> Result<()> {
        match incoming {
            Incoming::Batch(port, batch) => {
                self.ctx.metrics().records_in.add(batch.len() as u64);
                let progress = match &mut self.body {
                    StageBody::Operator(operator) => {
                        operator.process(port, batch, &mut self.ctx, &mut self.out)?
                    }
                    StageBody::Sink(sink) => {
                        sink.write(batch, &mut self.ctx)?;
                        Progress::Done
                    }
                    StageBody::Source(_) => return Err(Error::internal("a source has no input")),
                };
                self.after_call(progress, listener)?;
            }
            Incoming::EndOfPort(port) => {
                if let StageBody::Operator(operator) = &mut self.body {
                    let progress = operator.end_port(port, &mut self.ctx, &mut self.out)?;
                    self.after_call(progress, listener)?;
                }
            }
            Incoming::Flush => {
                if let StageBody::Operator(operator) = &mut self.body {
                    let progress = operator.flush(&mut self.ctx, &mut self.out)?;
                    self.after_call(progress, listener)?;
                }
            }
            Incoming::Control(control) => self.take_control(control, listener)?,
        }
        Ok(())
    }

    fn take_control(&mut self, control: Control, listener: &SharedListener) -> Result<()> {
        match control {
            Control::Watermark(watermark) => {
                // A generator's timers follow its own watermarks; only the last one passes it.
                // After a restore one may come that an older one was ahead of.
                let rises = watermark >= self.ctx.watermark();
                if rises && (!self.generates_watermarks || watermark == Watermark::MAX) {
                    self.ctx.set_watermark(watermark);
                    self.doing = Doing::Watermark(watermark);
                }
            }
            Control::Status(status) => self.forward_status(status)?,
            Control::Barrier(barrier) => self.pass_barrier(barrier, listener)?,
            Control::EndOfInput => self.finish(listener)?,
        }
        Ok(())
    }

    fn forward_status(&mut self, status: WatermarkStatus) -> Result<()> {
        if let StageBody::Sink(sink) = &mut self.body {
            sink.write_status(status, &mut self.ctx)?;
        }
        if !self.generates_watermarks {
            self.emitted
                .push_back(Emission::Control(Control::Status(status)));
        }
        Ok(())
    }

    fn pass_barrier(&mut self, barrier: Barrier, listener: &SharedListener) -> Result<()> {
        self.suspended |= barrier.kind == BarrierKind::Suspend;
        // A newer one may have overtaken it in the inbox: it finds other state than it should.
        if barrier.checkpoint > self.last_barrier {
            self.snapshot(barrier, listener)?;
        }
        self.emitted
            .push_back(Emission::Control(Control::Barrier(barrier)));
        Ok(())
    }

    pub(super) fn hand_over(&mut self, moment: Moment, listener: &SharedListener) -> Result<()> {
        let info = self.ctx.info().clone();
        let ctx = &mut self.ctx;
        listener.on_operator(moment, &self.uid, &info, &mut || ctx.freeze())
    }

    fn finish(&mut self, listener: &SharedListener) -> Result<()> {
        self.ctx.set_slot(Slot::NONE);
        self.finishing = true;
        let progress = match &mut self.body {
            _ if self.finished => Progress::Done,
            StageBody::Operator(operator) => operator.finish(&mut self.ctx, &mut self.out)?,
            StageBody::Sink(sink) => {
                sink.finish(self.last_barrier, listener.durable(), &mut self.ctx)?;
                Progress::Done
            }
            StageBody::Source(_) => Progress::Done,
        };
        self.after_call(progress, listener)
    }

    fn after_call(&mut self, progress: Progress, listener: &SharedListener) -> Result<()> {
        self.pending = progress == Progress::Pending;
        if !self.pending && self.finishing {
            self.finishing = false;
            self.ended = true;
            self.drain();
            self.hand_over(Moment::End, listener)?;
            self.emitted
                .push_back(Emission::Control(Control::EndOfInput));
        }
        Ok(())
    }

    fn fire_event_timers(&mut self, watermark: Watermark) -> Result<()> {
        let operator = match &mut self.body {
            StageBody::Operator(operator) => operator,
            StageBody::Sink(sink) => {
                sink.write_watermark(watermark, &mut self.ctx)?;
                self.reach(watermark);
                return Ok(());
            }
            StageBody::Source(_) => {
                self.reach(watermark);
                return Ok(());
            }
        };
        let mut reached = false;
        for _ in 0..TIMERS_PER_CALL_MAX {
            if self.out.is_full() {
                break;
            }
            let Some(time) = self.ctx.pop_event_timer()? else {
                reached = true;
                break;
            };
            if operator.on_event_timer(time, &mut self.ctx, &mut self.out)? == Progress::Pending {
                self.pending = true;
                break;
            }
        }
        operator.after_timers(&mut self.out);
        if reached {
            self.reach(watermark);
        }
        Ok(())
    }

    fn fire_processing_timers(&mut self) -> Result<()> {
        let operator = match &mut self.body {
            StageBody::Operator(operator) => operator,
            StageBody::Sink(sink) => {
                let due = self.ctx.pop_processing_timer()?;
                return due.map_or(Ok(()), |time| sink.on_processing_timer(time, &mut self.ctx));
            }
            StageBody::Source(_) => {
                // Sources have no timer callback.
                while self.ctx.pop_processing_timer()?.is_some() {}
                return Ok(());
            }
        };
        for _ in 0..TIMERS_PER_CALL_MAX {
            if self.out.is_full() {
                break;
            }
            let Some(time) = self.ctx.pop_processing_timer()? else {
                break;
            };
            let progress = operator.on_processing_timer(time, &mut self.ctx, &mut self.out)?;
            if progress == Progress::Pending {
                self.pending = true;
                break;
            }
        }
        operator.after_timers(&mut self.out);
        Ok(())
    }

    fn reach(&mut self, watermark: Watermark) {
        self.doing = Doing::Nothing;
        self.ctx.metrics().set_watermark(watermark);
        self.drain();
        self.emitted
            .push_back(Emission::Control(Control::Watermark(watermark)));
    }

    fn drain(&mut self) {
        let before = self.out.records_out();
        let counted = self.ctx.metrics().records_out.get();
        if before > counted {
            self.ctx.metrics().records_out.add(before - counted);
        }
        while let Some(element) = self.out.pop() {
            self.emitted.push_back(match element {
                OutputElement::Main(batch) => Emission::Main(batch),
                OutputElement::Side(index, batch) => Emission::Side(index, batch),
                OutputElement::Watermark(watermark) => {
                    self.ctx.set_watermark(watermark);
                    self.ctx.metrics().set_watermark(watermark);
                    Emission::Control(Control::Watermark(watermark))
                }
                OutputElement::Status(status) => Emission::Control(Control::Status(status)),
            });
        }
    }
}

fn incoming((port, element): (usize, StreamElement)) -> Option<Incoming> {
    match element {
        StreamElement::Batch(batch) => Some(Incoming::Batch(port, batch)),
        StreamElement::Watermark(watermark) => {
            Some(Incoming::Control(Control::Watermark(watermark)))
        }
        // Nothing else is restored.
        _ => None,
    }
}
