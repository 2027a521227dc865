//! Around every operator of a job: watches its watermark, and fails when a fault says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thalweg_core::container::Payload;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::graph::{JobGraph, NodeKind};
use thalweg_core::operator::{BatchOperator, Context, OperatorFactory, Outputs, Progress, Setup};
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;

use crate::checker::watermarks::Rising;
use crate::journal::Journal;
use crate::plant::Plant;

/// Makes one of the next calls of operators fail.
#[derive(Debug, Default)]
pub struct Fuse(AtomicU64);

impl Fuse {
    /// The call after `calls` more fails.
    pub fn light(&self, calls: u64) {
        self.0.store(calls + 1, Ordering::Release);
    }

    fn burn(&self) -> Result<()> {
        let left = self.0.load(Ordering::Acquire);
        if left > 0 {
            self.0.store(left - 1, Ordering::Release);
        }
        if left == 1 {
            return Err(Error::new(
                ErrorKind::Retryable,
                "planted: an operator fails",
            ));
        }
        Ok(())
    }
}

/// Puts an observer around every operator of a job.
pub fn observe(job: &mut JobGraph, fuse: &Arc<Fuse>, journal: &Journal, plant: Option<Plant>) {
    for operator in job.vertices.iter_mut().flat_map(|v| &mut v.operators) {
        if let NodeKind::Operator(inner) = &operator.kind {
            operator.kind = NodeKind::Operator(Arc::new(ObservedFactory {
                inner: inner.clone(),
                fuse: fuse.clone(),
                journal: journal.clone(),
                plant,
            }));
        }
    }
}

struct ObservedFactory {
    inner: Arc<dyn OperatorFactory>,
    fuse: Arc<Fuse>,
    journal: Journal,
    plant: Option<Plant>,
}

impl OperatorFactory for ObservedFactory {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn BatchOperator>> {
        let name = format!("{} {}", setup.info.operator, setup.info.index);
        Ok(Box::new(Observed {
            inner: self.inner.create(setup)?,
            fuse: self.fuse.clone(),
            watermarks: Rising::new(name, self.journal.clone()),
            plant: self.plant,
        }))
    }
}

struct Observed {
    inner: Box<dyn BatchOperator>,
    fuse: Arc<Fuse>,
    watermarks: Rising,
    plant: Option<Plant>,
}

impl Observed {
    fn look(&mut self, ctx: &Context) -> Result<()> {
        self.watermarks.see(ctx.watermark());
        self.fuse.burn()
    }
}

impl BatchOperator for Observed {
    fn open(&mut self, ctx: &mut Context) -> Result<()> {
        self.look(ctx)?;
        self.inner.open(ctx)
    }

    fn process(
        &mut self,
        port: usize,
        batch: Payload,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.look(ctx)?;
        self.inner.process(port, batch, ctx, out)
    }

    fn resume(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.look(ctx)?;
        self.inner.resume(ctx, out)
    }

    fn give_back(&mut self) -> Option<(usize, Payload)> {
        self.inner.give_back()
    }

    fn on_event_timer(
        &mut self,
        time: EventTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.look(ctx)?;
        self.watermarks.covers(time);
        let progress = self.inner.on_event_timer(time, ctx, out);
        if self.plant == Some(Plant::LowerWatermark) {
            ctx.set_watermark(Watermark(time.0 - 1));
        }
        progress
    }

    fn on_processing_timer(
        &mut self,
        time: ProcessingTime,
        ctx: &mut Context,
        out: &mut Outputs,
    ) -> Result<Progress> {
        self.look(ctx)?;
        self.inner.on_processing_timer(time, ctx, out)
    }

    fn after_timers(&mut self, out: &mut Outputs) {
        self.inner.after_timers(out);
    }

    fn flush(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.look(ctx)?;
        self.inner.flush(ctx, out)
    }

    fn end_port(&mut self, port: usize, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.look(ctx)?;
        self.inner.end_port(port, ctx, out)
    }

    fn finish(&mut self, ctx: &mut Context, out: &mut Outputs) -> Result<Progress> {
        self.look(ctx)?;
        self.inner.finish(ctx, out)
    }
}
