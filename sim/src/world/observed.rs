//! Around every operator of a job: watches its watermark, and fails when a fault says so.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thalweg_core::container::Payload;
use thalweg_core::error::{Error, ErrorKind, Result};
use thalweg_core::graph::{JobGraph, NodeKind};
use thalweg_core::id::OperatorUid;
use thalweg_core::operator::{BatchOperator, Context, OperatorFactory, Outputs, Progress, Setup};
use thalweg_core::time::{EventTime, ProcessingTime};
use thalweg_core::watermark::Watermark;

use super::listener::Instance;
use crate::checker::watermarks::Rising;
use crate::checker::{Verdict, regions};
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

/// How often the operators of an attempt were opened, and how often they may have been.
#[derive(Clone, Default)]
pub struct Opens(Arc<Mutex<BTreeMap<Instance, Opened>>>);

#[derive(Default)]
struct Opened {
    times: u64,
    restarts: u64,
}

impl Opens {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Instance, Opened>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new attempt: every instance is opened once.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// These start again.
    pub fn restarted(&self, instances: &[Instance]) {
        let mut opens = self.lock();
        for instance in instances {
            opens.entry(instance.clone()).or_default().restarts += 1;
        }
    }

    fn open(&self, instance: &Instance) -> Verdict {
        let mut opens = self.lock();
        let opened = opens.entry(instance.clone()).or_default();
        opened.times += 1;
        regions::check_open(instance, opened.times, opened.restarts)
    }
}

/// Puts an observer around every operator of a job.
pub fn observe(
    job: &mut JobGraph,
    (fuse, opens): (&Arc<Fuse>, &Opens),
    journal: &Journal,
    plant: Option<Plant>,
) {
    for operator in job.vertices.iter_mut().flat_map(|v| &mut v.operators) {
        if let NodeKind::Operator(inner) = &operator.kind {
            operator.kind = NodeKind::Operator(Arc::new(ObservedFactory {
                inner: inner.clone(),
                uid: operator.uid.clone(),
                fuse: fuse.clone(),
                opens: opens.clone(),
                journal: journal.clone(),
                plant,
            }));
        }
    }
}

struct ObservedFactory {
    inner: Arc<dyn OperatorFactory>,
    uid: OperatorUid,
    fuse: Arc<Fuse>,
    opens: Opens,
    journal: Journal,
    plant: Option<Plant>,
}

impl OperatorFactory for ObservedFactory {
    fn create(&self, setup: &mut Setup<'_>) -> Result<Box<dyn BatchOperator>> {
        let name = format!("{} {}", setup.info.operator, setup.info.index);
        Ok(Box::new(Observed {
            inner: self.inner.create(setup)?,
            instance: (self.uid.clone(), setup.info.index),
            fuse: self.fuse.clone(),
            opens: self.opens.clone(),
            journal: self.journal.clone(),
            watermarks: Rising::new(name, self.journal.clone()),
            plant: self.plant,
        }))
    }
}

struct Observed {
    inner: Box<dyn BatchOperator>,
    instance: Instance,
    fuse: Arc<Fuse>,
    opens: Opens,
    journal: Journal,
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
        if let Err(violation) = self.opens.open(&self.instance) {
            self.journal.violate(violation);
        }
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
